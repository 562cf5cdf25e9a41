"""A conformance certificate: what was checked of which code, by which code, and what came of it.

It says what was seen and no more: orders, rules and levels that are not listed were not looked at. Its digest shows an
edit by accident or by hand; it is no signature, for who edits can make a new one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verify.campaign import Report
from verify.checks import CHECKS
from verify.oracle import reference_fingerprint
from verify.outputs import fingerprints
from verify.outputs.badge import word
from verify.outputs.base import finite, write_text
from verify.outputs.places import root
from verify.verdict import Status, Verdict

FORMAT = "hippo-certificate/1"
ABOUT = (
    "What hippo-verify saw when it was run: the code with these hashes, at these orders, rules, levels and inputs. "
    "Nothing is said about what is not listed. The digest shows edits; it is no signature."
)
SCOPE = ("order", "method", "level", "dtype", "dt", "device")


def canonical(content: Mapping[str, Any]) -> str:
    """The text that the digest is of: keys sorted, no spaces, ASCII, without the digest itself."""
    kept = {key: value for key, value in content.items() if key != "sha256"}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical text."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def certificate(report: Report) -> dict[str, Any]:
    """The certificate of a report; one of failure if it failed: the word is in ``verdict``."""
    provenance = report.provenance
    ran = [verdict for verdict in report.verdicts if verdict.status is not Status.UNSUPPORTED]
    content: dict[str, Any] = {
        "format": FORMAT,
        "about": ABOUT,
        "verdict": word(report),
        "status": report.status,
        "exit_code": report.exit_code,
        "counts": report.counts,
        "coverage": report.coverage.to_json(),
        "notes": report.notes,
        "diagnosis": [item.to_json() for item in report.diagnosis],
        "convention": {
            "mode": report.convention_mode,
            "found": report.convention.to_json() if report.convention else None,
        },
        "targets": [
            {"name": name, **_identity(report, name)} for name in dict.fromkeys(v.case.target for v in report.verdicts)
        ],
        "scope": {
            "measures": _measures(ran),
            **{f"{name}s": _values(ran, name) for name in SCOPE},
            "suite": provenance.get("suite"),
            "accuracy": provenance.get("accuracy"),
        },
        "checks": _checks(ran),
        "not_run": _not_run(report.verdicts),
        "not_asked": [] if "vectors" in provenance else [k for k in CHECKS if not _seen(k, report.verdicts)],
        "expected_failures": _grouped(v for v in report.verdicts if v.status is Status.EXPECTED_FAIL),
        "harness": {
            "version": provenance.get("versions", {}).get("hippo-verify"),
            "commit": provenance.get("commit"),
            "dirty": provenance.get("dirty"),
            **fingerprints.harness(),
        },
        "reference": {
            "fingerprint": reference_fingerprint(),
            "vectors": provenance.get("vectors"),
        },
        "environment": {
            key: value
            for key, value in provenance.items()
            if key in ("versions", "platform", "cpu", "cores", "usable_cores", "blas", "threads")
        },
        "seed": provenance.get("seed"),
        "time": provenance.get("time"),
        "repeat": provenance.get("command"),
    }
    content = _portable(finite(content), _folders(report))
    return {**content, "sha256": digest(content)}


def write_certificate(path: Path, report: Report) -> None:
    """One JSON object; its schema is ``hippo-certificate-1.schema.json`` beside this file."""
    write_text(path, json.dumps(certificate(report), indent=2, allow_nan=False) + "\n")


def _identity(report: Report, name: str) -> dict[str, Any]:
    if "answers" in report.provenance:
        digest = report.provenance["answers"]
        if digest is None:
            return {"kind": "unknown", "sha256": None, "unknown": "the answers came through a pipe"}
        covers = "the answers file; the program that wrote it was not seen"
        return {"kind": "answers", "sha256": digest, "covers": covers}
    if report.provenance.get("live"):
        return {"kind": "unknown", "sha256": None, "unknown": "the target was an object of a running Python program"}
    return fingerprints.target(name)


def _measures(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    found = dict.fromkeys((v.case.measure, v.case.parameters) for v in verdicts)
    return [{"measure": measure, "parameters": dict(parameters)} for measure, parameters in found]


def _values(verdicts: Sequence[Verdict], name: str) -> list[Any]:
    return list(dict.fromkeys(getattr(verdict.case, name) for verdict in verdicts))


def _checks(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    rows = []
    for key in dict.fromkeys(verdict.check for verdict in verdicts):
        mine = [verdict for verdict in verdicts if verdict.check == key]
        ratios = [verdict.ratio for verdict in mine if verdict.ratio is not None]
        rows.append(
            {
                "check": key,
                "claim": mine[0].claim,
                "counts": dict(Counter(str(verdict.status) for verdict in mine)),
                "compared": sum(verdict.compared for verdict in mine),
                "worst_ratio": max(ratios, default=None),
                "bounds": sorted({verdict.bound_source for verdict in mine if verdict.bound_source}),
            }
        )
    return rows


def _not_run(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """What was asked for and did not apply, by its reason."""
    return _grouped(verdict for verdict in verdicts if verdict.status is Status.UNSUPPORTED)


def _grouped(verdicts: Any) -> list[dict[str, Any]]:
    counted = Counter((v.case.target, v.check, v.case.level, _reason(v)) for v in verdicts)
    return [
        {"target": target, "check": check, "level": level, "reason": reason, "cells": cells}
        for (target, check, level, reason), cells in counted.items()
    ]


def _reason(verdict: Verdict) -> str:
    known = verdict.message.partition("[expected: ")[2]
    return known.removesuffix("]") if known else verdict.message


def _seen(key: str, verdicts: Sequence[Verdict]) -> bool:
    return any(verdict.check == key for verdict in verdicts)


def _folders(report: Report) -> dict[str, str]:
    """Folders of this machine, and what is written in their place."""
    found = {f"{root()}/": ""}
    for target in dict.fromkeys(verdict.case.target for verdict in report.verdicts):
        if target.startswith("/"):
            found[f"{Path(target).parent}/"] = ""
    found[f"{Path.home()}/"] = "~/"
    return {folder: instead for folder, instead in found.items() if folder.strip("/")}


def _portable(content: Any, folders: Mapping[str, str]) -> Any:
    """Where the user keeps the files is nobody's business: paths are those of any checkout."""
    if isinstance(content, Mapping):
        return {key: _portable(value, folders) for key, value in content.items()}
    if isinstance(content, list):
        return [_portable(value, folders) for value in content]
    if isinstance(content, str):
        for folder, instead in folders.items():
            # At the start of a path alone: a sources' root such as /app is also in https://example.org/app/issues.
            content = re.sub(rf"(?<![\w.~/-]){re.escape(folder)}", instead, content)
    return content

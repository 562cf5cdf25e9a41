"""Reads a certificate back: was it edited, and is the code here still the code that it speaks of?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verify.oracle import reference_fingerprint
from verify.outputs import fingerprints
from verify.outputs.badge import CONFORMS, EXCEPT, OPEN
from verify.outputs.certificate import FORMAT, digest
from verify.outputs.places import root
from verify.outputs.record import schema


@dataclass(frozen=True)
class Finding:
    """One line of the answer.

    Attributes:
        what: ``digest``, ``verdict``, ``target NAME``, ``harness`` or ``reference``.
        holds: True, False, or None where it cannot be told.
        text: what was found, in words.
    """

    what: str
    holds: bool | None
    text: str


def read_certificate(path: Path) -> dict[str, Any]:
    """A certificate.

    Raises:
        ValueError: unreadable, or none.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is no JSON") from None
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise ValueError(f"{path}: format is {found!r}; accepted: {FORMAT!r}")
    missing = [name for name in schema("hippo-certificate-1")["required"] if name not in content]
    if missing:
        raise ValueError(f"{path} is no whole certificate: it lacks {', '.join(missing)}")
    return dict(content)


def findings(content: dict[str, Any]) -> list[Finding]:
    """What still holds of a certificate, most important first."""
    try:
        same = content.get("sha256") == digest(content)
    except (ValueError, TypeError):
        same = False
    if not same:
        return [Finding("digest", False, "the certificate was edited after it was written: it says nothing")]
    found = [Finding("digest", True, "as it was written (which is no signature)"), _verdict(content)]
    found += [_target(target) for target in content["targets"]]
    ours, theirs = fingerprints.harness()["sha256"], content["harness"]
    found.append(
        Finding("harness", True, f"hippo-verify {theirs['version']}, the same source")
        if ours == theirs["sha256"]
        else Finding(
            "harness", None, f"it was checked by hippo-verify {theirs['version']}, whose source is not this one"
        )
    )
    alike = content["reference"]["fingerprint"] == reference_fingerprint()
    text = "the exact reference, and what it computes with, are the same" if alike else "the exact reference is another"
    return [*found, Finding("reference", True if alike else None, text)]


def _verdict(content: dict[str, Any]) -> Finding:
    said = content["verdict"]
    where = ", ".join(map(str, content["scope"]["orders"]))
    text = f"{said}; checked at N = {where}" if where else f"{said}; nothing was checked"
    return Finding("verdict", True if said in (CONFORMS, EXCEPT) else None if said == OPEN else False, text)


def _target(certified: dict[str, Any]) -> Finding:
    name = f"target {certified['name']}"
    if certified["sha256"] is None:
        return Finding(name, None, f"its code was not hashed: {certified['unknown']}")
    if certified["kind"] == "answers":
        return Finding(name, None, f"{certified['covers']}; sha256 {certified['sha256']}")
    here = fingerprints.target(certified["name"])
    if here["sha256"] is None:  # named from the root of the sources, asked in a folder of it
        here = fingerprints.target(f"{root()}/{certified['name']}")
    if here["sha256"] is None:
        return Finding(name, None, f"its code is not here to compare: {here['unknown']}")
    if here["sha256"] == certified["sha256"]:
        return Finding(name, True, f"the same code: {certified['covers']}")
    return Finding(name, False, "its code was changed since: check it again")


def exit_code(found: list[Finding]) -> int:
    """0 if all holds, 1 if something does not, 5 if something cannot be told."""
    return 1 if any(f.holds is False for f in found) else 5 if any(f.holds is None for f in found) else 0

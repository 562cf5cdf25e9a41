"""SARIF 2.1.0, with what GitHub code scanning asks for beyond the schema."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from verify.campaign import Report
from verify.case import identity
from verify.outputs.base import SEVERITY, by_weight, problems, write_json
from verify.outputs.places import Place, place_of, places_of
from verify.verdict import Verdict

MOST = 25_000
"""Results in a run, and rules, beyond which GitHub refuses the file. It shows the first 5,000."""
LONGEST = 1024
"""Characters of the description of a rule that GitHub takes."""
HELP = "https://github.com/hippo-verify/hippo-verify/blob/main/docs/checks.md"


def write_sarif(path: Path, report: Report) -> None:
    """A rule per check, a result per verdict that is neither a pass nor unsupported, the most telling ones first."""
    shown = by_weight(report.verdicts)
    places = places_of(shown[:MOST])
    claims = {verdict.check: verdict.claim for verdict in [*shown, *report.verdicts]}
    rules = [_rule(key, claim) for key, claim in list(claims.items())[:MOST]]
    index = {key: number for number, key in enumerate(claims)}
    said = problems(report)
    if len(shown) > MOST:
        said.append(f"{len(shown) - MOST} further results are left out: code scanning takes {MOST:,}")
    version = report.provenance.get("versions", {}).get("hippo-verify", "")
    driver = {
        "name": "hippo-verify",
        **({"version": version} if version else {}),
        "informationUri": HELP,
        "rules": rules,
    }
    invocation: dict[str, Any] = {"executionSuccessful": report.status != "error", "exitCode": report.exit_code}
    if said:
        invocation["toolExecutionNotifications"] = [{"level": "error", "message": {"text": text}} for text in said]
    content = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                # Ends with a slash: all of it is the category, so that the files of two targets stand side by side.
                "automationDetails": {"id": f"hippo-verify/{place_of(report.target).name}/"},
                "invocations": [invocation],
                "results": [_result(verdict, places, index[verdict.check]) for verdict in shown[:MOST]],
            }
        ],
    }
    write_json(path, content)


def _rule(key: str, claim: str) -> dict[str, Any]:
    text = claim[:1].upper() + claim[1:LONGEST]
    sentence = text if text.endswith(".") else text[: LONGEST - 1] + "."
    return {
        "id": key,
        "shortDescription": {"text": sentence},
        "fullDescription": {"text": sentence},
        "help": {"text": f"A right implementation has this property: {claim}. What a verdict means: {HELP}"},
        "helpUri": HELP,
        "defaultConfiguration": {"level": "error"},
    }


def _result(verdict: Verdict, places: Mapping[tuple[str, str], Place], index: int) -> dict[str, Any]:
    place = places[verdict.case.target, verdict.case.level]
    line = place.line or 1
    # The path is no part of it: GitHub adds the file itself, and a checkout may lie anywhere.
    unique = identity(verdict.check, {**verdict.case.to_json(), "target": ""})
    return {
        "ruleId": verdict.check,
        "ruleIndex": index,
        "level": SEVERITY[verdict.status],
        "message": {"text": f"{verdict.case.describe()}: {verdict.message}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": place.uri},
                    "region": {
                        "startLine": line,
                        "startColumn": 1,
                        "endLine": line,
                        "endColumn": max(place.width, 1) + 1,
                    },
                }
            }
        ],
        "partialFingerprints": {"case": f"{verdict.check}/{verdict.case.id}", "primaryLocationLineHash": f"{unique}:1"},
    }

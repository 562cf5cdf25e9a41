"""SARIF 2.1.0, with what GitHub code scanning asks for beyond the schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    index = {key: number for number, key in enumerate(claims)}
    write_run(
        path,
        rules=[
            rule(key, claim, f"A right implementation has this property: {claim}. What a verdict means: {HELP}", HELP)
            for key, claim in list(claims.items())[:MOST]
        ],
        results=[_result(verdict, places, index[verdict.check]) for verdict in shown[:MOST]],
        left_out=len(shown) - MOST,
        said=problems(report),
        # Ends with a slash: all of it is the category, so that the files of two targets stand side by side.
        category=f"hippo-verify/{place_of(report.target).name}/",
        invocation={"executionSuccessful": report.status != "error", "exitCode": report.exit_code},
        version=report.provenance.get("versions", {}).get("hippo-verify", ""),
        uri=HELP,
    )


def write_run(
    path: Path, *, rules: Sequence[Any], results: Sequence[Any], left_out: int, said: Sequence[str], category: str,
    invocation: dict[str, Any], version: str, uri: str,
) -> None:  # fmt: skip
    """A file of one run.

    Args:
        path: the file.
        rules: those that results refer to.
        results: at most `MOST`.
        left_out: how many more there are, if above 0.
        said: what no result says.
        category: what keeps files for one commit apart.
        invocation: how the run ended.
        version: of ours.
        uri: where it is explained.
    """
    said = [*said]
    if left_out > 0:
        said.append(f"{left_out} further results are left out: code scanning takes {MOST:,}")
    driver = {
        "name": "hippo-verify",
        **({"version": version} if version else {}),
        "informationUri": uri,
        "rules": rules,
    }
    if said:
        invocation["toolExecutionNotifications"] = [{"level": "error", "message": {"text": text}} for text in said]
    content = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "automationDetails": {"id": category},
                "invocations": [invocation],
                "results": results,
            }
        ],
    }
    write_json(path, content)


def rule(key: str, claim: str, help_text: str, uri: str) -> dict[str, Any]:
    """A rule: its name, a sentence, and what helps."""
    text = claim[:1].upper() + claim[1:LONGEST]
    sentence = text if text.endswith(".") else text[: LONGEST - 1] + "."
    return {
        "id": key,
        "shortDescription": {"text": sentence},
        "fullDescription": {"text": sentence},
        "help": {"text": help_text},
        "helpUri": uri,
        "defaultConfiguration": {"level": "error"},
    }


def _result(verdict: Verdict, places: Mapping[tuple[str, str], Place], index: int) -> dict[str, Any]:
    # The path is no part of it: GitHub adds the file itself, and a checkout may lie anywhere.
    unique = identity(verdict.check, {**verdict.case.to_json(), "target": ""})
    return {
        "ruleId": verdict.check,
        "ruleIndex": index,
        "level": SEVERITY[verdict.status],
        "message": {"text": f"{verdict.case.describe()}: {verdict.message}"},
        "locations": [location(places[verdict.case.target, verdict.case.level])],
        "partialFingerprints": {"case": f"{verdict.check}/{verdict.case.id}", "primaryLocationLineHash": f"{unique}:1"},
    }


def location(place: Place) -> dict[str, Any]:
    """Where a result is shown: the whole line, or the first one where none is known."""
    line = place.line or 1
    return {
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

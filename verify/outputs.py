"""What other programs read: JSON, JUnit XML, SARIF, Markdown. Each is written whole or not at all."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from verify.campaign import Report
from verify.folders import write_whole
from verify.verdict import Status, Verdict

SEVERITY = {
    Status.FAIL: "error",
    Status.UNEXPECTED_PASS: "error",
    Status.ERROR: "error",
    Status.INCONCLUSIVE: "warning",
}


def write_json(path: Path, content: Any) -> None:
    """One object; no NaN and no infinity."""
    _write(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_junit(path: Path, report: Report) -> None:
    """A test suite per level, a test case per verdict; cells that did not apply are skipped with their reason."""
    root = ET.Element("testsuites", name="hippo-verify")
    for level in dict.fromkeys(verdict.case.level for verdict in report.verdicts):
        verdicts = [verdict for verdict in report.verdicts if verdict.case.level == level]
        counts = {
            "tests": len(verdicts),
            "failures": sum(v.status in (Status.FAIL, Status.UNEXPECTED_PASS) for v in verdicts),
            "errors": sum(v.status in (Status.ERROR, Status.INCONCLUSIVE) for v in verdicts),
            "skipped": sum(v.status in (Status.UNSUPPORTED, Status.EXPECTED_FAIL) for v in verdicts),
        }
        seconds = f"{sum(v.seconds for v in verdicts):.3f}"
        suite = ET.SubElement(
            root, "testsuite", {"name": level, "time": seconds, **{k: str(n) for k, n in counts.items()}}
        )
        for verdict in verdicts:
            _test_case(suite, verdict)
    ET.indent(root)
    _write(path, '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n")


def _test_case(suite: ET.Element, verdict: Verdict) -> None:
    name = f"{verdict.check}[{verdict.case.describe()}]"
    attributes = {"classname": _text(verdict.case.target), "name": _text(name), "time": f"{verdict.seconds:.3f}"}
    case = ET.SubElement(suite, "testcase", attributes)
    if verdict.status is Status.PASS:
        return
    tag = {"FAIL": "failure", "UNEXPECTED_PASS": "failure", "ERROR": "error", "INCONCLUSIVE": "error"}.get(
        verdict.status, "skipped"
    )
    element = ET.SubElement(case, tag, {"type": str(verdict.status), "message": _text(verdict.message)})
    if tag != "skipped":
        element.text = _text(
            f"{verdict.claim}\nmeasured {verdict.measured}, bound {verdict.bound} ({verdict.bound_source})"
        )


def _text(text: str) -> str:
    """Characters that XML 1.0 allows; a hostile target may put others into a message."""
    return "".join(
        c if c in "\t\n" or 0x20 <= ord(c) < 0xD800 or 0xE000 <= ord(c) < 0xFFFE or ord(c) > 0xFFFF else "?"
        for c in text
    )


def write_sarif(path: Path, report: Report) -> None:
    """SARIF 2.1.0: a rule per check, a result per verdict that is neither a pass nor unsupported."""
    shown = [verdict for verdict in report.verdicts if verdict.status in SEVERITY]
    place = quote((report.target.rpartition(":")[0] or report.target).encode("utf-8", "surrogateescape"))
    rules = {verdict.check: verdict.claim for verdict in report.verdicts}
    content = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "hippo-verify",
                        "version": report.provenance.get("versions", {}).get("hippo-verify", ""),
                        "rules": [{"id": key, "shortDescription": {"text": claim}} for key, claim in rules.items()],
                    }
                },
                "results": [
                    {
                        "ruleId": verdict.check,
                        "level": SEVERITY[verdict.status],
                        "message": {"text": f"{verdict.case.describe()}: {verdict.message}"},
                        "locations": [{"physicalLocation": {"artifactLocation": {"uri": place}}}],
                        "partialFingerprints": {"case": f"{verdict.check}/{verdict.case.id}"},
                    }
                    for verdict in shown
                ],
            }
        ],
    }
    write_json(path, content)


def write_markdown(path: Path, report: Report) -> None:
    """A summary for a pull request or a step summary: the word, the diagnosis, a table of checks."""
    lines = [f"## hippo-verify: `{report.target}`: {report.status}", ""]
    lines += [f"- **{item.text}** ({item.evidence})" for item in report.diagnosis]
    if report.diagnosis:
        lines.append("")
    if report.coverage.shortfall:
        lines += [f"Coverage is too small: {report.coverage.shortfall}.", ""]
    several = len({verdict.case.target for verdict in report.verdicts}) > 1
    lines += _by_target(report) if several else _by_check(report)
    failures = [v for v in report.verdicts if v.status in SEVERITY]
    if failures:
        lines += ["", "| status | check | case | message |", "|---|---|---|---|"]
        lines += [f"| {v.status} | {v.check} | {v.case.describe()} | {_cell(v.message)} |" for v in failures[:20]]
        if len(failures) > 20:
            lines += ["", f"... and {len(failures) - 20} more."]
    _write(path, "\n".join(lines) + "\n")


def _by_check(report: Report) -> list[str]:
    lines = ["| check | pass | fail | other | worst error ÷ bound |", "|---|---|---|---|---|"]
    for key in dict.fromkeys(verdict.check for verdict in report.verdicts):
        verdicts = [verdict for verdict in report.verdicts if verdict.check == key]
        passed = sum(v.status is Status.PASS for v in verdicts)
        failed = sum(v.status is Status.FAIL for v in verdicts)
        ratios = [v.ratio for v in verdicts if v.ratio is not None]
        worst = f"{max(ratios):.2g}" if ratios else "-"
        lines.append(f"| {key} | {passed} | {failed} | {len(verdicts) - passed - failed} | {worst} |")
    return lines


def _by_target(report: Report) -> list[str]:
    """What each target is: right, wrong in a known way and why, or wrong."""
    versions = report.provenance.get("versions", {})
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [f"{report.provenance.get('time', '')[:10]}; {listed}.", ""]
    lines += ["| target | measure | verdict | passed | why |", "|---|---|---|---|---|"]
    for target, measure in dict.fromkeys((v.case.target, v.case.measure) for v in report.verdicts):
        verdicts = [v for v in report.verdicts if (v.case.target, v.case.measure) == (target, measure)]
        ran = [v for v in verdicts if v.status is not Status.UNSUPPORTED]
        passed = [v for v in ran if v.status is Status.PASS]
        bad = [v for v in ran if v.status is not Status.PASS]
        crashed = any(v.status is Status.EXPECTED_FAIL and v.measured is None for v in bad)
        word = "right" if not bad else "crashes" if crashed else "wrong"
        conventions = dict.fromkeys(v.details["convention"] for v in ran if "convention" in v.details)
        reasons = dict.fromkeys(v.message.partition("[expected: ")[2].partition(";")[0] or v.message for v in bad)
        parameters = "".join(f", {name} = {value}" for name, value in verdicts[0].case.parameters)
        why = "; ".join([*reasons, *(f"written as {name}" for name in conventions)])
        lines.append(f"| {target} | {measure}{parameters} | {word} | {len(passed)} of {len(ran)} | {_cell(why)} |")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


WRITERS: dict[str, Callable[[Path, Report], None]] = {
    "json": lambda path, report: write_json(path, report.to_json()),
    "junit-xml": write_junit,
    "sarif": write_sarif,
    "markdown": write_markdown,
}


def _write(path: Path, text: str) -> None:
    write_whole(path, text.encode("utf-8", "backslashreplace"))  # names and messages may hold lone surrogates

"""JUnit XML, as Jenkins, GitLab and the test reporters of GitHub read it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from verify.campaign import Report
from verify.outputs.base import problems, write_text
from verify.outputs.places import Place, places_of
from verify.verdict import Status, Verdict

TAGS = {
    Status.FAIL: "failure",
    Status.UNEXPECTED_PASS: "failure",
    Status.ERROR: "error",
    Status.INCONCLUSIVE: "error",
    Status.UNSUPPORTED: "skipped",
    Status.EXPECTED_FAIL: "skipped",
}
COUNTS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def write_junit(path: Path, report: Report) -> None:
    """A test suite per level, a test case per verdict; cells that did not apply are skipped with their reason.

    What no verdict says (too little was decided, an expected failure matched nothing) is a suite ``hippo-verify`` of
    errors: a reader of this file alone must not see green.
    """
    root = ET.Element("testsuites", name="hippo-verify")
    places = places_of(report.verdicts)
    stamp = str(report.provenance.get("time", ""))[:19]  # an XML dateTime without a zone, as the readers expect; UTC
    for level in dict.fromkeys(verdict.case.level for verdict in report.verdicts):
        verdicts = [verdict for verdict in report.verdicts if verdict.case.level == level]
        _suite(root, level, [_case(verdict, places) for verdict in verdicts], stamp)
    said = problems(report)
    if said:
        _suite(root, "hippo-verify", [_problem(report, number, text) for number, text in enumerate(said, 1)], stamp)
    _count(root, list(root.iter("testcase")))
    ET.indent(root)
    write_text(path, '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n")


def _suite(root: ET.Element, name: str, cases: Sequence[ET.Element], stamp: str) -> None:
    suite = ET.SubElement(root, "testsuite", {"name": name, **({"timestamp": stamp} if stamp else {})})
    suite.extend(cases)
    _count(suite, cases)


def _count(element: ET.Element, cases: Sequence[ET.Element]) -> None:
    element.set("tests", str(len(cases)))
    for attribute, tag in COUNTS.items():
        element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")


def _case(verdict: Verdict, places: Mapping[tuple[str, str], Place]) -> ET.Element:
    place = places[verdict.case.target, verdict.case.level]
    where = {} if place.file is None else {"file": _text(place.name), "line": str(place.line or 1)}
    name = f"{verdict.check}[{verdict.case.describe()}]"
    attributes = {"classname": _text(verdict.case.target), "name": _text(name), "time": f"{verdict.seconds:.3f}"}
    case = ET.Element("testcase", attributes | where)
    tag = TAGS.get(verdict.status)
    if tag is None:
        return case
    element = ET.SubElement(case, tag, {"type": str(verdict.status), "message": _text(verdict.message)})
    if tag != "skipped":
        element.text = _text(
            f"{verdict.claim}\nmeasured {verdict.measured}, bound {verdict.bound} ({verdict.bound_source})"
        )
        for stream, tag in (("stdout", "system-out"), ("stderr", "system-err")):
            said = (verdict.worst or {}).get(stream)
            if said:
                ET.SubElement(case, tag).text = _text(str(said))
    return case


def _problem(report: Report, number: int, text: str) -> ET.Element:
    case = ET.Element("testcase", {"classname": _text(report.target), "name": f"problem {number}", "time": "0.000"})
    ET.SubElement(case, "error", {"type": report.status, "message": _text(text)}).text = _text(text)
    return case


def _text(text: str) -> str:
    """Characters that XML 1.0 allows; a hostile target may put others into a message."""
    return "".join(
        c if c in "\t\n" or 0x20 <= ord(c) < 0xD800 or 0xE000 <= ord(c) < 0xFFFE or ord(c) > 0xFFFF else "?"
        for c in text
    )

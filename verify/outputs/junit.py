"""JUnit XML, as Jenkins, GitLab and the test reporters of GitHub read it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
    places = places_of(report.verdicts)
    suites = {
        level: [_case(verdict, places) for verdict in report.verdicts if verdict.case.level == level]
        for level in dict.fromkeys(verdict.case.level for verdict in report.verdicts)
    }
    write_suites(path, suites, problem_cases(report.target, report.status, problems(report)), report.provenance)


def write_suites(
    path: Path, suites: Mapping[str, Sequence[ET.Element]], problems: Sequence[ET.Element], about: Mapping[str, Any]
) -> None:
    """A file of suites with their cases, counted; what no case says stands in a suite of our own.

    Args:
        path: the file.
        suites: name -> cases.
        problems: what no case says, as cases.
        about: provenance, for the time.
    """
    root = ET.Element("testsuites", name="hippo-verify")
    stamp = str(about.get("time", ""))[:19]  # an XML dateTime without a zone, as the readers expect; UTC
    for name, cases in (*suites.items(), *([("hippo-verify", problems)] if problems else [])):
        suite = ET.SubElement(root, "testsuite", {"name": xml_text(name), **({"timestamp": stamp} if stamp else {})})
        suite.extend(cases)
        _count(suite, cases)
    _count(root, list(root.iter("testcase")))
    ET.indent(root)
    write_text(path, '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n")


def place_attributes(place: Place) -> dict[str, str]:
    """Where a case is written, as attributes of it."""
    return {} if place.file is None else {"file": xml_text(place.name), "line": str(place.line or 1)}


def _count(element: ET.Element, cases: Sequence[ET.Element]) -> None:
    element.set("tests", str(len(cases)))
    for attribute, tag in COUNTS.items():
        element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")


def _case(verdict: Verdict, places: Mapping[tuple[str, str], Place]) -> ET.Element:
    place = places[verdict.case.target, verdict.case.level]
    name = f"{verdict.check}[{verdict.case.describe()}]"
    attributes = {"classname": xml_text(verdict.case.target), "name": xml_text(name), "time": f"{verdict.seconds:.3f}"}
    case = ET.Element("testcase", attributes | place_attributes(place))
    tag = TAGS.get(verdict.status)
    if tag is None:
        return case
    element = ET.SubElement(case, tag, {"type": str(verdict.status), "message": xml_text(verdict.message)})
    if tag != "skipped":
        element.text = xml_text(
            f"{verdict.claim}\nmeasured {verdict.measured}, bound {verdict.bound} ({verdict.bound_source})"
        )
        for stream, tag in (("stdout", "system-out"), ("stderr", "system-err")):
            said = (verdict.worst or {}).get(stream)
            if said:
                ET.SubElement(case, tag).text = xml_text(str(said))
    return case


def problem_cases(classname: str, kind: str, problems: Sequence[str]) -> list[ET.Element]:
    """What no verdict says, an error each."""
    cases = []
    for number, text in enumerate(problems, 1):
        attributes = {"classname": xml_text(classname), "name": f"problem {number}", "time": "0.000"}
        case = ET.Element("testcase", attributes)
        ET.SubElement(case, "error", {"type": kind, "message": xml_text(text)}).text = xml_text(text)
        cases.append(case)
    return cases


def xml_text(text: str) -> str:
    """Characters that XML 1.0 allows; a hostile target may put others into a message."""
    return "".join(
        c if c in "\t\n" or 0x20 <= ord(c) < 0xD800 or 0xE000 <= ord(c) < 0xFFFE or ord(c) > 0xFFFF else "?"
        for c in text
    )

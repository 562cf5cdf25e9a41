"""JUnit XML of the gate: a suite for each module of benchmarks, a case for each benchmark."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from verify.gate.gating import Gated
from verify.gate.outputs.said import STATUS, bare, place, quantity, sentence
from verify.gate.words import Finding, Outcome, Word
from verify.outputs.junit import place_attributes, problem_cases, write_suites, xml_text

TAGS = {Outcome.FAIL: "failure", Outcome.INCONCLUSIVE: "error"}


def write_junit(path: Path, gated: Gated) -> None:
    """Write it; what no benchmark says is a suite of its own. It is green where the exit code is 0, and only there.

    A note (a setting that fits nothing, say) is skipped: it turns no build red.
    """
    suites: dict[str, list[ET.Element]] = {}
    findings, notes = gated.comparison.findings, gated.comparison.notes
    for one in findings:
        suites.setdefault(_module(one.name), []).append(_case(one, gated.folder))
    code = gated.comparison.exit_code
    unsaid = code and all(one.outcome is Outcome.PASS for one in findings)
    cases = problem_cases("hippo-verify gate", STATUS[code], [*([sentence(gated)] if unsaid else []), *notes])
    for case in cases[len(cases) - len(notes) :]:
        case[0].tag = "skipped"
    write_suites(path, suites, cases, gated.provenance)


def _module(name: str) -> str:
    file, colons, _ = bare(name).partition("::")
    return file if colons else file.partition(".")[0]


def _case(one: Finding, folder: Path | None) -> ET.Element:
    attributes = {"classname": xml_text(_module(one.name)), "name": xml_text(one.name), "time": "0.000"}
    case = ET.Element("testcase", attributes | place_attributes(place(one, folder)))
    unmeasured = one.word in (Word.NOT_MEASURED, Word.NOT_COMPARABLE)
    tag = TAGS.get(one.outcome) or ("skipped" if one.accepted or unmeasured else None)
    if tag is not None:
        element = ET.SubElement(case, tag, {"type": str(one.word), "message": xml_text(one.message)})
        if tag != "skipped":
            values = (quantity(value, one.kind, one.unit) for value in (one.base, one.head))
            element.text = xml_text("base {}, head {}".format(*values))
    return case

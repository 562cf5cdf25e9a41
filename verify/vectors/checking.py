"""Answers of another program against exported vectors: a verdict for each, and what is wrong in words."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from verify.campaign import Report, default_oracle
from verify.case import Case
from verify.diagnosis import Diagnosis
from verify.oracle import Oracle
from verify.provenance import collect
from verify.vectors.documents import Document, quick_document, read_document
from verify.vectors.files import Answers, FormatError, read_answers
from verify.vectors.judge import Question, judge_answer
from verify.vectors.naming import Judged, name_defects
from verify.verdict import INTERFACE, Status, Verdict

CLAIM = "the answer equals the certified one within the rounding of its arithmetic"
NAMED = 3
"""Ids listed in a message; the rest is counted."""


def check(
    answers: Path,
    vectors: Path | None = None,
    *,
    max_unsupported: int | None = None,
    oracle: Oracle | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Judge an answers file.

    Args:
        answers: the file that the program wrote.
        vectors: the file that it read; None: the quick set of this version.
        max_unsupported: how many vectors may be listed as unsupported; None: any number.
        oracle: sizes of operators, for the bounds; default: kept in the user's cache folder.
        progress: called with a description, the number done and the number in all.

    Returns:
        A verdict for every vector (``check`` is its group, ``details["vector"]`` its id) and the explanations.

    Raises:
        FormatError: a file that cannot be read, was changed, or answers another one.
    """
    given = read_answers(answers)
    document = quick_document() if vectors is None else read_document(vectors)
    if given.document is not None and given.document != document.checksum:
        raise FormatError(
            f"{answers} answers the vectors with sha256 {given.document[:12]}..., but those given have "
            f"{document.checksum[:12]}...: name the file it read with --vectors"
        )
    truth = oracle or default_oracle()
    digest = hashlib.sha256(answers.read_bytes()).hexdigest() if answers.is_file() else None  # a pipe is read once
    files = {"vectors": document.checksum, "answers": digest}
    verdicts: list[Verdict] = []
    report = Report(given.program, verdicts, provenance={**collect(0), **files})
    judged: list[Judged] = []
    for done, (name, record) in enumerate(document.vectors.items(), start=1):
        question = Question(record, given.program, given.dtype)
        verdicts.append(_verdict(question, given, truth, judged))
        if progress is not None:
            progress(name, done, len(document.vectors))
    verdicts.extend(_about_ids(given, document, max_unsupported))
    report.diagnosis = [*_unknown_ids(given, document), *name_defects(judged, truth)]
    return report


def by_id(report: Report) -> Report:
    """The same report with the id of its vector as each verdict's check: unique names, for JUnit and SARIF."""
    verdicts = [replace(v, check=v.details.get("vector", v.check)) for v in report.verdicts]
    return replace(report, verdicts=verdicts)


def _verdict(question: Question, given: Answers, oracle: Oracle, judged: list[Judged]) -> Verdict:
    """The verdict on one vector; what was compared is added to ``judged``."""
    record, case = question.record, question.case
    name, group = str(record["id"]), str(record["group"])
    details = {"vector": name, "flags": list(record.get("flags", ()))}

    def without(status: Status, message: str) -> Verdict:
        source = INTERFACE if status is Status.FAIL else ""
        return Verdict(group, CLAIM, case, status, message=message, details=details, bound_source=source)

    if name in given.unsupported:
        return without(Status.UNSUPPORTED, given.unsupported[name] or "listed as unsupported")
    if name not in given.values:
        return without(Status.FAIL, f"{name}: no answer; answer it, or list it as unsupported with a reason")
    if name in given.repeated:
        return without(Status.FAIL, f"{name}: answered more than once; an id has one answer")
    if given.dtype == "float32" and "float32" not in record.get("flags", ()):
        return without(Status.UNSUPPORTED, "its inputs are not float32 numbers, so float32 cannot be judged by it")
    finding, got = judge_answer(question, given.values[name], oracle)
    judged.append(Judged(question, finding, got))
    return Verdict(
        group, CLAIM, case, finding.status, measured=finding.measured, bound=finding.bound,
        bound_source=finding.source, compared=finding.compared, worst=finding.worst,
        message=f"{name}: {finding.message}" if finding.message else "", details=details,
    )  # fmt: skip


def _about_ids(given: Answers, document: Document, max_unsupported: int | None) -> list[Verdict]:
    """Failures of the file as a whole: answers to nothing, too many refusals."""
    case = Case(given.program, level="ids", method="-", dtype=given.dtype)
    found = []
    unknown = _unknown(given, document)
    if unknown:
        shown = ", ".join(repr(name) for name in unknown[:NAMED]) + (", ..." if len(unknown) > NAMED else "")
        message = f"{len(unknown)} answer(s) have an id that no vector has: {shown}{_closest(unknown[0], document)}"
        found.append(Verdict("ids", CLAIM, case, Status.FAIL, message=message, bound_source=INTERFACE))
    refused = [name for name in given.unsupported if name in document.vectors]
    if max_unsupported is not None and len(refused) > max_unsupported:
        message = (
            f"{len(refused)} vectors are listed as unsupported, at most {max_unsupported} may be: "
            f"{', '.join(refused[:NAMED])}{', ...' if len(refused) > NAMED else ''}"
        )
        found.append(Verdict("ids", CLAIM, case, Status.FAIL, message=message, bound_source=INTERFACE))
    return found


def _unknown(given: Answers, document: Document) -> list[str]:
    return [name for name in (*given.values, *given.unsupported) if name not in document.vectors]


def _closest(name: str, document: Document) -> str:
    close = difflib.get_close_matches(name, list(document.vectors)[:20_000], n=1)
    return f"; closest is {close[0]!r}" if close else "; was the answers file made from these vectors?"


def _unknown_ids(given: Answers, document: Document) -> list[Diagnosis]:
    """Answers to other vectors than were asked are one cause, not thousands."""
    unknown, missing = _unknown(given, document), [n for n in document.vectors if n not in given.values]
    missing = [name for name in missing if name not in given.unsupported]
    if unknown and len(unknown) > len(given.values) // 2:
        return [Diagnosis("other_vectors", "these are answers to other vectors", f"{len(unknown)} ids are not here")]
    if missing:
        text = f"{len(missing)} of {len(document.vectors)} vectors have no answer, the first {missing[0]}"
        return [Diagnosis("missing", text, "they are neither answered nor listed as unsupported")]
    return []

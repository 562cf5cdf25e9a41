"""GitHub Actions: annotations of a pull request, and the summary of a step."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from verify.campaign import Report
from verify.outputs.base import SEVERITY, by_weight, problems
from verify.outputs.markdown import LARGEST, markdown
from verify.outputs.places import Place, place_of, places_of

MOST = 10
"""Annotations of one kind that GitHub shows for a step; what comes after them is dropped without a word."""


def workflow_commands(report: Report) -> list[str]:
    """Workflow commands, one a line: what is wrong in words, then the verdicts, the most telling first.

    Where there are more than GitHub shows, the last one that it shows says how many there are.
    """
    found: dict[str, list[str]] = {"error": [], "warning": []}
    whole = place_of(report.target)
    for text in problems(report):
        found["error"].append(command("error", text, f"hippo-verify: {report.status}", whole))
    for item in report.diagnosis:
        found["error"].append(command("error", item.evidence or item.text, f"hippo-verify: {item.text}", whole))
    verdicts = by_weight(report.verdicts)
    places = places_of(verdicts)
    for verdict in verdicts:
        title = f"hippo-verify: {verdict.status} {verdict.check}, {verdict.case.describe()}"
        place = places[verdict.case.target, verdict.case.level]
        text = f"{verdict.message}\n{verdict.case.target}: {verdict.claim}"
        found[SEVERITY[verdict.status]].append(command(SEVERITY[verdict.status], text, title, place))
    return [line for kind, lines in found.items() for line in _bounded(kind, lines, whole)]


def _bounded(kind: str, lines: list[str], place: Place) -> Iterator[str]:
    if len(lines) <= MOST:
        yield from lines
        return
    yield from lines[: MOST - 1]
    more = len(lines) - MOST + 1
    yield command(
        kind, f"{more} more; the step summary and the JSON have them", f"hippo-verify: and {more} more", place
    )


def command(kind: str, message: str, title: str, place: Place) -> str:
    """One workflow command. Whatever a target wrote into it stays data: nothing in it ends the line or a property.

    Args:
        kind: ``error``, ``warning`` or ``notice``.
        message: any text.
        title: any text.
        place: where it is shown.
    """
    properties = {"title": title}
    if place.file is not None:
        properties = {"file": place.name, "line": str(place.line or 1), **properties}
    listed = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    return f"::{kind} {listed}::{_escaped(message)}"


def _escaped(text: str, further: str = "") -> str:
    # The runner undoes exactly these, the percent sign last; so here it comes first.
    for character in "%\r\n" + further:
        text = text.replace(character, f"%{ord(character):02X}")
    return text.encode("utf-8", "backslashreplace").decode()


def add_summary(report: Report) -> Path | None:
    """Append the Markdown summary to the file that GitHub names for it; None where it names none.

    Raises:
        OSError: it cannot be written.
    """
    named = os.environ.get("GITHUB_STEP_SUMMARY")
    if not named:
        return None
    path = Path(named)
    room = LARGEST - (path.stat().st_size if path.exists() else 0)
    text = markdown(report, room - 1)
    with path.open("ab") as file:
        file.write(f"\n{text}".encode("utf-8", "backslashreplace") if text else b"")
    return path

"""Every pair of measurements on disk as soon as it is made: a stopped run goes on from there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

FORM: Final = "hippo-gate-rounds/1"

Answers = Mapping[str, Mapping[str, Any]]
"""Side -> what `measure` answered."""


class RoundsJournal:
    """A file to which a line is added for each pair; the first line says what is measured.

    A journal of another run, or of a finished one, is replaced; one of the same run that was stopped is continued, and
    a line that was cut short is forgotten. The two sides of a pair stand on one line, so that half a pair is none.

    Args:
        path: the file; its folder need not exist.
        plan: all on which the measurements depend, JSON-able.
        identity: what a new run is called.

    Attributes:
        identity: what the run is called: that of the stopped run, where it is continued.
        kept: pairs that the stopped run had measured, by trial, round and name.

    Raises:
        OSError: the file cannot be written.
        ValueError: the file is something else.
    """

    def __init__(self, path: Path, plan: Mapping[str, Any], identity: str) -> None:
        self.identity = identity
        self.kept: dict[tuple[int, int, str], Answers] = {}
        self._path = path
        head = {"format": FORM, "plan": json.loads(json.dumps(plan)), "identity": identity}
        records = _read(path)
        continued = (
            bool(records)
            and {**records[0], "identity": identity} == head
            and not any("finished" in record for record in records)
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        if continued:
            self.identity = records[0]["identity"]
            for record in records[1:]:
                self.kept[record["trial"], record["round"], record["name"]] = record["answers"]
        # Written anew even so: what was cut short must not stay in the middle of the file.
        lines = [json.dumps(record) for record in (records if continued else [head])]
        temporary = path.with_suffix(".new")
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
        temporary.replace(path)

    def add(self, trial: int, number: int, name: str, order: Sequence[str], answers: Answers) -> None:
        """One pair, in the order in which the sides ran."""
        self._append({"trial": trial, "round": number, "name": name, "order": list(order), "answers": answers})

    def finish(self) -> None:
        """All is measured: the next run starts anew."""
        self._append({"finished": True})

    def _append(self, record: Mapping[str, Any]) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(file, (json.dumps(record) + "\n").encode())
        finally:
            os.close(file)


def _read(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a journal; none where there is no file.

    Raises:
        ValueError: the file is something else, which must not be written over.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    records = []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            break
        if not isinstance(record, dict):
            break
        records.append(record)
    if not records or records[0].get("format") != FORM:
        raise ValueError(f"{path} is no journal of the gate; name another folder with --store")
    return records

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
    What the sides run in is known once they are asked, and held against the stopped run's by `under`.

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
        self._head = {"format": FORM, "plan": json.loads(json.dumps(plan)), "identity": identity}
        self._environment: Any = None
        records = _read(path)
        continued = (
            bool(records)
            and {**records[0], "identity": identity} == self._head
            and not any("finished" in record for record in records)
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        if continued:
            self.identity = records[0]["identity"]
            for record in records[1:]:
                if "environment" in record:
                    self._environment = record["environment"]
                else:
                    self.kept[record["trial"], record["round"], record["name"]] = record["answers"]
        # Written anew even so: what was cut short must not stay in the middle of the file.
        self._write(records if continued else [self._head])

    def under(self, environment: Mapping[str, Any]) -> None:
        """Forget what was measured in another environment: a library that was replaced meanwhile makes it another run.

        Args:
            environment: side -> versions, JSON-able.
        """
        if self._environment == environment:
            return
        if self._environment is not None or self.kept:
            self.identity, self.kept = self._head["identity"], {}
            self._write([self._head])
        self._environment = environment
        self._append({"environment": environment})

    def add(self, trial: int, number: int, name: str, order: Sequence[str], answers: Answers) -> None:
        """One pair, in the order in which the sides ran."""
        self._append({"trial": trial, "round": number, "name": name, "order": list(order), "answers": answers})

    def finish(self) -> None:
        """All is measured: the next run starts anew."""
        self._append({"finished": True})

    def _write(self, records: Sequence[Mapping[str, Any]]) -> None:
        """All lines at once, and down to the disk: after a power cut there must be a journal, be it a short one."""
        temporary = self._path.with_suffix(".new")
        with temporary.open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(record)}\n" for record in records)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)

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

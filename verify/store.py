"""``verdicts.jsonl``: what a campaign writes, and a report reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verify.verdict import SCHEMA, Verdict


class VerdictStore:
    """``verdicts.jsonl``: one provenance line, then a line per unit and per verdict, appended and flushed as they come.

    A stopped campaign leaves a file without the line ``{"kind": "end"}``; the next one with the same provenance reads
    the finished units from it and goes on. A torn last line is dropped.
    """

    def __init__(self, folder: Path, provenance: Mapping[str, Any], fingerprint: str) -> None:
        self.path = folder / "verdicts.jsonl"
        self.provenance = dict(provenance)
        self.finished: dict[str, list[Verdict]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        kept = self._resumable(fingerprint)
        if not kept and self.path.exists():
            self.path.replace(self.path.with_name("verdicts.previous.jsonl"))
        self._file = self.path.open("a", encoding="utf-8")
        if not kept:
            self._write({"kind": "provenance", "schema": SCHEMA, "fingerprint": fingerprint, **self.provenance})

    def _resumable(self, fingerprint: str) -> bool:
        if not self.path.exists():
            return False
        units: dict[str, list[Verdict]] = {}
        complete = 0
        pending: list[Verdict] = []
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                try:
                    record = json.loads(line)
                except ValueError:
                    break  # torn: the unit it belongs to is done again
                if not line.endswith(b"\n"):
                    break  # whole but for its end: what is appended would be on the same line
                if number == 0 and record.get("fingerprint") != fingerprint:
                    return False
                if record["kind"] == "end":
                    return False
                if record["kind"] == "verdict":
                    pending.append(Verdict.from_json(record))
                elif record["kind"] == "unit":
                    units[record["key"]], pending = pending, []
                if record["kind"] in ("unit", "provenance"):
                    complete = file.tell()
        if complete == 0:
            return False  # not ours, or torn in the first line: it is kept beside the new one
        with self.path.open("rb+") as file:
            file.truncate(complete)
        self.finished = units
        return True

    def add(self, key: str, verdicts: Sequence[Verdict]) -> None:
        """Record a finished unit under its key."""
        for verdict in verdicts:
            self._write({"kind": "verdict", **verdict.to_json()})
        self._write({"kind": "unit", "key": key})

    def end(self, notes: Sequence[str]) -> None:
        """Record that the campaign is complete."""
        self._write({"kind": "end", "notes": list(notes)})
        self.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(record, allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; what is written stays."""
        self._file.close()

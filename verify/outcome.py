"""What was found: the verdicts, and what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, overload

from verify.convention import Convention
from verify.coverage import Coverage, Requirement
from verify.diagnosis import Diagnosis
from verify.verdict import SCHEMA, Status, Verdict

if TYPE_CHECKING:
    from verify.stored import Stored

EXIT = {"pass": 0, "fail": 1, "error": 3, "empty": 4, "inconclusive": 5}
"""Exit codes of the statuses; 2 is wrong usage."""


class StoredVerdicts(Sequence[Verdict]):
    """The verdicts of a campaign, read from its store whenever they are asked for; never all in memory.

    Args:
        store: opened; the verdicts of the plan come first in it.
        counted: how many of each status.
    """

    def __init__(self, store: Stored, counted: Mapping[Status, int]) -> None:
        self._store = store
        self.counted = Counter(counted)
        self._changed: dict[int, Verdict] = {}

    def __len__(self) -> int:
        return self.counted.total()

    def __iter__(self) -> Iterator[Verdict]:
        for place, found in enumerate(islice(self._store, len(self))):
            yield self._changed.get(place, found.verdict)

    @overload
    def __getitem__(self, place: int) -> Verdict: ...
    @overload
    def __getitem__(self, place: slice) -> list[Verdict]: ...
    def __getitem__(self, place: int | slice) -> Verdict | list[Verdict]:
        if isinstance(place, slice):
            return list(self)[place]
        if not -len(self) <= place < len(self):
            raise IndexError(f"verdict {place} of {len(self)}")
        return next(islice(self, place % len(self), None))

    def __setitem__(self, place: int, verdict: Verdict) -> None:
        """Tell more of a verdict than the store does; its status is what it was."""
        self._changed[place] = verdict


@dataclass
class Report:
    """What `check` or a campaign found.

    Attributes:
        target: as the user wrote it.
        verdicts: one for every check and case, also those that did not apply.
        diagnosis: explanations, most likely first.
        convention: what was found and undone, or None.
        provenance: versions, commit, machine, seed.
        notes: entries of expected failures that matched nothing or have expired, as sentences.
        required: how many cells must be decided, or None.
        counterexamples: where the inputs of failures were written (``folder``, ``files``, ``problem``), or None.
    """

    target: str
    verdicts: list[Verdict] | StoredVerdicts
    diagnosis: list[Diagnosis] = field(default_factory=list)
    convention: Convention | None = None
    convention_mode: str = "exact"
    provenance: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    required: Requirement | None = None
    counterexamples: dict[str, Any] | None = None

    @property
    def _counted(self) -> Counter[Status]:
        if isinstance(self.verdicts, StoredVerdicts):
            return self.verdicts.counted
        return Counter(verdict.status for verdict in self.verdicts)

    @property
    def coverage(self) -> Coverage:
        """Cells decided, of those asked for."""
        return Coverage.of(self._counted.elements(), self.required)

    @property
    def counts(self) -> dict[str, int]:
        """Verdicts by status; every status is there."""
        counted = self._counted
        return {str(status): counted[status] for status in Status}

    @property
    def status(self) -> str:
        """``pass``, ``fail``, ``error``, ``empty`` or ``inconclusive``: too little decided is no pass."""
        word = overall(self.counts)
        return "inconclusive" if word == "pass" and not self.coverage.met else word

    @property
    def exit_code(self) -> int:
        """Exit code of the command line; 2 if an entry of the expected failures is at fault and all else is well."""
        code = EXIT[self.status]
        return 2 if code == 0 and self.notes else code

    def to_json(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "schema": SCHEMA,
            "target": self.target,
            "status": self.status,
            "exit_code": self.exit_code,
            "counts": self.counts,
            "convention": {
                "mode": self.convention_mode,
                "found": self.convention.to_json() if self.convention else None,
            },
            "diagnosis": [item.to_json() for item in self.diagnosis],
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "coverage": [
                {
                    "check": verdict.check,
                    "case": verdict.case.id,
                    "measure": verdict.case.measure,
                    "order": verdict.case.order,
                    "method": verdict.case.method,
                    "level": verdict.case.level,
                    "dtype": verdict.case.dtype,
                    "target": verdict.case.target,
                    "ran": verdict.status not in (Status.UNSUPPORTED,),
                    "reason": verdict.message if verdict.status is Status.UNSUPPORTED else "",
                }
                for verdict in self.verdicts
            ],
            "coverage_summary": self.coverage.to_json(),
            "notes": self.notes,
            "counterexamples": self.counterexamples,
            "provenance": self.provenance,
        }


def overall(counts: Mapping[str, int]) -> str:
    """One word for many verdicts: a certain failure outweighs a crash, a crash outweighs doubt."""
    if counts.get("FAIL") or counts.get("UNEXPECTED_PASS"):
        return "fail"
    if counts.get("ERROR"):
        return "error"
    if counts.get("INCONCLUSIVE"):
        return "inconclusive"
    if not counts.get("PASS") and not counts.get("EXPECTED_FAIL"):
        return "empty"
    return "pass"

"""The results file: all that was measured, judged and needed to repeat it, as one JSON object (hippo-verify-claims/1).

Its schema is ``hippo-verify-claims-1.schema.json`` of `verify.outputs`. Reports read it and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from verify.claims.base import Curve, Figure, Number, Outcome, Standing, Statement, Table, Unit
from verify.claims.engine import Ending, Found, Record

SCHEMA: Final = "hippo-verify-claims/1"
EXIT: Final = {"pass": 0, "fail": 1, "error": 3, "empty": 4, "inconclusive": 5}
"""Exit codes of the statuses; 2 is wrong usage."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """A run over claims.

    Attributes:
        claims: in the order in which they are shown.
        options: what was asked for, JSON-able.
        command: what was typed.
        seconds: of the run; what an earlier run had measured took none.
        workers: processes.
        budget: seconds that were given; None: no end.
        provenance: versions, commit, machine.
    """

    claims: tuple[Found, ...]
    options: Mapping[str, Any]
    command: tuple[str, ...]
    seconds: float
    workers: int
    budget: float | None
    provenance: Mapping[str, Any]

    @property
    def counts(self) -> dict[str, int]:
        """How many statements stand how."""
        found = Counter(one.standing for claim in self.claims for one in claim.outcome.statements)
        return {str(standing): found[standing] for standing in Standing}

    @property
    def status(self) -> str:
        """One word: a statement that does not hold outweighs a crash, a crash outweighs doubt."""
        counts = self.counts
        if not any(claim.problem or claim.records or claim.outcome.statements for claim in self.claims):
            return "empty"
        if counts[Standing.FAILS]:
            return "fail"
        failed = any(record.ending is Ending.FAILED for claim in self.claims for record in claim.records)
        if failed or counts[Standing.ERROR] or any(claim.problem for claim in self.claims):
            return "error"
        silent = not all(claim.outcome.statements for claim in self.claims)
        return "inconclusive" if silent or counts[Standing.UNDECIDED] or counts[Standing.NOT_RUN] else "pass"

    @property
    def exit_code(self) -> int:
        """Exit code of the command line."""
        return EXIT[self.status]

    def to_json(self) -> dict[str, Any]:
        """The results file."""
        return {
            "schema": SCHEMA,
            "status": self.status,
            "exit_code": self.exit_code,
            "counts": self.counts,
            "command": list(self.command),
            "options": dict(self.options),
            "seconds": self.seconds,
            "workers": self.workers,
            "budget": self.budget,
            "claims": [_claim(one) for one in self.claims],
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Results:
        """The inverse of `to_json`.

        Raises:
            ValueError: another format, or something is missing or cannot be.
        """
        found = record.get("schema") if isinstance(record, Mapping) else None
        if found != SCHEMA:
            raise ValueError(f"schema is {found!r}; accepted: {SCHEMA!r}, as hippo-verify claims --json writes it")
        try:
            return cls(
                claims=tuple(map(_found, record["claims"])), options=record["options"],
                command=tuple(record["command"]), seconds=record["seconds"], workers=record["workers"],
                budget=record["budget"], provenance=record["provenance"],
            )  # fmt: skip
        except KeyError as error:
            raise ValueError(f"{error.args[0]} is missing") from None
        except (TypeError, AttributeError) as error:
            raise ValueError(f"it is not shaped as {SCHEMA}: {error}") from None


def _claim(found: Found) -> dict[str, Any]:
    outcome = found.outcome
    return {
        "key": found.key,
        "title": found.title,
        "source": found.source,
        "problem": found.problem,
        "statements": [asdict(one) for one in outcome.statements],
        "tables": [
            {**asdict(one), "rows": [
                {"name": name, "numbers": [number and asdict(number) for number in numbers]}
                for name, numbers in one.rows
            ]} for one in outcome.tables
        ],
        "figures": [asdict(one) for one in outcome.figures],
        "notes": list(outcome.notes),
        "units": [_unit(one) for one in found.records],
    }  # fmt: skip


def _unit(record: Record) -> dict[str, Any]:
    rest = asdict(record)
    return {**rest.pop("unit"), **rest}


def _found(record: Mapping[str, Any]) -> Found:
    tables = [
        _made(Table, one, columns=tuple(one["columns"]), rows=tuple(
            (row["name"], tuple(number and _made(Number, number) for number in row["numbers"])) for row in one["rows"]
        )) for one in record["tables"]
    ]  # fmt: skip
    figures = [_made(Figure, one, curves=tuple(map(_curve, one["curves"]))) for one in record["figures"]]
    statements = [_made(Statement, one, standing=Standing(one["standing"])) for one in record["statements"]]
    records = [
        _made(Record, one, unit=_made(Unit, one), ending=Ending(one["ending"])) for one in record["units"]
    ]  # fmt: skip
    outcome = Outcome(
        statements=tuple(statements), tables=tuple(tables), figures=tuple(figures), notes=tuple(record["notes"])
    )
    return Found(
        key=record["key"], title=record["title"], source=record["source"], problem=record["problem"], outcome=outcome,
        records=tuple(records),
    )  # fmt: skip


def _made(kind: Callable[..., Any], record: Mapping[str, Any], **parts: Any) -> Any:
    """A dataclass from its fields in a record; what a later version may have added there is passed over."""
    known = {one.name for one in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in record.items() if name in known} | parts)


def _curve(record: Mapping[str, Any]) -> Curve:
    points: dict[str, Any] = {
        name: None if record[name] is None else tuple(record[name]) for name in ("x", "y", "low", "high")
    }
    return Curve(name=record["name"], **points)

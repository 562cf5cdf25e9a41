"""Our own results file, ``hippo-verify-bench/1``: one side, with all its rounds.

The schema is ``hippo-verify-bench-1.schema.json`` of `verify.outputs`. JSON has no NaN and no infinity: they are the
texts ``nan``, ``inf`` and ``-inf``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from verify.gate.side import STATUSES, Kind, Measurement, Side
from verify.gate.sides.reading import NUMBER, Fields, SideError, as_float
from verify.outputs.base import write_json

SCHEMA: Final = "hippo-verify-bench/1"
SPELT: Final = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


def write_side(path: Path, side: Side) -> None:
    """Write a results file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_json(path, to_json(side))


def to_json(side: Side) -> dict[str, Any]:
    """A side as an object for JSON."""
    return {
        "schema": SCHEMA,
        "label": side.label,
        "revision": side.revision,
        "paired": side.paired,
        "machine": dict(side.machine),
        "environment": dict(side.environment),
        "measurements": [
            {
                "name": one.name,
                "kind": str(one.kind),
                "unit": one.unit,
                "version": one.version,
                "status": one.status,
                "why": one.why,
                "rounds": list(one.rounds),
            }
            for one in side.measurements.values()
        ],
    }


def from_json(content: Any, where: str) -> Side:
    """The inverse of `to_json`.

    Args:
        content: the object.
        where: its file, for messages.

    Raises:
        SideError: a field is missing, unknown, or not what it should be.
    """
    fields = Fields(content, where)
    if fields.get("schema", str) != SCHEMA:
        raise SideError(f"schema of {where} is {content['schema']!r}; accepted: {SCHEMA!r}")
    fields.only("schema", "label", "revision", "paired", "machine", "environment", "measurements")
    measurements: dict[str, Measurement] = {}
    for number, item in enumerate(fields.get("measurements", list)):
        measurement = _measurement(Fields(item, f"measurements[{number}] of {where}"))
        if measurement.name in measurements:
            raise SideError(f"{where} has {measurement.name!r} twice; accepted: once")
        measurements[measurement.name] = measurement
    return Side(
        label=fields.get("label", str),
        revision=fields.get("revision", str, type(None)),
        paired=fields.get("paired", str, type(None)),
        machine=fields.texts("machine"),
        environment=fields.texts("environment"),
        measurements=measurements,
    )


def _measurement(fields: Fields) -> Measurement:
    fields.only("name", "kind", "unit", "version", "status", "why", "rounds")
    kind, status = fields.get("kind", str), fields.get("status", str)
    if kind not in list(Kind):
        raise SideError(f"kind of {fields.where} is {kind!r}; accepted: {', '.join(Kind)}")
    if status not in STATUSES:
        raise SideError(f"status of {fields.where} is {status!r}; accepted: {', '.join(STATUSES)}")
    rounds = tuple(_value(value, fields.where) for value in fields.get("rounds", list))
    why = fields.get("why", str)
    if status == "measured" and all(value is None for value in rounds):
        raise SideError(f"{fields.where} is measured, but has no value; accepted: rounds with a number")
    if status != "measured" and not why:
        raise SideError(f"{fields.where} is {status}, but why is empty; accepted: the reason")
    return Measurement(
        name=fields.get("name", str), kind=Kind(kind), unit=fields.get("unit", str),
        version=fields.get("version", str), status=status, why=why, rounds=rounds,
    )  # fmt: skip


def _value(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, str) and value in SPELT:
        return SPELT[value]
    if isinstance(value, NUMBER) and not isinstance(value, bool):
        return as_float(value)
    raise SideError(f"rounds of {where} has {value!r:.40}; accepted: numbers, null, 'nan', 'inf' and '-inf'")

"""The object of ``gate --json``; its schema is ``hippo-verify-gate-1.schema.json`` of `verify.outputs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from verify.gate.gating import Gated
from verify.gate.outputs.said import STATUS, by_weight, counts, sentence
from verify.gate.side import Side
from verify.gate.words import Finding
from verify.outputs.base import write_json

SCHEMA: Final = "hippo-verify-gate/1"


def write_record(path: Path, gated: Gated) -> None:
    """All that was found."""
    write_json(path, to_json(gated))


def to_json(gated: Gated) -> dict[str, Any]:
    """As an object for JSON."""
    comparison = gated.comparison
    settings = comparison.settings
    return {
        "schema": SCHEMA,
        "word": str(comparison.word),
        "sentence": sentence(gated),
        "status": STATUS[comparison.exit_code],
        "exit_code": comparison.exit_code,
        "counts": counts(comparison.findings),
        "base": _side(comparison.base),
        "head": _side(comparison.head),
        "paired": comparison.paired,
        "family": comparison.family,
        "rates": {
            "alarm_rate": settings.alarm_rate,
            "family_rate": settings.family_rate,
            "drift": settings.drift,
            "calibration": gated.calibration,
        },
        "findings": [_finding(one) for one in by_weight(comparison.findings)],
        "notes": list(comparison.notes),
        "seconds": gated.seconds,
        "provenance": dict(gated.provenance),
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "label": side.label,
        "revision": side.revision,
        "paired": side.paired,
        "machine": dict(side.machine),
        "environment": dict(side.environment),
        "benchmarks": len(side.measurements),
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": str(one.kind),
        "unit": one.unit,
        "word": str(one.word),
        "outcome": str(one.outcome),
        "message": one.message,
        "accepted": one.accepted or None,
        "base": one.base,
        "head": one.head,
        "ratio": one.ratio,
        "low": one.low,
        "high": one.high,
        "p": one.p,
        "adjusted_p": one.adjusted_p,
        "rounds": one.rounds,
    }

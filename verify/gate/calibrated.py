"""A/A runs on this machine, kept beside the rounds, so that every result of the gate can say what they gave."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from verify.gate.calibration import Rate, calibrate
from verify.gate.judgement import compare
from verify.gate.settings import Settings
from verify.gate.side import Side
from verify.gate.words import Outcome, Word
from verify.outputs.base import write_json

SCHEMA: Final = "hippo-verify-calibration/1"
FILE: Final = "calibration.json"
KEYS: Final = (
    *("schema", "time", "revision", "machine", "environment", "trials", "alarm_rate", "family_rate", "alarms"),
    *("unclear", "families", "open_families", "alarming", "scaled", "slowed"),
)
"""Of a record: a file that lacks one is none of ours."""
Runs = Sequence[tuple[Side, Side]]


def record(runs: Runs, settings: Settings, slow: Mapping[str, float]) -> dict[str, Any]:
    """What A/A runs gave, as an object for JSON.

    Args:
        runs: base and head of every trial.
        settings: what is alarmed at.
        slow: benchmarks of the head that were kept busy, and how much longer: they are no identical builds.
    """
    base, _ = runs[0]
    found = [{one.name: one for one in compare(*run, settings).findings} for run in runs]
    same = calibrate([(_without(base, slow), _without(head, slow)) for base, head in runs], settings)
    alarming = [name for each in found for name, one in each.items() if one.outcome is Outcome.FAIL]
    return {
        "schema": SCHEMA,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": base.revision,
        "machine": dict(base.machine),
        "environment": dict(base.environment),
        "trials": len(runs),
        "alarm_rate": settings.alarm_rate,
        "family_rate": settings.family_rate,
        "alarms": {str(kind): _rate(one) for kind, one in same.alarms.items()},
        "unclear": {str(kind): _rate(one) for kind, one in same.unclear.items()},
        "families": _rate(same.families),
        "open_families": _rate(same.open_families),
        "alarming": sorted(set(alarming) - set(slow)),
        "scaled": {f"{ratio:g}": _planted(vars(one)) for ratio, one in same.planted.items()},
        "slowed": {
            name: {"factor": factor, **_planted(_words([each[name].word for each in found]))}
            for name, factor in slow.items()
        },
    }


def _words(words: Sequence[Word]) -> dict[str, Rate]:
    passed = words.count(Word.SAME) + words.count(Word.BETTER)
    slower, unclear = words.count(Word.SLOWER), words.count(Word.NOT_MEASURED)
    return {name: Rate(n, len(words)) for name, n in (("slower", slower), ("passed", passed), ("unclear", unclear))}


def _planted(rates: Mapping[str, Rate]) -> dict[str, Any]:
    return {name: _rate(one) for name, one in rates.items()}


def _rate(one: Rate) -> dict[str, Any]:
    low, high = one.limits
    return {"events": one.events, "trials": one.trials, "low": low, "high": high}


def _without(side: Side, names: Mapping[str, float]) -> Side:
    return replace(side, measurements={name: one for name, one in side.measurements.items() if name not in names})


def exit_code(record: Mapping[str, Any]) -> int:
    """1 if there was a false alarm, or what was made slow by as much as must not pass was called the same; else 0."""
    missed = any(one["passed"]["events"] for one in record["slowed"].values())
    return 1 if record["alarming"] or missed else 0


def lines(record: Mapping[str, Any]) -> Iterator[str]:
    """What a person reads."""
    yield f"{record['trials']} comparisons of {(record['revision'] or 'the working tree')[:8]} with itself"
    stated = f"{record['alarm_rate']:.2%} of a benchmark, {record['family_rate']:.2%} of a run"
    yield f"false alarms, stated: at most {stated}"
    for kind, one in record["alarms"].items():
        yield f"  {kind:<8} alarms {_said(one)}; not decided {_said(record['unclear'][kind])}"
    yield f"  whole runs with an alarm {_said(record['families'])}; not decided {_said(record['open_families'])}"
    if record["alarming"]:
        yield f"  alarms at: {', '.join(record['alarming'])}"
    for ratio, one in record["scaled"].items():
        if one["slower"]["trials"]:
            yield f"slower by {ratio}, the times of whole plans multiplied: {_found(one)}"
    for name, one in record["slowed"].items():
        yield f"slower by {one['factor']:g}, {name} kept busy: {_found(one)}"


def _found(one: Mapping[str, Any]) -> str:
    return f"found {_said(one['slower'])}; called the same {_said(one['passed'])}; not decided {_said(one['unclear'])}"


def _said(one: Mapping[str, Any]) -> str:
    return f"{one['events']} of {one['trials']} (95 %: {one['low']:.2%} to {one['high']:.2%})"


def keep(store: Path, record: Mapping[str, Any]) -> None:
    """Keep it beside the rounds.

    Raises:
        OSError: it cannot be written.
    """
    write_json(store / FILE, record)


def read_calibration(store: Path, side: Side) -> Mapping[str, Any] | None:
    """What is kept, if it stems from the machine of a side."""
    try:
        record = json.loads((store / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(record, dict) and record.get("schema") == SCHEMA and record.get("machine") == dict(side.machine)
    return record if known and set(KEYS) <= set(record) else None

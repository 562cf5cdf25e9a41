"""What pytest-benchmark writes with ``--benchmark-json`` or ``--benchmark-save-data``: one process, with many rounds.

An entry of ``extra_info`` whose name is a unit of accuracy or of a count, such as ``"error / bound"``, is a measurement
of its own.
"""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any, Final

from verify.gate.side import Kind, Measurement, Side, kind_of
from verify.gate.sides.reading import NUMBER, Fields, SideError, as_float

VERSIONS: Final = ("3", "4", "5")
"""Of pytest-benchmark, which write this format."""
ADVICE: Final = "the file has summaries alone: run pytest with --benchmark-save-data, or with --benchmark-json"


def recognised(content: Any) -> bool:
    """Whether a file is pytest-benchmark's."""
    return isinstance(content, dict) and {"machine_info", "benchmarks", "version"} <= set(content)


def read(path: Path, content: Any) -> Side:
    """A side, its rounds those of pytest-benchmark.

    Raises:
        SideError: the file is not as pytest-benchmark writes it.
    """
    fields = Fields(content, str(path))
    version = fields.get("version", str)
    if version.partition(".")[0] not in VERSIONS:
        raise SideError(f"version of {path} is {version!r}; accepted: pytest-benchmark {', '.join(VERSIONS)}")
    machine = fields.inner("machine_info")
    measurements: dict[str, Measurement] = {}
    for number, item in enumerate(fields.get("benchmarks", list)):
        for one in _measurements(Fields(item, f"benchmarks[{number}] of {path}")):
            if one.name in measurements:
                raise SideError(f"{path} has {one.name!r} twice; accepted: once")
            measurements[one.name] = one
    commit = content.get("commit_info") or {}
    revision = commit.get("id") if isinstance(commit, dict) and not commit.get("dirty") else None
    return Side(
        label=path.name,
        revision=revision if isinstance(revision, str) and revision != "unversioned" else None,
        paired=None,
        machine=_machine(machine),
        environment={
            "python": machine.get("python_version", str),
            "implementation": machine.get("python_implementation", str),
            "pytest-benchmark": version,
        },
        measurements=measurements,
    )


def _machine(fields: Fields) -> dict[str, str]:
    processor = fields.content.get("cpu")
    processor = processor if isinstance(processor, dict) else {}
    found = {
        "machine": fields.get("node", str),
        "cpu": processor.get("brand_raw") or processor.get("brand") or fields.content.get("processor"),
        "cores": processor.get("count"),
        "arch": fields.get("machine", str),
        "os": f"{fields.get('system', str)} {fields.get('release', str)}",
    }
    return {name: str(value) for name, value in found.items() if value}


def _measurements(fields: Fields) -> list[Measurement]:
    name = fields.get("fullname", str)
    fields.get("name", str)
    fields.get("group", str, type(None))
    options = fields.inner("options")
    # pytest-benchmark knows nothing of the source. What it does know decides whether times can be compared.
    version = json.dumps(
        {
            "params": fields.get("params", dict, type(None)),
            "timer": options.content.get("timer"),
            "disable_gc": options.content.get("disable_gc"),
        },
        sort_keys=True,
    )
    status, why, rounds = _timed(fields.inner("stats"))
    found = [
        Measurement(
            name=name, kind=Kind.TIME, unit="seconds", version=version, status=status, why=why, rounds=rounds
        )
    ]  # fmt: skip
    for unit, value in fields.inner("extra_info").content.items():
        try:
            kind = kind_of("", unit)  # whatever the test is called
        except ValueError:
            continue  # a remark
        given = _spelt(value)
        if kind in (Kind.ERROR, Kind.COUNT) and given is not None:
            found.append(
                Measurement(
                    name=f"{name} {unit}", kind=kind, unit=unit, version=version, status="measured", rounds=(given,)
                )
            )  # fmt: skip
    return found


def _spelt(value: Any) -> float | None:
    """A number, spelt out too, as what is no plain float or not finite often is; None for a remark."""
    if isinstance(value, bool) or not isinstance(value, (*NUMBER, str)):
        return None
    try:
        return as_float(value) if isinstance(value, NUMBER) else float(value)
    except ValueError:
        return None


def _timed(stats: Fields) -> tuple[str, str, tuple[float, ...]]:
    """Status, reason and all rounds, whose median must be the one that the summary states."""
    summary = as_float(stats.get("median", *NUMBER))
    if "data" not in stats.content:
        return "failed", ADVICE, ()
    data = stats.get("data", list)
    if not data or not all(isinstance(value, NUMBER) and not isinstance(value, bool) for value in data):
        raise SideError(f"data of {stats.where} is {data!r:.40}; accepted: a list of numbers")
    data = [as_float(value) for value in data]
    median = statistics.median(data)
    if not math.isclose(median, summary, rel_tol=1e-9) and not (math.isnan(median) or math.isnan(summary)):
        raise SideError(f"median of {stats.where} is {summary}, but that of its data {median}; accepted: the same")
    return "measured", "", tuple(data)

"""Results as asv stores them: a file ``MACHINE/HASH-ENVIRONMENT.json`` with ``benchmarks.json`` in the folder above.

asv spells a benchmark that failed null, and one that was skipped NaN. A benchmark that tracks a number may have been
NaN itself, which its file cannot tell from skipped; against a side that has a number both are findings.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any, Final

from verify.gate.side import Kind, Measurement, Side, kind_of
from verify.gate.sides.reading import NUMBER, Fields, SideError, as_float, load

VERSION: Final = 2
"""Of the format of asv's files."""


def recognised(content: Any) -> bool:
    """Whether a file is one of asv's results."""
    return isinstance(content, dict) and {"commit_hash", "result_columns", "results"} <= set(content)


def find(folder: Path, commit: str) -> Path:
    """The file of a commit in a folder of results.

    Args:
        folder: such as ``.asv/results`` or that of one machine.
        commit: the beginning of a hash.

    Raises:
        SideError: there is none, or there are several.
    """
    found = [path for path in sorted(folder.rglob("*.json")) if _is_of(path, commit)]
    if not found:
        known = sorted({path.name.partition("-")[0] for path in folder.rglob("*-*.json")})
        raise SideError(
            f"{folder} has no results of {commit!r}; it has {', '.join(known) or 'none at all'} (asv names a file "
            "after the first 8 digits of the commit)"
        )
    if len(found) > 1:
        raise SideError(f"{folder} has several results of {commit!r}; name one: {', '.join(map(str, found))}")
    return found[0]


def _is_of(path: Path, commit: str) -> bool:
    short, dash, _ = path.name.partition("-")
    if not dash or not commit or not (short.startswith(commit) or commit.startswith(short)):
        return False
    content = load(path)
    return recognised(content) and str(content["commit_hash"]).startswith(commit)


def read(path: Path, content: Any) -> Side:
    """A side from a file of asv's results.

    Raises:
        SideError: the file, or ``benchmarks.json`` beside it, is not as asv 0.6 writes them.
    """
    fields = Fields(content, str(path))
    _version(fields)
    described = _benchmarks(path)
    columns = fields.get("result_columns", list)
    if "result" not in columns or not all(isinstance(column, str) for column in columns):
        raise SideError(f"result_columns of {path} is {columns!r:.80}; accepted: names, 'result' among them")
    measurements: dict[str, Measurement] = {}
    for name, row in fields.inner("results").content.items():
        if name not in described:
            raise SideError(f"{path} has {name!r}, which benchmarks.json beside it does not describe; run asv again")
        if not isinstance(row, list):
            raise SideError(f"results of {name!r} in {path} are {row!r:.40}; accepted: a list")
        stored = dict(zip(columns, row, strict=False))  # asv leaves out nulls at the end
        for one in _unrolled(name, stored, Fields(described[name], f"{name} of benchmarks.json"), path):
            if one.name in measurements:
                raise SideError(f"{path} has {one.name!r} twice; accepted: once")
            measurements[one.name] = one
    parameters = fields.inner("params").content
    names = {"machine": "machine", "cpu": "cpu", "num_cpu": "cores", "os": "os", "ram": "memory", "arch": "arch"}
    requirements = fields.inner("requirements").content
    variables = fields.inner("env_vars").content if "env_vars" in content else {}
    return Side(
        label=path.name, revision=fields.get("commit_hash", str), paired=None,
        machine={ours: str(parameters[theirs]) for theirs, ours in names.items() if parameters.get(theirs)},
        environment={
            "python": fields.get("python", str),
            **{str(name): str(value) for name, value in requirements.items()},
            **{str(name): str(value) for name, value in variables.items()},
        },
        measurements=measurements,
    )  # fmt: skip


def _version(fields: Fields) -> None:
    found = fields.get("version", int)
    if found != VERSION:
        raise SideError(f"version of {fields.where} is {found}; accepted: {VERSION}, as asv 0.6 writes (asv update)")


def _benchmarks(path: Path) -> dict[str, Any]:
    """Type and unit of every benchmark."""
    for folder in (path.parent, path.parent.parent):
        if (folder / "benchmarks.json").is_file():
            fields = Fields(load(folder / "benchmarks.json"), str(folder / "benchmarks.json"))
            _version(fields)
            return {name: value for name, value in fields.content.items() if name != "version"}
    raise SideError(f"{path} has no benchmarks.json in the folder above, where asv writes the units; copy it too")


def _unrolled(name: str, stored: dict[str, Any], described: Fields, path: Path) -> list[Measurement]:
    """A measurement for each choice of parameters."""
    parameters = stored.get("params") or []
    if not isinstance(parameters, list) or not all(isinstance(values, list) for values in parameters):
        raise SideError(f"params of {name!r} in {path} are {parameters!r:.40}; accepted: a list for each parameter")
    chosen = list(itertools.product(*parameters)) if parameters else [()]
    values = stored.get("result")
    if values is None:
        values = [None] * len(chosen)
    if not isinstance(values, list) or len(values) != len(chosen):
        raise SideError(f"result of {name!r} in {path} is {values!r:.40}; accepted: {len(chosen)} values")
    samples = stored.get("samples") or [None] * len(chosen)
    if not isinstance(samples, list) or len(samples) != len(chosen):
        raise SideError(f"samples of {name!r} in {path} are {samples!r:.40}; accepted: {len(chosen)} lists")
    unit = described.get("unit", str)
    try:
        kind, problem = kind_of(name, unit), ""
    except ValueError as error:
        kind, problem = Kind.ERROR, str(error)
    found = []
    for words, value, sampled in zip(chosen, values, samples, strict=True):
        status, why = _status(value)
        if problem:
            status, why = "failed", problem
        found.append(
            Measurement(
                name=f"{name}({', '.join(map(str, words))})" if words else name, kind=kind, unit=unit,
                version=str(stored.get("version") or ""), status=status, why=why,
                rounds=_rounds(value, sampled) if status == "measured" else (),
            )
        )  # fmt: skip
    return found


def _rounds(value: float, sampled: Any) -> tuple[float, ...]:
    """The samples where asv was told to keep them (``--record-samples``), else their median alone."""
    if isinstance(sampled, list) and sampled and all(isinstance(one, NUMBER) for one in sampled):
        return tuple(map(as_float, sampled))
    return (as_float(value),)


def _status(value: Any) -> tuple[str, str]:
    if value is None:
        return "failed", "asv has null: it failed, or was not run"
    if not isinstance(value, NUMBER) or isinstance(value, bool):
        return "failed", f"asv has {value!r:.40}; accepted: a number"
    if math.isnan(as_float(value)):
        return "skipped", "asv has NaN: it was skipped, or gave NaN"
    return "measured", ""

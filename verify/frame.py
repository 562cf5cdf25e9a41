"""Verdicts as a table, a row for each: a pandas frame, or a Parquet file. Both need the extra ``report``."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from verify.cases import PARAMETERS
from verify.extras import bringing
from verify.folders import replacing
from verify.stored import Stored, StoredVerdict, open_store
from verify.verdict import SCHEMA, Status

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Stores: TypeAlias = str | Path | Sequence[str | Path] | Mapping[str, str | Path]
"""A store, several, or several with names of their own."""

ROWS = 20_000
"""Rows that are made into columns at a time, and of a group in a Parquet file."""
CATEGORY, STATUS, WHOLE, REAL, TEXT = "category", "status", "whole", "real", "text"

_Columns: TypeAlias = dict[str, tuple[str, Callable[[StoredVerdict], Any]]]
_CASE: _Columns = {
    "target": (CATEGORY, lambda found: found.verdict.case.target),
    "measure": (CATEGORY, lambda found: found.verdict.case.measure),
    "order": (WHOLE, lambda found: found.verdict.case.order),
    "method": (CATEGORY, lambda found: found.verdict.case.method),
    "level": (CATEGORY, lambda found: found.verdict.case.level),
    "dtype": (CATEGORY, lambda found: found.verdict.case.dtype),
    "device": (CATEGORY, lambda found: found.verdict.case.device),
    "dt": (REAL, lambda found: found.verdict.case.dt),
}
_OUTCOME: _Columns = {
    "check": (CATEGORY, lambda found: found.verdict.check),
    "status": (STATUS, lambda found: str(found.verdict.status)),
    "measured": (REAL, lambda found: found.verdict.measured),
    "bound": (REAL, lambda found: found.verdict.bound),
    "ratio": (REAL, lambda found: found.verdict.ratio),
    "compared": (WHOLE, lambda found: found.verdict.compared),
    "message": (CATEGORY, lambda found: found.verdict.message),
    "claim": (CATEGORY, lambda found: found.verdict.claim),
    "bound_source": (CATEGORY, lambda found: found.verdict.bound_source),
    "seconds": (REAL, lambda found: found.verdict.seconds),
    "suite": (CATEGORY, lambda found: found.suite),
    "seed": (WHOLE, lambda found: found.seed),
    "case": (CATEGORY, lambda found: found.verdict.case.id),
    "line": (WHOLE, lambda found: found.line),
}
_DETAILS: _Columns = {
    "worst": (TEXT, lambda found: json.dumps(found.verdict.worst)),
    "details": (TEXT, lambda found: json.dumps(found.verdict.details)),
}


def load(store: Stores, *, details: bool = False, fields: Sequence[str] = ()) -> pd.DataFrame:
    """The verdicts of stores as a tidy frame: a row for each, in the order of the plan.

    Texts are categorical; ``status`` has every status as a category, in the order of `Status`. Every parameter of a
    measure is a column of its own, NaN where a measure has none of that name. A number that was not measured, or was
    not finite, is NaN, and ``message`` says why. ``frame.attrs["stores"]`` says of each store where it comes from.

    Args:
        store: folder with ``verdicts.jsonl``, or the file itself. Several give a further first column ``store``, with
            their paths, or with the names that a mapping gives them.
        details: whether to add the columns ``worst`` and ``details``, as they were recorded.
        fields: paths into a record, such as ``details.order`` or ``worst.index.0``; each becomes a column of that
            name, missing where a verdict has nothing there.

    Returns:
        A row for each verdict, with a new index from 0.

    Raises:
        ImportError: pandas or pyarrow is not installed.
        OSError: a store cannot be read.
        ValueError: what is named is no store, or damaged; no store is named; a path begins with another word.
    """
    for path in fields:
        if path.partition(".")[0] not in _DETAILS:
            raise ValueError(f"fields has {path!r}; accepted: paths that begin with details or worst, as details.order")
    pandas, pa = _library("pandas"), _library("pyarrow")
    stores, columns, picked = _opened(store), _columns(details), {path: list[Any]() for path in fields}
    batches = _batches(pa, stores, columns, picked)
    frame: pd.DataFrame = pa.Table.from_batches(batches, _schema(pa, stores, columns)).unify_dictionaries().to_pandas()
    for name in _DETAILS if details else ():
        frame[name] = pandas.Series(map(json.loads, frame[name]), index=frame.index, dtype=object)
    for path, values in picked.items():
        frame[path] = pandas.Series(values, index=frame.index)
    frame.attrs = _attributes(stores)
    return frame


def write_parquet(store: Stores, path: str | Path, *, details: bool = False) -> int:
    """The same table as a Parquet file, written a group of rows at a time and put in place in one step.

    Reading it with pandas gives what `load` gives, with ``attrs``. Other programs find those under the key
    ``hippo-verify`` of the file's metadata.

    Args:
        store: as for `load`.
        path: the file.
        details: whether to add the columns ``worst`` and ``details``, as JSON.

    Returns:
        The number of rows.

    Raises:
        ImportError: pyarrow is not installed.
        OSError: a store cannot be read, or the file not be written.
        ValueError: what is named is no store, or damaged; no store is named.
    """
    pa, parquet = _library("pyarrow"), _library("pyarrow.parquet")
    stores, columns = _opened(store), _columns(details)
    said = json.dumps(_attributes(stores)).encode()
    schema = _schema(pa, stores, columns).with_metadata({b"hippo-verify": said, b"PANDAS_ATTRS": said})
    with replacing(Path(path)) as temporary, parquet.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for batch in _batches(pa, stores, columns, {}):
            writer.write_batch(batch)
    return sum(map(len, stores.values()))


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"a table of verdicts needs {name}: {bringing(name.partition('.')[0])}") from error


def _opened(store: Stores) -> dict[str, Stored]:
    """Stores by name."""
    if isinstance(store, str | Path):
        store = [store]
    named = store if isinstance(store, Mapping) else {str(path): path for path in store}
    if not named:
        raise ValueError("store names none; accepted: a folder that `hippo-verify run` wrote, or several")
    return {str(name): open_store(Path(path)) for name, path in named.items()}


def _attributes(stores: Mapping[str, Stored]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "stores": {
            name: {
                "path": str(stored.path),
                "provenance": dict(stored.provenance),
                "notes": list(stored.notes),
                "finished": stored.finished,
                "units": stored.units,
                "verdicts": len(stored),
            }
            for name, stored in stores.items()
        },
    }


def _columns(details: bool) -> _Columns:
    parameters = dict.fromkeys(name for own in PARAMETERS.values() for name in own)
    own = {name: (REAL, partial(_parameter, name)) for name in sorted(parameters)}
    return {**_CASE, **own, **_OUTCOME, **(_DETAILS if details else {})}


def _parameter(name: str, found: StoredVerdict) -> float | None:
    return found.verdict.case.float_parameters.get(name)


def _schema(pa: Any, stores: Mapping[str, Stored], columns: _Columns) -> Any:
    types = {
        CATEGORY: pa.dictionary(pa.int32(), pa.string()),
        STATUS: pa.dictionary(pa.int32(), pa.string(), ordered=True),
        WHOLE: pa.int64(),
        REAL: pa.float64(),
        TEXT: pa.string(),
    }
    named = {"store": types[STATUS]} if len(stores) > 1 else {}
    return pa.schema({**named, **{name: types[kind] for name, (kind, _) in columns.items()}})


def _batches(
    pa: Any, stores: Mapping[str, Stored], columns: _Columns, picked: Mapping[str, list[Any]]
) -> Iterator[pa.RecordBatch]:
    """All verdicts, `ROWS` at a time; on the way the fields that are asked for are picked."""
    schema = _schema(pa, stores, columns)
    paths = [(path.split("."), values) for path, values in picked.items()]
    for store, stored in stores.items():
        verdicts = iter(stored)
        while True:
            chunk: dict[str, list[Any]] = {name: [] for name in columns}
            for found in islice(verdicts, ROWS):
                _known(stored, found, columns)
                for name, (_, cell) in columns.items():
                    chunk[name].append(cell(found))
                for path, values in paths:
                    values.append(_at(path, found))
            rows = len(chunk["target"])
            if not rows:
                break
            arrays = [_array(pa, columns[name][0], values) for name, values in chunk.items()]
            if len(stores) > 1:
                arrays.insert(0, _chosen(pa, [store] * rows, list(stores)))
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(pa: Any, kind: str, values: list[Any]) -> Any:
    if kind == STATUS:
        return _chosen(pa, values, list(map(str, Status)))
    if kind == CATEGORY:
        return pa.array(values, pa.string()).dictionary_encode()
    return pa.array(values, {WHOLE: pa.int64(), REAL: pa.float64(), TEXT: pa.string()}[kind])


def _chosen(pa: Any, values: list[str], accepted: list[str]) -> Any:
    """An ordered category, with all that it could be."""
    places = {value: place for place, value in enumerate(accepted)}
    codes = pa.array([places[value] for value in values], pa.int32())
    return pa.DictionaryArray.from_arrays(codes, pa.array(accepted, pa.string()), ordered=True)


def _known(stored: Stored, found: StoredVerdict, columns: _Columns) -> None:
    for name, _ in found.verdict.case.parameters:
        if name not in columns:
            raise ValueError(
                f"line {found.line} of {stored.path} has the parameter {name!r}, which no measure of this version has: "
                "read it by the version that wrote it"
            )


def _at(path: Sequence[str], found: StoredVerdict) -> Any:
    value: Any = {"details": found.verdict.details, "worst": found.verdict.worst}
    for step in path:
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, Mapping):
            value = value.get(step)
        else:
            return None
    return value

"""Verdicts as a table: every verdict a row, every fact in a typed column, in memory and as a Parquet file."""

import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
from store_tools import CASE, PROVENANCE, key, opened, unit, verdict, written

import verify
from verify import frame
from verify.blocks import DamagedError
from verify.cases import PARAMETERS
from verify.verdict import Status, Verdict

pd = pytest.importorskip("pandas")
parquet = pytest.importorskip("pyarrow.parquet")

UNITS = 6
SHUFFLED = [3, 0, 5, 1, 4, 2]
ALL = [each for index in range(UNITS) for each in unit(index)]
COLUMNS = """
    target measure order method level dtype device dt alpha beta theta check status measured bound ratio compared
    message claim bound_source seconds suite seed case line
"""
WHOLE = {"order", "compared", "seed", "line"}
REAL = {"dt", "alpha", "beta", "theta", "measured", "bound", "ratio", "seconds"}
CAUSE = {"diagnosis": [{"x": 1}]}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return written(tmp_path_factory.mktemp("store"), SHUFFLED).parent


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A store with verdicts of every status, of two measures, with numbers that are missing or not finite."""
    folder = tmp_path_factory.mktemp("mixed")
    other = replace(CASE, measure="legs", parameters=(), dt=None, level="matrices")
    said = [
        Verdict("a", "c", CASE, Status.FAIL, math.inf, 1.0, "a lemma", 3, message="it is infinite"),
        Verdict("a", "c", other, Status.FAIL, 2.0, 1.0, "a lemma", 3, {"index": [4, 7]}, "off", CAUSE),
        *(Verdict("b", "c", other, status, message="said") for status in (Status.ERROR, Status.UNSUPPORTED)),
        Verdict("b", "c", other, Status.PASS, 0.0, 0.0, "a lemma", 3, details={"order": 2, "by": "x", "ok": True}),
    ]
    with opened(folder) as store:
        store.add(0, key(0), said)
        store.end([key(0)], [])
    return folder


def test_every_verdict_is_a_row_with_all_its_facts(store):
    table = verify.load(store)
    assert len(table) == len(ALL)
    for row, each in zip(table.to_dict("records"), ALL, strict=True):
        for name in ("target", "measure", "order", "method", "level", "dtype", "device", "dt"):
            assert row[name] == getattr(each.case, name)
        for name in ("check", "measured", "bound", "ratio", "compared", "message", "claim", "bound_source", "seconds"):
            assert row[name] == getattr(each, name)
        assert (row["status"], row["case"], row["suite"], row["seed"]) == (str(each.status), each.case.id, "quick", 7)
        assert row["theta"] == 1.0
        assert math.isnan(row["alpha"])
    lines = (store / "verdicts.jsonl").read_bytes().splitlines()
    assert [json.loads(lines[line - 1])["check"] for line in table.line] == [each.check for each in ALL]


def test_columns_are_typed(store, mixed):
    for table in (verify.load(store), verify.load(mixed)):
        assert list(table.columns) == COLUMNS.split()
        assert {name for name in table if isinstance(table[name].dtype, pd.CategoricalDtype)} == set(
            table
        ) - WHOLE - REAL
        assert {name for name in table if table[name].dtype == np.int64} == WHOLE
        assert {name for name in table if table[name].dtype == np.float64} == REAL
        assert list(table.status.cat.categories) == [str(status) for status in Status]
        assert table.status.cat.ordered
    assert {name for own in PARAMETERS.values() for name in own} <= REAL


def test_what_is_missing_or_not_finite_is_nan_and_the_message_says_why(mixed):
    table = verify.load(mixed)
    assert table.measured.isna().tolist() == [True, False, True, True, False]
    assert table.ratio.tolist()[1::3] == [2.0, 0.0]
    assert table.message[0] == "it is infinite (measured is inf, written as null)"
    assert table.theta.isna().tolist() == [False, True, True, True, True]
    assert table.dt.isna().tolist() == [False, True, True, True, True]
    assert list(table.status) == ["FAIL", "FAIL", "ERROR", "UNSUPPORTED", "PASS"]


def test_details_come_on_request_as_they_were_recorded(mixed):
    table = verify.load(mixed, details=True)
    assert list(table.columns[-2:]) == ["worst", "details"]
    assert list(table.worst) == [None, {"index": [4, 7]}, None, None, None]
    assert list(table.details) == [{}, CAUSE, {}, {}, {"order": 2, "by": "x", "ok": True}]


def test_fields_of_a_record_become_columns(mixed):
    nothing = ["details.nothing", "worst.index.9"]
    asked = ["details.order", "details.by", "worst.index.1", "details.diagnosis.0.x", *nothing]
    table = verify.load(mixed, fields=asked)
    assert list(table.columns[-6:]) == asked
    assert table["details.order"].dtype == np.float64
    assert table["details.order"].dropna().tolist() == [2.0]
    assert table["details.by"].dropna().tolist() == ["x"]
    assert table["worst.index.1"].dropna().to_dict() == {1: 7.0}
    assert table["details.diagnosis.0.x"].dropna().to_dict() == {1: 1.0}
    assert table[nothing].isna().all(axis=None)
    with pytest.raises(ValueError, match=r"fields has 'order'; accepted: paths that begin with details or worst"):
        verify.load(mixed, fields=["order"])


def test_several_stores_stand_under_each_other(store, mixed):
    table = verify.load({"before": store, "after": mixed})
    assert next(iter(table)) == "store"
    assert list(table.store.cat.categories) == ["before", "after"]
    for name, folder in (("before", store), ("after", mixed)):
        own = table[table.store == name].drop(columns="store").reset_index(drop=True)
        alone = verify.load(folder)
        pd.testing.assert_frame_equal(own.astype(object), alone.astype(object))
        assert table.attrs["stores"][name] == next(iter(alone.attrs["stores"].values()))
    assert list(verify.load([store, str(mixed)]).store.cat.categories) == [str(store), str(mixed)]
    with pytest.raises(ValueError, match="store names none; accepted: a folder that `hippo-verify run` wrote"):
        verify.load([])


def test_the_frame_says_where_it_comes_from(store):
    (said,) = verify.load(str(store)).attrs["stores"].values()
    assert {name: said["provenance"][name] for name in PROVENANCE} == PROVENANCE
    assert (said["notes"], said["finished"], said["units"], said["verdicts"]) == (["said at the end"], True, 6, 9)


@pytest.mark.parametrize("rows", [1, 4, 9, 20_000])
def test_a_parquet_file_gives_the_same_frame(store, mixed, tmp_path, monkeypatch, rows):
    monkeypatch.setattr(frame, "ROWS", rows)
    for number, asked in enumerate((store, mixed, {"a": store, "b": mixed})):
        path = tmp_path / f"{number}.parquet"
        assert verify.write_parquet(asked, path) == len(verify.load(asked))
        read = pd.read_parquet(path)
        pd.testing.assert_frame_equal(read, verify.load(asked))
        assert read.attrs == verify.load(asked).attrs
    monkeypatch.setattr(frame, "ROWS", 20_000)
    pd.testing.assert_frame_equal(read, verify.load({"a": store, "b": mixed}))


def test_a_parquet_file_is_in_groups_and_says_to_anybody_where_it_comes_from(store, tmp_path, monkeypatch):
    monkeypatch.setattr(frame, "ROWS", 4)
    path = tmp_path / "new" / "verdicts.parquet"
    verify.write_parquet(store, str(path), details=True)
    found = parquet.ParquetFile(path)
    assert found.metadata.num_row_groups == 3
    said = json.loads(found.schema_arrow.metadata[b"hippo-verify"])
    assert said["schema"] == "hippo-verify/1"
    assert said["stores"][str(store)]["provenance"]["commit"] == "abc"
    read = found.read().to_pydict()
    assert [json.loads(text) for text in read["details"]] == [dict(each.details) for each in ALL]
    assert [json.loads(text) for text in read["worst"]] == [each.worst for each in ALL]


def test_a_parquet_file_is_written_whole_or_not_at_all(store, tmp_path, monkeypatch):
    monkeypatch.setattr(frame, "ROWS", 2)
    path = tmp_path / "verdicts.parquet"
    path.write_bytes(b"what was there")
    given, left = frame._array, [40]

    def array(*arguments):
        left[0] -= 1
        if left[0] == 0:
            raise OSError(28, "No space left on device")
        return given(*arguments)

    monkeypatch.setattr(frame, "_array", array)
    with pytest.raises(OSError, match="No space left"):
        verify.write_parquet(store, path)
    assert path.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [path]


def test_a_store_without_verdicts_is_a_frame_without_rows(tmp_path):
    opened(tmp_path).close()
    table = verify.load(tmp_path, details=True, fields=["details.order"])
    assert len(table) == 0
    assert {"target", "theta", "ratio", "details", "details.order"} <= set(table)
    assert verify.write_parquet(tmp_path, tmp_path / "x.parquet") == 0
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "x.parquet"), verify.load(tmp_path))


def test_a_parameter_that_nobody_knows_is_named(tmp_path):
    case = replace(CASE, parameters=(("gamma", "2"),))
    with opened(tmp_path) as store:
        store.add(0, key(0), [replace(verdict(0), case=case)])
    for act in (verify.load, lambda store: verify.write_parquet(store, tmp_path / "x.parquet")):
        with pytest.raises(ValueError, match=r"line 2 of .* has the parameter 'gamma', which no measure of"):
            act(tmp_path)
    assert not (tmp_path / "x.parquet").exists()


def test_what_is_no_store_is_refused(tmp_path, store):
    with pytest.raises(FileNotFoundError, match=r"no store at .*; expected the verdicts.jsonl that"):
        verify.load(tmp_path)
    content = (store / "verdicts.jsonl").read_bytes()
    (tmp_path / "verdicts.jsonl").write_bytes(content.replace(b'"compared": 4', b'"compared": 5', 1))
    with pytest.raises(DamagedError, match=r"line \d+ of .* records the digest"):
        verify.load(tmp_path)


@pytest.mark.parametrize("name", ["pandas", "pyarrow"])
def test_without_the_libraries_it_says_how_to_get_them(store, tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=f"a table of verdicts needs {name}: pip install "):
        verify.load(store)
    if name == "pyarrow":
        with pytest.raises(ImportError, match="a table of verdicts needs pyarrow"):
            verify.write_parquet(store, tmp_path / "x.parquet")

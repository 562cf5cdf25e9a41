"""Stored results as sides: our own file, asv's, pytest-benchmark's; read strictly, or refused with a reason."""

import json
import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from verify.gate import Outcome, Settings, Word, compare, sides
from verify.gate.side import Kind, Measurement, Side
from verify.gate.sides import record
from verify.outputs.record import schema


def measurement(name="bench.time_one", kind=Kind.TIME, unit="seconds", rounds=(1.0, 2.0), **more):
    return Measurement(name=name, kind=kind, unit=unit, version="1", **{"status": "measured", **more}, rounds=rounds)


def side(*measurements, **more):
    fields = {"label": "a", "revision": "f" * 40, "paired": "run-0", "machine": {"cpu": "x"}, "environment": {}}
    return Side(**{**fields, **more}, measurements={one.name: one for one in measurements})


EVERYTHING = side(
    measurement(),
    measurement("bench.track_error", Kind.ERROR, "error / bound", (math.nan,)),
    measurement("bench.track_two", Kind.ERROR, "bits lost", (math.inf, -math.inf)),
    measurement("bench.peakmem_gap", Kind.MEMORY, "bytes", (None, 3.0)),
    measurement("bench.track_rate", Kind.RATE, "cases/s", (5e-324, 1.7e308, 0.1 + 0.2)),
    measurement("bench.track_count", Kind.COUNT, "verdicts", (), status="skipped", why="no numba"),
    measurement("bench.time_dead", rounds=(), status="failed", why="SIGSEGV"),
)


# Our own.


def test_our_own_file_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "side.json"
    sides.write_side(path, EVERYTHING)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    content = json.loads(path.read_text(), parse_constant=refuse)
    jsonschema.validate(content, schema("hippo-verify-bench-1"))
    assert repr(sides.read([str(path)])) == repr(EVERYTHING)  # by their text: NaN is not equal to itself


def test_the_schema_has_what_is_written_and_nothing_else():
    form, content = schema("hippo-verify-bench-1"), record.to_json(EVERYTHING)
    assert set(content) == set(form["properties"]) == set(form["required"])
    inner = form["$defs"]["measurement"]
    assert set(content["measurements"][0]) == set(inner["properties"]) == set(inner["required"])
    assert set(inner["properties"]["kind"]["enum"]) == set(Kind)


WRONG = {
    "schema": (lambda c: c.update(schema="hippo-verify-bench/2"), "schema of .* is 'hippo-verify-bench/2'; accepted"),
    "lacks": (lambda c: c.pop("machine"), "lacks 'machine'; it has schema, label"),
    "more": (lambda c: c.update(more=1), "has 'more'; accepted: schema, .*newer version"),
    "label": (lambda c: c.update(label=None), "label of .* is None; accepted: str"),
    "machine": (lambda c: c.update(machine={"cpu": 1}), "cpu of machine of .* is 1; accepted: str"),
    "list": (lambda c: c.update(measurements={}), "measurements of .* is {}; accepted: list"),
    "item": (lambda c: c["measurements"].append(3), r"measurements\[7\] of .* is 3; accepted: an object"),
    "twice": (lambda c: c["measurements"].append(c["measurements"][0]), "has 'bench.time_one' twice"),
    "field": (lambda c: c["measurements"][0].update(extra=1), r"measurements\[0\] of .* has 'extra'"),
    "kind": (lambda c: c["measurements"][0].update(kind="speed"), "kind of .* is 'speed'; accepted: time, memory"),
    "status": (lambda c: c["measurements"][0].update(status="fine"), "status of .* is 'fine'; accepted: measured"),
    "nothing": (lambda c: c["measurements"][0].update(rounds=[None]), "is measured, but has no value"),
    "why": (lambda c: c["measurements"][5].update(why=""), "is skipped, but why is empty"),
    "text": (lambda c: c["measurements"][0].update(rounds=["1.0"]), "rounds of .* has '1.0'; accepted: numbers, null"),
    "bool": (lambda c: c["measurements"][0].update(rounds=[True]), "rounds of .* has True"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_of_ours_that_is_wrong_is_refused(name, tmp_path):
    change, message = WRONG[name]
    content = json.loads(json.dumps(record.to_json(EVERYTHING)).replace("NaN", '"nan"').replace("Infinity", '"inf"')
                         .replace('-"inf"', '"-inf"'))  # fmt: skip
    change(content)
    (tmp_path / "side.json").write_text(json.dumps(content))
    with pytest.raises(sides.SideError, match=message):
        sides.read([str(tmp_path / "side.json")])
    if name not in ("twice",):  # which no schema can say
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(content, schema("hippo-verify-bench-1"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no whole JSON"),
        ('{"schema": "hippo-verify-bench/1", "label"', "is no whole JSON"),
        ("[" * 100_000, "is no whole JSON"),
        ("[]", "holds no results that are known; it has list; accepted: a file that hippo-verify gate saved"),
        ("{}", "it has nothing"),
        ('{"schema": "hippo-verify/1", "verdicts": []}', "it has schema, verdicts"),
    ],
)
def test_what_is_no_file_of_results(text, message, tmp_path):
    path = tmp_path / "side.json"
    path.write_text(text)
    with pytest.raises(sides.SideError, match=message):
        sides.read([str(path)])


# asv's.


def stored(tmp_path, results=None, **more):
    """A folder as asv writes it: machine.json, a file for a commit, benchmarks.json above."""
    folder = tmp_path / "results"
    (folder / "box").mkdir(parents=True, exist_ok=True)
    described = {
        "bench.time_scan": {"unit": "seconds", "version": "9", "type": "time"},
        "bench.track_error": {"unit": "error / bound", "version": "1", "type": "track"},
        "bench.track_odd": {"unit": "furlongs", "version": "1", "type": "track"},
        "version": 2,
    }
    (folder / "benchmarks.json").write_text(json.dumps(described))
    content = {
        "commit_hash": "abcdef1234567890abcdef1234567890abcdef12",
        "env_name": "virtualenv-py3.11", "date": 1, "python": "3.11", "requirements": {"numpy": "2.4.6"},
        "env_vars": {"OMP_NUM_THREADS": "1"},
        "params": {"machine": "box", "cpu": "AMD", "num_cpu": "2", "os": "Linux 6", "ram": "8", "arch": "x86_64"},
        "result_columns": ["result", "params", "version", "started_at", "duration", "stats_ci_99_a", "samples"],
        "results": results or {
            "bench.time_scan": [[1.5, math.nan, None], [["'legs'", "'legt'", "'lmu'"]], "9", 1, 2, None,
                                [[1.0, 1.5, 2.0], None, None]],
            "bench.track_error": [[0.25], [], "1"],
        },
        "durations": {}, "version": 2, **more,
    }  # fmt: skip
    path = folder / "box" / "abcdef12-virtualenv-py3.11.json"
    path.write_text(json.dumps(content))
    return path


def test_asv_results_tell_failed_skipped_and_measured_apart(tmp_path):
    path = stored(tmp_path)
    read = sides.read([str(path)])
    assert {name: (one.status, one.rounds) for name, one in read.measurements.items()} == {
        "bench.time_scan('legs')": ("measured", (1.0, 1.5, 2.0)),
        "bench.time_scan('legt')": ("skipped", ()),
        "bench.time_scan('lmu')": ("failed", ()),
        "bench.track_error": ("measured", (0.25,)),
    }
    assert read.measurements["bench.time_scan('lmu')"].why == "asv has null: it failed, or was not run"
    assert read.measurements["bench.time_scan('legs')"].version == "9"
    assert read.machine == {
        "machine": "box", "cpu": "AMD", "cores": "2", "os": "Linux 6", "memory": "8", "arch": "x86_64",
    }  # fmt: skip
    assert read.environment == {"python": "3.11", "numpy": "2.4.6", "OMP_NUM_THREADS": "1"}
    assert read.revision == "abcdef1234567890abcdef1234567890abcdef12"
    assert read.paired is None
    for folder in ("results", "results/box"):
        assert sides.read([f"{tmp_path / folder}@abcdef"]) == read


def test_the_faults_of_asv_are_not_ours(tmp_path):
    """inf is a finding, not a hang; a negative number stays negative; a dict is a failure; nothing is left out."""
    values = {"inf": math.inf, "negative": -3.0, "dict": {"a": 1}, "all missing": None}
    for name, value in values.items():
        path = stored(tmp_path / name, {"bench.track_error": [None if value is None else [value], [], "1"]})
        one = sides.read([str(path)]).measurements["bench.track_error"]
        if isinstance(value, float):
            assert (one.status, one.rounds) == ("measured", (value,))
        else:
            assert one.status == "failed"
    one = sides.read([str(stored(tmp_path, {"bench.track_odd": [[1.0], [], "1"]}))]).measurements["bench.track_odd"]
    assert one.status == "failed"
    assert "'furlongs', which does not say whether lower is better" in one.why


def test_asv_itself_agrees(tmp_path):
    """A second reader of the same file: asv's own."""
    results = pytest.importorskip("asv.results", reason="pip install 'hippo-verify[bench]'")
    path = stored(tmp_path)
    loaded = results.Results.load(str(path))
    read = sides.read([str(path)])
    for name in loaded.get_all_result_keys():
        params = loaded.get_result_params(name)
        values = loaded.get_result_value(name, params)
        mine = [one for key, one in read.measurements.items() if key.partition("(")[0] == name]
        assert [one.status for one in mine] == [
            "failed" if value is None else "skipped" if math.isnan(value) else "measured" for value in values
        ]
        assert all(one.version == loaded.benchmark_version[name] for one in mine)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 1}, "version of .* is 1; accepted: 2"),
        ({"results": {"bench.gone": [[1.0], [], "1"]}}, "has 'bench.gone', which benchmarks.json beside it does not"),
        ({"results": {"bench.track_error": 3}}, "results of 'bench.track_error' in .* are 3; accepted: a list"),
        ({"results": {"bench.track_error": [[1.0, 2.0], [], "1"]}}, "result of .* accepted: 1 values"),
        ({"params": None}, "params of .* is None; accepted: dict"),
        ({"env_vars": None}, "env_vars of .* is None; accepted: dict"),
        ({"result_columns": ["params"]}, r"result_columns of .* is \['params'\]; accepted: names, 'result' among them"),
        ({"result_columns": [{}, "result"]}, "result_columns of .* accepted: names"),
        ({"results": {"bench.track_error": [[1.0], [3], "1"]}}, r"params of .* are \[3\]; accepted: a list for each"),
        ({"results": {"bench.track_error": [[1.0], "x", "1"]}}, "params of .* are 'x'; accepted: a list for each"),
        ({"results": {"bench.track_error": [[9.0, 1.0], [["1", "1"]], "1"]}}, r"has 'bench.track_error\(1\)' twice"),
    ],
)
def test_asv_results_that_are_wrong_are_refused(change, message, tmp_path):
    path = stored(tmp_path, **{key: value for key, value in change.items() if key != "results"},
                  results=change.get("results"))  # fmt: skip
    with pytest.raises(sides.SideError, match=message):
        sides.read([str(path)])


def test_a_commit_that_has_no_results_or_several(tmp_path):
    path = stored(tmp_path)
    with pytest.raises(sides.SideError, match="has no results of '1234567'; it has abcdef12"):
        sides.read([f"{tmp_path / 'results'}@1234567"])
    path.with_name("abcdef12-other.json").write_bytes(path.read_bytes())
    with pytest.raises(sides.SideError, match=r"has several results of 'abcdef'; name one: .*abcdef12-other.json"):
        sides.read([f"{tmp_path / 'results'}@abcdef"])
    (tmp_path / "results/benchmarks.json").unlink()
    with pytest.raises(sides.SideError, match=r"has no benchmarks.json in the folder above"):
        sides.read([str(path)])


# pytest-benchmark's.

TESTS = """
import pytest


@pytest.mark.parametrize("count", [10, 20])
def test_sum(benchmark, count):
    benchmark.group = "sums"
    benchmark.extra_info["error / bound"] = 0.25
    benchmark.extra_info["remark"] = "none"
    benchmark.pedantic(sum, args=(range(count),), rounds=3, iterations=2)
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Files of the real pytest-benchmark: with data, and with summaries alone."""
    pytest.importorskip("pytest_benchmark", reason="pip install 'hippo-verify[bench]'")
    folder = tmp_path_factory.mktemp("pytest")
    (folder / "test_sums.py").write_text(TESTS)
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_benchmark.plugin",
        "--benchmark-json=with.json", "--benchmark-save=without", "test_sums.py",
    ]  # fmt: skip
    variables = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": "/usr/bin:/bin"}
    answer = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (without,) = (folder / ".benchmarks").rglob("*.json")
    return folder / "with.json", without


def test_pytest_benchmark_is_a_side(saved):
    content = json.loads(saved[0].read_text())
    read = sides.read([str(saved[0])])
    assert set(read.measurements) == {
        "test_sums.py::test_sum[10]", "test_sums.py::test_sum[10] error / bound",
        "test_sums.py::test_sum[20]", "test_sums.py::test_sum[20] error / bound",
    }  # fmt: skip
    one = read.measurements["test_sums.py::test_sum[10]"]
    assert (one.kind, one.unit, one.status) == (Kind.TIME, "seconds", "measured")
    (data,) = (item["stats"]["data"] for item in content["benchmarks"] if item["name"] == "test_sum[10]")
    assert one.rounds == tuple(data)
    assert len(one.rounds) == 3
    assert '"count": 10' in one.version
    error = read.measurements["test_sums.py::test_sum[10] error / bound"]
    assert (error.kind, error.rounds) == (Kind.ERROR, (0.25,))
    assert read.machine["machine"] == content["machine_info"]["node"]
    assert read.environment["python"] == content["machine_info"]["python_version"]
    assert read.revision is None


def test_summaries_alone_are_not_measured_and_the_advice_is_given(saved):
    one = sides.read([str(saved[1])]).measurements["test_sums.py::test_sum[10]"]
    assert one.status == "failed"
    assert "--benchmark-save-data" in one.why


def changed(saved, tmp_path, change, name="changed.json"):
    content = json.loads(saved[0].read_text())
    change(content)
    path = tmp_path / name
    path.write_text(json.dumps(content))
    return str(path)


def test_numbers_that_are_not_finite_are_kept(saved, tmp_path):
    def spoil(content):
        content["benchmarks"][0]["stats"].update(data=[math.nan, 1.0, math.inf], median=math.nan)
        content["benchmarks"][0]["extra_info"]["error / bound"] = math.nan

    found = list(sides.read([changed(saved, tmp_path, spoil)]).measurements.values())
    assert repr(found[0].rounds) == "(nan, 1.0, inf)"
    assert repr(found[1].rounds) == "(nan,)"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(version="2.0.0"), "version of .* is '2.0.0'; accepted: pytest-benchmark 3, 4, 5"),
        (lambda c: c.update(benchmarks={}), "benchmarks of .* is {}; accepted: list"),
        (lambda c: c["benchmarks"][0].pop("fullname"), "lacks 'fullname'"),
        (lambda c: c["benchmarks"].append(c["benchmarks"][0]), "has 'test_sums.py::test_sum.*' twice"),
        (lambda c: c["benchmarks"][0]["stats"].update(median="fast"), "median of .* is 'fast'; accepted: int or float"),
        (lambda c: c["benchmarks"][0]["stats"].update(data=[]), r"data of .* is \[\]; accepted: a list of numbers"),
        (lambda c: c["benchmarks"][0]["stats"].update(data=["1"]), "accepted: a list of numbers"),
        (lambda c: c["benchmarks"][0]["stats"].update(data=[1.0, 1.0]), "median of .* but that of its data 1.0"),
        (lambda c: c["benchmarks"][0].update(group=3), "group of .* is 3; accepted: str or null"),
        (lambda c: c["machine_info"].pop("node"), "machine_info of .* lacks 'node'"),
    ],
)
def test_a_file_of_pytest_benchmark_that_is_wrong_is_refused(change, message, saved, tmp_path):
    with pytest.raises(sides.SideError, match=message):
        sides.read([changed(saved, tmp_path, change)])


def test_the_name_of_a_test_does_not_say_what_its_remarks_are(saved, tmp_path):
    """Parameters may hold a dot and a word that names a time in asv."""

    def rename(content):
        content["benchmarks"][0]["fullname"] = "test_sums.py::test_sum[numpy.time_domain]"

    found = sides.read([changed(saved, tmp_path, rename)]).measurements
    one = found["test_sums.py::test_sum[numpy.time_domain] error / bound"]
    assert (one.kind, one.rounds) == (Kind.ERROR, (0.25,))


@pytest.mark.parametrize(
    ("value", "rounds"),
    [("0.5", "(0.5,)"), ("nan", "(nan,)"), ("inf", "(inf,)"), (1, "(1.0,)"), ("as ever", None), (True, None),
     (None, None), ([1.0], None)],
)  # fmt: skip
def test_a_number_is_one_however_it_is_spelt_and_a_remark_is_none(value, rounds, saved, tmp_path):
    path = changed(saved, tmp_path, lambda c: c["benchmarks"][0]["extra_info"].update({"error / bound": value}))
    one = sides.read([path]).measurements.get("test_sums.py::test_sum[10] error / bound")
    assert (None if one is None else repr(one.rounds)) == rounds


def test_params_and_timer_decide_what_can_be_compared(saved, tmp_path):
    before = sides.read([str(saved[0])])
    for change in (
        lambda c: c["benchmarks"][0]["params"].update(count=11),
        lambda c: c["benchmarks"][0]["options"].update(timer="process_time"),
    ):
        after = sides.read([changed(saved, tmp_path, change)])
        name = next(iter(after.measurements))
        assert before.measurements[name].version != after.measurements[name].version


def test_whole_numbers_beyond_any_float_are_infinite(saved, tmp_path):
    """JSON has them, and float() has none of it."""
    huge = 10**400
    content = record.to_json(side(measurement(rounds=(1.0, -1.0))))
    content["measurements"][0]["rounds"] = [huge, -huge]
    (tmp_path / "own.json").write_text(json.dumps(content))
    assert sides.read([str(tmp_path / "own.json")]).measurements["bench.time_one"].rounds == (math.inf, -math.inf)
    path = stored(tmp_path, {"bench.track_error": [[huge], [], "1"]})
    assert sides.read([str(path)]).measurements["bench.track_error"].rounds == (math.inf,)

    def spoil(content):
        content["benchmarks"][0]["stats"].update(data=[huge] * 3, median=huge)
        content["benchmarks"][0]["extra_info"]["error / bound"] = huge

    found = list(sides.read([changed(saved, tmp_path, spoil)]).measurements.values())
    assert [one.rounds for one in found[:2]] == [(math.inf,) * 3, (math.inf,)]


# Several files.


def dated(saved, tmp_path, name, minute, factor=1.0):
    def change(content):
        content["datetime"] = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)).isoformat()
        for item in content["benchmarks"]:
            item["stats"]["data"] = [value * factor for value in item["stats"]["data"]]
            item["stats"]["median"] *= factor

    return changed(saved, tmp_path, change, name)


def test_several_files_are_a_round_each(saved, tmp_path):
    files = [dated(saved, tmp_path, f"{n}.json", n, 1 + n) for n in range(3)]
    one = sides.read(files).measurements["test_sums.py::test_sum[10]"]
    median = sorted(sides.read(files[:1]).measurements["test_sums.py::test_sum[10]"].rounds)[1]
    assert one.rounds == pytest.approx((median, 2 * median, 3 * median))
    assert sides.read(files).measurements["test_sums.py::test_sum[10] error / bound"].rounds == (0.25,)


def test_files_of_one_side_must_belong_together(saved, tmp_path):
    other = changed(saved, tmp_path, lambda c: c["machine_info"].update(node="elsewhere"))
    with pytest.raises(sides.SideError, match=r"machine of .*changed.json is .*elsewhere.*measured in the same place"):
        sides.read([str(saved[0]), other])
    other = changed(saved, tmp_path, lambda c: c["benchmarks"][0]["params"].update(count=11))
    with pytest.raises(sides.SideError, match=r"is another benchmark in .*changed.json"):
        sides.read([str(saved[0]), other])
    sides.write_side(tmp_path / "side.json", side(measurement()))
    with pytest.raises(sides.SideError, match="has paired rounds in it"):
        sides.read([str(tmp_path / "side.json")] * 2)


def test_a_test_that_is_missing_in_a_file_is_a_gap_and_one_that_failed_a_failure(saved, tmp_path):
    gone = changed(saved, tmp_path, lambda c: c["benchmarks"].pop(0), "gone.json")
    name = next(iter(sides.read([str(saved[0])]).measurements))
    assert sides.read([str(saved[0]), gone]).measurements[name].rounds[1] is None
    failed = changed(saved, tmp_path, lambda c: c["benchmarks"][0]["stats"].pop("data"), "failed.json")
    assert sides.read([str(saved[0]), failed]).measurements[name].status == "failed"


@pytest.mark.parametrize("side", ["base", "head"])
def test_an_error_that_is_missing_in_a_file_is_no_blank(side, saved, tmp_path):
    """Seven files that say nothing and one that says all is well are not the same as eight of them."""
    name = "test_sums.py::test_sum[10] error / bound"
    gone = changed(saved, tmp_path, lambda c: c["benchmarks"][0]["extra_info"].pop("error / bound"), "gone.json")
    given = {"base": [str(saved[0])] * 2, "head": [str(saved[0])] * 2, side: [str(saved[0]), gone]}
    base, head = (sides.read(given[each]) for each in ("base", "head"))
    (found,) = (one for one in compare(base, head, Settings()).findings if one.name == name)
    assert (found.word, found.outcome) == (Word.NOT_MEASURED, Outcome.INCONCLUSIVE)
    assert "nothing" in found.message


@pytest.mark.parametrize(
    ("turns", "paired"),
    [("ABBAABBA", True), ("ABBA", True), ("ABAB", False), ("AABB", False), ("ABBB", False), ("AB", False)],
)
def test_files_written_in_turn_are_pairs(turns, paired, saved, tmp_path):
    """Not if one side was always first: then the order in a pair and the sides are the same thing."""
    base, head = (
        [dated(saved, tmp_path, f"{side}{n}.json", n) for n, turn in enumerate(turns) if turn == side] for side in "AB"
    )
    found = sides.interleaved(base, head)
    assert (found is not None) == paired
    if paired:
        assert sides.interleaved(base[::-1], head) is None  # rounds in another order are other rounds
        assert found == sides.interleaved(base, head)


def test_files_of_versions_that_write_the_zone_and_that_do_not(saved, tmp_path):
    """Version 3 of pytest-benchmark writes UTC without saying so; a comparison with it has an end, and no traceback."""
    files = [dated(saved, tmp_path, f"{n}.json", n) for n in range(4)]
    for path in files[::3]:
        content = json.loads(Path(path).read_text())
        Path(path).write_text(json.dumps({**content, "datetime": content["datetime"].removesuffix("+00:00")}))
    assert sides.interleaved(files[::3], files[1:3]) is not None


def test_what_has_no_date_is_not_paired(saved, tmp_path):
    files = [changed(saved, tmp_path, lambda c: c.pop("datetime"), f"{n}.json") for n in range(4)]
    assert sides.interleaved(files[:2], files[2:]) is None
    sides.write_side(tmp_path / "side.json", side(measurement()))
    assert sides.interleaved([str(tmp_path / "side.json")] * 2, files[:2]) is None

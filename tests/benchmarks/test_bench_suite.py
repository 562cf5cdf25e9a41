"""The suite as asv and the gate see it: listed without heavy libraries, comparable, and blind to no wrong answer."""

import importlib
import itertools
import json
import math
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import hippo_fast
from asv_benchmarks import accuracy, bench_accuracy, bench_harness, frozen, guests, timed
from asv_benchmarks.guests import Guest
from verify.kinds import Kind, kind_of

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "asv_benchmarks"
HEAVY = ("torch", "numba", "triton", "jax", "scipy", "matplotlib", "rich", "tabulate", "mpmath", "flint", "gmpy2")
OURS = ("verify", "hippo_ref")

LISTING = f"""
import io, json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[2:]:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuse())
sys.path = [entry for entry in sys.path if entry != ""]
from asv_runner.discovery import list_benchmarks
found = io.StringIO()
list_benchmarks(sys.argv[1], found)
print(json.dumps([json.loads(found.getvalue()), sorted(set(sys.modules) & set({(*HEAVY, *OURS)!r}))]))
"""


def listed(*refused):
    """asv's own listing in a process of its own, and the heavy modules that it has imported."""
    pytest.importorskip("asv_runner", reason="asv is in the bench extra")
    done = subprocess.run(
        [sys.executable, "-c", LISTING, str(FOLDER), *refused], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def listing():
    return listed()


@pytest.fixture(scope="module")
def benchmarks(listing):
    """By name."""
    return {one["name"]: one for one in listing[0]}


def measurements(benchmark):
    """Names of all measurements of a benchmark, as asv spells them."""
    if not benchmark["params"]:
        return [benchmark["name"]]
    return [f"{benchmark['name']}({', '.join(key)})" for key in itertools.product(*benchmark["params"])]


# The listing.


def test_no_library_is_needed_to_list(benchmarks):
    """asv lists in environments without them, and over commits in which less is there."""
    found, imported = listed(*HEAVY, *OURS)
    assert {one["name"]: one for one in found} == benchmarks
    assert imported == []


def test_nothing_heavy_is_imported_at_the_top(listing):
    """asv forks what has listed the suite, so what is imported there would be in every figure of memory and time."""
    assert set(listing[1]) <= {"triton"}  # the kernel of speed_gpu, which alone needs it


def test_everything_is_listed_once_and_covered(listing, benchmarks):
    assert len(benchmarks) == len(listing[0]) > 40
    files = {path.stem for path in FOLDER.glob("bench_*.py")}
    assert {name.partition(".")[0] for name in benchmarks} == files
    assert files == {
        "bench_accuracy", "bench_gpu", "bench_gradient", "bench_harness", "bench_memory", "bench_operators",
        "bench_reference", "bench_scan",
    }  # fmt: skip
    params = {name: set(itertools.chain(*one["params"])) for name, one in benchmarks.items()}
    scans = set().union(*(found for name, found in params.items() if name.startswith("bench_scan.")))
    scanned = {*timed.MEASURES, *timed.METHODS, *timed.BACKENDS, *timed.DTYPES, *hippo_fast.BACKENDS}
    assert {repr(value) for value in (*scanned, *timed.ORDERS, *timed.STREAMS)} <= scans
    assert set(timed.MEASURES) == set(hippo_fast.OPERATORS)
    assert set(accuracy.RULES) == set(hippo_fast.DISCRETIZATIONS)


def test_versions_are_written_by_hand(benchmarks):
    """asv's own is a hash of the source, with which a comment ends a history."""
    for name, one in benchmarks.items():
        wanted = frozen.VERSION if name.startswith("bench_accuracy.") else one["version"]
        assert one["version"] == wanted
        assert re.fullmatch(r"\d+(-[0-9a-f]{12})?", one["version"]), name


def test_every_unit_says_which_way_is_worse(benchmarks):
    kinds = {name: kind_of(name, one["unit"]) for name, one in benchmarks.items()}
    assert set(kinds.values()) == set(Kind)
    for name, kind in kinds.items():
        if name.startswith("bench_accuracy."):
            assert kind is Kind.ERROR


def test_parameters_have_names(benchmarks):
    for name, one in benchmarks.items():
        assert len(one["params"]) == len(one["param_names"]), name
        assert all(re.fullmatch("[a-z]+", word) for word in one["param_names"])


def test_a_whole_run_stays_small(benchmarks):
    """Look-ups are a few milliseconds each where asv forks; what is timed takes a second in each of two rounds."""
    counts = {name: len(measurements(one)) for name, one in benchmarks.items()}
    assert sum(count for name, count in counts.items() if kind_of(name, benchmarks[name]["unit"]) is Kind.TIME) < 280
    assert sum(counts.values()) < 1400


# The gate's selection.


def test_the_gate_takes_a_few_of_each_kind(benchmarks):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hippo-verify"]["gate"]
    names = [name for one in benchmarks.values() for name in measurements(one)]
    chosen = {pattern: [n for n in names if re.search(pattern, n)] for pattern in settings["select"]}
    assert all(chosen.values()), [pattern for pattern, found in chosen.items() if not found]
    whole = set(itertools.chain(*chosen.values()))
    units = {name: one["unit"] for name, one in benchmarks.items()}
    kinds = Counter(kind_of(name, units[name.partition("(")[0]]) for name in whole)
    assert {Kind.TIME, Kind.ERROR, Kind.COUNT} == set(kinds)
    # A time costs a third of a second in each round and on each side; errors and counts are measured once.
    assert 20 <= kinds[Kind.TIME] <= 26
    assert 40 <= kinds[Kind.ERROR] <= 100
    assert not any("torch" in name for name in whole)  # whose import alone takes a second


# asv itself.


def test_asv_finds_no_fault(tmp_path):
    pytest.importorskip("asv", reason="asv is in the bench extra")
    config = {
        "version": 1, "project": "hippo-verify", "repo": str(ROOT), "branches": ["HEAD"], "dvcs": "git",
        "environment_type": "existing", "benchmark_dir": str(FOLDER), "results_dir": str(tmp_path / "results"),
        "env_dir": str(tmp_path / "env"), "html_dir": str(tmp_path / "html"),
    }  # fmt: skip
    (tmp_path / "asv.conf.json").write_text(json.dumps(config))
    environment = os.environ | {"HOME": str(tmp_path), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

    def asv(*arguments):
        command = [sys.executable, "-m", "asv", "--config", str(tmp_path / "asv.conf.json"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)

    if not (ROOT / ".git").exists():
        pytest.skip("asv needs the repository, and this is a copy without it")
    python = f"existing:{sys.executable}"
    done = asv("check", "-E", python)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No problems found" in done.stdout
    machine = dict.fromkeys(("arch", "cpu", "num_cpu", "os", "ram"), "") | {"machine": "here"}
    (tmp_path / ".asv-machine.json").write_text(json.dumps({"here": machine, "version": 1}))
    quick = r"bench_(accuracy\.(Step|ReadOut)|operators\.System|memory\.Kept)"
    chosen = ("--machine", "here", "-E", python, "--launch-method", "forkserver", "--bench", quick)
    done = asv("run", "--quick", "--dry-run", *chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout
    for name in ("Step.track_ulps", "ReadOut.track_bits_lost", "System.time_system", "Kept.time_save"):
        assert re.search(rf"{name} +ok", done.stdout), done.stdout


# In this process: everything runs once, on its first parameters.


CLASSES = [
    (module, name)
    for module in ("scan", "operators", "memory", "gradient", "reference", "harness", "gpu")
    for name, one in vars(importlib.import_module(f"asv_benchmarks.bench_{module}")).items()
    if isinstance(one, type) and hasattr(one, "params")
]


@pytest.mark.parametrize(("module", "name"), CLASSES, ids=lambda value: value)
def test_every_benchmark_runs(module, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # asv gives a folder to what shares a cache
    bench = getattr(importlib.import_module(f"asv_benchmarks.bench_{module}"), name)()
    bench.params = [values[:1] for values in bench.params]
    first = [values[0] for values in bench.params]
    cache = (bench.setup_cache(),) if hasattr(bench, "setup_cache") else ()
    try:
        bench.setup(*cache, *first)
        bench.setup(*cache, *first)  # as asv does before each timed call
    except NotImplementedError as reason:
        pytest.skip(str(reason))
    calls = [getattr(bench, call) for call in dir(bench) if call.startswith(("time_", "track_", "peakmem_"))]
    assert calls
    for call in calls:
        found = call(*cache, *first)
        assert call.__name__.startswith("track_") == (found is not None)
        assert found is None or (math.isfinite(found) and found > 0)


# Accuracy: what is right has figures, and each wrong implementation moves them.


def narrowed(bench, *axes):
    """A benchmark with fewer parameters."""
    one = bench()
    one.params = axes
    return one


def figures(bench):
    """All three of each combination, by its parameters; an exception in place of a figure that is none."""
    found, kept = bench.setup_cache(), {}
    for key in itertools.product(*bench.params):
        bench.setup(found, *key)
        try:
            kept[key] = (
                bench.track_error_over_bound(found, *key),
                bench.track_bits_lost(found, *key),
                bench.track_ulps(found, *key),
            )
        except ArithmeticError as error:
            kept[key] = str(error)
    return kept


def scans():
    """Two laws on numpy in both dtypes."""
    return narrowed(bench_accuracy.ScanNumpy, ["numpy"], ["legs", "fout"], ["bilinear", "zoh"], ["float64", "float32"])


@pytest.fixture(scope="module")
def right():
    return figures(scans())


def test_right_answers_have_figures(right):
    assert len(right) == 8
    for error, bits, ulps in right.values():
        assert 0 < error < 1
        assert 0 <= bits < 20
        assert 0 < ulps < 8


def test_the_same_build_has_the_same_figures(right):
    assert figures(scans()) == right


@pytest.fixture
def spoiled(monkeypatch):
    """Puts a wrong implementation in the place of `hippo_fast.scan`."""
    honest = hippo_fast.scan

    def put(spoil):
        monkeypatch.setattr(hippo_fast, "scan", lambda *a, **k: spoil(honest(*a, **k), *a, **k))

    return put


def chopped(answer, *_, **__):
    """One bit less of each number: its last one is zero."""
    bits = answer.dtype.itemsize * 8
    return (answer.view(f"u{bits // 8}") & ~np.array(1, f"u{bits // 8}")).view(answer.dtype)


def test_a_relative_error_of_1e_9_is_seen(spoiled, right):
    spoiled(lambda answer, *_, **__: answer * (1 + 1e-9))
    for key, (error, bits, ulps) in figures(scans()).items():
        if key[-1] == "float64":
            assert error > 1000 * right[key][0]
            assert bits > right[key][1] + 10
            assert ulps > 10_000 * right[key][2]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_an_exception(spoiled, value):
    spoiled(lambda answer, *_, **__: np.where(np.arange(answer.shape[-1]) == 1, value, answer))
    for message in figures(scans()).values():
        assert re.match(rf"NotFiniteError: .*: the answer holds {value} at ", message)


def test_float32_inside_is_seen(spoiled, right):
    spoiled(lambda answer, *_, **__: answer.astype(np.float32).astype(answer.dtype))
    for key, (error, bits, ulps) in figures(scans()).items():
        if key[-1] == "float64":
            assert error > 1e5 * right[key][0]
            assert bits > 24
            assert ulps > 1e6 * right[key][2]


def test_one_bit_less_of_the_answers_is_seen(spoiled, right):
    """In every figure of a typical row, and clearly in LegS, whose arithmetic has lost the least before."""
    spoiled(chopped)
    for key, (_, _, ulps) in figures(scans()).items():
        assert ulps > right[key][2] * (1.25 if key[1] == "legs" else 1), key


def test_one_bit_less_of_the_state_is_a_bit_lost():
    """A state that is carried with 52 bits instead of 53."""

    def stepped(keep):
        def scan(samples, measure, order, *, method, backend, timestamps=None):
            if timestamps is not None:
                return hippo_fast.scan(samples, measure, order, method=method, timestamps=timestamps, backend=backend)
            states = [np.zeros(order)]
            for k, sample in enumerate(samples.tolist()):
                states.append(keep(hippo_fast.legs_update(states[-1], sample, k, accuracy.WEIGHT[method])))
            return np.stack(states[1:])

        return scan

    for method in ("bilinear", "backward_euler"):
        kept = accuracy.scans("numpy", "legs", method, "float64", stepped(lambda state: state))
        lost = accuracy.scans("numpy", "legs", method, "float64", stepped(chopped))
        assert lost.bits_lost > kept.bits_lost + 1
        assert lost.ulps > 1.2 * kept.ulps


def test_one_bit_less_of_the_matrices_is_seen(monkeypatch):
    before = figures(bench_accuracy.Operator())
    honest = hippo_fast.system

    def short(*a, **k):
        found = honest(*a, **k)
        return type(found)(chopped(found.A), chopped(found.B), found.time_law)

    monkeypatch.setattr(hippo_fast, "system", short)
    for key, (error, _, ulps) in figures(bench_accuracy.Operator()).items():
        if key != ("lmu",):  # whose integers have no such bit
            assert error > 1.5 * before[key][0]
            assert ulps > 1.5 * before[key][2]


def test_an_error_that_doubles_is_one_bit(monkeypatch, right):
    """The error itself, twice as large in every number."""
    honest = frozen.Vector.errors
    monkeypatch.setattr(frozen.Vector, "errors", lambda *a, **k: 2 * honest(*a, **k))
    for key, (error, bits, ulps) in figures(scans()).items():
        assert error == pytest.approx(2 * right[key][0])
        assert bits == pytest.approx(right[key][1] + 1, abs=1e-9) or right[key][1] == 0
        assert ulps > 1.4 * right[key][2]


def test_one_failure_hides_no_other(monkeypatch, right):
    honest = hippo_fast.scan

    def broken(samples, measure, *a, **k):
        if measure == "fout":
            raise RuntimeError("broken here")
        return honest(samples, measure, *a, **k)

    monkeypatch.setattr(hippo_fast, "scan", broken)
    for key, found in figures(scans()).items():
        assert found == ("RuntimeError: broken here" if key[1] == "fout" else right[key])


@pytest.mark.parametrize(
    ("name", "attribute", "spoil"),
    [
        ("Operator", "system", lambda right: lambda *a, **k: doubled(right(*a, **k))),
        ("Step", "legs_update", lambda right: lambda state, sample, k, a: right(state, sample, k + 1, a)),
        ("ReadOut", "reconstruct", lambda right: lambda *a, **k: right(*a, **k)[::-1]),
    ],
)
def test_the_other_kinds_are_tracked_too(monkeypatch, name, attribute, spoil):
    bench = getattr(bench_accuracy, name)()
    for error, bits, _ in figures(bench).values():
        assert 0 <= error < 1  # LMU's matrices are exact
        assert bits < 20
    monkeypatch.setattr(hippo_fast, attribute, spoil(getattr(hippo_fast, attribute)))
    for found in figures(bench).values():
        assert found[0] > 1


def doubled(system):
    """A system with twice the B."""
    return type(system)(system.A, 2 * system.B, system.time_law)


def test_memories_and_gradients_are_tracked():
    bench = narrowed(bench_accuracy.Memory, ["numpy"], ["legs", "lagt"], ["bilinear"])
    assert all(0 < error < 1 for error, _, _ in figures(bench).values())
    pytest.importorskip("torch", reason="gradients are torch's")
    bench = narrowed(bench_accuracy.Gradient, ["legs"], ["bilinear"], ["float64"])
    assert all(0 < error < 1 for error, _, _ in figures(bench).values())


# What is missing is skipped, and says why.


def test_what_is_not_offered_is_skipped():
    bench = narrowed(bench_accuracy.ScanNumpy, ["numpy"], ["legt"], ["foh"], ["float64"])
    found = bench.setup_cache()
    with pytest.raises(NotImplementedError, match="no method 'foh' for measure 'legt'"):
        bench.setup(found, "numpy", "legt", "foh", "float64")
    with pytest.raises(NotImplementedError, match="no method 'foh'"):
        timed.checked(timed.Problem("legt", "foh"), "numpy")


def test_a_backend_of_later_commits_is_skipped(monkeypatch):
    monkeypatch.delitem(hippo_fast.BACKENDS, "numba")
    with pytest.raises(NotImplementedError, match="hippo_fast has no backend 'numba' in this commit"):
        timed.checked(timed.Problem("legs", length=timed.SHORT), "numba")


def test_a_memory_without_backends_is_the_one_of_numpy(monkeypatch):
    class Earlier(hippo_fast.Memory):
        def __init__(self, measure, order, *, method="bilinear", dt=None, theta=1.0, alpha=0.0, beta=1.0):
            super().__init__(measure, order, method=method, dt=dt, theta=theta, alpha=alpha, beta=beta, backend="numpy")

    monkeypatch.setattr(hippo_fast, "Memory", Earlier)
    assert accuracy.memories("numpy", "legs", "bilinear").error_over_bound < 1
    with pytest.raises(NotImplementedError, match="Memory takes no backend in this commit"):
        accuracy.memories("numba", "legs", "bilinear")


def test_guests_say_what_is_missing():
    assert Guest("math").pi == math.pi
    with pytest.raises(NotImplementedError, match="no_such_library is not installed"):
        _ = Guest("no_such_library").anything
    with pytest.raises(NotImplementedError, match=r"verify.no_such_module is not installed"):
        _ = Guest("verify.no_such_module").anything
    with pytest.raises(NotImplementedError, match="math has no tau_squared in this commit"):
        _ = Guest("math").tau_squared


def test_what_another_version_would_give_is_missing(monkeypatch):
    """An early commit has no `verify`, and the environment that measures it may have a later one."""
    honest = guests.root
    monkeypatch.setattr(guests, "root", lambda package: ROOT / "elsewhere" if package == "verify" else honest(package))
    with pytest.raises(NotImplementedError, match="verify is not in this commit"):
        _ = Guest("verify").check
    assert Guest("hippo_ref").measure
    bench = bench_harness.Check()
    with pytest.raises(NotImplementedError, match="verify is not in this commit"):
        bench.setup(bench.setup_cache(), "matrices")


def test_a_broken_guest_is_no_missing_one(tmp_path, monkeypatch):
    package = tmp_path / "broken_guest"
    package.mkdir()
    (package / "__init__.py").write_text("import broken_guest.gone\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match=r"broken_guest\.gone"):
        _ = Guest("broken_guest").anything

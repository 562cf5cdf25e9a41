"""asv's configuration: ours as it stands, what is derived from it, and what is refused in words."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from verify import cli
from verify.bench import following, settings
from verify.bench.settings import SettingsError
from verify.folders import BusyError, alone

pytest.importorskip("asv", reason="asv is in the bench extra")
plugin = pytest.importorskip("verify.bench.plugin")

ROOT = Path(__file__).parents[2]
OURS = json.loads((ROOT / "asv.conf.json").read_text(encoding="utf-8"))
PINS = dict(
    line.lower().replace("_", "-").split("==")
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if "==" in line
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def required(name):
    return name.removeprefix("pip+").lower().replace("_", "-")


def test_pinned_requirements_are_those_of_the_constraints():
    matrix = OURS["matrix"]["req"]
    assert {required(name): values for name, values in matrix.items()} == {
        required(name): [PINS[required(name)]] for name in matrix
    }


def test_all_that_the_package_needs_is_in_the_environment():
    """Nothing else is: a commit is installed without its dependencies, and torch takes gigabytes."""
    import re

    needed = {required(re.match(r"[\w.-]+", text)[0]) for text in PROJECT["dependencies"]}
    matrix = {required(name) for name in OURS["matrix"]["req"]}
    assert needed <= matrix
    further = {"asv-runner", "build", "numba", "pympler", "setuptools", "threadpoolctl"}
    assert matrix - needed == further
    assert "torch" not in matrix


def test_nothing_is_fetched_for_a_commit():
    (build,), (install,) = OURS["build_command"], OURS["install_command"]
    assert "--no-isolation" in build.split()
    assert {"--no-deps", "--no-index", "{wheel_file}"} <= set(install.split())
    assert OURS["build_cache_size"] >= 20


def test_threads_are_fixed():
    from verify import provenance

    limits = OURS["matrix"]["env_nobuild"]
    assert set(limits) == set(provenance.collect(0)["threads"]) | set(limits)
    assert set(limits) == {f"{name}_NUM_THREADS" for name in ("MKL", "NUMBA", "OMP", "OPENBLAS")}
    assert all(values == ["1"] for values in limits.values())


def test_the_benchmarks_can_be_listed_with_what_is_pinned():
    """asv imports every file of the folder in an environment that holds the pinned packages and what they need."""
    absent = ["torch", "triton", "jax", "matplotlib", "plotly", "tabulate", "s5", "pytest", "jinja2"]
    program = (
        "import importlib, json, pkgutil, sys\n"
        "sys.modules.update(dict.fromkeys(json.loads(sys.argv[1])))\n"  # None there: cannot be imported
        "import asv_benchmarks as suite\n"
        "for found in pkgutil.iter_modules(suite.__path__, 'asv_benchmarks.'):\n"
        "    importlib.import_module(found.name)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, json.dumps(absent)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr[-1000:]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with a suite, a home in which asv was never used, and the working directory in it."""
    folder = tmp_path / "project"
    (folder / "suite").mkdir(parents=True)
    (folder / "deeper").mkdir()
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "-m", "one"],
        cwd=folder, check=True,
    )  # fmt: skip
    monkeypatch.chdir(folder)

    def write(**further):
        raw = {"version": 1, "project": "p", "repo": ".", "benchmark_dir": "suite", **further}
        (folder / "asv.conf.json").write_text("// a comment, as asv takes them\n" + json.dumps(raw))
        return settings.find(folder)

    return SimpleNamespace(folder=folder, write=write)


def test_a_suite_is_found_from_below(project):
    project.write(env_dir=".asv/env", results_dir=".asv/results")
    suite = settings.find(project.folder / "deeper")
    assert suite == settings.find(Path("/"), project.folder / "asv.conf.json")
    assert (suite.repository, suite.benchmarks) == (project.folder, project.folder / "suite")
    assert (suite.results, suite.work) == (project.folder / ".asv/results", project.folder / ".asv/hippo-verify")


def test_without_a_build_versions_are_those_that_are_installed(project):
    import numpy as np

    suite = project.write(
        environment_type="virtualenv", pythons=["2.7"], include=[{"python": "3.0"}], no_build_versions=["packaging"],
        matrix={"req": {"numpy": ["1.0", "2.0"], "pip+rich": ["1"], "absent-package": [], "pip+asv_runner": ["0"]},
                "env_nobuild": {"OMP_NUM_THREADS": ["1", "2"]}},
    )  # fmt: skip
    found = settings.derived(suite, build=False, results=suite.results)
    assert found["matrix"]["req"]["numpy"] == [np.__version__]
    assert set(found["matrix"]["req"]) == {"numpy", "packaging", "rich"}
    assert found["matrix"]["env_nobuild"] == {"OMP_NUM_THREADS": ["1"]}
    (name,) = settings.environments(found)
    assert name.startswith(f"checkout-py{sys.version_info.major}.{sys.version_info.minor}-numpy{np.__version__}-")
    assert name.endswith("OMP_NUM_THREADS1")


def test_with_a_build_the_environments_are_those_of_the_configuration(project):
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    suite = project.write(environment_type="virtualenv", pythons=[version], matrix={"numpy": ["1.0", "2.0"]})
    found = settings.derived(suite, build=True, results=suite.results)
    assert settings.environments(found) == tuple(f"virtualenv-py{version}-numpy{number}.0" for number in (1, 2))
    ours = settings.derived(settings.find(ROOT), build=True, results=ROOT)
    assert {key: ours[key] for key in ("matrix", "build_command", "install_command", "pythons")} == {
        key: OURS[key] for key in ("matrix", "build_command", "install_command", "pythons")
    }


def test_a_python_that_is_not_there_is_named(project):
    suite = project.write(environment_type="virtualenv", pythons=["3.99"])
    with pytest.raises(SettingsError, match=r"no environment of type 'virtualenv' with Python \['3.99'\].*--no-build"):
        settings.environments(settings.derived(suite, build=True, results=suite.results))


def test_what_asv_refuses_is_named(project):
    suite = project.write()
    with pytest.raises(SettingsError, match="asv refuses the configuration: Environment type must be specified"):
        settings.environments(settings.derived(suite, build=True, results=suite.results))
    suite = project.write(environment_type="virtualenv", matrix={"req": {}, "other": {}})
    with pytest.raises(SettingsError, match="asv refuses the configuration: Unknown keys"):
        settings.environments(settings.derived(suite, build=True, results=suite.results))


def test_a_machine_is_described_without_a_question(tmp_path, monkeypatch):
    """And without a trace in the home folder; what asv has there is taken as it is."""
    monkeypatch.setenv("HOME", str(tmp_path))
    home, file = tmp_path / ".asv-machine.json", tmp_path / "work.json"
    assert settings.machine("runner 1", file) == "runner 1"
    described = json.loads(file.read_text())
    assert described["runner 1"]["machine"] == "runner 1"
    assert {"os", "cpu", "arch", "num_cpu", "ram"} <= set(described["runner 1"])
    assert not home.exists()
    described["runner 1"]["cpu"] = "as somebody wrote it"
    home.write_text(json.dumps(described))
    file.unlink()
    assert settings.machine("runner 1", file) == "runner 1"
    assert json.loads(file.read_text()) == described == json.loads(home.read_text())
    # asv's own rule: where one machine is known, it is this one, whatever it is called.
    assert settings.machine(None, file) == "runner 1"


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "-x", "a\nb"])
def test_a_machine_without_a_name_for_a_folder_is_refused(name, tmp_path):
    with pytest.raises(SettingsError, match="accepted: a name that a folder can have"):
        settings.machine(name, tmp_path / "work.json")


@pytest.mark.parametrize("content", ["[]", "{", "3"])
def test_a_machine_file_that_is_broken_is_named(tmp_path, monkeypatch, content):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".asv-machine.json").write_text(content)
    with pytest.raises(SettingsError, match=r"asv-machine.json is not asv's any more: .*; mend or remove it"):
        settings.machine("x", tmp_path / "work.json")


def bench(*arguments):
    return CliRunner().invoke(cli.app, ["bench", *arguments])


def test_wrong_usage_says_what_is_accepted(project):
    project.write(environment_type="existing")
    for arguments, message in [
        (("--range", "HEAD~1..HEAD", "--last", "2"), "--range and --last are both given; accepted: one of them"),
        (("--again", "--retry"), "--again and --retry are both given"),
        (("--last", "0"), "the number of commits is 0; accepted: 1 or more"),
        (("--range", "HEAD"), "the range is 'HEAD'; accepted: A..B"),
        (("--range", "nowhere..HEAD"), "unknown revision 'nowhere'"),
        (("--bench", "("), "--bench is '(': missing ), unterminated subpattern"),
        (("--machine", "a/b"), "--machine is 'a/b'; accepted: a name that a folder can have"),
        (("--config", "none.json"), "--config: none.json is no file"),
    ]:
        answer = bench(*arguments)
        assert answer.exit_code == 2, answer.output
        assert f"hippo-verify: {message}" in answer.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no asv.conf.json in .*project or above it; --config names one"),
        ("{", "cannot be read: .*; expected: JSON as asv reads it"),
        ('{"version": 2}', 'is no configuration of asv; expected: an object with "version": 1'),
        ('{"version": 1, "repo": "https://example.org/a.git"}', "repo is 'https.*'; accepted: a folder with a clone"),
        ('{"version": 1, "repo": ".", "benchmark_dir": "none"}', "benchmark_dir is .*none, which is no folder"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_named(project, content, message):
    if content is not None:
        (project.folder / "asv.conf.json").write_text(content)
    with pytest.raises(SettingsError, match=message):
        settings.find(project.folder)
    assert bench().exit_code == 2


def test_no_commit_is_nothing_selected(project):
    project.write()
    answer = bench("--range", "HEAD..HEAD")
    assert answer.exit_code == 4
    assert "nothing was selected" in answer.output


def test_no_benchmark_is_nothing_selected(project, monkeypatch):
    from verify.bench import running

    project.write()
    monkeypatch.setattr(running._Run, "discovered", lambda self: [])
    answer = bench("--no-build", "--bench", "nothing_like_it")
    assert answer.exit_code == 4
    assert "nothing was selected: no commit, or no benchmark of that name" in answer.output


def test_where_asv_is_missing_it_is_named(project, monkeypatch):
    import importlib.util

    project.write()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    answer = bench()
    assert answer.exit_code == 2
    assert "asv is not installed: pip install 'hippo-verify[bench]'" in answer.output


def test_two_runs_at_once_are_refused(project):
    import fcntl

    project.write(env_dir=".asv/env")
    work = project.folder / ".asv/hippo-verify"
    work.mkdir(parents=True)
    with (work / "lock").open("w") as held:
        held.write("4711")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = bench()
    assert answer.exit_code == 2
    assert "process 4711 is at work in" in answer.output


def test_benchmarks_that_cannot_be_listed_are_an_error(project):
    """Never nothing selected: the suite has no __init__.py here."""
    project.write(env_dir=".asv/env", results_dir=".asv/results")
    answer = bench("--no-build")
    assert answer.exit_code == 3, answer.output
    assert "asv cannot list the benchmarks: No __init__.py file in" in answer.output
    assert "discovery.log" in answer.output


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("·· Building\n·· Error running pip (exit status 1)\n   ERROR: no wheel\n\n", "ERROR: no wheel"),
        ("·· Error running x (exit status 1)\n   STDOUT -------->\n", "Error running x (exit status 1)"),
        ("Traceback (most recent call last):\n  File\nasv.util.UserError: bad\n", "asv.util.UserError: bad"),
        ("  ValueError: one\n  fatal: two\n··\n", "fatal: two"),
        ("· No benchmarks selected\n", "No benchmarks selected"),
        ("", "it printed nothing"),
    ],
)
def test_the_line_that_says_what_went_wrong(tmp_path, said, found):
    log = tmp_path / "a.log"
    log.write_text(said)
    assert following.trouble(log) == found


def test_an_asv_that_was_left_alone_holds_the_lock(tmp_path):
    """Whoever is killed cannot end what it started, and that still measures."""
    with alone(tmp_path / "lock") as lock:
        orphan = subprocess.Popen(["sleep", "60"], pass_fds=(lock,))
    try:
        with (
            pytest.raises(BusyError, match=f"process {os.getpid()} is at work in"),
            alone(tmp_path / "lock"),
        ):
            pass
    finally:
        orphan.kill()
        orphan.wait()
    with alone(tmp_path / "lock"):
        pass


def test_a_cancelled_job_ends_as_an_interrupted_one(project, monkeypatch):
    import signal

    from verify.bench import running

    project.write()
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(running, "run", lambda *_: signal.raise_signal(signal.SIGTERM))
    answer = bench()
    assert answer.exit_code == 130
    assert "stopped; what was measured is stored" in answer.output
    assert signal.getsignal(signal.SIGTERM) is before


def test_names_of_a_source_tree(tmp_path):
    for name in ("flat/__init__.py", "src/inner/__init__.py", "no_package/data.txt", "single.py", "not-a-name.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert set(plugin.importable(tmp_path)) == {"flat", "inner", "single"}


def test_what_is_imported_from_elsewhere_is_not_measured(tmp_path):
    """A commit's `sys.py` loses against the interpreter's: whatever wins against its files, the commit is refused."""
    from asv import util

    (tmp_path / "project").mkdir()
    (tmp_path / "project/sys.py").write_text("")
    (tmp_path / "project/fine.py").write_text("")
    checkout = object.__new__(plugin.Checkout)
    checkout._path, checkout._tree, checkout._global_env_vars = str(tmp_path), tmp_path / "project", {}
    checkout._prove(["fine"], (tmp_path / "project",))
    for names, said in [
        (["fine", "sys"], "sys is imported from built-in, which"),
        (["json"], "json is imported from /"),
    ]:
        with pytest.raises(util.ProcessError) as refused:
            checkout._prove(names, (tmp_path / "project",))
        assert refused.value.stderr.startswith(said)
        assert f"expected: below {tmp_path / 'project'}" in refused.value.stderr

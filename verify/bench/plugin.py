"""What runs inside asv: an environment without a build, and what asv knows of a failure and does not keep.

asv loads this module as a plugin (``plugins`` of the configuration that `verify.bench.settings` derives).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from asv import environment, machine, results, runner, util
from asv.commands import run
from asv.console import log

from verify.bench.outcome import NOT_BUILT, choices
from verify.folders import write_whole
from verify.history.series import NOT_CHOSEN

MACHINES: Final = "HIPPO_VERIFY_BENCH_MACHINES"
"""Variable with the file that describes this machine, instead of one in the home folder."""
NOTES: Final = "HIPPO_VERIFY_BENCH_NOTES"
"""Variable with the folder for notes: what failed benchmarks printed."""
RESULTS: Final = "HIPPO_VERIFY_BENCH_RESULTS"
"""Variable with the folder of results, for what is stored before a commit is through."""
SCRIPT: Final = "HIPPO_VERIFY_BENCH_SCRIPT"
"""Variable with the path of asv's own script, for ours that runs it."""
HEADING: Final = "For parameters: "
"""How asv begins what a choice of parameters printed."""
LONGEST: Final = 1000
"""Characters kept of what each choice printed: its last ones."""

_WHERE: Final = """
import importlib.util, json, sys
found = {}
for name in sys.argv[1:]:
    spec = importlib.util.find_spec(name)
    found[name] = None if spec is None else spec.origin or list(spec.submodule_search_locations or ())[0]
print(json.dumps(found))
"""
_GONE: Final = 'raise ModuleNotFoundError("{name} is not in this commit", name="{name}")\n'


def importable(root: Path) -> dict[str, Path]:
    """Top-level packages and modules of a source tree, in the layouts ``root/name`` and ``root/src/name``."""
    found = {}
    for folder in (root / "src", root):
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if path.suffix == ".py" or (path / "__init__.py").is_file():
                    found[path.stem] = path
    return {name: path for name, path in found.items() if name.isidentifier()}


class Checkout(environment.Environment):  # type: ignore[misc]
    """The interpreter that runs asv, with all that is installed in it, and one commit's files first on its path.

    Nothing is built. Each commit is checked out into the same folder, so that paths are equally long for all. A name
    that the repository has today and the commit has not cannot be imported: an installed copy, such as an editable
    install of today's code, would else be measured in its stead.
    """

    tool_name = "checkout"
    matches_python_fallback = False

    def __init__(self, conf: Any, python: str, requirements: dict[str, str], tagged_env_vars: dict[Any, str]) -> None:
        self._requirements = requirements  # asv's own class makes the name of its folder of it
        super().__init__(conf, python, requirements, tagged_env_vars)
        self._benchmarks = Path(conf.benchmark_dir).name  # asv imports them from the working tree, whatever the path
        self._names = set(importable(Path(conf.repo, self._repo_subdir))) - {self._benchmarks}
        self._tree = Path(self._build_root, self._repo_subdir)
        self._commit: str | None = None

    @property
    def installed_commit_hash(self) -> str | None:
        """The commit that lies in the folder."""
        return self._commit

    def create(self) -> None:
        """There is nothing to install."""
        Path(self._path).mkdir(parents=True, exist_ok=True)

    def install_project(self, conf: Any, repo: Any, commit_hash: str) -> None:
        """Check a commit out, and prove that it is what is imported."""
        if self._commit == commit_hash:
            return
        self._commit = None
        self.checkout_project(repo, commit_hash)
        absent = Path(self._path, "absent")
        theirs = set(importable(self._tree)) - {self._benchmarks}
        absent.mkdir(exist_ok=True)
        for old in absent.glob("*.py"):
            old.unlink()
        for name in self._names - theirs:
            (absent / f"{name}.py").write_text(_GONE.format(name=name), encoding="utf-8")
        self._prove(sorted(self._names | theirs), (self._tree.resolve(), absent.resolve()))
        self._commit = commit_hash

    def _prove(self, names: list[str], allowed: tuple[Path, ...]) -> None:
        found = json.loads(self.run(["-P", "-c", _WHERE, *names], cwd=self._path, dots=False))
        for name, origin in found.items():
            log.info(f"{name} is imported from {origin}")
            if origin is None or not any(Path(origin).resolve().is_relative_to(folder) for folder in allowed):
                said = f"{name} is imported from {origin}, which is not the commit's; expected: below {allowed[0]}"
                log.error(f"error: {said}")
                raise util.ProcessError(["import", name], 1, "", said)

    def run(self, args: list[str], **kwargs: Any) -> Any:
        """Run the interpreter as asv runs that of an environment it made, with the commit's files first."""
        path = os.pathsep.join(map(str, (self._tree / "src", self._tree, Path(self._path, "absent"))))
        # asv reads the first name and takes the second away from itself, but not from what a benchmark starts.
        paths = {"ASV_PYTHONPATH": path, "PYTHONPATH": path}
        variables = {**kwargs.pop("env", os.environ), **self._global_env_vars, **paths}
        return util.check_output([sys.executable, *args], env=variables, **kwargs)


def _numbers(benchmark: dict[str, Any], result: Any) -> Any:
    """A result that asv can print: what is no number becomes a failure that says what it was."""
    kept, said = list(result.result), [result.stderr]
    for index, choice in enumerate(choices(benchmark["params"])):
        value = kept[index]
        if not (value is None or isinstance(value, int | float)):
            kept[index] = None
            heading = [f"{HEADING}{choice}"] if choice else []
            told = f"asv: the benchmark returned {type(value).__name__} {value!r:.80}; accepted: a number"
            said.append("\n".join([*heading, told]))
    if len(said) == 1:
        return result
    return result._replace(result=kept, stderr="\n\n".join(said).strip(), errcode=result.errcode or 1)


def _parts(text: str) -> dict[str, str]:
    """The end of what each choice of parameters printed; what no choice did is under an empty name."""
    first, *others = f"\n{text}".split(f"\n{HEADING}")
    found = {"": first, **{choice: said for choice, _, said in (part.partition("\n") for part in others)}}
    return {choice: said.strip()[-LONGEST:] for choice, said in found.items() if said.strip()}


def _noted(found: Any, folder: Path) -> dict[str, Any]:
    """What is noted of earlier runs, by the name of the benchmark."""
    path = folder / found._filename
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _kept(found: Any, benchmark: dict[str, Any], selected: Collection[int], folder: Path) -> dict[str, str | None]:
    """What is known of the choices that this run leaves alone: asv keeps their values, under its own time of measuring.

    Args:
        found: results of asv, before those of this run are added.
        benchmark: which one.
        selected: its choices that are measured.
        folder: where the notes are.

    Returns:
        By choice what it said when it was measured, None where nobody noted it; or that it never was.
    """
    name = benchmark["name"]
    same = name in found._results and found.benchmark_version.get(name) == benchmark["version"]
    measured = choices(found.get_result_params(name)) if same else ()
    note = _noted(found, folder).get(name, {})
    known = note.get("started_at", ...) == found.started_at.get(name)
    told = note.get("said", {})
    return {
        choice: NOT_CHOSEN if choice not in measured else told.get(choice, told.get("", "")) if known else None
        for index, choice in enumerate(choices(benchmark["params"]))
        if index not in selected
    }


def _note(found: Any, folder: Path) -> None:
    """Write what asv forgets: how benchmarks failed, what they said of being skipped, and the unit of their values."""
    notes, kept, units = _noted(found, folder), found.__dict__.get("_kept", {}), found.__dict__.get("_units", {})
    for name in found.errcode:
        said = {**_parts(found.stderr.get(name) or ""), **kept.get(name, {})}
        notes[name] = {"said": said, "started_at": found.started_at.get(name), "unit": units.get(name, "")}
    write_whole(folder / found._filename, json.dumps(notes, indent=1).encode())


def setup() -> None:
    """Called by asv when it loads the plugin.

    asv stores a commit when its last benchmark has ended. Here each is stored as soon as its last round is over, so
    that a run which is stopped goes on where it was.
    """
    add, save = results.Results.add_result, results.Results.save

    def add_result(self: Any, benchmark: Any, result: Any, **further: Any) -> None:
        name, selected = benchmark["name"], further.get("selected_idx")
        self.__dict__.setdefault("_units", {})[name] = benchmark["unit"]
        kept = self.__dict__.setdefault("_kept", {})
        if selected is not None and name not in kept:  # the first round; later ones would find our own
            kept[name] = _kept(self, benchmark, selected, Path(os.environ[NOTES]))
        add(self, benchmark, _numbers(benchmark, result), **further)
        rounds_left = self.__dict__.setdefault("_rounds_left", set())
        if further.get("record_samples"):  # we never ask for samples: asv keeps them for the rounds that follow
            rounds_left.add(name)
            return
        rounds_left.discard(name)
        whole = self._results
        self._results = {key: value for key, value in whole.items() if key not in rounds_left}
        try:
            self.save(os.environ[RESULTS])
        finally:
            self._results = whole

    def save_whole(self: Any, result_dir: str) -> None:
        with tempfile.TemporaryDirectory() as draft:  # asv could not read a file again that a stopped run cut off
            save(self, draft)
            write_whole(Path(result_dir, self._filename), Path(draft, self._filename).read_bytes())
        _note(self, Path(os.environ[NOTES]))

    def skip_benchmarks(benchmarks: Any, env: Any, results: Any) -> None:
        runner.skip_benchmarks(benchmarks, env, results=results)
        results.stderr.update(dict.fromkeys(benchmarks, NOT_BUILT))

    results.Results.add_result, results.Results.save = add_result, save_whole
    run.skip_benchmarks = skip_benchmarks
    machine.MachineCollection.get_machine_file_path = staticmethod(lambda: os.environ[MACHINES])
    os.environ[SCRIPT] = runner.BENCHMARK_RUN_SCRIPT
    runner.BENCHMARK_RUN_SCRIPT = str(Path(__file__).with_name("script.py"))

"""What an ``asv.conf.json`` says, and the configuration that our runs of asv get instead of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from verify import revisions
from verify.text import one_line

NAME: Final = "asv.conf.json"
RECORDED: Final = "no_build_versions"
"""Our key in a configuration: packages that no build installs, and whose version a result without a build has."""
OF_ASV: Final = frozenset({"pip+asv_runner", "pip+build", "pip+pympler"})
"""What asv itself puts into an environment: with a build it is no part of the name of one, however it is pinned."""
KINDS: Final = ("req", "env", "env_nobuild")
"""What a matrix is divided into; one without any of them is all requirements."""


class SettingsError(ValueError):
    """asv is missing, its configuration cannot be used, or another run is at work; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A benchmark suite of asv.

    Attributes:
        file: its configuration.
        repository: root of the repository whose commits are measured.
        raw: what the configuration says.
    """

    file: Path
    repository: Path
    raw: Mapping[str, Any]

    def folder(self, key: str, default: str) -> Path:
        """A folder that the configuration names, relative to itself."""
        return (self.file.parent / str(self.raw.get(key, default))).resolve()

    @property
    def benchmarks(self) -> Path:
        """The benchmarks, as they are in the working tree: they are asked of every commit."""
        return self.folder("benchmark_dir", "benchmarks")

    @property
    def results(self) -> Path:
        """The stored history."""
        return self.folder("results_dir", "results")

    @property
    def work(self) -> Path:
        """Where this program keeps logs, notes, and what asv is given."""
        return self.folder("env_dir", "env").parent / "hippo-verify"


def find(start: Path, named: Path | None = None) -> Suite:
    """The suite of a folder.

    Args:
        start: where to look, upwards to the root of the repository.
        named: a configuration that was named instead.

    Raises:
        SettingsError: there is none, or it cannot be used.
        RevisionError: the folder is in no repository.
    """
    if named is None:
        top = revisions.top(start)
        above = [folder for folder in (start.resolve(), *start.resolve().parents) if folder.is_relative_to(top)]
        found = [folder / NAME for folder in above if (folder / NAME).is_file()]
        if not found:
            raise SettingsError(f"no {NAME} in {start.resolve()} or above it; --config names one")
        named = found[0]
    if not named.is_file():
        raise SettingsError(f"--config: {named} is no file; expected: a configuration of asv")
    named = named.resolve()
    raw = _load(named)
    repository = named.parent / str(raw.get("repo", "."))
    if not repository.is_dir():
        raise SettingsError(f"{named}: repo is {raw['repo']!r}; accepted: a folder with a clone, such as '.'")
    suite = Suite(file=named, repository=revisions.top(repository), raw=raw)
    if not suite.benchmarks.is_dir():
        raise SettingsError(f"{named}: benchmark_dir is {suite.benchmarks}, which is no folder")
    return suite


def _load(path: Path) -> dict[str, Any]:
    import json5  # noqa: PLC0415 -- comes with asv

    try:
        raw = json5.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {one_line(str(error))}; expected: JSON as asv reads it") from error
    if not isinstance(raw, dict) or raw.get("version") != 1:
        raise SettingsError(f'{path} is no configuration of asv; expected: an object with "version": 1')
    return raw


def derived(suite: Suite, *, build: bool, results: Path) -> dict[str, Any]:
    """The configuration of our runs: paths that hold anywhere, our plugin, and the environment.

    Args:
        suite: the suite.
        build: whether asv builds and installs each commit; else the interpreter that runs us is used as it is.
        results: where results are kept.
    """
    found = {
        **suite.raw,
        "repo": str(suite.repository),
        "dvcs": "git",
        "branches": ["HEAD"],  # where asv looks for benchmarks if an old commit cannot list them
        "benchmark_dir": str(suite.benchmarks),
        "env_dir": str(suite.folder("env_dir", "env")),
        "html_dir": str(suite.folder("html_dir", "html")),
        "results_dir": str(results),
        "plugins": [*suite.raw.get("plugins", []), ".verify.bench.plugin"],
    }
    if not build:
        matrix = suite.raw.get("matrix", {})
        split = matrix if set(KINDS) & set(matrix) else {"req": matrix}
        named = (set(split.get("req", {})) - OF_ASV) | set(suite.raw.get(RECORDED, []))
        names = {name.removeprefix("pip+") for name in named}
        there = {name: version for name in sorted(names) if (version := _installed(name)) is not None}
        found |= {
            "environment_type": "checkout",
            "pythons": [f"{sys.version_info.major}.{sys.version_info.minor}"],
            "matrix": {
                "req": {name: [version] for name, version in there.items()},
                "env": _single(split.get("env", {})),
                "env_nobuild": _single(split.get("env_nobuild", {})),
            },
            "include": [],
            "exclude": [],
        }
    return found


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _single(variables: Mapping[str, Any]) -> dict[str, list[str]]:
    """The first value of each variable: one interpreter is one environment."""
    return {name: [str(value[0] if isinstance(value, list) else value)] for name, value in variables.items()}


def environments(configuration: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the environments that asv makes of a configuration.

    Raises:
        SettingsError: there is none, such as where the Python that it asks for is not installed.
    """
    import asv.environment  # noqa: PLC0415 -- asv is in an extra
    import asv.plugin_manager  # noqa: PLC0415 -- the environments are plugins
    from asv.config import Config  # noqa: PLC0415
    from asv.util import UserError  # noqa: PLC0415

    import verify.bench.plugin  # noqa: F401, PLC0415 -- the one without a build is ours

    try:
        found = list(asv.environment.get_environments(Config.from_json(dict(configuration)), None, verbose=False))
    except (UserError, RuntimeError) as error:
        raise SettingsError(f"asv refuses the configuration: {one_line(str(error))}") from error
    if not found:
        kind, pythons = configuration.get("environment_type"), configuration.get("pythons")
        raise SettingsError(
            f"asv can make no environment of type {kind!r} with Python {pythons}; install that Python and virtualenv, "
            "or measure with this Python and without a build: --no-build"
        )
    return tuple(environment.name for environment in found)


def machine(name: str | None, file: Path) -> str:
    """The name under which results of this machine are kept; its description is written into a file for asv.

    asv itself would ask for it, and keep it in the home folder: what is there is taken, and nothing is put there.

    Args:
        name: a name; default: what asv calls this machine, which is its host name.
        file: where the description is written.

    Raises:
        SettingsError: the name is no name, or what is in the home folder cannot be read.
    """
    from asv.machine import Machine, MachineCollection  # noqa: PLC0415 -- asv is in an extra
    from asv.util import UserError  # noqa: PLC0415

    if name is not None and (not name or name.startswith((".", "-")) or "/" in name or not name.isprintable()):
        raise SettingsError(f"--machine is {one_line(name)!r}; accepted: a name that a folder can have")
    wanted = Machine.get_unique_machine_name() if name is None else name
    home = Path(MachineCollection.get_machine_file_path())
    try:
        if home.is_file() and not isinstance(json.loads(home.read_text(encoding="utf-8")), dict):
            raise ValueError("it is no object")
        described = MachineCollection.load(wanted)
    except UserError:
        described = {**Machine.get_defaults(), "machine": wanted}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{home} is not asv's any more: {one_line(str(error))}; mend or remove it") from error
    MachineCollection.save(described["machine"], described, _path=str(file))
    return str(described["machine"])


def written(configuration: Mapping[str, Any], folder: Path) -> Path:
    """Write a configuration for asv."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    path.write_text(json.dumps(configuration, indent=1), encoding="utf-8")
    return path

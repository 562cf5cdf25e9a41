"""Mutation test of the harness itself: how many deliberate faults in metrics, bounds and verdicts do its tests find?

``make mutants`` (or ``python tests/mutation/run.py``, with mutmut installed) copies the tree, lets mutmut change one
thing at a time in the modules of ``config.toml``, and runs the tests named there on each change. The table goes to
``reports/published/mutation.md``; every survivor has a line in ``survivors.toml`` that says why no test can or should
tell it from the original.

mutmut leaves decorated functions alone. What is cached or a property is real logic here, so in the copy the body of
such a function moves to a plain one that the decorated one calls.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

try:
    import libcst as cst
except ModuleNotFoundError:
    raise SystemExit("mutmut is not installed: run `make mutants`, or first `pip install mutmut==3.8.1`") from None

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CONFIG = tomllib.loads((HERE / "config.toml").read_text())
COPIED = ("hippo_ref", "hippo_fast", "verify", "tests")
OPENED = ("property", "lru_cache")
KILLED = ("killed", "timeout")
SURVIVED = ("survived", "no tests", "segfault", "suspicious")
GOAL = 0.9
RUN = "from mutmut.__main__ import cli; cli()"


class Opener(cst.CSTTransformer):
    """Moves the body of a property or a cached function into a plain function beside it."""

    def leave_FunctionDef(self, original_node, updated_node):
        names = [_name(decorator.decorator) for decorator in updated_node.decorators]
        if len(names) != 1 or names[0] not in OPENED:
            return updated_node
        plain = f"_open_{updated_node.name.value}"
        arguments = [parameter.name.value for parameter in updated_node.params.params]
        call = f"self.{plain}()" if arguments == ["self"] else f"{plain}({', '.join(arguments)})"
        body = cst.IndentedBlock([cst.parse_statement(f"return {call}")])
        inner = updated_node.with_changes(name=cst.Name(plain), decorators=[])
        return cst.FlattenSentinel([inner, updated_node.with_changes(body=body)])


def _name(node):
    while not isinstance(node, cst.Name):
        node = node.func if isinstance(node, cst.Call) else node.attr
    return node.value


@dataclass(frozen=True)
class Mutant:
    """One change, and what became of it."""

    name: str
    status: str
    module: str
    function: str
    was: str = ""
    now: str = ""


def prepare(folder):
    """A copy of the tree, opened up, with mutmut's configuration in its pyproject.toml."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    skip = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    for path in CONFIG["modules"]:
        source = (folder / path).read_text()
        (folder / path).write_text(cst.parse_module(source).visit(Opener()).code)
    options = {
        "source_paths": ["verify"],
        "only_mutate": list(CONFIG["modules"]),
        "also_copy": ["hippo_ref", "hippo_fast"],
        "do_not_mutate_patterns": CONFIG["noise"],
        "pytest_add_cli_args_test_selection": CONFIG["tests"],
        "use_git_change_detection": False,
        "use_setproctitle": False,
        "timeout_multiplier": 20.0,
    }
    # Plugins are not loaded (see `mutate`), so the options of the tree's own pyproject.toml would not be known.
    tests = {"addopts": "-p no:cacheprovider", "filterwarnings": ["error"]}
    with (folder / "pyproject.toml").open("w") as file:
        for table, values in (("tool.pytest.ini_options", tests), ("tool.mutmut", options)):
            file.write(f"[{table}]\n")
            file.writelines(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def mutate(folder, patterns):
    """Run mutmut in the copy, one process at a time and one thread each."""
    quiet = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    quiet |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": ""}
    command = [sys.executable, "-c", RUN, "run", "--max-children", "1", *patterns]
    with (folder / "log.txt").open("w") as log:
        answer = subprocess.run(
            command, cwd=folder, env={**os.environ, **quiet}, stdout=log, stderr=subprocess.STDOUT, check=False
        )
    if answer.returncode:
        raise SystemExit((folder / "log.txt").read_text()[-4000:])


def wanted():
    """The names of mutants to run, as patterns: all of a module, or some of its functions."""
    patterns = []
    for path, functions in CONFIG["modules"].items():
        module = path.removesuffix(".py").replace("/", ".")
        patterns += [f"{module}.x*" if name == "*" else f"{module}.{_mangled(name)}__mutmut_*" for name in functions]
    return patterns


def _mangled(name):
    owner, _, method = name.rpartition(".")
    return f"xǁ{owner}ǁ{method}" if owner else f"x_{method}"


def outcome(folder):
    """Every mutant with its status; the changed lines of those that survived."""
    sys.path.insert(0, str(folder))
    os.chdir(folder)
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code

    found = []
    for path in CONFIG["modules"]:
        codes = json.loads((folder / "mutants" / f"{path}.meta").read_text())["exit_code_by_key"]
        for name, code in codes.items():
            status = status_by_exit_code[code]
            if status == "not checked":
                continue
            function = re.sub(r"__mutmut_\d+$", "", name.rpartition(".")[2])
            function = function.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".").replace("_open_", "")
            lines = get_diff_for_mutant(name, path=Path(path)).splitlines()[3:] if status in SURVIVED else []
            was, now = (" ".join(x[1:].strip() for x in lines if x.startswith(sign)) for sign in "-+")
            found.append(Mutant(name, status, path, function, was, now))
    return found


def explained(mutants):
    """Pairs of survivor and reason, the reason empty where none is written down; and reasons that no survivor has."""
    reasons = {}
    for entry in tomllib.loads((HERE / "survivors.toml").read_text())["survivor"]:
        for now in entry["now"]:
            reasons[f"verify/{entry['module']}", entry["function"], now] = entry["why"]
    survivors = [mutant for mutant in mutants if mutant.status in SURVIVED]
    pairs = [(mutant, reasons.get((mutant.module, mutant.function, mutant.now), "")) for mutant in survivors]
    known = {(mutant.module, mutant.function, mutant.now) for mutant in survivors}
    return pairs, [key for key in reasons if key not in known]


def shortened(was, now, context=16):
    """The part of two lines in which they differ, with a little of what is around it."""
    start = _shared(was, now)
    end = _shared(was[start:][::-1], now[start:][::-1])
    parts = []
    for line in (was, now):
        left, right = max(start - context, 0), min(len(line) - end + context, len(line))
        parts.append(("…" if left else "") + line[left:right].strip() + ("…" if right < len(line) else ""))
    return parts


def _shared(one, other):
    """How many characters two texts begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def table(mutants, pairs, commit):
    """The report as Markdown."""
    rows, total = [], Counter()
    for path in CONFIG["modules"]:
        counts = Counter(mutant.status for mutant in mutants if mutant.module == path)
        total += counts
        rows.append(_row(f"`{path}`", counts))
    versions = f"mutmut {importlib.metadata.version('mutmut')}, Python {sys.version_info[0]}.{sys.version_info[1]}"
    lines = [
        "# Is the harness itself tested?",
        "",
        f"`make mutants` ({versions}; commit {commit}) changes one thing at a time in the functions",
        "that verdicts rest on, and runs the tests of `tests/mutation/config.toml` on each change. Left out: lines of",
        "nothing but text, the search for inputs in `checks/base.py`, and constants of modules.",
        "",
        "| module | changes | found | found, % | not found |",
        "|---|---|---|---|---|",
        *rows,
        _row("**all**", total),
        "",
        f"## The {len(pairs)} that were not found",
        "",
        "| where | was | became | why no test tells them apart |",
        "|---|---|---|---|",
    ]
    for mutant, why in pairs:
        was, now = (part.replace("|", "\\|") for part in shortened(mutant.was, mutant.now))
        place = f"{mutant.module.removeprefix('verify/')} {mutant.function}"
        lines.append(f"| {place} | `{was}` | `{now}` | {why or '**unexplained**'} |")
    return "\n".join(lines) + "\n", total


def _row(name, counts):
    killed, survived = (sum(counts[status] for status in kinds) for kinds in (KILLED, SURVIVED))
    return f"| {name} | {killed + survived} | {killed} | {100 * killed / max(killed + survived, 1):.1f} | {survived} |"


def commit():
    """Short hash of the tree that was changed, with a mark where it is not as committed."""
    command = ["git", "describe", "--always", "--dirty=, modified"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def say(text):
    """Print one line."""
    sys.stdout.write(f"{text}\n")


def main():
    """Prepare, mutate, report; exit 1 below `GOAL` or with a survivor that nobody explained."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=ROOT / ".hippo-verify" / "mutants", help="where the copy goes")
    parser.add_argument("--only", nargs="*", help="patterns of mutants, instead of all that config.toml asks for")
    parser.add_argument("--keep", action="store_true", help="report what the folder holds already, change nothing")
    parser.add_argument("--report", type=Path, help="file to write, reports/published/mutation.md for a whole run")
    options = parser.parse_args()
    folder = options.folder.resolve()
    if not options.keep:
        prepare(folder)
        mutate(folder, options.only or wanted())
    mutants = outcome(folder)
    pairs, stale = explained(mutants)
    text, total = table(mutants, pairs, commit())
    report = options.report or (None if options.only else ROOT / "reports" / "published" / "mutation.md")
    if report:
        report.write_text(text)
    for mutant, why in pairs:
        if not why:
            say(f"{mutant.name}: {mutant.status}\n  - {mutant.was}\n  + {mutant.now}")
    for key in stale if not options.only else ():
        say(" ".join(("explained, but found or gone:", *key)))
    killed = sum(total[status] for status in KILLED)
    say(f"{killed} of {killed + len(pairs)} changes found, {sum(not why for _, why in pairs)} survivors unexplained")
    raise SystemExit(killed < GOAL * (killed + len(pairs)) or any(not why for _, why in pairs))


if __name__ == "__main__":
    main()

"""Documents are executed: what they write is written, what they run is run, what they show is compared."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# ([\w./-]+\.\w+)\n")


def blocks(page):
    return [(match[1], match[2]) for match in FENCE.finditer(page.read_text(encoding="utf-8"))]


def shown(pattern, actual):
    """Whether output is as printed; ``...`` stands for anything."""
    parts = [re.escape(part) for part in pattern.rstrip().split("...")]
    return re.fullmatch(r"[\s\S]*?".join(parts) + r"\s*", actual) is not None


def environment(**further):
    """That of a person in a terminal of 120 columns, with our commands on the path, and outside of any pytest."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {**own, "PATH": path, "COLUMNS": "120", **further}


def perform(page, folder, variables, *, skipped=("make ", "git ")):
    """Do what a page says, from top to bottom.

    A block whose first line names a file (``# name.ext``) becomes that file; other Python runs in one namespace; TOML
    and YAML are parsed; the lines of a console block run in the folder and must print what stands below them.

    Args:
        page: the document.
        folder: where files are and commands run.
        variables: the environment of the commands.
        skipped: beginnings of commands that are set-up, which CI runs itself.
    """
    namespace = {}
    for language, text in blocks(page):
        named = NAMED.match(text)
        if language == "toml":
            tomllib.loads(text)
        elif language == "yaml":
            yaml.safe_load(text)
        if named and language in ("python", "toml", "yaml"):
            path = folder / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif language == "python":
            exec(compile(text, str(page), "exec"), namespace)
        elif language == "console":
            for command in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, expected = command.partition("\n")
                if not line.startswith(skipped):
                    _run(line, expected, folder, variables, page)


def _run(line, expected, folder, variables, page):
    answer = subprocess.run(
        line, shell=True, cwd=folder, env=variables, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert shown(expected, answer.stdout), (
        f"{line}\nprinted:\n{answer.stdout}\n{answer.stderr}\nbut {page.name} shows:\n{expected}"
    )

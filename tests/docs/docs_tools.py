"""Documents are executed: what they write is written, what they run is run, what they show is compared."""

import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
"""All that people read; what is published is shown in it and checked elsewhere."""
SKIPPED = ("make ", "git ")
"""Beginnings of commands that are set-up, which CI runs itself."""
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


def commands(text, skipped=SKIPPED):
    """The commands of a console block that are run, each with what it must print."""
    for command in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, expected = command.partition("\n")
        if not line.startswith(skipped):
            yield line, expected


def examples(text):
    """How many examples of a page are executed, by what they are: a file that is written counts where it is used."""
    found = Counter()
    for match in FENCE.finditer(text):
        if match[1] == "console":
            found["command"] += sum(1 for _ in commands(match[2]))
        elif match[1] == "python":
            found["file" if NAMED.match(match[2]) else "python"] += 1
    return dict(found)


def perform(page, folder, variables, *, skipped=SKIPPED):
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
    whole = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(whole):
        language, text = match[1], match[2]
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
            above = whole.count("\n", 0, match.start(2))  # so that a traceback shows the line of the page
            exec(compile("\n" * above + text, str(page), "exec"), namespace)
        elif language == "console":
            for line, expected in commands(text, skipped):
                _run(line, expected, folder, variables, page)


def _run(line, expected, folder, variables, page):
    answer = subprocess.run(
        line, shell=True, cwd=folder, env=variables, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert shown(expected, answer.stdout), (
        f"{line}\nprinted:\n{answer.stdout}\n{answer.stderr}\nbut {page.name} shows:\n{expected}"
    )


def main():
    """Say how many examples there are that the tests execute: ``python tests/docs/docs_tools.py``."""
    total = Counter()
    for page in PAGES:
        found = examples(page.read_text(encoding="utf-8"))
        total.update(found)
        if found:
            counts = " ".join(f"{count:4} {kind}" for kind, count in sorted(found.items()))
            sys.stdout.write(f"{page.relative_to(ROOT).as_posix():40} {counts}\n")
    counts = ", ".join(f"{count} of kind {kind}" for kind, count in sorted(total.items()))
    sys.stdout.write(f"{len(PAGES)} pages: {counts}\n")


if __name__ == "__main__":
    main()

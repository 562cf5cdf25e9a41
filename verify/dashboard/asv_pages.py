"""asv's own pages, made by ``asv publish`` from a copy of the results that cannot harm it, and made to work offline.

asv 0.6.6 does not come back from an infinite value, takes a negative one for a huge gain, and stops at anything that is
no number, at a commit that the repository does not have, and at a file that it cannot read. Whatever is kept from it is
named. What it loads from a network is replaced by the copies that we ship.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verify.text import one_line

POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file: 'unsafe-inline'; font-src 'self' file:; "
    "img-src 'self' file: data: blob:; base-uri 'none'; form-action 'none'"
)
"""What a page of the site may load: what lies beside it. ``'self'`` means nothing to some browsers under ``file:``."""

SETTINGS = ("project", "project_url", "show_commit_url", "hash_length")


@dataclass(frozen=True)
class AsvPages:
    """What became of asv's pages.

    Attributes:
        made: whether they are there.
        left_out: what asv did not get to see, a line each.
        problem: why they are not there; empty where they are, or were not asked for.
    """

    made: bool
    left_out: Sequence[str] = ()
    problem: str = ""


def settings(repository: Path) -> dict[str, Any]:
    """Name and addresses of the project from its ``asv.conf.json``; nothing where it has none that asv can read."""
    from asv.config import Config  # noqa: PLC0415 -- an extra
    from asv.util import UserError  # noqa: PLC0415

    try:
        config = Config.load(str(repository / "asv.conf.json"))
    except (UserError, OSError, ValueError, TypeError, AttributeError, KeyError):
        return {}
    return {name: value for name in SETTINGS if (value := getattr(config, name, None)) is not None}


def publish(
    results: Path,
    repository: Path,
    commits: Collection[str],
    folder: Path,
    vendor: Path,
    *,
    machine: str | None = None,
    timeout: float = 900,
) -> AsvPages:
    """Make asv's pages in a folder of their own.

    Args:
        results: asv's results; they are only read.
        repository: where the commits are.
        commits: hashes of the commits that may be shown.
        folder: where the pages go; replaced.
        vendor: our copies of the libraries that the pages need.
        machine: only what was measured on this one.
        timeout: seconds after which asv is stopped.
    """
    with tempfile.TemporaryDirectory() as scratch:
        copied = Path(scratch) / "results"
        left_out = sanitized(results, copied, commits, machine)
        config = {
            "version": 1,
            "project": repository.name,
            "project_url": "#",
            "show_commit_url": "#",
            "branches": ["HEAD"],
            **settings(repository),
            "repo": str(repository.resolve()),
            "results_dir": str(copied),
            "html_dir": str(Path(scratch) / "html"),
            "env_dir": str(Path(scratch) / "env"),
        }
        (Path(scratch) / "asv.conf.json").write_text(json.dumps(config), encoding="utf-8")
        problem = _run(Path(scratch), timeout)
        if not problem:
            problem = localized(Path(scratch) / "html", vendor)
        shutil.rmtree(folder, ignore_errors=True)
        if problem:
            return AsvPages(False, left_out, problem)
        shutil.copytree(Path(scratch) / "html", folder)
    return AsvPages(True, left_out)


def _run(scratch: Path, timeout: float) -> str:
    """Run ``asv publish`` in a process group of its own; what went wrong, or nothing."""
    command = [sys.executable, "-m", "asv", "publish", "--no-pull", "--config", str(scratch / "asv.conf.json")]
    with (scratch / "log").open("w+b") as log:
        process = subprocess.Popen(  # noqa: S603 -- our own interpreter
            command, cwd=scratch, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return f"asv publish did not end within {timeout:g} seconds and was stopped"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # its pool of workers too
                process.wait()
        log.seek(0)
        said = log.read().decode("utf-8", "replace")
    return f"asv publish ended with exit code {code}: {one_line(said[-600:])}" if code else ""


def sanitized(results: Path, copy: Path, commits: Collection[str], machine: str | None = None) -> list[str]:
    """Copy results, without what asv cannot bear.

    Args:
        results: asv's results.
        copy: where the copy goes.
        commits: hashes of the commits that may be in it.
        machine: only what was measured on this one; None: on any.

    Returns:
        What was left out, a line each.
    """
    found: Counter[str] = Counter()
    for path in sorted(results.glob("*/*.json")):
        if machine is not None and path.parent.name != machine:
            continue
        where = f"{path.parent.name}/{path.name}"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if path.name != "machine.json":
                if document["commit_hash"] not in commits:
                    found[f"commit {one_line(str(document['commit_hash']), 12)}: not on the line of HEAD"] += 1
                    continue
                document = _clean(document, found)
        except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            found[f"{one_line(where)}: not results as asv writes them ({one_line(repr(error), 80)})"] += 1
            continue
        (copy / path.parent.name).mkdir(parents=True, exist_ok=True)
        (copy / path.parent.name / path.name).write_text(json.dumps(document), encoding="utf-8")
    copy.mkdir(parents=True, exist_ok=True)
    if (results / "benchmarks.json").is_file():
        shutil.copyfile(results / "benchmarks.json", copy / "benchmarks.json")
    return [text if number == 1 else f"{text} ({number} times)" for text, number in found.items()]


def _clean(document: Mapping[str, Any], found: Counter[str]) -> dict[str, Any]:
    """One file of results with nothing in its numbers but finite ones that are not negative."""
    columns = document["result_columns"]
    kept = {}
    for name, row in document["results"].items():
        cells = dict(zip(columns, row, strict=False))
        cells.pop("samples", None)  # not shown, and by far the largest
        values = cells.get("result")
        listed = values if isinstance(values, list) else [values]
        cleaned = [_value(value, f"{name} at {document['commit_hash'][:8]}", found) for value in listed]
        cells["result"] = None if values is None else cleaned
        gone = [i for i, value in enumerate(cleaned) if value is None]
        for key, stats in cells.items():
            if key.startswith("stats_") and isinstance(stats, list):
                # Statistics without their value, or with an infinite end, are of no use to asv either.
                cells[key] = [None if i in gone or not _is_finite(s) else s for i, s in enumerate(stats)]
        kept[name] = [cells.get(column) for column in columns if column != "samples"]
    return {**document, "result_columns": [c for c in columns if c != "samples"], "results": kept}


def _is_finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= sys.float_info.max  # False for NaN; and an int may be larger


def _value(value: Any, where: str, found: Counter[str]) -> Any:
    """A value that asv can take, else None, which it shows as a gap. NaN is its word for skipped: no news."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if not _is_finite(value):
        found[f"{one_line(where)}: {one_line(repr(value), 40)} is no finite number"] += 1
    elif value < 0:
        found[f"{one_line(where)}: {value:g} is negative, which asv takes for a gain"] += 1
    else:
        return value
    return None


def localized(folder: Path, vendor: Path) -> str:
    """Make the pages work without a network and from ``file://``; what stands in the way, or nothing."""
    index = folder / "index.html"
    text = index.read_text(encoding="utf-8")
    ours = {_stem(path.name): path for path in sorted(vendor.iterdir()) if path.suffix in (".js", ".css")}
    missing = []

    def local(match: re.Match[str]) -> str:
        copy = ours.get(_stem(match["url"].rsplit("/", 1)[1]))
        if copy is None:
            missing.append(match["url"])
            return match[0]
        (folder / "vendor").mkdir(exist_ok=True)
        shutil.copyfile(copy, folder / "vendor" / copy.name)
        target = f"vendor/{copy.name}"
        if copy.suffix == ".css":
            return f'<link rel="stylesheet" href="{target}">'
        more = '\n    <script src="asv_local.js"></script>' if copy.name == "jquery.min.js" else ""
        return f'<script src="{target}"></script>{more}'

    text = re.sub(r"<script\b[^>]*>\s*function js_load_failure\b.*?</script>", "", text, flags=re.DOTALL)
    text = re.sub(r'<script\s[^>]*?src="(?P<url>https?://[^"]+)"[^>]*>\s*</script>', local, text)
    text = re.sub(r'<link\s[^>]*?href="(?P<url>https?://[^"]+)"[^>]*>', local, text)
    if missing:
        return f"asv's pages load {', '.join(missing)} from a network, and we ship no copy of it"
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    text = text.replace("<html>", '<html lang="en">', 1).replace("<head>", f"<head>\n    {policy}", 1)
    back = '<li><a href="../index.html">Dashboard</a></li>'
    text = text.replace('<li id="nav-li-" ', f'{back}\n        <li id="nav-li-" ', 1)
    index.write_text(text, encoding="utf-8")
    shutil.copyfile(vendor.parent / "asv_local.js", folder / "asv_local.js")
    (folder / "fonts").mkdir(exist_ok=True)
    for font in sorted(vendor.glob("*.woff2")):
        shutil.copyfile(font, folder / "fonts" / font.name)  # where bootstrap's style looks for it
    (folder / "vendor").mkdir(exist_ok=True)
    shutil.copyfile(vendor / "LICENSES.txt", folder / "vendor" / "LICENSES.txt")
    for path in sorted(folder.rglob("*.json")):
        path.with_name(f"{path.name}.js").write_text(
            f"asvData({path.read_text(encoding='utf-8').strip()});\n", encoding="utf-8"
        )
        path.unlink()
    (folder / "error.html").unlink(missing_ok=True)  # it says that a network is missing
    return ""


def _stem(name: str) -> str:
    """``jquery-3.3.1.min.js`` and ``jquery.min.js`` are the same library."""
    stem, _, kind = name.rpartition(".")
    return re.sub(r"-[\d.]+$", "", stem.removesuffix(".min")) + f".{kind}"

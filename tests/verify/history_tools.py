"""Repositories whose commits are dated as a test wants them, and results of asv for them."""

import json
import math
import subprocess

from verify.history import Place, Point, Series
from verify.kinds import Kind, kind_of
from verify.revisions import environment

MACHINE = {"machine": "here", "arch": "x86_64", "cpu": "a CPU", "num_cpu": "2", "os": "Linux", "ram": "8"}
COLUMNS = ["result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25",
           "stats_q_75"]  # fmt: skip
TIME, ERROR, BITS = "bench_a.time_scan", "bench_a.track_error", "bench_a.track_bits"
UNITS = {TIME: "seconds", ERROR: "error / bound", BITS: "bits lost", "bench_a.track_checks": "checks"}


def git(folder, *arguments, given=None):
    answer = subprocess.run(
        ["git", "-C", str(folder), *arguments], input=given, env=environment(), check=True, capture_output=True
    )
    return answer.stdout.decode()


def repository(folder, dates, branch_at=None):
    """Hashes of commits with these dates, on main; and, where `branch_at` is given, of one on a branch from there."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    stream = b""
    for i, date in enumerate(dates):
        stream += b"commit refs/heads/main\nmark :%d\ncommitter A <a@example.org> %d +0000\n" % (i + 1, date)
        stream += b"data 8\nnumber %d\nM 100644 inline file\ndata 1\n%d\n" % (i % 10, i % 10)
    if branch_at is not None:
        stream += b"commit refs/heads/side\nmark :99\ncommitter A <a@example.org> %d +0000\n" % (dates[-1] + 1)
        stream += b"data 4\nside\nfrom :%d\nM 100644 inline other\ndata 1\nx\n" % (branch_at + 1)
    git(folder, "fast-import", "--quiet", given=stream)
    git(folder, "reset", "--quiet", "--hard", "main")
    hashes = git(folder, "rev-list", "--reverse", "main").split()
    return [*hashes, git(folder, "rev-parse", "side").strip()] if branch_at is not None else hashes


def store(
    results, commit, values, *, machine=MACHINE, environment="py", date=0, versions=None, started=None, params=None
):
    """A results file of asv: `values` are lists, one value for each choice of `params`, or null."""
    rows = {
        name: [value, (params or {}).get(name, []), (versions or {}).get(name, "1"), started]
        for name, value in values.items()
    }
    content = {
        "commit_hash": commit, "env_name": environment, "date": date * 1000, "params": machine, "python": "3.11",
        "requirements": {}, "env_vars": {}, "result_columns": COLUMNS, "results": rows, "durations": {}, "version": 2,
    }  # fmt: skip
    folder = results / machine["machine"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "machine.json").write_text(json.dumps({**machine, "version": 1}))
    path = folder / f"{commit[:8]}-{environment}.json"
    path.write_text(json.dumps(content))
    listed = {name: {"name": name, "unit": unit, "params": [], "version": "1"} for name, unit in UNITS.items()}
    (results / "benchmarks.json").write_text(json.dumps({**listed, "version": 2}))
    return path


def series(values, name=TIME, unit=None, versions=None, whens=None):
    """A series of points; None: failed."""
    unit = UNITS[name] if unit is None else unit
    points = tuple(
        Point(
            commit=i, value=value, why="failed" if value is None else "" if math.isfinite(value) else "NaN",
            version=versions[i] if versions else "1", when=whens[i] if whens else None,
        )
        for i, value in enumerate(values)
    )  # fmt: skip
    return Series(
        name=name, kind=Kind(kind_of(name, unit)), unit=unit, points=points,
        place=Place(machine="here", environment="py"),
    )  # fmt: skip

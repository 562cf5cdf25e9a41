"""A repository with results of asv: a planted regression, one that was made good, NaN, inf, hostile texts."""

import hashlib
import itertools
import json
import math
import subprocess
from datetime import UTC, datetime, timedelta

HOSTILE = "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=2><!-- {{7*7}} 'q' \"w\" ${7*7}"
START = datetime(2026, 1, 5, 12, tzinfo=UTC)
COMMITS = 30
RELEASE, SLOW, WRONG, MENDED = 12, 20, 16, 24
"""Commits: the release; LegS on numpy takes twice the time; the error grows; the error is as before."""

BACKENDS, MEASURES = ("numpy", "numba"), ("legs", "legt", "fout")
MACHINE = {"arch": "x86_64", "cpu": "A CPU", "machine": "lab", "num_cpu": "2", "os": "Linux", "ram": "8", "version": 1}


def repository(folder, *, commits=COMMITS, subjects=None):
    """A repository of that many commits, a day apart, tag v1.0 at the release; gives their hashes, oldest first."""
    folder.mkdir(parents=True, exist_ok=True)
    run = ["git", "-C", str(folder)]
    subprocess.run([*run, "init", "--quiet", "--initial-branch=main"], check=True)
    stream = []
    for i in range(commits):
        when = int((START + timedelta(days=i)).timestamp())
        subject = (subjects or {}).get(i, f"change number {i}").encode()
        stream += [
            b"commit refs/heads/main\nmark :%d\ncommitter A Person <a@example.org> %d +0000\n" % (i + 1, when),
            b"data %d\n%s\n" % (len(subject), subject),
            b"M 100644 inline file\ndata %d\n%d\n" % (len(str(i)), i),
        ]
    if commits > RELEASE:
        stream.append(b"reset refs/tags/v1.0\nfrom :%d\n\n" % (RELEASE + 1))
    subprocess.run([*run, "fast-import", "--quiet"], input=b"".join(stream), check=True)
    subprocess.run([*run, "reset", "--quiet", "--hard", "main"], check=True)
    out = subprocess.run([*run, "rev-list", "--reverse", "main"], check=True, capture_output=True, text=True)
    return out.stdout.split()


def wobble(*key):
    """Noise of at most two per cent, the same for the same key."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return 1 + 0.04 * (digest[0] / 255 - 0.5)


def planted(commit):
    """What each benchmark gives at a commit: name -> (parameters, values in the order of their product)."""
    grid = list(itertools.product(BACKENDS, MEASURES))
    base = {"numpy": 1e-3, "numba": 2e-4}
    slow = [2.0 if (b, m) == ("numpy", "legs") and commit >= SLOW else 1.0 for b, m in grid]
    wrong = [8.0 if (b, m) == ("numba", "fout") and WRONG <= commit < MENDED else 1.0 for b, m in grid]
    names = [[repr(b) for b in BACKENDS], [repr(m) for m in MEASURES]]
    return {
        "bench_scan.Scan.time_states": (
            names,
            [base[b] * s * wobble("t", b, m, commit) for (b, m), s in zip(grid, slow, strict=True)],
        ),
        "bench_scan.Scan.track_error": (
            names,
            [(0.1 + 0.1 * i) * w for i, w in enumerate(wrong)],
        ),
        "bench_scan.Scan.peakmem_states": ([], [5e7 * wobble("m", commit)]),
        "bench_scan.Scan.track_exact": ([], [0.0]),
        "bench_scan.Scan.time_skipped": ([["'triton'"]], [math.nan]),
        "bench_scan.Scan.track_lost": ([], [0.5 if commit < COMMITS - 2 else math.nan]),
        "bench_scan.Scan.track_burst": ([], [math.inf if commit == 5 else -1.0 if commit == 6 else 1.0]),
        "bench_scan.Scan.time_gone": ([], [1e-3 if commit < COMMITS - 1 else None]),
    }


PARAMETERS = {
    "bench_scan.Scan.time_states": ["backend", "measure"],
    "bench_scan.Scan.track_error": ["backend", "measure"],
    "bench_scan.Scan.time_skipped": ["backend"],
}


def results(folder, hashes, *, values=planted, skip=(), parameters=None):
    """Results of asv for those commits, as asv 0.6.6 writes them."""
    parameters = PARAMETERS if parameters is None else parameters
    (folder / "lab").mkdir(parents=True, exist_ok=True)
    (folder / "lab" / "machine.json").write_text(json.dumps(MACHINE))
    benchmarks = {"version": 2}
    for i, commit in enumerate(hashes):
        if i in skip:
            continue
        rows = {}
        started = int(START.timestamp() * 1000) + 3_600_000 * (7 * i % 31)  # measured in no order, as should be
        for name, (params, numbers) in values(i).items():
            unit = "seconds" if ".time_" in name else "bytes" if ".peakmem_" in name else "error / bound"
            benchmarks[name] = {
                "name": name, "code": f"def {name.rpartition('.')[2]}(): pass", "params": params, "unit": unit,
                "param_names": parameters.get(name, []), "type": "time" if unit == "seconds" else "track",
                "timeout": 60.0, "version": "1", "pretty_name": None,
            }  # fmt: skip
            stats = [None if x is None or unit != "seconds" else x for x in numbers]
            quartiles = [[x * s if x else None for x in stats] for s in (0.98, 1.02)]
            rows[name] = [numbers, params, "1", started, 0.1, *(quartiles * 2), [1] * len(stats), [10] * len(stats)]
        when = int((START + timedelta(days=i)).timestamp() * 1000)
        columns = ["result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b",
                   "stats_q_25", "stats_q_75", "stats_number", "stats_repeat"]  # fmt: skip
        document = {
            "commit_hash": commit, "env_name": "virtualenv-py3.11", "date": when,
            "params": {**MACHINE, "python": "3.11"},
            "python": "3.11", "requirements": {}, "env_vars": {}, "result_columns": columns, "results": rows,
            "durations": {}, "version": 2,
        }  # fmt: skip
        document["params"].pop("version")
        (folder / "lab" / f"{commit[:8]}-virtualenv-py3.11.json").write_text(json.dumps(document))
    (folder / "benchmarks.json").write_text(json.dumps(benchmarks))
    return folder


def history_of(
    values, *, commits=None, tags=None, subjects=None, kind="time", unit="seconds", version=None, measured=None
):
    """A history made by hand: name -> values by commit; None is a failure, a missing commit was not run."""
    from verify.history.series import FAILED, NOT_RUN, UNCLEAR, History, Place, Point, Series
    from verify.kinds import Kind
    from verify.revisions import Commit

    number = commits or max(len(listed) for listed in values.values())
    line = tuple(
        Commit(
            hash=f"{i:040x}",
            when=START + timedelta(days=i),
            subject=(subjects or {}).get(i, f"change number {i}"),
            tags=(tags or {}).get(i, ()),
        )
        for i in range(number)
    )
    series = {}
    for name, listed in values.items():
        points = tuple(
            Point(commit=i, value=None, why=NOT_RUN)
            if value == "not run"
            else Point(
                commit=i, value=value, why=FAILED if value is None else "" if math.isfinite(value) else UNCLEAR,
                version=(version or {}).get(i, "1"),
            )
            for i, value in enumerate(listed)
            if measured is None or i in measured
        )  # fmt: skip
        place = Place(machine="lab", environment="py")
        series[name] = Series(name=name, kind=Kind(kind), unit=unit, points=points, place=place)
    return History(commits=line, series=series)


def change(at, before, after, *, worse=True, recovered=None, first=None, text=None, sure=True):
    from verify.history.series import Change

    said = text or f"from {before} to {after}"
    first = at if first is None else first
    return Change(
        first=first, last=at, before=before, after=after, ratio=after / before, worse=worse, recovered=recovered,
        text=said, sure=sure,
    )  # fmt: skip


def verdict_store(folder, commit, *, dirty=False, target="hippo-fast-numpy"):
    """A campaign of four verdicts, one of each word that matters here."""
    from verify.case import Case
    from verify.store import VerdictStore
    from verify.verdict import Status, Verdict

    store = VerdictStore(folder, {"commit": commit, "dirty": dirty, "seed": 0}, "f")
    keys = []
    for index, (measure, status, measured) in enumerate((("legs", Status.PASS, 2e-16), ("fout", Status.FAIL, 1.0))):
        case = Case(target, measure, 8, level="scan", dt=None if measure == "legs" else 0.5)
        verdict = Verdict("scan", "the claim", case, status, measured, 1e-15, "a lemma", 12, message="said")
        store.add(index, case.id, [verdict])
        keys.append(case.id)
    store.end(keys, [])
    return folder


def written(folder, history, changes=None, *, parameters=None, records=None, asv=None, commit_url="", project="demo"):
    """The pages of a history made by hand, with the changes named for each series; gives their folder."""
    from verify.dashboard import site
    from verify.dashboard.asv_pages import AsvPages
    from verify.dashboard.standing import standing

    found = standing(history, changes or {}, parameters or {})
    folder.mkdir(parents=True, exist_ok=True)
    content = site.Content(
        project=project, commit_url=commit_url, history=history, standing=found, records=records,
        asv=asv or AsvPages(False), facts=[("commits", "some")],
    )  # fmt: skip
    site.write(content, folder)
    return folder

"""Speed, published: peers, limits of the machine, error against time, and growth, measured in one run on one thread.

``python -m asv_benchmarks.speed --markdown reports/published/speed.md --pictures reports/published --json FILE`` makes
the page and its pictures. The program starts itself again with one thread for every library. With ``--json`` each
finished part is kept, and a run that was stopped goes on with the rest, if code, machine and settings are the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import hippo_fast
from asv_benchmarks import machine
from asv_benchmarks.contests import (
    FULL,
    QUICK,
    Effort,
    contest,
    gradient_contest,
    precision_errors,
    row,
    update_contest,
    widths_contest,
)
from asv_benchmarks.guests import Guest
from asv_benchmarks.peers import OURS, PEERS
from asv_benchmarks.speed_report import report
from asv_benchmarks.tasks import Task

SCHEMA = "hippo-speed/1"
CHILD = "HIPPO_SPEED_CHILD"
STRANGERS = tuple(peer.title for key, peer in PEERS.items() if key not in OURS)
INVARIANT = ("fout", "legt", "lmu", "lagt", "legs_lti")


@dataclass(frozen=True)
class Part:
    """One piece of the run, kept as a whole.

    Attributes:
        section: peers, limits, widths, gradients, updates, precision or growth.
        label: what is asked; with the section it names the part.
        facts: plain values that the report needs besides the rows.
        run: returns the rows.
    """

    section: str
    label: str
    facts: dict[str, Any]
    run: Callable[[], list[dict[str, Any]]]

    @property
    def key(self) -> str:
        """Name of the part in the file."""
        return f"{self.section}: {self.label}"

    def answer(self) -> dict[str, Any]:
        """Run it; what raises is a row of its own, so that the other parts are still measured."""
        try:
            rows = self.run()
        except Exception as error:  # noqa: BLE001 -- it is reported, and the program ends with 1
            rows = [row("hippo_fast", "hippo_fast", "fails", note=f"{type(error).__name__}: {error}"[:200])]
        return {"section": self.section, **self.facts, "rows": rows}


def facts(task, **more):
    """A task as plain values."""
    names = ("measure", "order", "length", "streams", "method", "dtype", "output", "uneven")
    return {name: getattr(task, name) for name in names} | {"steps": task.steps, "title": str(task)} | more


def ours_among(keys):
    """Our backends that can run, the one that limits and growth are shown for first."""
    return [key for key in OURS if key in keys and PEERS[key].why_not(Task(length=2)) is None]


@dataclass(frozen=True)
class Sizes:
    """How large the tasks are.

    Attributes:
        order: N of the tasks that peers compete in and limits are shown for.
        length: samples of one LegS stream.
        streams: streams and samples of a LegS batch.
        invariant: samples of one stream of an invariant law.
        invariant_streams: streams and samples of a batch of an invariant law.
        precision: lengths at which the error is measured.
        precision_order: N there.
        slow_precision: the longest of them for all but the O(N) rules on our first backend.
        orders: N of the growth curves.
        lengths: samples of the growth curves.
        batches: streams of the growth curves.
        numbers: coefficients that a point of a growth curve against N computes.
    """

    order: int = 256
    length: int = 10_000
    streams: tuple[int, int] = (256, 500)
    invariant: int = 10_000
    invariant_streams: tuple[int, int] = (64, 1_000)
    precision: tuple[int, ...] = tuple(2**power for power in range(7, 16))
    precision_order: int = 64
    slow_precision: int = 2**12
    orders: tuple[int, ...] = tuple(2**power for power in range(4, 12))
    lengths: tuple[int, ...] = tuple(2**power for power in range(10, 21, 2))
    batches: tuple[int, ...] = tuple(2**power for power in range(11))
    numbers: int = 2**21


SHORT = Sizes(
    order=64,
    length=1_000,
    streams=(64, 100),
    invariant=300,
    invariant_streams=(16, 200),
    precision=(128, 256, 512, 1024),
    precision_order=32,
    slow_precision=512,
    orders=(16, 64, 256),
    lengths=(1_000, 4_000, 16_000),
    batches=(1, 8, 64),
    numbers=2**16,
)


def plan(sizes: Sizes, effort: Effort, keys: tuple[str, ...] = tuple(PEERS)) -> list[Part]:
    """Every part of a run by the competitors ``keys``, in the order of the page."""
    first = ours_among(keys)[0]
    legs = Task(order=sizes.order, length=sizes.length)
    batch = legs.with_(streams=sizes.streams[0], length=sizes.streams[1])
    invariant = [Task(measure=key, order=sizes.order, length=sizes.invariant) for key in INVARIANT]
    many = {"streams": sizes.invariant_streams[0], "length": sizes.invariant_streams[1]}
    peers = [
        legs,
        legs.with_(dtype="float32"),
        legs.with_(output="states"),
        batch,
        *invariant,
        invariant[0].with_(output="states"),
        invariant[0].with_(**many),
        invariant[2].with_(method="zoh", dtype="float32"),
    ]
    wide = legs.with_(output="states", length=4 * sizes.length)  # beyond the last cache at N = 256
    types = ("float64", "float32")
    limits = [
        *(
            legs.with_(dtype=dtype, method=rule)
            for dtype in types
            for rule in ("bilinear", "backward_euler", "trapezoid")
        ),
        legs.with_(uneven=True),
        *(task.with_(uneven=True) for task in invariant),
        *(legs.with_(length=sizes.invariant, method=rule) for rule in ("zoh", "foh")),
        *(wide.with_(dtype=dtype) for dtype in types),
        wide.with_(uneven=True),
        *(batch.with_(dtype=dtype) for dtype in types),
        batch.with_(method="trapezoid"),
        batch.with_(uneven=True),
        *invariant,
        invariant[0].with_(length=10 * sizes.invariant),
        *(task.with_(**many) for task in invariant),
        invariant[0].with_(output="states"),
        invariant[0].with_(output="states", **many),
    ]
    parts = [Part("peers", str(task), facts(task), partial(contest, task, keys, effort)) for task in peers]
    parts += [Part("limits", str(task), facts(task), partial(contest, task, (first,), effort)) for task in limits]
    for task in (legs, legs.with_(length=10 * sizes.length), wide, batch):
        run = partial(widths_contest, task, first, effort)
        parts.append(Part("widths", f"{task} beside float32", facts(task), run))
    for task in (batch, invariant[0].with_(**many), legs.with_(length=sizes.invariant)):
        parts.append(Part("gradients", str(task), facts(task), partial(gradient_contest, task, effort)))
    for measure in ("legs", "legt"):
        run = partial(update_contest, (1, *sizes.orders), effort, measure)
        parts.append(Part("updates", measure, {"measure": measure, "orders": [1, *sizes.orders]}, run))
    return parts + precision_parts(sizes, effort, keys) + growth_parts(sizes, effort, keys)


def precision_parts(sizes, effort, keys):
    """One part for each rule, backend and length."""
    parts, backends = [], ours_among(keys)
    runs = [(key, "float64") for key in backends] + [(backends[0], "float32")]
    for method in ("bilinear", "backward_euler", "trapezoid", "zoh", "foh"):
        for backend, dtype in runs:
            quickest = backend == backends[0] and method not in ("zoh", "foh")
            for length in sizes.precision:
                if length <= sizes.slow_precision or quickest:
                    task = Task(order=sizes.precision_order, length=length, method=method, dtype=dtype)
                    run = partial(precise, task, backend, effort)
                    parts.append(Part("precision", f"{backend}, {task}", facts(task, backend=backend), run))
    return parts


def precise(task, backend, effort):
    """The one row of a part of the precision section: with ``errors`` of the signals."""
    rows = contest(task, (backend,), effort)
    return [one | {"errors": precision_errors(task, backend)} if one["status"] == "timed" else one for one in rows]


def growth_parts(sizes, effort, keys):
    """One part for each path and size. ``path`` and ``against`` say which curve the point belongs to."""
    ours = ours_among(keys)[0]
    both = tuple(key for key in (ours, "textbook") if key in keys)
    points = []
    for n in sizes.orders:
        task = Task(order=n, length=max(32, sizes.numbers // n))
        few = task.with_(streams=16, length=max(4, task.length // 16))
        points += [
            ("order", n, "one stream, last state", task, both),
            ("order", n, "one stream, all states", task.with_(output="states"), (ours,)),
            ("order", n, "one stream, trapezoid", task.with_(method="trapezoid"), (ours,)),
            ("order", n, "one stream, uneven times", task.with_(uneven=True), (ours,)),
            ("order", n, "16 streams, last state", few, (ours,)),
            *(
                (
                    "order",
                    n,
                    f"{key}, uneven times",
                    task.with_(measure=key, uneven=True, length=task.length // 8),
                    (ours,),
                )
                for key in ("legt", "fout")
            ),
        ]
    middle = min(64, sizes.order)
    for length in sizes.lengths:
        task = Task(order=middle, length=length)
        points += [
            ("length", length, "one stream, last state", task, both),
            ("length", length, "one stream, uneven times", task.with_(uneven=True), (ours,)),
            ("length", length, "fout, last state", task.with_(measure="fout"), (ours,)),
        ]
        if length * middle <= 2**24:
            points.append(("length", length, "one stream, all states", task.with_(output="states"), (ours,)))
    for streams in sizes.batches:
        task = Task(order=middle, length=min(200, sizes.length), streams=streams)
        points += [
            ("batch", streams, "legs, last state", task, (ours,)),
            ("batch", streams, "fout, last state", task.with_(measure="fout"), (ours,)),
        ]
    return [
        Part(
            "growth",
            f"{path} against {against}, {task}",
            facts(task, against=against, size=size, path=path),
            partial(contest, task, k, effort),
        )
        for against, size, path, task, k in points
    ]


# The file of finished parts.


def digest():
    """SHA-256 of the code that is timed and of the code that times; not of what makes pages of the times."""
    found = hashlib.sha256()
    here = Path(__file__).parent
    for folder in (Path(hippo_fast.__file__).parent, here):
        for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.c")]):
            if path.name.startswith(("bench_", "speed_")):
                continue
            found.update(path.name.encode())
            found.update(path.read_bytes())
    return found.hexdigest()[:16]


def opened(path, settings):
    """The record to go on with: what ``path`` holds if it was made by the same code, machine and settings."""
    fresh = {"schema": SCHEMA, "settings": settings, "code": digest(), "machine": machine.describe(), "parts": {}}
    if path is None or not path.exists():
        return fresh
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SystemExit(
            f"--json is {path}, which is not JSON ({error}); accepted: a file of an earlier run, or a new name"
        ) from None
    same = isinstance(found, dict) and all(
        found.get(name) == fresh[name] for name in ("schema", "settings", "code", "machine")
    )
    return found if same else fresh


def keep(path, record):
    """Write the record so that the file is whole at any moment."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        part.replace(path)


def measured(parts, quick, path, console):
    """Run the parts that the file does not hold yet; return the whole record."""
    record = opened(path, "quick" if quick else "full")
    rich = Guest("rich.progress")
    columns = (
        rich.TextColumn("{task.description}"), rich.BarColumn(), rich.MofNCompleteColumn(), rich.TimeElapsedColumn()
    )  # fmt: skip
    with rich.Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("the machine", total=len(parts) + 1)
        if "rates" not in record:
            record["rates"] = machine.measure(quick=quick)
            keep(path, record)
        progress.advance(bar)
        for part in parts:
            progress.update(bar, description=part.key[:70])
            if part.key not in record["parts"]:
                record["parts"][part.key] = part.answer()
                keep(path, record)
            progress.advance(bar)
    return record


def arguments(argv):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m asv_benchmarks.speed", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, under a minute: a look, not a figure to publish"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the page here; without it, print it")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="write speed-*.svg here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep finished parts here, and go on from them")
    return parser.parse_args(argv)


def faults(record):
    """What is wrong with ours, a line each: answers outside the bound, and errors."""
    return [
        f"{key}: {one['title']} {one['status']}: {one['note']}"
        for key, part in record["parts"].items()
        for one in part["rows"]
        if one["status"] in ("differs", "fails") and one["title"] not in STRANGERS
    ]


def main(argv=None):
    """Measure and publish, in a child process with one thread; 1 if an answer of ours is wrong, else 0."""
    argv = sys.argv[1:] if argv is None else argv
    asked = arguments(argv)
    if CHILD not in os.environ:
        environment = machine.pinned(os.environ) | {CHILD: "1"}
        os.execve(sys.executable, [sys.executable, "-m", "asv_benchmarks.speed", *argv], environment)
    machine.pin_to_one_core()
    console = Guest("rich.console").Console(stderr=True)
    parts = plan(SHORT, QUICK) if asked.quick else plan(Sizes(), FULL)
    record = measured(parts, asked.quick, asked.json, console)
    pictures = {}
    if asked.pictures is not None:
        from asv_benchmarks.speed_pictures import draw  # noqa: PLC0415 -- matplotlib is a guest

        pictures = draw(record, asked.pictures)
    page = report(record, pictures, None if asked.markdown is None else asked.markdown.parent)
    if asked.markdown is None:
        sys.stdout.write(page)
    else:
        asked.markdown.parent.mkdir(parents=True, exist_ok=True)
        asked.markdown.write_text(page, encoding="utf-8")
    for fault in (found := faults(record)):
        console.print(fault, style="red", markup=False)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

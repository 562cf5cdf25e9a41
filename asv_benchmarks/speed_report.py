"""The page made of a finished run: tables of peers, limits, gradients, updates, error against time, and growth."""

from __future__ import annotations

import os
from pathlib import Path
from statistics import median

import numpy as np

from asv_benchmarks.guests import Guest
from asv_benchmarks.limits import limit
from asv_benchmarks.peers import OURS
from asv_benchmarks.timing import ratios, slope

GOAL_SLOPE = 1.1
RULES = {
    "bilinear": "bilinear",
    "backward_euler": "backward Euler",
    "trapezoid": "trapezoid",
    "zoh": "zoh",
    "foh": "foh",
}


HOW = """\
`python -m asv_benchmarks.speed`, one thread, processor seconds, {rounds} interleaved rounds. A figure is the median
over rounds; in brackets the lowest and the highest. Every answer was first compared with our float64 numpy backend, in
the 2-norm, within the bound that is derived in `asv_benchmarks/tasks.py`; who is outside it is listed as *differs* and
not timed. Outputs go to arrays that were used before, where an interface lets us."""

QUICK = " This was `--quick`: small sizes and few rounds, figures to look at and not to cite."

LIMITS = """\
What a kernel cannot be faster than on this machine. *Arithmetic*: its multiplications and additions for each
coefficient, at the rate of either kind from registers alone. *Store bandwidth*: the states it must write. *Matrix
product*: at the measured rate of one, `2 N` operations for each sample, which any method needs that weighs samples (our
chunks of m samples need `1 + N/m` times as many), or `2 N (N + 1)` for each state of a dense step."""

WIDTHS = "Our first backend, the same task in both dtypes in the same interleaved rounds."

GRADIENTS = """\
torch, last state, gradient of a weighted sum of its coefficients with respect to all samples. It was checked by
linearity: its product with the samples is the sum itself."""

UPDATES = "`Memory.update` with one number; at N = 1 nothing but overhead is left."

PRECISION = """\
Error of the last LegS state against the exact projection, as the 2-norm of the coefficients, so the L2 distance of what
the two stand for. *Smooth* is `exp(-x) sin(6 pi x + 1/2)`, *rough* is seven linear pieces with jumps, both on [0, 1].
zoh reads the middle of each cell, the other rules read nodes from end to end: each where it is best."""

CHOICE = """\
Bilinear stays the default because it is the published rule, the one that other implementations can be compared with;
it is of first order. Whoever chooses freely and has values at points in time should take `trapezoid`: second order
for the same O(N) step. `foh`, for such values, and `zoh`, for means over cells, are exact for their own kind of
input; what they cost stands above for a last state, and all states cost a matrix for each step. On a signal with
jumps between its samples no rule is better than first order, and the differences shrink."""

GROWTH = "Slopes are fitted to the time of one step of one stream on log axes: 1 is linear, 0 is flat."


def table(rows):
    """Rows (dicts) as a Markdown table."""
    return Guest("tabulate").tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True, colalign=None)


def of(record, section):
    """The parts of a section, in order."""
    return [part for part in record["parts"].values() if part["section"] == section]


def timed(part):
    """The rows of a part that have times."""
    return [row for row in part["rows"] if row["seconds"]]


def best(part):
    """Our fastest row in a part, or None."""
    found = [row for row in timed(part) if row["key"] in OURS]
    return min(found, key=lambda row: median(row["seconds"])) if found else None


def number(value):
    """Three significant digits, without an exponent where it can be read."""
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    if 0.01 <= abs(value) < 10_000:
        digits = max(0, 2 - int(np.floor(np.log10(abs(value)))))
        return f"{value:,.{digits}f}"
    return f"{value:.2g}"


def between(values):
    """``median (lowest–highest)``."""
    middle, low, high = (number(value) for value in values)
    return middle if low == high else f"{middle} ({low}–{high})"


def rate(part, row):
    """Million steps a second in the median round."""
    return part["steps"] / median(row["seconds"]) / 1e6


# Peers.


def peers_table(part):
    """One task: everyone's rate, how much faster ours is, and how far from the reference everyone is."""
    ours, rows = best(part), []
    for row in part["rows"]:
        if row["status"] == "other":
            continue
        shown = {
            "implementation": row["title"],
            "M steps/s": "",
            "ours is faster by": row["status"],
            "error ÷ bound": "",
        }
        if row["status"] == "timed":
            shown["M steps/s"] = number(rate(part, row))
            shown["error ÷ bound"] = number(row["share"])
            shown["ours is faster by"] = ""
            if ours is not None and row is not ours:
                shown["ours is faster by"] = between(ratios(row["seconds"], ours["seconds"]))
        else:
            shown["ours is faster by"] = f"{row['status'].replace('missing', 'not timed')}: {row['note']}"
        rows.append(shown)
    return table(rows)


def absent(record):
    """Who takes no part in a task, with the reason, each said once."""
    found = {}
    for part in of(record, "peers"):
        for row in part["rows"]:
            if row["status"] == "other":
                found.setdefault((row["title"], row["note"]), []).append(part["title"])
    return [f"- {title}: {note} ({len(tasks)} of the tasks)" for (title, note), tasks in found.items()]


# Limits.


def limits_table(record):
    """Every kernel: what binds it, and the fraction of that reached."""
    rows = []
    for part in of(record, "limits"):
        row = best(part)
        if row is None:
            note = "; ".join(f"{one['status']}: {one['note']}" for one in part["rows"])
            rows.append(
                {"kernel": part["title"], "M steps/s": note, "bound by": "", "limit, M steps/s": "", "reached": ""}
            )
            continue
        bound, measured = limit(part, record["rates"]), rate(part, row)
        shown = {
            "kernel": part["title"],
            "M steps/s": number(measured),
            "bound by": "",
            "limit, M steps/s": "",
            "reached": "",
        }
        if bound is not None:
            most = 1e-6 / bound.seconds
            shown |= {"bound by": bound.what, "limit, M steps/s": number(most), "reached": f"{measured / most:.0%}"}
        rows.append(shown)
    return table(rows)


def machine_lines(record):
    """The machine, in a list."""
    found, rates = record["machine"], record["rates"]
    libraries = ", ".join(f"{name} {version or 'not installed'}" for name, version in found["libraries"].items())
    lines = [
        f"- {found['processor']}, {found['cores']} cores, of which one thread is used; {found['system']}",
        f"- Python {found['python']}; {libraries}",
        f"- compiler: {found['compiler'] or 'none'}, `-O3 -march=native`; BLAS: {found['blas']}",
        f"- matrix product: {rates['gemm']['float64'] / 1e9:.1f} Gflop/s in float64, "
        f"{rates['gemm']['float32'] / 1e9:.1f} in float32",
    ]
    if rates["clock"]:
        kinds = {"fma": "fused multiplications", "add": "additions", "both": "both in equal numbers"}
        pipes = ", ".join(
            f"{words} {rates[kind]['float64'] / 1e9:.1f} (float32 {rates[kind]['float32'] / 1e9:.1f})"
            for kind, words in kinds.items()
        )
        lines += [
            f"- clock {rates['clock'] / 1e9:.2f} GHz, by a chain of dependent additions; vectors of {rates['vector']} "
            "bytes",
            f"- 10^9 operations a second from registers: {pipes}",
            f"- stores into touched memory: memset {rates['memset'] / 1e9:.1f} GB/s, a loop of vectors "
            f"{rates['store'] / 1e9:.1f} GB/s",
        ]
    else:
        lines.append("- clock, pipes and stores were not measured: no C compiler")
    return lines


# Gradients and updates.


def widths_table(record):
    """float64 over float32."""
    rows = []
    for part in of(record, "widths"):
        found = {row["key"]: row for row in part["rows"]}
        shown = {"task": part["title"].removesuffix(", float64"), "float64, M steps/s": "", "float32": "", "ratio": ""}
        if all(row["seconds"] for row in part["rows"]):
            shown["float64, M steps/s"] = number(rate(part, found["float64"]))
            shown["float32"] = number(rate(part, found["float32"]))
            shown["ratio"] = between(ratios(found["float64"]["seconds"], found["float32"]["seconds"]))
        else:
            shown["ratio"] = "; ".join(sorted({f"{row['status']}: {row['note']}" for row in part["rows"]}))
        rows.append(shown)
    return table(rows)


def gradients_table(record):
    """Forward with backward over forward."""
    rows = []
    for part in of(record, "gradients"):
        found = {row["key"]: row for row in part["rows"]}
        shown = {"task": part["title"], "forward, M steps/s": "", "with backward": "", "ratio": ""}
        if {"forward", "both"} <= found.keys() and found["both"]["seconds"]:
            shown["forward, M steps/s"] = number(rate(part, found["forward"]))
            shown["with backward"] = number(rate(part, found["both"]))
            shown["ratio"] = between(ratios(found["both"]["seconds"], found["forward"]["seconds"]))
        else:
            shown["ratio"] = "; ".join(sorted({f"{row['status']}: {row['note']}" for row in part["rows"]}))
        rows.append(shown)
    return table(rows)


def updates_table(record):
    """Microseconds of one update by order."""
    rows = []
    for part in of(record, "updates"):
        shown = {"µs for one sample": part["measure"]}
        for row in part["rows"]:
            shown[row["key"].replace("=", " = ")] = (
                number(1e6 * median(row["seconds"])) if row["seconds"] else row["status"]
            )
        rows.append(shown)
    return table(rows)


# Error against time.


def precision_points(record):
    """(rule, backend, dtype, length, seconds of the whole scan, errors by signal)."""
    return [
        (part["method"], part["backend"], part["dtype"], part["length"], median(row["seconds"]), row["errors"])
        for part in of(record, "precision")
        for row in timed(part)
    ]


def precision_table(record):
    """Our fastest backend in float64: error and time of each rule at each of a few lengths."""
    points = precision_points(record)
    lengths = sorted({length for *_, length, _, _ in points})
    shown = sorted({lengths[0], lengths[len(lengths) // 2], lengths[-1]}) if lengths else []
    rows = []
    for rule, words in RULES.items():
        for length in shown:
            found = [p for p in points if p[0] == rule and p[2] == "float64" and p[3] == length]
            if found:
                point = min(found, key=lambda p: p[4])
                rows.append(
                    {
                        "rule": words,
                        "samples": f"{length:,}",
                        "backend": point[1],
                        "µs": number(1e6 * point[4]),
                        "error, smooth": f"{point[5]['smooth']:.1e}",
                        "error, rough": f"{point[5]['rough']:.1e}",
                    }
                )
    return table(rows)


def precision_words(record):
    """What a rule gains over bilinear at the same samples, in sentences."""
    points = {(p[0], p[3]): p for p in sorted(precision_points(record), key=lambda p: -p[4]) if p[2] == "float64"}
    lines = []
    for rule in ("trapezoid", "zoh", "foh"):
        lengths = [length for name, length in points if name == rule and ("bilinear", length) in points]
        if not lengths:
            continue
        length = max(lengths)
        mine, default = points[rule, length], points["bilinear", length]
        gains = {signal: default[5][signal] / mine[5][signal] for signal in default[5]}
        lines.append(
            f"- {RULES[rule]}, {length:,} samples: the error of bilinear divided by {number(gains['smooth'])} (smooth) "
            f"and {number(gains['rough'])} (rough), in {number(mine[4] / default[4])} times its time."
        )
    return lines


# Growth.


def growth_curves(record):
    """(against, path, who) -> (sizes, seconds for one step of one stream), sizes ascending."""
    found = {}
    for part in of(record, "growth"):
        for row in timed(part):
            sizes, times = found.setdefault((part["against"], part["path"], row["title"]), ([], []))
            sizes.append(part["size"])
            times.append(median(row["seconds"]) / part["steps"])
    updates = [part for part in of(record, "updates") if part["measure"] == "legs"]
    for part in updates:
        points = [
            (order, median(row["seconds"]))
            for order, row in zip(part["orders"], part["rows"], strict=True)
            if row["seconds"]
        ]
        points = [(order, spent) for order, spent in points if order > 1]
        if points:
            found["order", "Memory.update", "hippo_fast"] = ([p[0] for p in points], [p[1] for p in points])
    return found


def growth_table(record, against, heading):
    """Fitted log-log slopes of the time for one step, and its ends."""
    rows = []
    for (kind, path, who), (sizes, times) in growth_curves(record).items():
        if kind != against or len(sizes) < 2:
            continue
        fitted = slope(sizes, times)
        shown = {
            "path": path,
            "by": who,
            heading: f"{sizes[0]:,}–{sizes[-1]:,}",
            "ns a step, first": number(1e9 * times[0]),
            "last": number(1e9 * times[-1]),
            "slope": f"{fitted:.2f}",
        }
        if against == "order":
            upper = slope(sizes[len(sizes) // 2 :], times[len(sizes) // 2 :]) if len(sizes) > 3 else fitted
            shown["slope of the larger half"] = f"{upper:.2f}"
            shown[f"≤ {GOAL_SLOPE}"] = "yes" if max(fitted, upper) <= GOAL_SLOPE else "no"
        rows.append(shown)
    return table(rows)


# The page.


def picture(pictures, key, words, base):
    """A Markdown image if the picture was drawn."""
    if key not in pictures:
        return ""
    path = pictures[key] if base is None else os.path.relpath(pictures[key], base)
    return f"![{words}]({Path(path).as_posix()})\n"


def report(record, pictures=None, base=None):
    """The whole page.

    Args:
        record: a finished run.
        pictures: name -> path, as `speed_pictures.draw` returns it.
        base: folder of the page; links to pictures start there.
    """
    pictures = pictures or {}
    rounds = max((len(row["seconds"]) for part in of(record, "peers") for row in timed(part)), default=0)
    quick = QUICK if record["settings"] == "quick" else ""
    blocks = [
        "# Speed",
        HOW.format(rounds=rounds) + quick,
        "## The machine",
        "\n".join(machine_lines(record)),
        "## Peers",
        picture(pictures, "peers", "Steps per second of every implementation", base),
    ]
    for part in of(record, "peers"):
        blocks += [f"### {part['title']}", peers_table(part)]
    blocks += ["Who takes no part, and why:", "\n".join(absent(record))]
    blocks += ["## Limits", LIMITS, limits_table(record)]
    blocks += ["## float32", WIDTHS, widths_table(record)]
    blocks += ["## Gradients", GRADIENTS, gradients_table(record)]
    blocks += ["## One sample at a time", UPDATES, updates_table(record)]
    blocks += [
        "## Error against time",
        picture(pictures, "precision", "Error of the last LegS state against time", base),
        PRECISION,
        precision_table(record),
        "At the same samples:",
        "\n".join(precision_words(record)),
        CHOICE,
        "## Growth",
        picture(pictures, "growth", "Time of one step against order, length and number of streams", base),
        GROWTH,
        growth_table(record, "order", "N"),
        growth_table(record, "length", "samples"),
        growth_table(record, "batch", "streams"),
    ]
    return "\n\n".join(block for block in blocks if block).replace("\n\n\n", "\n\n") + "\n"

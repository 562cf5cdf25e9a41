"""Publishes the speed of scans on a CUDA device: ``python -m asv_benchmarks.speed_gpu --markdown PAGE --json FILE``.

Each answer is first compared, for a few of its streams, with the float64 numpy backend within the bound of
`asv_benchmarks.tasks`; a wrong one is named and not timed. Times are medians of whole calls between device events
(`triton.testing.do_bench`, which also empties the cache before each call).
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import platform
import sys
from pathlib import Path

import numpy as np

import hippo_fast
from asv_benchmarks import peers
from asv_benchmarks.guests import Guest
from asv_benchmarks.native import MissingError
from asv_benchmarks.tasks import Judge, Task

DEVICE = "cuda"
FEW = 3
"""Streams that are held against the reference."""
BYTES = 2**32
"""Of all states of one call, at most."""
OPERATIONS = 4
"""Of one LegS coefficient in one step: a multiplication and three fused multiplications (`triton_scan`)."""

HOW = """\
`python -m asv_benchmarks.speed_gpu`: medians of whole calls of `hippo_fast.scan` on tensors of the device, between
device events, with an empty cache. A few streams of every answer were first compared with the float64 numpy backend
within the bound of `asv_benchmarks/tasks.py`; who is outside it is listed as *differs* and not timed."""
BOUNDS = f"""\
Millions of steps of a stream in a second. *Reached* is the share of what bounds it: *filling memory* with the states;
*arithmetic*, {OPERATIONS} operations for each coefficient in each step at the rate of fused multiplications from
registers; the *matrix product*, `2 N` operations for each sample, or `2 N (N + 1)` for each state of a dense step.
Few streams leave the device waiting: a stream is a chain of steps."""

RATES = [
    Task(length=1024, streams=streams, dtype=dtype)
    for dtype in ("float32", "float64")
    for streams in (1, 16, 256, 4096, 32768)
]
STATES = [
    Task(measure=measure, length=1024, streams=streams, dtype=dtype, output="states")
    for measure in ("legs", "legt")
    for dtype in ("float32", "float64")
    for streams in (256, 4096)
]
INVARIANT = [
    Task(measure=measure, order=order, length=1024, streams=4096, dtype=dtype)
    for measure, order in (("legt", 64), ("legt", 256), ("fout", 256))
    for dtype in ("float32", "float64")
]
GRADIENTS = [
    Task(length=1024, streams=256, dtype="float32"),
    Task(length=1024, streams=4096, dtype="float32"),
    Task(length=1024, streams=4096, dtype="float64"),
    Task(measure="legt", order=64, length=1024, streams=4096, dtype="float32"),
]
AGAINST = [
    Task(length=1024, streams=256, dtype="float32"),
    Task(length=1024, streams=256, dtype="float32", output="states"),
    Task(length=1024, streams=256, dtype="float64"),
    Task(measure="fout", length=1024, streams=256, dtype="float64"),
]
GROWTH = [Task(order=order, length=256, streams=4096, dtype="float32") for order in (16, 64, 256, 1024, 2048)]


def on_device(task):
    """Samples of the task on the device, and the scan of them as a function of nothing."""
    import torch  # noqa: PLC0415 -- a guest

    length = task.length
    if task.output == "states":
        length = min(length, BYTES // (task.streams * task.order * np.dtype(task.dtype).itemsize))
    samples = torch.from_numpy(task.samples.reshape(task.streams, task.length)[:, :length]).to(DEVICE)
    scan = functools.partial(
        hippo_fast.scan, measure=task.measure, order=task.order, output=task.output, dtype=task.dtype, **task.keywords
    )
    return samples, scan


def share(task, answer):
    """Error ÷ bound of the first streams of an answer on the device."""
    few = task.with_(
        streams=min(FEW, task.streams), length=answer.shape[-2] if task.output == "states" else task.length
    )
    samples = task.samples.reshape(task.streams, -1)[: few.streams, : few.length]
    # The task's own samples would be drawn anew for another shape.
    few.__dict__["samples"] = samples if few.streams > 1 else samples[0]
    found = answer.reshape(task.streams, *answer.shape[answer.ndim - (1 if task.output == "last" else 2) :])
    found = found[: few.streams].double().cpu().numpy()
    return Judge(few).share(found if few.streams > 1 else found[0])


def seconds(call):
    """Median seconds of a call, and the quantiles 0.2 and 0.8."""
    from triton.testing import do_bench  # noqa: PLC0415 -- a guest

    return [ms / 1e3 for ms in do_bench(call, warmup=50, rep=300, quantiles=[0.5, 0.2, 0.8])]


def rate(task):
    """One row: stream-steps per second of our scan, or why there is none."""
    samples, scan = on_device(task)
    found = scan(samples)
    worst = share(task, found)
    del found
    row = {"task": str(task), "streams": task.streams, "steps": samples.numel(), "share": worst}
    if not worst <= 1:
        return row | {"note": f"differs: error {worst:.2g} times the bound"}
    return row | {"seconds": seconds(lambda: scan(samples))}


def gradient(task):
    """Seconds of the forward call alone and with the gradient of a weighted sum; checked by linearity."""
    import torch  # noqa: PLC0415

    samples, scan = on_device(task)
    samples.requires_grad_()
    weights = torch.randn(task.streams, task.order, dtype=samples.dtype, device=DEVICE)

    def both():
        with torch.enable_grad():
            return torch.autograd.grad((scan(samples) * weights).sum(), samples)[0]

    with torch.no_grad():
        terms = (scan(samples) * weights).double()
        off = float(((both() * samples).double().sum() - terms.sum()).abs() / terms.abs().sum())
    allowed = 64 * task.length * float(np.finfo(task.dtype).eps)
    row = {"task": str(task), "steps": samples.numel(), "off": off, "allowed": allowed}
    if not off <= allowed:
        return row | {"note": f"differs: the gradient is off by {off:.2g}"}
    with torch.no_grad():
        forward = seconds(lambda: scan(samples))
    return row | {"forward": forward, "both": seconds(both)}


def contest(task):
    """Rows of ours on the device, of other people's code on it, and of ours on a core of this machine."""
    rows = [{"title": "hippo_fast, triton"} | rate(task)]
    others = {
        "textbook loop, torch, on the device": lambda: peers.torch_loop(task, device=DEVICE),
        "jax associative scan, on the device": lambda: _jax(task),
        "hippo_fast, numba, one core": lambda: peers.ours(task, "numba"),
    }
    for title, prepare in others.items():
        if title.startswith("textbook") and task.measure != "legs":
            continue
        row = {"title": title, "task": str(task), "steps": task.streams * task.length}
        try:
            call = prepare()
            worst = share(task, _tensor(call()))
        except MissingError as missing:
            rows.append(row | {"note": f"not timed: {missing}"})
            continue
        row["share"] = worst
        rows.append(row | ({"seconds": seconds(call)} if worst <= 1 else {"note": f"differs: {worst:.2g} bounds"}))
    return rows


def _jax(task):
    """jax's scan on its default device, which must be a GPU."""
    peers.require("jax")
    import jax  # noqa: PLC0415

    if jax.default_backend() != "gpu":
        raise MissingError("this jax sees no GPU")
    return peers.jax_scan(task)


def _tensor(answer):
    import torch  # noqa: PLC0415

    return answer if torch.is_tensor(answer) else torch.from_numpy(np.array(answer))


def ceilings():
    """Bytes a second of filling and copying memory; fused multiplications a second from registers; product rates."""
    import torch  # noqa: PLC0415

    one = torch.empty(2**30, dtype=torch.float32, device=DEVICE).uniform_()
    two = torch.empty_like(one)
    size = one.numel() * one.element_size()
    found = {"fill": size / seconds(one.zero_)[0], "copy": 2 * size / seconds(functools.partial(two.copy_, one))[0]}
    for dtype in ("float32", "float64"):
        square = torch.rand(8192, 8192, dtype=getattr(torch, dtype), device=DEVICE)
        found[f"gemm {dtype}"] = 2 * 8192**3 / seconds(functools.partial(torch.mm, square, square))[0]
        found[f"fma {dtype}"] = _fma_rate(square.dtype)
    return found


def _fma_rate(dtype):
    """Independent chains of fused multiplications in registers, more of them than a multiprocessor has latency."""
    import torch  # noqa: PLC0415

    from asv_benchmarks.speed_gpu_kernel import CHAINS, fused  # noqa: PLC0415 -- triton is a guest

    programs, threads, repeats = 132 * 64, 128, 4096
    values = torch.rand(programs * threads, dtype=dtype, device=DEVICE)

    def call():
        fused[(programs,)](values, repeats, THREADS=threads, num_warps=4)

    return programs * threads * repeats * CHAINS / seconds(call)[0]


def machine():
    """What ran where."""
    import torch  # noqa: PLC0415
    import triton  # noqa: PLC0415

    one = torch.cuda.get_device_properties(0)
    return {
        "device": one.name,
        "multiprocessors": one.multi_processor_count,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "triton": triton.__version__,
    }


def measured(log=lambda text: sys.stderr.write(text + "\n")):
    """Everything, part by part."""
    log("ceilings")
    run = {"machine": machine(), "ceilings": ceilings(), "rates": [], "gradients": [], "contests": [], "growth": []}
    for name, tasks in (("rates", RATES + STATES + INVARIANT), ("growth", GROWTH)):
        for task in tasks:
            log(f"{name}: {task}")
            run[name].append(rate(task))
    for task in GRADIENTS:
        log(f"gradient: {task}")
        run["gradients"].append(gradient(task))
    for task in AGAINST:
        log(f"contest: {task}")
        run["contests"].append(contest(task))
    return run


def _million(row):
    return row["note"] if "seconds" not in row else f"{row['steps'] / row['seconds'][0] / 1e6:,.4g}"


def _limit(row, task, measured_ceilings):
    """What bounds a scan, in steps a second, and the share of it that is reached."""
    if "seconds" not in row:
        return "", ""
    steps, order = row["steps"] / row["seconds"][0], task.order
    filling = measured_ceilings["fill"] / (order * np.dtype(task.dtype).itemsize)
    product = measured_ceilings[f"gemm {task.dtype}"] / 2 / order
    if task.measure == "legs":
        arithmetic = measured_ceilings[f"fma {task.dtype}"] / (OPERATIONS * order)
        name, most = ("filling memory", filling) if task.output == "states" else ("arithmetic", arithmetic)
    elif task.output == "states":
        name, most = min(("filling memory", filling), ("matrix product", product / (order + 1)), key=lambda one: one[1])
    else:
        name, most = "matrix product", product
    return name, f"{steps / most:.0%}"


def page(run):
    """The Markdown page of a finished run."""
    seen, limits = run["machine"], run["ceilings"]
    lines = [
        "# Speed on a CUDA device",
        "",
        HOW,
        "",
        f"- {seen['device']}, {seen['multiprocessors']} multiprocessors",
        f"- Python {seen['python']}; numpy {seen['numpy']}, torch {seen['torch']}, triton {seen['triton']}",
        f"- memory: filled at {limits['fill'] / 1e12:.2f} TB/s,"
        f" copied at {limits['copy'] / 1e12:.2f} TB/s, read and written",
        f"- 10^12 fused multiplications a second from registers: {limits['fma float32'] / 1e12:.1f} in float32,"
        f" {limits['fma float64'] / 1e12:.1f} in float64",
        f"- matrix product: {limits['gemm float32'] / 1e12:.1f} Tflop/s in float32 (no TF32),"
        f" {limits['gemm float64'] / 1e12:.1f} in float64",
        "",
        "## Rates",
        "",
        BOUNDS,
        "",
    ]
    rows = [
        (row["task"], _million(row), *_limit(row, task, limits), f"{row['share']:.2g}")
        for row, task in zip(run["rates"], RATES + STATES + INVARIANT, strict=True)
    ]
    lines += [_table(rows, ["scan", "M steps/s", "bound by", "reached", "error ÷ bound"]), "", "## Peers", ""]
    for rows_of_task in run["contests"]:
        first = rows_of_task[0]
        table = [
            (
                row["title"],
                _million(row),
                f"{row['seconds'][0] / first['seconds'][0]:,.3g}" if "seconds" in row and row is not first else "",
            )
            for row in rows_of_task
        ]
        lines += [f"### {first['task']}", "", _table(table, ["implementation", "M steps/s", "ours is faster by"]), ""]
    lines += ["## Gradients", "", "Last states, and the gradient of a weighted sum of them in all samples.", ""]
    rows = [
        (
            row["task"],
            row["note"] if "note" in row else f"{row['steps'] / row['forward'][0] / 1e6:,.4g}",
            "" if "note" in row else f"{row['both'][0] / row['forward'][0]:.2f}",
        )
        for row in run["gradients"]
    ]
    lines += [_table(rows, ["scan", "forward, M steps/s", "with backward ÷ forward"]), "", "## Growth", ""]
    rows = [
        (task.order, _million(row), f"{row['seconds'][0] / row['steps'] * 1e9:.4g}" if "seconds" in row else "")
        for row, task in zip(run["growth"], GROWTH, strict=True)
    ]
    timed = [(t.order, r["seconds"][0]) for r, t in zip(run["growth"], GROWTH, strict=True) if "seconds" in r]
    lines += [_table(rows, ["N", "M steps/s", "ns a step"]), ""]
    if len(timed) > 1:
        slope = np.polyfit(*[[math.log(v) for v in column] for column in zip(*timed, strict=True)], 1)[0]
        lines += [f"Slope on log axes, float32, 4,096 streams: {slope:.2f}.", ""]
    return "\n".join(lines)


def _table(rows, headers):
    return Guest("tabulate").tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def main(arguments=None):
    """Measure, and write what was asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--markdown", type=Path, help="write the page here")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args(arguments)
    import torch  # noqa: PLC0415

    if DEVICE == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device; expected one: run this where there is one")
    run = measured()
    if options.json:
        options.json.write_text(json.dumps(run, indent=1, default=float) + "\n", encoding="utf-8")
    text = page(run)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()

"""The answers of `hippo_fast` to the frozen vectors, judged: what `asv_benchmarks.bench_accuracy` tracks."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import numpy as np

from asv_benchmarks.frozen import Score, chosen, score
from asv_benchmarks.guests import Guest
from asv_benchmarks.timed import DTYPES, MEASURES, METHODS, Problem, offered

hippo_fast, torch = Guest("hippo_fast"), Guest("torch")

RULES = [*METHODS, "euler"]
GRADIENT_RULES = ["bilinear", "backward_euler", "zoh", "foh"]
WEIGHT = {"euler": 0.0, "bilinear": 0.5, "backward_euler": 1.0}


@dataclass(frozen=True)
class Outcome:
    """What became of one combination of parameters: a score, a reason to skip, or a failure."""

    score: Score | None = None
    skipped: str = ""
    failed: str = ""


def outcome(judge, *arguments):
    """The `Outcome` of ``judge(*arguments)``: one failure hides no other combination."""
    try:
        return Outcome(score=judge(*arguments))
    except NotImplementedError as reason:
        return Outcome(skipped=str(reason))
    except Exception as error:  # noqa: BLE001 -- raised again by the look-up
        return Outcome(failed=f"{type(error).__name__}: {error}")


def vectors_of(kind, dtype="float64", **wanted):
    """Frozen vectors whose inputs the dtype holds exactly.

    Raises:
        NotImplementedError: there is none.
    """
    found = [vector for vector in chosen(kind, **wanted) if dtype in vector.dtypes]
    if not found:
        raise NotImplementedError(f"no {kind} of {', '.join(map(str, wanted.values()))} is frozen in {dtype}")
    return found


def keywords(vector):
    """What a scan is given besides samples, measure and order."""
    record = vector.record
    found = {"method": record["method"], **vector.parameters}
    if "dt" in record:
        found["dt"] = vector.number("dt")
    if "timestamps" in record:
        found["timestamps"] = vector.numbers("timestamps")
    return found


def tensor(values, backend):
    """Numbers as the backend takes them."""
    return torch.from_numpy(values) if backend == "torch" else values


def scans(backend, measure, method, dtype, scan=None):
    """The score of a backend's scans under one rule; ``scan`` stands for `hippo_fast.scan`."""
    offered(backend, Problem(measure, method), dtype)
    scan = scan or hippo_fast.scan
    pairs = []
    for vector in vectors_of("scan", dtype, measure=measure, method=method):
        samples = tensor(vector.numbers("samples").astype(dtype), backend)
        states = scan(samples, measure, vector.record["order"], backend=backend, **keywords(vector))
        pairs.append((vector, np.asarray(states, dtype=np.float64)[vector.rows]))
    return score(pairs, dtype)


def memories(backend, measure, method):
    """The score of `hippo_fast.Memory`, sample by sample, in float64."""
    offered(backend, Problem(measure, method), "float64")
    memory_of, named = hippo_fast.Memory, {"backend": backend}
    if "backend" not in inspect.signature(memory_of).parameters:
        if backend != "numpy":
            raise NotImplementedError("Memory takes no backend in this commit")
        named = {}
    pairs = []
    for vector in vectors_of("scan", measure=measure, method=method):
        if "timestamps" in vector.record:
            continue  # a memory has no times
        memory, rows = memory_of(measure, vector.record["order"], **keywords(vector), **named), []
        for sample in vector.numbers("samples").tolist():
            memory.update(sample)
            rows.append(np.array(memory.coefficients))
        pairs.append((vector, np.stack(rows)[vector.rows]))
    return score(pairs, "float64")


def matrices(measure):
    """The score of (A, B), entry by entry."""
    pairs = []
    for vector in vectors_of("matrices", measure=measure):
        found = hippo_fast.system(measure, vector.record["order"], **vector.parameters)
        whole = np.column_stack([found.A, found.B])
        pairs.append((vector, whole[vector.rows].reshape(-1, 1)))
    return score(pairs, "float64")


def steps(method):
    """The score of single LegS steps, late ones too."""
    if method not in WEIGHT:
        raise NotImplementedError(f"legs_update has no rule {method!r}")
    pairs = []
    for vector in vectors_of("step", measure="legs", method=method):
        state, sample = vector.numbers("state"), float(vector.numbers("samples")[0])
        after = hippo_fast.legs_update(state, sample, vector.record["index"], WEIGHT[method])
        pairs.append((vector, np.asarray(after)[None]))
    return score(pairs, "float64")


def read_outs(measure):
    """The score of values read out of a memory."""
    pairs = []
    for vector in vectors_of("reconstruct", measure=measure):
        points = vector.numbers("points")[vector.rows]
        values = hippo_fast.reconstruct(measure, vector.numbers("state"), points, **vector.parameters)
        pairs.append((vector, np.asarray(values)[:, None]))
    return score(pairs, "float64")


def gradients(measure, method, dtype):
    """The score of Jacobians of the last state, by torch's autograd."""
    offered("torch", Problem(measure, method), dtype)
    pairs = []
    for vector in vectors_of("gradient", dtype, measure=measure, method=method):
        order, named = vector.record["order"], keywords(vector)
        samples = torch.zeros(len(vector.numbers("samples")), dtype=getattr(torch, dtype), requires_grad=True)
        last = hippo_fast.scan(samples, measure, order, backend="torch", output="last", **named)
        rows = [torch.autograd.grad(last[n], samples, retain_graph=True)[0].double().numpy() for n in range(order)]
        pairs.append((vector, np.stack(rows)[:, vector.rows].T))
    return score(pairs, dtype)


__all__ = ["DTYPES", "GRADIENT_RULES", "MEASURES", "RULES", "Outcome", "outcome"]

"""Makes the frozen vectors of `asv_benchmarks.frozen`: ``python -m asv_benchmarks.freeze FILE``.

Answers come from interval arithmetic (``hippo_ref.vectors``), bounds from `verify.bounds` for what is tracked and from
`asv_benchmarks.tasks` for what is timed. The tracked questions are a choice from ``vectors/frozen-1.jsonl.xz``: a few
orders, signals and step sizes of every measure and rule that `hippo_fast` offers, without the inputs at the ends of the
exponent range, where a double itself has lost most of its bits and would hide what a commit loses.

The same versions give the same bytes. A new file is a new yardstick: give it a new name, set ``frozen.FILE`` and
``frozen.DIGEST`` to it, and every benchmark that reads it gets a new version, so that no old value is compared with it.
"""

import argparse
import json
import lzma
from fractions import Fraction
from pathlib import Path

import numpy as np

from asv_benchmarks import frozen, tasks, timed
from asv_benchmarks.guests import Guest

answers, enclosed = Guest("hippo_ref.vectors.answers"), Guest("hippo_ref.enclosed")
documents, judging = Guest("verify.vectors.documents"), Guest("verify.vectors.judge")
numbers, question_of = Guest("hippo_ref.vectors.numbers"), Guest("hippo_ref.vectors.question")
bounds, flint, oracles = Guest("verify.bounds"), Guest("flint"), Guest("verify.oracle")

SOURCE = Path(__file__).parent / "vectors" / "frozen-1.jsonl.xz"
DTYPES = ("float64", "float32")
FIELDS = ("measure", "method", "order", "parameters", "dt", "timestamps", "samples", "state", "index", "points", "rows")

RULES = (*timed.METHODS, "euler")
SCANNED = (2, 3, 8, 16, 33, 64)
EULER = (2, 3, 4)
"""Beyond, forward Euler amplifies rounding until no bit is right."""


def known(record):
    """Whether `hippo_fast` offers it."""
    if record["measure"] not in timed.MEASURES:
        return False
    rule = record.get("method")
    return rule is None or (rule in RULES and (record["measure"] == "legs" or rule not in ("trapezoid", "foh")))


def selected(records):
    """The tracked questions among the frozen ones."""
    taken = set()
    for record in records:
        if not known(record):
            continue
        kind, group, order, rule = record["kind"], record["group"], record["order"], record.get("method")
        # Its second part names the parameters too. Inputs of few bits, which float32 holds, are wanted as well.
        cell = (group, record["id"].split("/")[2], rule, order, "float32" in record["flags"])
        wanted = {
            "matrices": group == "matrices" and order in (2, 8, 17, 64),
            "scan": (
                group.startswith("scan-") and order in (EULER if rule == "euler" else SCANNED) and cell not in taken
            )
            or (group in ("edge-step", "edge-timestamps") and order in (3, 8))
            or (group == "large-order" and order == 128),
            "step": record["measure"] == "legs" and order in SCANNED,
            "reconstruct": order in (2, 8, 33, 128),
            "gradient": order in (3, 8, 24),
        }.get(kind, False)
        if wanted and (rule != "euler" or order in EULER):
            taken.add(cell)
            yield record


def hexadecimal(values):
    """Doubles as hex floats."""
    return [numbers.hexadecimal(float(value)) for value in np.ravel(values)]


def tracked(record, oracle):
    """The vector of a frozen record: bounds, sizes and weights beside it, a matrix as a row for each entry."""
    asked = judging.Question(record, "tracked")
    limits, sizes, weights = JUDGED[record["kind"]](asked, oracle)
    found = {"id": record["id"], "kind": record["kind"]}
    found |= {name: record[name] for name in FIELDS if name in record}
    answer = dict(record["answer"])
    if record["kind"] == "matrices":
        answer["radius"] = [text for text in answer["radius"] for _ in range(answer["shape"][1])]
        answer["shape"] = [len(answer["values"]), 1]
    kept = {dtype: limits(dtype) for dtype in DTYPES if dtype == "float64" or "float32" in record["flags"]}
    for dtype, values in kept.items():
        if not np.isfinite(values).all():
            raise ValueError(f"{record['id']}: the bound in {dtype} is not finite, so nothing can be tracked there")
    return found | {
        "answer": answer,
        "limits": {dtype: hexadecimal(values) for dtype, values in kept.items()},
        "sizes": hexadecimal(sizes),
        "weights": hexadecimal(weights),
    }


def _matrices(asked, oracle):
    A, B = oracle.system(asked.case)

    def limits(dtype):
        of_A, of_B = bounds.entry_limits(asked.case.measure, asked.case.float_parameters, A.high, B.high, dtype)
        return np.concatenate([of_A.forward[asked.rows], of_B.forward[asked.rows, None]], axis=1)

    return limits, np.abs(asked.truth.high), [1.0]


def _scan(asked, oracle):
    operator, samples = judging.operator_of(asked, oracle), asked.doubles("samples")
    states, added = bounds.float_states(operator, samples)
    states[asked.rows] = asked.truth.high
    sizes = np.maximum.accumulate(np.maximum(frozen.weighted_norm(states, operator.weights), added))
    return (
        lambda dtype: bounds.scan_limits(operator, samples, states, dtype).forward[asked.rows],
        sizes[asked.rows],
        operator.weights,
    )


def _step(asked, oracle):
    operator, truth = judging.operator_of(asked, oracle), asked.truth.high[0]
    state, sample = np.array(asked.doubles("state")), asked.doubles("samples")[0]
    index = int(asked.record["index"])
    size = max(float(frozen.weighted_norm(v, operator.weights)) for v in (truth, state))
    return (
        lambda dtype: bounds.step_limits(operator, state, sample, truth, index, dtype).forward,
        [max(size, abs(sample))],
        operator.weights,
    )


def _gradient(asked, oracle):
    operator, length = judging.operator_of(asked, oracle), len(asked.doubles("samples"))
    sizes = frozen.weighted_norm(asked.truth.high, operator.weights)
    return (
        lambda dtype: bounds.jacobian_limits(operator, length, dtype).forward[asked.rows],
        np.full(len(sizes), sizes.max()),
        operator.weights,
    )


def _reconstruct(asked, oracle):
    largest, state = oracle.largest_basis(asked.case), np.array(asked.doubles("state"))
    count = len(asked.rows)
    return (
        lambda dtype: np.broadcast_to(bounds.reconstruction_limits(largest, state, dtype).forward, (count,)),
        np.full(count, float(np.dot(largest, np.abs(state)))),
        [1.0],
    )


JUDGED = {
    "matrices": _matrices,
    "scan": _scan,
    "step": _step,
    "gradient": _gradient,
    "reconstruct": _reconstruct,
}


def timed_question(problem):
    """What the reference is asked for a timed scan."""
    parameters = tuple(
        (name, value)
        for name, value in question_of.SETTINGS[problem.measure][0].parameters  # the defaults of hippo_fast
    )
    setting = question_of.Setting(problem.measure, parameters, problem.dt)
    times = None if problem.timestamps is None else tuple(problem.timestamps.tolist())
    return question_of.Question(
        "timed", "scan", setting, problem.order, f"L={problem.length}", method=problem.method, dt=problem.dt,
        timestamps=times, samples=tuple(problem.samples.tolist()), rows=problem.rows,
    )  # fmt: skip


def timed_vector(problem, oracle):
    """The states of a timed scan at its rows, and bounds.

    Those of LegS are from `asv_benchmarks.tasks`, in O(N) a step, where `verify.bounds` keeps the matrices of each.
    """
    asked = timed_question(problem)
    record = {**asked.to_json(), "answer": answers.answer(asked), "kind": "scan"}
    if problem.measure == "legs":
        weights, rows = 1 / tasks.weights(problem), list(problem.rows)
        one = tasks.bound_of(problem, problem.samples[None])[0][rows]
        high = judging.Question(record, "timed").truth.high
        limits, sizes = (lambda dtype: one * frozen.ROUNDOFF[dtype]), frozen.weighted_norm(high, weights)
    else:
        limits, sizes, weights = _scan(judging.Question(record, "timed"), oracle)
    found = {"id": problem.id, "kind": "timed"}
    found |= {name: record[name] for name in ("measure", "method", "order", "parameters", "rows", "answer")}
    return found | {
        "limits": {dtype: hexadecimal(limits(dtype)) for dtype in DTYPES},
        "sizes": hexadecimal(sizes),
        "weights": hexadecimal(weights),
    }


def gradient_vector(problem, oracle):
    """``d (w . last state) / d samples[k]`` from the certified Jacobian, a row for each k.

    With the bound ``|D dJ_k| <= limit_k`` on the Jacobian, ``|w . dJ_k| <= |w / D| limit_k`` (Cauchy and Schwarz).
    """
    asked, w = timed_question(problem), timed.weighting(problem.order)
    J = enclosed.enclose_jacobian(asked.setting.exact, problem.length, problem.order, problem.method, problem.dt, 40)
    with flint.ctx.workdps(60):
        rows = [sum(flint.arb(float(w[n])) * J[n][k] for n in range(problem.order)) for k in range(problem.length)]
    texts, radius = numbers.rounded_row(rows, Fraction(0), False)
    operator = oracle.operator(judging.Question({**asked.to_json(), "kind": "gradient"}, "timed").case)
    scale = float(np.linalg.norm(w / operator.weights))
    largest = max(abs(float(text)) for text in texts)
    return {
        "id": timed.gradient_id(problem),
        "kind": "timed-gradient",
        "measure": problem.measure,
        "method": problem.method,
        "order": problem.order,
        "rows": list(range(problem.length)),
        "parameters": asked.to_json()["parameters"],
        "answer": {"radius": [radius] * problem.length, "shape": [problem.length, 1], "values": texts},
        "limits": {
            dtype: hexadecimal(scale * bounds.jacobian_limits(operator, problem.length, dtype).forward)
            for dtype in DTYPES
        },
        "sizes": hexadecimal([largest] * problem.length),
        "weights": hexadecimal([1.0]),
    }


def header(lines):
    """What the file is made from, and its digest."""
    with lzma.open(SOURCE, "rt", encoding="ascii") as file:
        source = json.loads(file.readline())
    return {
        "format": frozen.FORMAT,
        "command": "python -m asv_benchmarks.freeze",
        "provenance": {
            "source": {"file": SOURCE.name, "sha256": source["sha256"]["document"]},
            "versions": source["provenance"]["versions"],
            "bounds": "verify.bounds for what is tracked, asv_benchmarks.tasks for what is timed",
        },
        "count": len(lines),
        "sha256": frozen.digest(lines),
    }


def text(records):
    """The file: a header, then a vector on each line."""
    lines = [json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False) for record in records]
    head = json.dumps(header(lines), sort_keys=True, separators=(",", ":"))
    return "\n".join([head, *lines]) + "\n"


def main():
    """Write the file."""
    parser = argparse.ArgumentParser(prog="python -m asv_benchmarks.freeze", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="such as asv_benchmarks/vectors/tracked-2.jsonl.xz")
    path = parser.parse_args().file
    oracle = oracles.Oracle(None)
    records = [tracked(record, oracle) for record in selected(documents.read_document(SOURCE).vectors.values())]
    records += [timed_vector(problem, oracle) for problem in timed.PROBLEMS]
    records += [gradient_vector(problem, oracle) for problem in timed.GRADIENTS]
    content = text(records).encode("ascii")
    path.write_bytes(lzma.compress(content, check=lzma.CHECK_CRC64, preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main()

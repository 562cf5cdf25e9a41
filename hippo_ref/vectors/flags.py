"""What is special about a question, by name, so that failures can be told apart by it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from hippo_ref.vectors.question import Question, reads


def flags(question: Question) -> tuple[str, ...]:
    """What is special about a question, so that failures can be told apart by it."""
    samples = question.samples or ()
    theta = dict(question.setting.parameters).get("theta")
    alpha = dict(question.setting.parameters).get("alpha", 0.0)
    facts = {
        "order-1": question.order == 1,
        "odd-order": question.order % 2 == 1,
        "even-order": question.order % 2 == 0,
        "large-order": question.order > 64,
        "one-sample": question.kind == "scan" and len(samples) == 1,
        "zero": question.kind in ("scan", "step") and not any(samples) and not any(question.state or ()),
        "denormal": any(0 < abs(x) < 2.0**-1022 for x in samples),
        "small": any(0 < abs(x) < 2.0**-500 for x in samples),
        "huge": any(abs(x) > 2.0**300 for x in samples),
        "uneven": question.timestamps is not None,
        "t0-zero": question.timestamps is not None and question.timestamps[0] == 0,
        "small-window": theta is not None and theta < 2.0**-20,
        "large-window": theta is not None and theta > 2.0**20,
        "alpha-near-end": abs(alpha) > 0.99,
        "window-not-1": theta is not None and theta != 1,
        "some-rows": question.kind in ("scan", "matrices", "gradient") and len(question.rows) < _rows(question),
        "cells": question.method is not None and reads(question.method) == "cells",
        "nodes": question.method is not None and reads(question.method) == "nodes",
        "float32": all(_in_float32(x) for x in _inputs(question)),
    }
    return tuple(name for name, holds in facts.items() if holds)


def _rows(question: Question) -> int:
    return question.order if question.kind == "matrices" else len(question.samples or ())


def _inputs(question: Question) -> Iterator[float]:
    yield from (value for _, value in question.setting.parameters)
    for values in (question.samples, question.state, question.points, question.timestamps):
        yield from values or ()
    yield from (value for value in (question.dt, question.time) if value is not None)
    if question.signal is not None:
        yield from question.signal.polynomial
        for wave in question.signal.waves:
            yield from (wave.amplitude, wave.frequency, wave.phase)


def _in_float32(value: float) -> bool:
    """Whether a binary32 number, normal or zero, is exactly this double."""
    mantissa, exponent = math.frexp(value)
    return value == 0 or (-125 <= exponent <= 128 and (mantissa * 2.0**24).is_integer())

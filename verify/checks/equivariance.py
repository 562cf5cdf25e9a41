"""Timescale equivariance: a signal played slower is remembered the same, LegS by itself, windows by their theta."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from verify.bounds import Limits, entry_limits, scan_limits
from verify.candidates import WINDOWED
from verify.case import Case, as_text
from verify.checks.base import Check, Finding, Record, Suite, judge, malformed, states_of, worst_coefficient
from verify.checks.scan_base import sample_times
from verify.defects import Defect, pick
from verify.inputs import Signal
from verify.metrics import norm
from verify.oracle import Oracle, wave
from verify.result import Target
from verify.strategies import corpus_signals, length_for

FACTOR = 2


def _shorter(case: Case) -> Case:
    """The same case with window and time step divided by `FACTOR`."""
    theta = as_text(case.exact_parameters["theta"] / FACTOR)
    shorter = tuple((name, theta if name == "theta" else value) for name, value in case.parameters)
    return replace(case, parameters=shorter, dt=None if case.dt is None else case.dt / FACTOR)


class Equivariance(Check):
    """Comparison of a target with itself on another timescale."""

    key = "equivariance"
    claim = (
        "hippo(f(a t))(t) = hippo(f)(a t): LegS for any signal, a window of length theta/a for theta (HiPPO prop. 3)"
    )
    levels = ("matrices", "scan")

    def why_not(self, case: Case) -> str | None:
        """A measure without a timescale has nothing to scale."""
        if case.measure not in ("legs", *WINDOWED):
            return f"{case.measure} has a fixed timescale of its own: the property does not hold for it"
        if case.measure == "legs" and case.level == "matrices":
            return "the scale law has no theta: the property is one of scans"
        if case.measure == "legs" and case.method == "euler":
            return "forward Euler does not converge on LegS before it has blown up"
        if case.measure == "legs" and case.method != "zoh" and case.order > 8:
            return "by convergence only, which needs many more samples than order^2; run at orders up to 8"
        return None

    def companions(self, case: Case) -> tuple[Case, ...]:
        """A window needs a second window to be compared with."""
        return (_shorter(case),) if case.measure in WINDOWED else ()

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Windows: theta and dt divided by two. LegS zoh: each sample twice. Other LegS rules: twice the samples."""
        if case.measure in WINDOWED:
            self._windows(case, oracle, target, suite, record)
        elif case.method == "zoh":
            for signal in corpus_signals(length_for(case.order, suite.length) // 2, case.dtype)[1:9:2]:
                slower = Signal(tuple(v for v in signal.values for _ in range(FACTOR)), f"{signal.name}, each twice")
                record.add(self._pair(case, case, oracle, target, (signal, slower), FACTOR), len(signal))
        else:
            self._by_convergence(case, oracle, target, record)

    def _windows(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        shorter = _shorter(case)
        if case.level == "scan":
            for signal in corpus_signals(length_for(case.order, suite.length) // 2, case.dtype)[1:9:2]:
                record.add(self._pair(case, shorter, oracle, target, (signal, signal), 1), len(signal))
            return
        answers = [target.call(asked, asked.order) for asked in (case, shorter)]
        for result in answers:
            problem = malformed(result, "A", (case.order, case.order), {}) or malformed(result, "B", (case.order,), {})
            if problem is not None:
                record.add(problem)
                return
        A, B = oracle.system(case)
        pairs = zip(
            ("A", "B"), entry_limits(case.measure, case.float_parameters, A.high, B.high, case.dtype), strict=True
        )
        for name, limits in pairs:
            before, after = (np.asarray(answer.arrays[name], dtype=float) for answer in answers)
            both = Limits(2 * limits.forward, 2 * limits.backward, f"twice: {limits.source}")

            def where(index: tuple[int, ...], name: str = name) -> dict[str, Any]:
                return {"what": f"{name}{list(index)} at theta/{FACTOR}, divided by {FACTOR}", "index": list(index)}

            scale = max(float(np.abs(before).max()), 1.0)
            got = after / FACTOR
            finding = judge(got - before, both, truth=0.0, scale=scale, got=got, expected=before, where=where)
            record.add(finding)

    def _pair(
        self, case: Case, other: Case, oracle: Oracle, target: Target, signals: tuple[Signal, Signal], stride: int
    ) -> Finding:
        """States of the second scan, every ``stride``-th, against those of the first."""
        first, second = signals
        place: dict[str, Any] = {"input": first.to_json()}
        answers = []
        for asked, signal in ((case, first), (other, second)):
            result = target.call(asked, signal.array(asked.dtype), asked.order)
            problem = states_of(result, len(signal), asked.order, place)
            if problem is not None:
                return problem
            answers.append(np.atleast_2d(result.value))
        exact = oracle.states(case, first.values)
        slower = np.repeat(exact.high, stride, axis=0)
        one = scan_limits(oracle.operator(case), first.values, exact.high, case.dtype)
        two = scan_limits(oracle.operator(other), second.values, slower, case.dtype)
        keep = slice(-1, None) if len(answers[0]) == 1 else slice(None)
        got = answers[1][stride - 1 :: stride] if len(answers[1]) > 1 else answers[1]
        expected = answers[0].astype(float)
        D = oracle.operator(case).weights
        with np.errstate(all="ignore"):
            signed = got.astype(float) - expected

        def where(index: tuple[int, ...]) -> dict[str, Any]:
            k = index[0]
            values = worst_coefficient(got[k], signed[k], expected[k], D)
            return {**place, **values, "what": f"state {k} of the slower signal", "index": [k, values["coefficient"]]}

        limits = Limits(
            (one.forward + two.forward[stride - 1 :: stride])[keep],
            (one.backward + two.backward[stride - 1 :: stride])[keep],
            "sum of the rounding bounds of the two scans",
        )
        scale = np.maximum.accumulate(norm(exact.high, D))[keep]
        return judge(norm(signed, D), limits, truth=0.0, scale=scale, got=got, expected=expected, where=where)

    def _by_convergence(self, case: Case, oracle: Oracle, target: Target, record: Record) -> None:
        """Both scans approach one projection; the rule's own distance to it, known exactly, bounds their difference."""
        operator, function = oracle.operator(case), wave(3)
        D = operator.weights
        truth = oracle.projection(case, function, Fraction(1))
        answers, forward, backward, unknown = [], 0.0, 0.0, 0.0
        for length in (64, 64 * FACTOR):
            signal = Signal(function.samples(sample_times(case.method, length)), function.name)
            result = target.call(case, signal.array(case.dtype), case.order)
            place = {"input": {"name": function.name, "length": length}}
            problem = states_of(result, length, case.order, place)
            if problem is not None:
                record.add(problem)
                return
            answers.append(np.atleast_2d(result.value)[-1].astype(float))
            samples = tuple(signal.array(case.dtype).astype(float).tolist())
            exact = oracle.states(case, samples)
            distance = float(norm(truth.error(exact.high[-1]), D))
            unknown += float(norm(truth.radius, D) + norm(exact.radius[-1] + np.abs(exact.low[-1]), D))
            limits = scan_limits(operator, samples, exact.high, case.dtype)
            forward += distance + float(limits.forward[-1])
            backward += distance + float(limits.backward[-1])
        difference = answers[1] - answers[0]

        def where(_: tuple[int, ...]) -> dict[str, Any]:
            values = worst_coefficient(answers[1], difference, answers[0], D)
            what = f"the last state with twice the samples (most in coefficient {values['coefficient']})"
            return {**values, "what": what, "index": [values["coefficient"]], "input": {"name": function.name}}

        source = "the rule's own exact distance to the projection at both lengths, and rounding"
        record.add(
            judge(
                np.atleast_1d(norm(difference, D)),
                Limits(np.array([forward]), np.array([backward]), source),
                truth=unknown,
                scale=float(norm(truth.high, D)),
                got=answers[1][None],
                expected=answers[0][None],
                where=where,
            )
        )

    def mutants(self, case: Case) -> Sequence[Defect]:
        """A clock that stops or is late, and a window that ignores its length."""
        if case.measure == "legs":
            late = ("clock_late", "late_sample") if case.method == "zoh" else ()
            return pick(case, "clamped_clock", *late)
        return pick(case, "window_ignored")

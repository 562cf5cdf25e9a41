"""The reference: exact projections, states and derivations, beside what the plain way costs.

``python -m asv_benchmarks.bench_reference`` prints the table of ``reports/published/reference-speed.md`` in one run.
"""

import functools
import gc
import sys
import time
from statistics import median

from mpmath import mp

import hippo_ref
from hippo_ref.balls import midpoint, radius

ORDER, LENGTH, DIGITS = 64, 2000, 50
LARGE = 256
SAMPLED = (0, 15, 63, 127, 191, 255)
"""Coefficients that the plain way is timed on; all 256 would take its mean 256 times."""


def numbers(length=LENGTH):
    """Dyadic samples without structure."""
    return [((7 * i * i + 3 * i) % 17 - 8) / 8 for i in range(length)]


def entire(x):
    """``exp(sin 3x)`` at the working precision."""
    return mp.exp(mp.sin(3 * x))


def entire_ball(z):
    """The same on balls."""
    return (3 * z).sin().exp()


def fresh():
    """Forget every table, so that each run pays for what a first call pays."""
    for found in gc.get_objects():
        if isinstance(found, functools._lru_cache_wrapper) and getattr(found, "__module__", "").startswith("hippo_ref"):
            found.cache_clear()


class Reference:
    """One call each, from cold tables."""

    version = "1"
    number = 1
    repeat = 3
    timeout = 300

    def setup(self):
        """Time only right answers: both witnesses of the projection agree at a small order."""
        self.legs, self.legt = hippo_ref.measure("legs"), hippo_ref.measure("legt")
        balls = hippo_ref.enclose(self.legs, entire_ball, 1, 8, DIGITS)
        exact = hippo_ref.project(self.legs, entire, 1, 8, DIGITS + 10)
        with mp.workdps(DIGITS + 20):
            gaps = [abs(midpoint(b) - e) - radius(b) for b, e in zip(balls, exact, strict=True)]
            if max(gaps) > mp.mpf(10) ** -(DIGITS + 8):
                raise AssertionError("the witnesses disagree: there is nothing to time")
        fresh()

    def time_project(self):
        """LegS projection of an entire function, N = 256, 50 digits."""
        hippo_ref.project(self.legs, entire, 1, LARGE, DIGITS)

    def time_enclose(self):
        """The same, certified."""
        hippo_ref.enclose(self.legs, entire_ball, 1, LARGE, DIGITS)

    def time_states_legs(self):
        """LegS bilinear states, N = 64, L = 2,000."""
        hippo_ref.states(self.legs, numbers(), ORDER, "bilinear", dps=DIGITS)

    def time_states_legs_zoh(self):
        """LegS zoh states, N = 64, L = 2,000."""
        hippo_ref.states(self.legs, numbers(), ORDER, "zoh", dps=DIGITS)

    def time_states_legt(self):
        """LegT bilinear states, N = 64, L = 2,000."""
        hippo_ref.states(self.legt, numbers(), ORDER, "bilinear", 1 / 64, DIGITS)

    def time_enclose_states_legs(self):
        """LegS bilinear states, certified."""
        hippo_ref.enclose_states(self.legs, numbers(), ORDER, "bilinear", None, DIGITS)

    def time_enclose_states_legt(self):
        """LegT bilinear states, certified."""
        hippo_ref.enclose_states(self.legt, numbers(), ORDER, "bilinear", 1 / 64, DIGITS)

    def time_derive(self):
        """LegT's (A, B) from its definition, N = 64: exact Gram–Schmidt."""
        hippo_ref.derive(self.legt, ORDER, DIGITS)

    def time_derive_custom(self):
        """The same from a weight alone: Stieltjes procedure on double-exponential nodes."""
        hippo_ref.derive(hippo_ref.define("mine", motion=hippo_ref.Translated(1)), ORDER, DIGITS)


def plain_projection():
    """Seconds for all of the 256 coefficients by one ``mp.quad`` each, from those of `SAMPLED`."""
    spent = []
    with mp.workdps(DIGITS):
        for n in SAMPLED:
            begin = time.process_time()
            mp.quad(lambda v, n=n: entire(v) * mp.sqrt(2 * n + 1) * mp.legendre(n, 2 * v - 1), [0, 1])
            spent.append(time.process_time() - begin)
    return LARGE * sum(spent) / len(spent)


def plain_states():
    """Seconds for LegS bilinear states by mpmath's own linear solve: 2 steps, times 1,000."""

    with mp.workdps(DIGITS):
        found = hippo_ref.system(hippo_ref.measure("legs"), ORDER, DIGITS)
        state, eye = mp.matrix(ORDER, 1), mp.eye(ORDER)
        state[0] = 1
        begin = time.process_time()
        for k, u in enumerate(numbers(3)[1:], start=1):
            h = mp.mpf(1) / k
            state = mp.lu_solve(eye - h / 2 * found.A, (eye + h / 2 * found.A) * state + h * found.B * u)
        return (time.process_time() - begin) * LENGTH / 2


def plain_derivation():
    """Seconds for LegT's A at N = 64 by one ``mp.quad`` for each entry: 6 entries, times 64^2 / 6."""
    pairs = ((0, 0), (5, 30), (31, 31), (40, 63), (63, 10), (63, 63))
    with mp.workdps(DIGITS):
        begin = time.process_time()
        for n, k in pairs:
            mp.quad(
                lambda v, n=n, k=k: mp.diff(lambda w: mp.legendre(n, 2 * w - 1), v) * mp.legendre(k, 2 * v - 1), [0, 1]
            )
        return (time.process_time() - begin) * ORDER**2 / len(pairs)


def main():
    """The table, CPU seconds, ours as the median of three."""
    bench = Reference()
    plain = {"project": plain_projection(), "states": plain_states(), "derive": plain_derivation()}
    lines = ["| what | goal | seconds | plain way | ratio |", "|---|---|---|---|---|"]
    for key, words, goal, beside in (
        ("project", "LegS projection of exp(sin 3x), N = 256, 50 digits", "1 s", "project"),
        ("enclose", "the same as certified balls", "", "project"),
        ("states_legs", "LegS bilinear states, N = 64, L = 2,000", "5 s", "states"),
        ("states_legs_zoh", "LegS zoh states", "5 s", None),
        ("states_legt", "LegT bilinear states", "5 s", None),
        ("enclose_states_legs", "LegS bilinear states as certified balls", "", "states"),
        ("enclose_states_legt", "LegT bilinear states as certified balls", "", None),
        ("derive", "derive LegT, N = 64", "5 s", "derive"),
        ("derive_custom", "derive LegT from its weight alone", "5 s", "derive"),
    ):
        spent = []
        for _ in range(3):
            bench.setup()
            begin = time.process_time()
            getattr(bench, f"time_{key}")()
            spent.append(time.process_time() - begin)
        ours = median(spent)
        other = plain.get(beside)
        shown = ("", "") if other is None else (f"{other:,.0f} s", f"{other / ours:,.0f}")
        lines.append(f"| {words} | {goal} | {ours:.2f} | {shown[0]} | {shown[1]} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

"""The reference: exact projections, states and derivations, beside what the plain way costs.

``python -m asv_benchmarks.bench_reference`` prints the table of ``reports/published/reference-speed.md`` in one run.
"""

import functools
import gc
import sys
import time
from statistics import median

from asv_benchmarks.guests import Guest

balls, hippo_ref, mpmath = Guest("hippo_ref.balls"), Guest("hippo_ref"), Guest("mpmath")

ORDER, LENGTH, DIGITS = 64, 500, 50
LONG = 2000
"""Samples in the published table; asv is content with fewer."""
LARGE = 256
SAMPLED = (0, 15, 63, 127, 191, 255)
"""Coefficients that the plain way is timed on; all 256 would take its mean 256 times."""


def numbers(length):
    """Dyadic samples without structure."""
    return [((7 * i * i + 3 * i) % 17 - 8) / 8 for i in range(length)]


def entire(x):
    """``exp(sin 3x)`` at the working precision."""
    return mpmath.mp.exp(mpmath.mp.sin(3 * x))


def entire_ball(z):
    """The same on balls."""
    return (3 * z).sin().exp()


def fresh():
    """Forget every table, so that each run pays for what a first call pays."""
    for found in gc.get_objects():
        # By type: some objects of other libraries warn when they are asked what they are.
        if type(found) is functools._lru_cache_wrapper and found.__module__.startswith("hippo_ref"):
            found.cache_clear()


def legs():
    """LegS."""
    return hippo_ref.measure("legs")


def legt():
    """LegT."""
    return hippo_ref.measure("legt")


# Each takes the number of samples, binds what this commit has, and returns the call.


def project(_):
    """LegS projection of an entire function, N = 256, 50 digits."""
    return functools.partial(hippo_ref.project, legs(), entire, 1, LARGE, DIGITS)


def enclose(_):
    """The same, certified."""
    return functools.partial(hippo_ref.enclose, legs(), entire_ball, 1, LARGE, DIGITS)


def states_legs(length):
    """LegS bilinear states, N = 64."""
    return functools.partial(hippo_ref.states, legs(), numbers(length), ORDER, "bilinear", dps=DIGITS)


def states_legs_zoh(length):
    """LegS zoh states."""
    return functools.partial(hippo_ref.states, legs(), numbers(length), ORDER, "zoh", dps=DIGITS)


def states_legt(length):
    """LegT bilinear states."""
    return functools.partial(hippo_ref.states, legt(), numbers(length), ORDER, "bilinear", 1 / 64, DIGITS)


def enclose_states_legs(length):
    """LegS bilinear states, certified."""
    return functools.partial(hippo_ref.enclose_states, legs(), numbers(length), ORDER, "bilinear", None, DIGITS)


def enclose_states_legt(length):
    """LegT bilinear states, certified."""
    return functools.partial(hippo_ref.enclose_states, legt(), numbers(length), ORDER, "bilinear", 1 / 64, DIGITS)


def derive(_):
    """LegT's (A, B) from its definition, N = 64: exact Gram–Schmidt."""
    return functools.partial(hippo_ref.derive, legt(), ORDER, DIGITS)


def derive_custom(_):
    """The same from a weight alone: Stieltjes procedure on double-exponential nodes."""
    mine = hippo_ref.define("mine", motion=hippo_ref.Translated(1))
    return functools.partial(hippo_ref.derive, mine, ORDER, DIGITS)


CALLS = {
    call.__name__: call
    for call in (
        project, enclose, states_legs, states_legs_zoh, states_legt, enclose_states_legs, enclose_states_legt, derive,
        derive_custom,
    )
}  # fmt: skip


def require_witnesses():
    """Raise unless both witnesses of the projection agree at a small order."""
    found = hippo_ref.enclose(legs(), entire_ball, 1, 8, DIGITS)
    exact = hippo_ref.project(legs(), entire, 1, 8, DIGITS + 10)
    with mpmath.mp.workdps(DIGITS + 20):
        gaps = [abs(balls.midpoint(b) - e) - balls.radius(b) for b, e in zip(found, exact, strict=True)]
        if max(gaps) > mpmath.mp.mpf(10) ** -(DIGITS + 8):
            raise AssertionError("the witnesses disagree: there is nothing to time")


class Reference:
    """One call each, from cold tables; 500 samples where there are any."""

    version = "2"
    param_names = ["call"]
    params = [list(CALLS)]
    number = 1
    repeat = 2
    rounds = 1
    warmup_time = 0
    timeout = 300

    def setup(self, call):
        """Time only right answers."""
        self.run = CALLS[call](LENGTH)
        require_witnesses()
        fresh()

    def time_call(self, call):
        """See the docstring of the function of that name."""
        self.run()


def plain_projection():
    """Seconds for all of the 256 coefficients by one ``mp.quad`` each, from those of `SAMPLED`."""
    mp, spent = mpmath.mp, []
    with mp.workdps(DIGITS):
        for n in SAMPLED:
            begin = time.process_time()
            mp.quad(lambda v, n=n: entire(v) * mp.sqrt(2 * n + 1) * mp.legendre(n, 2 * v - 1), [0, 1])
            spent.append(time.process_time() - begin)
    return LARGE * sum(spent) / len(spent)


def plain_states():
    """Seconds for LegS bilinear states by mpmath's own linear solve: 2 steps, times 1,000."""
    mp = mpmath.mp
    with mp.workdps(DIGITS):
        found = hippo_ref.system(legs(), ORDER, DIGITS)
        state, eye = mp.matrix(ORDER, 1), mp.eye(ORDER)
        state[0] = 1
        begin = time.process_time()
        for k, u in enumerate(numbers(3)[1:], start=1):
            h = mp.mpf(1) / k
            state = mp.lu_solve(eye - h / 2 * found.A, (eye + h / 2 * found.A) * state + h * found.B * u)
        return (time.process_time() - begin) * LONG / 2


def plain_derivation():
    """Seconds for LegT's A at N = 64 by one ``mp.quad`` for each entry: 6 entries, times 64^2 / 6."""
    mp, pairs = mpmath.mp, ((0, 0), (5, 30), (31, 31), (40, 63), (63, 10), (63, 63))
    with mp.workdps(DIGITS):
        begin = time.process_time()
        for n, k in pairs:
            mp.quad(
                lambda v, n=n, k=k: mp.diff(lambda w: mp.legendre(n, 2 * w - 1), v) * mp.legendre(k, 2 * v - 1), [0, 1]
            )
        return (time.process_time() - begin) * ORDER**2 / len(pairs)


def main():
    """The table, CPU seconds, ours as the median of three."""
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
            call = CALLS[key](LONG)
            require_witnesses()
            fresh()
            begin = time.process_time()
            call()
            spent.append(time.process_time() - begin)
        ours = median(spent)
        other = plain.get(beside)
        shown = ("", "") if other is None else (f"{other:,.0f} s", f"{other / ours:,.0f}")
        lines.append(f"| {words} | {goal} | {ours:.2f} | {shown[0]} | {shown[1]} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

"""hippo-verify itself: how long a check takes, and how much it decides.

Fewer verdicts, or fewer numbers compared, are a loss too: a check that is fast because it looks at less is no better.
"""

import contextlib
import functools
import os
import tempfile
import time

import numpy as np

from asv_benchmarks.guests import Guest

verify = Guest("verify")

ORDERS = {"matrices": (4, 8, 16), "scan": (4,)}


class Textbook:
    """LegS with the bilinear rule as a stranger would write it."""

    gain = 1

    def matrices(self, order):
        """(A, B)."""
        n = np.arange(order)
        s = np.sqrt(2.0 * n + 1)
        return -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0), self.gain * s

    def scan(self, samples, order):
        """All states."""
        A, B = self.matrices(order)
        state, eye = np.zeros(order), np.eye(order)
        state[0] = samples[0]
        states = [state]
        for k in range(1, len(samples)):
            state = np.linalg.solve(eye - A / (2 * k), (eye + A / (2 * k)) @ state + B * samples[k] / k)
            states.append(state)
        return np.stack(states)


class Doubled(Textbook):
    """The same with a B that is twice too large."""

    gain = 2


@contextlib.contextmanager
def cache(folder):
    """Exact answers are kept in a folder of our own, so that nobody's cache is timed."""
    before = os.environ.get("HIPPO_VERIFY_CACHE")
    os.environ["HIPPO_VERIFY_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["HIPPO_VERIFY_CACHE"]
        else:
            os.environ["HIPPO_VERIFY_CACHE"] = before


def asked(target, level, folder):
    """The report on a target at one level, as JSON."""
    with cache(folder):
        return verify.check(target, "legs", level=level, orders=ORDERS[level], seed=0).to_json()


@functools.cache
def first(level):
    """One check, whatever it says."""
    asked(Textbook(), level, os.path.abspath(KEPT))


KEPT = "exact-answers"
"""Folder of the exact answers, in the working folder that asv gives to all that share a ``setup_cache``."""


class Check:
    """`verify.check` of a live target, quick suite: matrices at N = 4, 8, 16, scans at N = 4."""

    version = "1"
    timeout = 300
    rounds = 1
    warmup_time = 0
    param_names = ["level"]
    params = [list(ORDERS)]

    def setup_cache(self):
        """Verdicts by level, or the reason why there are none.

        A right target passes and a wrong one fails, or there is nothing to measure.
        """
        try:
            return self.verdicts()
        except NotImplementedError as reason:
            return str(reason)

    def verdicts(self):
        """Those on the right target, by level."""
        found = {}
        for level in self.params[0]:
            for target, wanted in ((Textbook(), "pass"), (Doubled(), "fail")):
                report = asked(target, level, os.path.abspath(KEPT))
                if report["status"] != wanted:
                    raise AssertionError(
                        f"{type(target).__name__} at level {level}: {report['status']}, expected {wanted}"
                    )
                found.setdefault(level, report["verdicts"])
        return found

    def setup(self, found, level):
        """The first check of a process imports what it needs, which is not what is timed."""
        if isinstance(found, str):
            raise NotImplementedError(found)
        first(level)

    def time_check(self, found, level):
        """With the exact answers at hand."""
        asked(Textbook(), level, os.path.abspath(KEPT))

    def time_check_cold(self, found, level):
        """With the exact answers still to be computed, but for the tables that a process keeps."""
        with tempfile.TemporaryDirectory() as empty:
            asked(Textbook(), level, empty)

    def track_rate(self, found, level):
        """Verdicts in a second."""
        begin = time.perf_counter()
        count = len(asked(Textbook(), level, os.path.abspath(KEPT))["verdicts"])
        return count / (time.perf_counter() - begin)

    def track_verdicts(self, found, level):
        """Verdicts that decide."""
        return sum(verdict["status"] in ("PASS", "FAIL") for verdict in found[level])

    def track_compared(self, found, level):
        """Numbers compared for them."""
        return sum(verdict["compared"] for verdict in found[level])

    track_rate.unit = "cases/s"
    track_verdicts.unit = "verdicts"
    track_compared.unit = "numbers compared"

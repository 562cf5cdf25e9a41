"""What the reconstructions say: the paper's table with ours beside, whose each part of an error is, and verdicts."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from verify.claims import reconstruction_speed as speed
from verify.claims import statistics
from verify.claims.base import UNJUDGED, Outcome, Scale, Standing, Statement
from verify.claims.reconstruction_results import SOURCE, TABLE, Measured, errors
from verify.claims.reconstruction_signals import Law, foreign
from verify.claims.reconstruction_tables import drawn, errors_table, long_table, on_the_way, speed_table

LIMITS: Final[Mapping[str, float]] = {"error": 0.025, "rule": 0.01, "long": 0.01}
"""What lies below: an error that prints as 0.02 or less, and shares of an error that change none of its digits."""
ABOVE: Final = "holds where it lies above 0, fails where below"


def judge(measured: Measured) -> Outcome:
    """All that is said."""
    return Outcome(
        statements=tuple(_statements(measured)),
        tables=(errors_table(measured), long_table(measured), speed_table(measured)),
        figures=(*drawn(measured), *on_the_way(measured)),
        notes=tuple(_notes(measured)),
    )


def comparisons(measured: Measured) -> dict[str, statistics.Comparison]:
    """What every verdict rests on; signals stand in the place of seeds, and turns in that of the timing."""
    run = measured.readings(measured.steps, measured.seconds)
    legs, lmu = run.get(measured.legs), run.get(measured.lmu)
    lstm = measured.lstm()[1]
    fine = measured.readings(measured.long, measured.seconds).get(measured.legs)
    coarse, long = errors(legs), errors(fine)
    compare = functools.partial(statistics.compare, of="signal")
    found = {
        "error": compare({s: LIMITS["error"] - v for s, v in _known(errors(legs))}),
        "legs below lmu": compare(errors(lmu), errors(legs)),
        "lmu below lstm": compare(errors(lstm), errors(lmu)),
        "rule": compare({s: LIMITS["rule"] - v for s, v in _known(errors(legs, "added", "window"))}),
        "long": compare(
            {s: LIMITS["long"] - abs(v / coarse[s] - 1) for s, v in _known(long)}  # type: ignore[operator]
            if all(coarse.get(s) for s in long) else {}
        ),
    }  # fmt: skip
    timing = measured.one("timing")
    for key, (fast, slow, least) in RACES.items():
        times = {} if timing is None else speed.ratios(timing["speeds"], fast, slow)
        found[key] = statistics.compare(times, margin=least, of="turn")
    return found


RACES: Final[Mapping[str, tuple[str, str, float]]] = {
    "faster than lmu": (speed.LEGS_SCAN, speed.LMU_TEXTBOOK, 470 / 41),
    "faster than lstm": (speed.LEGS_SCAN, speed.LSTM, 470 / 35),
    "faster than loop": (speed.LEGS_SCAN, speed.LEGS_TEXTBOOK, 1.0),
    "faster online": (speed.LEGS_ONLINE, speed.LMU_ONLINE, 1.0),
    "faster as scans": (speed.LEGS_SCAN, speed.LMU_SCAN, 1.0),
}
"""Statement to what is to be faster, than what, and how many times at least."""


def _known(values: Mapping[int, float | None]) -> Iterable[tuple[int, float]]:
    return ((seed, value) for seed, value in values.items() if value is not None)


def _statements(measured: Measured) -> list[Statement]:
    decisions = statistics.decide(comparisons(measured))
    count, order, seconds = f"{measured.steps:,}", measured.order, measured.seconds
    noise = f"of {count} samples of noise below 1 Hz in {seconds:g} s"
    said: dict[str, dict[str, str]] = {
        "error": {
            "text": f"LegS of order {order} gives back the whole history {noise} at an RMS of 1/2, with a mean squared "
            "error that rounds to 0.02 or less.",
            "quantity": "mean squared error of LegS (bilinear), over signals",
            "bound_source": f"{TABLE}: 0.02, to its printed digits; the RMS, with which it stands or falls, is that "
            "of a generator of the same authors (state-spaces, whitesignal)",
        },
        "legs below lmu": {
            "text": f"LegS loses less {noise} than LMU with a window over all of it.",
            "quantity": "mean squared error of LMU (zero-order hold) less that of LegS (bilinear), over signals",
            "bound_source": "the paper's order: 0.02 below 0.05",
            "message": "LMU's law replaces what leaves its window by its own approximation of it, LegS's is exact",
        },
        "lmu below lstm": {
            "text": f"LMU loses less {noise} than an LSTM of {order} units that was trained for it.",
            "quantity": "mean squared error of the LSTM less that of LMU (zero-order hold), over signals",
            "bound_source": "the paper's order: 0.05 below 0.25",
            "message": _training(measured),
        },
        "rule": {
            "text": f"What LegS (bilinear) loses {noise} is what the best polynomial of its degree loses: the rule "
            "adds less than 1 %.",
            "quantity": "share of the error that is distance from the exact projection, over signals",
            "bound_source": "a share that changes no printed digit of the error",
        },
        "long": {
            "text": f"Read in {measured.long:,} samples instead of {count}, the same signals lose the same to LegS, "
            "within 1 %.",
            "quantity": "relative change of the error, over signals",
            "bound_source": "a share that changes no printed digit of the error; no timescale in LegS (Prop. 3)",
        },
        "faster than lmu": {
            "text": f"LegS of order {order} reads at least 11.5 times as many samples a second as an LMU that "
            "takes a dense step for each.",
            "bound_source": f"{TABLE}: 470,000 by 41,000",
        },
        "faster than lstm": {
            "text": f"LegS reads at least 13.4 times as many samples a second as an LSTM of {order} units.",
            "bound_source": f"{TABLE}: 470,000 by 35,000",
        },
        "faster than loop": {
            "text": "The O(N) update of LegS is faster than its textbook loop, a dense triangular solve a sample.",
            "bound_source": "as fast as each other; O(N) operations a step against O(N^2)",
        },
        "faster online": {
            "text": f"Sample by sample, LegS of order {order} takes less time than LMU, whose step is O(N^2).",
            "bound_source": "as fast as each other; O(N) operations a step against O(N^2)",
        },
        "faster as scans": {
            "text": f"LegS of order {order} is faster than LMU also where both read a sequence at once.",
            "bound_source": f"as fast as each other; the order of speeds in {TABLE}",
            "message": "read in chunks, as matrix products, LMU does 2 N operations a sample at the speed of those: "
            "the paper's factor of 11 is one between LegS and an LMU that takes its samples one by one",
        },
    }
    sources = dict.fromkeys(said, TABLE) | {
        "rule": "HiPPO (2008.07669), section 2",
        "long": SOURCE,
        "faster than loop": "HiPPO (2008.07669), Prop. 4",
        "faster online": "HiPPO (2008.07669), Prop. 4",
    }
    strange = _foreign(measured)
    statements = []
    for key, words in said.items():
        if key in RACES:
            fast, slow, _ = RACES[key]
            quantity = f"samples per second of {speed.TITLES[fast]} by those of {speed.TITLES[slow]}, over turns"
            said[key]["quantity"] = quantity
        one = decisions[key].statement(source=sources[key], **words)
        if key in LIMITS:
            one = _from_below(one, decisions[key].comparison, LIMITS[key])
        doubt = UNJUDGED if measured.scale is Scale.SMOKE else "" if key in RACES else strange
        if doubt and one.standing is not Standing.NOT_RUN:
            one = replace(one, standing=Standing.UNDECIDED, message=doubt)
        statements.append(one)
    return statements


def _from_below(one: Statement, found: statistics.Comparison, limit: float) -> Statement:
    """The same statement in terms of what stays below a limit: what was compared is the limit less it."""
    criterion = one.criterion.replace(ABOVE, f"holds where it lies below {limit:g}, fails where above")
    if found.difference is None or found.low is None or found.high is None:
        return replace(one, criterion=criterion, bound=limit, measured=None)
    low, high = limit - found.high, limit - found.low
    side = {Standing.HOLDS: "below", Standing.FAILS: "above"}.get(one.standing, "too near to say which side of")
    message = (
        f"{limit - found.difference:.4g} over {found.seeds} signals, {statistics.LEVEL:.0%} interval {low:.4g} to "
        f"{high:.4g}: {side} {limit:g}"
    )
    return replace(one, criterion=criterion, bound=limit, measured=limit - found.difference, message=message)


def _foreign(measured: Measured) -> str:
    """Why the signals that were read are none of the law; "" where they may be, or where none was read."""
    for steps in (measured.steps, measured.long):
        found = measured.readings(steps, measured.seconds).get(measured.legs)
        if found is None:
            continue
        columns = ([one[name] for one in found["errors"].values()] for name in ("power", "upper", "beyond"))
        if why := foreign(Law(measured.seconds), *columns):
            return f"what was read is no noise of the law: {why}"
    return ""


def _training(measured: Measured) -> str:
    given, found = measured.lstm()
    if found is None:
        return ""
    short_given, short = measured.lstm(short=True)
    share = statistics.estimate(errors(found, "whole", "power")).mean
    words = (
        f"ours learns from {given['train']:,} signals in {given['epochs']} epochs and reads {found['samples']} samples "
        f"of each run, fewer than the paper's and as much to remember; it is one network, and loses {_shown(share)} of "
        "the variance"
    )
    if short is not None:
        small = statistics.estimate(errors(short, "whole", "power")).mean
        words += f", and the same training on {short_given['seconds']:g} s of history loses {_shown(small)} of it"
    return words


def _shown(share: float | None) -> str:
    return "an unknown part" if share is None else f"{share:.3g}"


def _notes(measured: Measured) -> list[str]:
    truth = measured.one("truth")
    notes = []
    if truth is not None and measured.scale is not Scale.SMOKE:
        share, error = truth["unseen"], truth["unseen"] * truth["variance"]
        notes.append(
            f"The signal has {2 * truth['harmonics']} degrees of freedom, fewer than the {measured.order} "
            "coefficients: some memory could hold it whole. Polynomials need pi coefficients for each oscillation, not "
            f"2: the best of degree < {measured.order} loses {share:.4f} of the variance, an expected error of "
            f"{error:.4f} at RMS 1/2. The paper's 0.02 is what truncation takes."
        )
    return notes

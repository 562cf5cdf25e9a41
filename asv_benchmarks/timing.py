"""Interleaved rounds on the processor's own clock: what one competitor suffers, the others suffer too."""

import gc
import time
from statistics import median

import numpy as np


def seconds(call, count=1):
    """Processor seconds of one call, all threads of this process, mean of ``count`` calls."""
    begin = time.process_time_ns()
    for _ in range(count):
        call()
    return (time.process_time_ns() - begin) / (1e9 * count)


def calls_per_sample(call, least):
    """How many calls last ``least`` seconds, and about how long one takes; the first calls are not counted."""
    call()
    count = 1
    while (spent := seconds(call, count) * count) < least and count < 10**7:
        count = max(2 * count, int(count * 1.2 * least / max(spent, 1e-9)) if spent > 0.1 * least else 8 * count)
    return count, spent / count


def interleaved(calls, rounds, repeats, least):
    """Time each of ``calls`` (key -> function of nothing) in every round; return key -> seconds, one for each round.

    A round takes the minimum of ``repeats`` samples of at least ``least`` seconds each; a call that is longer than half
    a second is sampled once in a round. The order turns from round to round.
    """
    plan = {key: calls_per_sample(call, least) for key, call in calls.items()}
    found = {key: [] for key in calls}
    order = list(calls)
    enabled = gc.isenabled()
    gc.disable()
    try:
        for turn in range(rounds):
            shift = turn % max(1, len(order))
            for key in order[shift:] + order[:shift]:
                count, once = plan[key]
                samples = 1 if once > 0.5 else repeats
                found[key].append(min(seconds(calls[key], count) for _ in range(samples)))
    finally:
        if enabled:
            gc.enable()
    return found


def spread(values):
    """(median, lowest, highest)."""
    return median(values), min(values), max(values)


def ratios(slower, faster):
    """How many times faster, round by round: (median, lowest, highest)."""
    return spread([s / f for s, f in zip(slower, faster, strict=True)])


def slope(sizes, times):
    """The least-squares slope of log time against log size; 1 means linear."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])

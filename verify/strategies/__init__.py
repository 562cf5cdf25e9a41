"""Hypothesis strategies that make inputs and cases, and the corpus that is always tried first.

Every drawn number is ``m 2^e`` with an integer ``|m| < 2^24`` and an exponent within the range of the dtype it is drawn
for: 24 bits are what a float32 holds, so a float32 target reads the very numbers the reference reads, and a float64
target reads them too. Of the corpus, some signals use all bits of the dtype and are rounded to it before they are used.

hypothesis is imported where a strategy is made: listing checks and asking for help must not pay for it.
"""

from __future__ import annotations

from verify.strategies.base import HUGE, TINY, examples_for, indices, length_for, lengths, orders
from verify.strategies.cases import cases, parameters
from verify.strategies.corpus import (
    corpus_readouts,
    corpus_signals,
    corpus_transitions,
    long_signal,
    unit_transitions,
)
from verify.strategies.points import readouts
from verify.strategies.signals import batches, pairs, signals, timed_signals
from verify.strategies.steps import resumptions, transitions

__all__ = [
    "HUGE",
    "TINY",
    "batches",
    "cases",
    "corpus_readouts",
    "corpus_signals",
    "corpus_transitions",
    "examples_for",
    "indices",
    "length_for",
    "lengths",
    "long_signal",
    "orders",
    "pairs",
    "parameters",
    "readouts",
    "resumptions",
    "signals",
    "timed_signals",
    "transitions",
    "unit_transitions",
]

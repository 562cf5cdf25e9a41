"""Invariant laws in chunks of m steps: products of matrices instead of one product with a vector for each step.

With ``A = I + increment``, the step ``c' = A c + gain u`` taken m times is
``c_m = A^m c_0 + sum_i A^(m-1-i) gain u_i``: a power and m columns of weights, both constant. So

- the samples of all chunks enter by one matrix product, whose rows are chunks (and streams) side by side;
- chunk ends are added pairwise: ``A^m older + newer`` is the end of two chunks, again one product for all pairs;
- where every state is wanted, the states at the starts of long chunks are found first, and then the chunks are stepped
  side by side as a batch: parallel in time.

A last state costs ``2 N (1 + N/m)`` operations for each sample where a step costs ``2 N^2``, and at the rate of a
product of matrices. Powers come by squaring and weights by doubling: ``2 N^3 log2 m + 2 N^2 m`` operations, once for a
law.

Accuracy, to first order in the unit roundoff u; absolute values and inequalities are entrywise, so that nothing depends
on how coefficients are scaled.

*One step at a time* rounds the change, of N + 1 terms, and its sum with c: by ``u (|A c| + |gain u_k|)`` and
``(N + 2) u (|increment| |c| + |gain| |u_k|)`` in each step, carried on by the later ones. What a sample of age a gave
(a steps follow the one that reads it) is rounded ``N + 3`` times as it enters and then once in each step:
``(a + N + 3) u``, times at least ``|A^a gain| |u_k|``.

*In chunks* it is rounded once in its weight; in the product that it enters by at most ``width + a/width`` times, since
longer chunks enter as blocks of ``width <= max(N, 32)`` samples, oldest first; once in each of the ``log2(chunks)``
sums; and ``N + 2`` times in each product with a power. There is one of these for each block of chunks, and one for each
bit of the number of chunks between. With ``m >= N`` they are fewer roundings than the recurrence's, which has m for
each chunk. With ``m < N`` only ``A^m - I`` is multiplied on all rows that have not decayed, at most ``m |increment|``:
``(N + 2) u m |increment| |c|`` is what m steps lose. In sum chunks lose no more than steps do, except for the
``log2(chunks)`` sums and, below N = 32, the 32 terms of the newest block.

*Powers* keep the identity apart, ``A^m = D + R`` with D the identity on the rows whose diagonal entry is above 1/2:
``A^2m = D + (D R + R D + R R)``. While ``D = I`` this is ``E' = 2 E + E^2``: with e for ``|increment|``, squaring
doubles what was lost before and adds ``N u e_m^2``, ``e_m = (1 + e)^m - 1``, which sums to an error of at most
``(3 N + 3 log2 m) u m e (1 + e)^(m-1)`` in ``E_m``; m steps may lose ``((N + 2) e + 1 + e) u m (1 + e)^(m-1)``. A row
that has decayed drops its identity and keeps digits of its own size, however small it becomes. Powers and weights are
worked out in float64 and rounded once to the dtype of the state.

No FFT over the whole sequence is used. Where states at few points are wanted it loses whatever the sizes: it gives
every state of a coefficient for about ``5 log2 L`` operations each at a tenth of the rate of products, 340 ms against 6
ms at N = 256 and L = 10^5, spectra given. Where all states are wanted it is as fast as the products at N = 256 and
faster beyond, but each of its errors is of the size of the whole input's norm, not of the state's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any, Final, final

import numpy as np

from hippo_fast.discretizations.base import ConstantSteps
from hippo_fast.types import Float64Array, FloatArray

_FEWEST: Final = 64  # samples: fewer are stepped one by one, as `Memory` steps them
_CALL: Final = 2.0**16  # operations of a matrix product in the time of one small numpy call
_FIXED_ROWS: Final = 2.0  # a product with few rows takes as long as if it had so many more
_SIDE: Final = 2**13  # numbers in all chunk ends worked on at a time
_LANES: Final = 2**15  # numbers in all states stepped side by side
_GROWTH: Final = 2.0**40  # largest entry of a power: an unstable law is run in shorter chunks, far from overflow
_KEPT: Final = 2**25  # numbers in all powers that are kept: 256 MiB
_LEVELS: Final = 16  # powers of one law, as a rule: a law whose own would not fit is not kept


def last_state(steps: ConstantSteps, state: FloatArray, samples: FloatArray) -> FloatArray:
    """Return the state ``(S, N)`` after all samples ``(S, K)``, from the state ``(S, N)`` before them."""
    streams, count = samples.shape
    length, side = _plan(streams, count, len(steps.gain))
    if length == 1:
        return stepped(steps, state, samples)
    powers = powers_of(steps)
    block = 2 ** powers.reach((length * side).bit_length() - 1)
    if block == 1:
        return stepped(steps, state, samples)
    length = min(length, block)
    first = count % block
    if first:
        state = powers.carried(state, first) + powers.gathered(samples[:, :first], length)
    step = powers.power(block.bit_length() - 1, state.dtype)
    for begin in range(first, count, block):
        state = step.after(state, powers.gathered(samples[:, begin : begin + block], length))
    return state


def all_states(
    steps: ConstantSteps, state: FloatArray, samples: FloatArray, states: FloatArray, first: int = 0
) -> FloatArray:
    """Write the state after sample j of ``(S, K)`` into ``states[:, first + j]``, ``(S, N)`` each; return the last.

    The states are stored anyway; beside them the chunks take memory for about as many numbers as there are samples.
    """
    (streams, count), order = samples.shape, len(steps.gain)
    level = _lane_level(streams, count, order)
    if level == 0:
        return stepped(steps, state, samples, states, first)
    level = powers_of(steps).reach(level)
    length = 2**level
    lanes = min(count // length, _LANES // (order * streams))
    if level == 0 or lanes < 2:
        return stepped(steps, state, samples, states, first)
    whole = lanes * length
    chunks = samples[:, :whole].reshape(streams * lanes, length)
    starts = piece_starts(steps, state, samples, lanes, length)
    view = states[:, first : first + whole].reshape(streams, lanes, length, order)
    last = stepped(steps, starts.reshape(-1, order), chunks, view).reshape(streams, lanes, order)[:, -1]
    return all_states(steps, last, samples[:, whole:], states, first + whole) if whole < count else last


def longest_piece(steps: ConstantSteps, length: int) -> int:
    """Return the largest power of two, up to ``length``, of steps whose power can be told; 1 if none can."""
    return int(2 ** powers_of(steps).reach(max(1, length).bit_length() - 1))


def piece_starts(steps: ConstantSteps, state: FloatArray, samples: FloatArray, pieces: int, length: int) -> FloatArray:
    """Return the states ``(S, P, N)`` at the starts of P pieces of each stream.

    Args:
        steps: of the law.
        state: ``(S, N)``, at the start of the first piece.
        samples: ``(S, K)``, ``K >= (pieces - 1) * length``.
        pieces: P, >= 1.
        length: samples in a piece, no more than `longest_piece` and a power of two.
    """
    starts = np.empty((len(state), pieces, state.shape[1]), state.dtype)
    starts[:, 0] = state
    if pieces == 1:
        return starts
    chunks = samples[:, : (pieces - 1) * length].reshape(-1, length)
    ends = last_state(steps, np.zeros((len(chunks), state.shape[1]), state.dtype), chunks)
    added = ends.reshape(len(state), pieces - 1, -1)
    power = powers_of(steps).power(length.bit_length() - 1, state.dtype)
    for piece in range(1, pieces):
        starts[:, piece] = power.after(starts[:, piece - 1], added[:, piece - 1])
    return starts


def stepped(
    steps: ConstantSteps, state: FloatArray, samples: FloatArray, states: FloatArray | None = None, first: int = 0
) -> FloatArray:
    """Run the recurrence one step at a time; arguments and result as `last_state` or, with states, `all_states`.

    Streams may stand in more axes than one in ``states`` ``(..., L, N)``.
    """
    increment, gain = np.ascontiguousarray(steps.increment.T.astype(state.dtype)), steps.gain.astype(state.dtype)
    state, inputs = state.copy(), np.ascontiguousarray(samples.T)[..., None]
    change, entering = np.empty_like(state), np.empty_like(state)
    seen = None if states is None else state.reshape(*states.shape[:-2], -1)
    for j, sample in enumerate(inputs):
        np.matmul(state, increment, out=change)
        np.multiply(sample, gain, out=entering)
        change += entering
        state += change
        if states is not None:
            states[..., first + j, :] = seen
    return state


@lru_cache(maxsize=256)
def _plan(streams: int, count: int, order: int) -> tuple[int, int]:
    """Return the length of a chunk and how many of a stream are worked on together, powers of two.

    Length 1 means that one step at a time is faster. The choice depends on the shapes alone, so that equal calls give
    equal bits, whatever was called before.
    """
    if count < _FEWEST:
        return 1, 1
    plans = [(2**i, 2**j) for i in range(1, count.bit_length()) for j in range(count.bit_length() - i)]
    plans = [(length, side) for length, side in plans if side * streams * order <= _SIDE or side == 1]
    cost, plan = min((_cost(streams, count, order, *plan), plan) for plan in plans)
    by_steps = count * (2.0 * (streams + _FIXED_ROWS) * order**2 + 4.0 * _CALL)
    return plan if cost < by_steps else (1, 1)


def _lane_level(streams: int, count: int, order: int) -> int:
    """Return the binary logarithm of the length of the chunks that are stepped side by side; 0: of none."""
    most = _LANES // (order * streams)
    if count < _FEWEST or most < 2:
        return 0
    # About as many chunks as steps in each: each costs a product with a few rows.
    level = (max(math.isqrt(count), count // most) - 1).bit_length()
    sequential = 2**level + count / 2**level  # products that wait for one another
    prepared = level * (2.5 * order**3 + 40.0 * order**2 + 8.0 * _CALL)
    by_lanes = prepared + sequential * (2.0 * (1.0 + _FIXED_ROWS) * order**2 + 6.0 * _CALL)
    by_steps = count * (2.0 * _FIXED_ROWS * order**2 + 4.0 * _CALL)
    return level if by_lanes < by_steps else 0


def _cost(streams: int, count: int, order: int, length: int, side: int) -> float:
    """Return the cost of a plan in operations of a large product, its powers and weights included."""
    levels, pairings = (length * side).bit_length() - 1, side.bit_length() - 1
    products = -(-length // _width(order))
    rows = (streams * side + products * _FIXED_ROWS) * length  # of order N: samples enter
    rows += (streams * side + (pairings + 1) * _FIXED_ROWS) * order  # chunks and blocks are added
    calls = 2.0 * products + 4.0 * pairings + 6.0
    blocks = count / (length * side)
    prepared = levels * (2.5 * order**3 + 40.0 * order**2 + 8.0 * _CALL) + 2.0 * order**2 * length
    return prepared + blocks * (2.0 * order * rows + calls * _CALL)


def _width(order: int) -> int:
    """Return how many samples enter in one product, so that no sum has many more terms than a step's own."""
    return int(max(32, 2 ** (order.bit_length() - 1)))


@final
@dataclass(frozen=True)
class _Power:
    """One power of a step, ``c' = kept c + c rest``: the identity apart on the rows where it is the larger part.

    Attributes:
        kept: ``(N,)``, 1 on those rows and 0 on the others.
        rest: ``(N, N)``, transposed, so that states are rows.
    """

    kept: FloatArray
    rest: FloatArray

    def after(self, state: FloatArray, added: FloatArray) -> FloatArray:
        """Return the power of ``state`` ``(S, N)`` plus ``added`` ``(S, N)``."""
        change: FloatArray = state @ self.rest
        change += added
        change += state * self.kept
        return change

    def squared(self) -> _Power:
        """Return the square."""
        rest = self.kept[:, None] + self.kept
        rest *= self.rest
        rest += self.rest @ self.rest
        return _Power(self.kept, rest).split()

    def split(self) -> _Power:
        """Return the same power, the identity dropped from the rows that have decayed to half or less."""
        rest, kept = _flushed(self.rest, np.dtype(np.float64)), self.kept.copy()
        decayed = (kept == 1.0) & (np.diagonal(rest) <= -0.5)
        rest[decayed, decayed] += 1.0  # exact: the sum has no more digits than the entry
        kept[decayed] = 0.0
        return _Power(kept, rest)

    def astype(self, dtype: np.dtype[Any]) -> _Power:
        """Return the same power, rounded once."""
        return _Power(self.kept.astype(dtype), _flushed(self.rest, dtype))


def _flushed(values: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """Return a copy in ``dtype`` with zeros for subnormal numbers, which slow products down a hundred times."""
    rounded = values.astype(dtype)
    rounded[np.abs(rounded) < np.finfo(dtype).tiny] = 0.0
    return rounded


@final
class _Powers:
    """The powers ``A^(2^level)`` of one step, and the weights of the last samples; both grow as they are asked for."""

    def __init__(self, steps: ConstantSteps) -> None:
        self.steps = steps
        self._levels = [_Power(np.ones(len(steps.gain)), np.ascontiguousarray(steps.increment.T)).split()]
        self._weights: Float64Array = steps.gain[None].copy()
        self._rounded: dict[int, _Power] = {}  # to float32
        self._rounded_weights: FloatArray = np.empty((0, len(steps.gain)), np.float32)
        self._lock = Lock()

    @property
    def size(self) -> int:
        """How many numbers are held."""
        return len(self.steps.gain) ** 2 * (len(self._levels) + len(self._rounded)) + 2 * self._weights.size

    def belong_to(self, steps: ConstantSteps) -> bool:
        """Return whether these are the powers of ``steps``."""
        own = self.steps
        return own is steps or (np.array_equal(own.gain, steps.gain) and np.array_equal(own.increment, steps.increment))

    def reach(self, level: int) -> int:
        """Return the highest level up to ``level`` whose power has no entry beyond `_GROWTH`."""
        with self._lock:
            while len(self._levels) <= level:
                following = self._levels[-1].squared()
                if not max(following.rest.max(), -following.rest.min()) <= _GROWTH:
                    break
                self._levels.append(following)
            return min(level, len(self._levels) - 1)

    def power(self, level: int, dtype: np.dtype[Any]) -> _Power:
        """Return ``A^(2^level)``; `reach` must have found it."""
        if dtype == np.float64:
            return self._levels[level]
        if level not in self._rounded:
            self._rounded[level] = self._levels[level].astype(dtype)
        return self._rounded[level]

    def weights(self, count: int, dtype: np.dtype[Any]) -> FloatArray:
        """Return the weights ``(count, N)`` of the last samples, oldest first: row i is ``A^(count - 1 - i) gain``."""
        with self._lock:
            while len(self._weights) < count:
                power = self._levels[len(self._weights).bit_length() - 1]
                older = power.after(self._weights, np.zeros_like(self._weights))
                self._weights = np.concatenate([_flushed(older, older.dtype), self._weights])
            found: FloatArray = self._weights
            if dtype != np.float64:
                if len(self._rounded_weights) < len(found):
                    self._rounded_weights = _flushed(found, dtype)
                found = self._rounded_weights
        return found[len(found) - count :]

    def carried(self, state: FloatArray, count: int) -> FloatArray:
        """Return the state ``(S, N)`` after ``count`` samples that are zero."""
        if not state.any():
            return state
        nothing = np.zeros_like(state)
        for level in range(count.bit_length()):
            if count >> level & 1:
                state = self.power(level, state.dtype).after(state, nothing)
        return state

    def gathered(self, samples: FloatArray, length: int) -> FloatArray:
        """Return the state ``(S, N)`` after ``samples`` ``(S, K)`` alone, from zero, in chunks of ``length``."""
        streams, count = samples.shape
        chunks = 2 ** (-(-count // length) - 1).bit_length()
        if chunks == 1:
            return self._entered(samples)
        if count < chunks * length:  # zeros first: they leave the zero state alone
            padded = np.zeros((streams, chunks * length), samples.dtype)
            padded[:, -count:] = samples
            samples = padded
        ends = self._entered(samples.reshape(streams * chunks, length))
        level = length.bit_length() - 1
        while len(ends) > streams:
            ends = self.power(level, samples.dtype).after(ends[0::2], ends[1::2])
            level += 1
        return ends

    def _entered(self, samples: FloatArray) -> FloatArray:
        """Return what one chunk of samples ``(rows, K)`` adds, in blocks of about N, so that no sum is long."""
        count = samples.shape[1]
        weights = self.weights(count, samples.dtype)
        width = _width(len(self.steps.gain))
        total: FloatArray = samples[:, :width] @ weights[:width]
        for begin in range(width, count, width):
            total += samples[:, begin : begin + width] @ weights[begin : begin + width]
        return total


_known: list[_Powers] = []  # the one used last comes first
_known_lock = Lock()


def powers_of(steps: ConstantSteps) -> _Powers:
    """Return the powers of a step: those of an equal step used lately, as far as they had grown, or new ones."""
    if _LEVELS * len(steps.gain) ** 2 > _KEPT:
        return _Powers(steps)
    with _known_lock:
        found = next((powers for powers in _known if powers.belong_to(steps)), None)
        if found is None:
            found = _Powers(steps)
        else:
            _known.remove(found)
        _known.insert(0, found)
        while len(_known) > 1 and sum(powers.size for powers in _known) > _KEPT:
            _known.pop()
    return found

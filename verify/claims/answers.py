"""What a network that was trained says of each sequence, one by one: for what sums over a split do not tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify.claims.tasks import UNSCORED, Split

Array = NDArray[np.float64]


def outputs(network: Any, split: Split, batch: int) -> NDArray[np.float32]:
    """What it gives for every sequence: ``(n, outputs)``, or ``(n, L, outputs)`` if it answers at each step.

    Args:
        network: `verify.claims.training.Trained.module`.
        split: the sequences.
        batch: as many at once.
    """
    import torch  # noqa: PLC0415 -- a guest

    from verify.claims.network import Batch  # noqa: PLC0415

    data = Batch.of(split, str(next(network.parameters()).device))
    with torch.no_grad():
        parts = [network(data.pick(slice(start, start + batch))).cpu().numpy() for start in range(0, len(data), batch)]
    return np.concatenate(parts)


def right(network: Any, split: Split, batch: int) -> NDArray[np.bool_]:
    """Of a task to classify: which sequences it names rightly."""
    return outputs(network, split, batch).argmax(axis=-1) == split.targets


def shares_right(network: Any, split: Split, batch: int) -> Array:
    """Of a task to copy: the share of each sequence's symbols that it says rightly."""
    scored = split.targets != UNSCORED
    hits = (outputs(network, split, batch).argmax(axis=-1) == split.targets) & scored
    return hits.sum(axis=1) / scored.sum(axis=1)


def squared_errors(network: Any, split: Split, batch: int) -> Array:
    """Of a task to regress at the end: the mean over its numbers of the squared error of each sequence."""
    return ((outputs(network, split, batch).astype(np.float64) - split.targets) ** 2).mean(axis=-1)


def packed(bits: NDArray[np.bool_]) -> str:
    """Bits as hexadecimal digits, first bit first."""
    return np.packbits(bits).tobytes().hex()


def unpacked(digits: str, count: int) -> Array:
    """The inverse of `packed`, as zeros and ones."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(digits), np.uint8), count=count).astype(np.float64)


def paired_variance(a: Sequence[str], b: Sequence[str], count: int) -> float:
    """What one test set leaves uncertain of a difference of two accuracies over the same items.

    The variance over items of the difference, itself a mean over seeds, divided by the number of items. One item that
    is for A alone and one that is for B alone are added, so that cells which agree on all are not certain to (Bonett
    and Price, Journal of Educational and Behavioral Statistics 37, 2012).

    Args:
        a: by seed, from `packed`, whether A was right.
        b: by seed, whether B was.
        count: items.
    """
    one, other = (np.mean([unpacked(digits, count) for digits in side], axis=0) for side in (a, b))
    differences = np.concatenate([one - other, [1.0, -1.0]])
    return float(differences.var() / len(differences))


def mean_and_variance(values: Array) -> Mapping[str, float]:
    """The mean over sequences, and the variance that so many of them leave in it."""
    return {"mean": float(values.mean()), "variance": float(values.var(ddof=1) / len(values))}

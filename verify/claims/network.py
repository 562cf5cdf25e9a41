"""A cell with a linear read-out, what it is wrong by, and how far it is right. Torch; batches of whole sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.nn import functional

from verify.adapters.own_nn import make_cell
from verify.claims.base import Json, finite
from verify.claims.tasks import UNSCORED, Kind, Split

Tensor: TypeAlias = Any  # torch is skipped by the type checker


class Network(nn.Module):  # type: ignore[misc]
    """A cell, and one linear layer on its outputs.

    Args:
        cell: key of the cell.
        input_size: numbers in each sample.
        hidden_size: of the cell.
        outputs: numbers, classes or symbols.
        options: of the cell.
        kind: of the task.
        last: whether the layer reads the output after the last sample alone, or each.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        outputs: int,
        options: Mapping[str, Json],
        *,
        kind: Kind,
        last: bool,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.cell = make_cell(cell, input_size, hidden_size, **options)
        self.readout = nn.Linear(hidden_size, outputs)
        self.last = last

    def forward(self, batch: Batch) -> Tensor:
        """(n, outputs), or (n, L, outputs)."""
        outputs, _ = self.cell(batch.inputs, times=batch.times, observed=batch.observed, lengths=batch.lengths)
        return self.readout(outputs[:, -1] if self.last else outputs)  # beyond its length a sequence repeats the last


@dataclass(frozen=True)
class Batch:
    """Sequences as tensors; the fields are those of `Split`, but `observed` says it of each number."""

    inputs: Tensor
    targets: Tensor
    times: Tensor | None
    observed: Tensor | None
    lengths: Tensor | None

    @classmethod
    def of(cls, split: Split, device: str) -> Batch:
        """A whole split."""

        def tensor(array: Any) -> Tensor | None:
            return None if array is None else torch.from_numpy(array.copy()).to(device)

        observed = tensor(split.observed)
        return cls(
            inputs=tensor(split.inputs), targets=tensor(split.targets), times=tensor(split.times),
            observed=None if observed is None else observed[..., None].expand(*split.inputs.shape),
            lengths=tensor(split.lengths),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.inputs)

    def pick(self, index: Any) -> Batch:
        """Some of the sequences."""
        return Batch(
            *(
                None if one is None else one[index]
                for one in (self.inputs, self.targets, self.times, self.observed, self.lengths)
            )
        )

    def steps(self) -> int:
        """Samples of all sequences together."""
        n, length, _ = self.inputs.shape
        return n * length if self.lengths is None else int(self.lengths.sum())


@dataclass(frozen=True)
class Score:
    """Sums over what was scored: the loss is a tensor that a gradient flows through."""

    loss: Tensor
    right: int
    count: int


def score(kind: Kind, outputs: Tensor, batch: Batch) -> Score:
    """How far outputs are from the targets: cross-entropy in nats, or the square of the error."""
    targets = batch.targets
    if kind == "regress":
        if targets.ndim == 2 or batch.lengths is None:
            return Score(((outputs - targets) ** 2).sum(), 0, targets.numel())
        inside = _inside(batch.lengths, targets.shape[1])
        # Not the squares: where a target in the padding is NaN, their gradient is 0 times NaN.
        errors = torch.where(inside[..., None], outputs - targets, torch.zeros_like(outputs))
        return Score((errors**2).sum(), 0, int(inside.sum()) * targets.shape[2])
    targets = targets.long()
    if kind == "copy" and batch.lengths is not None:
        targets = torch.where(_inside(batch.lengths, targets.shape[1]), targets, torch.full_like(targets, UNSCORED))
    outputs, targets = outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1)
    loss = functional.cross_entropy(outputs, targets, ignore_index=UNSCORED, reduction="sum")
    right = int(((outputs.argmax(-1) == targets) & (targets != UNSCORED)).sum())
    return Score(loss, right, int((targets != UNSCORED).sum()))


def _inside(lengths: Tensor, steps: int) -> Tensor:
    """(n, steps), False in the padding."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def evaluate(network: Network, data: Batch, size: int, check: Callable[[], None]) -> dict[str, float | None]:
    """``loss``, ``accuracy`` (not of ``regress``) and ``count`` over a split; None for a number that is not finite.

    Args:
        network: it is left in the mode of learning.
        data: the split.
        size: sequences at once.
        check: is asked before each batch, and may raise.
    """
    loss, right, count = 0.0, 0, 0
    for batch, outputs in answers(network, data, size):
        check()
        one = score(network.kind, outputs, batch)
        loss, right, count = loss + float(one.loss), right + one.right, count + one.count
    found: dict[str, float | None] = {"loss": finite(loss / count), "count": count}
    return found if network.kind == "regress" else {**found, "accuracy": right / count}


def answers(network: Network, data: Batch, size: int) -> Iterator[tuple[Batch, Tensor]]:
    """What a network gives for a split, batch by batch, without gradients."""
    network.eval()
    try:
        for start in range(0, len(data), size):
            batch = data.pick(slice(start, start + size))
            with torch.no_grad():
                outputs = network(batch)
            yield batch, outputs
    finally:
        network.train()

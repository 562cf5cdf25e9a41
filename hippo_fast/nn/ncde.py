"""Neural controlled differential equation: Kidger, Morrill, Foster, Lyons 2020 (arXiv 2005.08926), section 3.

``z(t_0) = zeta(X(t_0))``, ``dz = f(z) dX``, where ``X`` runs through the points ``(t_k, x_k)`` and, if asked for, the
numbers of observations so far; ``zeta`` is affine, and ``f`` a network with one hidden layer and a final tanh. The
output at ``t_k`` is ``z(t_k)``.

How ``X`` runs from point to point (Morrill, Kidger, Yang, Lyons 2021, arXiv 2106.11028):

- ``linear``: straight. A missing number keeps its last value, so that no output depends on later samples;
- ``rectilinear``: first in time, then in the values; as causal, and twice the cost;
- ``cubic``: the natural spline of torchcde, through what was observed, in the index of the samples. Outputs before the
  last one depend on later samples, so that samples cannot come one by one. It bends within a gap: on rough samples a
  fixed rule wants two steps in each.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from hippo_fast.nn.base import State, Tensor, checked_size
from hippo_fast.nn.flow import Flow, guest
from hippo_fast.nn.sequence import SequenceCell, all_times, at_last, each_step, gaps_before, latest
from hippo_fast.validation import checked_key

INTERPOLATIONS = ("linear", "rectilinear", "cubic")
CUBIC = "interpolation 'cubic'"


class NCDECell(SequenceCell):
    """Kidger's cell. The state is ``(z, last point of X without its time, time of the last sample)``.

    A number that was never observed is 0 in ``X``, the mean of standardised data.

    Args:
        input_size: numbers in each sample.
        hidden_size: numbers in each output.
        width: of the one hidden layer of ``f``; None for ``hidden_size``.
        interpolation: how ``X`` runs from point to point.
        intensity: whether ``X`` has the numbers of observations so far, one for each variable, where it matters which
            are missing.
        solver: ``rk4`` or ``euler`` with equal steps in each gap, or ``dopri5``, adaptive.
        steps: of a fixed rule in each gap.
        tolerance: of ``dopri5``, relative and absolute.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: a number outside its domain, or an unknown key.
    """

    key = "ncde"
    uses_times: ClassVar[bool] = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        width: int | None = None,
        interpolation: Literal["linear", "rectilinear", "cubic"] = "linear",
        intensity: bool = False,
        solver: Literal["rk4", "euler", "dopri5"] = "rk4",
        steps: int = 1,
        tolerance: float = 1e-5,
    ) -> None:
        super().__init__(input_size, hidden_size)
        self.interpolation = checked_key("interpolation", interpolation, INTERPOLATIONS)
        if not isinstance(intensity, bool):
            raise TypeError(f"intensity is {intensity!r} ({type(intensity).__name__}); accepted: True or False")
        self.intensity = intensity
        if interpolation == "cubic":
            guest("torchcde", CUBIC)
        self.flow = Flow(solver, steps, tolerance)
        size = self.hidden_size if width is None else checked_size("width", width)
        self.channels = 1 + self.input_size * (2 if intensity else 1)  # the time first
        self.opening = nn.Linear(self.channels, self.hidden_size)
        self.field = nn.Sequential(
            nn.Linear(self.hidden_size, size), nn.ReLU(), nn.Linear(size, self.hidden_size * self.channels), nn.Tanh()
        )
        with torch.no_grad():  # a slow flow at first: fields of size 1 would carry z as far as the path is long
            for parameter in self.field[2].parameters():
                parameter.mul_(0.1)

    def initial_state(self, batch: int, *, dtype: Any = None, device: Any = None) -> State:
        """Return zeros for ``z`` and the point, and NaN for the time: nothing has been read."""
        like = self._like(dtype, device)
        unread = torch.full((batch,), torch.nan, dtype=torch.float64, device=like["device"])
        return torch.zeros(batch, self.hidden_size, **like), torch.zeros(batch, self.channels - 1, **like), unread

    def _run(
        self, inputs: Tensor, state: State, times: Tensor | None, observed: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, State]:
        hidden, point, last = state
        times = all_times(times, last, inputs.shape[1])
        known = latest(inputs, point[:, : self.input_size], observed)
        if self.intensity:
            flags = torch.ones_like(inputs) if observed is None else observed.to(inputs.dtype)
            counts = torch.cumsum(torch.cat([point[:, None, self.input_size :], flags], dim=1), dim=1)
            known = torch.cat([known, counts], dim=-1)
        fresh = torch.isnan(last)[:, None]
        start = torch.cat([times[:, :1].to(inputs.dtype), known[:, 1]], dim=-1)
        opened = torch.where(fresh, self.opening(start), hidden)
        if self.interpolation == "cubic":
            points = torch.cat([(times - times[:, :1]).to(inputs.dtype)[..., None], known[:, 1:]], dim=-1)
            outputs = self._along_spline(opened, points, fresh, observed, lengths)
        else:
            # From float64 times: those since 1970, say, would lose their gaps in float32.
            gaps = gaps_before(times, last).to(inputs.dtype)[..., None]
            moves = torch.cat([gaps, known.diff(dim=1)], dim=-1)
            outputs = self._along_lines(opened, moves, fresh)
        ends = (at_last(entry, lengths) for entry in (outputs, known[:, 1:], times))
        return outputs, tuple(ends)

    def _slope(self, level: Tensor, tilt: Tensor, bend: Tensor, s: Any, state: Tensor) -> Tensor:
        """Return ``f(z) dX/ds`` where ``dX/ds = level + tilt s + bend s^2``, each ``(batch, channels)``."""
        return self._driven(level + (tilt + bend * s) * s, s, state)

    def _driven(self, rate: Tensor, s: Any, state: Tensor) -> Tensor:
        """Return ``f(z) dX/ds`` ``(batch, hidden_size)`` for a ``rate`` ``dX/ds`` that does not change."""
        matrix = self.field(state).unflatten(-1, (self.hidden_size, self.channels))
        return torch.bmm(matrix, rate[..., None])[..., 0]

    def _along_lines(self, hidden: Tensor, moves: Tensor, fresh: Tensor) -> Tensor:
        """Return the outputs where ``X`` moves by ``moves`` ``(batch, length, channels)``, each from the one before.

        A fresh stream opens at its first point, and its first move is none.
        """
        moves = torch.cat(
            [torch.where(fresh[..., None], torch.zeros_like(moves[:, :1]), moves[:, :1]), moves[:, 1:]], 1
        )
        is_time = torch.arange(self.channels, device=moves.device) == 0
        legs = (moves,) if self.interpolation == "linear" else (moves * is_time, moves * ~is_time)
        all_fresh = bool(fresh.all())
        outputs = []
        for k, parts in enumerate(zip(*(each_step(leg.transpose(0, 1)) for leg in legs), strict=True)):
            if k > 0 or not all_fresh:
                for part in parts:
                    hidden = self.flow(partial(self._driven, part), hidden)
            outputs.append(hidden)
        return torch.stack(outputs, dim=1)

    def _along_spline(
        self, hidden: Tensor, points: Tensor, fresh: Tensor, observed: Tensor | None, lengths: Tensor | None
    ) -> Tensor:
        """Return the outputs where ``X`` is the natural cubic spline through what was observed of ``points``."""
        if not bool(fresh.all()):
            raise ValueError(
                "state has read samples, but interpolation is 'cubic', whose path depends on all of them; accepted: "
                "whole sequences, or interpolation 'linear' or 'rectilinear'"
            )
        slopes = _spline_slopes(self._with_gaps(points, observed), lengths)
        outputs = [hidden]
        for parts in zip(*(each_step(part.transpose(0, 1)) for part in slopes), strict=True):
            hidden = self.flow(partial(self._slope, *parts), hidden)
            outputs.append(hidden)
        return torch.stack(outputs, dim=1)

    def _with_gaps(self, points: Tensor, observed: Tensor | None) -> Tensor:
        """Return the points with NaN for what was not observed; the time and the counts always are."""
        if observed is None:
            return points
        first = torch.arange(points.shape[1], device=points.device)[:, None] == 0  # X starts at a point
        values = points[..., 1 : 1 + self.input_size]
        values = torch.where(observed | first, values, torch.full_like(values, torch.nan))
        return torch.cat([points[..., :1], values, points[..., 1 + self.input_size :]], dim=-1)


def _spline_slopes(points: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``b, c, d`` of ``dX/ds = b + c s + d s^2`` on each gap, ``(batch, length - 1, channels)`` each.

    Streams of one length go together, so that no spline runs through padding, where the slope is 0.
    """
    batch, length, channels = points.shape
    found = points.new_zeros(batch, max(length - 1, 0), 4 * channels)
    sizes = torch.full((batch,), length, device=points.device) if lengths is None else lengths
    for size in torch.unique(sizes).tolist():
        if size < 2:
            continue
        rows = torch.nonzero(sizes == size)[:, 0]
        spline = guest("torchcde", CUBIC).natural_cubic_coeffs(points[rows, :size])
        found = found.index_put((rows,), nn.functional.pad(spline, (0, 0, 0, length - size)))
    _, level, tilt, bend = found.split(channels, dim=-1)
    return level, tilt, bend

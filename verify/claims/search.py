"""What a search over learning rates leaves open: whether a better one may lie beyond those that were tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

ONE_RATE: Final = "one rate was tried"


def tried(rates: Sequence[float], seeds: int, where: str = "") -> str:
    """The rates and how one of them is chosen, in words, for the description of a setting.

    Args:
        rates: those tried; a single one is no search, and not called one.
        seeds: how many are used with the rate that is chosen.
        where: on what the rates are tried, if not on what is reported.
    """
    if len(rates) == 1:
        return f"learning rate {rates[0]:g} for all cells, {seeds} seeds"
    listed = ", ".join(f"{rate:g}" for rate in rates)
    return f"learning rates {listed} tried {f'{where} ' if where else ''}from the first of {seeds} seeds"


def edges(best: Mapping[str, float | None], rates: Sequence[float]) -> str:
    """Why a better rate may lie beyond those tried, for the message of a statement about some cells.

    Empty where worse rates lie on both sides of the best of each.

    Args:
        best: the best rate of each cell, by its name; None: it is not known yet, and nothing is said of that cell.
        rates: those tried, the same for all.
    """
    known = {name: rate for name, rate in best.items() if rate is not None}
    if not known:
        return ""
    if len(set(rates)) == 1:
        return ONE_RATE
    names = [name for name, rate in known.items() if rate in (min(rates), max(rates))]
    return f"the best rate of {' and of '.join(names)} lies at the edge of those tried" if names else ""

"""Recurrent cells with a memory, and the baselines that they are compared with; torch, batch first.

`CELLS` is the only list of them, and `make_cell` makes one by its key. Nothing imports torch, or any other library that
a cell needs, before a cell that needs it is asked for.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any, Final

from hippo_fast.validation import checked_key

if TYPE_CHECKING:
    from hippo_fast.nn.base import Cell, State

CELLS: Final[dict[str, str]] = {
    "rnn": "hippo_fast.nn.rnn:RNNCell",
    "gru": "hippo_fast.nn.gru:GRUCell",
    "lstm": "hippo_fast.nn.lstm:LSTMCell",
    "mgu": "hippo_fast.nn.mgu:MGUCell",
    "exprnn": "hippo_fast.nn.exprnn:ExpRNNCell",
    "random": "hippo_fast.nn.random_memory:RandomMemoryCell",
    "lmu": "hippo_fast.nn.lmu:LMUCell",
    "hippo": "hippo_fast.nn.hippo:HippoCell",
    "gru_d": "hippo_fast.nn.gru_d:GRUDCell",
    "ode_rnn": "hippo_fast.nn.ode_rnn:ODERNNCell",
    "ncde": "hippo_fast.nn.ncde:NCDECell",
}
"""Key to ``module:Class``, in the order in which tables show them."""

__all__ = ["CELLS", "Cell", "State", "cell_class", "make_cell"]


def cell_class(key: str) -> type[Cell]:
    """Return the class of a cell.

    Args:
        key: a key of `CELLS`.

    Returns:
        The class, a subclass of `Cell`; its module is imported now.

    Raises:
        TypeError: a key that is no string.
        ValueError: an unknown key.
        ModuleNotFoundError: torch is not installed; the message names the extra that has it.
    """
    module, _, name = CELLS[checked_key("cell", key, CELLS)].partition(":")
    try:
        found: type[Cell] = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModuleNotFoundError(
            f"cell {key!r} needs torch, which is not installed; install it with: pip install 'hippo-verify[torch]'",
            name="torch",
        ) from None
    return found


def make_cell(key: str, input_size: int, hidden_size: int, **options: Any) -> Cell:
    """Return a new cell, its parameters drawn from torch's generator.

    Args:
        key: a key of `CELLS`.
        input_size: numbers in each sample.
        hidden_size: numbers in each output.
        options: what the class of the cell takes beside the two sizes.

    Returns:
        The cell, a ``torch.nn.Module`` in float32 on the processor.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: an unknown key, an option that the cell does not have, or a value outside its domain.
        ModuleNotFoundError: a library that the cell needs is not installed.
    """
    kind = cell_class(key)
    known = [name for name in inspect.signature(kind).parameters if name not in ("input_size", "hidden_size")]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(
            f"option {unknown[0]!r} was given to cell {key!r}, which does not have it; "
            f"accepted: {', '.join(known) or 'no options'}"
        )
    return kind(input_size, hidden_size, **options)


def __getattr__(name: str) -> Any:
    if name in ("Cell", "State"):  # they import torch
        return getattr(importlib.import_module("hippo_fast.nn.base"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

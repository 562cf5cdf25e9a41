"""The cells of the papers' tables, each with the settings under which all are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from verify.claims.base import Json

PERMUTED_MNIST = 784
"""Steps of the paper's sequences: windows and time steps are scaled from there to sequences of another length."""
WINDOW = 200
"""Steps of LegT's window in the paper's table, chosen well."""
NARROW_WINDOW = 20
"""Steps of LegT's window in the paper's table, chosen badly."""
LAGT_STEP = 0.01
"""Time from sample to sample in the paper's code (hippo-code, ``LTICell``), in units of the Laguerre weight's decay."""

STEP_SECONDS = {
    "hippo": 5e-4, "random": 4.5e-4, "lmu": 2.2e-4, "gru": 2e-4, "mgu": 1.7e-4, "exprnn": 1.4e-4, "lstm": 1.1e-4,
    "rnn": 9e-5, "gru_d": 3e-4, "ode_rnn": 6e-3, "ncde": 3e-3,
}  # fmt: skip
"""Of one core for one step of a small batch, forward and back: for estimates, and no measurement."""


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A row of the tables.

    Attributes:
        key: stable and unique.
        title: as it is shown.
        cell: key of `verify.adapters.own_nn.CELLS`.
        options: of the cell.
        paper: its accuracy on permuted MNIST in the paper's table, in percent; None: it is not in the table.
    """

    key: str
    title: str
    cell: str
    options: Mapping[str, Json] = field(default_factory=dict)
    paper: float | None = None


def roster(length: int) -> tuple[Entrant, ...]:
    """All cells, in the order of the paper's table; LSTM, which it does not have, before the simple RNN.

    Args:
        length: steps of the sequences. A window in steps is the same share of it as in the paper; the LMU's is all
            of it; LagT decays over the same share of it.
    """
    window, narrow = length * WINDOW / PERMUTED_MNIST, length * NARROW_WINDOW / PERMUTED_MNIST

    def hippo(key: str, title: str, paper: float, **options: Json) -> Entrant:
        return Entrant(key=key, title=f"HiPPO-{title}", cell="hippo", options=options, paper=paper)

    return (
        hippo("legs", "LegS", 98.34, measure="legs"),
        hippo("lagt", "LagT", 98.15, measure="lagt", dt=LAGT_STEP * PERMUTED_MNIST / length),
        hippo("legt", f"LegT, theta = {window:.3g}", 98.0, measure="legt", theta=window),
        hippo("legt_narrow", f"LegT, theta = {narrow:.3g}", 91.75, measure="legt", theta=narrow),
        Entrant(key="lmu", title="LMU", cell="lmu", options={"theta": float(length)}, paper=97.08),
        Entrant(key="exprnn", title="ExpRNN", cell="exprnn", paper=94.67),
        Entrant(key="gru", title="GRU", cell="gru", paper=93.04),
        Entrant(key="mgu", title="MGU", cell="mgu", paper=89.37),
        Entrant(key="random", title="random memory", cell="random", paper=69.93),
        Entrant(key="lstm", title="LSTM", cell="lstm"),
        Entrant(key="rnn", title="simple RNN", cell="rnn", paper=52.98),
    )


HIPPO = ("legs", "lagt", "legt")
"""The memories with a well-chosen timescale, or with none to choose."""

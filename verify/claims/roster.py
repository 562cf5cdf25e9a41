"""The cells of the papers' tables, each with the settings under which all are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from verify.claims.base import Json

PERMUTED_MNIST = 784
"""Steps of the paper's sequences: windows and time steps are scaled from there to sequences of another length."""
WINDOW = 200
"""Steps of LegT's window in the paper's table, chosen well."""
NARROW_WINDOW = 20
"""Steps of LegT's window in the paper's table, chosen badly."""
LAGT_STEP = 0.01
"""Time from sample to sample in the released code (hippo-code, ``LTICell``). Its ``lagt`` has -1/2 on the diagonal of
A, where theorem 1, and ours with it, has -1: what has been read fades faster here at the same step."""

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

    @property
    def spelled(self) -> str:
        """The key with all options, for the keys of units."""
        options = (
            f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in sorted(self.options.items())
        )
        return f"{self.key}({','.join(options)})" if self.options else self.key


RELEASED: Final = (
    "The HiPPO cells and the random memory are wired as in the code released with the paper (hippo-code), which its "
    "table was made with: the memory reads the sample and the hidden state, which reaches itself through the memory "
    "and the gate alone; the paper's figure 2 has it otherwise. As there, LegS runs under the bilinear rule, and LegT, "
    "LagT and the LMU under zero-order hold. The random memory runs under the bilinear rule."
)
"""Which wiring and which rules `roster` has, and why."""


def roster(length: int) -> tuple[Entrant, ...]:
    """All cells, in the order of the paper's table; LSTM, which it does not have, before the simple RNN.

    Args:
        length: steps of the sequences. A window in steps is the same share of it as in the paper; the LMU's is all
            of it; LagT decays over the same share of it.
    """
    window, narrow = length * WINDOW / PERMUTED_MNIST, length * NARROW_WINDOW / PERMUTED_MNIST

    def hippo(key: str, title: str, paper: float, **options: Json) -> Entrant:
        wired: dict[str, Json] = {"wiring": "released", **options}
        return Entrant(key=key, title=f"HiPPO-{title}", cell="hippo", options=wired, paper=paper)

    return (
        hippo("legs", "LegS", 98.34, measure="legs", method="bilinear"),
        hippo("lagt", "LagT", 98.15, measure="lagt", method="zoh", dt=LAGT_STEP * PERMUTED_MNIST / length),
        hippo("legt", f"LegT, theta = {window:.3g}", 98.0, measure="legt", method="zoh", theta=window),
        hippo("legt_narrow", f"LegT, theta = {narrow:.3g}", 91.75, measure="legt", method="zoh", theta=narrow),
        Entrant(key="lmu", title="LMU", cell="lmu", options={"theta": float(length), "method": "zoh"}, paper=97.08),
        Entrant(key="exprnn", title="ExpRNN", cell="exprnn", paper=94.67),
        Entrant(key="gru", title="GRU", cell="gru", paper=93.04),
        Entrant(key="mgu", title="MGU", cell="mgu", paper=89.37),
        Entrant(key="random", title="random memory", cell="random", options={"wiring": "released"}, paper=69.93),
        Entrant(key="lstm", title="LSTM", cell="lstm"),
        Entrant(key="rnn", title="simple RNN", cell="rnn", paper=52.98),
    )


LEGS_FIGURE: Final = Entrant(
    key="legs_figure",
    title="HiPPO-LegS, wired as in figure 2",
    cell="hippo",
    options={"measure": "legs", "method": "bilinear", "wiring": "figure"},
)
"""LegS as the paper draws it: a row beside the table's, of which no statement speaks."""

HIPPO = ("legs", "lagt", "legt")
"""The memories with a well-chosen timescale, or with none to choose."""

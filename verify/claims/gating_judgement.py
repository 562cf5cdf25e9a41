"""What the gates say: identities that hold exactly or do not, and what memories of higher order add."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Final

from verify.claims import statistics
from verify.claims.base import UNJUDGED, Curve, Figure, Number, Outcome, Result, Scale, Standing, Statement, Table
from verify.claims.gating_cells import CELLS
from verify.claims.gating_memories import EXACT
from verify.claims.gating_steps import REACH, RULES

SOURCE: Final = "HiPPO (2008.07669), section 2.5"
UNRUN: Final = "it was not run"
STEPS: Final = (
    "dt = g under Euler, g/(1 - g) under backward Euler, 2g/(2 - g) under the bilinear rule, -log(1 - g) under a hold"
)
TITLES: Final[Mapping[str, str]] = {
    "legs, zoh": "LegS, zero-order hold",
    "legs, backward_euler": "LegS, backward Euler",
    "legs, bilinear": "LegS, bilinear",
    "lagt, zoh": "LagT, zero-order hold",
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All results of the claim.

    Attributes:
        scale: nothing is decided at `Scale.SMOKE`.
        identities: by cell; None where it was not run.
        higher: what memories of higher order lose; None where it was not run.
        orders: of them.
    """

    scale: Scale
    identities: Mapping[str, Result | None]
    higher: Result | None
    orders: tuple[int, ...]


def judge(measured: Measured) -> Outcome:
    """All that is said."""
    return Outcome(
        statements=tuple(_statements(measured)),
        tables=(_gates_table(measured), _orders_table(measured)),
        figures=tuple(_figures(measured)),
        notes=(
            "Between two times of LegS a step is h = (t' - t)/t' < 1, so that backward Euler reaches gates below 1/2 "
            "and the bilinear rule gates below 2/3; Euler and the hold, and LagT under every rule, reach all below 1.",
            "An LSTM is a gate of one step where its input gate is 1 - f; otherwise the candidate comes with the "
            "factor i/(1 - f), which is no part of a memory of order 1, and its cell may grow beyond the candidates.",
            "Steps as long as gates are far from the limit in which all rules agree: whether more order is a gain "
            "depends on the rule, and the table has each.",
        ),
    )


def _statements(measured: Measured) -> list[Statement]:
    said = [
        *(_identity(measured, cell) for cell in CELLS),
        _sigmoid(measured), _doubles(measured), _first(measured), _orders(measured),
    ]  # fmt: skip
    if measured.scale is not Scale.SMOKE:
        return said
    return [
        one if one.standing is Standing.NOT_RUN else replace(one, standing=Standing.UNDECIDED, message=UNJUDGED)
        for one in said
    ]


def _exact(
    text: str, criterion: str, runs: list[Result | None], wrong: Callable[[Any], int], count: Callable[[Any], int]
) -> Statement:
    """A statement that one counterexample refutes."""
    given: dict[str, Any] = {
        "text": text, "source": SOURCE, "criterion": criterion, "bound": 0.0,
        "bound_source": "an identity has no exceptions",
    }  # fmt: skip
    seeds = _seeds(runs)
    if seeds is None:
        return Statement(**given, standing=Standing.NOT_RUN, message=UNRUN)
    compared, found = sum(map(count, seeds)), sum(map(wrong, seeds))
    if not compared:
        return Statement(**given, standing=Standing.UNDECIDED, message="nothing was compared")
    if found:
        message = f"{found} of {compared} comparisons differ"
        return Statement(**given, standing=Standing.FAILS, measured=float(found), message=message)
    return Statement(**given, standing=Standing.HOLDS, measured=0.0, message=f"{compared} comparisons")


def _seeds(runs: list[Result | None]) -> list[Any] | None:
    """What every seed gave; None unless all were run."""
    if not runs or any(run is None for run in runs):
        return None
    return [one for run in runs if run is not None for one in run["seeds"].values()]


def _identity(measured: Measured, cell: str) -> Statement:
    name = CELLS[cell]
    reads = "its candidate times i/(1 - f)" if cell == "lstm" else "its candidate"
    share = "1 - f" if cell.startswith("lstm") else "1 - z" if cell == "gru" else "f"
    return _exact(
        f"A step of {name} is one of order-1 LegS and LagT that reads {reads}, its length given by g = {share}.",
        f"rational arithmetic on doubles (balls for LagT's hold), with {STEPS}; and the cell's own step within its "
        "rounding: holds where no gate of random weights gives another number, fails where one does",
        [measured.identities.get(cell)],
        lambda one: sum(one["mismatches"].values()),
        lambda one: one["gates"] * len(one["mismatches"]),
    )


def _sigmoid(measured: Measured) -> Statement:
    return _exact(
        "A gate sigmoid(x) is a step of e^x of backward Euler, and of log(1 + e^x) of a zero-order hold.",
        "balls of 256 bits at every pre-activation: holds where each difference encloses 0 narrowly, fails where one "
        "does not",
        list(measured.identities.values()),
        lambda one: sum(one["sigmoid"].values()),
        lambda one: one["gates"] * len(one["sigmoid"]),
    )


def _doubles(measured: Measured) -> Statement:
    given: dict[str, Any] = {
        "text": "In doubles, memories of order 1 that read a cell's candidates at times set by its gates are that "
        "cell, to rounding.",
        "source": SOURCE,
        "criterion": "largest error of the fast code's states and of the reference's exact ones against the cell's "
        "own, as a share of its bound, over cells, both laws and all rules: holds up to 1, fails above",
        "bound": 1.0,
        "bound_source": "derived: gates and times are rounded, and errors follow the recurrence of the gate",
    }  # fmt: skip
    seeds = _seeds(list(measured.identities.values()))
    if seeds is None:
        return Statement(**given, standing=Standing.NOT_RUN, message=UNRUN)
    parts = [one[law][rule] for one in seeds for law in ("lagt", "legs") for rule in RULES]
    idle = [rule for rule in RULES for law in ("lagt", "legs") if not sum(one[law][rule]["compared"] for one in seeds)]
    if idle:
        message = f"nothing was compared under {', '.join(idle)}"
        return Statement(**given, standing=Standing.UNDECIDED, message=message)
    worst, compared = max(part["worst"] for part in parts), sum(part["compared"] for part in parts)
    message = f"{compared} numbers"
    return Statement(
        **given, standing=Standing.HOLDS if worst <= 1 else Standing.FAILS, measured=worst, message=message
    )


def _first(measured: Measured) -> Statement:
    given: dict[str, Any] = {
        "text": "The first coefficient of a LegS or LagT memory of any order is the gate, under the same steps.",
        "source": f"{SOURCE}; A is lower triangular, and so is every step made of it",
        "criterion": "the reference's exact states of orders above 1 against those of order 1, under every rule: holds "
        "where they are one number to its digits, fails where not; LegT, whose A is full, must be seen to differ",
        "bound": EXACT,
        "bound_source": "digits of the reference, as a share of the largest sample",
    }  # fmt: skip
    seeds = _seeds([measured.higher])
    if seeds is None:
        return Statement(**given, standing=Standing.NOT_RUN, message=UNRUN)
    apart = [item for one in seeds for item in one["first"]["farthest"].items()]
    same = [value for name, value in apart if not name.startswith("legt")]
    control = min((value for name, value in apart if name.startswith("legt")), default=0.0)
    if not same or control <= EXACT:
        message = "the comparison does not tell LegT from LegS"
        return Statement(**given, standing=Standing.UNDECIDED, message=message)
    worst = max(same)
    words = f"LegT's first coefficient moves by {control:.2g} or more of the largest sample"
    standing = Standing.HOLDS if worst <= EXACT else Standing.FAILS
    return Statement(**given, standing=standing, measured=worst, message=words)


def _lost(measured: Measured, memory: str, order: int) -> dict[int, float | None]:
    if measured.higher is None:
        return {}
    return {int(seed): one["unheld"][memory][str(order)] for seed, one in measured.higher["seeds"].items()}


def _orders(measured: Measured) -> Statement:
    gained: dict[int, float | None] = {}
    pairs = list(zip(measured.orders, measured.orders[1:], strict=False))
    columns = [(_lost(measured, "legs, zoh", few), _lost(measured, "legs, zoh", many)) for few, many in pairs]
    for seed in columns[0][0]:
        steps = [(few[seed], many[seed]) for few, many in columns]
        known = [a - b for a, b in steps if a is not None and b is not None]
        gained[seed] = min(known) if len(known) == len(steps) else None
    decision = statistics.decide({"orders": statistics.compare(gained)})["orders"]
    return decision.statement(
        text="Under the very same gates each doubling of the order of LegS (zero-order hold) loses less of what was "
        "read.",
        source=SOURCE,
        quantity="smallest fall of the share lost from an order to its double, over random weights",
        bound_source="an order that adds nothing",
    )


def _gates_table(measured: Measured) -> Table:
    rows = []
    for cell, found in measured.identities.items():
        seeds = [] if found is None else list(found["seeds"].values())

        def of(
            value: Callable[[Any], float],
            over: Callable[[list[float]], float] = fmean,
            seeds: list[Any] = seeds,
        ) -> Number:
            return Number(measured=over([value(one) for one in seeds])) if seeds else Number(measured=None, why=UNRUN)

        rows.append(
            (
                CELLS[cell],
                (
                    of(lambda one: one["lowest"], min),
                    of(lambda one: one["highest"], max),
                    of(lambda one: one["reached"]["backward_euler"]),
                    of(lambda one: one["reached"]["bilinear"]),
                    of(lambda one: one["gain"]["median"]),
                    of(lambda one: one["gain"]["largest"], max),
                    of(lambda one: one["without_gain"]),
                ),
            )
        )
    return Table(
        key="gates",
        title="Gates of random weights, and the factor that an LSTM's candidate comes with",
        unit="",
        row_header="cell",
        columns=(
            "smallest gate", "largest gate",
            f"share below {REACH['backward_euler']} (LegS, backward Euler)",
            f"share below {REACH['bilinear']} (LegS, bilinear)",
            "median factor", "largest factor", "share of steps that need it",
        ),
        rows=tuple(rows),
        note="Torch's first weights, three times as large; over all gates of all seeds. The factor is i/(1 - f), and 1 "
        "where one gate does both.",
    )  # fmt: skip


def _orders_table(measured: Measured) -> Table:
    return Table(
        key="orders",
        title="Share lost of what was read under the gates of a GRU",
        unit="share of the mean square",
        row_header="order",
        columns=tuple(TITLES.values()),
        rows=tuple(
            (
                "1, the gate" if order == 1 else str(order),
                tuple(statistics.number(_lost(measured, memory, order)) for memory in TITLES),
            )
            for order in measured.orders
        ),
        note="Weighed as the cell weighs its past; LegS and LagT have that weight and two bases for it. Gates around "
        "1/8. More than 1 is worse than remembering nothing.",
    )


def _figures(measured: Measured) -> list[Figure]:
    if measured.higher is None:
        return []
    curves = []
    for memory, title in TITLES.items():
        found = [statistics.estimate(_lost(measured, memory, order)) for order in measured.orders]
        if any(one.mean is None for one in found):
            continue
        bands = [(one.low, one.high) for one in found if one.low is not None and one.high is not None]
        whole = len(bands) == len(found)
        curves.append(
            Curve(
                name=title,
                x=tuple(map(float, measured.orders)),
                y=tuple(one.mean for one in found if one.mean is not None),
                low=tuple(low for low, _ in bands) if whole else None,
                high=tuple(high for _, high in bands) if whole else None,
            )
        )
    return [
        Figure(
            key="orders",
            title="What memories of higher order lose under the same gates",
            x_label="order",
            y_label="share lost",
            x_log=True,
            curves=tuple(curves),
            note="Order 1 is the gate itself.",
            alt="Share lost against order: a line for each memory and rule, all from the same point at order 1.",
        )
    ]

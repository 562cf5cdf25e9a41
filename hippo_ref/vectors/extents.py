"""How much is asked: the rules, the orders and the rows of the quick and of the frozen set."""

from __future__ import annotations

from dataclasses import dataclass

from hippo_ref.vectors.question import SETTINGS, Setting

CELLS = ("bilinear", "backward_euler", "zoh", "euler", "gbt(1/3)", "gbt(3/4)")
NODES = ("trapezoid", "foh", "hold(2)", "hold(3)")
RULES = CELLS + NODES
GRADIENT_RULES = ("bilinear", "backward_euler", "zoh", "gbt(3/4)", "foh")
"""Rules whose steps contract, so that reverse mode has a derived bound as well."""

LARGEST_AMPLIFYING = {"euler": 4, "gbt(1/3)": 6}
"""Orders up to which these rules are asked about: beyond, they amplify rounding until no double has a right digit."""

LENGTH = 24
SWEEP = ("noise", "steps", "dyadic", "ramp", "alternating", "constant")


@dataclass(frozen=True)
class Extent:
    """How much of every group is asked.

    Attributes:
        name: name of the set.
        orders: of the general groups.
        few: of the edge groups.
        large: beyond those, with fewer rules and signals.
        signals: how many signals a cell of measure, order and rule is given.
        thorough: whether every setting of a measure is used, not its first alone.
        budget: numbers in an answer, unless a single row is longer.
    """

    name: str
    orders: tuple[int, ...]
    few: tuple[int, ...]
    large: tuple[int, ...]
    signals: int
    thorough: bool
    budget: int

    def settings(self) -> tuple[Setting, ...]:
        """Settings of all measures."""
        return tuple(setting for key in SETTINGS for setting in self.of(key))

    def of(self, measure: str) -> tuple[Setting, ...]:
        """Settings of one measure."""
        return SETTINGS[measure] if self.thorough else SETTINGS[measure][:1]


QUICK = Extent("quick", orders=(2, 4, 9), few=(3,), large=(32,), signals=1, thorough=False, budget=64)
FROZEN = Extent(
    "frozen",
    orders=(1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 24, 32, 33, 48, 64),
    few=(1, 2, 3, 4, 8, 15),
    large=(65, 96, 127, 128, 255, 256),
    signals=4,
    thorough=True,
    budget=72,
)
EXTENTS = {extent.name: extent for extent in (QUICK, FROZEN)}


def chosen_rows(total: int, width: int, budget: int) -> tuple[int, ...]:
    """All rows if they fit the budget; else the last, the first ones and a spread between, at least one."""
    count = max(1, budget // width)
    if count >= total:
        return tuple(range(total))
    spread = [total - 1, 1, total // 2, 0, 2, total // 4, 3 * total // 4, *range(3, total)]
    return tuple(sorted(list(dict.fromkeys(spread))[:count]))


def allowed(setting: Setting, method: str, order: int, dt: float | None) -> bool:
    """Whether floating point can be held to anything: see `LARGEST_AMPLIFYING`; an unstable step is left out too."""
    if method not in LARGEST_AMPLIFYING:
        return True
    stable = dt is None or setting.dt is None or dt <= setting.dt
    return stable and order <= LARGEST_AMPLIFYING[method]

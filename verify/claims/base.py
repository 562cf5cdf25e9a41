"""What a claim of the papers is to the engine: work to be done, then tables, statements and figures out of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from verify.claims.workspace import Workspace

Json: TypeAlias = Any
"""None, a bool, an integer, a finite float, a string, or lists of these, or mappings of strings to these."""
Result: TypeAlias = Mapping[str, Json]
"""What `Claim.run` made of one unit."""


class Scale(StrEnum):
    """How much is measured."""

    SMOKE = "smoke"
    """Whether the machinery works, in seconds; nothing is judged from it."""
    QUICK = "quick"
    DEFAULT = "default"
    FULL = "full"
    """The sizes of the paper: hours, and a GPU."""


class Standing(StrEnum):
    """What was found of a statement."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNDECIDED = "undecided"
    NOT_RUN = "not run"
    ERROR = "error"


UNJUDGED: Final = "the smoke scale tests the machinery: nothing is judged from it"
"""Why a statement is undecided at `Scale.SMOKE`."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user asked for.

    Attributes:
        scale: how much is measured.
        seed: the first seed.
        seeds: how many seeds each cell is trained from; None: as many as the claim takes at this scale.
        device: of torch.
        data: a folder of IDX files (images, labels); None: what ships by package.
        trajectories: a UEA file, ``.ts`` or ``.arff``; None: what ships by package.
    """

    scale: Scale = Scale.DEFAULT
    seed: int = 0
    seeds: int | None = None
    device: str = "cpu"
    data: Path | None = None
    trajectories: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Unit:
    """An independent piece of work: one worker process does it, and what it gives is kept.

    Attributes:
        key: stable, unique within the claim; spells every setting that matters.
        cost: seconds on one core, estimated; the longest are begun first.
        settings: all that `Claim.run` needs to know beside the options; a change makes it another unit.
    """

    key: str
    cost: float
    settings: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Number:
    """A measured number beside the paper's.

    Attributes:
        measured: finite; None where there is none.
        low: lower end of its 95 % interval.
        high: upper end of it.
        paper: what the paper states.
        paper_source: where it states it.
        why: why there is no number, or why it differs from the paper's.
    """

    measured: float | None
    low: float | None = None
    high: float | None = None
    paper: float | None = None
    paper_source: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        for name in ("measured", "low", "high", "paper"):
            _finite(f"Number.{name}", getattr(self, name), "give measured=None and say why")
        if self.measured is None and not self.why:
            raise ValueError("a Number without measured needs why: the reason there is none")
        if self.paper is not None and not self.paper_source:
            raise ValueError("a Number with paper needs paper_source: the table or section that states it")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Numbers in rows and columns.

    Attributes:
        key: stable, unique within the claim.
        title: what it shows.
        unit: of the numbers ("" for none).
        row_header: what the rows are.
        columns: their headings.
        rows: the name of each, and a number for each column; None where one does not apply.
        note: what a reader has to know.
    """

    key: str
    title: str
    unit: str
    row_header: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Number | None, ...]], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for name, numbers in self.rows:
            if len(numbers) != len(self.columns):
                raise ValueError(
                    f"table {self.key!r}, row {name!r} has {len(numbers)} numbers; expected one for each of "
                    f"{len(self.columns)} columns"
                )


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One sentence of the paper, and whether it holds here.

    Attributes:
        text: a sentence that is true or false.
        source: paper, and table or section.
        standing: what was found.
        measured: the number that decides; None where there is none.
        criterion: in words, what was compared and the rule.
        bound: what `measured` is held against.
        bound_source: where the bound comes from.
        message: why it is undecided or fails; the reasons where it differs from the paper.
    """

    text: str
    source: str
    standing: Standing
    criterion: str
    measured: float | None = None
    bound: float | None = None
    bound_source: str = ""
    message: str = ""

    def __post_init__(self) -> None:
        for name in ("measured", "bound"):
            _finite(f"Statement.{name}", getattr(self, name), "give None and say why in message")
        if not (self.text and self.source and self.criterion):
            raise ValueError(f"a Statement needs text, source and criterion; got {self.text!r} of {self.source!r}")
        lacking = self.measured is None or self.bound is None or not self.bound_source
        if self.standing is Standing.HOLDS and lacking:
            raise ValueError(f"{self.text!r} cannot hold without a measured number, a bound and the bound's source")
        if self.standing is not Standing.HOLDS and not self.message:
            raise ValueError(f"{self.text!r} is {self.standing}: a message has to say why")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One line of a figure; points are in the order of `x`.

    Attributes:
        name: for the legend.
        x: abscissae.
        y: ordinates, as many.
        low: lower edge of a band around it, as many.
        high: upper edge of it.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("x", "y", "low", "high"):
            values = getattr(self, name)
            if values is None:
                continue
            if len(values) != len(self.x):
                raise ValueError(f"curve {self.name!r}: {name} has {len(values)} points, x has {len(self.x)}")
            for index, value in enumerate(values):
                _finite(f"curve {self.name!r}: {name}[{index}]", value, "leave the point out")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Curves over one pair of axes.

    Attributes:
        key: stable, unique within the claim.
        title: what it shows.
        x_label: quantity and unit.
        y_label: quantity and unit.
        x_log: whether the axis is logarithmic.
        y_log: whether the axis is logarithmic.
        curves: the lines.
        note: what a reader has to know.
        alt: what it shows, for who cannot see it.
    """

    key: str
    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    alt: str
    x_log: bool = False
    y_log: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a claim comes to.

    Attributes:
        statements: the sentences that were judged.
        tables: the paper's tables, with ours beside.
        figures: the curves.
        notes: what a reader has to know of the whole.
    """

    statements: tuple[Statement, ...]
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for kind, keys in (
            ("table", [one.key for one in self.tables]),
            ("figure", [one.key for one in self.figures]),
            ("statement", [one.text for one in self.statements]),
        ):
            twice = [key for key in keys if keys.count(key) > 1]
            if twice:
                raise ValueError(f"an Outcome has the {kind} {twice[0]!r} twice")


class Claim(Protocol):
    """A claim of the papers, measured.

    Built without arguments, in the main process and in every worker; it keeps nothing between calls.

    Attributes:
        key: as in `CLAIMS`.
        title: a few words.
        source: the paper and its section or table.
    """

    key: str
    title: str
    source: str

    def plan(self, options: Options, done: Mapping[str, Result]) -> Sequence[Unit]:
        """All units known to be needed, given the results so far; pure, and cheap: it is asked after every unit.

        A unit planned from a part of the results that it rests on is run in vain where the rest changes the plan: what
        the last plan does not name is not judged.
        """

    def run(self, unit: Unit, options: Options, workspace: Workspace) -> Result:
        """Do one unit; in a worker process of its own, with one thread.

        Args:
            unit: as planned.
            options: as given, but `Options.seeds`, which is None: what a unit gives does not depend on how many follow.
            workspace: where it keeps what it needs to go on after it was stopped, and tells how far it is.

        Returns:
            Plain JSON with finite numbers; None stands where there is no number.

        Raises:
            Stopped: as `workspace.check` raised it, once all that is needed to go on is saved.
        """

    def judge(self, options: Options, done: Mapping[str, Result]) -> Outcome:
        """Tables, statements and figures from results alone; pure.

        What a missing unit would have decided is `Standing.NOT_RUN`, or a `Number` of None with the reason: never an
        exception.
        """


def finite(value: float | None) -> float | None:
    """A number for JSON: None in the place of NaN and infinities."""
    return None if value is None or not math.isfinite(value) else float(value)


def _finite(what: str, value: float | None, instead: str) -> None:
    if value is not None and not math.isfinite(value):
        raise ValueError(f"{what} is {value}; accepted: a finite number, or None: {instead}")

"""What the reconstructions look like: the paper's table with ours beside, the parts of each error, and curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from verify.claims import reconstruction_speed as speed
from verify.claims import statistics
from verify.claims.base import Curve, Figure, Number, Result, Table
from verify.claims.reconstruction_memories import settings_of
from verify.claims.reconstruction_results import TABLE, Measured, errors

PAPER_ERROR: Final[Mapping[str, float]] = {"legs": 0.02, "lmu": 0.05, "lstm": 0.25}
PAPER_SPEED: Final[Mapping[str, float]] = {
    speed.LEGS_SCAN: 470_000,
    speed.LMU_TEXTBOOK: 41_000,
    speed.LSTM: 35_000,
}
UNRUN: Final = "it was not run"


def errors_table(measured: Measured) -> Table:
    """What every memory loses of the run, beside the least that can be lost."""
    run = measured.readings(measured.steps, measured.seconds)
    truth = measured.one("truth")
    rows: list[tuple[str, tuple[Number | None, ...]]] = []
    for memory, found in run.items():
        paper: dict[str, Any] = {}
        if memory in (measured.legs, measured.lmu) and measured.at_the_papers_size:
            key = memory.measure
            paper = {"paper": PAPER_ERROR[key], "paper_source": TABLE}
            paper["why"] = "" if found is None else WHY[key]
        covers = memory.window(measured.seconds) == measured.seconds
        rows.append(
            (
                memory.title,
                (
                    _number(errors(found), **paper),
                    _number(errors(found, "whole", "power")),
                    _number(errors(found, "recent")),
                    _number(errors(found, "best")) if covers else None,
                    _number(errors(found, "added")) if covers else None,
                ),
            )
        )
    _, learnt = measured.lstm()
    beside: dict[str, Any] = {}
    if measured.at_the_papers_size:
        beside = {"paper": PAPER_ERROR["lstm"], "paper_source": TABLE, "why": "" if learnt is None else WHY["lstm"]}
    rows.append(
        (
            f"LSTM, {measured.order} units, trained",
            (
                _number(errors(learnt), **beside),
                _number(errors(learnt, "whole", "power")), None, None, None,
            ),
        )
    )  # fmt: skip
    first = run.get(measured.legs)
    rows.append(("saying 0, the mean", (_number(errors(first, "power")), None, _number(errors(first, "recent_power")),
                                        None, None)))  # fmt: skip
    expected = Number(measured=None, why=UNRUN) if truth is None else Number(
        measured=truth["unseen"] * truth["variance"]
    )  # fmt: skip
    rows.append((f"the best polynomial of degree < {measured.order}, expected", (expected, None, None, expected, None)))
    return Table(
        key="errors",
        title=f"What is lost of {measured.steps:,} samples of noise below 1 Hz ({measured.seconds:g} s), order "
        f"{measured.order}",
        unit="mean squared error",
        row_header="memory",
        columns=(
            "whole history",
            "as a share of the variance",
            f"last {measured.recent:g} s",
            "least possible",
            "added to it",
        ),
        rows=tuple(rows),
        note="Signals with an RMS of 1/2. A memory whose window is shorter than the run says 0 of what came before. "
        "Least possible: what the best polynomial of that degree on the whole run loses; added: the squared distance "
        "from it, by the rule and, for a window, by its closure.",
    )


WHY: Final[Mapping[str, str]] = {
    "legs": "the paper's signals are not given, nor is their variance: RMS 1/2 is taken from the authors' generator",
    "lmu": "the paper's signals are not given; with a window of another length or another RMS it is another number",
    "lstm": "at an RMS of 1/2 the paper's 0.25 is the variance: its LSTM held nothing of the signal; ours reads fewer "
    "samples of it, and what both learnt from differs",
}


def long_table(measured: Measured) -> Table:
    """LegS on more samples."""
    tenfold = measured.seconds * measured.long / measured.steps
    runs = ((measured.steps, measured.seconds), (measured.long, measured.seconds), (measured.long, tenfold))
    found = {run: measured.readings(*run)[measured.legs] for run in runs if measured.legs in measured.readings(*run)}
    seen = [set(errors(one)) for one in found.values() if one is not None]
    shared = set.intersection(*seen) if seen else set()

    def of(one: Result | None, name: str = "whole", over: str = "") -> Number:
        return _number({seed: value for seed, value in errors(one, name, over).items() if seed in shared})

    rows = [
        (
            f"{steps:,} samples, {seconds:g} s",
            (of(one), of(one, "whole", "power"), of(one, "best"), of(one, "added")),
        )
        for (steps, seconds), one in found.items()
    ]
    return Table(
        key="long",
        title=f"LegS (bilinear, order {measured.order}) on longer runs, of signals drawn from the same seeds",
        unit="mean squared error",
        row_header="run",
        columns=("whole history", "as a share of the variance", "least possible", "added by the rule"),
        rows=tuple(rows),
        note="More samples in the same time are the same signals, read more finely; more time is more to remember than "
        "the coefficients hold, whatever the rule.",
    )


def speed_table(measured: Measured) -> Table:
    """Samples per second."""
    timing = measured.one("timing")
    rows = []
    for key, title in speed.TITLES.items():
        turns = {} if timing is None else dict(enumerate(timing["speeds"][key]))
        times = {} if timing is None else speed.ratios(timing["speeds"], key, speed.LMU_TEXTBOOK)
        paper: dict[str, Any] = {}
        if key in PAPER_SPEED and measured.at_the_papers_size:
            paper = {"paper": PAPER_SPEED[key], "paper_source": TABLE}
            paper["why"] = "" if timing is None else "another processor, and another program"
        rows.append((title, (_number(turns, **paper), _number(times))))
    return Table(
        key="speed",
        title=f"Samples read in a second of processor time, one thread, order {measured.order}",
        unit="1/s",
        row_header="memory",
        columns=("samples per second", "times the textbook loop of LMU"),
        rows=tuple(rows),
        note="Other work beside it on the same machine slows all of them: ratios, which are taken within a turn, say "
        "more than the numbers. The paper's LMU takes its samples one by one, as the textbook loop does.",
    )


def _number(values: Mapping[int, float | None], **paper: Any) -> Number:
    return statistics.number(values, **paper)


def drawn(measured: Measured) -> list[Figure]:
    """The first signal and what is given back of it, where polynomials resolve least and where they resolve most."""
    truth = measured.one("truth")
    if truth is None:
        return []
    run = measured.readings(measured.steps, measured.seconds)
    figures = []
    for name, words in (("middle", "in the middle of the run"), ("end", "at its end")):
        given = truth["curves"][name]
        curves = [
            Curve(name="signal", x=tuple(given["times"]), y=tuple(given["signal"])),
            Curve(name="best polynomial", x=tuple(given["times"]), y=tuple(given["best"])),
        ]
        shown = [(memory.title, run.get(memory)) for memory in (measured.legs, measured.lmu)]
        shown.append((f"LSTM, {measured.order} units", measured.lstm()[1]))
        for title, found in shown:
            if found is not None and found["curves"].get(name, {}).get("times"):
                drawn = found["curves"][name]
                curves.append(Curve(name=title, x=tuple(drawn["times"]), y=tuple(drawn["values"])))
        figures.append(
            Figure(
                key=f"reconstruction-{name}",
                title=f"What is remembered after {measured.steps:,} samples, {words}",
                x_label="time (s)",
                y_label="signal",
                curves=tuple(curves),
                note="The first signal. Polynomials resolve the ends of the run more finely than its middle.",
                alt=f"The signal {words}, with what the best polynomial and each memory give back of it.",
            )
        )
    return figures


def on_the_way(measured: Measured) -> list[Figure]:
    """Errors after parts of the run."""
    curves = []
    for given, found in measured.by_kind["course"]:
        if found is not None:
            # A logarithmic axis has no 0: rounding alone may leave none of the error.
            rows = [row for row in found["rows"] if row["error"] > 0]
            curves.append(
                Curve(
                    name=settings_of(given["memory"]).title,
                    x=tuple(row["seconds"] for row in rows),
                    y=tuple(row["error"] for row in rows),
                )
            )
    if not curves:
        return []
    return [
        Figure(
            key="course",
            title=f"Error of the whole history so far, order {measured.order}",
            x_label="time (s)",
            y_label="mean squared error",
            y_log=True,
            curves=tuple(curves),
            note="The first signal. A polynomial of degree below N holds N/pi oscillations: until the history has as "
            "many, the least possible error is next to nothing.",
            alt="Error of the whole history so far against time, a line for LegS and one for LMU.",
        )
    ]

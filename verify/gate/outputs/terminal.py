"""What a person sees of the gate on a terminal."""

from __future__ import annotations

from typing import Final

from rich.box import MARKDOWN
from rich.table import Table

from verify.console import escape, make_console
from verify.gate.gating import Gated
from verify.gate.outputs.said import by_weight, changed, counts, problems, quantity, rates, ratio, sentence
from verify.gate.words import Outcome, Word
from verify.text import one_line

SHOWN: Final = 30
"""Findings in the table; the files have all of them."""
STYLES: Final = {0: "bold green", 1: "bold red", 4: "yellow", 5: "yellow"}
OUTCOMES: Final = {Outcome.FAIL: "bold red", Outcome.INCONCLUSIVE: "yellow", Outcome.PASS: ""}


def show(gated: Gated) -> None:
    """The word, the sentence, what changed, and how often such a word is wrong."""
    console = make_console()
    comparison = gated.comparison
    word = str(comparison.word).upper()
    console.print(
        f"[{STYLES[comparison.exit_code]}]{word}[/]  {_safe(comparison.head.label)} against "
        f"{_safe(comparison.base.label)}",
        soft_wrap=True,
    )
    console.print(_safe(sentence(gated)), soft_wrap=True)
    for text in problems(gated)[comparison.exit_code == 4 :]:
        console.print(f"[yellow]{_safe(text)}[/]", soft_wrap=True)
    loud = [one for one in by_weight(comparison.findings) if changed(one)]
    if loud:
        table = Table(box=MARKDOWN)  # with an edge: a name that is folded must not begin a line with ::command::
        for name in ("benchmark", "verdict", "base", "head", "times", ""):
            table.add_column(name, overflow="fold")
        for one in loud[:SHOWN]:
            verdict = f"{one.word} (accepted)" if one.accepted else str(one.word)
            style = "green" if one.word is Word.BETTER else "" if one.accepted else OUTCOMES[one.outcome]
            table.add_row(
                _safe(one.name), f"[{style}]{verdict}[/]" if style else verdict,
                quantity(one.base, one.kind, one.unit), quantity(one.head, one.kind, one.unit), ratio(one),
                _safe(one.message),
            )  # fmt: skip
        console.print(table)
        if len(loud) > SHOWN:
            console.print(f"... and {len(loud) - SHOWN} more")
    console.print(", ".join(f"{number} {word}" for word, number in counts(comparison.findings).items() if number))
    for text in rates(gated):
        console.print(f"[dim]{_safe(text)}[/]", soft_wrap=True)


def _safe(text: str) -> str:
    """Text that moves no cursor, is no markup and no command."""
    return escape(one_line(text))

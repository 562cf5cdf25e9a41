"""A comment for a pull request, in GitHub's Markdown: the word, a sentence, what changed; the rest is folded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from verify.gate.gating import Gated
from verify.gate.outputs.said import by_weight, changed, machine, problems, quantity, rates, ratio, sentence
from verify.gate.words import Finding
from verify.outputs.base import write_text
from verify.text import code, plain

MARKER: Final = "<!-- hippo-verify gate -->"
"""First line, by which a job finds its own comment again."""
LARGEST: Final = 65_000
"""Characters; GitHub takes 65,536 in a comment."""
HEAD: Final = ("| benchmark | verdict | base | head | times | p | why |", "|---|---|---|---|---|---|---|")


def write_markdown(path: Path, gated: Gated) -> None:
    """Write the comment."""
    write_text(path, markdown(gated))


def markdown(gated: Gated, room: int = LARGEST) -> str:
    """The comment in at most so many characters; what is too much is left out of the tables, and that is said."""
    findings = by_weight(gated.comparison.findings)
    loud = [one for one in findings if changed(one)]
    quiet = [one for one in findings if not changed(one)]
    for most in (len(findings), 300, 100, 30, 10, 0):
        text = "\n".join(_lines(gated, loud, quiet, most)) + "\n"
        if len(text) <= room:
            return text
    return text[: room - 1] + "\n"


def _lines(gated: Gated, loud: Sequence[Finding], quiet: Sequence[Finding], most: int) -> list[str]:
    comparison = gated.comparison
    lines = [MARKER, f"## hippo-verify gate: {comparison.word}", "", plain(sentence(gated)), ""]
    lines += [f"Head {code(comparison.head.label)} against base {code(comparison.base.label)}.", ""]
    for text in problems(gated)[comparison.exit_code == 4 :]:
        lines += [f"**{plain(text[:1].upper() + text[1:])}.**", ""]
    if loud:
        lines += [*_table(loud, most), ""]
    if quiet:
        lines += _folded(f"{len(quiet)} without a change that matters", _table(quiet, most))
    about = [plain(text) for text in rates(gated)]
    about += [", ".join(f"{plain(name)} {plain(str(value))}" for name, value in machine(gated).items())]
    about += [f"{gated.seconds:.0f} seconds."]
    return [*lines, *_folded("Rates and machine", [line for text in about for line in (text, "")][:-1])]


def _folded(title: str, inner: Sequence[str]) -> list[str]:
    return ["<details>", f"<summary>{title}</summary>", "", *inner, "", "</details>", ""]


def _table(findings: Sequence[Finding], most: int) -> list[str]:
    if not most:
        return [f"{len(findings)} are left out: a comment takes {LARGEST:,} characters; --json has everything."]
    rows = [
        f"| {code(one.name)} | {one.word}{' (accepted)' if one.accepted else ''} "
        f"| {plain(quantity(one.base, one.kind, one.unit))} | {plain(quantity(one.head, one.kind, one.unit))} "
        f"| {plain(ratio(one))} | {'-' if one.adjusted_p is None else f'{one.adjusted_p:.2g}'} | {plain(one.message)} |"
        for one in findings[:most]
    ]
    left = len(findings) - len(rows)
    return [*HEAD, *rows, *(["", f"... and {left} more; --json has everything."] if left else [])]

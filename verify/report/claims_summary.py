"""The papers' claims in few words: for the page of the claims, and for the pages that lead to it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from verify.claims.base import Scale, Standing
from verify.claims.engine import Ending, Found
from verify.claims.results import Results
from verify.claims.words import figure
from verify.report.records import counted

NAME: Final = "claims.html"
"""Of the page of the claims, in a folder."""

LOOKS: Final[Mapping[Standing, tuple[str, str]]] = {
    Standing.HOLDS: ("✓", "pass"),
    Standing.FAILS: ("✗", "fail"),
    Standing.UNDECIDED: ("?", "inconclusive"),
    Standing.NOT_RUN: ("–", "unsupported"),
    Standing.ERROR: ("!", "error"),
}
"""A sign for each standing, so that nothing is said by colour alone; and the class of its colours."""

WORDS: Final = {
    "pass": "all hold",
    "fail": "not all hold",
    "error": "something failed",
    "inconclusive": "not all decided",
    "empty": "nothing measured",
}
"""Statuses as they are said of claims."""

SCALES: Final = {
    Scale.SMOKE: "The smoke scale tries the machinery, in seconds: nothing is judged from it, and its numbers say "
    "nothing of the claims.",
    Scale.QUICK: "The quick scale is the smallest that is judged, minutes on two cores: sizes, data and training are "
    "far below those of the papers.",
    Scale.DEFAULT: "The default scale fits two cores: sizes, data and training are below those of the papers.",
    Scale.FULL: "The full scale has the sizes of the papers.",
}


@dataclass(frozen=True)
class Line:
    """A statement in a line.

    Attributes:
        anchor: its place on the page.
        text: what it says.
        standing: in words.
        sign: the same as a sign.
        look: class of the colours.
        measured: the number that decides, or a dash.
        bound: what that is held against, or a dash.
    """

    anchor: str
    text: str
    standing: str
    sign: str
    look: str
    measured: str
    bound: str


@dataclass(frozen=True)
class Summary:
    """A claim in few words.

    Attributes:
        found: what came of it.
        anchor: its place on the page.
        words: how its statements stand, in a sentence.
        troubles: what went wrong, in a few words each.
        lines: its statements, in their order.
    """

    found: Found
    anchor: str
    words: str
    troubles: Sequence[str]
    lines: Sequence[Line]


@dataclass(frozen=True)
class Overview:
    """All claims in few words, for this page and those that lead to it.

    Attributes:
        href: where this page lies; empty on the page itself.
        word: how all of it stands.
        look: class of the colours of the word.
        words: the same in a sentence.
        scale: what the scale means.
        origin: when it was measured, and the commit.
        claims: in their order.
    """

    href: str
    word: str
    look: str
    words: str
    scale: str
    origin: str
    claims: Sequence[Summary]


def overview(results: Results, href: str = NAME) -> Overview:
    """How all statements stand.

    Args:
        results: as they are read from a results file.
        href: where the page lies, as seen from the page that leads to it.
    """
    claims = [_summary(i, claim) for i, claim in enumerate(results.claims)]
    words = _words([one.standing for claim in results.claims for one in claim.outcome.statements])
    scale = SCALES[Scale(results.options["scale"])]
    return Overview(href, WORDS[results.status], results.status, words, scale, _origin(results), claims)


def _origin(results: Results) -> str:
    source = results.provenance
    changed = ", with changes that are not in it" if source.get("dirty") else ""
    commit = f" at commit {str(source['commit'])[:8]}{changed}" if source.get("commit") else ""
    return f"Measured {str(source.get('time'))[:10]}{commit}."


def _words(standings: Sequence[Standing]) -> str:
    """How many stand how, such as ``Of 13 statements, 12 hold and 1 does not hold.``, as a sentence."""
    counts = Counter(standings)
    found = [(counts[one], _said(one, many=counts[one] > 1)) for one in Standing if counts[one]]
    match found:
        case []:
            return "No statement was judged."
        case [(1, verb)]:
            return f"The one statement {verb}."
        case [(count, _)] if standings[0] is Standing.FAILS:
            return f"None of the {count:,} statements holds."
        case [(count, verb)]:
            return f"All {count:,} statements {verb}."
    said = [f"{count:,} {verb}" for count, verb in found]
    return f"Of {len(standings):,} statements, {', '.join(said[:-1])} and {said[-1]}."


def _said(standing: Standing, *, many: bool) -> str:
    """A standing as the rest of a sentence."""
    one, all_ = {
        Standing.HOLDS: ("holds", "hold"),
        Standing.FAILS: ("does not hold", "do not hold"),
        Standing.UNDECIDED: ("is undecided", "are undecided"),
        Standing.NOT_RUN: ("was not run", "were not run"),
        Standing.ERROR: ("ended in an error", "ended in an error"),
    }[standing]
    return all_ if many else one


def _summary(index: int, claim: Found) -> Summary:
    anchor = f"claim-{index + 1}-{re.sub('[^a-z0-9]+', '-', claim.key.lower())}"
    statements = claim.outcome.statements
    failed = sum(record.ending is Ending.FAILED for record in claim.records)
    troubles = [claim.problem] if claim.problem else []
    troubles += [f"{counted(failed, 'unit')} failed"] if failed else []
    lines = [
        Line(
            f"{anchor}-{number}", one.text, str(one.standing), *LOOKS[one.standing], figure(one.measured),
            figure(one.bound),
        ) for number, one in enumerate(statements, start=1)
    ]  # fmt: skip
    return Summary(claim, anchor, _words([one.standing for one in statements]), troubles, lines)

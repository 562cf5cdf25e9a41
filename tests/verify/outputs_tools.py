"""Reports for the tests of outputs: every status, and hostile text wherever a target can put any."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import cmarkgfm
import markdown_it

from verify.campaign import Report
from verify.cases import make_case
from verify.diagnosis import Diagnosis
from verify.provenance import collect
from verify.verdict import Status, Verdict

NASTY = (
    "\x1b[31m[red]loud[/red] [/] :skull: </script> ]]> & \"'<b>|` \x00\x07\r\n\ud800 \\",
    "##[set-output name=verdict]pass ##[add-mask]a",
    "::set-output name=verdict::pass",
    "\n::stop-commands::token\r::error::x",
    "%0A::error::x%25",
    "a\\|b\\\\|c\\",
    "``` `` ` |x| ```",
    "![x](http://a.b/c) [x](javascript:y) <img src=x onerror=y> @somebody **x** _y_ ~~z~~ &lt;i&gt;",
    "`",
    "| a | b |\n|---|---|",
    " lead and trail ",
    "",
)
"""What a target may say, in any place."""


def verdict(status=Status.PASS, check="ode", target="mine.py:legs", message="because", **more):
    """A verdict of a status; more fields of its case or of itself."""
    fields = {key: more.pop(key) for key in tuple(more) if key in ("worst", "details", "seconds", "claim")}
    case = replace(make_case(target, **more), target=target)
    numbers = {}
    if status in (Status.PASS, Status.UNEXPECTED_PASS, Status.FAIL, Status.EXPECTED_FAIL, Status.INCONCLUSIVE):
        wrong = status in (Status.FAIL, Status.EXPECTED_FAIL)
        numbers = {"measured": 2.0 if wrong else 0.5, "bound": 1.0, "bound_source": "a lemma", "compared": 3}
    return Verdict(check, fields.pop("claim", "a claim"), case, status, message=message, **numbers, **fields)


def report(*verdicts, target="mine.py:legs", **more):
    """A report with the provenance of this machine."""
    provenance = {**collect(0), "suite": "quick", "accuracy": "entrywise", "live": False}
    return Report(target, list(verdicts), **{"provenance": provenance, **more})


def every_status():
    """A verdict of each status."""
    return report(*(verdict(status, order=order) for order, status in enumerate(Status, start=1)))


def hostile(text):
    """A report in which a target has said something everywhere it can."""
    bad = [
        verdict(status, f"check{place}", message=f"it says {text}", target=f"mine.py:{text}", worst={"stdout": text})
        for place, status in enumerate(status for status in Status if status is not Status.PASS)
    ]
    found = [Diagnosis("writing", f"it wrote {text}", text)]
    return report(*bad, target=f"mine.py:{text}", diagnosis=found, notes=[f"a note: {text}"])


class Page(HTMLParser):
    """The tags of a page, and the text of each cell of its tables."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.cell, self.loose = [], [], None, ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.cell = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(self.cell)
            self.cell = None

    def handle_data(self, data):
        if self.cell is None:
            self.loose += data
        else:
            self.cell += data


def github(text):
    """As GitHub's own parser makes it, raw HTML let through so that it would be seen."""
    return cmarkgfm.github_flavored_markdown_to_html(text, cmarkgfm.Options.CMARK_OPT_UNSAFE)


def commonmark(text):
    return markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)


def strict(text):
    """JSON as the standard has it: no NaN and no infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON number")

    return json.loads(text, parse_constant=refuse)

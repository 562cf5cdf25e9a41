"""The site: a front page, a page for each function that is benchmarked, and what they need beside them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verify.dashboard import graphs, tables
from verify.dashboard.asv_pages import POLICY, AsvPages
from verify.dashboard.display import amount, factor
from verify.dashboard.names import page_names
from verify.dashboard.sparkline import SHAPES, sparkline
from verify.dashboard.standing import MOVES, Found, Row, Standing
from verify.history.finding import RATE, longest, unjudged
from verify.history.steps import SHORTEST, fewest
from verify.report import claims_summary, summary
from verify.report.claims_page import write_claims
from verify.report.page import embedded, templates

if TYPE_CHECKING:
    from markupsafe import Markup

    from verify.claims.results import Results
    from verify.history.series import History, Point
    from verify.report.records import Records

MOST = 40
"""Lines of notes that are shown."""

LIBRARY = "plotly-basic.min.js"


@dataclass(frozen=True)
class Content:
    """What the pages show.

    Attributes:
        project: its name.
        commit_url: address of a commit without its hash, empty where there is none.
        history: what was measured.
        standing: the state of the newest measured commit.
        records: the verdicts of a campaign, None where none were given.
        asv: what became of asv's own pages.
        facts: names and values of where the numbers come from.
        claims: what was found of the papers' claims, None where it was not given.
    """

    project: str
    commit_url: str
    history: History
    standing: Standing
    records: Records | None
    asv: AsvPages
    facts: Sequence[tuple[str, str]]
    claims: Results | None = None


def write(content: Content, folder: Path) -> None:
    """Write the pages and what they need into a folder that exists.

    Raises:
        ImportError: jinja2 is not installed.
        OSError: they cannot be written.
    """
    environment = _environment()
    groups: dict[str, list[Row]] = {}
    for row in content.standing.rows:
        groups.setdefault(row.name.function, []).append(row)
    pages = page_names(groups)
    shared = {
        "project": content.project,
        "commit_url": content.commit_url,
        "commits": content.history.commits,
        "pages": pages,
        "policy": POLICY,
        "shapes": SHAPES,
    }
    _assets(folder / "assets")
    (folder / "benchmarks").mkdir(exist_ok=True)
    page = environment.get_template("dashboard/benchmark.html")
    for function, rows in groups.items():
        text = page.render(**shared, **_benchmark(function, rows, content))
        (folder / "benchmarks" / f"{pages[function]}.html").write_text(text, encoding="utf-8", errors="replace")
    if content.claims is not None:
        write_claims(folder / claims_summary.NAME, content.claims)
    text = environment.get_template("dashboard/index.html").render(**shared, **_front(content, groups))
    (folder / "index.html").write_text(text, encoding="utf-8", errors="replace")


def vendor() -> Path:
    """Folder of the libraries that we ship.

    Raises:
        FileNotFoundError: they are not there.
    """
    return Path(str(templates() / "dashboard" / "vendor"))


def _environment() -> Any:
    import jinja2  # noqa: PLC0415 -- an extra

    folder = templates()
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"amount": amount, "factor": factor, "breakable": _breakable, "filters": tables.filters}
    return environment


def _breakable(text: str) -> Markup:
    """A dotted name that may be broken after its dots and underscores."""
    from markupsafe import Markup, escape  # noqa: PLC0415 -- comes with jinja2

    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[._])", text))


def _assets(folder: Path) -> None:
    ours = Path(str(templates()))
    folder.mkdir(exist_ok=True)
    for source in (
        ours / "style.css",
        ours / "page.js",
        ours / "dashboard" / "dashboard.css",
        ours / "dashboard" / "dashboard.js",
        vendor() / LIBRARY,
        vendor() / "LICENSES.txt",
    ):
        shutil.copyfile(source, folder / source.name)


def _data(commits: Sequence[str] = (), **drawings: Sequence[Any]) -> Markup:
    """Figures as a page carries them, and what it says of each commit where figures ask for it."""
    from markupsafe import Markup  # noqa: PLC0415 -- comes with jinja2

    listed: dict[str, Any] = {name: [vars(picture) for picture in pictures] for name, pictures in drawings.items()}
    return Markup(embedded({**listed, "commits": list(commits)}))  # noqa: S704 -- escaped for a script element


def _front(content: Content, groups: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    state, records = content.standing, content.records
    verdicts = records.verdicts if records is not None else ()
    pairs = tables.pairs(state.rows)
    drawn = graphs.work_precision(pairs)
    shown = [(row, sparkline(row, len(state.commits))) for row in state.rows]
    return {
        "standing": state,
        "newest": state.commits[state.head] if state.head is not None else None,
        "warnings": warnings(content),
        "records": records,
        "word": summary.overall(verdicts),
        "words": summary.status_words(summary.counts(verdicts)),
        "verdict_commit": _verdict_commit(records),
        "verdicts": tables.verdicts(verdicts),
        "measured": sum(row.state == "measured" for row in state.rows),
        "skipped": sum(row.state == "skipped" for row in state.rows),
        "standing_by": tables.by_backend(state.rows, state.release.title),
        "pivots": [
            (f"{function}, {_kinds(rows)}", tables.pivot(rows))
            for function, rows in groups.items()
            if rows[0].name.get("measure") or rows[0].name.get("backend")
        ],
        "moves": tables.moves(state.rows),
        "move_words": MOVES,
        "pairs": pairs,
        "groups": {"precision": list(dict.fromkeys(picture.group for picture in drawn))},
        "data": _data(precision=drawn),
        "facets": tables.facets(state.rows),
        "rows": sorted(shown, key=lambda item: _urgency(item[0])),
        "asv": content.asv,
        "aside": content.history.aside,
        "most": MOST,
        "shortest": SHORTEST,
        "facts": content.facts,
        "claims": claims_summary.overview(content.claims) if content.claims is not None else None,
    }


def _urgency(row: Row) -> tuple[int, str]:
    """Open regressions first, then what has no number, then any change, then by name."""
    found = tables.moved(row)
    return min((("worse", "silent", "changed").index(word) for word in found), default=3), row.name.whole


def _kinds(rows: Sequence[Row]) -> str:
    return ", ".join(dict.fromkeys(row.kind for row in rows))


def _verdict_commit(records: Records | None) -> str:
    commit = records.provenance.get("commit") if records is not None else None
    return commit if isinstance(commit, str) else ""


def warnings(content: Content) -> list[str]:
    """What a reader must know before trusting the page to be about HEAD."""
    found = []
    commits, head = content.history.commits, content.standing.head
    if content.history.ordered != "git":
        found.append(
            "No repository was at hand: commits are in the order of their dates, and their tags are not known."
        )
    if head is not None and head < len(commits) - 1:
        later, last = len(commits) - 1 - head, commits[-1]
        found.append(
            f"HEAD is {last.short}, {later} commit{'s' if later > 1 else ''} later, and nothing is measured there: "
            "what this page says of the newest measured commit need not hold for it."
        )
    if aside := len(content.history.aside):
        found.append(
            f"Not all that is stored is shown ({aside} left out): results that cannot be read, or commits that are not "
            "on the line of HEAD; the notes at the end say which."
        )
    if mute := unjudged(content.history):
        found.append(
            f"{len(mute)} {'benchmark is' if len(mute) == 1 else 'benchmarks are'} not judged, such as {mute[0]}: "
            "neither name nor unit says which way is worse."
        )
    noisy = longest(content.history)
    if 0 < noisy < fewest(RATE):
        found.append(
            f"No change of speed or memory can be told from noise yet: the longest history has {noisy} values, and "
            f"{fewest(RATE)} are needed."
        )
    judged = _verdict_commit(content.records)
    if head is not None and judged and judged != commits[head].hash:
        found.append(f"The verdicts are of another commit, {judged[:8]}, than the newest measured one.")
    if content.records is not None and not judged:
        found.append("The verdicts do not say of which commit they are.")
    if content.records is not None and content.records.provenance.get("dirty"):
        found.append("The verdicts are of a working tree with uncommitted changes.")
    return found


def _benchmark(function: str, rows: Sequence[Row], content: Content) -> dict[str, Any]:
    state = content.standing
    drawn = graphs.histories(rows, state.commits)
    mine = {id(row) for row in rows}
    found = [item for worse in (True, False) for item in state.found(worse=worse) if id(item.row) in mine]
    at = [{point.commit: point for point in row.series.points} for row in rows]
    return {
        "function": function,
        "rows": rows,
        "kinds": _kinds(rows),
        "unit": rows[0].series.unit,
        "measured": sum(row.state == "measured" for row in rows),
        "groups": {"history": list(dict.fromkeys(picture.group for picture in drawn))},
        "data": _data(graphs.labels(state.commits), history=drawn),
        "found": sorted(found, key=_newest_first),
        "pivot": tables.pivot(rows),
        "values": [
            (state.commits[i], [_value(points.get(i), rows[0].series.unit) for points in at])
            for i in reversed(state.measured)
        ],
    }


def _newest_first(item: Found) -> tuple[int, str]:
    return -item.change.last, item.row.name.whole


def _value(point: Point | None, unit: str) -> tuple[str, bool]:
    """What stands in a table for a point, and whether it is trouble."""
    if point is None:
        return "", False
    if point.value is None:
        return point.why, point.trouble
    return amount(point.value, unit), point.trouble

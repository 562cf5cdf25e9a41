"""The dashboard: one static site from stored results. It measures nothing and judges nothing anew."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.dashboard.asv_pages import AsvPages
    from verify.history.series import History

MANIFEST = "dashboard-files.json"
"""Names what we wrote, so that the next site takes away what it no longer has, and nothing else."""


class DashboardError(ValueError):
    """The site cannot be built or written; the message says why and what to do."""


@dataclass(frozen=True)
class Built:
    """A site.

    Attributes:
        index: the front page.
        files: how many files it has.
        size: bytes of all of them.
        open: how many regressions are open.
        silent: how many benchmarks have no number now.
        warnings: what the site cannot know of HEAD, a line each.
        asv: what became of asv's own pages.
    """

    index: Path
    files: int
    size: int
    open: int
    silent: int
    warnings: Sequence[str]
    asv: AsvPages


def build(
    results: Path,
    folder: Path,
    *,
    repository: Path | None,
    store: Path | None = None,
    machine: str | None = None,
    asv: bool = True,
    claims: Path | None = None,
) -> Built:
    """Build the site.

    Args:
        results: asv's results, such as ``.asv/results``; only read.
        folder: where it goes; what a former site left in it is replaced, other files stay.
        repository: where the commits are; None: they are ordered by date, and asv cannot make its pages.
        store: folder of a campaign, for the verdicts.
        machine: only what was measured on this one, by asv's name of it.
        asv: whether asv's own pages are made too.
        claims: a results file of ``hippo-verify claims``.

    Raises:
        DashboardError: the folder holds a front page that is not ours.
        HistoryError, RevisionError: there is no history to be read.
        ImportError: jinja2 or asv is not installed.
        OSError: something cannot be read or written.
        ValueError: the store holds no verdicts, or the results file of the claims is none.
    """
    from verify.dashboard import site  # noqa: PLC0415 -- an extra
    from verify.dashboard.asv_pages import AsvPages, publish, settings  # noqa: PLC0415
    from verify.dashboard.names import parameter_names  # noqa: PLC0415
    from verify.dashboard.standing import standing  # noqa: PLC0415
    from verify.history.finding import changes_of_all  # noqa: PLC0415
    from verify.history.loading import load  # noqa: PLC0415
    from verify.outputs.claims_file import read_claims  # noqa: PLC0415
    from verify.report.records import read  # noqa: PLC0415

    former = _former(folder)
    history = load(results, repository, machine=machine)
    records = read(store) if store is not None else None
    found = read_claims(claims) if claims is not None else None
    config = settings(repository) if repository is not None else {}
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "site"
        made.mkdir()
        pages = AsvPages(False)
        if asv and repository is None:
            pages = AsvPages(False, problem="asv needs the repository, and none was at hand.")
        elif asv and repository is not None:
            measured = {history.commits[i].hash for i in history.measured}
            pages = publish(results, repository, measured, made / "asv", site.vendor(), machine=machine)
        state = standing(history, changes_of_all(history), parameter_names(results))
        content = site.Content(
            project=str(config.get("project") or (repository.resolve().name if repository else "dashboard")),
            commit_url=_commit_url(config),
            history=history,
            standing=state,
            records=records,
            asv=pages,
            facts=_facts(history, machine),
            claims=found,
        )
        site.write(content, made)
        files = _install(made, folder, former)
    size = sum((folder / name).stat().st_size for name in files)
    warnings = site.warnings(content)
    return Built(folder / "index.html", len(files), size, len(state.open), len(state.silent), warnings, pages)


def _commit_url(config: dict[str, Any]) -> str:
    """The address of a commit without its hash: only one of the web, since it becomes a link."""
    url = config.get("show_commit_url")
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else ""


def _facts(history: History, machine: str | None) -> list[tuple[str, str]]:
    from importlib.metadata import version  # noqa: PLC0415

    measured = [history.commits[i] for i in history.measured]
    facts = [("commits", f"{len(measured)} measured, of {len(history.commits)} since the first measured one")]
    if measured:
        facts.append(("from", f"{measured[0].describe()}, {measured[0].when:%Y-%m-%d}"))
        facts.append(("to", f"{measured[-1].describe()}, {measured[-1].when:%Y-%m-%d}"))
    places = dict.fromkeys(series.place.describe() for series in history.series.values())
    facts += [("measured on", place) for place in places]
    if machine is not None:
        facts.append(("only of machine", machine))
    facts.append(("benchmarks", str(len(history.series))))
    facts.append(("made with", f"hippo-verify {version('hippo-verify')}, asv {version('asv')}"))
    return facts


def _former(folder: Path) -> list[str]:
    """Files of the site that is there already.

    Raises:
        DashboardError: the folder is none, or has a front page that is not ours.
    """
    if folder.exists() and not folder.is_dir():
        raise DashboardError(f"{folder} is no folder; expected: a folder for the site, or a name for a new one")
    try:
        listed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        names = [name for name in listed if isinstance(name, str)]
    except FileNotFoundError:
        names = []
    except (ValueError, TypeError) as error:
        raise DashboardError(
            f"{folder / MANIFEST} cannot be read ({error}); remove it, or name another folder"
        ) from None
    if not names and (folder / "index.html").exists():
        raise DashboardError(
            f"{folder} has an index.html that is no dashboard; name another folder, or remove it if it may be replaced"
        )
    return [name for name in names if not Path(name).is_absolute() and ".." not in Path(name).parts]


def _install(made: Path, folder: Path, former: list[str]) -> list[str]:
    """Put the site in its place, the front page last, and take away what a former one left."""
    files = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
    (made / MANIFEST).write_text(json.dumps(files, indent=0), encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    for name in [*(name for name in files if name != "index.html"), MANIFEST, "index.html"]:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made / name, target)
    gone = set(former) - set(files)
    for name in gone:
        (folder / name).unlink(missing_ok=True)
    emptied = {parent for name in gone for parent in (folder / name).parents if parent.is_relative_to(folder)}
    for path in sorted(emptied - {folder}, reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    return [*files, MANIFEST]

"""What other people's libraries were found to be: a record per environment, and one table and one page from them all.

Libraries need not install side by side, so the verdicts come from several environments. Each leaves one small record in
``libraries/``; the table and the page are made from all records, and each row says where and when it was measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from verify.report.records import Records, read, variant
from verify.report.summary import expected_reason
from verify.verdict import Status, Verdict

SCHEMA = "hippo-verify/libraries/1"
WORDS = {
    "right": "every check that applies passes",
    "coarse": "right to the rounding of the whole run, not state by state",
    "other": "another operator than the one it was held against, and it does not claim to be that one",
    "wrong": "it claims an operator, a rule or a scan, and what it computes is not that",
    "crashes": "it gives no answer",
    "undecided": "nothing fails, and something could not be decided",
}
"""Verdicts, and what each says."""
REASONED = ("coarse", "other")
"""Those that an expected failure announces: its reason begins with the word and a colon."""


@dataclass(frozen=True)
class Row:
    """One target under one measure.

    Attributes:
        target: name of the adapter.
        library: distribution, as pip knows it.
        version: the version that was asked.
        summary: one line about what was asked.
        measure: measure and parameters.
        levels: levels asked at.
        verdict: one of `WORDS`.
        passed: checks that passed.
        ran: checks that applied.
        why: reasons, conventions.
        links: where the reasons are discussed.
    """

    target: str
    library: str
    version: str
    summary: str
    measure: str
    levels: tuple[str, ...]
    verdict: str
    passed: int
    ran: int
    why: str
    links: tuple[str, ...] = ()


@dataclass(frozen=True)
class Environment:
    """Rows measured side by side.

    Attributes:
        name: of the environment, such as ``dev``.
        date: when, as YYYY-MM-DD.
        commit: of hippo-verify, or empty.
        versions: of what the verdicts may depend on.
        rows: in the order of the campaign.
    """

    name: str
    date: str
    commit: str
    versions: Mapping[str, str]
    rows: tuple[Row, ...]


def environment(name: str, records: Records, libraries: Mapping[str, tuple[str, str]]) -> Environment:
    """The record of a campaign.

    Args:
        name: of the environment.
        records: a finished store.
        libraries: target -> distribution and summary.

    Raises:
        ValueError: the campaign was stopped, or asked a target that is no third-party library.
    """
    if not records.finished:
        raise ValueError(f"{records.path} is of a campaign that was stopped; the same command goes on from there")
    provenance = records.provenance
    versions = {str(key): str(value) for key, value in provenance["versions"].items()}
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in records.verdicts:
        groups.setdefault((verdict.case.target, variant(verdict.case)), []).append(verdict)
    rows = []
    for (target, measure), verdicts in groups.items():
        library, summary = libraries.get(target, ("", ""))
        if library not in versions:
            raise ValueError(f"{records.path} asks {target!r}, which is no library whose version it records")
        rows.append(_row(target, library, versions[library], summary, measure, verdicts))
    commit = str(provenance.get("commit") or "") + (" with changes" if provenance.get("dirty") else "")
    return Environment(name, str(provenance["time"])[:10], commit.strip(), versions, tuple(rows))


def _row(target: str, library: str, version: str, summary: str, measure: str, verdicts: Sequence[Verdict]) -> Row:
    ran = [verdict for verdict in verdicts if verdict.status is not Status.UNSUPPORTED]
    bad = [verdict for verdict in ran if verdict.status is not Status.PASS]
    reasons = list(dict.fromkeys(_reason(verdict) for verdict in bad))
    # Only what is expected is announced: a failure that is news softens no verdict.
    known = all(verdict.status is Status.EXPECTED_FAIL for verdict in bad)
    alike = [word for word in REASONED if all(text.startswith(f"{word}: ") for text, _ in reasons)]
    announced = alike[0] if alike and known and bad else ""
    if not bad:
        word = "right"
    elif all(verdict.status is Status.INCONCLUSIVE for verdict in bad):
        word = "undecided"
    elif any(verdict.compared == 0 and verdict.status is not Status.INCONCLUSIVE for verdict in bad):
        word = "crashes"
    else:
        word = announced or "wrong"
    texts = [text.removeprefix(f"{announced}: ") if announced else text for text, _ in reasons]
    conventions = dict.fromkeys(str(v.details["convention"]) for v in ran if "convention" in v.details)
    return Row(
        target, library, version, summary, measure, tuple(dict.fromkeys(verdict.case.level for verdict in ran)), word,
        len(ran) - len(bad), len(ran), "; ".join([*texts, *(f"written as {name}" for name in conventions)]),
        tuple(dict.fromkeys(link for _, link in reasons if link)),
    )  # fmt: skip


def _reason(verdict: Verdict) -> tuple[str, str]:
    """Reason and link: of the expected failure, or what the verdict says where none was expected."""
    if verdict.status is Status.EXPECTED_FAIL:
        return expected_reason(verdict)
    return f"{verdict.check}, {verdict.case.describe()}: {verdict.message}", ""


def save(folder: Path, found: Environment) -> Path:
    """Write the record of an environment."""
    from verify.report.page import write  # noqa: PLC0415 -- what writes a page is imported when one is written

    content = {"schema": SCHEMA, **asdict(found)}
    return write(folder / "libraries" / f"{found.name}.json", json.dumps(content, indent=1) + "\n")


def load(folder: Path) -> list[Environment]:
    """Every record, in the order of their names.

    Raises:
        ValueError: there is none, or a file is no such record.
    """
    paths = sorted((folder / "libraries").glob("*.json"))
    if not paths:
        raise ValueError(f"no record in {folder / 'libraries'}; make one from the store of a campaign")
    return [_environment(path) for path in paths]


def _environment(path: Path) -> Environment:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record.pop("schema") != SCHEMA:
            raise ValueError(f"schema is not {SCHEMA!r}")
        rows = tuple(_row_of(row) for row in record.pop("rows"))
        return Environment(**record, rows=rows)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no record of an environment: {type(error).__name__}: {error}") from None


def _row_of(record: Mapping[str, Any]) -> Row:
    values: dict[str, Any] = {field.name: record[field.name] for field in fields(Row)}
    values |= {name: tuple(values[name]) for name in ("levels", "links")}
    return Row(**values)


def reproduction(folder: Path, row: Row) -> str:
    """Path, from the folder, of the program that shows what is wrong without us; empty if there is none."""
    if row.verdict == "right":
        return ""
    name = f"reproductions/show_{row.target.replace('-', '_')}.py"
    return name if (folder / name).is_file() else ""


def markdown(folder: Path, environments: Sequence[Environment]) -> str:
    """The table, with what every word means and what every environment was."""
    lines = ["# Third-party libraries, measured", ""]
    lines += [
        "Each target was asked at orders 4 to 64 (a scan of single coefficients up to 16), in every arithmetic it has.",
        "`passed` counts checks of cases. Where a library has only a part, such as a scan, it was given the exact",
        "operator, and its part alone is judged.",
        "",
        "| target | version | measure | verdict | passed | measured | why |",
        "|---|---|---|---|---|---|---|",
    ]
    for found in environments:
        for row in found.rows:
            shown = reproduction(folder, row)
            why = f"{_cell(row.why)} ([shown without us]({shown}))" if shown else _cell(row.why)
            lines.append(
                f"| {row.target} | {row.library} {row.version} | {row.measure} | {row.verdict} "
                f"| {row.passed} of {row.ran} | {found.date}, {found.name} | {why} |"
            )
    lines += ["", "| verdict | says |", "|---|---|", *(f"| {word} | {says} |" for word, says in WORDS.items())]
    lines += ["", "| environment | versions |", "|---|---|"]
    for found in environments:
        listed = ", ".join(f"{name} {version}" for name, version in found.versions.items())
        lines.append(f"| {found.name}, {found.date} | {listed} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def page(folder: Path, environments: Sequence[Environment]) -> str:
    """The same as one page that needs no network.

    Raises:
        ImportError: jinja2 or plotly is not installed.
    """
    from verify.report.page import document  # noqa: PLC0415

    rows = [(found, row, reproduction(folder, row)) for found in environments for row in found.rows]
    programs = {shown: (folder / shown).read_text(encoding="utf-8") for *_, shown in rows if shown}
    counts = {word: sum(row.verdict == word for _, row, _ in rows) for word in WORDS}
    return document(
        "libraries.html",
        {},
        rows=rows,
        words=WORDS,
        counts={word: number for word, number in counts.items() if number},
        libraries=len({row.library for _, row, _ in rows}),
        badges={"right": "pass", "coarse": "inconclusive", "other": "unsupported", "undecided": "inconclusive"},
        environments=environments,
        programs=programs,
    )


def publish(folder: Path, store: Path | None = None, name: str = "dev") -> list[Path]:
    """Take a store into the records, if one is given, and write ``third-party.md`` and ``third-party.html`` from all.

    Args:
        folder: where records, reproductions, table and page lie.
        store: folder with ``verdicts.jsonl`` of a finished campaign on third-party libraries.
        name: of the environment that the campaign ran in.

    Raises:
        ImportError: jinja2 or plotly is not installed.
        OSError: something cannot be read or written.
        ValueError: the store or a record is not what it should be.
    """
    from verify.adapters import ADAPTERS  # noqa: PLC0415
    from verify.report.page import write  # noqa: PLC0415

    written = []
    if store is not None:
        libraries = {key: (adapter.distribution or "", adapter.summary) for key, adapter in ADAPTERS.items()}
        written.append(save(folder, environment(name, read(store), libraries)))
    environments = load(folder)
    written.append(write(folder / "third-party.md", markdown(folder, environments)))
    written.append(write(folder / "third-party.html", page(folder, environments)))
    return written

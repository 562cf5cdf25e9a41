"""A summary in GitHub's Markdown, for a step, a pull request or a page."""

from __future__ import annotations

from pathlib import Path

from verify.campaign import Report
from verify.expected import stated
from verify.outputs.base import by_weight, problems, write_text
from verify.text import code, cut, plain
from verify.verdict import Status, Verdict

LARGEST = 1024 * 1024
"""Bytes of the summary of a step, of which GitHub shows nothing if there are more."""
LISTED = 20
"""Failures in the table; the rest is counted."""
CUT = "... the rest is left out: a summary takes 1 MiB; `--json` has everything."


def write_markdown(path: Path, report: Report) -> None:
    """The word, the diagnosis, a table of checks or of targets, the failures."""
    write_text(path, markdown(report))


def markdown(report: Report, room: int = LARGEST) -> str:
    """The summary in at most ``room`` bytes; what is too much is cut at the end of a line, and that is said."""
    lines = [f"## hippo-verify: {code(report.target)}: {report.status}", ""]
    lines += [f"- **{plain(item.text)}** ({plain(item.evidence)})" for item in report.diagnosis]
    if report.diagnosis:
        lines.append("")
    for text in problems(report):
        lines += [f"{plain(text[:1].upper() + text[1:])}.", ""]
    several = len({verdict.case.target for verdict in report.verdicts}) > 1
    lines += _by_target(report) if several else _by_check(report)
    shown = by_weight(report.verdicts)
    if shown:
        lines += ["", "| status | check | case | message |", "|---|---|---|---|"]
        lines += [
            f"| {v.status} | {plain(v.check)} | {plain(v.case.describe())} | {code(v.message)} |"
            for v in shown[:LISTED]
        ]
        if len(shown) > LISTED:
            lines += ["", f"... and {len(shown) - LISTED} more."]
    return cut(lines, room, CUT)


def _by_check(report: Report) -> list[str]:
    lines = ["| check | pass | fail | other | worst error ÷ bound |", "|---|---|---|---|---|"]
    for key in dict.fromkeys(verdict.check for verdict in report.verdicts):
        verdicts = [verdict for verdict in report.verdicts if verdict.check == key]
        passed = sum(v.status is Status.PASS for v in verdicts)
        failed = sum(v.status is Status.FAIL for v in verdicts)
        ratios = [v.ratio for v in verdicts if v.ratio is not None]
        worst = f"{max(ratios):.2g}" if ratios else "-"
        lines.append(f"| {plain(key)} | {passed} | {failed} | {len(verdicts) - passed - failed} | {worst} |")
    return lines


def _by_target(report: Report) -> list[str]:
    """What each target is: right, wrong in a known way and why, or wrong."""
    versions = report.provenance.get("versions", {})
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [f"{report.provenance.get('time', '')[:10]}; {listed}.", ""]
    lines += ["| target | measure | verdict | passed | why |", "|---|---|---|---|---|"]
    for target, measure in dict.fromkeys((v.case.target, v.case.measure) for v in report.verdicts):
        verdicts = [v for v in report.verdicts if (v.case.target, v.case.measure) == (target, measure)]
        ran = [v for v in verdicts if v.status is not Status.UNSUPPORTED]
        passed = [v for v in ran if v.status is Status.PASS]
        bad = [v for v in ran if v.status is not Status.PASS]
        crashed = any(v.status is Status.EXPECTED_FAIL and not v.compared for v in bad)
        word = "right" if not bad else "crashes" if crashed else "wrong"
        conventions = dict.fromkeys(v.details["convention"] for v in ran if "convention" in v.details)
        reasons = dict.fromkeys(_reason(v) for v in bad)
        parameters = "".join(f", {name} = {value}" for name, value in verdicts[0].case.parameters)
        why = "; ".join([*reasons, *(plain(f"written as {name}") for name in conventions)])
        lines.append(f"| {plain(target)} | {measure}{parameters} | {word} | {len(passed)} of {len(ran)} | {why} |")
    return lines


def _reason(verdict: Verdict) -> str:
    """Why it fails, as the expected failures say, or else what the verdict says."""
    known, _ = stated(verdict.message)
    return plain(known) if known else code(verdict.message)

"""How well identification works, for people: on the terminal, and as Markdown that can be published."""

from __future__ import annotations

from collections import Counter

from verify.catalogue import COARSE, OTHERS
from verify.console import make_console
from verify.recognition import Recognition, Trial


def summary(found: Recognition) -> list[str]:
    """The figures, a sentence each."""
    shown = found.count("defect") - found.count("defect", "hidden")
    lines = [
        f"{found.count('right', 'recognised')} of {found.count('right')} right implementations are recognised, told "
        "nothing but the level: measure, window or samples in a window, exponents, scaling, sign, shift and rule",
        f"of {shown} defects that show in what is asked, {found.count('defect', 'refused')} are refused, "
        f"{found.count('defect', 'named')} are named as the other operator, window, sign or rule that they are, "
        f"{found.count('defect', 'marked')} are told with the residual they leave, and "
        f"{found.count('defect', 'wrong')} are taken for right",
        f"{found.count('other', 'refused')} of {found.count('other')} operators of other kinds are refused",
    ]
    told = found.inside
    right = sum(count for (there, said), count in told.items() if there == said)
    open_ = sum(count for (_, said), count in told.items() if said == "undecided")
    total = sum(told.values())
    lines.append(
        f"the arithmetic inside is told right for {right} of {total} recognised implementations, "
        f"left undecided for {open_}, and told wrong for {total - right - open_}"
    )
    return lines


def show(found: Recognition) -> None:
    """The failures, then the figures."""
    console = make_console()
    for trial in found.failures:
        console.print(f"[bold red]{trial.outcome}[/]  {trial.name}: {trial.said}", highlight=False)
    for line in summary(found):
        console.print(line)


def markdown(found: Recognition) -> str:
    """The same as a page."""
    lines = [
        "# How well identification works",
        "",
        "Each entry of the catalogue is identified with nothing told but its level: no measure, no rule, no window, no "
        "spacing. Made by `hippo-verify measures --recognition`.",
        "",
        *(f"- {line}" for line in summary(found)),
        "",
        "## Right implementations",
        "",
        "Measures x levels x rules; scalings, signs, windows, samples in a window, shifts, float64 and float32, all "
        f"states or the last one alone take turns, and scans in {', '.join(COARSE)} come on top: there numbers "
        "count within a tenth, and the rule is not asked for. Elsewhere numbers count within 1e-6, in float32 1e-3.",
        "",
        "| measure | matrices | step | scan |",
        "|---|---|---|---|",
    ]
    right = [trial for trial in found.trials if trial.kind == "right"]
    for measure in dict.fromkeys(trial.group[0] for trial in right):
        cells = [_share([t for t in right if t.group == (measure, level)]) for level in ("matrices", "step", "scan")]
        lines.append(f"| `{measure}` | {' | '.join(cells)} |")
    lines += ["", "## The arithmetic inside", "", "| there is | told | how often |", "|---|---|---|"]
    lines += [f"| {there} | {said} | {count} |" for (there, said), count in sorted(found.inside.items())]
    lines += [
        "",
        "## Defects",
        "",
        "*Refused*: no convention explains it, and the nearest operators are told with what differs. *Named*: it is "
        "another right operator, and called that. *Marked*: the operator asked for, with a residual that no right "
        "float64 code leaves. *Hidden*: its answers to what is asked here are right; finding it is the business of the "
        "checks. *Wrong*: taken for right.",
        "",
        "| defect | refused | named | marked | hidden | wrong |",
        "|---|---|---|---|---|---|",
    ]
    wrong = [trial for trial in found.trials if trial.kind == "defect"]
    for key in dict.fromkeys(trial.group[0] for trial in wrong):
        counts = Counter(trial.outcome for trial in wrong if trial.group[0] == key)
        row = [str(counts[outcome]) for outcome in ("refused", "named", "marked", "hidden", "wrong")]
        lines.append(f"| `{key}` | {' | '.join(row)} |")
    others = [trial for trial in found.trials if trial.kind == "other"]
    lines += ["", "## Operators of other kinds", "", "| operator | refused | nearest, as matrices |", "|---|---|---|"]
    for name in OTHERS:
        trials = [trial for trial in others if trial.name.rpartition(" ")[0] == name]
        if trials:
            lines.append(f"| {name} | {_share(trials)} | {trials[0].said} |")
    lines += ["", "## What failed", ""]
    lines += [f"- {t.outcome}: {t.name}: {t.said}{_reason(t)}" for t in found.failures] or ["Nothing."]
    return "\n".join(lines) + "\n"


def _share(trials: list[Trial]) -> str:
    return f"{sum(trial.success for trial in trials)} of {len(trials)}" if trials else ""


def _reason(trial: Trial) -> str:
    """Why a failure cannot be helped, where that is known."""
    if trial.kind == "right" and trial.group[0] == "lagt" and "a scaling T of its own" in trial.said:
        return (
            ". LagT under one rule is LagT under another, with another dt and a geometric scaling, but for differences "
            "that a short step in this arithmetic does not show: what is told fits as well"
        )
    return ""

"""The kill matrix for people: on the terminal, and as Markdown that can be published."""

from __future__ import annotations

from rich.table import Table

from verify.checks import CHECKS
from verify.console import make_console
from verify.defects import DEFECTS
from verify.power import Alarms, Power
from verify.variants import VARIANTS


def summary(power: Power, alarms: Alarms | None) -> list[str]:
    """The figures, a sentence each."""
    killed = sum(map(bool, power.killers.values()))
    lines = [
        f"{killed} of {len(power.killers)} seeded defects die in the {power.suite} suite ({100 * power.rate:.1f} %); "
        f"tried at {len(power.trials)} cases, they survive at {len(power.survivors)}",
        f"the diagnosis names the cause first in {100 * power.named:.1f} % of the failing cases",
    ]
    if alarms is not None:
        lines.append(
            f"{len(alarms.false)} false alarms and {len(alarms.undecided)} without a verdict, in {alarms.verdicts} "
            f"verdicts on {len(VARIANTS)} right variants over {alarms.seeds} seeds"
        )
    return lines


def show_power(power: Power, alarms: Alarms | None) -> None:
    """A row for each defect, then what each property alone rejects, then the figures."""
    console = make_console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("defect")
    table.add_column("rejected by")
    for defect, checks in power.killers.items():
        table.add_row(defect, ", ".join(checks) or "[bold red]nothing[/]")
    console.print(table)
    only = Table(box=None, pad_edge=False, header_style="bold")
    only.add_column("property")
    only.add_column("rejects", justify="right")
    only.add_column("and alone")
    for check in CHECKS:
        count = sum(check in checks for checks in power.killers.values())
        only.add_row(check, str(count), ", ".join(power.unique[check]) or "[yellow]nothing[/]")
    console.print(only)
    for trial in power.survivors:
        console.print(f"[bold red]survives[/]  {trial.defect}: {trial.case.describe()}")
    for alarm in alarms.false if alarms is not None else ():
        console.print(
            f"[bold red]false alarm[/]  {alarm.variant}, seed {alarm.seed}: {alarm.check}, {alarm.case.describe()}: "
            f"{alarm.message}"
        )
    for line in summary(power, alarms):
        console.print(line)


def markdown(power: Power, alarms: Alarms | None) -> str:
    """The same as a page."""
    lines = ["# The power of the checks", ""]
    lines += [
        "Which property rejects which seeded defect. A defect is one thing altered in a right implementation; it is "
        "tried at every level where it shows, under LegS and one invariant law. Made by "
        f"`hippo-verify checks --power --suite {power.suite}`.",
        "",
    ]
    lines += [f"- {line}" for line in summary(power, alarms)]
    lines += ["", "## What each property rejects", "", "| property | rejects | and it alone |", "|---|---|---|"]
    for check in CHECKS:
        count = sum(check in checks for checks in power.killers.values())
        lines.append(f"| `{check}` | {count} | {', '.join(power.unique[check]) or 'nothing'} |")
    lines += ["", "## The defects", "", "| defect | what is wrong | rejected by |", "|---|---|---|"]
    for key, checks in power.killers.items():
        text = DEFECTS[key].text.replace("{measure}", "right")
        lines.append(f"| `{key}` | {text} | {', '.join(checks) or '**nothing**'} |")
    if power.survivors:
        lines += ["", "## Where a defect survives", ""]
        lines += [f"- `{trial.defect}`: {trial.case.describe()}" for trial in power.survivors]
    if power.misnamed:
        lines += ["", "## Where another cause is named first", ""]
        lines += [
            f"- `{trial.defect}`: {trial.case.describe()}: {trial.causes[0] if trial.causes else 'none'}"
            for trial in power.misnamed
        ]
    lines += [
        "",
        "## Right variants",
        "",
        "None of these may be rejected.",
        "",
        "| variant | what it is |",
        "|---|---|",
    ]
    lines += [f"| `{key}` | {variant.text} |" for key, variant in VARIANTS.items()]
    for alarm in (*alarms.false, *alarms.undecided) if alarms is not None else ():
        lines.append(f"\n- {alarm.status}: `{alarm.variant}`, seed {alarm.seed}, {alarm.check}, {alarm.message}")
    return "\n".join(lines) + "\n"

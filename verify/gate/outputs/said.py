"""What every output says: the sentence under the word, the order of findings, numbers as people write them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from verify.gate.gating import Gated
from verify.gate.side import Kind
from verify.gate.words import Finding, Outcome, Word
from verify.outputs.places import Place, place_of

STATUS: Final = {0: "pass", 1: "fail", 4: "empty", 5: "inconclusive"}
"""Exit code -> status, as in ``hippo-verify/1``."""
DECIDED: Final = (Word.BETTER, Word.SAME, Word.SLOWER, Word.LESS_ACCURATE, Word.FASTER_BUT_LESS_ACCURATE)
"""Words that two numbers were compared for."""
SCALES: Final = {
    Kind.TIME: ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    Kind.MEMORY: ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "bytes")),
}
PLAIN_UNITS: Final = {Kind.TIME: ("s", "seconds"), Kind.MEMORY: ("B", "bytes")}
"""Units that are scaled; others stay as they are."""


def by_weight(findings: Iterable[Finding]) -> list[Finding]:
    """Failures first, then what is open, accepted, better or new, then the rest; within each the largest ratio."""

    def weight(one: Finding) -> tuple[int, float]:
        if one.accepted:
            rank = 2
        elif one.outcome is Outcome.PASS:
            rank = 3 if one.word is Word.BETTER else 4 if changed(one) else 5
        else:
            rank = 0 if one.outcome is Outcome.FAIL else 1
        ratio = one.ratio if one.ratio is not None and one.ratio > 0 else 1.0
        return rank, -abs(math.log(ratio))

    return sorted(findings, key=weight)


def changed(finding: Finding) -> bool:
    """Whether a reader has to see it: everything but what is the same, or does not apply on either side."""
    quiet = finding.word is Word.SAME or (finding.word is Word.NOT_MEASURED and finding.outcome is Outcome.PASS)
    return not quiet or bool(finding.accepted)


def sentence(gated: Gated) -> str:
    """Why the word is what it is."""
    findings = gated.comparison.findings
    open_ = [one for one in by_weight(findings) if not one.accepted]
    decided = sum(one.word in DECIDED for one in findings)
    accepted = sum(bool(one.accepted) for one in findings)
    code = gated.comparison.exit_code
    if code == 4:
        said = f"Nothing was compared: {gated.empty or 'no benchmark gave a number on both sides'}"
    elif code == 1:
        failed = [one for one in open_ if one.outcome is Outcome.FAIL]
        said = f"{_of(len(failed), findings)} fail{_s(failed)}: {_first(failed)}"
    elif code == 5:
        unclear = [one for one in open_ if one.outcome is Outcome.INCONCLUSIVE]
        said = f"{_of(len(unclear), findings)} could not be decided: {_first(unclear)}"
    elif gated.comparison.word is Word.BETTER:
        better = [one for one in open_ if one.word is Word.BETTER]
        said = f"{_of(len(better), findings)} better, none worse: {_first(better)}"
    else:
        said = f"{decided} of {_count(len(findings))} compared, none worse"
    regressions = "regression is" if accepted == 1 else "regressions are"
    return f"{said}; {accepted} {regressions} accepted." if accepted else f"{said}."


def _of(number: int, findings: Sequence[Finding]) -> str:
    return f"{number} of {_count(len(findings))}"


def _s(items: Sequence[object]) -> str:
    return "s" if len(items) == 1 else ""


def _count(number: int) -> str:
    return f"{number} benchmark" if number == 1 else f"{number} benchmarks"


def _first(findings: Sequence[Finding]) -> str:
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return f"{findings[0].name}: {findings[0].message}{more}" if findings else ""


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings have each word; every word is there."""
    found = Counter(one.word for one in findings)
    return {str(word): found[word] for word in Word}


def quantity(value: float | None, kind: Kind, unit: str) -> str:
    """A value with its unit, as people write it; a dash where there is none."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(value)
    if kind in SCALES and unit in PLAIN_UNITS[kind]:
        scales = SCALES[kind]
        factor, name = next((pair for pair in scales if abs(value) >= pair[0]), scales[-1])
        return f"{value / factor:.3g} {name}"
    return f"{value:.4g}" if kind is Kind.ERROR else f"{value:.15g}" if kind is Kind.COUNT else f"{value:.4g} {unit}"


def ratio(finding: Finding) -> str:
    """How many times worse, with its limits where it has any."""
    if finding.ratio is None:
        return "-"
    if finding.low is None and finding.high is None:
        return f"{finding.ratio:.3g}"
    low, high = ("?" if limit is None else f"{limit:.3g}" for limit in (finding.low, finding.high))
    return f"{finding.ratio:.3g} ({low} to {high})"


def rates(gated: Gated) -> list[str]:
    """Stated rates of false alarms, and those that were seen on this machine, as sentences."""
    settings, comparison = gated.comparison.settings, gated.comparison
    how = "in rounds side by side, in an order drawn at random" if comparison.paired else "not side by side"
    said = [
        f"Speed and memory: {_count(comparison.family)} tested together, {how}; on identical builds at most "
        f"{settings.alarm_rate:.2%} of false alarms for a benchmark and {settings.family_rate:.2%} for all of them "
        "(Holm)."
    ]
    if not comparison.paired and comparison.family:
        said.append(f"That the machine changed between the sides by no more than {settings.drift:g} times is assumed.")
    record = gated.calibration
    if record is None:
        said.append("No A/A runs on this machine are known (hippo-verify gate --aa N makes them).")
    else:
        alarms, trials = (sum(one[key] for one in record["alarms"].values()) for key in ("events", "trials"))
        families = record["families"]
        said.append(
            f"A/A runs on this machine ({record['time'][:10]}): {alarms} false alarms in {trials} comparisons of a "
            f"benchmark, {families['events']} in {families['trials']} whole runs (95 % limits "
            f"{families['low']:.2%} to {families['high']:.2%})."
        )
    return said


def problems(gated: Gated) -> list[str]:
    """Why the exit code is not 0 although each finding looks well, and what is wrong with settings."""
    found = [sentence(gated)] if gated.comparison.exit_code == 4 else []
    return [*found, *gated.comparison.notes]


def bare(name: str) -> str:
    """A benchmark's name without parameters, in asv's spelling or pytest's."""
    return re.split(r"[(\[ ]", name, maxsplit=1)[0]


def place(finding: Finding, folder: Path | None) -> Place:
    """Where a benchmark is written, as asv or pytest names it; its own name where that is not here."""
    name = bare(finding.name)
    file, colons, test = name.partition("::")
    if colons:
        return place_of(f"{file}:{test.replace('::', '.')}")
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        path = (folder or Path()).joinpath(*parts[:count]).with_suffix(".py")
        if folder is not None and path.is_file():
            return place_of(f"{path}:{'.'.join(parts[count:])}" if parts[count:] else str(path))
    return Place(finding.name)


def machine(gated: Gated) -> Mapping[str, Any]:
    """Where head was measured, and with what."""
    head = gated.comparison.head
    return {**head.machine, **head.environment}

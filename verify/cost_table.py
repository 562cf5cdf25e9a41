"""Derives the table of costs from finished campaigns, and shows what it would have predicted of them.

``python -m verify.cost_table STORE`` prints both; ``--write`` puts the table in the place of the one that is shipped.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.optimize import nnls

from verify.adapters import ADAPTERS
from verify.costs import LARGEST, POWER, TABLE, Costs
from verify.folders import write_whole
from verify.planning import library_of
from verify.stored import open_store
from verify.verdict import Status

ROUNDS: Final = 5
"""Of fitting levels and factors in turn."""
HEAD: Final = """\
# Seconds of a unit: factor of its library x factor of its suite x the sum over its levels of fixed + growing (N/64)^2.
# Derived from a finished campaign by `python -m verify.cost_table STORE --write`.
"""


@dataclass(frozen=True)
class Sample:
    """What one level of a unit took.

    Attributes:
        library: of its target.
        level: of the target interface.
        order: number of coefficients.
        suite: how much was tried.
        seconds: all its checks together.
    """

    library: str
    level: str
    order: int
    suite: str
    seconds: float


def samples(paths: Iterable[Path]) -> list[Sample]:
    """What the levels of units took, in finished stores; what a target does not have is left out.

    Raises:
        ValueError: a file is no store, or has no verdict.
        OSError: it cannot be read.
    """
    took: dict[tuple[Any, ...], float] = defaultdict(float)
    judged: set[tuple[Any, ...]] = set()
    for path in paths:
        for stored in open_store(path):
            case = stored.verdict.case
            if case.target not in ADAPTERS:
                continue
            key = (path, replace(case, parameters=()), stored.suite or "quick")
            took[key] += stored.verdict.seconds
            if stored.verdict.status is not Status.UNSUPPORTED:
                judged.add(key)
    if not judged:
        raise ValueError(f"no verdict in {', '.join(map(str, paths))}; expected: stores of finished campaigns")
    return [
        Sample(library_of(case.target), case.level, case.order, suite, took[path, case, suite])
        for path, case, suite in took
        if (path, case, suite) in judged
    ]


def fit(found: Sequence[Sample]) -> Costs:
    """The table that fits best: levels by non-negative least squares, then the factors that even out the rest."""
    libraries = dict.fromkeys((sample.library for sample in found), 1.0)
    suites = dict.fromkeys((sample.suite for sample in found), 1.0)
    levels: dict[str, tuple[float, float]] = {}
    for _ in range(ROUNDS):
        for level in dict.fromkeys(sample.level for sample in found):
            mine = [sample for sample in found if sample.level == level]
            scale = np.array([libraries[sample.library] * suites[sample.suite] for sample in mine])
            size = np.array([(sample.order / LARGEST) ** POWER for sample in mine])
            parts, _ = nnls(scale[:, None] * np.stack([np.ones_like(size), size], 1), [s.seconds for s in mine])
            levels[level] = (float(parts[0]), float(parts[1]))
        for factors, name in ((libraries, "library"), (suites, "suite")):
            for key in factors:
                mine = [sample for sample in found if getattr(sample, name) == key]
                predicted = sum(_predicted(sample, Costs(levels, libraries, suites)) for sample in mine)
                factors[key] *= sum(sample.seconds for sample in mine) / predicted if predicted else 1.0
        reference = suites.get("quick", 1.0)
        for key in suites:
            suites[key] /= reference
    return Costs(levels, libraries, suites)


def _predicted(sample: Sample, costs: Costs) -> float:
    fixed, growing = costs.level(sample.level)
    factor = costs.libraries.get(sample.library, 1.0) * costs.suites.get(sample.suite, 1.0)
    return factor * (fixed + growing * (sample.order / LARGEST) ** POWER)


def written(costs: Costs) -> str:
    """The table as TOML."""
    lines = [HEAD, "[levels]"]
    lines += [f"{level} = {{ fixed = {a:.3g}, growing = {b:.3g} }}" for level, (a, b) in costs.levels.items()]
    for name, factors in (("libraries", costs.libraries), ("suites", costs.suites)):
        lines += ["", f"[{name}]", *(f"{key} = {factor:.3g}" for key, factor in factors.items())]
    return "\n".join(lines) + "\n"


def compared(found: Sequence[Sample], costs: Costs) -> str:
    """Predicted against measured seconds, by library, by level and by order, as a table in Markdown."""
    lines = ["| of | measured s | predicted s | predicted ÷ measured |", "|---|---|---|---|"]
    for name in ("library", "level", "order"):
        for key in sorted({getattr(sample, name) for sample in found}, key=lambda key: (str(type(key)), key)):
            mine = [sample for sample in found if getattr(sample, name) == key]
            measured = sum(sample.seconds for sample in mine)
            predicted = sum(_predicted(sample, costs) for sample in mine)
            lines.append(f"| {name} {key} | {measured:.1f} | {predicted:.1f} | {predicted / max(measured, 1e-9):.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Derive the table, show it and what it predicts; ``--write`` puts it in the place of the one that is shipped."""
    parser = argparse.ArgumentParser(prog="python -m verify.cost_table", description=__doc__)
    parser.add_argument("stores", nargs="+", type=Path, metavar="STORE", help="a folder with verdicts.jsonl")
    parser.add_argument("--write", action="store_true", help="replace the table that is shipped")
    given = parser.parse_args()
    try:
        found = samples(given.stores)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    text = written(fit(found))
    costs = Costs.parse(text)
    if given.write:
        write_whole(TABLE, text.encode())
    sys.stdout.write(f"{text}\n{compared(found, costs)}")


if __name__ == "__main__":
    main()

"""How often `verify.history` accuses a series that never changed, and how surely it finds a step, on simulated noise.

``python -m asv_benchmarks.detection`` prints the tables of ``reports/published/detection.md``; ``--runs`` says how many
series of each sort are drawn. Nothing is timed, so that it may run on a busy machine.
"""

import argparse
import math
import sys

LENGTHS = (24, 60, 200)
SIZES = (1.05, 1.1, 1.2, 2.0)


def gaussian(generator, n):
    """2 %."""
    return 0.02 * generator.standard_normal(n)


def heavy(generator, n):
    """Student's distribution with three degrees of freedom, 1.5 %."""
    return 0.015 * generator.standard_t(3, n)


def outliers(generator, n):
    """1.5 %, and one value in 30 is slower by a quarter, or by a lot more."""
    return 0.015 * generator.standard_normal(n) + (generator.random(n) < 1 / 30) * generator.exponential(0.25, n)


def two_speeds(generator, n):
    """1 %, and three processes in ten are slower by 6 %, as memory happens to lie."""
    return 0.01 * generator.standard_normal(n) + 0.06 * (generator.random(n) < 0.3)


def skewed(generator, n):
    """Never much faster, often somewhat slower: 1 % and an exponential one of 2 %."""
    return 0.01 * generator.standard_normal(n) + generator.exponential(0.02, n)


NOISES = {
    "Gaussian, 2 %": gaussian,
    "Student t3, 1.5 %": heavy,
    "outliers": outliers,
    "two speeds": two_speeds,
    "skewed": skewed,
}


def busy(generator, n):
    """A machine that has something else to do now and then, for as long as eight commits take."""
    noise, at = gaussian(generator, n), 0
    while (at := at + 1 + int(generator.exponential(15))) < n:
        noise[at : at + 8] += 0.15
    return noise


def shuffled(generator, n):
    """The same machine, the commits measured in random order."""
    return generator.permutation(busy(generator, n))


def accused(noise, n, runs):
    """How many of so many quiet series are accused."""
    import numpy as np  # noqa: PLC0415 -- asv imports this file to look for benchmarks

    from verify.history.finding import RATE, SMALLEST  # noqa: PLC0415
    from verify.history.steps import steps  # noqa: PLC0415

    generator = np.random.default_rng(n)
    return sum(bool(steps(noise(generator, n), RATE, math.log(SMALLEST))) for _ in range(runs))


def found(noise, n, size, runs):
    """Of so many series with one step: how many ranges hold it, the mean length of these, and ranges beside it."""
    import numpy as np  # noqa: PLC0415

    from verify.history.finding import RATE, SMALLEST  # noqa: PLC0415
    from verify.history.steps import steps  # noqa: PLC0415

    generator, hits, lengths, beside = np.random.default_rng(n), 0, 0, 0
    for run in range(runs):
        values, at = noise(generator, n), int(generator.integers(n // 5, n - n // 5))
        values[at:] += math.log(size) * (-1) ** run
        there = steps(values, RATE, math.log(SMALLEST))
        held = [step for step in there if step.first <= at <= step.last]
        hits += bool(held)
        lengths += sum(step.last - step.first + 1 for step in held)
        beside += len(there) - len(held)
    return hits, lengths / max(1, hits), beside


def line(*cells):
    """One line of a table."""
    sys.stdout.write("| " + " | ".join(str(cell) for cell in cells) + " |\n")


def main(arguments=None):
    """The tables."""
    from scipy import stats  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="python -m asv_benchmarks.detection", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000, help="series of each sort")
    runs = parser.parse_args(arguments).runs
    sys.stdout.write(f"Of {runs} series without a change, accused (and the share that it is at most, at 95 %):\n\n")
    line("noise", *(f"{n} commits" for n in LENGTHS))
    line(*["---"] * (1 + len(LENGTHS)))
    every = {**NOISES, "busy for a while, in random order": shuffled, "busy for a while, one after the other": busy}
    for name, noise in every.items():
        few = max(1, runs // 10) if noise is busy else runs
        cells = []
        for n in LENGTHS:
            count = accused(noise, n, few)
            most = 1.0 if count == few else stats.beta.ppf(0.95, count + 1, few - count)
            cells.append(f"{count} of {few} ({100 * most:.2g} %)")
        line(name, *cells)
    fewer = max(1, runs // 10)
    sys.stdout.write(
        f"\nOf {fewer} series with one step, found in the range named (its mean length; ranges beside it):\n\n"
    )
    line("noise", "commits", *(f"{size:g}x" for size in SIZES))
    line(*["---"] * (2 + len(SIZES)))
    for name, noise in NOISES.items():
        for n in LENGTHS:
            results = [found(noise, n, size, fewer) for size in SIZES]
            line(name, n, *(f"{100 * hits / fewer:.0f} % ({length:.1f}; {beside})" for hits, length, beside in results))


if __name__ == "__main__":
    main()

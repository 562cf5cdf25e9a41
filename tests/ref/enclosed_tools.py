"""What the tests of the balls share: when a ball and a number of the mpmath side agree, and cases for both."""

from fractions import Fraction

from mpmath import mp, mpf
from ref_tools import CASES

from hippo_ref.balls import midpoint, radius
from hippo_ref.enclosed.systems import FORMULAS

KNOWN = [m for m in CASES if m.key in FORMULAS]
RULES = [
    "euler",
    "backward_euler",
    "bilinear",
    "gbt(1/3)",
    "gbt(0.8)",
    "zoh",
    "trapezoid",
    "foh",
    "hold(2)",
    "hold(3)",
]
NODES = ["trapezoid", "foh", "hold(2)", "hold(3)"]
DT = Fraction(1, 20)
UNEVEN = [Fraction(1, 3), 1, 1.25, 2, 4, 4.5, 7, Fraction(22, 3), 11]


def size(row, floor):
    """What the radii of a row are held against."""
    return max([abs(entry) for entry in row] + [mp.ldexp(mpf(floor), -32)])


def first_gap(balls, numbers, dps, floor=1):
    """The first (row, entry) where a number, known to ``10^-dps`` of its row, is outside its ball; None if nowhere."""
    assert len(balls) == len(numbers) > 0
    with mp.workdps(dps + 60):
        for k, (row, expected) in enumerate(zip(balls, numbers, strict=True)):
            slack = size(expected, floor) * mpf(10) ** -dps
            for n, (found, number) in enumerate(zip(row, expected, strict=True)):
                if not abs(midpoint(found) - number) <= radius(found) + slack:
                    return k, n
    return None


def assert_reached(balls, digits, floor=1):
    """Every radius is as small as asked for, relative to its row."""
    with mp.workdps(digits + 60):
        for row in balls:
            largest = size([midpoint(entry) for entry in row], floor)
            assert max(radius(entry) for entry in row) <= largest * mpf(10) ** -digits


def columns(matrix):
    """Columns of an mpmath matrix."""
    return [[matrix[n, k] for n in range(matrix.rows)] for k in range(matrix.cols)]


def transposed(rows):
    return [list(row) for row in zip(*rows, strict=True)]

"""mpmath and Arb agree on every case of the corpus; where they did not, that was a bug."""

from itertools import groupby

import pytest
from mpmath import mp, mpf
from ref_corpus import DIGITS, NODES, RULES, cases, compare
from ref_tools import CASES, name

from hippo_ref import DISCRETIZATIONS, MEASURES, discretization, enclose, measure, project


def by_measure():
    """The cases in groups of one measure and kind, so that a failure names both."""
    listed = sorted(cases(), key=lambda case: (case[1].split()[0], case[0]))
    return [(key, list(group)) for key, group in groupby(listed, key=lambda case: (case[1].split()[0], case[0]))]


GROUPS = by_measure()


@pytest.mark.parametrize("group", [group for _, group in GROUPS], ids=["-".join(key) for key, _ in GROUPS])
def test_the_witnesses_overlap(group):
    for kind, words, balls, numbers in group:
        place, widest = compare(balls(), numbers())
        assert place is None, f"{kind} of {words}: apart at {place}"
        assert widest <= mpf(10) ** -DIGITS


def test_the_corpus_covers_every_measure_and_rule():
    words = [words for _, words, _, _ in cases()]
    assert {m.key for m in CASES} == set(MEASURES)
    for m in CASES:
        for rule in RULES:
            assert any(line.startswith(f"{name(m)} {rule} ") for line in words)
    assert set(DISCRETIZATIONS) <= set(RULES)
    assert {discretization(rule).reads for rule in NODES} == {"nodes"}
    assert len(words) >= 2000


def test_a_digit_off_is_seen():
    m = measure("legt")
    numbers = [project(m, mp.cos, 2, 4, DIGITS + 10)]
    balls = [enclose(m, lambda z: z.cos(), 2, 4, DIGITS)]
    assert compare(balls, numbers)[0] is None
    with mp.workdps(60):
        numbers[0][3] += max(map(abs, numbers[0])) * mpf(10) ** -(DIGITS - 2)
    assert compare(balls, numbers)[0] == (0, 3)

"""The frozen set in the repository: whole, what its builder asks for, and what the reference answers today."""

from pathlib import Path

import pytest

from hippo_ref.vectors.build import build
from hippo_ref.vectors.extents import FROZEN
from hippo_ref.vectors.groups import questions
from verify.vectors.documents import read_document

FILE = Path(__file__).resolve().parents[2] / "asv_benchmarks" / "vectors" / "frozen-1.jsonl.xz"
SAMPLED = 131
"""Every 131st question is answered again: a prime, so that it drifts through orders, rules and measures."""


@pytest.fixture(scope="module")
def frozen():
    return read_document(FILE).vectors


def test_it_is_whole_and_small(frozen):
    asked = questions(FROZEN)
    assert list(frozen) == [question.id for question in asked]
    assert len(frozen) >= 10_000
    assert FILE.stat().st_size < 8 * 2**20


def test_the_reference_answers_the_same_today(frozen):
    asked = [question for question in questions(FROZEN)[::SAMPLED] if question.order <= 64]
    assert len(asked) > 100
    for record in build(asked):
        assert record == frozen[record["id"]]

"""The frozen vectors that accuracy is tracked against: whole, true, and with the bounds that are derived today."""

import dataclasses
import json
import lzma
import math
from fractions import Fraction

import numpy as np
import pytest

import hippo_fast
from asv_benchmarks import freeze, frozen, timed
from asv_benchmarks.frozen import NotFiniteError, Vector
from hippo_ref.vectors.signals import noise
from verify.oracle import Oracle
from verify.vectors.documents import read_document
from verify.vectors.judge import Question, judge_answer
from verify.verdict import Status

SAMPLED = 29
"""Every 29th tracked vector is made again: a prime, so that it drifts through orders, rules and measures."""


@pytest.fixture(scope="module")
def source():
    return read_document(freeze.SOURCE)


@pytest.fixture(scope="module")
def oracle():
    return Oracle(None)


def tracked():
    """Vectors that come from the frozen set."""
    return [vector for vector in frozen.vectors().values() if not vector.record["kind"].startswith("timed")]


def test_it_is_whole_and_small_and_says_what_it_is_from(source):
    header, found = frozen.read(frozen.FILE)
    assert header["sha256"] == frozen.DIGEST
    assert frozen.VERSION.endswith(frozen.DIGEST[:12])
    assert header["count"] == len(found) > 800
    assert header["provenance"]["source"] == {"file": freeze.SOURCE.name, "sha256": source.checksum}
    assert header["command"] == "python -m asv_benchmarks.freeze"
    assert frozen.FILE.stat().st_size < 2**20


def test_questions_and_answers_are_those_of_the_frozen_set(source):
    """All of them, so that no answer needs another proof than the one that the frozen set has."""
    assert [vector.record["id"] for vector in tracked()] == [r["id"] for r in freeze.selected(source.vectors.values())]
    for vector in tracked():
        original = source.vectors[vector.record["id"]]
        assert vector.record["answer"]["values"] == original["answer"]["values"]
        for name in freeze.FIELDS:
            assert vector.record.get(name) == original.get(name)


def close(found, wanted):
    """Hex floats, up to what another processor's matrix products round otherwise."""
    np.testing.assert_allclose(list(map(float.fromhex, found)), list(map(float.fromhex, wanted)), rtol=1e-9, atol=0)


def require_same(found, wanted):
    """Answers to the last digit; bounds, sizes and weights up to rounding."""
    assert found["limits"].keys() == wanted["limits"].keys()
    for dtype, limits in found["limits"].items():
        close(limits, wanted["limits"][dtype])
    close(found["sizes"], wanted["sizes"])
    close(found["weights"], wanted["weights"])
    derived = ("limits", "sizes", "weights")
    assert {k: v for k, v in found.items() if k not in derived} == {k: v for k, v in wanted.items() if k not in derived}


def test_the_bounds_are_derived_the_same_today(source, oracle):
    """If this fails because a bound was improved, freeze a new file: an old series keeps its own yardstick."""
    for vector in tracked()[::SAMPLED]:
        require_same(freeze.tracked(source.vectors[vector.record["id"]], oracle), vector.record)


def test_the_reference_gives_the_timed_answers_today(oracle):
    """Interval arithmetic again for the quick ones: every measure, both kinds of times, and a gradient."""
    quick = [
        p for p in timed.PROBLEMS if (p.order <= 64 and p.length == timed.SHORT) or (p.uneven and p.method == "zoh")
    ]
    assert {p.measure for p in quick} == set(timed.MEASURES)
    for problem in quick:
        require_same(freeze.timed_vector(problem, oracle), frozen.vectors()[problem.id].record)
    problem = timed.GRADIENTS[0]
    require_same(freeze.gradient_vector(problem, oracle), frozen.vectors()[timed.gradient_id(problem)].record)


def test_a_share_is_what_the_judge_of_vectors_says(source, oracle):
    """The second witness: verify's own judgement of an answer that is off, within its limits."""
    for vector in tracked()[::SAMPLED]:
        record = source.vectors[vector.record["id"]]
        for dtype in vector.dtypes:
            high, _ = vector.exact
            size = np.broadcast_to(vector.limits(dtype)[:, None], high.shape) / np.sqrt(high.shape[1]) / vector.weights
            answer = high + 0.375 * size
            finding, _ = judge_answer(Question(record, "off", dtype), answer.ravel().tolist(), oracle)
            assert finding.status in (Status.PASS, Status.INCONCLUSIVE)
            assert vector.share(answer, dtype) == pytest.approx(finding.ratio, rel=1e-6, abs=1e-12)


def test_decimals_are_decoded_exactly():
    vector = max(tracked(), key=lambda one: len(one.record["answer"]["values"]))
    high, low = vector.exact
    for text, near, rest in zip(vector.record["answer"]["values"], high.ravel(), low.ravel(), strict=True):
        gap = abs(Fraction(text) - Fraction(float(near)) - Fraction(float(rest)))
        assert gap <= abs(Fraction(text)) * Fraction(1, 2**104)


def test_what_is_unknown_of_the_answers_is_nothing_beside_a_rounding():
    for vector in frozen.vectors().values():
        radius = np.array([float(text) for text in vector.record["answer"]["radius"]])[:, None]
        if vector.record["kind"] == "matrices":  # a zero among them is exactly zero
            radius = np.where(vector.exact[0] == 0, 0.0, radius)
        radius = np.broadcast_to(radius, vector.exact[0].shape)
        unknown = frozen.weighted_norm(radius, vector.weights)
        assert (unknown <= 2.0**-60 * vector.sizes).all(), vector.record["id"]


def test_inputs_of_timed_scans_are_the_same_bits_everywhere():
    assert tuple(timed.dyadic(500)) == noise(500, seed=2, bits=12)
    for values in (timed.dyadic(500), timed.weighting(64), timed.factors(256)[:, None] * timed.dyadic(200)):
        assert (values.astype(np.float32) == values).all()
    assert len(set(timed.factors(256))) == 256
    times = timed.Problem("legs", uneven=True).timestamps
    assert (np.diff(times) > 0).all()
    assert (times.astype(np.float32) == times).all()


# What is refused.


def test_a_changed_file_is_refused(tmp_path):
    lines = lzma.decompress(frozen.FILE.read_bytes()).decode().splitlines()
    path = tmp_path / "changed.jsonl.xz"

    def write(*changed):
        path.write_bytes(lzma.compress("\n".join(changed).encode(), preset=0))

    write(lines[0], *lines[1:4])
    with pytest.raises(ValueError, match=r"changed.jsonl.xz: the vectors have the digest .*, and the header says"):
        frozen.read(path)
    write(json.dumps({"format": "hippo-vectors/1"}))
    with pytest.raises(ValueError, match=r"format is 'hippo-vectors/1'; accepted: 'hippo-tracked/1'"):
        frozen.read(path)


def test_another_file_needs_another_version(monkeypatch):
    monkeypatch.setattr(frozen, "DIGEST", "0" * 64)
    frozen.vectors.cache_clear()
    with pytest.raises(ValueError, match=r"frozen.DIGEST is 0000.*gives every benchmark that reads it a new version"):
        frozen.vectors()
    frozen.vectors.cache_clear()


# The figures.


def one_vector(values, limits, sizes=("0x1p+0",), width=1):
    """A vector made up for a test."""
    return Vector(
        {
            "id": "made-up",
            "rows": list(range(len(limits))),
            "answer": {"values": values, "radius": ["0"] * len(limits), "shape": [len(limits), width]},
            "limits": {"float64": list(limits), "float32": list(limits)},
            "sizes": list(sizes),
            "weights": ["0x1p+0"] * width,
        }
    )


def test_an_answer_that_is_rounded_once_loses_nothing():
    vector = one_vector(["1e-1"], ["0x1p-50"])
    found = frozen.score([(vector, [[0.1]])], "float64")
    assert found.bits_lost == 0
    assert 0 < found.error_over_bound < 2.0**-5
    assert 0 < found.ulps < 0.5
    assert found.numbers == 1


def test_bits_are_counted_in_powers_of_two():
    vector = one_vector(["1"], ["0x1p-40"])
    for bits in (0, 1, 7, 29, 52):
        found = frozen.score([(vector, [[1 + 2.0 ** (bits - 52)]])], "float64")
        assert found.bits_lost == bits + 1  # u is 2^-53
        assert found.ulps == pytest.approx(2.0 ** (bits + 1))
        assert found.error_over_bound == 2.0 ** (bits - 12)
    assert frozen.score([(vector, [[1 + 2.0**-20]])], "float32").bits_lost == 4


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[math.nan]], r"the answer holds nan at \(0, 0\)"),
        ([[math.inf]], r"the answer holds inf at \(0, 0\)"),
        ([[1.0, 2.0]], r"the answer has shape \(1, 2\), expected \(1, 1\)"),
    ],
)
def test_what_is_not_finite_is_an_exception(answer, message):
    with pytest.raises(NotFiniteError, match=message):
        frozen.score([(one_vector(["1"], ["0x1p-40"]), answer)], "float64")


def test_an_error_beyond_all_numbers_is_an_exception_too():
    vector = one_vector(["-1e308"], ["0x1p-40"])
    with pytest.raises(NotFiniteError, match="row 0 of the answer is off by inf"):
        frozen.score([(vector, [[1.5e308]])], "float64")
    assert not vector.share([[1.5e308]], "float64") <= 1


def test_a_zero_must_be_exact():
    vector = one_vector(["0", "1"], ["0x0p+0", "0x1p-40"], ["0x0p+0", "0x1p+0"])
    assert frozen.score([(vector, [[0.0], [1.0]])], "float64").ulps == 0
    with pytest.raises(
        NotFiniteError, match=r"row 0 of the answer is off by 1e-300, beside a bound of 0 and a size of 0"
    ):
        frozen.score([(vector, [[1e-300], [1.0]])], "float64")


def test_nothing_compared_is_no_figure():
    with pytest.raises(NotFiniteError, match="nothing was compared"):
        frozen.score([], "float64")


def test_norms_neither_over_nor_underflow():
    weights = np.ones(2)
    for size in (1e-300, 1.0, 1e300):
        assert frozen.weighted_norm(np.array([[3.0, 4.0]]) * size, weights)[0] == pytest.approx(5 * size)
    assert frozen.weighted_norm(np.zeros((1, 2)), weights)[0] == 0


# Only right answers are timed.


@pytest.mark.parametrize("measure", timed.MEASURES)
@pytest.mark.parametrize("output", ["last", "states"])
def test_a_wrong_scan_is_not_timed(monkeypatch, measure, output):
    right = hippo_fast.scan
    problem = timed.Problem(measure, length=timed.SHORT)
    wrong = {
        "scaled": lambda answer: answer * (1 + 1e-9),
        "nan": lambda answer: np.where(np.arange(64) == 3, np.nan, answer),
        "inf": lambda answer: np.where(np.arange(64) == 3, np.inf, answer),
        "float32 inside": lambda answer: answer.astype(np.float32).astype(np.float64),
        "streams swapped": lambda answer: answer[::-1],
    }
    timed.checked.cache_clear()
    assert timed.checked(problem, "numpy", output=output, streams=8)().shape[0] == 8
    for spoil in wrong.values():
        timed.checked.cache_clear()
        monkeypatch.setattr(hippo_fast, "scan", lambda *a, spoil=spoil, **k: spoil(right(*a, **k)))
        with pytest.raises((AssertionError, NotFiniteError)):
            timed.checked(problem, "numpy", output=output, streams=8)
    timed.checked.cache_clear()


def test_every_timed_problem_has_its_answer():
    for problem in timed.PROBLEMS:
        assert problem.id in frozen.vectors()
    with pytest.raises(NotImplementedError, match="no exact answer is frozen for timed/legs/N=3/bilinear/L=5"):
        timed.checked(timed.Problem("legs", order=3, length=5), "numpy")
    assert dataclasses.is_dataclass(timed.Problem)

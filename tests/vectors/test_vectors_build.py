"""The corpus: what is asked, that the answers are certified, and that the bytes are always the same."""

import json
import lzma
from dataclasses import replace
from fractions import Fraction

import pytest
from mpmath import mp
from vector_tools import lines_of, small

import hippo_ref
from hippo_ref.enclosed.systems import FORMULAS
from hippo_ref.vectors import answers
from hippo_ref.vectors.build import build
from hippo_ref.vectors.document import checksums, header, text
from hippo_ref.vectors.extents import EXTENTS, NODES, QUICK, RULES, chosen_rows
from hippo_ref.vectors.flags import flags
from hippo_ref.vectors.groups import GROUPS, questions
from hippo_ref.vectors.question import KINDS, SETTINGS, decimal, reads
from verify.vectors.documents import export

ASKED = {name: questions(extent) for name, extent in EXTENTS.items()}


def test_every_certified_measure_is_exported():
    assert set(SETTINGS) == set(FORMULAS)


@pytest.mark.parametrize("name", list(EXTENTS))
def test_every_measure_kind_group_and_rule_is_asked(name):
    asked = ASKED[name]
    assert {q.setting.measure for q in asked} == set(SETTINGS)
    assert {q.kind for q in asked} == set(KINDS)
    assert list(dict.fromkeys(q.group for q in asked)) == [group.id for group in GROUPS]
    for measure in SETTINGS:
        assert {q.method for q in asked if q.setting.measure == measure and q.kind == "scan"} == set(RULES)
    assert len({q.id for q in asked}) == len(asked)
    assert all(q.rows and len(q.rows) == len(set(q.rows)) for q in asked)


def test_the_frozen_set_is_what_was_promised():
    asked = ASKED["frozen"]
    assert len(asked) >= 10_000
    assert max(q.order for q in asked) == 256
    for measure in SETTINGS:
        assert {q.method for q in asked if q.order == 256 and q.setting.measure == measure} >= {
            "bilinear",
            "zoh",
            "foh",
        }
    edges = [q.group.startswith(("edge-", "fout-")) for q in asked]
    assert edges == sorted(edges, reverse=True), "edge cases come first"
    assert {reads(q.method) for q in asked if q.method} == {"cells", "nodes"}
    assert [reads(rule) for rule in RULES] == [hippo_ref.discretizations.discretization(rule).reads for rule in RULES]


def test_every_flag_is_there_and_is_true():
    asked = ASKED["frozen"]
    seen = {flag for q in asked for flag in q.flags}
    assert seen == {
        "order-1", "odd-order", "even-order", "large-order", "one-sample", "zero", "denormal", "small", "huge",
        "uneven", "t0-zero", "small-window", "large-window", "alpha-near-end", "window-not-1", "some-rows", "cells",
        "nodes", "float32",
    }  # fmt: skip
    for q in asked[::50]:
        assert ("odd-order" in q.flags) == (q.order % 2 == 1)
        assert ("nodes" in q.flags) == (q.method in NODES)
        assert ("uneven" in q.flags) == (q.timestamps is not None)
    assert "float32" in flags(replace(asked[0], setting=SETTINGS["legs"][0], samples=(1.0, 2.0**-126), dt=None))
    for odd in (1 + 2.0**-30, 2.0**-127, 2.0**128):
        assert "float32" not in flags(replace(asked[0], setting=SETTINGS["legs"][0], samples=(odd,), dt=None))


def test_selections_narrow():
    chosen = questions(QUICK, measures=["legt"], orders=[3], kinds=["scan"])
    assert chosen
    assert {(q.setting.measure, q.order, q.kind) for q in chosen} == {("legt", 3, "scan")}
    assert questions(QUICK, orders=[7]) == []


@pytest.mark.parametrize(
    ("total", "width", "budget"), [(5, 3, 60), (24, 16, 64), (264, 256, 72), (1, 9, 4), (8, 24, 72)]
)
def test_chosen_rows_fit(total, width, budget):
    rows = chosen_rows(total, width, budget)
    assert list(rows) == sorted(set(rows))
    assert total - 1 in rows
    assert len(rows) == total or len(rows) == max(1, budget // width)


# Certified: a second computation, and a second witness.

SAMPLED = [q for q in ASKED["quick"] if q.kind != "projection" or q.setting.measure in ("legs", "legt", "fout")][::13]


def inside(row, texts, radius):
    """Whether a ball meets the interval of every decimal, and how wide it is beside it."""
    allowed = Fraction(radius)
    for ball, value in zip(row, texts, strict=True):
        mid, rad = (Fraction(int(m)) * Fraction(2) ** int(e) for m, e in (ball.mid().man_exp(), ball.rad().man_exp()))
        assert abs(mid - Fraction(value)) <= allowed + rad
        assert rad <= max(allowed, Fraction(1, 10**60)) / 1000


@pytest.mark.parametrize("question", SAMPLED, ids=lambda q: q.id)
def test_a_radius_holds_at_twice_the_digits(question):
    given = answers.answer(question)
    assert given["shape"] == [len(question.rows), question.width]
    finer = answers.balls(question, 2 * answers.ASKED[0])
    for place, row in enumerate(finer):
        texts = given["values"][place * question.width : (place + 1) * question.width]
        inside(row, texts, given["radius"][place])


@pytest.mark.parametrize("question", [q for q in SAMPLED if q.kind == "scan"][::3], ids=lambda q: q.id)
def test_the_other_witness_agrees(question):
    """mpmath's recurrence shares no code with the balls."""
    m, q = question.setting.exact, question
    states = hippo_ref.states(m, q.samples, q.order, q.method, q.dt, 60, timestamps=q.timestamps)
    given = answers.answer(q)
    with mp.workdps(60):
        for place, k in enumerate(q.rows):
            for n, value in enumerate(given["values"][place * q.order : (place + 1) * q.order]):
                assert abs(states[k][n] - mp.mpf(value)) <= mp.mpf(given["radius"][place]) * (1 + mp.mpf(10) ** -15)


def test_a_wrong_answer_is_not_inside():
    """The comparison above bites: a value off by one unit in its last place but two is outside."""
    question = next(q for q in SAMPLED if q.kind == "scan" and any(q.samples))
    given = answers.answer(question)
    wrong = list(given["values"])
    place = next(i for i, value in enumerate(wrong) if len(value) > 15)
    mantissa, mark, exponent = wrong[place].partition("e")
    wrong[place] = mantissa[:-3] + str((int(mantissa[-3]) + 1) % 10) + mantissa[-2:] + mark + exponent
    row = place // question.width
    finer = answers.balls(question, 80)[row]
    with pytest.raises(AssertionError):
        inside(finer, wrong[row * question.width : (row + 1) * question.width], given["radius"][row])


# The document.


def test_two_exports_are_the_same_bytes(tmp_path):
    content = []
    for place, jobs in enumerate((1, 1, 2)):
        path = tmp_path / f"{place}.jsonl.xz"
        small(path, measures=["legt", "fout"], kinds=["matrices", "scan", "step"], jobs=jobs)
        content.append(path.read_bytes())
    assert content[0] == content[1] == content[2]
    assert content[0][:6] == b"\xfd7zXZ\0"
    plain = small(tmp_path / "plain.jsonl", measures=["legt", "fout"], kinds=["matrices", "scan", "step"])
    assert lzma.decompress(content[0]) == plain.read_bytes()
    assert b"\r" not in plain.read_bytes()


def test_every_line_is_canonical(tmp_path):
    for line in small(tmp_path / "v.jsonl").read_text(encoding="ascii").splitlines():
        assert line == json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"))


def test_both_forms_hold_the_same(tmp_path):
    whole = json.loads(small(tmp_path / "v.json").read_text(encoding="ascii"))
    head, vectors = lines_of(small(tmp_path / "v.jsonl"))
    assert whole.pop("vectors") == vectors
    assert whole == head
    assert small(tmp_path / "lines", lines=True).read_bytes() == (tmp_path / "v.jsonl").read_bytes()


def test_the_header_has_no_clock_and_no_host(tmp_path):
    head, vectors = lines_of(small(tmp_path / "v.jsonl"))
    assert set(head) == {"format", "provenance", "kinds", "groups", "count", "sha256"}
    assert set(head["provenance"]) == {"versions", "selection"}
    assert set(head["provenance"]["versions"]) == {"hippo-verify", "python-flint", "mpmath"}
    assert head["count"] == len(vectors)
    assert [group["id"] for group in head["groups"]] == list(dict.fromkeys(vector["group"] for vector in vectors))
    assert head["sha256"] == checksums(head, vectors)


def test_a_group_tells_the_flags_that_all_its_vectors_share():
    found = [{"id": str(i), "group": "scan-cells", "flags": f, "answer": {}} for i, f in enumerate((["a", "b"], ["b"]))]
    head = header(found, {})
    assert [group["flags"] for group in head["groups"]] == [["b"]]
    assert text(head, found, lines=True).count("\n") == 3


def test_every_sample_is_in_the_file_to_the_bit(tmp_path):
    _, vectors = lines_of(small(tmp_path / "v.jsonl", measures=["legs", "lagt"], orders=[3], kinds=["scan"]))
    asked = {q.id: q for q in ASKED["quick"]}
    for vector in vectors:
        question = asked[vector["id"]]
        assert tuple(float.fromhex(x) for x in vector["samples"]) == question.samples
        for name, value in question.setting.parameters:
            assert float.fromhex(vector["parameters"][name]) == value == float(vector["parameters_decimal"][name])
    assert decimal(1073741824.0) == "1073741824"


def test_progress_counts_to_the_end(tmp_path):
    seen = []
    done = export(tmp_path / "v.json", kinds=["matrices"], progress=lambda now, total: seen.append((now, total)))
    assert seen[-1] == (done.vectors, done.vectors)
    assert [now for now, _ in seen] == sorted(now for now, _ in seen)


def test_wrong_builds_are_refused():
    question = ASKED["quick"][0]
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        build([question], 0)
    with pytest.raises(ValueError, match="two questions have the id 'edge-order/matrices/legs/N=1'"):
        build([question, question])

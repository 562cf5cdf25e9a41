"""Other people's libraries: what is published is what was measured, and what is wrong is shown without us."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verify.adapters import ADAPTERS
from verify.adapters.scan_base import exact_system, triangular_scan
from verify.campaign import process_oracle, verdicts_of
from verify.case import Case
from verify.cases import make_case
from verify.checks import SUITES
from verify.expected import SHIPPED, read
from verify.report import libraries
from verify.report.records import Entry, Records
from verify.result import LiveTarget
from verify.verdict import Status, Verdict

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "reports/published"
ENVIRONMENTS = libraries.load(PUBLISHED)
ROWS = [row for found in ENVIRONMENTS for row in found.rows]
LIBRARIES = {"mine": ("mine-lib", "one line"), "yours": ("mine-lib", "another line")}

pytestmark = pytest.mark.filterwarnings(  # s5-pytorch uses it
    "ignore:.torch.jit.script. is deprecated:DeprecationWarning"
)


def installed(name):
    if ADAPTERS[name].version() is None:
        pytest.skip(f"{ADAPTERS[name].distribution} is not installed here")
    return ADAPTERS[name]


def target_of(adapter):
    """An adapter in this process."""
    target = LiveTarget(adapter.bind, adapter.key, bind=True, normwise=adapter.normwise)
    target.levels, target.why_not = lambda: adapter.levels, adapter.why_not
    return target


def statuses(target, case, *checks):
    found = verdicts_of(case, target, process_oracle(), SUITES["quick"], checks)
    return {verdict.check: verdict.status for verdict in found if verdict.status is not Status.UNSUPPORTED}


# The adapters.


@pytest.mark.parametrize(
    ("name", "measure", "method", "level"),
    [
        ("scipy-cont2discrete", "legs", "bilinear", "scan"),
        ("scipy-cont2discrete", "legs", "zoh", "step"),
        ("scipy-cont2discrete", "legt", "trapezoid", "scan"),
        ("scipy-cont2discrete", "legt", "foh", "scan"),
        ("scipy-cont2discrete", "fout", "gbt(1/3)", "scan"),
        ("control-c2d", "legt", "zoh", "scan"),
        ("s5-pytorch-scan", "legs", "bilinear", "scan"),
        ("s5-pytorch-scan", "fout", "zoh", "scan"),
        ("mambapy-pscan", "legs", "bilinear", "scan"),
        ("mambapy-pscan", "legs", "bilinear", "gradient"),
        ("minimamba-scan", "legs", "bilinear", "scan"),
        ("hippox-legs-dplr", "legs", "bilinear", "factors"),
        ("keras-lmu", "lmu", "zoh", "scan"),
        ("keras-lmu", "lmu", "euler", "step"),
        ("keras-lmu-trainable", "lmu", "zoh", "step"),
        ("keras-lmu-raw", "lmu", "zoh", "scan"),
        ("juniper-lmu", "lmu", "zoh", "scan"),
        ("discretax-s5", "legs", "bilinear", "factors"),
    ],
)
def test_what_is_right_passes(name, measure, method, level):
    adapter = installed(name)
    case = replace(make_case(name, measure, order=4, method=method), level=level)
    found = statuses(target_of(adapter), case, level)
    assert found == {level: Status.PASS}


@pytest.mark.parametrize(
    ("name", "order", "check"),
    [
        ("mambapy", 4, "matrices"),
        ("minimamba", 4, "matrices"),
        ("minimamba-log-space", 4, "scan"),
        ("juniper-lmu", 16, "step"),
        ("keras-lmu-fft", 4, "scan"),
    ],
)
def test_what_is_wrong_fails(name, order, check):
    adapter = installed(name)
    case = make_case(
        name, next(iter(adapter.measures)), order=order, method=adapter.methods[0], dtype=adapter.dtypes[0]
    )
    assert statuses(target_of(adapter), replace(case, level=check), check) == {check: Status.FAIL}


def wrong_scans():
    def right(a, x):
        h = np.zeros(len(x))
        for k in range(len(x)):
            h[k] = a[k] * h[k - 1] + x[k] if k else x[k]
        return h

    def late(a, x):
        return right(np.concatenate([a[:1], a[:-1]]), x)

    def forgets(a, x):
        return right(np.where(np.arange(len(a)) == 20, 0, a), x)

    def squares(a, x):
        return right(a * a, x)

    return [(right, Status.PASS), (late, Status.FAIL), (forgets, Status.FAIL), (squares, Status.FAIL)]


@pytest.mark.parametrize(("engine", "status"), wrong_scans(), ids=lambda item: getattr(item, "__name__", str(item)))
def test_a_scan_of_single_coefficients_is_judged_through_a_whole_one(engine, status):
    """A wrong scan of one coefficient cannot hide in the triangle it is made to solve."""
    case = replace(make_case("scan", "legs", order=4), level="scan")

    class Scan:
        def scan(self, samples, order):
            return np.stack(triangular_scan(case, samples, engine, np.asarray, np.concatenate), axis=1)

    assert statuses(LiveTarget(Scan()), case, "scan") == {"scan": status}


def test_the_operator_handed_to_libraries_is_that_of_the_formula():
    A, B = exact_system(make_case("x", "legt", order=5, theta=2))
    n = np.arange(5)
    s = np.sqrt(2 * n + 1)
    np.testing.assert_allclose(B, s / 2, rtol=1e-15)
    np.testing.assert_allclose(A, -np.outer(s, s) / 2 * np.where(n[:, None] < n, (-1.0) ** (n[:, None] - n), 1.0))


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("scipy-cont2discrete", {"measure": "legs", "method": "foh"}, "for a fixed step only"),
        ("scipy-cont2discrete", {"measure": "legs", "method": "euler", "order": 8}, "unusable above order 4"),
        ("scipy-cont2discrete", {"measure": "legt", "method": "foh", "level": "step"}, "a shifted one"),
        ("control-c2d", {"measure": "legt", "method": "euler", "order": 32}, "unusable above order 16"),
        ("s5-pytorch-scan", {"measure": "legs", "method": "zoh"}, "discretizes diagonal operators"),
        ("mambapy-pscan", {"measure": "legs", "order": 64}, "runs N times"),
        ("keras-lmu", {"measure": "lmu", "method": "euler", "order": 16}, "above 4 N samples"),
    ],
)
def test_what_is_not_asked_has_a_reason(name, changes, says):
    level = changes.pop("level", "scan")
    assert says in ADAPTERS[name].why_not(replace(make_case(name, **changes), level=level))


# What is published.


def test_published_is_made_from_its_records():
    assert (PUBLISHED / "third-party.md").read_text(encoding="utf-8") == libraries.markdown(PUBLISHED, ENVIRONMENTS)


def test_the_page_says_what_the_table_says():
    page = (PUBLISHED / "third-party.html").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page)).replace("&#39;", "'").replace("&gt;", ">")
    for row in ROWS:
        assert f"{row.target} " in text
        for part in (row.summary, row.why):
            assert re.sub(r"\s+", " ", part) in text, row.target
    assert not re.search(r"(src|href)=\"(?!#|https://(arxiv|doi|docs)|data:)", page), "it loads nothing"


def test_every_library_is_published():
    assert {row.target for row in ROWS} == {
        key for key, adapter in ADAPTERS.items() if adapter.distribution is not None
    }


def test_nothing_published_is_left_unexplained():
    """What is not right is an expected failure, and its reason is the one that is published."""
    reasons = {entry.reason for entry in read(SHIPPED)}
    for row in ROWS:
        assert row.verdict in libraries.WORDS
        if row.verdict != "right":
            assert any(reason.partition(": ")[2] in row.why or reason in row.why for reason in reasons), row.target
            assert row.links


def test_every_wrong_library_has_a_reproduction():
    wanted = {libraries.reproduction(PUBLISHED, row) for row in ROWS if row.verdict != "right"}
    assert wanted == {f"reproductions/{path.name}" for path in (PUBLISHED / "reproductions").glob("*.py")}


def printed(name):
    """What a reproduction prints, as pairs of label and text; it runs in a process of its own."""
    path = PUBLISHED / "reproductions" / f"show_{name.replace('-', '_')}.py"
    assert not re.search(r"\b(hippo_ref|hippo_fast|verify)\b", path.read_text()), "it needs nothing of ours"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""}
    answer = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, check=True, env=environment, cwd=path.parent
    )
    return [line.partition(":")[::2] for line in answer.stdout.splitlines() if ":" in line]


def entries(name, index, level="matrices", **changes):
    """``(got, expected)`` of one number: the adapter's, and the reference's."""
    adapter = ADAPTERS[name]
    measure, fixed = next(iter(adapter.measures.items()))
    case = replace(make_case(name, measure, order=4, dtype=adapter.dtypes[0], **fixed), level=level, **changes)
    A, B = adapter.bind(case).matrices(4)
    exact_A, exact_B = exact_system(replace(case, level="matrices"))
    found = [np.asarray(part.detach() if hasattr(part, "detach") else part) for part in (A, B)]
    part, place = (0, index) if isinstance(index, tuple) else (1, index)
    return float(found[part].reshape((4, 4) if part == 0 else 4)[place]), float((exact_A, exact_B)[part][place])


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("mambapy", (3, 2)),
        ("minimamba", (3, 2)),
        ("hippox-lagt", (0, 0)),
        ("hippox-fourier-decay", 0),
    ],
)
def test_reproductions_show_what_we_judge(name, index):
    """The numbers that a library's authors see are those that our adapter gets and the reference expects."""
    installed(name)
    lines = dict(reversed(printed(name)))
    got, expected = entries(name, index)
    assert float(lines["got"]) == pytest.approx(got, rel=1e-6)
    assert float(lines["expected"]) == pytest.approx(expected, rel=1e-6)
    assert got != pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(("name", "says"), [("hippox-legt", "positional-only"), ("hippox-lmu", "positional-only")])
def test_reproductions_of_crashes_say_what_the_verdict_says(name, says):
    installed(name)
    lines = dict(printed(name))
    assert says in lines["got"]
    assert any(
        says in entry.conditions.get("match", "") for entry in read(SHIPPED) if entry.conditions["target"] == name
    )
    # And without the two names it would be right.
    rows = [lines[key].strip(" []").split() for key in ("expected", "without the names x= and y=")]
    np.testing.assert_allclose(*np.array(rows, dtype=float), rtol=1e-6)


def test_the_default_of_hippox_raises_where_it_has_no_low_rank_term():
    installed("hippox-glagt-dplr")
    assert "invalid measure argument" in dict(printed("hippox-glagt-dplr"))["got"]


def test_the_normal_part_of_s5_is_not_normal():
    adapter = installed("s5-pytorch-normal")
    lines = dict(printed("s5-pytorch-normal"))
    A, _ = adapter.bind(Case("s5-pytorch-normal")).matrices(4)
    assert float(lines["got"]) == pytest.approx(A[3, 2], rel=1e-12)
    s = np.sqrt(2 * np.arange(4) + 1.0)
    exact, _ = exact_system(make_case("x", "legs", order=4))
    assert float(lines["expected"]) == pytest.approx((exact + np.outer(s, s) / 2)[3, 2], rel=1e-12)
    assert float(lines["S S^T - S^T S, got"]) > 1
    assert float(lines["S S^T - S^T S, expected"]) < 1e-13


def test_the_log_space_scan_of_minimamba_weighs_by_inverses():
    installed("minimamba-log-space")
    lines = dict(printed("minimamba-log-space"))
    assert float(lines["got"]) == pytest.approx(sum(2.0**k for k in range(12)))
    assert float(lines["expected"]) == sum(0.5**k for k in range(12))


def test_the_eigenvectors_of_juniper_lose_their_digits():
    installed("juniper-lmu")
    lines = printed("juniper-lmu")
    got, expected = ([float(text) for label, text in lines if label == name] for name in ("got", "expected"))
    # By scipy's exponential there, by the reference here.
    for order, value in zip((8, 16, 32, 64), expected, strict=True):
        case = replace(make_case("x", "lmu", order=order, method="zoh"), level="step")
        assert np.isclose(process_oracle().step(case, [0.0] * order, 1.0, 1).high, value, rtol=1e-9).any()
    relative = np.abs(np.array(got) - expected) / np.abs(expected)
    assert relative[0] < 1e-10 < relative[1] < relative[2] > 1e-2
    assert relative[3] > 0.5


def test_the_fft_of_keras_lmu_is_right_to_the_rounding_of_the_run():
    installed("keras-lmu-fft")
    lines = dict(printed("keras-lmu-fft"))
    assert 0 < float(lines["got"]) < 1e-15
    assert float(lines["expected"]) == 0
    assert float(lines["difference over the largest state"]) < 1e-14


# How it is made.


def verdict(status=Status.PASS, target="mine", message="", measured=0.0, compared=1):
    bound = None if status in (Status.ERROR, Status.UNSUPPORTED) else 1.0
    return Verdict(
        "matrices", "a claim", Case(target), status, measured=measured, bound=bound, bound_source="x",
        compared=compared, message=message,
    )  # fmt: skip


def records(*verdicts, finished=True):
    provenance = {"time": "2026-11-25T12:00:00+00:00", "commit": "abc", "dirty": True,
                  "versions": {"python": "3.11", "mine-lib": "1.2"}}  # fmt: skip
    listed = tuple(Entry(number, item) for number, item in enumerate(verdicts, start=2))
    return Records(Path("verdicts.jsonl"), provenance, listed, finished=finished)


def expected_fail(reason, **changes):
    message = f"off [expected: {reason}; https://arxiv.org/abs/1]"
    return verdict(Status.EXPECTED_FAIL, message=message, **{"measured": 2.0, **changes})


@pytest.mark.parametrize(
    ("found", "word", "why"),
    [
        ([verdict()], "right", ""),
        ([verdict(), verdict(Status.UNSUPPORTED, message="no")], "right", ""),
        ([verdict(), verdict(Status.INCONCLUSIVE, message="x")], "undecided", "matrices, legs N=4 matrices float64: x"),
        ([verdict(), expected_fail("half of it")], "wrong", "half of it"),
        ([verdict(), expected_fail("other: S4D-Real")], "other", "S4D-Real"),
        ([expected_fail("coarse: FFT")], "coarse", "FFT"),
        ([expected_fail("it raises", measured=None, compared=0)], "crashes", "it raises"),
        ([expected_fail("it overflows", measured=None)], "wrong", "it overflows"),
        ([verdict(Status.ERROR, message="gone", measured=None, compared=0)], "crashes", "gone"),
        ([expected_fail("other: S4D-Real"), verdict(Status.FAIL, message="new", measured=2.0)], "wrong", "new"),
        ([expected_fail("other: S4D-Real"), expected_fail("half of it")], "wrong", "half of it"),
        ([verdict(Status.FAIL, message="new", measured=2.0)], "wrong", "new"),
        ([verdict(Status.UNEXPECTED_PASS, message="passes, but", measured=0.0)], "wrong", "passes, but"),
    ],
)
def test_words(found, word, why):
    (row,) = libraries.environment("here", records(*found), LIBRARIES).rows
    assert row.verdict == word
    assert why in row.why


def test_a_record_says_where_and_when():
    found = libraries.environment("here", records(verdict(), verdict(target="yours")), LIBRARIES)
    assert (found.name, found.date, found.commit) == ("here", "2026-11-25", "abc with changes")
    assert [(row.target, row.library, row.version, row.passed, row.ran) for row in found.rows] == [
        ("mine", "mine-lib", "1.2", 1, 1),
        ("yours", "mine-lib", "1.2", 1, 1),
    ]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (records(verdict(), finished=False), "stopped; the same command goes on"),
        (records(verdict(target="theirs")), "'theirs', which is no library whose version it records"),
    ],
)
def test_what_is_no_record_is_refused(given, says):
    with pytest.raises(ValueError, match=says):
        libraries.environment("here", given, LIBRARIES)


def test_records_are_read_back_and_shown(tmp_path):
    pytest.importorskip("jinja2", reason="the page is in the report extra")
    pytest.importorskip("plotly", reason="the page is in the report extra")
    hostile = expected_fail("<script>alert(1)</script> | x")
    found = libraries.environment("here", records(verdict(), hostile), LIBRARIES)
    libraries.save(tmp_path, found)
    assert libraries.load(tmp_path) == [found]
    (tmp_path / "reproductions").mkdir()
    (tmp_path / "reproductions/show_mine.py").write_text("print('</pre><b>')\n")
    page = libraries.page(tmp_path, [found])
    assert "<script>alert" not in page
    assert "</pre><b>" not in page
    assert "mine-lib" in page
    table = libraries.markdown(tmp_path, [found])
    assert "\\| x ([shown without us](reproductions/show_mine.py)) |" in table
    assert "| mine | mine-lib 1.2 | legs | wrong | 1 of 2 | 2026-11-25, here |" in table


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "x"}', '{"schema": "hippo-verify/libraries/1", "rows": [{}]}'])
def test_a_foreign_record_is_refused(tmp_path, text):
    (tmp_path / "libraries").mkdir()
    with pytest.raises(ValueError, match="no record in"):
        libraries.load(tmp_path)
    (tmp_path / "libraries/x.json").write_text(text)
    with pytest.raises(ValueError, match="is no record of an environment"):
        libraries.load(tmp_path)


def test_records_are_json_that_others_can_read():
    for path in (PUBLISHED / "libraries").glob("*.json"):
        record = json.loads(path.read_text())
        assert record["schema"] == libraries.SCHEMA
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", record["date"])
        assert set(record["versions"]) >= {"hippo-verify", "python", *(row["library"] for row in record["rows"])}

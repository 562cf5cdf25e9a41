"""The judge of answers: what passes, what fails and how it is said, and what no bound can decide."""

import json
import xml.etree.ElementTree as ET
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from vector_tools import cli, lines_of, small, truth, words, write_answers, write_document

from hippo_ref.vectors.extents import QUICK
from hippo_ref.vectors.groups import questions
from verify.bounds import float_states
from verify.folders import write_whole
from verify.oracle import Oracle
from verify.vectors.checking import by_id, check
from verify.vectors.documents import export, read_document
from verify.vectors.files import FormatError, read_answers
from verify.vectors.judge import Question, judge_answer, operator_of
from verify.verdict import Status

ORACLE = Oracle(None)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """Every measure, kind and rule at small orders, half of the quick set."""
    asked = questions(QUICK, orders=[2, 3, 4])[::2]
    return write_document(tmp_path_factory.mktemp("vectors") / "v.jsonl", asked)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return small(tmp_path_factory.mktemp("few") / "v.jsonl")


@pytest.fixture(scope="module")
def sparse(tmp_path_factory):
    """Few vectors of every group."""
    chosen = questions(QUICK, measures=["legs", "fout"], orders=[3, 4])[::4]
    return write_document(tmp_path_factory.mktemp("sparse") / "v.jsonl", chosen)


@pytest.fixture
def judge(tmp_path):
    def run(file, change=lambda vector, values: values, **header):
        answers = write_answers(tmp_path / "a.json", lines_of(file)[1], change, **header)
        return check(answers, file, oracle=ORACLE)

    return run


# Right answers.


def test_the_truth_passes_everywhere(vectors, judge):
    """Every vector can be decided: none is there on which a right program would be left in doubt."""
    report = judge(vectors)
    assert [v.message for v in report.verdicts if v.status is not Status.PASS] == []
    assert (report.status, report.exit_code, report.diagnosis) == ("pass", 0, [])
    assert report.target == "a test"


def test_float32_is_judged_by_its_own_bounds(vectors, judge):
    def rounded(vector, values):
        with np.errstate(over="ignore"):
            return [float(np.float32(x)) for x in values]

    report = judge(vectors, rounded, dtype="float32")
    assert report.exit_code == 0
    left_out = [v for v in report.verdicts if v.status is Status.UNSUPPORTED]
    assert left_out
    assert {v.message for v in left_out} == {"its inputs are not float32 numbers, so float32 cannot be judged by it"}
    report = judge(vectors, rounded)
    assert report.status == "fail"


def dense(question):
    """An implementation of every rule, in float64: the rounded exact steps."""
    return float_states(operator_of(question, ORACLE), question.doubles("samples"))[0]


def test_an_implementation_of_every_rule_passes(vectors):
    """Accurate steps keep the forward limit: gbt(a), holds, trapezoid, uneven times, under either law."""
    rules = set()
    for record in lines_of(vectors)[1]:
        if record["kind"] == "scan":
            question = Question(record, "dense")
            values = dense(question)[question.rows].ravel().tolist()
            finding, _ = judge_answer(question, values, ORACLE)
            assert finding.status is Status.PASS, (record["id"], finding.message)
            rules.add((record["method"], "dt" in record, "timestamps" in record))
    assert len(rules) == 10 * 3  # LegS, LegS with times, invariant


@pytest.mark.parametrize("share", [1e-9, 1e-3])
def test_a_small_error_in_any_rule_fails(vectors, share):
    """The bounds bite: every scan is wrong when its last coefficient is off by this share of the state."""
    tried = 0
    for record in lines_of(vectors)[1]:
        question = Question(record, "off")
        # A hold over 2^-20 of a window may be formed as A^-1 (e^{A dt} - I) B, which loses 2^20, and one on LegS by
        # continuing its polynomial over all of the past, which loses (t/dt)^degree.
        lossy = "short-step" in record["id"] or ("hold" in question.case.method and "dt" not in record)
        decided = share > 1e-6 or not lossy
        if record["kind"] == "scan" and question.truth.high.any() and decided:
            values = question.truth.high.copy()
            values[-1, -1] += share * np.abs(values).max()
            finding, _ = judge_answer(question, values.ravel().tolist(), ORACLE)
            assert finding.status is Status.FAIL, record["id"]
            tried += 1
    assert tried > 250


@pytest.mark.parametrize("kind", ["matrices", "step", "reconstruct", "gradient", "projection"])
def test_a_small_error_in_any_kind_fails(vectors, kind):
    tried = 0
    for record in lines_of(vectors)[1]:
        if record["kind"] == kind:
            question = Question(record, "off")
            values = question.truth.high.copy()
            place = np.unravel_index(np.argmax(np.abs(values)), values.shape)
            values[place] *= 1 + 1e-6
            finding, _ = judge_answer(question, values.ravel().tolist(), ORACLE)
            assert finding.status is Status.FAIL, record["id"]
            tried += 1
    assert tried


# Wrong answers.


def test_a_missing_answer_fails(few, judge):
    report = judge(few, lambda vector, values: None if vector["kind"] == "matrices" else values)
    failed = [v for v in report.verdicts if v.status is Status.FAIL]
    assert len(failed) == 2
    assert failed[0].message.endswith(": no answer; answer it, or list it as unsupported with a reason")
    assert report.diagnosis[0].defect == "missing"
    assert report.diagnosis[0].text.startswith(
        f"2 of {len(report.verdicts)} vectors have no answer, the first matrices/"
    )


def test_an_unknown_id_fails_and_the_closest_is_named(few, tmp_path):
    _, found = lines_of(few)
    found[3] = {**found[3], "id": found[3]["id"] + "x"}
    report = check(write_answers(tmp_path / "a.json", found), few, oracle=ORACLE)
    assert report.status == "fail"
    verdict = report.verdicts[-1]
    assert verdict.check == "ids"
    assert verdict.message.startswith("1 answer(s) have an id that no vector has: ")
    assert verdict.message.endswith(f"; closest is {lines_of(few)[1][3]['id']!r}")
    report = check(write_answers(tmp_path / "a.json", [{**v, "id": f"{i}"} for i, v in enumerate(found)]), few)
    assert report.diagnosis[0].text == "these are answers to other vectors"


def test_two_answers_to_one_vector_fail(few, tmp_path):
    _, found = lines_of(few)
    report = check(write_answers(tmp_path / "a.json", [*found, found[0]]), few, oracle=ORACLE)
    assert [v.message for v in report.verdicts if v.status is Status.FAIL] == [
        f"{found[0]['id']}: answered more than once; an id has one answer"
    ]


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("scan", lambda v, x: x[:-1], "numbers, expected"),
        ("scan", lambda v, x: x[: v["order"]], "; only one state was given"),
        ("matrices", lambda v, x: x[: v["order"] ** 2], "is B missing? Each row is A[n][0..N-1], then B[n]"),
        ("scan", lambda v, x: [*x[:-1], "one"], "is 'one'; accepted: a number, a decimal or a hex float"),
        ("scan", lambda v, x: [*x[:-1], None], "is None; accepted: a number"),
        ("scan", lambda v, x: [*x[:-1], "nan"], "is off by inf, and rounding explains at most"),
        ("scan", lambda v, x: [*x[:-1], float("inf")], "is off by inf"),
        ("matrices", lambda v, x: [2 * y for y in x], "B[3] is off by 2.65, and rounding explains at most"),
    ],
)
def test_wrong_forms_and_values_are_told(few, judge, kind, change, said):
    report = judge(few, lambda v, x: change(v, x) if v["kind"] == kind and v["measure"] == "legs" else x)
    failed = [v for v in report.verdicts if v.status is Status.FAIL]
    assert failed
    assert any(said in v.message for v in failed), [v.message for v in failed]
    assert all(v.message.startswith(v.details["vector"]) for v in failed)
    assert report.exit_code == 1


def test_all_rows_where_some_are_asked_for_is_told(tmp_path, judge):
    file = tmp_path / "v.jsonl"
    export(file, "quick", measures=["legs"], orders=[9], kinds=["scan"])
    report = judge(file, lambda v, x: [0.0] * (len(v["samples"]) * v["order"]))
    assert "all 24 rows were given, but only rows [" in report.verdicts[0].message


def test_unsupported_is_counted_and_can_be_limited(few, tmp_path):
    _, found = lines_of(few)
    refuse = write_answers(tmp_path / "a.json", found, lambda v, x: "no such kind" if v["kind"] == "matrices" else x)
    report = check(refuse, few, oracle=ORACLE)
    assert (report.status, report.counts["UNSUPPORTED"]) == ("pass", 2)
    assert check(refuse, few, max_unsupported=2, oracle=ORACLE).status == "pass"
    report = check(refuse, few, max_unsupported=1, oracle=ORACLE)
    assert report.status == "fail"
    assert report.verdicts[-1].message.startswith("2 vectors are listed as unsupported, at most 1 may be: matrices/")


def test_nothing_answered_is_four(few, judge):
    report = judge(few, lambda vector, values: "all of it")
    assert (report.status, report.exit_code) == ("empty", 4)


# In doubt.


def test_between_the_limits_there_is_no_verdict(few, judge):
    """A few times what accurate steps lose, less than a backward-stable solve may."""
    report = judge(few, lambda v, x: [y * (1 + 2e-15) for y in x] if v["kind"] == "matrices" else x)
    assert (report.status, report.exit_code) == ("inconclusive", 5)
    assert "more than accurately formed steps lose" in next(v.message for v in report.verdicts if v.message)


def widened(record, radius):
    return {**record, "answer": {**record["answer"], "radius": [radius] * len(record["answer"]["radius"])}}


def test_no_verdict_from_a_truth_wider_than_what_it_judges(few):
    """A radius is taken from what passes and added to what fails."""
    record = next(v for v in lines_of(few)[1] if v["kind"] == "scan" and "noise" in v["id"])
    right, scale = truth(record), max(map(abs, truth(record)))
    finding, _ = judge_answer(Question(record, "x"), right, ORACLE)
    assert finding.status is Status.PASS
    finding, _ = judge_answer(Question(widened(record, "1e-9"), "x"), right, ORACLE)
    assert finding.status is Status.INCONCLUSIVE
    assert "the exact value itself is known to 2e-09 only, wider than the difference" in finding.message
    off = [*right[:-1], right[-1] + 1e-6 * scale]
    assert judge_answer(Question(record, "x"), off, ORACLE)[0].status is Status.FAIL
    assert judge_answer(Question(widened(record, "1e-5"), "x"), off, ORACLE)[0].status is Status.INCONCLUSIVE
    assert judge_answer(Question(widened(record, "1e-9"), "x"), off, ORACLE)[0].status is Status.FAIL


# Names.


@pytest.mark.parametrize(
    ("change", "defect"),
    [
        (lambda v, x: [float(f"{y:.6g}") for y in x], "printed_short"),
        (lambda v, x: np.reshape(x, v["answer"]["shape"]).T.ravel().tolist(), "column_major"),
        (lambda v, x: np.reshape(x, v["answer"]["shape"])[::-1].ravel().tolist(), "rows_reversed"),
        (lambda v, x: [float(np.float32(y)) for y in x], "float32_states"),
        (lambda v, x: [2 * y for y in x], "doubled_state"),
    ],
)
def test_slips_and_defects_are_named(few, judge, change, defect):
    report = judge(few, lambda v, x: change(v, x) if v["kind"] == "scan" else x)
    assert report.diagnosis[0].defect == defect


def test_printed_places_are_named(few, judge):
    report = judge(few, lambda v, x: [round(y, 6) for y in x] if v["kind"] == "scan" else x)
    assert report.diagnosis[0].defect in ("printed_places", "printed_short")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda v: v["order"] % 2 == 1, "every one with flag odd-order"),
        (lambda v: v.get("method") == "hold(2)", "every one with rule hold(2)"),
        (lambda v: "uneven" in v["flags"], "every one with flag uneven"),
        (lambda v: v["measure"] == "fout" and v["kind"] == "gradient", "every one with kind gradient and measure fout"),
    ],
)
def test_the_pattern_of_failures_is_told(sparse, judge, wrong, told):
    def change(vector, values):
        return [y * (1 + 0.01 * ((i * 7) % 5 - 2)) + 0.01 for i, y in enumerate(values)] if wrong(vector) else values

    report = judge(sparse, change)
    last = report.diagnosis[-1]
    failed = sum(v.status is Status.FAIL for v in report.verdicts)
    assert last.defect == "pattern"
    assert f"{failed} of {len(report.verdicts)} judged vectors fail: {told}, and no other; first " in last.text
    assert ": got " in last.text
    assert ", expected " in last.text


def test_no_pattern_is_told_where_everything_fails(few, judge):
    """What holds for the whole file tells nothing."""
    report = judge(few, lambda v, x: [y + 0.5 for y in x])
    first = report.verdicts[0].details["vector"]
    assert report.diagnosis[-1].text.startswith(
        f"no known cause: {len(report.verdicts)} of {len(report.verdicts)} judged vectors fail; first {first}: "
    )


# Files.


def schema(name):
    return json.loads(resources.files("verify.vectors").joinpath(name).read_text(encoding="utf-8"))


def test_exports_and_answers_keep_their_schemas(vectors, tmp_path):
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is in the test extra")
    header, found = lines_of(vectors)
    published = schema("hippo-vectors-1.schema.json")
    jsonschema.Draft202012Validator.check_schema(published)
    validator = jsonschema.Draft202012Validator(published)
    validator.validate({**header, "vectors": found})
    for spoil in (
        {"vectors": []},
        {"vectors": [{**found[0], "answer": {**found[0]["answer"], "values": [0.5]}}]},
        {"vectors": [{key: value for key, value in found[0].items() if key != "rows"}]},
        {"vectors": [{**found[0], "kind": "projection"}]},
        {"vectors": [{**found[0], "extra": 1}]},
        {"sha256": {"document": "0"}},
    ):
        assert not validator.is_valid({**header, "vectors": found[:1], **spoil}), spoil
    answers = jsonschema.Draft202012Validator(schema("hippo-answers-1.schema.json"))
    written = json.loads(
        write_answers(tmp_path / "a.json", found, lambda v, x: x if v["order"] > 2 else "no").read_text()
    )
    answers.validate(written)
    answers.validate({**written, "answers": [{"id": "a", "values": ["0x1.8p+1", "nan", "-1e-5", 3]}]})
    for wrong in (
        {"id": "a"},
        {"id": "a", "values": ["one"]},
        {"values": [1]},
        {"id": "a", "values": [], "unsupported": ""},
    ):
        assert not answers.is_valid({**written, "answers": [wrong]}), wrong


def test_a_changed_file_is_refused(few, tmp_path):
    lines = few.read_text(encoding="ascii").splitlines()
    spoiled = tmp_path / "v.jsonl"

    def write(*changed):
        spoiled.write_text("\n".join(changed) + "\n", encoding="ascii")
        return spoiled

    group = json.loads(lines[5])["group"]
    changed = lines[5].replace('"values":["', '"values":["1', 1)
    with pytest.raises(FormatError, match=rf"checksum does not match: group {group} was changed after the export"):
        read_document(write(*lines[:5], changed, *lines[6:]))
    with pytest.raises(FormatError, match="the header was changed after the export"):
        read_document(write(lines[0].replace("edge cases", "no cases").replace("every", "some"), *lines[1:]))
    with pytest.raises(
        FormatError, match=rf"holds {len(lines) - 2} vectors, but its header says {len(lines) - 1}: cut"
    ):
        read_document(write(*lines[:-1]))
    with pytest.raises(FormatError, match=r"neither JSON nor JSON Lines"):
        read_document(write(*lines[:-1], lines[-1][:40]))
    assert read_document(write(*lines)).vectors.keys() == {json.loads(line)["id"] for line in lines[1:]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "neither JSON nor JSON Lines"),
        (b"\xff\xfe", "neither JSON nor xz"),
        (b"\xfd7zXZ\x00broken", "neither JSON nor xz"),
        (b"[1, 2]", "expected an object with a list 'vectors', or a header line and an object on each line"),
        (b'{"format": "hippo-vectors/2", "vectors": []}', "format is 'hippo-vectors/2'; accepted: 'hippo-vectors/1'"),
        (b'{"format": "hippo-vectors/1", "vectors": []}', "the header has no sha256 of the document"),
        (b'{"format": "hippo-vectors/1"}\n3\n', "an object on each line"),
        (b"[" * 100_000, "neither JSON nor JSON Lines"),
    ],
)
def test_what_is_no_vectors_file_is_said(tmp_path, content, said):
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(FormatError) as caught:
        read_document(tmp_path / "v")
    assert said in str(caught.value)
    assert str(tmp_path / "v") in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"format": "hippo-vectors/1", "answers": []}, "format is 'hippo-vectors/1'; accepted: 'hippo-answers/1'"),
        (
            {"format": "hippo-answers/1", "dtype": "float16", "answers": []},
            "dtype is 'float16'; accepted: float64, float32",
        ),
        ({"format": "hippo-answers/1", "answers": [{"values": []}]}, "answer 0 has no id that is a string"),
        ({"format": "hippo-answers/1", "answers": [{"id": "a"}]}, "'a' has neither a list 'values' nor 'unsupported'"),
        ({"format": "hippo-answers/1", "answers": [{"id": "a", "values": "1"}]}, "has neither a list 'values'"),
        ({"format": "hippo-answers/1", "answers": {}}, "expected an object with a list 'answers'"),
    ],
)
def test_what_is_no_answers_file_is_said(tmp_path, content, said):
    (tmp_path / "a").write_text(json.dumps(content))
    with pytest.raises(FormatError) as caught:
        read_answers(tmp_path / "a")
    assert said in str(caught.value)


def test_answers_may_be_lines_or_pretty(few, tmp_path):
    written = json.loads(write_answers(tmp_path / "a.json", lines_of(few)[1]).read_text())
    pretty, lines = tmp_path / "pretty.json", tmp_path / "a.jsonl"
    pretty.write_text(json.dumps(written, indent=2))
    head = {key: value for key, value in written.items() if key != "answers"}
    lines.write_text("\n".join(map(json.dumps, [head, *written["answers"]])) + "\n\n")
    assert read_answers(pretty) == read_answers(lines) == read_answers(tmp_path / "a.json")


def test_answers_to_another_document_are_refused(few, judge):
    header, _ = lines_of(few)
    assert judge(few, vectors=header["sha256"]["document"]).status == "pass"
    with pytest.raises(FormatError, match="answers the vectors with sha256 aaaaaaaaaaaa"):
        judge(few, vectors="a" * 64)


def test_a_stopped_export_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "v.jsonl"
    path.write_text("old")

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("hippo_ref.vectors.build._answer", stopped)
    result = cli("export", "--output", path, "--orders", "4", "--jobs", "1")
    assert result.exit_code == 130
    assert f"stopped; {path} was not touched" in words(result.stderr)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "v"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


# The command line.


def test_export_and_check_on_the_command_line(tmp_path):
    file = tmp_path / "v.jsonl.xz"
    result = cli(
        "export", "--output", file, "--measures", "legs", "--orders", "4", "--kinds", "matrices", "--jobs", "1"
    )
    assert result.exit_code == 0, result.output
    assert "1 vectors, 20 certified numbers" in words(result.stdout)
    vector = next(iter(read_document(file).vectors.values()))
    answers = write_answers(tmp_path / "a.json", [vector])
    names = {kind: tmp_path / kind for kind in ("json", "junit-xml", "sarif", "markdown")}
    result = cli("check", answers, "--vectors", file, *(part for k, p in names.items() for part in (f"--{k}", p)))
    assert (result.exit_code, words(result.stdout)[:12]) == (0, "PASS a test ")
    record = json.loads(names["json"].read_text())
    assert (record["schema"], record["status"], record["exit_code"]) == ("hippo-verify/1", "pass", 0)
    assert record["verdicts"][0]["details"]["vector"] == "matrices/matrices/legs/N=4"
    assert len(record["provenance"]["vectors"]) == 64
    assert json.loads(names["sarif"].read_text())["version"] == "2.1.0"
    assert names["markdown"].read_text().startswith("## hippo-verify: `a test`: pass")
    result = cli("check", write_answers(tmp_path / "a.json", [vector], lambda v, x: [-y for y in x]), "--vectors", file)
    assert result.exit_code == 1
    assert "FAIL a test" in words(result.stdout)


def test_junit_names_are_unique(few, judge, tmp_path):
    from verify import outputs

    report = judge(few)
    outputs.write_junit(tmp_path / "j.xml", by_id(report))
    cases = [case.get("name") for case in ET.parse(tmp_path / "j.xml").iter("testcase")]
    assert len(cases) == len(set(cases)) == len(report.verdicts)


def test_check_takes_the_quick_set_by_default(tmp_path, monkeypatch, few):
    document = read_document(few)
    monkeypatch.setattr("verify.vectors.checking.quick_document", lambda: document)
    result = cli("check", write_answers(tmp_path / "a.json", document.vectors.values()))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--set", "huge"), 2, "set is 'huge'; accepted: quick, frozen"),
        (("--measures", "lags"), 2, "measure is 'lags'; accepted: legs, legt, lmu, lagt, fout, legs_lti"),
        (("--kinds", "scans"), 2, "kind is 'scans'; accepted: matrices, scan, step, reconstruct, gradient, projection"),
        (("--orders", "4,x"), 2, "--orders is '4,x'; accepted: integers with commas"),
        (("--orders", "0"), 2, "order is 0; accepted: an integer from 1"),
        (("--jobs", "-1"), 2, "jobs must be at least 1, got -1"),
        (("--orders", "7"), 4, "nothing was selected: the quick set has no vector of these measures, orders and kinds"),
    ],
)
def test_wrong_exports_say_what_is_accepted(tmp_path, options, code, said):
    result = cli("export", "--output", tmp_path / "v.json", *options)
    assert result.exit_code == code
    assert said in words(result.stderr)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_cannot_be_written_is_two(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    result = cli(
        "export", "--output", tmp_path / "file" / "v.json", "--orders", "4", "--kinds", "matrices", "--jobs", "1"
    )
    assert result.exit_code == 2
    assert f"--output: cannot write {tmp_path / 'file' / 'v.json'}:" in words(result.stderr)


def test_wrong_checks_say_what_is_wrong(tmp_path, few):
    result = cli("check", tmp_path / "nonesuch.json", "--vectors", few)
    assert result.exit_code == 2
    assert f"cannot read {tmp_path / 'nonesuch.json'}: No such file" in words(result.stderr)
    assert cli("check").exit_code == 2
    assert {"export", "check"} <= set(words(cli("--help").stdout).split())

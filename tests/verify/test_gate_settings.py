"""The table of pyproject.toml and the file of accepted regressions: strict, with a message for every slip."""

import math
from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest

from verify.gate import Accepted, Settings, Thresholds, Word
from verify.gate.settings import matches, selected

PAGE = (Path(__file__).parents[2] / "docs/gate.md").read_text(encoding="utf-8")


def settings(tmp_path, text):
    path = tmp_path / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    return Settings.from_pyproject(path)


def test_a_project_that_says_nothing(tmp_path):
    assert Settings.from_pyproject(tmp_path) == Settings()
    assert Settings.from_pyproject(tmp_path / "pyproject.toml") == Settings()
    assert settings(tmp_path, "[tool.ruff]\n") == Settings()
    assert settings(tmp_path, "[tool.hippo-verify]\n") == Settings()


def test_the_page_shows_the_values_by_default_and_every_key(tmp_path):
    text = PAGE.partition("# pyproject.toml\n")[2].partition("```")[0]
    shown = settings(tmp_path, text)
    assert shown.thresholds == Thresholds()
    assert (shown.rounds, shown.extra_rounds, shown.alarm_rate, shown.family_rate, shown.drift) == (
        Settings().rounds, Settings().extra_rounds, Settings().alarm_rate, Settings().family_rate, Settings().drift,
    )  # fmt: skip
    assert shown.accepted == tmp_path / "accepted.toml"
    assert shown.of("bench_reference.Exact.time_x") == Thresholds(slowdown=1.2, detect=1.5)
    assert shown.of("bench_scan.time_x") == Thresholds()
    for key in [*(one.name for one in fields(Settings) if one.name != "thresholds"), *vars(Thresholds())]:
        assert f"`{key}`" in PAGE or f"{key.replace('_', '-')} =" in text or f"gate.{key}]]" in text, key


def test_later_patterns_have_the_last_word(tmp_path):
    found = settings(
        tmp_path,
        """
        [tool.hippo-verify.gate]
        detect = 1.3
        [[tool.hippo-verify.gate.benchmarks]]
        pattern = "*scan*"
        slowdown = 1.1
        growth = 3
        [[tool.hippo-verify.gate.benchmarks]]
        pattern = "bench_scan.time_x('legs', 'a[0]')"
        slowdown = 1.2
        """,
    )
    one = found.of("bench_scan.time_x('legs', 'a[0]')")
    assert (one.slowdown, one.growth, one.detect) == (1.2, 3, 1.3)
    assert found.of("bench_scan.time_x('legs', 'a0')").slowdown == 1.1
    assert found.of("other").slowdown == 1.05
    assert found.idle(["other"]) == ["*scan*", "bench_scan.time_x('legs', 'a[0]')"]


def test_a_pattern_knows_one_sign():
    assert matches("*", "")
    assert matches("a*c", "abbc")
    assert matches("a*c", "ac")
    assert not matches("a*c", "acd")
    assert matches("t[a]", "t[a]")
    assert not matches("t[a]", "ta")
    assert not matches("t.x", "tax")
    assert not matches("T", "t")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.hippo-verify.gate]\nslow = 1", "unknown key 'slow'; accepted: accepted, alarm-rate, benchmarks, bits"),
        ("[tool.hippo-verify.gate]\nalarm_rate = 0.1", "unknown key 'alarm_rate'; accepted: .*alarm-rate"),
        ("[tool.hippo-verify.gate]\nthresholds = 1", "unknown key 'thresholds'"),
        ("[tool.hippo-verify.gate]\nslowdown = '1.1'", "slowdown is '1.1'; accepted: a number"),
        ("[tool.hippo-verify.gate]\nslowdown = true", "slowdown is True; accepted: a number"),
        ("[tool.hippo-verify.gate]\nslowdown = nan", "slowdown is nan; accepted: a number"),
        ("[tool.hippo-verify.gate]\nslowdown = inf", "slowdown is inf; accepted: a number"),
        ("[tool.hippo-verify.gate]\nslowdown = 0.95", "slowdown is 0.95; accepted: a number above 1"),
        ("[tool.hippo-verify.gate]\nslowdown = 1.3", "detect is 1.2; accepted: a number above slowdown, which is 1.3"),
        ("[tool.hippo-verify.gate]\nmemory = 1", "memory is 1; accepted: a number above 1"),
        ("[tool.hippo-verify.gate]\nmemory-floor = -1", "memory-floor is -1; accepted: a number of bytes"),
        ("[tool.hippo-verify.gate]\ngrowth = 1", "growth is 1; accepted: a number above 1"),
        ("[tool.hippo-verify.gate]\nbits = 0", "bits is 0; accepted: a number above 0"),
        ("[tool.hippo-verify.gate]\nfloor = -1", "floor is -1; accepted: a number, at least 0"),
        ("[tool.hippo-verify.gate]\nrounds = 7", "rounds is 7; accepted: a whole number from 8 to 64"),
        ("[tool.hippo-verify.gate]\nrounds = 16.0", "rounds is 16.0; accepted: a whole number"),
        ("[tool.hippo-verify.gate]\nextra-rounds = -1", "extra-rounds is -1; accepted: a whole number from 0"),
        ("[tool.hippo-verify.gate]\nalarm-rate = 0", "alarm-rate is 0; accepted: a probability above 0, at most 0.05"),
        ("[tool.hippo-verify.gate]\nfamily-rate = 0.5", "family-rate is 0.5; accepted: a probability above 0"),
        ("[tool.hippo-verify.gate]\ndrift = 0.9", "drift is 0.9; accepted: a number, at least 1"),
        ("[tool.hippo-verify.gate]\nmay-differ = 'numpy'", "may-differ is 'numpy'; accepted: a list of names"),
        ("[tool.hippo-verify.gate]\naccepted = ''", "accepted is ''; accepted: a file"),
        (
            "[tool.hippo-verify.gate]\nbenchmarks = 1",
            r"benchmarks is 1; accepted: \[\[tool.hippo-verify.gate",
        ),
        ("[[tool.hippo-verify.gate.benchmarks]]\nbits = 1", "pattern is None; accepted: a benchmark's name"),
        (
            "[[tool.hippo-verify.gate.benchmarks]]\npattern = 'x'\nrounds = 16",
            "benchmarks, x: unknown key 'rounds'; accepted: bits, detect, floor, growth, memory, memory-floor",
        ),
        ("[[tool.hippo-verify.gate.benchmarks]]\npattern = 'x'\nslowdown = 1.5", "detect is 1.2; accepted"),
        ("[tool]\nhippo-verify = 1", "hippo-verify is 1 in .*pyproject.toml; accepted: a table"),
        ("[tool.hippo-verify]\ngate = 1", "gate is 1 in .*; accepted: a table"),
        ("[tool", "pyproject.toml is not TOML"),
    ],
)
def test_slips_in_the_settings(tmp_path, text, message):
    with pytest.raises(ValueError, match=f"^tool.hippo-verify.gate.*{message}"):
        settings(tmp_path, text)


# ---- accepted regressions

GOOD = 'benchmark = "b*"\nwhat = "slower"\nup-to = 1.3\nreason = "because"\nexpires = 2027-01-31\n'


def accepted(tmp_path, text):
    path = tmp_path / "accepted.toml"
    path.write_text(text, encoding="utf-8")
    return Accepted.read(path)


def test_accepted_regressions_are_read_and_judged_by_the_day(tmp_path, monkeypatch):
    monkeypatch.setenv("HIPPO_VERIFY_TODAY", "2027-01-31")
    found = accepted(tmp_path, f"[[accepted]]\n{GOOD}")
    (entry,) = found.entries
    assert (entry.benchmark, entry.what, entry.up_to, entry.expires) == ("b*", Word.SLOWER, 1.3, date(2027, 1, 31))
    assert found.lapsed(entry)
    monkeypatch.setenv("HIPPO_VERIFY_TODAY", "2027-01-30")
    assert not accepted(tmp_path, f"[[accepted]]\n{GOOD}").lapsed(entry)
    assert accepted(tmp_path, "").entries == ()


def test_the_page_shows_one_that_is_right(tmp_path):
    text = PAGE.partition("# accepted.toml\n")[2].partition("```")[0]
    (entry,) = accepted(tmp_path, text).entries
    assert entry.up_to == 1.3


def test_a_loss_needs_no_limit(tmp_path):
    text = '[[accepted]]\nbenchmark = "b"\nwhat = "not measured"\nreason = "gone"\nexpires = 2027-01-31\n'
    assert accepted(tmp_path, text).entries[0].up_to == math.inf


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("because", "", r"lacks \['reason'\]"),
        ("up-to = 1.3", "", r"lacks \['up-to'\]; .*; required: .*, and up-to for slower and less accurate"),
        (
            "up-to = 1.3",
            "up-to = 1.3\nlink = 'x'",
            r"unknown \['link'\] and lacks \[\]; accepted: benchmark, what, reason",
        ),
        ("slower", "better", "what is 'better'; accepted: slower, less accurate, not comparable, not measured"),
        ("slower", "not measured", "up-to is 1.3 for not measured; accepted: .* for slower and less accurate only"),
        ("2027-01-31", "1", "expires is 1; accepted: a date without quotes"),
        ("2027-01-31", "2027-01-31T00:00:00", "expires is .*; accepted: a date without quotes"),
        ("1.3", "1", "up-to is 1 for slower; accepted: a number above 1"),
        ("1.3", "nan", "up-to is nan for slower"),
        ("1.3", "true", "up-to is True for slower"),
        ('"because"', "1", "reason is 1; accepted: text"),
        ('"because"', '" "', "reason is ' '; accepted: text"),
    ],
)
def test_slips_in_an_entry(tmp_path, right, wrong, message):
    assert right in GOOD
    text = f"[[accepted]]\n{GOOD}[[accepted]]\n{GOOD.replace(right, wrong)}"
    with pytest.raises(ValueError, match=f"^accepted regressions: entry 2 of .*{message}"):
        accepted(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[accepted]]\n", r"entry 1 of .* lacks \['benchmark', 'what', 'reason', 'expires'\]"),
        (GOOD, r"has \[.*\]; accepted: \[\[accepted\]\] tables"),
        ("accepted = 1", r"accepted: \[\[accepted\]\] tables"),
        ("[[accepted", "is not TOML"),
    ],
)
def test_slips_in_accepted_regressions(tmp_path, text, message):
    with pytest.raises(ValueError, match=f"^accepted regressions: .*{message}"):
        accepted(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"cannot read .*none\.toml: No such file"):
        Accepted.read(tmp_path / "none.toml")


def test_each_pattern_is_an_expression_of_its_own():
    """Flags, groups and what refers to them: of two that are joined with | the second would mean another thing."""
    given = Settings.from_table({"select": ["(?i)SCAN", r"^(\w)_\1$", r"^(\d)-\1$"]}, Path())
    names = ["bench_scan", "a_a", "1-1", "a_b", "1-2", "BENCH"]
    assert [name for name in names if selected(name, given.select)] == ["bench_scan", "a_a", "1-1"]
    assert all(selected(name, ()) for name in names)

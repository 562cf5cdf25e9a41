"""The kill matrix and the false alarms, on a part that is quick; `make power` publishes the whole."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from verify import power
from verify.case import LEVELS
from verify.checks import CHECKS, QUICK
from verify.cli import app
from verify.defects import DEFECTS
from verify.folders import cache_folder
from verify.oracle import Oracle
from verify.result import LiveTarget, TargetError
from verify.variants import VARIANTS

SMALL = replace(QUICK, examples=2)


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


def test_there_are_as_many_right_variants_as_defects_within_a_quarter():
    assert len(DEFECTS) >= 60
    assert len(VARIANTS) >= 0.75 * len(DEFECTS)


@pytest.mark.parametrize("key", DEFECTS)
def test_every_defect_is_shown_somewhere_and_dies_there(key, oracle):
    """One case of each defect, the first; the published matrix has them all."""
    cases = list(power.cases_of(DEFECTS[key].applies, DEFECTS[key].order, given=DEFECTS[key].given))
    assert cases, "no case shows it"
    trial = power.try_defect(DEFECTS[key], cases[0], oracle, QUICK)
    assert trial.killers, trial.outcomes


@pytest.mark.parametrize("key", VARIANTS)
def test_no_right_variant_is_rejected(key, oracle):
    """Two seeds each, of other orders and precisions."""
    place = list(VARIANTS).index(key)
    found = power.alarms([place, place + len(VARIANTS)], SMALL, oracle=oracle)
    assert [alarm.to_json() for alarm in found.false] == []


def test_every_variant_is_shown_at_a_small_order_in_either_precision():
    for variant in VARIANTS.values():
        dtypes = ["float32"] if variant.key == "float64_inside" else ["float64", "float32"]
        for dtype in dtypes:
            assert list(power.cases_of(variant.applies, 4, dtype)), (variant.key, dtype)


def test_cases_visit_every_level_and_both_laws():
    shown = [case for case in power.cases_of(lambda case: True, 6) if case.level != "matrices"]
    assert {case.level for case in shown} == set(LEVELS) - {"matrices"}
    assert {case.measure == "legs" for case in shown} == {True, False}
    assert "zoh" in {case.method for case in shown}


def test_a_matrix_without_its_killer_has_a_survivor(oracle, monkeypatch):
    """The figure can fail: take away the only property that rejects a defect."""
    others = {key for key, check in CHECKS.items() if "reconstruct" in check.levels} - {"reconstruct", "determinism"}
    monkeypatch.setattr(power, "CHECKS", {key: check for key, check in CHECKS.items() if key not in others})
    whole = power.power(QUICK, defects=["flipped", "unit_B"], oracle=oracle)
    assert whole.rate == 1
    assert not [t for t in whole.survivors if t.defect == "flipped"]
    blind = replace(DEFECTS["flipped"], alter=lambda model: model)
    trial = power.try_defect(blind, whole.trials[0].case, oracle, QUICK)
    assert trial.killers == ()
    found = power.Power("quick", [trial])
    assert (found.rate, found.survivors, found.killers) == (0, [trial], {"flipped": ()})


def test_a_wrong_variant_is_an_alarm(oracle, monkeypatch):
    wrong = replace(VARIANTS["as_it_is"], alter=DEFECTS["doubled_B"].alter)
    monkeypatch.setitem(power.VARIANTS, "as_it_is", wrong)
    found = power.alarms([0], SMALL, oracle=oracle)
    assert found.false
    assert "off by" in found.false[0].message


def test_the_result_does_not_depend_on_the_number_of_processes(oracle):
    keys = ["doubled_B", "last_dropped", "columns_reversed"]
    one = power.power(SMALL, defects=keys, oracle=oracle).to_json()
    two = power.power(SMALL, defects=keys, jobs=2).to_json()
    assert one == two


def test_the_figures_are_right_where_they_can_be_counted_by_hand(oracle):
    case = next(power.cases_of(lambda case: case.level == "scan", 4))
    trials = [
        power.Trial("doubled_B", case, {"scan": "killed", "step": "passed"}, ("doubled_B", "halved_B")),
        power.Trial("doubled_B", case, {"scan": "passed"}, ()),
        power.Trial("flipped", case, {"scan": "killed", "linearity": "killed"}, ("unknown",)),
        power.Trial("clipped", case, {"scan": "undecided"}, ()),
    ]
    found = power.Power("quick", trials)
    assert found.killers == {"doubled_B": ("scan",), "flipped": ("scan", "linearity"), "clipped": ()}
    assert found.rate == pytest.approx(2 / 3)
    assert found.survivors == [trials[1], trials[3]]
    assert found.unique["scan"] == ["doubled_B"]
    assert found.unique["linearity"] == []
    assert found.named == pytest.approx(1 / 2)
    assert found.misnamed == [trials[2]]


def test_no_two_defects_are_the_same_at_a_case(oracle):
    """Otherwise no diagnosis could tell them apart; answers to the probes are compared, bit for bit."""
    from verify.candidates import right_model
    from verify.diagnosis import Answer, _probes

    def answer(target, case, probe):
        try:
            return Answer.of(target.call(case, *probe.arguments(case)), case.order)
        except TargetError:
            return None

    cases = {case for d in DEFECTS.values() for case in power.cases_of(d.applies, d.order, given=d.given)}
    same = set()
    for case in sorted(cases, key=lambda case: case.id):
        right = LiveTarget(lambda asked: right_model(asked, oracle), bind=True)
        plain = [answer(right, case, probe) for probe in _probes(case)]
        rows = {}
        for key, defect in DEFECTS.items():
            if not defect.applies(case):
                continue
            target = defect.target(case, oracle)
            found = [answer(target, case, probe) for probe in _probes(case)]
            asked = [(a, b) for a, b in zip(found, plain, strict=True) if a is not None and b is not None]
            # Where steps become singular, all that is left is NaN, whatever the cause.
            if any(a.distance(b) > 0 and np.isfinite(a.numbers).all() for a, b in asked):
                told = tuple((a.form, *(part.tobytes() for part in (a.numbers, a.free) if part is not None))
                             if a is not None else None for a in found)  # fmt: skip
                rows.setdefault(told, []).append(key)
        same |= {(case.describe(), tuple(keys)) for keys in rows.values() if len(keys) > 1}
    # From a zero state a linear law doubles its answer with its input: the two are one.
    assert {keys for _, keys in same} <= {("doubled_B", "doubled_state")}


RUNNER = CliRunner()


def test_the_command_prints_the_matrix(tmp_path):
    page = tmp_path / "power.md"
    answer = RUNNER.invoke(
        app,
        [
            "checks",
            "--power",
            "--defects",
            "first_stream_only,streams_reversed",
            "--seeds",
            "0",
            "--markdown",
            str(page),
        ],
    )
    assert answer.exit_code == 0, answer.output
    assert "2 of 2 seeded defects die in the quick suite (100.0 %)" in answer.output
    assert "| `batch` | 2 | first_stream_only, streams_reversed |" in page.read_text()


def test_the_command_as_json():
    answer = RUNNER.invoke(app, ["checks", "--power", "--defects", "flipped", "--seeds", "1", "--json", "--jobs", "1"])
    record = json.loads(answer.output)
    assert record["schema"] == "hippo-verify/1"
    assert (record["defects"], record["killed"], record["survivors"]) == (1, 1, [])
    assert record["variants"]["seeds"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--power", "--defects", "flipped,flopped"], r"--defects has flopped; accepted: doubled_B, "),
        (["--markdown", "x.md"], r"--markdown and --defects go with --power"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    answer = RUNNER.invoke(app, ["checks", *arguments])
    assert answer.exit_code == 2
    assert message in answer.output

"""The synthetic repository and its score card: planted changes are found where they are, and nothing else is."""

import random
import subprocess
import sys
from dataclasses import replace

import pytest
from history_tools import git

from asv_benchmarks import synthetic
from verify.history import changes_of_all, load, page
from verify.history.score import Planted, markdown, score


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic")
    timetable = synthetic.Timetable.drawn(synthetic.COMMITS, synthetic.SEED)
    synthetic.make(folder, timetable)
    synthetic.simulate(folder, timetable, synthetic.SEED)
    return folder, timetable


@pytest.fixture(scope="module")
def judged(place):
    folder, timetable = place
    history = load(folder / ".asv" / "results", folder)
    found = changes_of_all(history)
    return history, found, score(found, timetable.planted())


def test_everything_planted_is_found_and_nothing_else(judged):
    history, _, card = judged
    assert len(history.measured) == synthetic.COMMITS
    assert card.missed == ()
    assert card.accused == ()
    assert set(card.quiet) == {"bench_parts.time_steady", "bench_parts.Error.track_error('steady')"}
    exact = {one.planted.what for one in card.scores if one.exact}
    assert {
        "2x slower",
        "20 % slower",
        "error 1.5x",
        "1 bit lost",
        "error 10x, recovers",
        "error NaN, recovers",
    } <= exact


def test_all_that_the_issue_asks_for_is_planted(place):
    said = {one.what.partition(",")[0] for one in place[1].planted()}
    assert {"5 % slower", "10 % slower", "20 % slower", "2x slower"} <= said
    assert {"1 bit lost", "error 1.5x", "error 10x", "error NaN"} <= said


def test_the_page_of_the_card(judged):
    history, _, card = judged
    text = markdown(card, history)
    assert "- 17 changes were planted in 7 series over 200 commits, of which 200 were measured;" in text
    assert "- 0 were missed, in whole or in part;" in text
    assert "Nothing was accused falsely." in text
    assert "| 1 bit lost | `bench_parts.track_bits` | 16 | 16 | 2 times |  |  |" in text
    row = next(line for line in text.splitlines() if "| 5 % slower |" in line)
    assert 2 < float(row.split("|")[6].strip().removesuffix(" %")) < 5
    assert (
        "| cannot be run, repaired by the next commit | `bench_parts.time_gradient` | 78 | 78 | no number |  |" in text
    )


def test_a_card_bites(judged, place):
    """What is beside the planted commit, of the wrong direction, missing, or invented is told."""
    history, found, right = judged
    planted = place[1].planted()
    name = "bench_parts.track_bits"
    first, *others = found[name]

    def card(*changed):
        return score({**found, name: changed}, planted)

    assert [one.commit for one in card(*others).missed] == [first.last]
    beside = card(replace(first, first=first.first + 1, last=first.last + 1), *others)
    assert len(beside.missed) == len(beside.accused) == 1
    turned = card(replace(first, worse=False), *others)
    assert len(turned.missed) == len(turned.accused) == 1
    twice = card(first, first, *others)
    assert (len(twice.missed), len(twice.accused)) == (0, 1)
    second = next(change for change in others if change.recovered is not None)
    unended = card(first, *(replace(change, recovered=None) for change in others))
    assert [one.commit for one in unended.missed] == [second.last]
    text = markdown(twice, history)
    assert "- 1 were accused falsely" in text
    assert f"- `{name}`, {first.last}: less accurate" in text
    assert "**missed**" in markdown(card(*others), history)
    assert right.accused == ()


def test_what_was_not_measured_cannot_be_scored():
    with pytest.raises(ValueError, match="changes were planted in a, b, of which nothing was measured"):
        score({}, [Planted(series="b", commit=1, what="x"), Planted(series="a", commit=1, what="x")])


def test_the_repository_is_the_same_for_the_same_seed(place, tmp_path):
    folder, _ = place
    timetable = synthetic.Timetable.drawn(synthetic.COMMITS, synthetic.SEED)
    synthetic.make(tmp_path / "again", timetable)
    assert git(tmp_path / "again", "rev-parse", "HEAD") == git(folder, "rev-parse", "HEAD")
    head = git(folder, "rev-parse", "HEAD")
    synthetic.make(folder, timetable)  # there already
    assert git(folder, "rev-parse", "HEAD") == head
    other = synthetic.Timetable.drawn(synthetic.COMMITS, synthetic.SEED + 1)
    assert [row[1] for row in other.rows] != [row[1] for row in timetable.rows]


def test_plants_of_a_series_never_meet():
    """Two changes of one benchmark at one commit could not be told apart."""
    for seed in range(50):
        timetable = synthetic.Timetable.drawn(synthetic.COMMITS, seed)
        taken = {}
        for plant, at, until in timetable.rows:
            for name in synthetic.series(plant):
                taken.setdefault(name, []).extend(commit for commit in (at, until) if commit is not None)
        for commits in taken.values():
            assert len(set(commits)) == len(commits)
            assert 0 < min(commits) <= max(commits) < synthetic.COMMITS


def test_the_planted_code_is_what_is_said(place, tmp_path):
    """The commits themselves: more passes, a larger drift, a part that cannot be run."""
    folder, timetable = place

    def run(commit, code):
        tree = tmp_path / str(commit)
        if not tree.exists():
            git(folder, "worktree", "add", "--quiet", "--detach", str(tree), f"HEAD~{synthetic.COMMITS - 1 - commit}")
        command = [sys.executable, "-c", f"import parts\n{code}"]
        return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)

    plants = {plant.what: (plant, at) for plant, at, _ in timetable.rows}
    for what, factor in (("2x slower", 2.0), ("5 % slower", 1.05)):
        plant, at = plants[what]
        said = [int(run(k, f"print(parts.{plant.part}.WARM_UP)").stdout) for k in (at - 1, at)]
        assert (synthetic.LENGTH + said[1]) / (synthetic.LENGTH + said[0]) == pytest.approx(factor, abs=1e-3)
    plant, at = plants["error 1.5x"]
    before, after = (float(run(k, f"print(parts.{plant.part}.readout() - 1)").stdout) for k in (at - 1, at))
    assert after / before == 1.5
    plant, at = plants["cannot be run, repaired by the next commit"]
    assert "has no attribute 'run'" in run(at, f"parts.{plant.part}.run()").stderr
    assert run(at + 1, f"parts.{plant.part}.run()").returncode == 0


def test_noise_can_be_that_of_a_measured_repository(place):
    folder, _ = place
    draw = synthetic.measured_noise(folder)
    drawn = [draw(random.Random(i)) for i in range(300)]
    assert len(set(drawn)) > 100
    assert sorted(drawn)[150] == pytest.approx(0.0, abs=0.005)


def test_the_page_of_the_history(judged):
    history, found, _ = judged
    text = page.markdown(history, found)
    assert "200 of 200 commits were measured" in text
    assert "Commits were measured in an order that has nothing to do with theirs." in text
    assert "error 10x, recovers\n\n*Not explained yet.*\n" in text


def test_the_program(tmp_path, capsys):
    synthetic.main([str(tmp_path / "small"), "--commits", "40", "--simulate", "--seed", "3"])
    out = capsys.readouterr().out
    assert out.startswith("- 17 changes were planted in 7 series over 40 commits")

"""The page of a history, and the command that writes it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from history_tools import ERROR, TIME, repository, store
from typer.testing import CliRunner

from verify import cli
from verify.history import changes_of_all, load, page
from verify.history.explained import ExplanationError, read


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    hashes = repository(folder, [1_000_000_000 + i for i in range(24)])
    generator = np.random.default_rng(0)
    ranks = generator.permutation(24)
    for i, commit in enumerate(hashes):
        values = {TIME: [1e-3 * (2 if i >= 12 else 1) * float(np.exp(0.01 * generator.standard_normal()))]}
        values[ERROR] = [0.9 if 5 <= i < 9 else 0.3]
        store(folder / ".asv" / "results", commit, values, started=int(60_000 * ranks[i]) + 1)
    return folder, hashes


@pytest.fixture(scope="module")
def history(place):
    return load(place[0] / ".asv" / "results", place[0])


def invoke(folder, *arguments):
    chosen = ["--results", str(folder / ".asv" / "results"), "--repository", str(folder)]
    return CliRunner().invoke(cli.app, ["history", *chosen, *arguments])


def explanations(tmp_path, text):
    path = tmp_path / "explained.toml"
    path.write_text(text)
    return path


def test_each_commit_has_what_it_changed_and_why(place, tmp_path):
    folder, hashes = place
    path = explanations(
        tmp_path,
        f'[[explained]]\ncommit = "{hashes[12][:8]}"\ntext = "A <b>loop</b> twice."\n'
        f'[[explained]]\ncommit = "{hashes[2]}"\ntext = "Nothing."\n',
    )
    answer = invoke(folder, "--explained", str(path))
    assert answer.exit_code == 0
    out = answer.output
    assert "24 of 24 commits were measured" in out
    assert f"## `{hashes[12][:8]}` number 2\n\nA &lt;b&gt;loop&lt;/b&gt; twice.\n" in out
    slower = r"\| `bench_a.time_scan` \| slower: (1|1.01|99\d) [mµ]s before, \S+ ms now, (1.99|2|2.01) times \|  \|"
    assert re.search(slower, out)
    assert f"## `{hashes[5][:8]}` number 5\n\n*Not explained yet.*\n" in out
    assert f"3 times | until `{hashes[9][:8]}` number 9 |" in out
    assert f"- Explained, but nothing was found there: `{hashes[2]}`" in out
    assert out.index(hashes[12][:8]) < out.rindex(hashes[9][:8])  # newest first


def test_the_page_is_a_file(place, tmp_path):
    answer = invoke(place[0], "--markdown", str(tmp_path / "new" / "history.md"))
    assert (answer.exit_code, answer.output) == (0, "")
    assert (tmp_path / "new" / "history.md").read_text().startswith("# What changed, and with which commit\n\n24 of 24")
    answer = invoke(place[0], "--markdown", str(place[0]))
    assert answer.exit_code == 2
    assert "cannot write" in answer.output


def test_words_of_others_are_no_markup(history):
    subject = "a | b `c` <img>\x1b[31m ![x](https://example.org/x.png) @you"
    commits = tuple(replace(commit, subject=subject) for commit in history.commits)
    text = page.markdown(replace(history, commits=commits), changes_of_all(history))
    safe = "a \\| b \\`c\\` \\<img\\>\\\\x1b\\[31m !\\[x\\](https://example.org/x.png) @\u200byou"
    assert safe in text
    name = "bench.time_x('| `` ')"
    [slower] = changes_of_all(history)[TIME]
    text = page.markdown(history, {name: [replace(slower, text="![x](y)\n# z | w")]})
    assert r"| ```bench.time_x('\| `` ')``` | !\[x\](y) # z \| w |" in text


def test_the_page_says_what_it_cannot_know(place, history, tmp_path):
    """In too few commits, in the newest two, of units that say nothing, and of files without a value."""
    whole = page.markdown(history, {})
    assert "is found once 3 commits have it: of the newest 2, only `hippo-verify gate` can tell." in whole
    assert "No series of speed or memory is long enough" not in whole
    assert "nothing was looked for" not in whole
    short = {name: replace(one, points=one.points[:11]) for name, one in history.series.items()}
    text = page.markdown(replace(history, series=short), {})
    assert (
        "**No series of speed or memory is long enough for any change to be told from noise**: the longest has 11"
        in text
    )
    mute = {"bench_a.track_x": replace(history.series[ERROR], kind=None)}
    text = page.markdown(replace(history, series={**history.series, **mute}), {})
    assert "- In 1 series nothing was looked for, such as `bench_a.track_x`: neither name nor unit says" in text
    folder, hashes = place
    store(tmp_path, hashes[0], {})
    assert (
        page.markdown(load(tmp_path, folder), {}) == "Nothing is measured: there are results, and no value in them.\n"
    )


def test_what_a_busy_machine_explains_is_no_finding(history):
    found = {
        name: [replace(c, sure=c.sure and name != TIME) for c in some] for name, some in changes_of_all(history).items()
    }
    text = page.markdown(history, found)
    assert "2 changes were found." in text
    part = text.partition("## Changes, or a busy machine")[2]
    assert "1 series, such as `bench_a.time_scan`: slower" in part
    assert "time_scan" not in text.partition("## Changes, or a busy machine")[0]


def test_a_commit_with_many_changes_has_the_largest(history):
    [change, _] = changes_of_all(history)[ERROR]
    found = {f"bench_a.track_{i}": [replace(change, ratio=1.5 + i)] for i in range(40)}
    text = page.markdown(history, found)
    assert text.count("| `bench_a.track_") == page.LONGEST
    assert "`bench_a.track_39`" in text
    assert "and 28 more less accurate." in text


def test_the_family_of_quiet_series_is_left_alone(history):
    """Two hundred quiet series together are accused no more often than one: here, not at all."""
    generator = np.random.default_rng(8)
    one = history.series[TIME]
    quiet = {
        f"bench_a.time_{i}": replace(
            one, points=tuple(replace(p, value=float(np.exp(0.02 * generator.standard_normal()))) for p in one.points)
        )
        for i in range(100)
    }
    found = changes_of_all(replace(history, series={**quiet, TIME: one}))
    assert [name for name, some in found.items() if some] == [TIME]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[explained", "cannot be read: .*; expected: TOML"),
        ("more = 1", r"holds more; accepted: tables \[\[explained\]\] only"),
        ('[explained]\ncommit = "x"', r"accepted: tables \[\[explained\]\] only"),
        (
            '[[explained]]\ncommit = "0123456789"',
            "entry 1 is {'commit': '0123456789'}; accepted: the texts commit and text",
        ),
        ('[[explained]]\ncommit = 5\ntext = "x"', "entry 1 is .*; accepted: the texts commit and text"),
        ('[[explained]]\ncommit = "abc"\ntext = "x"', "commit is 'abc'; accepted: 8 digits of a hash or more"),
        ('[[explained]]\ncommit = "main-branch"\ntext = "x"', "commit is 'main-branch'; accepted: 8 digits"),
        ('[[explained]]\ncommit = "0123456789"\ntext = " "', "text is empty; expected: why commit 0123456789"),
        (2 * '[[explained]]\ncommit = "0123456789"\ntext = "x"\n', "entry 2: commit 0123456789 is explained twice"),
    ],
)
def test_faults_of_explanations_are_named(tmp_path, text, said):
    with pytest.raises(ExplanationError, match=said):
        read(explanations(tmp_path, text))


def test_wrong_usage_is_told(place, tmp_path):
    folder, _ = place
    for arguments, said in (
        (["--rate", "2"], "--rate is 2.0; accepted: a share between 0 and 1"),
        (["--results", str(tmp_path / "none")], "is no folder; expected: results of asv"),
        (["--machine", "there"], "nothing was measured on a machine named 'there'"),
        (["--repository", str(tmp_path)], "not in a git repository"),
        (["--explained", str(tmp_path / "none.toml")], "cannot be read"),
    ):
        answer = invoke(folder, *arguments)
        assert answer.exit_code == 2
        assert said in answer.output


def test_the_published_explanations_can_be_read():
    read(Path(__file__).parents[2] / "reports" / "published" / "history.toml")


def test_suspects_that_are_none_do_not_lower_the_bar(history, monkeypatch):
    """Where chance alone explains the suspects, each series is held to the rate of the first rank."""
    asked, names = [], [f"bench_a.time_{i}" for i in range(100)]

    def levels(chances):
        answers = iter(chances)
        monkeypatch.setattr("verify.history.finding.chance", lambda values, quiet, sure: next(answers))
        monkeypatch.setattr("verify.history.finding.changes", lambda series, rate: asked.append(rate) or ())
        asked.clear()
        changes_of_all(replace(history, series=dict.fromkeys(names, history.series[TIME])))
        return set(asked)

    assert levels([0.04] * 10 + [0.5] * 90 + [0.04] * 10) == {0.05 / 100}
    assert levels([0.001] * 4 + [0.5] * 96 + [0.001, 0.001, 0.001, 0.04]) == {0.05 * 3 / 100}
    assert levels([0.001] * 200) == {0.005}  # never laxer than for one series alone

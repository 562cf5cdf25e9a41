"""Commits of a repository: the right ones, in the right order, and a working tree that is gone afterwards."""

import os
import subprocess
from datetime import UTC, datetime

import pytest

from verify import revisions
from verify.revisions import RevisionError


def git(folder, *arguments, **variables):
    who = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    run = subprocess.run(
        command, cwd=folder, env={**os.environ, **who, **variables}, check=True, capture_output=True, text=True
    )
    return run.stdout.strip()


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """Five commits on a line, a merged branch in the middle; a tag of each kind on the second."""
    folder = tmp_path_factory.mktemp("history")
    git(folder, "init", "--quiet", "--initial-branch", "trunk")
    found = []
    for number in range(3):
        (folder / "number.txt").write_text(str(number))
        git(folder, "add", "--all")
        date = f"2026-01-0{number + 1}T12:00:00+01:00"
        git(folder, "commit", "--quiet", "--message", f"number {number}\n\nMore.", GIT_COMMITTER_DATE=date)
        found.append(git(folder, "rev-parse", "HEAD"))
    git(folder, "tag", "v1", found[1])
    git(folder, "tag", "--annotate", "--message", "first", "release-1", found[1])
    git(folder, "checkout", "--quiet", "-b", "side", found[1])
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "on the side")
    git(folder, "checkout", "--quiet", "trunk")
    git(folder, "merge", "--quiet", "--no-ff", "--message", "merged", "side")
    found.append(git(folder, "rev-parse", "HEAD"))
    (folder / ".git/hooks").mkdir(exist_ok=True)
    hook = folder / ".git/hooks/post-checkout"
    hook.write_text("#!/bin/sh\ntouch hooked\n")
    hook.chmod(0o755)
    return folder, found


def test_a_revision_is_a_commit_with_its_words(history):
    folder, (_, second, *_) = history
    commit = revisions.resolve(folder, "v1")
    assert commit == revisions.resolve(folder, "release-1") == revisions.resolve(folder, second[:12])
    assert (commit.hash, commit.subject, commit.tags) == (second, "number 1", ("release-1", "v1"))
    assert commit.when == datetime(2026, 1, 2, 11, tzinfo=UTC)
    assert commit.describe() == f"{second[:8]} (release-1) (v1) number 1"


def test_commits_come_oldest_first_along_the_branch(history):
    folder, (first, second, third, merged) = history
    for which, expected in [
        (2, (third, merged)),
        (99, (first, second, third, merged)),
        ("v1..HEAD", (third, merged)),
        ("v1..", (third, merged)),
        (f"{first}..{third}", (second, third)),
        ("HEAD..v1", ()),
    ]:
        assert tuple(commit.hash for commit in revisions.commits(folder, which)) == expected, which


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (0, "number of commits is 0; accepted: 1 or more"),
        ("v1", r"range is 'v1'; accepted: A\.\.B"),
        ("v1...HEAD", r"range is 'v1\.\.\.HEAD'; accepted: A\.\.B"),
        ("nothing..HEAD", "unknown revision 'nothing' in .*; accepted: a hash, a tag, a branch"),
        ("--output=x..HEAD", "revision is '--output=x'; accepted"),
    ],
)
def test_what_is_no_range_is_refused(history, which, message):
    with pytest.raises(RevisionError, match=message):
        revisions.commits(history[0], which)


def test_what_is_no_repository_is_named(tmp_path):
    with pytest.raises(RevisionError, match="is not in a git repository; expected: a working tree"):
        revisions.resolve(tmp_path, "HEAD")
    with pytest.raises(RevisionError, match="is no folder; expected: a folder of a git repository"):
        revisions.resolve(tmp_path / "gone", "HEAD")


def test_git_that_is_not_there_is_named(history, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RevisionError, match=r"git cannot be started \(No such file.*\); install it"):
        revisions.resolve(history[0], "HEAD")


def test_a_shallow_clone_says_what_is_missing(history, tmp_path):
    folder, (first, *_) = history
    git(tmp_path, "clone", "--quiet", "--depth", "1", folder.as_uri(), "clone")
    with pytest.raises(RevisionError, match="this clone is shallow: git fetch --unshallow"):
        revisions.resolve(tmp_path / "clone", first)


def test_a_checkout_is_there_and_gone_again(history, tmp_path):
    folder, (first, *_) = history
    before = git(folder, "worktree", "list")
    with revisions.checkout(folder, first, tmp_path / "tree") as tree:
        assert (tree / "number.txt").read_text() == "0"
        assert not (tree / "hooked").exists(), "no hook of the user's runs"
        (tree / "left behind").write_text("")
    assert not (tmp_path / "tree").exists()
    assert git(folder, "worktree", "list") == before
    assert git(folder, "status", "--porcelain") == ""


def test_a_checkout_is_gone_whatever_happens(history, tmp_path):
    folder, (first, second, *_) = history

    def fails():
        with revisions.checkout(folder, first, tmp_path / "tree") as tree:
            (tree / ".git").unlink()  # git itself does not find it any more
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert not (tmp_path / "tree").exists()
    # A run that was killed could not remove its tree: the next one does.
    git(folder, "worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"), second)
    with revisions.checkout(folder, revisions.resolve(folder, first), tmp_path / "tree") as tree:
        assert (tree / "number.txt").read_text() == "0"
    assert git(folder, "worktree", "list").count("\n") == 0


def test_a_checkout_takes_nothing_away(history, tmp_path):
    folder, (first, *_) = history
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/kept").write_text("")
    with pytest.raises(RevisionError, match="is not empty"), revisions.checkout(folder, first, tmp_path / "mine"):
        pass
    with pytest.raises(RevisionError, match="is the repository itself"), revisions.checkout(folder, first, folder):
        pass
    assert (tmp_path / "mine/kept").exists()
    assert (folder / ".git").exists()


def test_uncommitted_changes_are_listed(history, tmp_path):
    folder, _ = history
    git(tmp_path, "clone", "--quiet", str(folder), "clone")
    clone = tmp_path / "clone"
    assert revisions.uncommitted(clone) == ()
    (clone / "new file ü").write_text("")
    git(clone, "mv", "number.txt", "moved.txt")
    (clone / ".git/info/exclude").write_text("ignored\n")
    (clone / "ignored").write_text("")
    assert sorted(revisions.uncommitted(clone)) == ["moved.txt", "new file ü"]


def test_a_git_hook_of_another_repository_misleads_nobody(history, tmp_path, monkeypatch):
    """In a hook git sets GIT_DIR and GIT_INDEX_FILE, and every git below it would take that repository for ours."""
    git(tmp_path, "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / ".git/index"))
    folder, (*_, merged) = history
    assert revisions.resolve(folder, "HEAD").hash == merged
    assert not {"GIT_DIR", "GIT_INDEX_FILE"} & set(revisions.environment())


def test_a_clock_that_is_wrong_by_ages_stops_nothing(tmp_path):
    git(tmp_path, "init", "--quiet", "--initial-branch", "trunk")
    for date in ("1000000000000 +0000", "0 +0000"):
        git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", date, GIT_COMMITTER_DATE=f"@{date}")
    assert [commit.when.year for commit in revisions.commits(tmp_path, 2)] == [9999, 1970]


def test_hashes_that_are_no_commits_are_not_known(history):
    folder, (first, *_) = history
    side, tree = git(folder, "rev-parse", "side"), git(folder, "rev-parse", "HEAD^{tree}")
    assert revisions.known(folder, [first, side, tree, "f" * 40, "no hash\n--all"]) == {first, side}
    assert not revisions.known(folder, [])
    assert not revisions.shallow(folder)

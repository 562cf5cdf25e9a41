"""Commits of a git repository: which ones are meant, what they are called, and a working tree of one for a while."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from verify.text import one_line

SHORT: Final = 8
"""Digits of a hash that are shown, as many as asv shows."""

LATEST: Final = 253_402_300_799
"""The last second that a date can have here; git takes clocks that are wrong by more."""

HIJACKING: Final = frozenset(
    f"GIT_{name}"
    for name in (
        *("ALTERNATE_OBJECT_DIRECTORIES", "COMMON_DIR", "DIR", "GRAFT_FILE", "INDEX_FILE", "NAMESPACE"),
        *("OBJECT_DIRECTORY", "PREFIX", "QUARANTINE_PATH", "SHALLOW_FILE", "WORK_TREE"),
    )
)
"""What git sets around a hook, and what would send every git below it to that repository instead of ours."""

UNSHALLOW: Final = "this clone is shallow: git fetch --unshallow brings the rest of the history"


class RevisionError(ValueError):
    """A folder is no repository, or a revision is not in it; the message says which, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Commit:
    """One commit.

    Attributes:
        hash: all 40 digits.
        when: when it was committed, in UTC.
        subject: first line of its message.
        tags: names of the tags on it, in alphabetical order.
    """

    hash: str
    when: datetime
    subject: str
    tags: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        """The first digits of the hash."""
        return self.hash[:SHORT]

    def describe(self) -> str:
        """Short hash, tags, subject."""
        return " ".join([self.short, *(f"({tag})" for tag in self.tags), self.subject])


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment variables without those by which a git hook ties every git below it to one repository.

    Args:
        variables: the environment to start from; default: that of this process.
    """
    given = os.environ if variables is None else variables
    return {name: value for name, value in given.items() if name not in HIJACKING}


def top(repository: Path) -> Path:
    """The root of the working tree that a folder lies in.

    Raises:
        RevisionError: it lies in none, or git is not there.
    """
    return Path(_git(repository, "rev-parse", "--show-toplevel").rstrip("\n"))


def resolve(repository: Path, text: str) -> Commit:
    """The commit that a revision names: a hash, a tag, a branch, ``HEAD~3``.

    Args:
        repository: any folder of the working tree.
        text: a revision as git spells them.

    Raises:
        RevisionError: there is no repository, or nothing in it by that name.
    """
    return _log(repository, _hash(repository, text), "--max-count=1")[0]


def commits(repository: Path, which: str | int) -> tuple[Commit, ...]:
    """The commits of a range, or the last ones, oldest first, along the first parents: the line the branch took.

    Args:
        repository: any folder of the working tree.
        which: ``A..B`` (after A, up to and with B; an end left out is HEAD), or how many commits up to HEAD.

    Returns:
        The commits; none where the range is empty, and fewer than asked for where the history is shorter.

    Raises:
        RevisionError: there is no repository, an end is unknown, or what is given is no range and no number above 0.
    """
    if isinstance(which, int):
        if which < 1:
            raise RevisionError(f"the number of commits is {which}; accepted: 1 or more")
        return _log(repository, _hash(repository, "HEAD"), f"--max-count={which}")
    first, dots, last = which.partition("..")
    if not dots or last.startswith(".") or ".." in last:
        raise RevisionError(f"the range is {one_line(which)!r}; accepted: A..B, the commits after A up to and with B")
    excluded, included = (_hash(repository, end or "HEAD") for end in (first, last))
    return _log(repository, included, f"^{excluded}")


def known(repository: Path, hashes: Collection[str]) -> frozenset[str]:
    """Those of some hashes that are commits of the repository, on whatever branch.

    Raises:
        RevisionError: there is no repository.
    """
    asked = "".join(f"{name}\n" for name in hashes)
    listed = _git(repository, "cat-file", "--batch-check=%(objectname) %(objecttype)", given=asked)
    return frozenset(line.split()[0] for line in listed.splitlines() if line.endswith(" commit"))


def shallow(repository: Path) -> bool:
    """Whether the history was cut off where the repository was cloned.

    Raises:
        RevisionError: there is no repository.
    """
    return _git(repository, "rev-parse", "--is-shallow-repository").strip() == "true"


def uncommitted(repository: Path) -> tuple[str, ...]:
    """Paths that differ from HEAD, those not under version control included (ignored ones are not).

    Raises:
        RevisionError: there is no repository.
    """
    fields = iter(_git(top(repository), "status", "--porcelain", "-z").split("\0")[:-1])
    found = []
    for field in fields:
        found.append(field[3:])
        if field[0] in "RC":
            next(fields, None)  # where it was before
    return tuple(found)


def files(repository: Path) -> tuple[str, ...]:
    """Paths of the working tree as they lie there, from its root: under version control or not, but not ignored.

    Raises:
        RevisionError: there is no repository.
    """
    listed = _git(top(repository), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return tuple(sorted(set(listed.split("\0")[:-1])))


def merge_base(repository: Path, one: str, other: str) -> Commit | None:
    """The last commit that two revisions have in common; None where they have none.

    Raises:
        RevisionError: there is no repository, or a revision is unknown.
    """
    ends = [_hash(repository, text) for text in (one, other)]
    try:
        return resolve(repository, _git(repository, "merge-base", *ends).strip())
    except RevisionError:
        return None


@contextmanager
def checkout(repository: Path, commit: Commit | str, folder: Path) -> Iterator[Path]:
    """A working tree of one commit for as long as the context lasts; it is removed again whatever happens.

    What a stopped run left of such a tree in the same folder is replaced. Hooks of the repository do not run.

    Args:
        repository: any folder of the working tree.
        commit: what to check out.
        folder: where; it must not exist yet, or be empty.

    Yields:
        The folder.

    Raises:
        RevisionError: the folder holds something else, the commit is unknown, or git could not write the tree.
    """
    meant = commit.hash if isinstance(commit, Commit) else _hash(repository, commit)
    folder = folder.resolve()
    _remove(repository, folder, left=True)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RevisionError(f"{folder} is not empty; a commit is checked out into a folder of its own")
    try:
        _git(repository, "worktree", "add", "--force", "--detach", "--quiet", str(folder), meant)
        yield folder
    finally:
        _remove(repository, folder)


def _remove(repository: Path, folder: Path, *, left: bool = False) -> None:
    """Remove a working tree that we made, and git's record of it.

    Args:
        repository: any folder of the working tree.
        folder: where the tree is.
        left: whether it may also be something else than a tree of this repository, which is then left alone.
    """
    listed = _git(repository, "worktree", "list", "--porcelain").splitlines()
    trees = [Path(line.removeprefix("worktree ")).resolve() for line in listed if line.startswith("worktree ")]
    if folder in trees[:1]:
        raise RevisionError(f"{folder} is the repository itself; a commit is checked out into a folder of its own")
    if folder in trees:
        try:
            _git(repository, "worktree", "remove", "--force", "--force", str(folder))
        except RevisionError:  # its own link to the repository is broken
            shutil.rmtree(folder, ignore_errors=True)
            _git(repository, "worktree", "remove", "--force", "--force", str(folder))
    elif not left:
        shutil.rmtree(folder, ignore_errors=True)


def _hash(repository: Path, text: str) -> str:
    if not text or text.startswith("-"):
        raise RevisionError(f"the revision is {one_line(text)!r}; accepted: a hash, a tag, a branch, HEAD~3")
    top(repository)
    try:
        return _git(repository, "rev-parse", "--verify", "--quiet", f"{text}^{{commit}}").strip()
    except RevisionError as error:
        hint = f"; {UNSHALLOW}" if shallow(repository) else ""
        raise RevisionError(
            f"unknown revision {one_line(text)!r} in {top(repository)}; accepted: a hash, a tag, a branch, HEAD~3{hint}"
        ) from error


def _log(repository: Path, *arguments: str) -> tuple[Commit, ...]:
    """Commits as ``git log`` selects them, oldest first, each with its tags."""
    tags: dict[str, list[str]] = {}
    form = "%(objectname)%00%(*objectname)%00%(refname:strip=2)"
    for line in _git(repository, "for-each-ref", "--sort=refname", f"--format={form}", "refs/tags").splitlines():
        plain, peeled, name = line.split("\0")
        tags.setdefault(peeled or plain, []).append(name)
    found = _git(repository, "log", "--reverse", "--first-parent", "-z", "--format=%H%n%ct%n%s", *arguments, "--")
    rows = [record.split("\n", 2) for record in found.split("\0") if record]
    return tuple(
        Commit(
            hash=name,
            when=datetime.fromtimestamp(min(int(seconds), LATEST), UTC),
            subject=subject,
            tags=tuple(tags.get(name, ())),
        )
        for name, seconds, subject in rows
    )


def _git(folder: Path, *arguments: str, given: str = "") -> str:
    """What git prints, and it reads nothing but what it is given.

    Raises:
        RevisionError: git is not installed, the folder is in no repository, or git failed; with its own words.
    """
    # No hooks: `worktree add` would run post-checkout. No colours or signatures that a user's settings add to the log.
    settings = ("core.hooksPath=/dev/null", "log.showSignature=false", "color.ui=false", "core.quotePath=false")
    command = ["git", *(part for setting in settings for part in ("-c", setting)), *arguments]
    try:
        answer = subprocess.run(  # noqa: S603 -- a fixed program; revisions that look like options are refused
            command,
            cwd=folder,
            env=environment({**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}),
            input=given,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        if not folder.is_dir():
            raise RevisionError(f"{folder} is no folder; expected: a folder of a git repository") from error
        raise RevisionError(f"git cannot be started ({error.strerror}); install it, or put it on PATH") from error
    if answer.returncode == 0:
        return answer.stdout
    if "not a git repository" in answer.stderr:
        raise RevisionError(f"{folder} is not in a git repository; expected: a working tree with its history")
    raise RevisionError(
        f"git {arguments[0]} failed in {folder} (exit code {answer.returncode}): {one_line(answer.stderr)}"
    )

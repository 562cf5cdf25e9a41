"""Puts the summary that a run left behind under the pull request that the run was for.

It holds a token that may write, and what it reads was made by a run without one, which ran anybody's code. So:

- nothing of that code runs here, and no file of it is unpacked: one member of the archive is read, within a size;
- which pull request it is comes from GitHub alone: the one that is open with the very commit that was run;
- the text calls nobody, commands no bot, hides nothing and loads nothing, and before it stands where it is from.

Standard library alone: nothing is installed beside a token.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from http.client import HTTPResponse
from pathlib import Path

MOST_BYTES = 8 * 2**20
"""Of the archive, and of the summary in it."""
MOST_CHARACTERS = 60_000
"""Of the text; GitHub takes 65,536 of a comment."""
SECONDS = 60
"""For each answer of GitHub."""
BOT = "github-actions[bot]"
"""Whose token it is; a comment of anybody else is not changed, whatever it begins with."""


class NothingToSay(Exception):  # noqa: N818 -- it is no error
    """Why there is nothing to say, as a sentence; the job goes on."""


def main() -> int:
    """Exit code: 0, also where there is nothing to say; 1 where GitHub says no."""
    run = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8")).get("workflow_run")
    try:
        if run is None:
            raise NothingToSay("this is for workflows that start on: workflow_run")
        number = pull_request(run)
        marker = f"<!-- hippo-verify: {os.environ['INPUT_ARTIFACT']} -->"
        put(number, marker, f"{marker}\n{source(run)}\n\n{cleaned(summary(run))}\n")
    except NothingToSay as reason:
        print(f"::notice::no comment: {reason}")
        return 0
    except (
        OSError,
        ValueError,
        EOFError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:  # of hostile archives
        print(f"::error::no comment: {type(error).__name__}: {re.sub(r'[^ -~]', ' ', str(error))}")
        return 1
    print(f"said under pull request {number}")
    return 0


def pull_request(run: dict) -> int:
    """The number of the one open pull request whose head is the commit that was run.

    Raises:
        NothingToSay: there is none, or there are several and GitHub does not say which.
    """
    if run["event"] != "pull_request":
        raise NothingToSay("the run was for no pull request")
    if run["head_repository"] is None:
        raise NothingToSay("the repository that it came from is gone")
    head = f"{run['head_repository']['owner']['login']}:{run['head_branch']}"
    found = {
        pull["number"]
        for pull in pages("pulls", state="open", head=head)
        if pull["head"]["sha"] == run["head_sha"]
        and pull["head"]["repo"] is not None
        and pull["head"]["repo"]["id"] == run["head_repository"]["id"]
    }
    told = {pull["number"] for pull in run.get("pull_requests", ())}  # empty for a fork
    found = found & told or found
    if not found:
        raise NothingToSay("no open pull request has that commit as its head: it was closed, or pushed to since")
    if len(found) > 1:
        raise NothingToSay(f"several pull requests have that commit as their head: {sorted(found)}")
    return found.pop()


def summary(run: dict) -> str:
    """The text in the newest artifact of the run.

    Raises:
        NothingToSay: it left none, or one that is not like ours.
    """
    name, member = os.environ["INPUT_ARTIFACT"], os.environ["INPUT_FILE"]
    left = [
        artifact
        for artifact in pages(f"actions/runs/{int(run['id'])}/artifacts", listed="artifacts", name=name)
        if artifact["name"] == name and not artifact["expired"]
    ]
    if not left:
        raise NothingToSay(f"the run left no artifact {name}")
    newest = max(left, key=lambda artifact: artifact["id"])
    with call("GET", f"actions/artifacts/{int(newest['id'])}/zip") as answer:
        content = answer.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise NothingToSay(f"the artifact has more than {MOST_BYTES} bytes")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if member not in archive.namelist():
            raise NothingToSay(f"the artifact has no {member}")
        with archive.open(member) as file:
            text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise NothingToSay(f"{member} has more than {MOST_BYTES} bytes")
    return text.decode("utf-8", "replace")


def cleaned(text: str) -> str:
    """The same for the eyes of a reader, and nothing for anybody else's."""
    cut, text = len(text) > 2 * MOST_CHARACTERS, text[: 2 * MOST_CHARACTERS]  # no pattern is to work for hours
    text = "".join(c for c in text.replace("\r\n", "\n") if c == "\n" or c.isprintable())
    closed, end, rest = text.rpartition("-->")
    text = re.sub(r"<!--.*?-->", "", closed + end, flags=re.DOTALL) + rest  # what is hidden there, bots would see
    text = re.sub(r"&(?=#?\w+;)", "&\u200b", text)  # another way to write any character, those below too
    text = re.sub(r"<(?=[A-Za-z/!?])(?!/?(?:details|summary|br|sub|sup)>)", "&lt;", text)  # no other HTML
    text = re.sub(r"!(?=\[)", "\\!", text)  # a picture is fetched by whoever reads
    text = re.sub(r"@(?=\w)", "@\u200b", text)  # would call somebody
    text = re.sub(r"^([ >*+-]*)(?=/\w)", "\\1\u200b", text, flags=re.MULTILINE)  # bots obey a line such as "/merge"
    if cut or len(text) > MOST_CHARACTERS:
        text = text[:MOST_CHARACTERS].rpartition("\n")[0] + "\n\nCut here; the artifact has the rest."
    return text.strip()


def source(run: dict) -> str:
    """Where the text is from, in our own words."""
    server, repository = os.environ["GITHUB_SERVER_URL"], os.environ["GITHUB_REPOSITORY"]
    commit = re.sub(r"\W", "", run["head_sha"])
    return (
        f"<sub>Written by [run {int(run['id'])}]({server}/{repository}/actions/runs/{int(run['id'])}) at {commit}, "
        "which runs the code of the pull request; the exit code of that run is what counts.</sub>"
    )


def put(number: int, marker: str, text: str) -> None:
    """Say it, in place of what was said before."""
    for comment in pages(f"issues/{number}/comments"):
        if comment["user"] and comment["user"]["login"] == BOT and comment["body"].startswith(marker):
            call("PATCH", f"issues/comments/{int(comment['id'])}", {"body": text}).close()
            return
    call("POST", f"issues/{number}/comments", {"body": text}).close()


def pages(path: str, listed: str | None = None, **query: str) -> list[dict]:
    """All entries of a list, however many pages it has."""
    entries: list[dict] = []
    page = 1
    while True:
        asked = urllib.parse.urlencode({**query, "per_page": 100, "page": page})
        with call("GET", f"{path}?{asked}") as answer:
            found = json.load(answer)
        found = found if listed is None else found[listed]
        entries += found
        if len(found) < 100:
            return entries
        page += 1


def call(method: str, path: str, body: dict | None = None) -> HTTPResponse:
    """Ask GitHub's API about this repository; the token goes there and, on a redirect to the archive, nowhere else."""
    request = urllib.request.Request(  # noqa: S310 -- the address is GitHub's, as the runner says
        f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
    )
    request.add_unredirected_header("Authorization", f"Bearer {os.environ['INPUT_TOKEN']}")
    try:
        return urllib.request.urlopen(request, timeout=SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        raise OSError(f"GitHub answered {error.code} to {method} {path.partition('?')[0]}") from error


if __name__ == "__main__":
    sys.exit(main())

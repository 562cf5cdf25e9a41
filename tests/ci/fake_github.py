"""As much of GitHub's API as a comment takes: pull requests, artifacts of a run, comments; on this machine."""

import io
import json
import re
import threading
import urllib.parse
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPOSITORY = "them/theirs"
TOKEN = "token-that-may-write"
BOT = {"login": "github-actions[bot]"}


class GitHub:
    """What is there, and what was asked.

    Attributes:
        pulls: as the API lists them.
        artifacts: of the run, as the API lists them.
        content: the archive of each artifact by its id.
        comments: of the pull request, as the API lists them.
        asked: method and path of each request, in order.
        tokens: what each request showed, by the path.
        broken: paths that are answered with 500.
    """

    def __init__(self):
        self.pulls, self.artifacts, self.comments = [], [], []
        self.content, self.tokens = {}, {}
        self.asked, self.broken = [], set()
        self.url = ""

    def leave(self, name, files, *, expired=False):
        """An artifact that the run has left: name of each file -> its bytes."""
        number = len(self.artifacts) + 1
        self.artifacts.append({"id": number, "name": name, "expired": expired})
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
            for member, content in files.items():
                written.writestr(member, content)
        self.content[number] = archive.getvalue()

    def answer(self, method, path, query, body):
        """Status, and what is said."""
        start = f"/repos/{REPOSITORY}"
        first, last = (int(query.get("page", 1)) - 1) * 100, int(query.get("page", 1)) * 100
        if path in self.broken:
            return 500, {}
        if (method, path) == ("GET", f"{start}/pulls"):
            owner, _, branch = query["head"].partition(":")
            found = [
                pull for pull in self.pulls
                if query["state"] == "open" and pull["state"] == "open"
                and (pull["head"]["user"]["login"], pull["head"]["ref"]) == (owner, branch)
            ]  # fmt: skip
            return 200, found[first:last]
        if (method, path) == ("GET", f"{start}/actions/runs/77/artifacts"):
            found = [artifact for artifact in self.artifacts if artifact["name"] == query["name"]]
            return 200, {"total_count": len(found), "artifacts": found[first:last]}
        if method == "GET" and (match := re.fullmatch(f"{start}/actions/artifacts/(\\d+)/zip", path)):
            return 302, f"{self.url}/blob/{match[1]}"
        if method == "GET" and (match := re.fullmatch(r"/blob/(\d+)", path)):
            return 200, self.content[int(match[1])]
        if (method, path) == ("GET", f"{start}/issues/5/comments"):
            return 200, self.comments[first:last]
        if (method, path) == ("POST", f"{start}/issues/5/comments"):
            self.comments.append({"id": len(self.comments) + 1, "user": BOT, "body": body["body"]})
            return 201, self.comments[-1]
        if method == "PATCH" and (match := re.fullmatch(f"{start}/issues/comments/(\\d+)", path)):
            (comment,) = [comment for comment in self.comments if comment["id"] == int(match[1])]
            comment["body"] = body["body"]
            return 200, comment
        return 404, {}


@contextmanager
def served():
    """A GitHub at its ``url`` until the block ends."""
    github = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self):
            parts = urllib.parse.urlsplit(self.path)
            github.asked.append((self.command, parts.path))
            github.tokens[parts.path] = self.headers.get("Authorization")
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = dict(urllib.parse.parse_qsl(parts.query))
            status, said = github.answer(self.command, parts.path, query, json.loads(sent) if sent else None)
            content = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", said)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 -- as the base class names them

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    github.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

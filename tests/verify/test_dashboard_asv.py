"""asv's own pages: what is kept from asv and said, and that they need no network."""

import base64
import hashlib
import importlib.util
import json
import math
import re
import shutil
import sys
from pathlib import Path

import dashboard_tools as tools
import pytest

pytest.importorskip("asv")
pytest.importorskip("jinja2")

from verify.dashboard import asv_pages
from verify.dashboard.asv_pages import localized, publish, sanitized, settings
from verify.dashboard.site import vendor


def asv_index():
    """The page that the installed asv copies to every site."""
    return Path(importlib.util.find_spec("asv").origin).parent / "www" / "index.html"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asv")
    hashes = tools.repository(folder / "repo", commits=8)
    return folder / "repo", tools.results(folder / "repo" / ".asv" / "results", hashes), hashes


@pytest.fixture(scope="module")
def published(measured, tmp_path_factory):
    repository, results, hashes = measured
    folder = tmp_path_factory.mktemp("published") / "asv"
    return publish(results, repository, set(hashes), folder, vendor()), folder


def values(folder):
    """Every value that asv may see, by file and benchmark."""
    found = {}
    for path in folder.glob("*/*-*.json"):
        document = json.loads(path.read_text())
        for name, row in document["results"].items():
            found[document["commit_hash"], name] = dict(zip(document["result_columns"], row, strict=True))
    return found


def test_what_asv_cannot_bear_is_kept_from_it_and_named(measured, tmp_path):
    _, results, hashes = measured
    notes = sanitized(results, tmp_path / "copy", set(hashes))
    assert notes == [
        f"bench_scan.Scan.track_burst at {hashes[5][:8]}: inf is no finite number",
        f"bench_scan.Scan.track_burst at {hashes[6][:8]}: -1 is negative, which asv takes for a gain",
    ]
    found = values(tmp_path / "copy")
    assert found[hashes[5], "bench_scan.Scan.track_burst"]["result"] == [None]
    assert found[hashes[4], "bench_scan.Scan.track_burst"]["result"] == [1.0]
    original = values(results)[hashes[4], "bench_scan.Scan.time_states"]["result"]
    assert found[hashes[4], "bench_scan.Scan.time_states"]["result"] == original


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (math.inf, "inf is no finite number"),
        (-math.inf, "-inf is no finite number"),
        (-1e-9, "-1e-09 is negative, which asv takes for a gain"),
        ({"a": 1}, "{'a': 1} is no finite number"),
        ("text", "'text' is no finite number"),
        (True, "True is no finite number"),
        ([1.0], r"\[1.0\] is no finite number"),
    ],
)
def test_each_value_that_harms_asv_is_taken_out_alone(value, note, tmp_path):
    columns = ["result", "params", "version", "stats_q_25", "samples"]
    rows = {"b.track_x": [[1.0, value, math.nan], [["1", "2", "3"]], "1", [1.0, 1.0, 1.0], [[1], [2], [3]]]}
    document = {"commit_hash": "c" * 40, "result_columns": columns, "results": rows}
    (tmp_path / "in" / "lab").mkdir(parents=True)
    (tmp_path / "in" / "lab" / "cccc-env.json").write_text(json.dumps(document))
    (said,) = sanitized(tmp_path / "in", tmp_path / "out", {"c" * 40})
    assert re.search(note, said)
    row = values(tmp_path / "out")["c" * 40, "b.track_x"]
    assert row["result"] == [1.0, None, None]
    assert row["stats_q_25"] == [1.0, None, None]
    assert "samples" not in row


def test_files_and_commits_that_stop_asv_are_left_out_and_named(measured, tmp_path):
    _, results, hashes = measured
    broken = tmp_path / "in"
    shutil.copytree(results, broken)
    (broken / "lab" / "torn-env.json").write_text('{"commit_hash": "')
    (broken / "lab" / "list-env.json").write_text("[]")
    notes = sanitized(broken, tmp_path / "out", set(hashes[1:]))
    assert any(re.search("lab/torn-env.json: not results as asv writes them", note) for note in notes)
    assert any(re.search("lab/list-env.json: not results as asv writes them", note) for note in notes)
    assert any(re.search(f"commit {hashes[0][:12]}.*: not on the line of HEAD", note) for note in notes)
    assert {commit for commit, _ in values(tmp_path / "out")} == set(hashes[1:])
    assert sanitized(results, tmp_path / "other", set(hashes), machine="moon") == []
    assert not values(tmp_path / "other")


def test_asv_itself_is_what_harms(measured, tmp_path):
    """Seen to fail: with the results as they are, asv 0.6.6 does not end, or writes what is no JSON."""
    repository, results, hashes = measured
    config = tmp_path / "asv.conf.json"
    config.write_text(json.dumps({
        "version": 1, "project": "x", "repo": str(repository), "branches": ["HEAD"], "results_dir": str(results),
        "html_dir": str(tmp_path / "html"), "env_dir": str(tmp_path / "env"),
    }))  # fmt: skip
    problem = asv_pages._run(tmp_path, 4)
    assert hashes
    assert "did not end within 4 seconds" in problem


def test_the_pages_are_made_and_nothing_of_them_is_loaded_from_a_network(published):
    pages, folder = published
    assert pages.made, pages.problem
    text = (folder / "index.html").read_text()
    loaded = re.findall(r'<(?:script|link|img)\b[^>]*?(?:src|href)="([^"]+)"', text)
    assert loaded
    for target in loaded:
        assert not re.match(r"(https?:)?//", target)
        assert (folder / target).is_file(), target
    assert "js_load_failure" not in text
    assert '<html lang="en">' in text
    assert '<a href="../index.html">Dashboard</a>' in text
    assert text.index("jquery.min.js") < text.index("asv_local.js") < text.index('src="asv.js"')
    assert not list(folder.rglob("*.json"))
    graph = next(folder.rglob("bench_scan.Scan.time_states.json.js")).read_text()
    assert json.loads(graph.removeprefix("asvData(").removesuffix(");\n"))
    assert (folder / "vendor" / "LICENSES.txt").is_file()


def test_every_library_that_asv_names_has_a_copy_here():
    """asv is pinned; a new version that loads more is found here before it is found by a reader without a network."""
    named = re.findall(r'(?:src|href)="(https://[^"]+)"\s+integrity', asv_index().read_text())
    assert len(named) == 10
    ours = {asv_pages._stem(path.name) for path in vendor().iterdir()}
    assert {asv_pages._stem(url.rsplit("/", 1)[1]) for url in named} <= ours


def test_a_library_without_a_copy_is_said(tmp_path):
    (tmp_path / "index.html").write_text(
        '<html><head><script src="https://example.org/new-9.9.min.js"></script></head></html>'
    )
    problem = localized(tmp_path, vendor())
    assert problem == "asv's pages load https://example.org/new-9.9.min.js from a network, and we ship no copy of it"


def test_the_copies_are_what_they_are_said_to_be():
    described = json.loads((vendor() / "vendor.json").read_text())
    assert {entry["file"] for entry in described} | {"vendor.json", "LICENSES.txt"} == {
        path.name for path in vendor().iterdir()
    }
    licences = (vendor() / "LICENSES.txt").read_text()
    for entry in described:
        assert hashlib.sha256((vendor() / entry["file"]).read_bytes()).hexdigest() == entry["sha256"], entry["file"]
        assert f"{entry['package']} {entry['version']}" in licences
        assert entry["licence"] == "MIT"


def test_copies_of_the_version_that_asv_names_are_the_same_to_the_last_bit():
    """Two witnesses: the digest that asv's own page asks of its network copy, where we ship that version."""
    named = dict(re.findall(r'src="https://[^"]+/([^"/]+)"\s+integrity="([^"]+)"', asv_index().read_text()))
    for name in ("md5.min.js", "jquery.flot.orderBars.js"):
        kind, _, digest = named[name].partition("-")
        assert base64.b64encode(hashlib.new(kind, (vendor() / name).read_bytes()).digest()).decode() == digest


def test_asv_is_stopped_with_all_its_children_when_it_does_not_end(tmp_path, monkeypatch):
    sleeper = tmp_path / "sleeper"
    sleeper.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(sleeper))
    assert asv_pages._run(tmp_path, 0.2) == "asv publish did not end within 0.2 seconds and was stopped"


def test_when_asv_fails_its_words_are_given(tmp_path):
    assert re.search(r"asv publish ended with exit code \d+: .*asv\.conf\.json", asv_pages._run(tmp_path, 60))


def test_the_project_is_named_by_its_configuration(tmp_path):
    assert settings(tmp_path) == {}
    (tmp_path / "asv.conf.json").write_text('{"version": 1, "project": "mine", "repo": "."} // said')
    assert settings(tmp_path)["project"] == "mine"
    (tmp_path / "asv.conf.json").write_text("{")
    assert settings(tmp_path) == {}

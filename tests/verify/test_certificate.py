"""Certificates: their schema, what they are hashes of, and that neither an edit nor other code goes unseen."""

import copy
import json
from importlib import metadata
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from outputs_tools import NASTY, every_status, hostile, report, verdict
from test_outputs import SOURCE, cli, here, strict  # noqa: F401 -- a fixture

import verify
from verify.checks import CHECKS
from verify.oracle import reference_fingerprint
from verify.outputs import fingerprints, schema, write_certificate
from verify.outputs.certificate import canonical, certificate, digest
from verify.outputs.certified import exit_code, findings, read_certificate
from verify.verdict import Status

ROOT = Path(verify.__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def _still():
    """Sources that do not change while the tests run, as they may where somebody is working on them."""
    now, reference = fingerprints.harness(), reference_fingerprint()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprints, "harness", lambda: dict(now))
        for module in ("certificate", "certified"):
            patch.setattr(f"verify.outputs.{module}.reference_fingerprint", lambda: reference)
        yield


@pytest.fixture(scope="module")
def text(_still, tmp_path_factory):
    """The certificate of a right function, written by the command line, once."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("certified")
        (folder / "mine.py").write_text(SOURCE, encoding="utf-8")
        patch.chdir(folder)
        arguments = ("--orders", "4,8", "--seed", "3", "--certificate", "c.json")
        assert cli("check", "mine.py:legs", *arguments).exit_code == 0
        return (folder / "c.json").read_text(encoding="utf-8")


@pytest.fixture
def certified(here, text):  # noqa: F811
    """That certificate, beside the same code in another folder."""
    (here / "c.json").write_text(text, encoding="utf-8")
    return strict(text)


def holds(content):
    return {finding.what: finding.holds for finding in findings(content)}


def test_it_says_what_was_checked_and_no_more(certified):
    jsonschema.validate(certified, schema("hippo-certificate-1"))
    assert (certified["verdict"], certified["status"], certified["exit_code"]) == ("conforms", "pass", 0)
    assert certified["repeat"] == ["hippo-verify", "check", "mine.py:legs", "--orders=4,8", "--seed=3"]
    assert certified["scope"] == {
        "measures": [{"measure": "legs", "parameters": {}}], "orders": [4, 8], "methods": ["bilinear"],
        "levels": ["matrices"], "dtypes": ["float64"], "dts": [None], "devices": ["cpu"], "suite": "quick",
        "accuracy": "entrywise",
    }  # fmt: skip
    asked = {row["check"] for row in (*certified["checks"], *certified["not_run"])}
    assert asked == {key for key, check in CHECKS.items() if "matrices" in check.levels}
    assert set(certified["not_asked"]) == set(CHECKS) - asked
    for row in certified["checks"]:
        assert row["counts"] == {"PASS": 2}
        assert 0 <= row["worst_ratio"] <= 1
        assert row["compared"] > 0
        assert row["bounds"]
    assert certified["targets"] == [
        {
            "name": "mine.py:legs", "kind": "file", "files": 1, "path": "mine.py",
            "sha256": fingerprints.digest({"mine.py": Path("mine.py")}),
            "covers": "this file alone; what it imports is not part of the hash",
        }
    ]  # fmt: skip
    assert certified["harness"]["version"] == metadata.version("hippo-verify")
    assert certified["seed"] == 3
    assert {"numpy", "python", "mpmath"} <= set(certified["environment"]["versions"])


@pytest.mark.parametrize("name", ["every status", *range(len(NASTY))])
def test_any_report_has_one(name, tmp_path):
    found = every_status() if name == "every status" else hostile(NASTY[name])
    write_certificate(tmp_path / "c", found)
    content = strict((tmp_path / "c").read_text(encoding="utf-8"))
    jsonschema.validate(content, schema("hippo-certificate-1"))
    assert content["verdict"] == "does not conform"
    assert content["sha256"] == digest(content)
    assert holds(read_certificate(tmp_path / "c"))["verdict"] is False
    assert canonical(content).isascii()


def leaves(content, path=()):
    if isinstance(content, dict):
        for key, value in content.items():
            yield from leaves(value, (*path, key))
    elif isinstance(content, list):
        for place, value in enumerate(content):
            yield from leaves(value, (*path, place))
    else:
        yield path


def test_every_edit_is_seen(certified):
    paths = list(leaves(certified))
    assert len(paths) > 50
    for path in paths:
        edited = copy.deepcopy(certified)
        inner = edited
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = "edited"
        assert [(f.what, f.holds) for f in findings(edited)] == [("digest", False)] or path == ("format",)
        del inner[path[-1]]
        assert findings(edited)[0].holds is False or path == ("format",)
    more = {**certified, "more": 1}
    assert findings(more)[0].holds is False
    for number in (float("nan"), float("inf")):
        assert findings({**certified, "seed": number})[0].holds is False


def test_the_digest_does_not_hang_on_the_layout(certified):
    shuffled = json.loads(json.dumps(dict(reversed(certified.items())), indent=7))
    assert digest(shuffled) == certified["sha256"]


def test_other_code_is_seen(here, certified):  # noqa: F811
    assert all(holds(certified).values())
    answer = cli("certificate", "verify", "c.json")
    assert (answer.exit_code, "holds  target mine.py:legs: the same code" in answer.stdout) == (0, True)
    (here / "mine.py").write_text(SOURCE + "\n", encoding="utf-8")
    assert holds(certified)["target mine.py:legs"] is False
    answer = cli("certificate", "verify", "c.json")
    assert answer.exit_code == 1
    assert "fails  target mine.py:legs: its code was changed since: check it again" in answer.stdout
    (here / "mine.py").unlink()
    assert holds(certified)["target mine.py:legs"] is None
    answer = cli("certificate", "verify", "c.json", "--json")
    assert answer.exit_code == 5
    assert {row["holds"] for row in strict(answer.stdout)["findings"]} == {True, None}


def test_other_checks_and_another_reference_leave_it_open(certified, monkeypatch):
    monkeypatch.setattr("verify.outputs.certified.reference_fingerprint", lambda: "0" * 16)
    assert holds(certified)["reference"] is None
    monkeypatch.setattr(fingerprints, "harness", lambda: {"sha256": "0" * 64})
    assert holds(certified)["harness"] is None
    assert exit_code(findings(certified)) == 5


def test_it_is_found_from_a_folder_inside(here, certified, monkeypatch):  # noqa: F811
    (here / ".git").mkdir()
    (here / "inner").mkdir()
    monkeypatch.chdir(here / "inner")
    assert holds(certified)["target mine.py:legs"] is True


def test_a_failure_is_certified_as_one(here):  # noqa: F811
    assert cli("check", "mine.py:gain", "--orders", "4", "--certificate", "c.json").exit_code == 1
    content = strict((here / "c.json").read_text())
    assert content["verdict"] == "does not conform"
    assert content["diagnosis"][0]["text"] == "B is twice the LegS B"
    answer = cli("certificate", "verify", "c.json")
    assert answer.exit_code == 1
    assert "fails  verdict: does not conform" in answer.stdout


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (report(verdict(Status.INCONCLUSIVE)), 5),
        (report(), 5),
        (report(verdict(Status.ERROR)), 1),
        (report(verdict(), notes=["matched nothing"]), 5),
    ],
)
def test_only_a_pass_lets_the_verdict_hold(found, code, here):  # noqa: F811
    assert exit_code(findings(certificate(found))) == code


def test_no_path_of_this_machine_is_in_it(here, monkeypatch):  # noqa: F811
    """Not that of the checkout, nor of a file outside it, nor of the user's folder."""
    monkeypatch.setenv("HOME", str(here / "home"))
    (here / "home" / "elsewhere").mkdir(parents=True)
    for folder in (here / "repository", here / "elsewhere"):
        folder.mkdir()
        (folder / "mine.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(here / "repository")
    for target in ("mine.py", here / "repository" / "mine.py", here / "elsewhere" / "mine.py"):
        cli("check", f"{target}:legs", "--orders", "4", "--certificate", "c.json")
        text = (here / "repository" / "c.json").read_text(encoding="utf-8")
        assert str(here) not in text
        content = strict(text)
        assert content["targets"][0]["name"] == "mine.py:legs"
        assert content["repeat"][2] == "mine.py:legs"
    note = f"{here / 'home' / 'elsewhere'}/x.toml matched nothing"
    assert certificate(report(verdict(), notes=[note]))["notes"] == ["~/elsewhere/x.toml matched nothing"]


def test_no_link_is_taken_for_a_path(monkeypatch):
    """A container has its sources in a folder such as /app, and addresses have such parts too."""
    said = ["https://example.org/app/issues/1", "see //app/x and a/app/b", "--expected=/app/x.toml, '/app/y'"]
    for folder, wanted in (("/app", [*said[:2], "--expected=x.toml, 'y'"]), ("/", said)):
        monkeypatch.setattr("verify.outputs.certificate.root", lambda folder=folder: Path(folder))
        assert certificate(report(verdict(), notes=said))["notes"] == wanted


def test_a_live_object_has_no_hash(here):  # noqa: F811
    def legs(order):
        n = np.arange(order)
        s = np.sqrt(2.0 * n + 1)
        return -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0), s

    content = certificate(verify.check(legs, orders=(4,)))
    jsonschema.validate(content, schema("hippo-certificate-1"))
    assert content["targets"] == [
        {
            "name": "legs", "kind": "unknown", "sha256": None,
            "unknown": "the target was an object of a running Python program",
        }
    ]  # fmt: skip
    assert (content["verdict"], content["repeat"]) == ("conforms", None)
    assert exit_code(findings(content)) == 5


def test_expected_failures_are_listed_with_their_reason(here):  # noqa: F811
    (here / "expected.toml").write_text(
        '[[expected]]\ntarget = "mine.py:gain"\nreason = "B is doubled"\nlink = "https://example.org/1"\n'
        'match = "B|row|low-rank"\n',
        encoding="utf-8",
    )
    options = ("--expected", "expected.toml", "--certificate", "c.json", "--badge", "b.json")
    cli("check", "mine.py:gain", "--orders", "4", *options)
    content = strict((here / "c.json").read_text())
    excused = content["expected_failures"]
    assert excused
    assert {row["reason"] for row in excused} == {"B is doubled; https://example.org/1"}
    assert content["verdict"] != "conforms"
    assert strict((here / "b.json").read_text())["color"] != "brightgreen"


def test_a_replay_is_no_check(here):  # noqa: F811
    for kind in ("certificate", "badge"):
        result = cli("check", "mine.py:legs", "--replay", "x.json", f"--{kind}", "out")
        assert result.exit_code == 2
        assert f"--{kind} is given beside --replay" in result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read c.json: No such file or directory"),
        ("{", "c.json is no JSON"),
        ("[" * 100_000, "c.json is no JSON"),
        ("[]", "c.json: format is None; accepted: 'hippo-certificate/1'"),
        ('{"format": "hippo-calls/1"}', "c.json: format is 'hippo-calls/1'; accepted: 'hippo-certificate/1'"),
    ],
)
def test_what_is_none_is_refused(here, content, said):  # noqa: F811
    if content is not None:
        (here / "c.json").write_text(content, encoding="utf-8")
    result = cli("certificate", "verify", "c.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_forged_one_whose_digest_is_right_is_no_crash(here):  # noqa: F811
    """The digest is no signature: whoever edits can make a new one, and leave out what they like."""
    content = {"format": "hippo-certificate/1"}
    (here / "c.json").write_text(json.dumps({**content, "sha256": digest(content)}), encoding="utf-8")
    result = cli("certificate", "verify", "c.json")
    assert result.exit_code == 2
    assert "c.json is no whole certificate: it lacks about, verdict, status" in result.stderr


# What is hashed.


def installed(folder, name, files):
    """A distribution on the import path, as pip leaves one."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "INSTALLER").write_text("pip", encoding="utf-8")
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    listed = [*files, f"{info.name}/METADATA", f"{info.name}/RECORD", f"{info.name}/INSTALLER", "../bin/tool"]
    (info / "RECORD").write_text("".join(f"{line},,\n" for line in listed), encoding="utf-8")


@pytest.fixture
def library(here, monkeypatch):  # noqa: F811
    files = {"lib_of_mine/__init__.py": "raise SystemExit('imported')", "lib_of_mine/inner.py": "x = 1"}
    installed(here / "site", "lib-of-mine", files)
    monkeypatch.syspath_prepend(here / "site")
    return here / "site"


def test_a_module_is_all_of_its_package(library):
    found = fingerprints.target("lib_of_mine.inner:x")
    assert (found["kind"], found["files"]) == ("module", 2)
    assert (found["distribution"], found["version"]) == ("lib-of-mine", "1.0")
    (library / "lib_of_mine" / "__pycache__").mkdir()
    (library / "lib_of_mine" / "__pycache__" / "inner.pyc").write_text("compiled")
    assert fingerprints.target("lib_of_mine.inner:x") == found
    (library / "lib_of_mine" / "__init__.py").write_text("raise SystemExit", encoding="utf-8")
    assert fingerprints.target("lib_of_mine.inner:x")["sha256"] != found["sha256"]


def test_a_registered_target_is_its_distribution(library):
    (library / "lib_of_mine-1.0.dist-info" / "entry_points.txt").write_text(
        "[hippo_verify.targets]\nmine-of-lib = lib_of_mine.inner:x\n", encoding="utf-8"
    )
    found = fingerprints.target("mine-of-lib")
    assert (found["kind"], found["files"], found["distribution"]) == ("distribution", 2, "lib-of-mine")
    # What lies there now is hashed, not what the list says was installed.
    (library / "lib_of_mine" / "inner.py").write_text("x = 2", encoding="utf-8")
    assert fingerprints.target("mine-of-lib")["sha256"] != found["sha256"]


def test_an_adapter_is_its_library_or_ourselves():
    own = fingerprints.target("hippo-fast-numpy")
    assert (own["kind"], own["distribution"]) == ("distribution", "hippo-verify")
    assert own["files"] > 100
    pytest.importorskip("s5", reason="s5-pytorch is in the third-party extra")
    found = fingerprints.target("s5-pytorch")
    assert (found["kind"], found["distribution"]) == ("distribution", "s5-pytorch")
    assert found["version"] == metadata.version("s5-pytorch")


def test_a_description_is_itself_and_what_it_describes(here):  # noqa: F811
    (here / "mine.toml").write_text('target = "mine.py:legs"\n[matrices]\narguments = ["order"]\n', encoding="utf-8")
    found = fingerprints.target("mine.toml")
    if found["sha256"] is None:
        pytest.fail(found["unknown"])
    for file in ("mine.py", "mine.toml"):
        text = (here / file).read_text(encoding="utf-8")
        (here / file).write_text(text + "\n", encoding="utf-8")
        assert fingerprints.target("mine.toml")["sha256"] != found["sha256"]
        (here / file).write_text(text, encoding="utf-8")
    assert fingerprints.target("mine.toml") == found


def test_a_command_is_the_files_it_names(here):  # noqa: F811
    (here / "a").mkdir()
    (here / "a" / "mine.py").write_text("x", encoding="utf-8")
    found = fingerprints.target("exec:python3 mine.py a/mine.py --flag")
    assert (found["kind"], found["files"]) == ("command", 2)
    assert found["covers"] == "mine.py, a/mine.py; not what they use"
    (here / "a" / "mine.py").write_text("y", encoding="utf-8")
    assert fingerprints.target("exec:python3 mine.py a/mine.py --flag")["sha256"] != found["sha256"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nonesuch", "no file, module, command or package has this name"),
        ("nonesuch.py:f", "there is no such file here"),
        ("nonesuch:f", "no file of a module 'nonesuch' was found on the import path"),
        ("exec:nonesuch --flag", "no word of the command is a file here"),
        ("exec:'", "no word of the command is a file here"),
        ("nonesuch.toml", "nonesuch.toml: No such file or directory; a description is a TOML file"),
        ("sys:path", "no file of a module 'sys' was found on the import path"),
    ],
)
def test_what_cannot_be_hashed_says_why(here, name, why):  # noqa: F811
    assert fingerprints.target(name) == {"kind": "unknown", "sha256": None, "unknown": why}


def test_the_harness_is_hashed_whole(tmp_path):
    sources = [path for top in ("verify", "hippo_ref") for path in (ROOT / top).rglob("*.py")]
    assert fingerprints.harness()["files"] == len(sources)
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    a, b = tmp_path / "a", tmp_path / "b"
    hashes = [
        fingerprints.digest(files) for files in ({"a": a}, {"b": a}, {"a": b}, {"a": a, "b": b}, {"a": b, "b": a})
    ]
    assert len(set(hashes)) == len(hashes)
    assert fingerprints.digest({"b": b, "a": a}) == fingerprints.digest({"a": a, "b": b})

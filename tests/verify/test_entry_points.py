"""Targets that installed packages offer: listed from metadata alone, run when named, never ambiguous."""

import json
import os
import re
import subprocess
import sys

import pytest

import verify
from verify.adapters import entry_points
from verify.adapters.resolving import resolve
from verify.cases import UsageError

MODULE = """
import pathlib
import numpy as np

pathlib.Path(__file__).with_suffix(".imported").touch()

def legs(order):
    n = np.arange(order)
    s = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0), s
"""


def install(folder, distribution, entries, version="1.0"):
    """What an installer leaves behind: a dist-info folder."""
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(
        "[hippo_verify.targets]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items())
    )


@pytest.fixture
def site(tmp_path, monkeypatch):
    (tmp_path / "third_party_legs.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("third_party_legs", None)


def cli(site, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "200"}
    command = [sys.executable, "-m", "verify.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=site)


def test_a_registered_target_is_listed_without_importing_it(site):
    install(
        site, "third-party", {"their-legs": "third_party_legs:legs", "deep": "third_party_legs : np.linalg [extra]"}
    )
    found = {one.name: one for one in entry_points.registered()}
    assert found["their-legs"].target == "third_party_legs:legs"
    assert found["deep"].target == "third_party_legs:np.linalg"
    assert (found["their-legs"].distribution, found["their-legs"].version) == ("third-party", "1.0")
    answer = cli(site, "targets", "--json")
    row = next(row for row in json.loads(answer.stdout) if row["key"] == "their-legs")
    assert (row["source"], row["distribution"], row["target"], row["problem"]) == (
        "entry point", "third-party", "third_party_legs:legs", None
    )  # fmt: skip
    assert (
        "their-legs               1.0            third_party_legs:legs, registered by third-party"
        in cli(site, "targets").stdout
    )
    assert not (site / "third_party_legs.imported").exists()


def test_it_runs_when_it_is_named(site):
    install(site, "third-party", {"their-legs": "third_party_legs:legs"})
    answer = cli(site, "check", "their-legs", "--orders", "3", "--no-progress", "--no-counterexamples")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "PASS  their-legs" in answer.stdout
    assert (site / "third_party_legs.imported").exists()


def test_two_packages_with_one_name_are_refused(site):
    install(site, "first", {"their-legs": "third_party_legs:legs"})
    install(site, "second", {"their-legs": "elsewhere:legs"}, version="2.0")
    said = (
        r"target 'their-legs' is ambiguous: first 1.0 \(third_party_legs:legs\) and second 2.0 \(elsewhere:legs\) both "
        "have it; name what you mean as package.module:attr, or uninstall one"
    )
    with pytest.raises(UsageError, match=said):
        verify.check("their-legs")
    with pytest.raises(UsageError, match=said):
        verify.identify("their-legs")
    with pytest.raises(UsageError, match=said):
        resolve("their-legs", {})
    answer = cli(site, "check", "their-legs", "--no-progress")
    assert answer.returncode == 2
    assert "first 1.0" in answer.stderr
    assert "second 2.0" in answer.stderr
    assert cli(site, "targets").stdout.count("their-legs") == 4  # each of the two, and why


def test_one_package_with_a_name_twice_is_refused(site):
    install(site, "first", {"their-legs": "third_party_legs:legs"})
    with (site / "first-1.0.dist-info" / "entry_points.txt").open("a") as file:
        file.write("their-legs = elsewhere:legs\n")
    with pytest.raises(UsageError, match=r"is ambiguous: first 1.0 .* and first 1.0 "):
        resolve("their-legs", {})


def test_the_name_of_an_adapter_is_refused(site):
    install(site, "first", {"s5-pytorch": "third_party_legs:legs"})
    with pytest.raises(UsageError, match=r"'s5-pytorch' is ambiguous: hippo-verify itself \(s5.init.*\) and first 1.0"):
        verify.check("s5-pytorch")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "odd",
            "third_party_legs",
            "'odd' of first 1.0 \\(third_party_legs\\) is not registered as package.module:attr",
        ),
        ("odd.py", "third_party_legs:legs", "has a name that reads as a path"),
        ("odd/name", "third_party_legs:legs", "has a name that reads as a path"),
    ],
)
def test_what_cannot_be_asked_for_says_why(site, name, value, said):
    install(site, "first", {name: value})
    (found,) = [one for one in entry_points.registered() if one.name == name]
    assert re.search(said, found.problem)
    if name == "odd":
        with pytest.raises(UsageError, match=said):
            entry_points.find(name)
    else:
        assert entry_points.find(name) is None  # a path is a path, whatever somebody has registered


def test_the_same_package_found_twice_is_one(site, tmp_path_factory, monkeypatch):
    """As where a folder is on the path twice, or an older copy lies behind the one that is imported."""
    install(site, "first", {"their-legs": "third_party_legs:legs"})
    other = tmp_path_factory.mktemp("other")
    install(other, "first", {"their-legs": "third_party_legs:older"}, version="0.9")
    monkeypatch.syspath_prepend(str(other))
    monkeypatch.syspath_prepend(str(site))
    assert entry_points.find("their-legs").value == "third_party_legs:legs"


def test_a_name_that_nobody_has(site):
    assert entry_points.find("their-legs") is None
    assert entry_points.find("s5-pytorch") is None

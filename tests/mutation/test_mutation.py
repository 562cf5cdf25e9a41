"""The mutation test names what is there, and its published table is what `make mutants` must keep."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONFIG = tomllib.loads((HERE / "config.toml").read_text())
SURVIVORS = tomllib.loads((HERE / "survivors.toml").read_text())["survivor"]
REPORT = (ROOT / "reports" / "published" / "mutation.md").read_text()


@pytest.mark.parametrize("path", [*CONFIG["modules"], *CONFIG["tests"]])
def test_what_it_names_is_there(path):
    assert (ROOT / path).is_file()


def test_functions_that_are_picked_are_there():
    for path, functions in CONFIG["modules"].items():
        source = (ROOT / path).read_text()
        for name in functions:
            assert name == "*" or f"def {name.rpartition('.')[2]}(" in source, name


@pytest.mark.parametrize("entry", SURVIVORS, ids=lambda entry: f"{entry['module']}:{entry['function']}")
def test_a_survivor_has_a_reason_and_is_published_with_it(entry):
    assert f"verify/{entry['module']}" in CONFIG["modules"]
    assert len(entry["why"]) > 10
    assert entry["now"]
    assert f"| {entry['module']} {entry['function']} |" in REPORT
    assert f"| {entry['why']} |" in REPORT


def test_nine_in_ten_changes_are_found():
    rows = re.findall(r"^\| `(\S+)` \| (\d+) \| (\d+) \|", REPORT, re.MULTILINE)
    assert {path for path, _, _ in rows} == set(CONFIG["modules"])
    for path, changes, found in rows:
        assert int(found) >= 0.85 * int(changes), path
    assert sum(int(found) for *_, found in rows) >= 0.9 * sum(int(changes) for _, changes, _ in rows)
    assert "unexplained" not in REPORT


def test_cached_functions_and_properties_are_opened_for_changes(monkeypatch):
    cst = pytest.importorskip("libcst", reason="comes with mutmut")
    spec = importlib.util.spec_from_file_location("mutation_run", HERE / "run.py")
    run = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, run)
    spec.loader.exec_module(run)
    source = (
        "@lru_cache(maxsize=4)\ndef f(a, b):\n    return a + b\n"
        "class C:\n    @property\n    def p(self):\n        return f(1, 2)\n"
        "    @staticmethod\n    def q():\n        return 3\n"
    )
    opened = cst.parse_module(source).visit(run.Opener()).code
    space = {}
    exec("from functools import lru_cache\n" + opened, space)
    assert (space["C"]().p, space["C"]()._open_p(), space["C"].q(), space["_open_f"](3, 4)) == (3, 3, 3, 7)
    assert space["f"].cache_info().misses == 1
    assert "_open_q" not in opened

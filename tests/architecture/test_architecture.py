"""The walls, the tables and the packaging hold."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import hippo_ref
from verify.adapters import ADAPTERS
from verify.bounds import GBT
from verify.cases import METHODS, PARAMETERS
from verify.checks import CHECKS
from verify.checks.convergence import NOMINAL
from verify.convention import MEASURES

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_walls_hold():
    """import-linter reads the contracts of pyproject.toml."""
    answer = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout[-3000:]


def test_top_level_is_as_planned():
    planned = {
        "hippo_ref",
        "hippo_fast",
        "verify",
        "asv_benchmarks",
        "tests",
        "reports",
        "asv.conf.json",
        "pyproject.toml",
    }
    assert planned <= {path.name for path in ROOT.iterdir()}


def test_every_package_is_listed_for_the_wheel():
    """The list is explicit, so it is compared with the folders; tests, benchmarks and reports stay out."""
    listed = set(PROJECT["tool"]["setuptools"]["packages"]) - {"verify.report.templates"}
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("hippo_ref", "hippo_fast", "verify")
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert listed == found


def test_measures_are_the_same_everywhere():
    import hippo_fast

    # The reference knows more than the fast side: what it can check is what both know.
    assert list(PARAMETERS) == list(MEASURES)
    assert set(PARAMETERS) == set(hippo_fast.OPERATORS) <= set(hippo_ref.MEASURES)
    for key, names in PARAMETERS.items():
        assert set(hippo_ref.measure(key).parameters) == set(names)


def test_rules_are_the_same_everywhere():
    import hippo_fast

    assert set(METHODS) == set(hippo_ref.DISCRETIZATIONS) == set(hippo_fast.DISCRETIZATIONS)
    assert set(METHODS) == set(NOMINAL["legs"])
    assert set(GBT) < set(METHODS)


@pytest.mark.parametrize("family", ["checks", "adapters"])
def test_every_file_is_in_its_table(family):
    table = {"checks": CHECKS, "adapters": ADAPTERS}[family]
    homes = {type(member).__module__ for member in table.values()}
    helpers = {"base", "scan_base", "loading", "isolated"}
    files = {path.stem for path in (ROOT / "verify" / family).glob("*.py")} - helpers - {"__init__"}
    assert {f"verify.{family}.{stem}" for stem in files} == homes


def test_every_check_and_adapter_says_what_it_is():
    for key, check in CHECKS.items():
        assert check.key == key
        assert check.claim
        assert check.levels
    for key, adapter in ADAPTERS.items():
        assert adapter.key == key
        assert adapter.summary
        assert adapter.measures


def test_no_multiprecision_or_torch_at_import_of_the_fast_side():
    code = (
        "import sys, hippo_fast; raise SystemExit(any(m in sys.modules for m in ('mpmath', 'torch', 'scipy', 'flint')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_asv_accepts_the_benchmarks():
    pytest.importorskip("asv", reason="asv is in the bench extra")
    command = [sys.executable, "-m", "asv", "check", "-E", f"existing:{sys.executable}"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "No problems found" in answer.stdout


def test_torch_and_third_parties_are_pinned():
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    for pin in ("torch==2.13.0", "s5-pytorch==0.2.1", "hippox==0.0.9", "jax==0.10.2", "asv==0.6.6"):
        assert pin in pins


def test_base_install_needs_no_torch():
    assert not any("torch" in requirement or "jax" in requirement for requirement in PROJECT["project"]["dependencies"])
    extras = {"torch", "numba", "bench", "report", "distributed", "third-party", "test", "all"}
    assert extras <= set(PROJECT["project"]["optional-dependencies"])

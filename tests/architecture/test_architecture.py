"""The walls, the tables and the packaging hold."""

import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

import hippo_ref
from verify.adapters import ADAPTERS
from verify.bounds import GBT, HOLDS
from verify.candidates import NAMES, TILTED, WINDOWED
from verify.cases import DOMAINS, METHODS, PARAMETERS, method_key, reads_nodes
from verify.checks import CHECKS
from verify.checks.convergence import nominal_order
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

    # Whatever the reference knows can be checked, and is recognised unasked; the fast side is a part of it.
    assert list(PARAMETERS) == list(hippo_ref.MEASURES) == list(NAMES)
    assert set(MEASURES) == set(PARAMETERS)
    assert set(PARAMETERS) - set(hippo_fast.OPERATORS) == set(TILTED)
    assert set(WINDOWED) == {key for key, names in PARAMETERS.items() if "theta" in names}


@pytest.mark.parametrize("key", PARAMETERS)
def test_domains_are_those_of_the_reference(key):
    known = hippo_ref.MEASURES[key].domains
    assert list(DOMAINS[key]) == list(known)
    for name, domain in DOMAINS[key].items():
        assert (domain.default, domain.above, domain.below) == (
            known[name].default,
            known[name].above,
            known[name].below,
        )


def test_rules_are_the_same_everywhere():
    import hippo_fast

    assert set(METHODS) == set(hippo_ref.DISCRETIZATIONS) == set(hippo_fast.DISCRETIZATIONS)
    assert set(GBT) | set(HOLDS) < set(METHODS)


@pytest.mark.parametrize(
    "text",
    [*METHODS, "gbt(1/3)", "gbt(.25)", "gbt(3/4)", "gbt(0)", "gbt(1.)", "hold(0)", "hold(1)", "hold(2)", "hold(3)"],
)
def test_rules_are_those_of_the_reference(text):
    """The name it goes by here is that of the same rule there, and says the same of its order and its samples."""
    key, rule = method_key(text), hippo_ref.discretization(text)
    assert replace(hippo_ref.discretization(key), key="") == replace(rule, key="")
    for law in ("scale", "invariant"):
        assert nominal_order(key, scale_law=law == "scale") == rule.nominal_order[law]
    assert reads_nodes(key) is (rule.reads == "nodes")


@pytest.mark.parametrize("family", ["checks", "adapters"])
def test_every_file_is_in_its_table(family):
    table = {"checks": CHECKS, "adapters": ADAPTERS}[family]
    homes = {type(member).__module__ for member in table.values()}
    machinery = {"__init__", "isolated", "loading", "resolving", "entry_points", "described", "description", "layouts"}
    machinery |= {"own_nn"}  # the claims' door to the fast side: no target is judged through it
    stems = {path.stem for path in (ROOT / "verify" / family).glob("*.py")} - machinery
    # What members of a family share, and what speaks for programs, which are in no table.
    files = {stem for stem in stems if not stem.endswith("base") and not stem.startswith("exec_")}
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

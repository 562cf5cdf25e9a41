"""The wheel in empty environments: alone, and with each extra alone. Each takes its minutes: --runslow.

`HIPPO_VERIFY_WHEEL` names a wheel that is there already; else one is built. What pip may fetch is held to
constraints.txt, as everywhere.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from packaging_tools import ROOT, built, copied

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
MINE = """\
import numpy as np


def legs(order):
    n = np.arange(order)
    s = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0), s


def doubled(order):
    A, B = legs(order)
    return A, 2 * B


def broken(order):
    raise OSError("no such luck")
"""
TINY = "--targets hippo-fast-numpy --measures legs --orders 4 --methods bilinear --dtypes float64 --no-progress"

BASE = [
    ("hippo-verify --version", 0, r"^hippo-verify \d"),
    ("hippo-verify check mine.py:legs", 0, "^PASS  mine.py:legs"),
    ("hippo-verify check mine.py:doubled", 1, "B is twice the LegS B"),
    ("hippo-verify check mine.py:broken", 3, "raised OSError: no such luck"),
    ("hippo-verify check mine.py:legs --orders x", 2, "accepted: integers"),
    (
        "hippo-verify check mine.py:legs --json a.json --junit-xml a.xml --sarif a.sarif --markdown a.md"
        " --certificate a.cert.json --badge a.badge.json",
        0,
        "PASS",
    ),
    ("hippo-verify certificate verify a.cert.json", 0, "holds  digest"),
    ("hippo-verify identify mine.py:legs", 0, "^legs, scaling T = 1"),
    ("hippo-verify vectors export --output v.json --measures legs --orders 4", 0, "certified numbers"),
    ("hippo-verify targets", 0, "hippo-fast-torch +not installed"),
    ("hippo-verify checks", 0, "^matrices"),
    ("hippo-verify measures", 0, "^legs "),
    (f"hippo-verify run {TINY} --store one", 0, "^PASS  "),
    ("hippo-verify run --targets own --measures legs --orders 4 --dtypes float64 --no-progress --store own", 0, "PASS"),
    ("hippo-verify budget hippo-fast-numpy --orders 4 --lengths 8 --no-progress", 0, "legs"),
    ("python -m pytest --version", 1, "No module named pytest"),
    # What needs more says what, and how to get it.
    ("hippo-verify report one", 2, r"pip install 'hippo-verify\[report\]'"),
    (f"hippo-verify run {TINY} --store two --report r", 2, r"pip install 'hippo-verify\[report\]'"),
    ("hippo-verify budget hippo-fast-numpy --orders 4 --lengths 8 --html b.html", 2, r"'hippo-verify\[report\]'"),
    (f"hippo-verify run {TINY} --store three --executor dask", 2, r"pip install 'hippo-verify\[distributed\]'"),
    ("hippo-verify bench", 2, r"pip install 'hippo-verify\[bench\]'"),
    ("hippo-verify dashboard", 2, r"pip install 'hippo-verify\[bench"),
    ("hippo-verify history", 2, r"pip install 'hippo-verify\[bench\]'"),
    ("hippo-verify claims --quick", 2, r"pip install 'hippo-verify\[claims\]'"),
    ("hippo-verify check s5-pytorch", 3, r"s5-pytorch is not installed: pip install 'hippo-verify\[third-party\]'"),
    ("hippo-verify check hippo-fast-torch", 3, r"torch is not installed: pip install 'hippo-verify\[torch\]'"),
    ("hippo-verify check hippo-fast-numba", 3, r"numba is not installed: pip install 'hippo-verify\[numba\]'"),
]
"""What works without an extra, in this order in one folder: a command, its exit code, and a part of what it says."""

PROMISED = {
    "torch": [
        ("hippo-verify check hippo-fast-torch --orders 4", 0, "^PASS"),
        ("python -c \"import hippo_fast.nn\"", 0, ""),
    ],
    "numba": [("hippo-verify check hippo-fast-numba --orders 4", 0, "^PASS")],
    "triton": [("python -c \"import torch, triton, hippo_fast.kernels.triton_scan\"", 0, "")],
    "bench": [
        ("python -c \"import asv, matplotlib, pytest_benchmark, tabulate, threadpoolctl, virtualenv\"", 0, ""),
        ("hippo-verify bench", 2, "git"),
    ],
    "report": [
        (f"hippo-verify run {TINY} --store one --report r", 0, "report: r/index.html"),
        ("hippo-verify report one --output s --markdown s.md --parquet s.parquet", 0, "s/index.html"),
        ("python -c \"import verify; print(len(verify.load('one')))\"", 0, r"^\d\d"),
        ("hippo-verify budget hippo-fast-numpy --orders 4 --lengths 8 --no-progress --html b.html", 0, ""),
    ],
    "claims": [
        ("python -c \"import HersheyFonts, sklearn, torch, torchcde, torchdiffeq\"", 0, ""),
        ("hippo-verify claims --help", 0, "--quick"),
    ],
    "distributed": [(f"hippo-verify run {TINY} --store one --executor dask", 0, "^PASS")],
    "third-party": [
        ("hippo-verify check s5-pytorch --orders 4", 0, "^PASS"),
        ("hippo-verify check hippox-legs --orders 4 --convention auto", 0, "^PASS"),
        ("hippo-verify check control-c2d --measure legt --method zoh --orders 4", 0, "^PASS"),
    ],
    "keras-lmu": None,  # two gigabytes: `make published-keras-lmu` installs it
    "third-party-3-12": None,  # for a newer Python than the pinned environment has: `make published-3-12`
    "test": [
        ("pytest --version", 0, "^pytest"),
        ("pytest -q test_mine.py", 0, "passed"),
    ],
    "docs": [
        ("sphinx-build --version", 0, "^sphinx-build"),
        ("python -c \"import myst_parser, pydata_sphinx_theme, sphinx_copybutton, sphinx_design\"", 0, ""),
    ],
    "release": [
        ("python -m build --version", 0, "^build"),
        ("twine check --strict {wheel}", 0, "PASSED"),
        ("check-wheel-contents --config {project} {wheel}", 0, "OK"),
    ],
    "all": None,  # the others together, and what `dev` holds, which every test runs with
    "dev": None,
}  # fmt: skip
"""Extra -> what it promises and does with nothing else installed; None: not here, with the reason."""

TEST = """\
import pytest
from mine import legs
from verify import parametrize_with_checks


@parametrize_with_checks([legs], orders=[4])
def test_mine(check):
    check()
"""


def test_every_extra_is_tried_or_says_why_not():
    assert set(PROMISED) == set(EXTRAS)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    given = os.environ.get("HIPPO_VERIFY_WHEEL")
    if given is not None:
        return Path(given).resolve()
    base = tmp_path_factory.mktemp("wheel")
    return built("wheel", copied(base / "tree"), base)[0]


def installed(folder, requirement):
    """An environment that has a requirement and what it brings, and nothing else; with the seconds pip took."""
    place = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    command = [place / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-c", ROOT / "constraints.txt"]
    started = time.perf_counter()
    answer = subprocess.run([*command, requirement], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-3000:]
    return place, time.perf_counter() - started


def size(folder):
    """Megabytes of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def tried(place, folder, commands, wheel):
    """Each command says what it should, and ends as it should; a traceback is no answer."""
    (folder / "mine.py").write_text(MINE, encoding="utf-8")
    (folder / "test_mine.py").write_text(TEST, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST_", "VIRTUAL_"))}
    variables = {**kept, "PATH": f"{place / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin", "COLUMNS": "120"}
    wrong = []
    for command, code, said in commands:
        answer = subprocess.run(
            shlex.split(command.format(wheel=wheel, project=ROOT / "pyproject.toml")),
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        text = re.sub(r"\x1b\[[0-9;]*m", "", answer.stdout + answer.stderr)
        if answer.returncode != code or not re.search(said, text, re.MULTILINE) or "Traceback" in text:
            wrong.append(
                f"{command}\n  ended with {answer.returncode} (expected: {code}, and {said!r}) and said:\n{text}"
            )
    assert not wrong, "\n\n".join(wrong)


def told(record_property, name, seconds, place):
    record_property("installed", json.dumps({"extra": name, "seconds": round(seconds, 1), "MB": round(size(place))}))
    print(f"{name}: pip install took {seconds:.0f} s, the environment has {size(place):.0f} MB")  # noqa: T201 -- pytest -rP


@pytest.mark.slow
def test_it_works_alone(wheel, tmp_path, record_property):
    place, seconds = installed(tmp_path, str(wheel))
    told(record_property, "none", seconds, place)
    folder = tmp_path / "work"
    folder.mkdir()
    tried(place, folder, BASE, wheel)
    brought = {
        path.name.partition("-")[0].lower() for path in (place / "lib").glob("python*/site-packages/*.dist-info")
    }
    assert brought.isdisjoint({"torch", "jax", "jaxlib", "pandas", "dask", "matplotlib", "plotly", "pytest"})


@pytest.mark.slow
def test_the_page_on_installing_says_how(wheel, tmp_path):
    """What docs/install.md has pip do, line by line; the wheel lies where an index would be asked."""
    page = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    script = "".join(block for block in blocks if "git clone" not in block)  # `make` is what runs this test
    assert script.startswith("python3 -m venv environment\n. environment/bin/activate\npip install hippo-verify\n")
    (tmp_path / "constraints.txt").write_bytes((ROOT / "constraints.txt").read_bytes())
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # python3 is the one that runs this
    variables = {"PATH": path, "PIP_FIND_LINKS": str(wheel.parent), "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST_", "VIRTUAL_"))}
    answer = subprocess.run(
        ["bash", "-e"], input=f"{script}\nhippo-verify check mine.py:legs", cwd=tmp_path, env={**kept, **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-3000:]
    assert "PASS  mine.py:legs" in answer.stdout
    assert (tmp_path / "environment/bin/hippo-verify").exists()


@pytest.mark.slow
@pytest.mark.parametrize("extra", [name for name, promised in PROMISED.items() if promised])
def test_an_extra_alone_does_what_it_promises(extra, wheel, tmp_path, record_property):
    place, seconds = installed(tmp_path, f"hippo-verify[{extra}] @ {wheel.as_uri()}")
    told(record_property, extra, seconds, place)
    folder = tmp_path / "work"
    folder.mkdir()
    tried(place, folder, PROMISED[extra], wheel)

"""The site, built once for all workers of pytest-xdist."""

import fcntl
import os
import pickle

import pytest
from site_tools import DOCS, sphinx


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Folder of the site, built as `make docs` builds it; the build said nothing."""
    for module in ("sphinx", "myst_parser", "pydata_sphinx_theme", "sphinx_copybutton"):
        pytest.importorskip(module, reason=f"{module} is in the docs extra")
    base = tmp_path_factory.getbasetemp()
    base = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base  # that of the worker lies in the one of all
    out, said = base / "site", base / "site.said"
    with (base / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            answer = sphinx(DOCS, out, "-d", str(base / "site.doctrees"))
            said.write_bytes(pickle.dumps((answer.returncode, answer.stderr)))
    assert pickle.loads(said.read_bytes()) == (0, "")
    return out


@pytest.fixture(scope="session")
def pages(site):
    """Pages that Sphinx made; the dashboard and the reports beside them are sites of their own."""
    written = sorted(path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md"))
    return [*(site / path for path in written), site / "search.html", site / "genindex.html"]

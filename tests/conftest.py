"""Profiles, a cache folder of its own for every session, and mpmath's precision given back after every test."""

import os
import signal
from contextlib import nullcontext

import hypothesis
import mpmath
import numpy as np
import pytest

hypothesis.settings.register_profile("dev", max_examples=20, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=20, deadline=None, derandomize=True)
hypothesis.settings.register_profile("nightly", max_examples=500, deadline=None)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci")
hypothesis.settings.load_profile(PROFILE)


def pytest_addoption(parser):
    parser.addoption("--runslow", action="store_true", help="run tests marked slow (minutes each)")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--runslow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run with --runslow"))


@pytest.fixture(autouse=True, scope="session")
def _cache_folder(tmp_path_factory):
    """Exact results are shared by the tests of a worker process and forgotten afterwards."""
    patch = pytest.MonkeyPatch()
    patch.setenv("HIPPO_VERIFY_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(autouse=True, scope="session")
def _interrupts():
    """Ctrl-C is a Ctrl-C, here and in what tests start, also where a shell runs the tests in its background."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True, scope="session")
def _draws():
    """Derandomized draws are the same in any order of tests: they do not follow what is imported by then."""
    from verify.checks.base import constants_of_nobody

    with constants_of_nobody() if PROFILE == "ci" else nullcontext():
        yield


@pytest.fixture(autouse=True)
def _precision():
    """The reference borrows mpmath's precision; a test that leaves it changed has found a bug."""
    before = mpmath.mp.prec
    yield
    assert mpmath.mp.prec == before


@pytest.fixture(autouse=True)
def _numpy_errors():
    """Targets of this process may silence numpy; what calls them puts that back."""
    before = np.geterr()
    yield
    assert np.geterr() == before


@pytest.fixture(autouse=True)
def _tables():
    """The tables are ordered: a test that puts an entry back at the end has changed what the next one reads."""
    from verify.adapters import ADAPTERS
    from verify.checks import CHECKS
    from verify.defects import DEFECTS

    before = [list(table) for table in (ADAPTERS, CHECKS, DEFECTS)]
    yield
    assert [list(table) for table in (ADAPTERS, CHECKS, DEFECTS)] == before

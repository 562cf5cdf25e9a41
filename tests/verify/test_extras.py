"""What is not installed is named, with the extra that brings it, and is no failure of what is."""

from importlib import metadata

import pytest

import verify
from verify.adapters import ADAPTERS
from verify.adapters.own import Own
from verify.extras import bringing


@pytest.mark.parametrize(
    ("distribution", "command"),
    [
        ("torch", "pip install 'hippo-verify[torch]'"),  # several extras have it: the one of its name
        ("distributed", "pip install 'hippo-verify[distributed]'"),  # it comes with dask, which the extra names
        ("S5_PyTorch", "pip install 'hippo-verify[third-party]'"),
        ("keras-lmu", "pip install 'hippo-verify[keras-lmu]'"),
        ("numpy", "pip install numpy"),  # in no extra
    ],
)
def test_the_extra_that_brings_a_library_is_named(distribution, command):
    assert bringing(distribution) == command


def test_every_adapter_says_how_its_library_is_installed():
    named = {adapter.needs or adapter.distribution for adapter in ADAPTERS.values()} - {None, "scipy"}
    assert {"torch", "numba", "s5-pytorch", "hippox", "control"} <= named
    for distribution in named:
        assert bringing(distribution).startswith("pip install 'hippo-verify["), distribution


@pytest.fixture
def without(monkeypatch):
    """An installation that lacks a distribution."""

    def lose(name):
        known = metadata.version

        def version(distribution):
            if distribution == name:
                raise metadata.PackageNotFoundError(name)
            return known(distribution)

        monkeypatch.setattr(metadata, "version", version)

    return lose


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_a_backend_without_its_library_is_not_installed(backend, without):
    assert Own(backend).version() == metadata.version("hippo-verify")
    without(backend)
    assert Own(backend).version() is None
    assert Own(backend).missing() == f"{backend} is not installed: pip install 'hippo-verify[{backend}]'"
    assert Own("numpy").version() == metadata.version("hippo-verify")
    assert Own("numpy").missing() is None


@pytest.mark.skipif(ADAPTERS["keras-lmu"].version() is not None, reason="keras-lmu is installed")
def test_a_check_that_needs_a_library_says_which_extra_brings_it():
    report = verify.check("keras-lmu", measure="lmu", orders=[4])
    assert report.exit_code == 3
    said = " ".join(verdict.message for verdict in report.verdicts)
    assert "(keras-lmu is not installed: pip install 'hippo-verify[keras-lmu]')" in said

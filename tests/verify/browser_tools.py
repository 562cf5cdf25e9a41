"""A headless Chromium, and the tool that finds what a page denies to people who see, hear or point otherwise."""

import os
import shutil

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import sync_playwright

CHROMIUM = os.environ.get("HIPPO_VERIFY_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium, or name it in HIPPO_VERIFY_CHROMIUM")
    with sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=["--force-prefers-reduced-motion"])
        yield chromium
        chromium.close()


def complaints_of_axe(page, **options):
    """What axe finds wrong with a page: the rule, and the first elements; the page must let scripts in."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page, options={"preload": False, **options}).response["violations"]
    return [(f["id"], [node["html"][:120] for node in f["nodes"][:3]]) for f in found]

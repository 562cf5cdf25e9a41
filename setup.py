"""The one thing that pyproject.toml cannot say: README as a package index shows it.

Its links lead to files beside it, which an index does not have: there they lead into the repository, at the tag of
this version. Everything else stands in pyproject.toml.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TREE = f"{PROJECT['urls']['Source']}/blob/v{PROJECT['version']}/"


def long_description() -> str:
    """README with absolute links."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.sub(r"\]\((?!\w+:|#)", f"]({TREE}", text)


setup(long_description=long_description(), long_description_content_type="text/markdown")

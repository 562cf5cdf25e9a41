"""The site of the documentation: `make docs` builds it into reports/generated/docs; every warning is an error."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

from hippo_site import commit  # noqa: E402  (its folder has just been put on the path)

_project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "hippo-verify"
author = "The hippo-verify developers"
project_copyright = "The hippo-verify developers, Apache-2.0"
version = release = _project["version"]
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "hippo_site",
]
exclude_patterns = ["_ext", "examples", "pictures", "_static"]
nitpicky = True
nitpick_ignore_regex = [
    # Types are named, and linked where the reference describes them: those of other projects would have to be fetched.
    ("py:class", r".*"),
    # Names in single backticks are linked where they name something, and are code where they do not.
    ("py:obj", r".*"),
    # Links to files of the repository are resolved where HTML is written, and tested there.
    ("repository", r".*"),
]
linkcheck_ignore = [r"https://img\.shields\.io/endpoint.*"]
linkcheck_anchors = False
default_role = "py:obj"
smartquotes = False  # two hyphens are the beginning of an option

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
html_math_renderer = "mathml"

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True

site_repository = "https://github.com/hippo-verify/hippo-verify"
site_commit = commit()

html_theme = "pydata_sphinx_theme"
html_title = "hippo-verify"
html_static_path = [name for name in ("_static", "_ext/static") if (HERE / name).is_dir()]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "hippo-verify"},
    "icon_links": [{"name": "GitHub", "url": site_repository, "icon": "fa-brands fa-github"}],
    "header_links_before_dropdown": 5,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}
html_context = {"default_mode": "auto"}  # light or dark, as the system says
html_sidebars = {"index": []}

"""Sphinx reads this: `make docs`."""

from __future__ import annotations

import os

import uplinks

project = "uplinks"
author = "the uplinks contributors"
copyright = author
version = release = uplinks.__version__

extensions = ["myst_parser", "notfound.extension", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Only the published site links to other projects' pages, so that a build needs no network.
if os.environ.get("READTHEDOCS"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "attrs": ("https://www.attrs.org/en/stable", None),
        "hypothesis": ("https://hypothesis.readthedocs.io/en/latest", None),
        "aiohttp": ("https://docs.aiohttp.org/en/stable", None),
    }
html_title = f"uplinks {release}"

# A single backtick in a docstring is a name of ours, shown as code.
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
myst_heading_anchors = 3

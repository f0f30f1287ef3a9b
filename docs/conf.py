"""Sphinx reads this: `make docs`."""

from __future__ import annotations

import uplinks

project = "uplinks"
author = "the uplinks contributors"
copyright = author
version = release = uplinks.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"uplinks {release}"

# A single backtick in a docstring is a name of ours, shown as code.
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
myst_heading_anchors = 3

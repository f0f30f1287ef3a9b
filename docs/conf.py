"""Sphinx reads this: `make docs`."""

from __future__ import annotations

import os
import pkgutil
import re
from contextlib import suppress
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs

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
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
myst_heading_anchors = 3

# --- the reference: a page for each public module ------------------------------

# The pages of the rules and the command line's own help describe these.
ELSEWHERE = ("uplinks.rules.", "uplinks.cli.", "uplinks.__main__")
PAGE = """# `{name}`

```{{eval-rst}}
.. automodule:: {name}
   :members:
```
"""


ATTRS_DEFAULT = re.compile(r"attr_dict\['(\w+)'\]\.default|\bNOTHING\b")


def show_defaults(
    _: object,
    kind: str,
    __: str,
    found: Any,
    ___: object,
    signature: str | None,
    result: str | None,
) -> tuple[str | None, str | None]:
    """Write the defaults of an attrs class as values, not as names in its ``__init__``."""

    def value(match: re.Match[str]) -> str:
        if match[1] is None:  # a factory makes it
            return "..."
        default = attrs.fields_dict(found)[match[1]].default
        if isinstance(default, Enum):
            return f"{type(default).__name__}.{default.name}"
        return repr(default)

    if kind == "class" and signature is not None and attrs.has(found):
        signature = ATTRS_DEFAULT.sub(value, signature)
    return signature, result


def setup(app: Any) -> None:
    """Write the pages, and name each class by its public module; Sphinx calls this.

    Not while this file is imported: the tests import it too, and need the classes as they are.
    """
    app.connect("autodoc-process-signature", show_defaults)
    folder = Path(__file__).parent / "reference"
    folder.mkdir(exist_ok=True)
    modules = [module.name for module in pkgutil.walk_packages(uplinks.__path__, "uplinks.")]
    public = [name for name in modules if "._" not in name and not name.startswith(ELSEWHERE)]
    for page in folder.glob("*.md"):
        if page.stem not in public:
            page.unlink()
    for name in public:
        page = folder / f"{name}.md"
        text = PAGE.format(name=name)
        if not page.exists() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")
        # A class that is public here is shown under this name, not that of its private module.
        module = import_module(name)
        for public_name in getattr(module, "__all__", ()):
            value = getattr(module, public_name)
            if isinstance(value, type) and "._" in value.__module__:
                with suppress(TypeError):  # an extension type has its name for good
                    value.__module__ = name

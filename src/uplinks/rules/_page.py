"""The sections of a rule's page."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["SECTIONS", "section", "yaml_example"]

SECTIONS: Final = ("What it checks", "Why", "Bad", "Good", "Source")

_EXAMPLE: Final = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def section(page: str, title: str) -> str:
    r"""Return the text of one section, ``""`` if the page has none.

    >>> section("# A\n\n## Why\n\nBecause.\n\n## Bad\n\nx\n", "Why")
    'Because.'
    """
    _, _, rest = page.partition(f"\n## {title}\n")
    return rest.partition("\n## ")[0].strip()


def yaml_example(page: str, title: str) -> str:
    r"""Return the YAML example of a section, ``""`` if it has none.

    >>> yaml_example("# A\n\n## Bad\n\n```yaml\na: 1\n```\n", "Bad")
    'a: 1\n'
    """
    found = _EXAMPLE.search(section(page, title) + "\n")
    return "" if found is None else found[1]

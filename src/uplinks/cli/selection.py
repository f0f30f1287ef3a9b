"""Which codes count: ``--select``, ``--ignore``, and the files they are about.

Rules of this file:

1. A code is selected by itself or by its prefix (``UPL2`` is all of 2xx). A prefix
   of no known code is an error.
2. A code that reports unread input cannot be left out: a check that read less than
   it was given must never look clean.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from typing import Final

from attrs import frozen

from uplinks import naming
from uplinks.cli.console import Unusable
from uplinks.diagnostics import LIMIT_EXCEEDED, Diagnostic

__all__ = ["ALWAYS", "PathIgnore", "Selection", "checked", "nearest_code", "path_pattern"]

ALWAYS: Final = frozenset({"UPL001", "UPL002", "UPL003", LIMIT_EXCEEDED, "UPL011", "UPL012"})
"""Codes of what was not read: these are always reported."""

_FIGURES: Final = str.maketrans("OIL", "011")


@frozen
class PathIgnore:
    """Codes that do not count in the files that a pattern matches."""

    pattern: re.Pattern[str]
    codes: tuple[str, ...]

    def covers(self, finding: Diagnostic) -> bool:
        """Tell whether the finding is in such a file and of such a code."""
        path = os.path.abspath(finding.location.file)  # noqa: PTH100 - links are not followed
        return finding.code.startswith(self.codes) and self.pattern.fullmatch(path) is not None


@frozen
class Selection:
    """Which findings count: chosen, not ignored, and not ignored in their file.

    >>> Selection(select=("UPL2",), ignore=("UPL203",)).has("UPL203")
    False
    """

    select: tuple[str, ...] = ("",)
    ignore: tuple[str, ...] = ()
    in_paths: tuple[PathIgnore, ...] = ()

    def has(self, code: str) -> bool:
        """Tell whether a code counts. Complexity: O(codes given)."""
        if code in ALWAYS:
            return True
        return code.startswith(self.select) and not code.startswith(self.ignore)

    def counts(self, finding: Diagnostic) -> bool:
        """Tell whether a finding counts."""
        if finding.code in ALWAYS:
            return True
        here = any(each.covers(finding) for each in self.in_paths)
        return self.has(finding.code) and not here


def checked(given: Iterable[str], codes: Collection[str], what: str) -> tuple[str, ...]:
    """Split a list of codes, and make sure that each begins one that exists.

    ``what`` is what the list is called. Raises: Unusable.

    >>> checked(["upl2, UPL301"], ["UPL201", "UPL301"], "--select")
    ('UPL2', 'UPL301')
    """
    found = []
    for text in (part.strip() for item in given for part in item.split(",")):
        code = text.upper()
        if not code or not any(known.startswith(code) for known in codes):
            near = nearest_code(code, codes)
            hint = f"; did you mean {near}?" if near else "; see uplinks explain"
            raise Unusable(f"{what}: unknown code {text!r}{hint}")
        if code in ALWAYS and not what.endswith("select"):
            raise Unusable(f"{what}: {code} cannot be ignored: what it is about was not read")
        found.append(code)
    return tuple(found)


def nearest_code(got: str, codes: Collection[str]) -> str | None:
    """Guess which code was meant: letters for figures and small letters first.

    >>> nearest_code("upl1o3", ["UPL003", "UPL103"])
    'UPL103'
    """
    code = got.upper()
    figures = code[:3] + code[3:].translate(_FIGURES)
    return figures if figures in codes else naming.nearest(code, codes)


def path_pattern(folder: str, glob: str) -> re.Pattern[str]:
    """Turn a pattern of paths below a folder into a regular expression: ``*``, ``?``, ``**``.

    >>> bool(path_pattern("/w", "old/**").fullmatch("/w/old/a/b.yaml"))
    True
    >>> bool(path_pattern("/w", "**/*.yaml").fullmatch("/w/b.yaml"))
    True
    >>> bool(path_pattern("/w", "*.yaml").fullmatch("/w/a/b.yaml"))
    False
    """
    parts = {"**/": "(?:.+/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    below = "".join(parts.get(piece, re.escape(piece)) for piece in pieces)
    return re.compile(re.escape(os.path.join(folder, "")) + below, re.DOTALL)  # noqa: PTH118

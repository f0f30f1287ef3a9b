"""Which findings count: ``--select``, ``--ignore`` and per-path ignores.

A code is selected by itself or by its prefix (``UPL2`` is all of 2xx). Codes for
unread input can be left out only for some files: an incomplete check must never look
clean by accident.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from typing import Final

from attrs import frozen

from uplinks import naming
from uplinks.cli.console import UsageError
from uplinks.diagnostics import Diagnostic
from uplinks.manifest import UNREAD

__all__ = [
    "ALWAYS",
    "Excludes",
    "PathIgnore",
    "PathPattern",
    "Selection",
    "checked",
    "nearest_code",
]

ALWAYS: Final = UNREAD | {"UPL011", "UPL012"}
"""Codes for input that was not read; they are always reported."""

_GLOB: Final = re.compile(r"(?:\*\*/)+|\*+|[^*]", re.DOTALL)
_DIGITS: Final = str.maketrans("OIL", "011")


@frozen
class PathIgnore:
    """Codes to ignore in the files that a pattern matches."""

    pattern: PathPattern
    codes: tuple[str, ...]

    def covers(self, finding: Diagnostic) -> bool:
        """Whether the finding has such a code, whatever it is, and is in such a file."""
        path = os.path.abspath(finding.location.file)  # noqa: PTH100 - links are not followed
        return finding.code.startswith(self.codes) and self.pattern.matches(path)


@frozen
class Selection:
    """Which findings count: selected, and not ignored in general or in their file.

    >>> Selection(select=("UPL2",), ignore=("UPL203",)).has("UPL203")
    False
    """

    select: tuple[str, ...] = ("",)
    ignore: tuple[str, ...] = ()
    in_paths: tuple[PathIgnore, ...] = ()

    def has(self, code: str) -> bool:
        """Whether a code counts. Complexity: O(codes given)."""
        if code in ALWAYS:
            return True
        return code.startswith(self.select) and not code.startswith(self.ignore)

    def counts(self, finding: Diagnostic) -> bool:
        """Whether a finding counts."""
        here = any(each.covers(finding) for each in self.in_paths)
        return self.has(finding.code) and not here


class Excludes:
    """Patterns of files and folders that are left out, each below a folder.

    A pattern without ``/`` matches names at any depth, also outside of the folder. A
    folder that matches is left out as a whole.

    >>> excludes = Excludes([("/w", "chart/"), ("/w", "old/*.yaml")])
    >>> excludes("/w/a/chart"), excludes("/w/old/b.yaml"), excludes("/w/b.yaml")
    (True, True, False)
    """

    def __init__(self, patterns: Iterable[tuple[str, str]]) -> None:
        self._patterns = tuple(
            _anywhere_or_below(folder, glob.rstrip("/").removeprefix("./"))
            for folder, glob in patterns
        )

    def __call__(self, path: str) -> bool:
        """Whether a file or folder matches."""
        full = os.path.abspath(path)  # noqa: PTH100 - links are not followed
        return any(pattern.matches(full) for pattern in self._patterns)


def _anywhere_or_below(folder: str, glob: str) -> PathPattern:
    if glob.startswith("/"):
        return PathPattern("/", glob[1:])
    return PathPattern(folder, glob) if "/" in glob else PathPattern("/", f"**/{glob}")


def checked(given: Iterable[str], codes: Collection[str], what: str) -> tuple[str, ...]:
    """Split lists of codes and check that each is a prefix of a known code.

    ``what`` names the list in messages. Raises: UsageError.

    >>> checked(["upl2, UPL301"], ["UPL201", "UPL301"], "--select")
    ('UPL2', 'UPL301')
    """
    found = []
    for text in (part.strip() for item in given for part in item.split(",")):
        code = text.upper()
        if not code or not any(known.startswith(code) for known in codes):
            near = nearest_code(code, codes)
            hint = f"; did you mean {near}?" if near else "; see uplinks explain"
            raise UsageError(f"{what}: unknown code {text!r}{hint}")
        if code in ALWAYS and what.endswith("ignore"):
            raise UsageError(
                f"{what}: {code} cannot be ignored everywhere, because it reports input that was "
                "not read; use exclude or per-path-ignores"
            )
        found.append(code)
    return tuple(found)


def nearest_code(got: str, codes: Collection[str]) -> str | None:
    """Suggest a code: first letters typed for digits, then the nearest name.

    >>> nearest_code("upl1o3", ["UPL003", "UPL103"])
    'UPL103'
    """
    code = got.upper()
    digits = code[:3] + code[3:].translate(_DIGITS)
    return digits if digits in codes else naming.nearest(code, codes)


class PathPattern:
    """A glob for paths below a folder: ``*`` and ``?`` within a name, ``**`` across folders.

    The glob runs as a bit-parallel automaton, one bit a position, because a
    regular expression with several ``*`` can take exponential time.
    Complexity: O(len(path) * len(glob) / 64).

    >>> PathPattern("/w", "old/**").matches("/w/old/a/b.yaml")
    True
    >>> PathPattern("/w", "**/*.yaml").matches("/w/b.yaml")
    True
    >>> PathPattern("/w", "*.yaml").matches("/w/a/b.yaml")
    False
    """

    def __init__(self, folder: str, glob: str) -> None:
        self._folder = os.path.join(folder, "")  # noqa: PTH118 - text, not a path
        self._literals: dict[str, int] = {}
        self._name = self._skip = self._loop = self._folders = 0
        bit = 1
        for part in _GLOB.findall(glob):
            if part[0] != "*":
                self._literals[part] = self._literals.get(part, 0) | bit
            elif part == "*":
                self._skip, self._name = self._skip | bit, self._name | bit
            elif part[-1] == "*":
                self._skip, self._loop = self._skip | bit, self._loop | bit
            else:  # "**/" is two positions: enter or skip the folders, then stay or leave at "/"
                self._skip, self._folders = self._skip | bit, self._folders | bit
                bit <<= 1
                self._loop |= bit
                self._literals["/"] = self._literals.get("/", 0) | bit
            bit <<= 1
        self._end = bit

    def matches(self, path: str) -> bool:
        """Whether the whole of an absolute path matches."""
        if not path.startswith(self._folder):
            return False
        one = self._literals.get("?", 0)
        states = self._closure(1)
        for character in path[len(self._folder) :]:
            steps = 0 if character == "?" else self._literals.get(character, 0)
            stay = self._loop
            if character != "/":
                steps |= one
                stay |= self._name
            states = self._closure((states & steps) << 1 | states & stay)
        return bool(states & self._end)

    def _closure(self, states: int) -> int:
        """Add positions reached without a character; a run of wildcards has at most 3."""
        for _ in range(3):
            states |= (states & self._skip) << 1 | (states & self._folders) << 2
        return states

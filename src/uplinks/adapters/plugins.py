"""Rules and probing modes of other distributions, by their entry points.

A distribution lists its rules in the entry-point group ``uplinks.rules``: each
entry is a `uplinks.rules.Rule` or an iterable of them. An entry in
``uplinks.probers`` is named after the mode that it can probe.

An entry that cannot be loaded, is not a rule or reuses a code is an error that
names the entry point and its distribution.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from uplinks.errors import UnusablePlugin
from uplinks.rules import RETIRED, Rule, codes

__all__ = ["GROUP", "PROBERS", "load_rules", "modes"]

GROUP: Final = "uplinks.rules"
PROBERS: Final = "uplinks.probers"
OWN_PREFIX: Final = "UPL"

_SECTION: Final = re.compile(r"^\[\s*([^\]\s]+)\s*\]\s*$(.*?)(?=^\[|\Z)", re.MULTILINE | re.DOTALL)
_NAME: Final = re.compile(r"^([^\s#;=][^=\n]*?)\s*=", re.MULTILINE)


def load_rules(path: Sequence[str] | None = None) -> tuple[Rule, ...]:
    """Load the rules of all installed distributions, sorted by code.

    ``path`` lists the folders to search for distributions, by default `sys.path`.

    Complexity: O(distributions), plus their imports. Raises: `UnusablePlugin`.

    >>> load_rules([])
    ()

    Source: Python Packaging User Guide, "Entry points specification".
    """
    where = sys.path if path is None else path
    if not any(_names(where, GROUP)):
        return ()
    from importlib import metadata  # noqa: PLC0415 - slow, and seldom needed

    taken = dict.fromkeys((*codes(), *RETIRED), "this library")
    found: list[Rule] = []
    for distribution in metadata.distributions(path=list(where)):
        for point in distribution.entry_points.select(group=GROUP):
            name = f"{point.name!r} of {distribution.metadata['Name']}"
            for rule in _loaded(point, name):
                _claim(rule, name, taken)
                found.append(rule)
    return tuple(sorted(found, key=lambda rule: rule.code))


def modes(path: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the names of the modes that installed distributions can probe, sorted.

    Imports nothing. Complexity: O(distributions).

    >>> modes([])
    ()

    Source: Python Packaging User Guide, "Entry points specification".
    """
    return tuple(sorted(set(_names(sys.path if path is None else path, PROBERS))))


def _loaded(point: Any, name: str) -> Iterable[Rule]:
    try:
        loaded = point.load()
        rules = [loaded] if isinstance(loaded, Rule) else list(loaded)
    except Exception as error:
        raise UnusablePlugin(name, f"it raised {type(error).__name__}") from error
    for rule in rules:
        if not isinstance(rule, Rule):
            raise UnusablePlugin(name, f"it must provide rules, got {type(rule).__name__}")
    return rules


def _claim(rule: Rule, name: str, taken: dict[str, str]) -> None:
    if rule.code.startswith(OWN_PREFIX):
        raise UnusablePlugin(name, f"its code {rule.code} has this library's prefix {OWN_PREFIX}")
    if rule.code in taken:
        raise UnusablePlugin(name, f"its code {rule.code} is taken by {taken[rule.code]}")
    taken[rule.code] = name


def _names(path: Iterable[str], group: str) -> Iterator[str]:
    """Yield the names in a group, without importing any.

    Reads the files itself: most installations have no entries, and `importlib.metadata` is slow.
    """
    for folder in path:
        for text in _entry_points(folder or os.curdir):
            if group in text:
                for section in _SECTION.finditer(text):
                    if section[1] == group:
                        yield from _NAME.findall(section[2])


def _entry_points(folder: str) -> Iterator[str]:
    try:
        entries = os.listdir(folder)  # noqa: PTH208 - names are enough
    except OSError:
        return  # not a folder: a zip file, or missing
    for entry in entries:
        if entry.endswith((".dist-info", ".egg-info")):
            file = os.path.join(folder, entry, "entry_points.txt")  # noqa: PTH118
            try:
                with open(file, encoding="utf-8", errors="replace") as lines:  # noqa: PTH123
                    yield lines.read()
            except OSError:
                continue

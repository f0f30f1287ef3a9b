"""Rules and modes that other distributions bring, by their entry points.

Rules of this file:

1. A distribution lists a rule of its own in the entry-point group
   ``uplinks.rules``: a `uplinks.rules.Rule`, or an iterable of them. A mode that
   it can probe is the name of an entry point in ``uplinks.probers``.
2. Only entry points in these groups are imported. One that cannot be loaded, is not
   a rule, or takes a code that is in use is an error that names the entry point and
   its distribution.
3. The groups are looked up in the files ``entry_points.txt`` beside the modules:
   most installations have no rules, and finding that out must be fast.
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

    ``path`` is where distributions are looked for, by default `sys.path`.

    Complexity: O(distributions), and what the imports take. Raises `UnusablePlugin`.

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
    """Name the modes of health checks that installed distributions can probe, sorted.

    Nothing is imported. Complexity: O(distributions). Raises nothing.

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
            raise UnusablePlugin(name, f"it gives a {type(rule).__name__}, not a rule")
    return rules


def _claim(rule: Rule, name: str, taken: dict[str, str]) -> None:
    if rule.code.startswith(OWN_PREFIX):
        raise UnusablePlugin(name, f"its code {rule.code} has this library's prefix {OWN_PREFIX}")
    if rule.code in taken:
        raise UnusablePlugin(name, f"its code {rule.code} is taken by {taken[rule.code]}")
    taken[rule.code] = name


def _names(path: Iterable[str], group: str) -> Iterator[str]:
    """Read the names in a group, distribution by distribution, without importing any."""
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
        return  # no folder: a zip file, or nothing at all
    for entry in entries:
        if entry.endswith((".dist-info", ".egg-info")):
            file = os.path.join(folder, entry, "entry_points.txt")  # noqa: PTH118
            try:
                with open(file, encoding="utf-8", errors="replace") as lines:  # noqa: PTH123
                    yield lines.read()
            except OSError:
                continue

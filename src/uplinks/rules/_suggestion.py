"""What was probably meant: "did you mean", at a bounded cost for each report.

Three rules keep the cost bounded and the result independent of order:

1. A rule names what it could not find and the candidates; it never compares.
   Suggestions are chosen once all results are known, in the order of their places.
2. A report spends at most `WORK` on suggestions. A diagnostic beyond that has no
   suggestion.
3. Among many candidates only those next to the name in sorted order are compared,
   once sorted by their beginnings and once by their ends: a single mistake leaves
   one half of the name intact.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Collection, Iterable
from typing import Final

from attrs import evolve, frozen

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Fix

__all__ = ["SHORTLIST", "WORK", "RuleResult", "Suggestion", "replace_element", "resolve"]

WORK: Final = 2_000_000
"""Pairs of characters compared for one report, at most: 0.4 seconds at worst."""

SHORTLIST: Final = 256
"""How many candidates are compared with one name."""


@frozen
class Suggestion:
    """A diagnostic whose suggestion is still to be chosen from the candidates.

    ``suffix`` is appended to the chosen candidate. ``written`` is the string at the place of
    the diagnostic, a name or a comma-separated list with it, if correcting the name there
    is right. Suggestions may share one ``candidates`` collection, which must not change
    before `resolve` returns.
    """

    diagnostic: Diagnostic
    name: str
    candidates: Collection[str]
    suffix: str = ""
    written: str | None = None


RuleResult = Diagnostic | Suggestion
"""What a rule yields."""


def resolve(results: Iterable[RuleResult]) -> list[Diagnostic]:
    """Choose all suggestions, within `WORK`; return the diagnostics sorted by place.

    Law: the result does not depend on the order of ``results``.
    Complexity: O(f log f + c log c) for f diagnostics and c candidates, plus `WORK`.

    >>> from uplinks.diagnostics import Severity
    >>> unknown = Diagnostic("UPL303", Severity.ERROR, "unknown uplink 'ap'")
    >>> [d.suggestion for d in resolve([Suggestion(unknown, "ap", {"api", "web"})])]
    ['api']
    """
    ordered = sorted(results, key=lambda each: _diagnostic(each).sort_key)
    sorted_names: dict[int, tuple[list[str], list[str]]] = {}
    left = WORK
    resolved = []
    for each in ordered:
        if isinstance(each, Diagnostic):
            resolved.append(each)
            continue
        # Without any work left, not even the shortlist is built.
        candidates = _shortlist(each, sorted_names) if left > 0 else ()
        work = len(each.name) * sum(map(len, candidates))
        near = naming.nearest(each.name, candidates) if work <= left else None
        left -= work
        text = None if near is None else f"{near}{each.suffix}"
        fix = _fix(each, candidates) if near is not None else None
        resolved.append(evolve(each.diagnostic, suggestion=text, fix=fix))
    return resolved


def _fix(each: Suggestion, candidates: Collection[str]) -> Fix | None:
    """Correct the name where it is written, if it is one misspelling of one candidate."""
    meant = None if each.written is None else naming.misspelt(each.name, candidates)
    if each.written is None or meant is None:
        return None
    old, new = each.name + each.suffix, meant + each.suffix
    if new in (element.strip() for element in each.written.split(",")):
        return None  # another one was meant
    return Fix(each.written, replace_element(each.written, old, new))


def replace_element(text: str, old: str, new: str) -> str:
    """Replace an element of a comma-separated list, and keep the spaces.

    >>> replace_element("api, web", "web", "www")
    'api, www'
    """
    elements = text.split(",")
    return ",".join(e.replace(old, new) if e.strip() == old else e for e in elements)


def _diagnostic(each: RuleResult) -> Diagnostic:
    return each if isinstance(each, Diagnostic) else each.diagnostic


def _shortlist(
    suggestion: Suggestion, sorted_names: dict[int, tuple[list[str], list[str]]]
) -> Collection[str]:
    if len(suggestion.candidates) <= SHORTLIST:
        return suggestion.candidates
    # An identity is a safe key: the suggestions keep their collections alive.
    key = id(suggestion.candidates)
    if key not in sorted_names:
        names = sorted(suggestion.candidates)
        sorted_names[key] = (names, sorted(name[::-1] for name in names))
    forwards, backwards = sorted_names[key]
    beside = _beside(suggestion.name, forwards)
    return {*beside, *(name[::-1] for name in _beside(suggestion.name[::-1], backwards))}


def _beside(name: str, names: list[str]) -> list[str]:
    middle, half = bisect(names, name), SHORTLIST // 4
    return names[max(0, middle - half) : middle + half]

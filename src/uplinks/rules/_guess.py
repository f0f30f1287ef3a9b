"""What was probably meant: "did you mean", at a bounded cost for each report.

Rules of this file:

1. A rule says what it could not find and what there is; it never compares.
   Guesses are made when all findings are known, in the order of their places,
   so that which of them are made does not depend on who reported first.
2. A report spends at most `WORK` on guesses, whatever it was made of. A finding
   beyond that is whole but for its suggestion.
3. Out of many candidates only those beside the name in sorted order are
   compared, by their beginnings and by their ends: one mistake leaves one of
   the two halves as it was.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Collection, Iterable
from typing import Final

from attrs import evolve, frozen

from uplinks import naming
from uplinks.diagnostics import Diagnostic

__all__ = ["SHORTLIST", "WORK", "Finding", "Guess", "settle"]

WORK: Final = 2_000_000
"""Pairs of characters that may be compared for one report: 0.4 seconds at worst."""

SHORTLIST: Final = 256
"""How many candidates are compared with one name."""


@frozen
class Guess:
    """A finding whose suggestion is still open: one of the candidates, or none.

    ``suffix`` is written after the candidate. ``candidates`` is not changed
    while the guess lives; guesses about one collection share it.
    """

    finding: Diagnostic
    name: str
    candidates: Collection[str]
    suffix: str = ""


Finding = Diagnostic | Guess
"""What a rule yields."""


def settle(findings: Iterable[Finding]) -> list[Diagnostic]:
    """Answer all guesses, within `WORK`; give the findings sorted by place.

    Law: the result does not depend on the order of the findings.
    Complexity: O(f log f + c log c) for f findings and c candidates, plus `WORK`.

    >>> from uplinks.diagnostics import Severity
    >>> finding = Diagnostic("UPL303", Severity.ERROR, "unknown uplink 'ap'")
    >>> [d.suggestion for d in settle([Guess(finding, "ap", {"api", "web"})])]
    ['api']
    """
    ordered = sorted(findings, key=lambda each: _finding(each).sort_key)
    sorted_names: dict[int, tuple[list[str], list[str]]] = {}
    left = WORK
    settled = []
    for each in ordered:
        if isinstance(each, Diagnostic):
            settled.append(each)
            continue
        # Once nothing is left, not even the candidates are looked at.
        candidates = _shortlist(each, sorted_names) if left > 0 else ()
        work = len(each.name) * sum(map(len, candidates))
        near = naming.nearest(each.name, candidates) if work <= left else None
        left -= work
        text = None if near is None else f"{near}{each.suffix}"
        settled.append(evolve(each.finding, suggestion=text))
    return settled


def _finding(each: Finding) -> Diagnostic:
    return each if isinstance(each, Diagnostic) else each.finding


def _shortlist(
    guess: Guess, sorted_names: dict[int, tuple[list[str], list[str]]]
) -> Collection[str]:
    if len(guess.candidates) <= SHORTLIST:
        return guess.candidates
    # By identity: the guesses hold the collections, so none is replaced by another.
    key = id(guess.candidates)
    if key not in sorted_names:
        names = sorted(guess.candidates)
        sorted_names[key] = (names, sorted(name[::-1] for name in names))
    forwards, backwards = sorted_names[key]
    beside = _beside(guess.name, forwards)
    return {*beside, *(name[::-1] for name in _beside(guess.name[::-1], backwards))}


def _beside(name: str, names: list[str]) -> list[str]:
    middle, half = bisect(names, name), SHORTLIST // 4
    return names[max(0, middle - half) : middle + half]

"""Whether one rule covers another: every request of the second matches the first.

A rule becomes alternatives of literals (a condition, or its negation). The first rule
covers the second if each alternative of the second implies one of the first,
that is, each literal of the first's alternative follows from one of the second's.
This is cautious: True is certain, False may only mean that no proof was found.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Final

from uplinks.router_rules._conditions import Condition, always, excludes, implies
from uplinks.router_rules._syntax import Operator

__all__ = [
    "Conjunction",
    "Conjunctions",
    "Literal",
    "anchor",
    "conjunctions",
    "covers",
    "implied_anchors",
]

Literal = tuple[Condition, bool]
"""A condition, and whether a request has to meet it (True) or to fail it."""

Conjunction = frozenset[Literal]
Conjunctions = tuple[Conjunction, ...]

MAX_ALTERNATIVES: Final = 32
MAX_LITERALS: Final = 32
MAX_LENGTH: Final = 512  # matchers and operators of a rule

_Form = tuple[Conjunctions | None, Conjunctions | None]  # of a rule, and of its negation


def conjunctions(postfix: Sequence[Condition | Operator]) -> Conjunctions | None:
    """Write a rule as alternatives, without those that no request can meet.

    ``None`` stands for a rule beyond the limits of this file.
    Complexity: O(len(postfix)), as the limits are constant.
    """
    if len(postfix) > MAX_LENGTH:
        return None
    stack: list[_Form] = []
    for item in postfix:
        if isinstance(item, Condition):
            stack.append(_of_condition(item))
        elif item is Operator.NOT:
            positive, negative = stack.pop()
            stack.append((negative, positive))
        else:
            second, first = stack.pop(), stack.pop()
            if item is Operator.OR:
                stack.append((_either(first[0], second[0]), _both(first[1], second[1])))
            else:
                stack.append((_both(first[0], second[0]), _either(first[1], second[1])))
    return stack.pop()[0]


def _of_condition(condition: Condition) -> _Form:
    if always(condition):
        return (frozenset(),), ()
    if condition.kind == "any":
        alternatives = tuple(frozenset({(each, True)}) for each in condition.parts)
        negation = frozenset((each, False) for each in condition.parts)
        return _limited(alternatives), _limited((negation,))
    return (frozenset({(condition, True)}),), (frozenset({(condition, False)}),)


def _either(one: Conjunctions | None, other: Conjunctions | None) -> Conjunctions | None:
    return None if one is None or other is None else _limited(tuple(dict.fromkeys(one + other)))


def _both(one: Conjunctions | None, other: Conjunctions | None) -> Conjunctions | None:
    if one is None or other is None or len(one) * len(other) > MAX_ALTERNATIVES:
        return None
    joined = dict.fromkeys(first | second for first in one for second in other)
    return _limited(tuple(each for each in joined if len(each) > MAX_LITERALS or _possible(each)))


def _limited(found: Conjunctions) -> Conjunctions | None:
    too_long = len(found) > MAX_ALTERNATIVES or any(len(each) > MAX_LITERALS for each in found)
    return None if too_long else found


def _possible(literals: Conjunction) -> bool:
    needed = [test for test, passed in literals if passed]
    return not any(
        (test, False) in literals or any(excludes(test, other) for other in needed)
        for test in needed
    )


def covers(first: Conjunctions | None, second: Conjunctions | None) -> bool:
    """Whether every request that matches the second rule matches the first. Cautious."""
    if first is None or second is None:
        return False
    return all(any(_covers_one(outer, inner) for outer in first) for inner in second)


def _covers_one(outer: Conjunction, inner: Conjunction) -> bool:
    return all(any(_follows(known, wanted) for known in inner) for wanted in outer)


def _follows(known: Literal, wanted: Literal) -> bool:
    (one, passed), (other, needed) = known, wanted
    if passed and needed:
        return implies(one, other)
    if passed:
        return excludes(one, other)
    return not needed and implies(other, one)


# --- an index of rules ------------------------------------------------------------

_LONGEST_KEY: Final = 256
ANY: Final = ""


def anchor(conjunction: Conjunction) -> Hashable:
    """Name one condition of an alternative, by which `implied_anchors` finds it.

    Law: if an alternative covers another, its anchor is among those that the other
    implies.
    """
    keys = [_key(condition) for condition, passed in conjunction if passed]
    return min((key for key in keys if key is not None), default=ANY)


def _key(condition: Condition) -> tuple[str, str] | None:
    """The key of a condition; paths come before hosts, as they differ more."""
    match condition.kind:
        case "path":
            return "1 is", condition.value[:_LONGEST_KEY]
        case "prefix":
            return "2 begins", condition.value[:_LONGEST_KEY]
        case "host" | "exact host":
            return "3 host", condition.value.removesuffix(".")
        case _:
            return None


def implied_anchors(conjunction: Conjunction) -> Iterator[Hashable]:
    """Yield the anchors of all alternatives that can cover one.

    Complexity: O(characters of its paths), at most 256 each.
    """
    yield ANY
    for condition, passed in conjunction:
        key = _key(condition) if passed else None
        if key is None:
            continue
        yield key
        kind, text = key
        if kind == "3 host":
            _, dot, rest = text.partition(".")
            yield kind, f"*{dot}{rest}"
        else:
            for end in range(len(text) + (kind == "1 is")):
                yield "2 begins", text[:end]

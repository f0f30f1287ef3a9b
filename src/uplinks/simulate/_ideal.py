"""What share each target is entitled to.

Rules of this file:

1. Shares are exact fractions. They follow from weights and from what is
   eligible, never from what was picked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import Any, TypeVar

from uplinks.balance import Selector
from uplinks.model import ChildService
from uplinks.parent import Target

__all__ = ["by_child", "child_of", "from_the_top", "ideal_shares"]

Part = TypeVar("Part", int, Fraction)


def ideal_shares(selector: Selector, failovers: Collection[Selector] = ()) -> dict[Any, Fraction]:
    """Tell what share of the picks each target is entitled to at this moment.

    Every target is there, those that are not eligible with 0; a selector
    within a selector passes its own share on. When nothing is eligible, all
    have 0. ``failovers`` are the selectors that take the first that is eligible.

    Complexity: O(targets), those of nested selectors included.

    >>> selector = Selector([("a", 90), ("b", 10)])
    >>> [str(share) for share in ideal_shares(selector).values()]
    ['9/10', '1/10']

    Source: reference page, "Weight Configuration".
    """
    shares: dict[Any, Fraction] = {selector: Fraction(1)}
    for node in from_the_top(selector):
        share = shares.pop(node)
        weights = _effective_weights(node, failovers)
        total = sum(weights.values()) or 1
        for target, weight in weights.items():
            part = share * Fraction(weight, total)
            shares[target] = shares.get(target, Fraction(0)) + part
    return shares


def from_the_top(selector: Selector) -> list[Selector]:
    """Order a selector and those within it: each before all that it holds."""
    finished: dict[Selector, None] = {}
    path = {selector: iter(selector.weights)}
    while path:
        node, inside = next(reversed(path.items()))
        held = next((target for target in inside if isinstance(target, Selector)), None)
        if held is None:
            path.popitem()
            finished[node] = None
        elif held not in finished:
            path[held] = iter(held.weights)
    return [*reversed(finished)]


def _effective_weights(selector: Selector, failovers: Collection[Selector]) -> dict[Any, int]:
    states = selector.states
    weights = {
        target: weight if states[target] and _eligible(target) else 0
        for target, weight in selector.weights.items()
    }
    if selector in failovers:
        first = next((target for target, weight in weights.items() if weight), None)
        return {target: int(target is first) for target in weights}
    return weights


def _eligible(target: object) -> bool:
    return target.eligible if isinstance(target, Selector) else True


def by_child(parts: Mapping[Target, Part]) -> dict[str, Part]:
    """Add up what belongs to one child: it may be reached by more than one name."""
    sums: dict[str, Part] = {}
    for target, part in parts.items():
        name = child_of(target)
        sums[name] = sums[name] + part if name in sums else part
    return sums


def child_of(target: Target) -> str:
    """Name the child, or ``namespace/name`` for a Kubernetes Service of the parent itself."""
    if isinstance(target, ChildService):
        return target.child
    return f"{target.namespace}/{target.name}"

"""The exact share of the requests that each target is entitled to by weight and eligibility."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import Any, TypeVar

from uplinks.balance import Selector
from uplinks.model import ChildService
from uplinks.parent import Target

__all__ = ["child_name", "ideal_shares", "sum_by_child", "topological_order"]

Part = TypeVar("Part", int, Fraction)


def ideal_shares(
    selector: Selector[Any], failovers: Collection[Selector[Any]] = ()
) -> dict[Any, Fraction]:
    """Return the current share of each target, as exact fractions.

    The result has every target; those that are not eligible have 0. A nested selector passes its
    share on to its own targets. ``failovers`` are the selectors that use their first eligible
    target only.

    Complexity: O(targets), those of nested selectors included.

    >>> selector = Selector([("a", 90), ("b", 10)])
    >>> [str(share) for share in ideal_shares(selector).values()]
    ['9/10', '1/10']

    Source: reference page, "Weight Configuration".
    """
    shares: dict[Any, Fraction] = {selector: Fraction(1)}
    for node in topological_order(selector):
        share = shares.pop(node)
        weights = _effective_weights(node, failovers)
        total = sum(weights.values()) or 1
        for target, weight in weights.items():
            part = share * Fraction(weight, total)
            shares[target] = shares.get(target, Fraction(0)) + part
    return shares


def topological_order(selector: Selector[Any]) -> list[Selector[Any]]:
    """List a selector and those nested in it, each before all that it contains."""
    finished: dict[Selector[Any], None] = {}
    path = {selector: iter(selector.weights)}
    while path:
        node, targets = next(reversed(path.items()))
        nested = next((target for target in targets if isinstance(target, Selector)), None)
        if nested is None:
            path.popitem()
            finished[node] = None
        elif nested not in finished:
            path[nested] = iter(nested.weights)
    return [*reversed(finished)]


def _effective_weights(
    selector: Selector[Any], failovers: Collection[Selector[Any]]
) -> dict[Any, int]:
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


def sum_by_child(parts: Mapping[Target, Part]) -> dict[str, Part]:
    """Sum values by child: one child may be reached through several services."""
    sums: dict[str, Part] = {}
    for target, part in parts.items():
        name = child_name(target)
        sums[name] = sums[name] + part if name in sums else part
    return sums


def child_name(target: Target) -> str:
    """Return the child's name, or ``namespace/name`` for a Kubernetes Service of the parent."""
    if isinstance(target, ChildService):
        return target.child
    return f"{target.namespace}/{target.name}"

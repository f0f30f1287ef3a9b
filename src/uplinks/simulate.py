"""What a service would do while children fail and return.

Rules of this file:

1. Time is counted in requests: an outage is from one request to another, the
   second one excluded.
2. Shares are exact fractions. The ideal share follows from the weights of
   what is eligible, never from what was picked.
3. A window is a stretch of requests during which nothing changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import frozen

from uplinks.balance import Selector
from uplinks.errors import NoEligibleTarget, UnknownChild
from uplinks.model import ChildService, ServiceReference
from uplinks.naming import nearest

if TYPE_CHECKING:
    from uplinks.parent import Parent

__all__ = ["Outage", "Share", "Simulation", "Window", "ideal_shares", "simulate"]

Part = TypeVar("Part", int, Fraction)
Target = ChildService | ServiceReference


@frozen
class Outage:
    """A child is down from request ``first`` up to, and without, ``last``.

    Requests count from 0. Raises: ValueError unless 0 <= first < last.

    >>> Outage("child-1", 3000, 6000)
    Outage(child='child-1', first=3000, last=6000)
    """

    child: str
    first: int
    last: int

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.first < self.last:
            raise ValueError(
                f"an outage is from a request to a later one, not {self.first}-{self.last}"
            )


@frozen
class Share:
    """What one child got in a window: requests, and its share beside the ideal one.

    ``child`` is the child's name, or ``namespace/name`` for a Kubernetes
    Service of the parent itself.
    """

    child: str
    requests: int
    share: Fraction
    ideal: Fraction


@frozen
class Window:
    """Requests from ``first`` up to, and without, ``last``, under one condition.

    ``down`` are the children with an outage, ``failures`` the requests that
    found nothing eligible.
    """

    first: int
    last: int
    down: tuple[str, ...]
    shares: tuple[Share, ...]
    failures: int = 0


@frozen
class Simulation:
    """The windows of a simulated service, in the order of their requests."""

    service: str
    requests: int
    windows: tuple[Window, ...]

    @property
    def failures(self) -> int:
        """The number of requests that found nothing eligible."""
        return sum(window.failures for window in self.windows)


def simulate(
    parent: Parent, service: str, requests: int, outages: Iterable[Outage] = ()
) -> Simulation:
    """Send requests through a service while children fail and return.

    The parent is used, not copied: its selectors move on. Afterwards every
    child that had an outage is up again.

    Complexity: O(requests) picks.
    Raises: UnknownChild for an outage of a child that the parent does not
    list; ValueError for a negative number of requests; as `Parent.selector`.

    >>> from uplinks.model import Advertisement, Child, ParentConfig
    >>> from uplinks.parent import Parent
    >>> parent = Parent(ParentConfig({"eu": Child("https://eu"), "us": Child("https://us")}))
    >>> for child in ("eu", "us"):
    ...     parent.advertise(child, [Advertisement("api", "apps/api", ["m"])], now=0)
    >>> run = simulate(parent, "api@multicluster", 30, [Outage("eu", 10, 20)])
    >>> [[share.requests for share in window.shares] for window in run.windows]
    [[5, 5], [0, 10], [5, 5]]

    Source: reference page, "Health Check Behavior".
    """
    planned = tuple(outages)
    for outage in planned:
        if outage.child not in parent.config.children:
            raise UnknownChild(outage.child, nearest(outage.child, parent.config.children))
    if requests < 0:
        raise ValueError(f"the number of requests is {requests}; 0 or more is allowed")
    selector = parent.selector(service)
    windows = []
    was_down: frozenset[str] = frozenset()
    for first, last in _stretches(requests, planned):
        down = frozenset(o.child for o in planned if o.first <= first < o.last)
        for child in sorted(was_down ^ down):
            parent.set_up(child, child not in down, parent.now)
        was_down = down
        windows.append(_window(selector, parent.failovers, first, last, down))
    for child in sorted(was_down):
        parent.set_up(child, True, parent.now)  # noqa: FBT003 - the selector's face
    return Simulation(service, requests, tuple(windows))


def _stretches(requests: int, outages: Iterable[Outage]) -> Iterator[tuple[int, int]]:
    edges = {0, requests}
    for outage in outages:
        edges |= {min(outage.first, requests), min(outage.last, requests)}
    yield from pairwise(sorted(edges))


def _window(
    selector: Selector,
    failovers: Collection[Selector],
    first: int,
    last: int,
    down: frozenset[str],
) -> Window:
    ideal = _by_child(ideal_shares(selector, failovers))
    picks: Counter[Target] = Counter()
    failures = 0
    for _ in range(last - first):
        try:
            picks[selector.pick()] += 1
        except NoEligibleTarget:
            failures += 1
    got = _by_child(picks)
    return Window(
        first,
        last,
        tuple(sorted(down)),
        tuple(
            Share(child, got.get(child, 0), Fraction(got.get(child, 0), last - first), share)
            for child, share in sorted(ideal.items())
        ),
        failures,
    )


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
    for node in _from_the_top(selector):
        share = shares.pop(node)
        weights = _effective_weights(node, failovers)
        total = sum(weights.values()) or 1
        for target, weight in weights.items():
            part = share * Fraction(weight, total)
            shares[target] = shares.get(target, Fraction(0)) + part
    return shares


def _from_the_top(selector: Selector) -> list[Selector]:
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


def _by_child(parts: Mapping[Target, Part]) -> dict[str, Part]:
    """Add up what belongs to one child: it may be reached by more than one name."""
    sums: dict[str, Part] = {}
    for target, part in parts.items():
        name = (
            target.child
            if isinstance(target, ChildService)
            else f"{target.namespace}/{target.name}"
        )
        sums[name] = sums[name] + part if name in sums else part
    return sums

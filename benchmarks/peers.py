"""The alternatives, as they are commonly written or as they come from PyPI.

1. Each peer is as fast as it can be: a plain path while nothing is down, nothing looked up twice,
   lists rather than objects where that is faster.
2. Each takes targets and weights, has `pick` and `set_up`, and treats a target that is down as
   its kind does: it skips the target on each pick, or rebuilds at the change.
3. Packages are imported on use, so that this file can be imported without them.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from heapq import heapify, heapreplace
from importlib import import_module
from itertools import accumulate, cycle
from math import gcd
from random import Random
from types import MappingProxyType
from typing import Any, ClassVar, Final

__all__ = ["ALL", "Peer"]


class Peer:
    """A way to choose a target."""

    name: ClassVar[str]
    weighted: ClassVar[bool] = True

    pick: Callable[[], Any]

    def __init__(self, targets: Sequence[str], weights: Sequence[int]) -> None:
        self.targets = list(targets)
        self.weights = list(weights)
        self.place = {target: i for i, target in enumerate(targets)}
        self.down: set[str] = set()
        # One generator for its whole life: one that starts anew at a change repeats its choices.
        self.random = Random(1)  # noqa: S311 - the same each time is the point
        self.build()

    def build(self) -> None:
        """Prepare to pick."""
        raise NotImplementedError

    def set_up(self, target: str, up: bool) -> None:  # noqa: FBT001 - the face of a selector
        """Take a target out, or back in."""
        (self.down.discard if up else self.down.add)(target)
        self.changed()

    def changed(self) -> None:
        """React to a change of status."""
        self.build()

    def live(self) -> list[tuple[str, int]]:
        """Return the targets that may be picked, with their weights."""
        both = zip(self.targets, self.weights, strict=True)
        return [(target, weight) for target, weight in both if target not in self.down]


class Expanded(Peer):
    """Each target as often as its weight, in a cycle; skips targets that are down."""

    name = "itertools.cycle, expanded list"

    def build(self) -> None:
        both = zip(self.targets, self.weights, strict=True)
        self.turns = cycle([target for target, weight in both for _ in range(weight)])
        self.changed()

    def changed(self) -> None:
        self.pick = self.skipping if self.down else self.turns.__next__

    def skipping(self) -> str:
        down = self.down
        for target in self.turns:
            if target not in down:
                return target
        raise AssertionError


class PlainChoices(Peer):
    """A random choice, as it is commonly written."""

    name = "random.choices, weights="

    def build(self) -> None:
        live = self.live()
        names = [target for target, _ in live]
        shares = [weight for _, weight in live]
        choices = self.random.choices

        def pick() -> str:
            return choices(names, weights=shares)[0]

        self.pick = pick


class Earliest(Peer):
    """Earliest deadline first on a heap, as Envoy and Traefik; skips targets that are down."""

    name = "heapq, earliest deadline first"

    def build(self) -> None:
        steps = {t: 1 / w for t, w in zip(self.targets, self.weights, strict=True)}
        heap = [(step, i, target) for i, (target, step) in enumerate(steps.items())]
        heapify(heap)
        down = self.down

        def pick() -> str:
            deadline, i, target = heap[0]
            heapreplace(heap, (deadline + steps[target], i, target))
            return target

        def skipping() -> str:
            while True:
                target = pick()
                if target not in down:
                    return target

        self.plain, self.skipping = pick, skipping
        self.changed()

    def changed(self) -> None:
        self.pick = self.skipping if self.down else self.plain


class EarliestAnew(Peer):
    """The same heap, rebuilt of the targets that are up, as a reload of a configuration does."""

    name = "heapq, rebuilt at a change"

    def build(self) -> None:
        steps = {target: 1 / weight for target, weight in self.live()}
        heap = [(step, i, target) for i, (target, step) in enumerate(steps.items())]
        heapify(heap)

        def pick() -> str:
            deadline, i, target = heap[0]
            heapreplace(heap, (deadline + steps[target], i, target))
            return target

        self.pick = pick


class Smooth(Peer):
    """The smooth weighted round robin of nginx; a change keeps the state of the other targets."""

    name = "smooth (nginx), by hand"

    def build(self) -> None:
        self.current = [0] * len(self.targets)
        self.changed()

    def changed(self) -> None:
        targets, current = self.targets, self.current
        places = [self.place[target] for target, _ in self.live()]
        shares = [(i, self.weights[i]) for i in places]
        total = sum(share for _, share in shares)

        def pick() -> str:
            best, most = -1, -(1 << 62)
            for i, share in shares:
                value = current[i] = current[i] + share
                if value > most:
                    best, most = i, value
            current[best] -= total
            return targets[best]

        self.pick = pick


class Interleaved(Peer):
    """The weighted round robin of LVS: targets at or above a falling threshold; skips."""

    name = "interleaved (LVS), by hand"

    def build(self) -> None:
        weights, targets, down = self.weights, self.targets, self.down
        step, highest, n = gcd(*weights), max(weights), len(weights)
        at, mark = -1, 0

        def pick() -> str:
            nonlocal at, mark
            while True:
                at += 1
                if at == n:
                    at = 0
                if at == 0:
                    mark -= step
                    if mark <= 0:
                        mark = highest
                if weights[at] >= mark and targets[at] not in down:
                    return targets[at]

        self.pick = pick

    def changed(self) -> None:
        """Do nothing: each pick skips targets that are down."""


class Bisected(Peer):
    """A random choice by a binary search in the sums of the weights; rebuilt at a change."""

    name = "bisect and random()"

    def build(self) -> None:
        live = self.live()
        names = [target for target, _ in live]
        sums = list(accumulate(weight for _, weight in live))
        total, random = sums[-1], self.random.random

        def pick() -> str:
            return names[bisect(sums, random() * total)]

        self.pick = pick


class PackagedWeighted(Peer):
    """`roundrobin.weighted`: no health, so it is rebuilt at a change."""

    name = "roundrobin.weighted"

    def build(self) -> None:
        self.pick = import_module("roundrobin").weighted(self.live())


class PackagedStateful(Peer):
    """`roundrobin.smooth_stateful`: weights and health."""

    name = "roundrobin.smooth_stateful"

    def build(self) -> None:
        self.pick = import_module("roundrobin").smooth_stateful(self.live())

    def set_up(self, target: str, up: bool) -> None:  # noqa: FBT001 - the face of a selector
        rounds: Any = self.pick
        if up:
            rounds.enable(target)
        else:
            rounds.disable(target)


class NodePool(Peer):
    """`elastic_transport.NodePool`: health, but no weights. No node opens a connection here."""

    name = "elastic_transport.NodePool"
    weighted = False

    def build(self) -> None:
        package = import_module("elastic_transport")

        class Node:
            def __init__(self, config: Any) -> None:
                self.config = config
                self.base_url = config.host

        configs = [package.NodeConfig("http", target, 80) for target in self.targets]
        forever = 1e9
        pool = package.NodePool(
            configs,
            node_class=Node,
            dead_node_backoff_factor=forever,
            max_dead_node_backoff=forever,
            randomize_nodes=False,
        )
        self.nodes = {node.config.host: node for node in pool.all()}
        self.pool = pool
        self.pick = pool.get

    def set_up(self, target: str, up: bool) -> None:  # noqa: FBT001 - the face of a selector
        if up:
            self.pool.mark_live(self.nodes[target])
        else:
            self.pool.mark_dead(self.nodes[target])


ALL: Final = MappingProxyType(
    {
        peer.name: peer
        for peer in (
            Expanded,
            PlainChoices,
            Bisected,
            Earliest,
            EarliestAnew,
            Smooth,
            Interleaved,
            PackagedWeighted,
            PackagedStateful,
            NodePool,
        )
    }
)
"""Every peer by its name."""

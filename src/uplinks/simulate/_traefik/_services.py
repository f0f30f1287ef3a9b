"""Traefik's services as a graph that routes requests down and passes status up.

Rules of this file:

1. A load balancer reports its status if it has an active check. A weighted service reports if
   every service below does, and a failover if both do; but those of a TraefikService report only
   when they come from a file, since the CRD has no ``healthCheck`` field.
2. A parent hears of a service only when that goes down as a whole or comes up. A failover needs a
   main service that reports, unless it has ``errors.status``.
3. Members of weight 0 do not exist.
4. Nothing recurses, since a chain of services may be long.

Source: Traefik v3.7, ``pkg/server/service``, measured as ``docs/simulate.md`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from attrs import define, field

from uplinks.model import (
    ChildService,
    HealthCheck,
    PassiveHealthCheck,
    ServiceReference,
    TraefikService,
    WeightedService,
    share_passive_check,
)
from uplinks.parent import Parent
from uplinks.parent._composed import references, service_of
from uplinks.simulate._traefik._edf import EarliestDeadlines

__all__ = ["Balancer", "Graph", "NotBuilt", "Part", "Server", "mark"]

Part = tuple[str | None, Any, int | None]
"""A child (``None``: Traefik itself), its requests or share, and the status of the answer."""
Visit = Callable[["Server"], int | None]
"""Returns the status with which a server answers; ``None``: it does not."""
Routing = Generator[Any, list[Part], list[Part]]
"""Yields the routing of a service below, and is sent its parts."""

UNAVAILABLE = 503


class NotBuilt(Exception):
    """Traefik refuses the service, so its routers answer 404."""


@define(eq=False)
class Server:
    """A child's address in one load balancer."""

    child: str
    url: str
    balancer: Balancer
    index: int
    failures: list[int] = field(factory=list)  # times (ns) that the passive check counts
    timer: bool = False  # whether the passive check will mark it up

    @property
    def check(self) -> HealthCheck | None:
        """The active check."""
        return self.balancer.check

    @property
    def is_up(self) -> bool:
        """Whether Traefik has it marked up."""
        return self.index in self.balancer.up

    def route(self, amount: Any, visit: Visit, *, ideal: bool) -> Routing:  # noqa: ARG002 - a leaf
        """Answer requests."""
        return [(self.child, amount, visit(self))]
        yield


@define(eq=False)
class LocalService:
    """A Kubernetes Service of the parent, which is always up and reports nothing."""

    name: str
    reports = False

    def route(self, amount: Any, visit: Visit, *, ideal: bool) -> Routing:  # noqa: ARG002 - a leaf
        """Answer requests."""
        return [(self.name, amount, 200)]
        yield


@define(eq=False)
class Balancer:
    """A weighted service, or a load balancer of servers."""

    name: str
    reports: bool
    check: HealthCheck | None = None
    passive: PassiveHealthCheck | None = None
    members: list[Any] = field(factory=list)
    weights: list[int] = field(factory=list)
    up: set[int] = field(factory=set)
    parents: list[tuple[Any, int]] = field(factory=list)
    _schedule: EarliestDeadlines | None = None

    @property
    def is_up(self) -> bool:
        """Whether any member is up."""
        return bool(self.up)

    def add(self, member: Any, weight: int) -> None:
        """Add a member, marked up."""
        self.up.add(len(self.members))
        self.members.append(member)
        self.weights.append(weight)

    def set_up(self, index: int, *, up: bool) -> None:
        """Mark a member up or down."""
        (self.up.add if up else self.up.discard)(index)

    def route(self, amount: Any, visit: Visit, *, ideal: bool) -> Routing:
        """Distribute requests over the members that are up: by picks, or a share by weights."""
        if not self.up:
            return [(None, amount, UNAVAILABLE)]
        parts: list[Part] = []
        shares = self._shares(amount) if ideal else self._picks(amount)
        for i, share in shares.items():
            parts += yield self.members[i].route(share, visit, ideal=ideal)
        return parts

    def _shares(self, amount: Fraction) -> dict[int, Fraction]:
        total = sum(self.weights[i] for i in self.up)
        return {i: amount * Fraction(self.weights[i], total) for i in sorted(self.up)}

    def _picks(self, amount: int) -> dict[int, int]:
        if self._schedule is None:
            self._schedule = EarliestDeadlines(self.weights)
        return self._schedule.take(amount, self.up)


MAIN, FALLBACK = range(2)


@define(eq=False)
class Failover:
    """A main service, and a fallback for when it is down or answers with certain statuses."""

    main: Any
    fallback: Any
    reports: bool
    statuses: Sequence[range]
    up: set[int] = field(factory=lambda: {MAIN, FALLBACK})
    parents: list[tuple[Any, int]] = field(factory=list)

    @property
    def is_up(self) -> bool:
        """Whether either service is up."""
        return bool(self.up)

    def set_up(self, index: int, *, up: bool) -> None:
        """Mark the main service or the fallback up or down."""
        (self.up.add if up else self.up.discard)(index)

    def route(self, amount: Any, visit: Visit, *, ideal: bool) -> Routing:
        """Send requests to the main service, and to the fallback what that cannot answer."""
        kept: list[Part] = []
        if MAIN in self.up:
            for part in (yield self.main.route(amount, visit, ideal=ideal)):
                _, size, status = part
                if not any(status in each for each in self.statuses):
                    kept.append(part)
                    amount -= size
        if not amount:
            return kept
        if FALLBACK not in self.up:
            return [*kept, (None, amount, UNAVAILABLE)]
        return kept + (yield self.fallback.route(amount, visit, ideal=ideal))


def mark(node: Balancer | Failover, index: int, *, up: bool) -> None:
    """Mark a member of a service up or down, and pass on what that changes."""
    pending: list[tuple[Any, int, bool]] = [(node, index, up)]
    while pending:
        service, member, is_up = pending.pop()
        before = service.is_up
        service.set_up(member, up=is_up)
        if service.is_up != before:
            pending += [(parent, slot, service.is_up) for parent, slot in service.parents]


class Graph:
    """The services below one service, each built once.

    ``from_file``: the parent's TraefikServices come from a file, not from the CRD.
    Complexity: O(references). Raises: NotBuilt.
    """

    def __init__(self, parent: Parent, name: str, *, from_file: bool) -> None:
        self._parent, self._from_file = parent, from_file
        self._built: dict[str, Any] = {}
        self._root = self._build(name)
        nodes = self._built.values()
        self.balancers = [n for n in nodes if isinstance(n, Balancer)]
        self.failovers = [n for n in nodes if isinstance(n, Failover)]
        self.servers = [s for n in self.balancers for s in n.members if isinstance(s, Server)]

    def route(self, amount: Any, visit: Visit, *, ideal: bool) -> list[Part]:
        """Route requests by picks; or, if ``ideal``, a share by weights."""
        path: list[Routing] = [self._root.route(amount, visit, ideal=ideal)]
        parts: Any = None
        while path:
            try:
                path.append(path[-1].send(parts))
                parts = None
            except StopIteration as answer:
                path.pop()
                parts = answer.value
        found: list[Part] = parts
        return found

    def _build(self, root: str) -> Any:
        path = [root]
        while path:
            name = path[-1]
            missing = [below for below in self._below(name) if below not in self._built]
            if name in self._built:
                path.pop()
            elif missing:
                path += reversed(missing)
            else:
                self._built[path.pop()] = self._make(name)
        return self._built[root]

    def _below(self, name: str) -> Iterable[str]:
        """Name the services that a service needs."""
        own = self._parent.composed.get(name)
        if own is not None:
            held = [each for each in references(own) if each.weight or own.failover]
            meant = [service_of(each, own.namespace) for each in held]
            return [below for below in meant if below is not None]
        service = self._parent.services.get(name)
        if not isinstance(service, WeightedService):
            return []
        children = self._children(service)
        return [] if _is_flat(children) else [child.name for child, _ in children]

    def _children(self, service: WeightedService) -> list[tuple[ChildService, int]]:
        services = self._parent.services
        return [
            (child, each.weight)
            for each in service.children
            if each.weight and isinstance(child := services[each.name], ChildService)
        ]

    def _make(self, name: str) -> Any:
        own = self._parent.composed.get(name)
        if own is not None:
            return self._composed(own)
        service = self._parent.services.get(name)
        if isinstance(service, ChildService):
            return _load_balancer(name, [(service, 1)])
        if service is None:
            raise NotBuilt(f"the service {name} does not exist")
        return self._shared(service)

    def _shared(self, service: WeightedService) -> Balancer:
        children = self._children(service)
        if not children or _is_flat(children):
            return _load_balancer(service.name, children)
        members = [(self._built[child.name], weight) for child, weight in children]
        return _weighted(service.name, members, may_report=True)

    def _composed(self, service: TraefikService) -> Balancer | Failover:
        name, namespace = service.service_name, service.namespace
        if service.weighted is not None:
            held = [each for each in service.weighted.services if each.weight]
            members = [(self._refer(each, namespace), each.weight) for each in held]
            return self._weighted(name, members)
        assert service.failover is not None  # noqa: S101 - a parent composes no other type
        statuses = _statuses(service.failover.rest.get("errors"))
        main = self._refer(service.failover.service, namespace)
        fallback = self._refer(service.failover.fallback, namespace)
        if self._from_file and (_is_out(main) or _is_out(fallback)):
            return self._weighted(name, [(main, 1), (fallback, 1)])
        if not main.reports and not statuses:
            raise NotBuilt(
                f"the main service of the failover {name} cannot report its health, "
                "and errors.status is not set"
            )
        reports = self._from_file and main.reports and fallback.reports
        failover = Failover(main, fallback, reports, statuses)
        if main.reports:
            main.parents.append((failover, MAIN))
        if reports:
            fallback.parents.append((failover, FALLBACK))
        return failover

    def _weighted(self, name: str, members: list[tuple[Any, int]]) -> Balancer:
        """Build a composed service. The written file leaves out what nothing can be picked from."""
        if self._from_file:
            members = [(member, weight) for member, weight in members if not _is_out(member)]
        return _weighted(name, members, may_report=self._from_file and bool(members))

    def _refer(self, reference: ServiceReference, namespace: str) -> Any:
        name = service_of(reference, namespace)
        if name is None:
            return LocalService(f"{reference.namespace or namespace}/{reference.name}")
        return self._built[name]


def _is_out(part: object) -> bool:
    return isinstance(part, Balancer) and not part.members


def _weighted(name: str, members: list[tuple[Any, int]], *, may_report: bool) -> Balancer:
    balancer = Balancer(name, may_report and all(member.reports for member, _ in members))
    for i, (member, weight) in enumerate(members):
        balancer.add(member, weight)
        if balancer.reports:
            member.parents.append((balancer, i))
    return balancer


def _is_flat(children: Sequence[tuple[ChildService, int]]) -> bool:
    """Tell whether children become servers of one load balancer."""
    return share_passive_check(
        (child.health_check, child.passive_health_check, child.servers_transport)
        for child, _ in children
    )


def _load_balancer(name: str, children: Sequence[tuple[ChildService, int]]) -> Balancer:
    """Build one load balancer over children that agree on their checks."""
    check = passive = None
    if children:
        first, _ = children[0]
        passive = first.passive_health_check
        if first.health_check is not None and first.health_check.passes_in_traefik(first.url):
            check = first.health_check
    balancer = Balancer(name, check is not None, check, passive)
    for i, (child, weight) in enumerate(children):
        balancer.add(Server(child.child, child.url, balancer, i), weight)
    return balancer


def _statuses(errors: object) -> list[range]:
    """Parse ``errors.status``: a list of statuses and ranges such as ``500-504``."""
    found = errors.get("status") if isinstance(errors, Mapping) else None
    ranges = []
    for each in found if isinstance(found, list | tuple) else ():
        first, _, last = str(each).partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            raise NotBuilt(f"errors.status must be statuses and ranges, got {each!r}")
        ranges.append(range(int(first), int(last or first) + 1))
    return ranges

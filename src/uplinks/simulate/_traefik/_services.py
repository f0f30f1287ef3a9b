"""Traefik's services as a tree that routes requests and passes status upward.

Rules of this file:

1. A balancer of servers reports its status if it has an active check. A weighted service reports
   if every service below does, and a failover if both do; but those of a TraefikService report
   only when they come from a file, since the CRD has no ``healthCheck`` field.
2. A parent hears of its child only when the child's last member goes down or its first one comes
   up. A failover needs a main service that reports, unless it has ``errors.status``.
3. Members of weight 0 do not exist.

Source: Traefik v3.7, ``pkg/server/service``, measured as ``docs/simulate.md`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

from attrs import define, field

from uplinks.model import (
    ChildService,
    HealthCheck,
    PassiveHealthCheck,
    ServiceReference,
    TraefikService,
    WeightedService,
)
from uplinks.parent import Parent
from uplinks.parent._composed import service_meant
from uplinks.simulate._traefik._edf import EarliestDeadlines

__all__ = ["NotBuilt", "Part", "Server", "Tree"]

Part = tuple[str | None, Any, int | None]
"""A child (``None``: Traefik itself), its requests or share, and the status of the answer."""
Visit = Callable[["Server"], int | None]
"""Returns the status with which a server answers; ``None``: it does not."""

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
    timer: bool = False  # whether the passive check will bring it back

    @property
    def check(self) -> HealthCheck | None:
        """The active check."""
        return self.balancer.check

    @property
    def is_up(self) -> bool:
        """Whether Traefik has it marked up."""
        return self.index in self.balancer.up

    def route(self, amount: Any, visit: Visit, *, ideal: bool) -> list[Part]:
        """Answer requests."""
        del ideal
        return [(self.child, amount, visit(self))]


class Node(Protocol):
    """A service, or a server of one."""

    def route(self, amount: Any, visit: Visit, *, ideal: bool) -> list[Part]:
        """Distribute requests by picks; or, if ``ideal``, a share by weights."""


@define(eq=False)
class LocalService:
    """A Kubernetes Service of the parent, which is always up and reports nothing."""

    name: str
    reports: bool = False

    def route(self, amount: Any, visit: Visit, *, ideal: bool) -> list[Part]:
        """Answer requests."""
        del visit, ideal
        return [(self.name, amount, 200)]


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
    listeners: list[Callable[[bool], None]] = field(factory=list)
    _schedule: EarliestDeadlines | None = None

    def add(self, member: Node, weight: int) -> None:
        """Add a member, marked up."""
        self.up.add(len(self.members))
        self.members.append(member)
        self.weights.append(weight)

    def set_up(self, index: int, *, up: bool) -> None:
        """Mark a member up or down, and tell the parents if the service's own status changes."""
        before = bool(self.up)
        (self.up.add if up else self.up.discard)(index)
        if bool(self.up) != before:
            for listener in self.listeners:
                listener(not before)

    def route(self, amount: Any, visit: Visit, *, ideal: bool) -> list[Part]:
        """Distribute requests over the members that are up."""
        if not self.up:
            return [(None, amount, UNAVAILABLE)]
        shares = self._shares(amount) if ideal else self._picks(amount)
        return [
            part
            for i, share in shares.items()
            if share
            for part in self.members[i].route(share, visit, ideal=ideal)
        ]

    def _shares(self, amount: Fraction) -> dict[int, Fraction]:
        total = sum(self.weights[i] for i in self.up)
        return {i: amount * Fraction(self.weights[i], total) for i in sorted(self.up)}

    def _picks(self, amount: int) -> dict[int, int]:
        if self._schedule is None:
            self._schedule = EarliestDeadlines(self.weights)
        return self._schedule.take(amount, self.up)


@define(eq=False)
class Failover:
    """A main service, and a fallback for when it is down or answers with certain statuses."""

    main: Any
    fallback: Any
    reports: bool
    statuses: Sequence[range]
    main_up: bool = True
    fallback_up: bool = True
    listeners: list[Callable[[bool], None]] = field(factory=list)

    def set_main(self, up: bool) -> None:  # noqa: FBT001 - the signature of a listener
        """Mark the main service up or down."""
        self.main_up = up
        self._notify()

    def set_fallback(self, up: bool) -> None:  # noqa: FBT001 - the signature of a listener
        """Mark the fallback up or down."""
        self.fallback_up = up
        self._notify()

    def _notify(self) -> None:
        for listener in self.listeners:
            listener(self.main_up or self.fallback_up)

    def route(self, amount: Any, visit: Visit, *, ideal: bool) -> list[Part]:
        """Send requests to the main service, and to the fallback what that cannot answer."""
        kept: list[Part] = []
        if self.main_up:
            for part in self.main.route(amount, visit, ideal=ideal):
                _, size, status = part
                if not any(status in each for each in self.statuses):
                    kept.append(part)
                    amount -= size
        if not amount:
            return kept
        if not self.fallback_up:
            return [*kept, (None, amount, UNAVAILABLE)]
        return [*kept, *self.fallback.route(amount, visit, ideal=ideal)]


class Tree:
    """The services below one service, each built once.

    ``from_file``: the parent's TraefikServices come from a file, not from the CRD.
    Raises: NotBuilt.
    """

    def __init__(self, parent: Parent, name: str, *, from_file: bool) -> None:
        self._parent, self._from_file = parent, from_file
        self._built: dict[str, Any] = {}
        self.root = self._build(name)
        nodes = self._built.values()
        self.balancers = [n for n in nodes if isinstance(n, Balancer)]
        self.failovers = [n for n in nodes if isinstance(n, Failover)]
        self.servers = [s for n in self.balancers for s in n.members if isinstance(s, Server)]

    def _build(self, name: str) -> Any:
        if name not in self._built:
            self._built[name] = self._make(name)
        return self._built[name]

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
        children = [
            (child, each.weight)
            for each in service.children
            if each.weight and isinstance(child := self._parent.services[each.name], ChildService)
        ]
        if not children or _shares_passive_check([child for child, _ in children]):
            return _load_balancer(service.name, children)
        members = [(self._build(child.name), weight) for child, weight in children]
        return _weighted(service.name, members, may_report=True)

    def _composed(self, service: TraefikService) -> Balancer | Failover:
        name, namespace = service.service_name, service.namespace
        if service.weighted is not None:
            members = [
                (self._refer(each, namespace), each.weight)
                for each in service.weighted.services
                if each.weight
            ]
            return _weighted(name, members, may_report=self._from_file)
        assert service.failover is not None  # noqa: S101 - a parent composes no other type
        statuses = _statuses(service.failover.rest.get("errors"))
        main = self._refer(service.failover.service, namespace)
        if not main.reports and not statuses:
            raise NotBuilt(
                f"the main service of the failover {name} cannot report its health, "
                "and errors.status is not set"
            )
        fallback = self._refer(service.failover.fallback, namespace)
        reports = self._from_file and main.reports and fallback.reports
        failover = Failover(main, fallback, reports, statuses)
        if main.reports:
            main.listeners.append(failover.set_main)
        if reports:
            fallback.listeners.append(failover.set_fallback)
        return failover

    def _refer(self, reference: ServiceReference, namespace: str) -> Any:
        name = service_meant(reference, namespace)
        if name is None:
            return LocalService(f"{reference.namespace or namespace}/{reference.name}")
        return self._build(name)


def _weighted(name: str, members: list[tuple[Any, int]], *, may_report: bool) -> Balancer:
    balancer = Balancer(name, may_report and all(member.reports for member, _ in members))
    for i, (member, weight) in enumerate(members):
        balancer.add(member, weight)
        if balancer.reports:
            member.listeners.append(lambda up, i=i: balancer.set_up(i, up=up))
    return balancer


def _load_balancer(name: str, children: Sequence[tuple[ChildService, int]]) -> Balancer:
    """Build one load balancer over children that agree on their checks."""
    first = children[0][0] if children else None
    check = None if first is None else _usable(first)
    passive = None if first is None else first.passive_health_check
    balancer = Balancer(name, check is not None, check, passive)
    for i, (child, weight) in enumerate(children):
        balancer.add(Server(child.child, child.url, balancer, i), weight)
    return balancer


def _usable(child: ChildService) -> HealthCheck | None:
    """Return a child's active check, unless Traefik can never pass it: gRPC over TLS."""
    check = child.health_check
    if check is None or check.mode != "grpc":
        return check
    scheme = check.scheme or child.url.partition(":")[0].lower()
    return None if scheme == "https" else check


def _shares_passive_check(children: Sequence[ChildService]) -> bool:
    """Tell whether all children have the same passive check, and no active one."""
    checks = {(child.health_check, child.passive_health_check) for child in children}
    return len(checks) == 1 and all(a is None and p is not None for a, p in checks)


def _statuses(errors: object) -> list[range]:
    """Parse ``errors.status``: a list of statuses and ranges such as ``500-504``."""
    found = errors.get("status") if isinstance(errors, Mapping) else None
    ranges = []
    for each in found or ():
        first, _, last = str(each).partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            raise NotBuilt(f"errors.status must be statuses and ranges, got {each!r}")
        ranges.append(range(int(first), int(last or first) + 1))
    return ranges

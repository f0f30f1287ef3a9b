"""The aggregate: what is asked of a parent, what changes it, and in which order that happens.

Rules of this file:

1. What is refused changes nothing: a change is planned first, and only what is
   valid beside all the rest is applied.
2. Time is an argument, in nanoseconds of a monotonic clock, and never runs
   backwards inside. What is over by then happens first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from uplinks.balance import Selector
from uplinks.errors import UnknownChild, UnknownService
from uplinks.health import Event, HealthPolicy, Ignored, Outcome, Probe, Transition
from uplinks.model import (
    Advertisement,
    ChildService,
    Fleet,
    IngressRoute,
    ParentConfig,
    ServiceReference,
    Services,
    TraefikService,
)
from uplinks.naming import nearest, split_service_reference
from uplinks.parent._eligibility import Eligibility
from uplinks.parent._events import EventStream
from uplinks.parent._lease import Lease
from uplinks.parent._offers import Change, Offers
from uplinks.parent._selectors import Selectors
from uplinks.parent._watch import Endpoint, Watch
from uplinks.services import advertise as offer

__all__ = ["Parent"]


class Parent:
    """Turn what children advertise into services that can be picked from.

    ``config`` lists the children, ``services`` are the parent's own composed
    services, ``policy`` decides what the children's checks leave open.
    ``start`` is where in its schedule each selector begins, and from where
    probes are spread: any integer, 0 being reproducible. ``scheduler`` names the
    order of each selector but a failover's, as for `Selector`.

    Asking: `services`, `selector`, `route`, `is_up`, `events`.
    Changing: `advertise`, `amend`, `withdraw`, `reload`, `set_up`.
    Using: `lease`, `observe`.
    Driving: whenever `next_wakeup` says, and after each change, start what
    `due` gives; say by `report` how each probe ended.

    Raises: NameCollision when two of ``services`` have one name.

    >>> from uplinks.model import Child
    >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443"),
    ...                               "us": Child("https://us.example.com:9443")}))
    >>> offer = Advertisement("api", "apps/api", ["multicluster"])
    >>> parent.advertise("eu", [offer], now=0)
    >>> parent.advertise("us", [offer], now=0)
    >>> selector = parent.selector("api@multicluster")
    >>> sorted(selector.pick().child for _ in range(4))
    ['eu', 'eu', 'us', 'us']
    >>> parent.set_up("eu", False, now=1)
    >>> {selector.pick().child for _ in range(4)}
    {'us'}

    Source: reference page, "Uplink Naming" and "Health Check Behavior".
    """

    def __init__(
        self,
        config: ParentConfig,
        services: Iterable[TraefikService] = (),
        *,
        policy: HealthPolicy | None = None,
        start: int = 0,
        scheduler: str = "fair",
    ) -> None:
        self._policy = HealthPolicy() if policy is None else policy
        self._watch = Watch(self._policy, start)
        self._events = EventStream()
        self._now = 0
        self._offers = Offers(config)
        self._services = self._offers.current
        self._eligibility = Eligibility(self._watch, self._policy.panic_threshold)
        self._selectors = Selectors(
            self._services, services, self._eligibility, start=start, scheduler=scheduler
        )

    @classmethod
    def from_fleet(
        cls,
        fleet: Fleet,
        *,
        policy: HealthPolicy | None = None,
        start: int = 0,
        scheduler: str = "fair",
    ) -> Parent:
        """Make the parent of a fleet, with everything its children offer.

        Children that the parent does not list are left out. Whether the fleet
        is valid is for `check` to say.

        Complexity: as `advertise`, once for all children.
        Raises: as the constructor and `advertise`; CannotAdvertise.

        >>> from uplinks.model import Cluster
        >>> Parent.from_fleet(Fleet(Cluster("parent")))
        <Parent of 0 children, 0 services, 0 composed>

        Source: reference page, "Complete Example".
        """
        config = fleet.parent.parent_config or ParentConfig()
        own = fleet.parent.traefik_services
        parent = cls(config, own, policy=policy, start=start, scheduler=scheduler)
        offers = {
            name: offer(cluster)
            for name, cluster in sorted(fleet.children.items())
            if name in config.children
        }
        parent._change(parent._offers.replaced(offers), 0)
        return parent

    def __repr__(self) -> str:
        return (
            f"<Parent of {len(self.config.children)} children, "
            f"{len(self._services)} services, {len(self._selectors.composed.services)} composed>"
        )

    @property
    def now(self) -> int:
        """The latest time that anybody told, in nanoseconds.

        >>> Parent(ParentConfig()).now
        0
        """
        return self._now

    @property
    def policy(self) -> HealthPolicy:
        """What was decided for all children.

        >>> Parent(ParentConfig()).policy.unhealthy_threshold
        1
        """
        return self._policy

    @property
    def events(self) -> EventStream:
        """What happened to `Endpoint` targets, and overloads, until it is drained.

        >>> Parent(ParentConfig()).events
        <EventStream of 0, 0 dropped>
        """
        return self._events

    @property
    def ignored(self) -> Ignored:
        """How many outcomes of probes did not count so far.

        >>> Parent(ParentConfig()).ignored.late
        0
        """
        return self._watch.health.ignored

    @property
    def config(self) -> ParentConfig:
        """The children, as the parent lists them.

        >>> Parent(ParentConfig()).config.children
        mappingproxy({})
        """
        return self._offers.config

    @property
    def services(self) -> Services:
        """What is materialized at present, by service name.

        Complexity: O(n log n) once after a change, O(1) until the next.

        >>> len(Parent(ParentConfig()).services)
        0
        """
        return self._offers.services

    @property
    def composed(self) -> Mapping[str, TraefikService]:
        """The parent's own services that compose others, by service name.

        >>> from uplinks.model import Weighted
        >>> own = TraefikService("api", "apps", weighted=Weighted())
        >>> list(Parent(ParentConfig(), [own]).composed)
        ['apps-api@kubernetescrd']
        """
        return dict(self._selectors.composed.services)

    @property
    def selectors(self) -> Mapping[str, Selector]:
        """The selectors given out so far, by service name. Asking makes none.

        >>> dict(Parent(ParentConfig()).selectors)
        {}
        """
        return dict(self._selectors.by_service)

    @property
    def failovers(self) -> frozenset[Selector]:
        """Those of the selectors given out that use a fallback, and no weights.

        >>> Parent(ParentConfig()).failovers
        frozenset()
        """
        return frozenset(self._selectors.failovers)

    # Changing

    def advertise(self, child: str, advertisements: Iterable[Advertisement], now: int) -> None:
        """Take everything that a child offers; it replaces what it offered before.

        Law: when it raises, nothing has changed; when the offer is the same,
        nothing changes either.
        Complexity: O(what the child offers) to see what has changed, then O(what
        changed and who else offers that); `amend` is told.
        Raises: UnknownChild for a child that the configuration does not list;
        NameCollision, InvalidName, InvalidAddress and InvalidWeight as
        `materialize` does; ValueError for a check whose times are not above 0;
        TypeError when ``now`` is no ``int``.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> list(parent.services)
        ['api-eu@multicluster', 'api@multicluster']

        Source: reference page, "Uplink Naming" and "Weight Configuration".
        """
        _check_time(now)
        self._check_child(child)
        self._change(self._offers.replaced({child: advertisements}), now)

    def amend(
        self,
        child: str,
        advertisements: Iterable[Advertisement] = (),
        *,
        gone: Iterable[str] = (),
        now: int,
    ) -> None:
        """Take what has changed of a child's offer; the rest of it stays.

        ``advertisements`` are new or replace those of the same uplink name;
        ``gone`` are uplink names that are no longer offered, if they were. A
        name in both is offered.

        Law: afterwards all is as if `advertise` had been given the whole.
        Complexity: O(what changed and who else offers that), whatever else
        there is (benchmarks/test_parent.py). Errors: as `advertise`.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> web = Advertisement("web", "apps/web", ["multicluster"])
        >>> parent.amend("eu", [web], gone=["api"], now=1)
        >>> list(parent.services)
        ['web-eu@multicluster', 'web@multicluster']

        Source: reference page, "Uplink Naming".
        """
        _check_time(now)
        self._check_child(child)
        self._change(self._offers.amended(child, advertisements, gone), now)

    def withdraw(self, child: str, now: int) -> None:
        """Forget everything that a child offered, and the state of its services.

        Selectors that were given out stay and lose the child as a target.
        Complexity: O(what the child offered and who else offers that).
        Errors: as `advertise`.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> parent.withdraw("eu", now=1)
        >>> len(parent.services)
        0

        Source: reference page, "Uplink Naming".
        """
        _check_time(now)
        self._check_child(child)
        self._change(self._offers.replaced({child: ()}), now)

    def reload(self, config: ParentConfig, now: int) -> None:
        """Go by another list of children. What is offered by those that stay, stays.

        A child that is not listed any more is withdrawn; one whose address has
        changed is unknown again, which means up, and its probes under way no
        longer count. Whatever else is known is kept.

        Law: when it raises, nothing has changed.
        Complexity: O(children), and O(what is offered by those that moved or went).
        Raises: as the constructor and `advertise`.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> parent.reload(ParentConfig({"eu": Child("https://eu.example.org:9443")}), now=1)
        >>> parent.selector("api@multicluster").pick().url
        'https://eu.example.org:9443'

        Source: reference page, "Complete Example".
        """
        _check_time(now)
        self._change(self._offers.reloaded(config), now)

    def set_up(self, name: str, up: bool, now: int) -> None:  # noqa: FBT001 - the selector's face
        """Hold a child out, or let it in again: all its services, or one by its name.

        ``name`` is a child's (``child-1``) or a child service's
        (``apps-api-child-1@multicluster``). A service that is advertised
        later is let in. One that is let in is picked while its checks say up.

        Complexity: O(services of the child), each in every selector holding it.
        Raises: UnknownChild; UnknownService for a service that is not there,
        or is not one child's; TypeError when ``now`` is no ``int``.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> parent.set_up("api-eu@multicluster", False, now=1)
        >>> parent.selector("api@multicluster").eligible
        0

        Source: reference page, "Health Check Behavior".
        """
        _check_time(now)
        if split_service_reference(name)[1] is None:
            self._check_child(name)
            concerned = self._offers.of(name)
        else:
            concerned = [self._direct(name)]
        self._let_pass(now)
        for service in concerned:
            self._eligibility.set_up(service.name, up)
        self._selectors.refresh(concerned)

    # Driving

    def due(self, now: int) -> list[Probe]:
        """Start the probes that are due: ``probe.target`` is an `Endpoint`.

        Each is in flight until `report` says how it ended; until its
        ``deadline`` (ns) at the latest, when it has failed.
        Complexity: O(log n) a probe. Raises: TypeError when ``now`` is no ``int``.

        >>> from uplinks.model import Child, HealthCheck
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> check = HealthCheck(path="/health")
        >>> offer = Advertisement("api", "apps/api", ["multicluster"], health_check=check)
        >>> parent.advertise("eu", [offer], now=0)
        >>> parent.next_wakeup()
        618033988
        >>> [probe] = parent.due(now=618033988)
        >>> parent.report(probe, Outcome.fail("status 503"), now=700_000_000)
        >>> parent.is_up("api-eu@multicluster"), parent.next_wakeup()
        (False, 18541019662)

        Source: reference page, "Health Check Behavior".
        """
        _check_time(now)
        self._let_pass(now)
        return self._watch.health.due(now)

    def report(self, probe: Probe, outcome: Outcome, now: int) -> None:
        """Say how a probe ended.

        Law: an outcome counts once, and only while its probe is in flight and
        asks what is still asked; `ignored` counts the others.
        Complexity: O(log n), and O(services at the endpoint) for a transition.
        Raises: TypeError; ValueError for a probe that this parent never gave.
        """
        _check_time(now)
        # First, so that an answer at its deadline counts; the machine itself judges later ones.
        self._tell(self._watch.health.report(probe, outcome, now))
        self._let_pass(now)

    def next_wakeup(self) -> int | None:
        """Tell when (ns) to call `due` again; ``None``: not before something changes.

        >>> Parent(ParentConfig()).next_wakeup() is None
        True
        """
        return self._watch.health.next_wakeup()

    # Using

    def observe(self, target: ChildService | ServiceReference | str, ok: bool, now: int) -> None:  # noqa: FBT001 - the selector's face
        """Say how a request to a child service, or to one by its name, ended.

        Only a passive check cares. A service that is gone or has moved since it
        was picked, or one of the parent's own, has none.
        Complexity: O(1), and O(services at the endpoint) for a transition.
        Raises: UnknownService for a name that is not there; TypeError.
        """
        _check_time(now)
        name = target if isinstance(target, str) else target.name
        service = self._direct(name) if isinstance(target, str) else self._services.get(name)
        self._let_pass(now)
        endpoint = self._watch.endpoint(name)
        if not isinstance(service, ChildService) or endpoint is None:
            return
        if isinstance(target, str) or getattr(target, "url", None) == service.url:
            self._tell(self._watch.health.observe(endpoint, ok, now))

    def lease(self, name: str, *, clock: Callable[[], int] | None = None) -> Lease:
        """Pick from a service for one request; its end is told to `observe`.

        ``clock`` gives the time (ns) of that; without one it is the latest time
        that anybody told.
        Complexity and errors: as `selector`; NoEligibleTarget on entering.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> with parent.lease("api@multicluster") as target:
        ...     target.url
        'https://eu.example.com:9443'
        """

        def observe(target: ChildService, ok: bool) -> None:  # noqa: FBT001 - as observe's
            self.observe(target, ok, self._now if clock is None else clock())

        return Lease(self.selector(name), observe)

    # Asking

    def is_up(self, name: str) -> bool:
        """Tell whether a child service, by its name, is up and not held out.

        Complexity: O(1). Raises: UnknownService.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> parent.is_up("api-eu@multicluster")
        True

        Source: reference page, "Health Check Behavior".
        """
        return self._eligibility.is_up(self._direct(name).name)

    def services_at(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Name the child services that an endpoint decides about; none if it is gone.

        Complexity: O(services there).

        >>> Parent(ParentConfig()).services_at(Endpoint("https://eu.example.com:9443"))
        ()
        """
        return self._watch.services(endpoint)

    def selector(self, name: str) -> Selector:
        """Give the selector of a service: the same object for the same name.

        ``<uplink>@multicluster`` picks among the children that advertise the
        uplink, ``<uplink>-<child>@multicluster`` only that child, and
        ``<namespace>-<name>@kubernetescrd`` is a composed service of the
        parent's own: weighted, or failover.

        Complexity: O(1) for a service that is materialized, O(references) for
        a composed one.
        Raises: UnknownService with a near name when this name, or one that a
        composed service refers to, is not there; SelectorCycle; InvalidWeight
        when a composed service's weights are none, or those of one target sum
        up to more than 2**31 - 1 even after the gcd of all is divided out.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> parent.selector("api@multicluster").pick().url
        'https://eu.example.com:9443'

        Source: reference page, "Uplink Naming" and "Weight Configuration".
        """
        return self._selectors.of(name)

    def route(self, router: IngressRoute, index: int = 0) -> Selector:
        """Give the selector of a router's route; the same object for the same route.

        One service is taken as it is, whatever its weight; several are
        weighted; none gives a selector that has no targets.

        Complexity: O(references). Raises: IndexError when there is no such
        route; as `selector`.

        >>> from uplinks.model import Route
        >>> own = ServiceReference("api", port=80)
        >>> router = IngressRoute("r", "apps", [Route("Path(`/`)", services=[own])])
        >>> Parent(ParentConfig()).route(router).pick().name
        'api'

        Source: Traefik's Kubernetes CRD provider.
        """
        return self._selectors.of_route(router, index)

    # What a change, and time, bring about

    def _change(self, change: Change, now: int) -> None:
        plan = self._watch.plan(change.before, change.after)  # the last that may raise
        self._let_pass(now)
        self._offers.apply(change)
        self._eligibility.let_in(change.moved)
        events = self._watch.follow(plan, self._now)
        self._selectors.follow(change)
        services = (change.after.get(name) for name in plan)
        self._selectors.refresh(s for s in services if isinstance(s, ChildService))
        self._tell(events)

    def _let_pass(self, now: int) -> None:
        self._now = max(self._now, now)
        self._tell(self._watch.health.expire(self._now))

    def _tell(self, events: Iterable[Event]) -> None:
        """Keep what happened, and let the selectors know."""
        events = list(events)
        self._events.extend(events)
        endpoints = (event.target for event in events if isinstance(event, Transition))
        for endpoint in endpoints:
            assert isinstance(endpoint, Endpoint)  # noqa: S101 - the watch adds nothing else
            services = (self._services[name] for name in self._watch.services(endpoint))
            self._selectors.refresh(s for s in services if isinstance(s, ChildService))

    def _direct(self, name: str) -> ChildService:
        service = self._services.get(name)
        if not isinstance(service, ChildService):
            direct = (s.name for s in self._services.values() if isinstance(s, ChildService))
            raise UnknownService(name, nearest(name, direct))
        return service

    def _check_child(self, child: str) -> None:
        if child not in self.config.children:
            raise UnknownChild(child, nearest(child, self.config.children))


def _check_time(now: object) -> None:
    # Before anything changes. A bool is an int to Python and a mistake to everybody else.
    if isinstance(now, bool) or not isinstance(now, int):
        raise TypeError(f"now is an int of nanoseconds, not {type(now).__name__}")

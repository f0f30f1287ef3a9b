"""The aggregate: what children advertise, the selectors made of it, and their health.

Rules of this file:

1. A refused call changes nothing: a change is planned first, and only a valid
   plan is applied.
2. Time is an argument, in nanoseconds of a monotonic clock, and never runs
   backwards inside. Whatever is over at ``now`` happens first.
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
from uplinks.services import advertise

__all__ = ["Parent"]


class Parent:
    """Turn what children advertise into services to pick from.

    ``config`` lists the children, ``services`` are the parent's own composed
    services, ``policy`` decides what the children's checks leave open.
    ``start`` is the point of its schedule where each selector begins, and the
    salt that spreads probes: any integer, 0 is reproducible. ``scheduler`` is
    the order of each selector except a failover's, as for `Selector`.

    Asking: `services`, `selector`, `route`, `is_up`, `events`.
    Changing: `advertise`, `advertise_all`, `amend`, `withdraw`, `reload`, `set_up`.
    Using: `lease`, `observe`.
    Driving: whenever `next_wakeup` says, and after each change, start what
    `due` gives; `report` how each probe ended.

    A parent has no locks: `uplinks.adapters.driver.Driver` adds one, and a clock.

    Raises: NameCollision when two of ``services`` have one name.

    >>> from uplinks.model import Child
    >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443"),
    ...                               "us": Child("https://us.example.com:9443")}))
    >>> offer = Advertisement("api", "apps/api", ["multicluster"])
    >>> parent.advertise_all({"eu": [offer], "us": [offer]}, now=0)
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
        self._offers = Offers(config)
        self._eligibility = Eligibility(self._watch, self._policy.panic_threshold)
        self._selectors = Selectors(
            self._offers, services, self._eligibility, start=start, scheduler=scheduler
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

        Children that the parent does not list are left out. `check` says
        whether the fleet is valid.

        Complexity: as `advertise_all`.
        Raises: as the constructor and `advertise`; CannotAdvertise.

        >>> from uplinks.model import Cluster
        >>> Parent.from_fleet(Fleet(Cluster("parent")))
        <Parent of 0 children, 0 services, 0 composed>

        Source: reference page, "Complete Example".
        """
        config = fleet.parent.parent_config or ParentConfig()
        own = fleet.parent.traefik_services
        parent = cls(config, own, policy=policy, start=start, scheduler=scheduler)
        children = {
            name: fleet.children[name] for name in config.children if name in fleet.children
        }
        parent.advertise_all({name: advertise(c) for name, c in sorted(children.items())}, now=0)
        return parent

    def __repr__(self) -> str:
        return (
            f"<Parent of {len(self.config.children)} children, "
            f"{len(self._offers)} services, {len(self._selectors.composed.services)} composed>"
        )

    @property
    def now(self) -> int:
        """The latest time passed in, in nanoseconds."""
        return self._watch.health.now

    @property
    def policy(self) -> HealthPolicy:
        """The policy for all children."""
        return self._policy

    @property
    def events(self) -> EventStream:
        """The transitions of `Endpoint` targets, and overloads, until they are drained."""
        return self._events

    @property
    def ignored(self) -> Ignored:
        """How many outcomes of probes did not count so far."""
        return self._watch.health.ignored

    @property
    def config(self) -> ParentConfig:
        """The children that the parent lists."""
        return self._offers.config

    @property
    def services(self) -> Services:
        """The materialized services by name. O(n log n) once after a change, then O(1)."""
        return self._offers.services

    @property
    def composed(self) -> Mapping[str, TraefikService]:
        """The parent's own composed services, by service name."""
        return dict(self._selectors.composed.services)

    @property
    def selectors(self) -> Mapping[str, Selector]:
        """The selectors given out so far, by service name."""
        return dict(self._selectors.by_service)

    @property
    def failovers(self) -> frozenset[Selector]:
        """Those of the selectors given out that belong to a failover and ignore weights."""
        return frozenset(self._selectors.failovers)

    # Changing

    def advertise(self, child: str, advertisements: Iterable[Advertisement], now: int) -> None:
        """Replace everything that a child offers.

        Law: when it raises, nothing has changed; when the offer is the same,
        nothing changes either.
        Complexity: O(what the child offers).
        Raises: UnknownChild for a child that the configuration does not list;
        NameCollision, InvalidName, InvalidAddress and InvalidWeight as
        `materialize`; ValueError for a check whose times are not above 0;
        TypeError for a ``now`` that is not an integer.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> list(parent.services)
        ['api-eu@multicluster', 'api@multicluster']

        Source: reference page, "Uplink Naming" and "Weight Configuration".
        """
        self.advertise_all({child: advertisements}, now)

    def advertise_all(self, offers: Mapping[str, Iterable[Advertisement]], now: int) -> None:
        """Replace what several children offer, in one step; other children keep theirs.

        Names may change hands between the children named: only the result
        counts. Law, complexity and errors: as `advertise`, for all together.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443"),
        ...                               "us": Child("https://us.example.com:9443")}))
        >>> offer = Advertisement("api", "apps/api", ["multicluster"])
        >>> parent.advertise_all({"eu": [offer], "us": [offer]}, now=0)
        >>> len(parent.services)
        3
        """
        for child in offers:
            self._check_child(child)
        self._change(self._offers.replace(offers), now)

    def amend(
        self,
        child: str,
        advertisements: Iterable[Advertisement] = (),
        *,
        gone: Iterable[str] = (),
        now: int,
    ) -> None:
        """Change a part of a child's offer.

        ``advertisements`` are new or replace those of the same uplink name;
        ``gone`` are uplink names that are no longer offered, if they were. A
        name in both is offered.

        Law: the result is as if `advertise` had been called with the whole.
        Complexity: O(what changed), whatever else there is
        (benchmarks/test_parent.py). Errors: as `advertise`.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> web = Advertisement("web", "apps/web", ["multicluster"])
        >>> parent.amend("eu", [web], gone=["api"], now=1)
        >>> list(parent.services)
        ['web-eu@multicluster', 'web@multicluster']

        Source: reference page, "Uplink Naming".
        """
        self._check_child(child)
        self._change(self._offers.amend(child, advertisements, gone), now)

    def withdraw(self, child: str, now: int) -> None:
        """Remove everything that a child offered, and the state of its services.

        Selectors that were given out stay and lose the child as a target.
        Complexity: O(what the child offered). Errors: as `advertise`.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> parent.withdraw("eu", now=1)
        >>> len(parent.services)
        0

        Source: reference page, "Uplink Naming".
        """
        self.advertise_all({child: ()}, now)

    def reload(self, config: ParentConfig, now: int) -> None:
        """List other children. The offers of those that stay are kept.

        A child that is no longer listed is withdrawn. One whose address has
        changed is unknown again, which means up, and its probes in flight no
        longer count. All other state is kept.

        Law: when it raises, nothing has changed.
        Complexity: O(children), and O(offers of those that moved or went).
        Raises: as the constructor and `advertise`.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> parent.reload(ParentConfig({"eu": Child("https://eu.example.org:9443")}), now=1)
        >>> parent.selector("api@multicluster").pick().url
        'https://eu.example.org:9443'

        Source: reference page, "Complete Example".
        """
        self._change(self._offers.reload(config), now)

    def set_up(self, name: str, up: bool, now: int) -> None:  # noqa: FBT001 - as Selector.set_up
        """Hold a child out, or release it: all its services, or one of them.

        ``name`` is a child's (``child-1``) or a child service's
        (``apps-api-child-1@multicluster``). A service that is advertised later
        is not held out. A released one is picked while its checks say up.

        Complexity: O(services of the child).
        Raises: UnknownChild; UnknownService for a name that is not that of a
        child service; TypeError for a ``now`` that is not an integer.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> parent.set_up("api-eu@multicluster", False, now=1)
        >>> parent.selector("api@multicluster").eligible
        0

        Source: reference page, "Health Check Behavior".
        """
        if split_service_reference(name)[1] is None:
            self._check_child(name)
            services = self._offers.of_child(name)
        else:
            services = [self._direct(name)]
        self._expire(now)
        change = self._eligibility.release if up else self._eligibility.hold
        for service in services:
            change(service.name)
        self._selectors.refresh(services)

    # Driving

    def due(self, now: int) -> list[Probe]:
        """Start the probes that are due: ``probe.target`` is an `Endpoint`.

        Each is in flight until `report` says how it ended, at most until its
        ``deadline`` (ns); then it has failed.
        Complexity: O(log n) a probe. Raises: TypeError for a ``now`` that is not an integer.

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
        self._expire(now)
        return self._watch.health.due(now)

    def report(self, probe: Probe, outcome: Outcome, now: int) -> None:
        """Report how a probe ended.

        Law: an outcome counts once, and only while its probe is in flight and
        its check still asks the same; `ignored` counts the others.
        Complexity: O(log n), and O(services at the endpoint) for a transition.
        Raises: TypeError; ValueError for a probe that this parent did not start.
        """
        # First, so that an answer at its deadline counts; the machine judges later ones.
        self._publish(self._watch.health.report(probe, outcome, now))
        self._expire(now)

    def next_wakeup(self) -> int | None:
        """Return when (ns) to call `due` again; ``None``: not before something changes."""
        return self._watch.health.next_wakeup()

    # Using

    def observe(self, target: ChildService | ServiceReference | str, ok: bool, now: int) -> None:  # noqa: FBT001 - as Health.observe
        """Report how a request to a child service, or to one by its name, ended.

        Only a passive check uses it. A target that is gone or has moved since
        it was picked, or one of the parent's own, is ignored.
        Complexity: O(1), and O(services at the endpoint) for a transition.
        Raises: UnknownService for a name that is not there; TypeError.
        """
        name = target if isinstance(target, str) else target.name
        service = self._direct(name) if isinstance(target, str) else self._offers.direct.get(name)
        self._expire(now)
        endpoint = self._watch.endpoint(name)
        if service is None or endpoint is None:
            return
        if isinstance(target, str) or getattr(target, "url", None) == service.url:
            self._publish(self._watch.health.observe(endpoint, ok, now))

    def lease(self, name: str, *, clock: Callable[[], int] | None = None) -> Lease:
        """Pick from a service for one request, and `observe` how it ended.

        ``clock`` gives the time (ns) of that; the default is the latest time
        passed in.
        Complexity and errors: as `selector`; NoEligibleTarget on entering.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> with parent.lease("api@multicluster") as target:
        ...     target.url
        'https://eu.example.com:9443'
        """

        def observe(target: ChildService, ok: bool) -> None:  # noqa: FBT001 - as observe
            self.observe(target, ok, self.now if clock is None else clock())

        return Lease(self.selector(name), observe)

    # Asking

    def is_up(self, name: str) -> bool:
        """Return whether a child service, by its name, is up and not held out.

        Complexity: O(1). Raises: UnknownService.

        Source: reference page, "Health Check Behavior".
        """
        return self._eligibility.is_up(self._direct(name).name)

    def services_at(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Return the names of the child services at an endpoint; none if it is gone.

        Complexity: O(services there).
        """
        return self._watch.services(endpoint)

    def selector(self, name: str) -> Selector:
        """Return a service's selector: the same object for the same name.

        ``<uplink>@multicluster`` picks among the children that advertise the
        uplink, ``<uplink>-<child>@multicluster`` only that child, and
        ``<namespace>-<name>@kubernetescrd`` is a composed service of the
        parent's own: weighted or failover.

        Complexity: O(1) for a materialized service, O(references) for a
        composed one.
        Raises: UnknownService with a near name when this name, or one that a
        composed service refers to, is not there; SelectorCycle; InvalidWeight
        when a composed service's weights are invalid, or those of one target
        sum up to more than 2**31 - 1 even after division by the gcd of all.

        >>> from uplinks.model import Child
        >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
        >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
        >>> parent.selector("api@multicluster").pick().url
        'https://eu.example.com:9443'

        Source: reference page, "Uplink Naming" and "Weight Configuration".
        """
        return self._selectors.of(name)

    def route(self, router: IngressRoute, index: int = 0) -> Selector:
        """Return the selector of a router's route; the same object for the same route.

        One service is taken as it is, whatever its weight; several are
        weighted; none gives a selector without targets.

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

    # The effects of a change, and of time

    def _change(self, change: Change, now: int) -> None:
        plan = self._watch.plan(change)
        self._expire(now)  # the last step that may raise
        self._offers.apply(change)
        for old, new in change.pairs():
            if old is not None and (new is None or new.service.url != old.service.url):
                self._eligibility.release(old.service.name)
        events = self._watch.apply(plan, self.now)
        self._selectors.apply(change)
        self._selectors.refresh(offer.service for offer in change.after.values())
        self._publish(events)

    def _expire(self, now: int) -> None:
        self._publish(self._watch.health.expire(now))

    def _publish(self, events: list[Event]) -> None:
        """Keep events, and update the selectors they concern."""
        self._events.extend(events)
        for event in events:
            if isinstance(event, Transition):
                endpoint = event.target
                assert isinstance(endpoint, Endpoint)  # noqa: S101 - the watch adds only endpoints
                direct = self._offers.direct
                self._selectors.refresh(direct[name] for name in self._watch.services(endpoint))

    def _direct(self, name: str) -> ChildService:
        service = self._offers.direct.get(name)
        if service is None:
            raise UnknownService(name, nearest(name, self._offers.direct))
        return service

    def _check_child(self, child: str) -> None:
        if child not in self.config.children:
            raise UnknownChild(child, nearest(child, self.config.children))

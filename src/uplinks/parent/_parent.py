"""A parent: what its children advertise, the selectors made of it, and their health.

This is the public face alone: a line of code for each method, and its documentation. `Engine` does
the work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

from uplinks._leases import Lease, Leases
from uplinks.balance import Selector
from uplinks.errors import ServiceRequired
from uplinks.health import HealthPolicy, Ignored, Outcome, Probe
from uplinks.model import (
    Advertisement,
    Child,
    Fleet,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    PassiveHealthCheck,
    Services,
    TraefikService,
)
from uplinks.naming import weighted_service_name
from uplinks.parent._attempts import Attempts
from uplinks.parent._composed import Composed
from uplinks.parent._engine import Engine, Target
from uplinks.parent._events import EventStream
from uplinks.parent._sources import ChildAddress, Plain, require, source_of
from uplinks.parent._state import state_of
from uplinks.parent._watch import Endpoint

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
    Using: `lease`, `attempts`, `observe`.
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
        if not isinstance(config, ParentConfig):
            raise TypeError(
                f"config must be a ParentConfig, got {type(config).__name__}; "
                "for plain addresses use Parent.of({'eu': 'https://eu.example.com'})"
            )
        for name, child in config.children.items():
            if not isinstance(child, Child):
                raise TypeError(f"child {name!r} must be a Child, got {type(child).__name__}")
        policy = HealthPolicy() if policy is None else policy
        require(policy, HealthPolicy, "policy")
        require(start, int, "start")
        self._engine = Engine(config, services, policy, start=start, scheduler=scheduler)
        self._ready = self._engine.ready  # looked up once a request
        self._plain: Plain | None = None

    @classmethod
    def of(
        cls,
        children: Mapping[str, ChildAddress],
        *,
        health_check: HealthCheck | None = None,
        passive_health_check: PassiveHealthCheck | None = None,
        service: str = "default",
        policy: HealthPolicy | None = None,
        start: int = 0,
        scheduler: str = "fair",
    ) -> Self:
        """Make a parent without manifests: one service over children at these addresses.

        A child is an address, or an address and a weight (1 by default). An
        address may have a base path; the path of ``health_check`` is below it. A
        `Child` in its place has a ``serversTransport`` too.
        ``service`` names the uplink. `update` replaces the children.

        Complexity: as `advertise_all`.
        Raises: TypeError for another shape; InvalidAddress, InvalidWeight,
        InvalidName for values; ValueError as `advertise`.

        >>> parent = Parent.of({"eu": ("https://eu.example.com", 3), "us": "https://us.example.com/v1"})
        >>> sorted(child.url for child in parent.selector().pick_many(4))[2:]
        ['https://eu.example.com', 'https://us.example.com/v1']
        """
        plain = Plain(service, health_check, passive_health_check)
        parent = cls(ParentConfig(), policy=policy, start=start, scheduler=scheduler)
        parent._plain = plain
        parent._engine.replace(plain.source(children), 0)
        parent._engine.selectors.keep(weighted_service_name(service))
        return parent

    @classmethod
    def from_fleet(
        cls,
        fleet: Fleet,
        *,
        strict: bool = True,
        policy: HealthPolicy | None = None,
        start: int = 0,
        scheduler: str = "fair",
    ) -> Self:
        """Make the parent of a fleet, with everything its children offer.

        Children that the parent does not list are left out. With
        ``strict=False``, a fleet with errors is accepted as far as it can be.

        Complexity: as `advertise_all`, and `check` if strict.
        Raises: ValidationError with the report of a fleet with errors, if
        strict; as the constructor and `advertise`; CannotAdvertise.

        >>> from uplinks.model import Cluster
        >>> Parent.from_fleet(Fleet(Cluster("parent")), strict=False)
        <Parent of 0 children, 0 services, 0 composed>

        Source: reference page, "Complete Example".
        """
        source = source_of(fleet, strict=strict)
        parent = cls(
            source.config, source.services, policy=policy, start=start, scheduler=scheduler
        )
        parent.advertise_all(source.offers, 0)
        return parent

    def __repr__(self) -> str:
        return (
            f"<Parent of {len(self.config.children)} children, "
            f"{len(self._engine.offers)} services, {len(self.composed)} composed>"
        )

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the state; leases under way stay where they are."""
        return {"_engine": self._engine, "_plain": self._plain}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._ready = self._engine.ready

    @property
    def now(self) -> int:
        """The latest time passed in, in nanoseconds."""
        return self._engine.watch.health.now

    @property
    def policy(self) -> HealthPolicy:
        """The policy for all children."""
        return self._engine.policy

    @property
    def events(self) -> EventStream:
        """The transitions of `Endpoint` targets, and overloads, until they are drained."""
        return self._engine.events

    @property
    def ignored(self) -> Ignored:
        """How many outcomes of probes did not count so far."""
        return self._engine.watch.health.ignored

    @property
    def config(self) -> ParentConfig:
        """The children that the parent lists."""
        return self._engine.offers.config

    @property
    def services(self) -> Services:
        """The materialized services by name. O(n log n) once after a change, then O(1)."""
        return self._engine.offers.services

    @property
    def composed(self) -> Mapping[str, TraefikService]:
        """The parent's own composed services, by service name."""
        return self._engine.composed()

    @property
    def selectors(self) -> Mapping[str, Selector[Any]]:
        """The selectors given out so far, by service name."""
        return dict(self._engine.selectors.by_service)

    @property
    def failovers(self) -> frozenset[Selector[Any]]:
        """Those of the selectors given out that belong to a failover and ignore weights."""
        return frozenset(self._engine.selectors.failovers)

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
            self._engine.check_child(child)
        self._engine.change(self._engine.offers.replace(offers), now)

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
        self._engine.check_child(child)
        self._engine.change(self._engine.offers.amend(child, advertisements, gone), now)

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
        self._engine.change(self._engine.offers.reload(config), now)

    def reload_fleet(self, fleet: Fleet, now: int, *, strict: bool = True) -> None:
        """Serve another fleet, in one step: children, offers and composed services.

        State is kept as by `advertise` and `reload`. Selectors that were given
        out follow their services; that of a service that is gone, or that lost a
        reference, has no targets.

        Law: when it raises, nothing has changed; afterwards the services are
        those of ``Parent.from_fleet(fleet)``.
        Complexity: O(fleet). Raises: as `from_fleet`.
        """
        self._engine.replace(source_of(fleet, strict=strict), now)

    def recompose(self, services: Iterable[TraefikService], now: int) -> None:
        """Serve other composed services, in one step; children and offers stay.

        Law: when it raises, nothing has changed. Complexity: O(references).
        Raises: NameCollision when two services have one name.
        """
        engine = self._engine
        engine.change(engine.offers.reload(self.config), now, Composed(services))

    def update(self, children: Mapping[str, ChildAddress], now: int) -> None:
        """Replace the children of a parent made by `of`, in one step.

        A child whose name and address stay keeps its state.

        Law: when it raises, nothing has changed.
        Complexity: O(children). Raises: as `of`; TypeError for a parent that was
        not made by `of`.

        >>> parent = Parent.of({"eu": "https://eu.example.com"})
        >>> parent.update({"us": "https://us.example.com"}, now=0)
        >>> parent.selector().pick().child
        'us'
        """
        if self._plain is None:
            raise TypeError(
                "update needs a parent made by Parent.of; use advertise or reload_fleet"
            )
        self._engine.replace(self._plain.source(children), now)

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
        self._engine.set_up(name, now, up=up)

    # Driving

    def due(self, now: int, *, most: int | None = None) -> list[Probe]:
        """Start the probes that are due: ``probe.target`` is an `Endpoint`.

        ``most`` limits how many start now; the others stay due.

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
        self._engine.expire(now)
        return self._engine.watch.health.due(now, most=most)

    def report(self, probe: Probe, outcome: Outcome, now: int) -> None:
        """Report how a probe ended.

        Law: an outcome counts once, and only while its probe is in flight and
        its check still asks the same; `ignored` counts the others.
        Complexity: O(log n), and O(services at the endpoint) for a transition.
        Raises: TypeError; ValueError for a probe that this parent did not start.
        """
        self._engine.report(probe, outcome, now)

    def next_wakeup(self) -> int | None:
        """Return when (ns) to call `due` again; ``None``: not before something changes."""
        return self._engine.next_wakeup()

    # Using

    def observe(
        self,
        target: Target | str,
        ok: bool,  # noqa: FBT001 - as Selector.set_up
        now: int,
        *,
        reason: str = "",
    ) -> None:
        """Report how a request to a child service, or to one by its name, ended.

        Only a passive check uses it: a success of a target without remembered
        failures does nothing at all. ``reason`` is that of a failure, in a few
        words without secrets; it is shown with the transition. A target that is
        gone or has moved since it was picked, or one of the parent's own, is
        ignored.
        Complexity: O(1), and O(services at the endpoint) for a transition.
        Raises: UnknownService for a name that is not there; TypeError.
        """
        if not (ok and self._is_settled(target)):
            self._engine.observe(target, now, ok=ok, reason=reason)

    def _is_settled(self, target: Target | str) -> bool:
        """Return whether a success of a target would change nothing."""
        return not isinstance(target, str) and self._engine.observed.settled(target)

    def lease(self, name: str | None = None, exclude: Iterable[Target] | None = None) -> Lease:
        """Pick from a service for one request, and `observe` how it ended.

        Entering picks a target, leaving reports the outcome: `HealthPolicy.failures`
        judges an exception, or the status passed to `Lease.status`. Without
        either the request succeeded. ``fail``, ``succeed`` and ``ignore``
        override that. ``exclude`` are targets that are not picked.

        The time of the outcome is the latest time passed in, or that of the
        parent's driver.

        Complexity: O(1) beside the pick.
        Raises: as `selector`; TypeError for names in ``exclude``; NoEligibleTarget on entering.

        >>> parent = Parent.of({"eu": "https://eu.example.com"})
        >>> with parent.lease() as lease:
        ...     lease.url  # send the request there
        ...     lease.status(200)
        'https://eu.example.com'
        """
        # No argument is keyword-only: Python calls such functions more slowly.
        try:
            leases = self._ready[name]
        except KeyError:
            leases = self._leases(name)
        if exclude is None:
            return leases.lease()
        excluded = [] if isinstance(exclude, str) else list(exclude)
        # The name of a child would match no target, and so exclude nothing.
        if isinstance(exclude, str) or any(isinstance(each, str) for each in excluded):
            raise TypeError(
                f"exclude must be a list of targets, such as [lease.target], got {exclude!r}"
            )
        return leases.excluding(excluded)

    def attempts(self, name: str | None = None, *, retries: int = 2) -> Attempts:
        """Attempt one request on up to ``retries`` further children while it fails.

        Each attempt is a lease on a child that was not tried yet. There is no
        further one after a success, when no other child is eligible, or when
        `HealthPolicy.retry_budget` is used up; then the last exception is
        raised. Repeat only what is safe to repeat.

        Raises: as `lease`; ValueError for ``retries`` below 0.

        >>> parent = Parent.of({"eu": "https://eu.example.com", "us": "https://us.example.com"})
        >>> for attempt in parent.attempts():
        ...     with attempt:
        ...         if attempt.child == "eu":
        ...             raise ConnectionError("eu is away")
        ...         print(attempt.number, attempt.url)
        2 https://us.example.com
        """
        engine = self._engine
        with engine.lock:
            service = self._only_service() if name is None else name
            leases, selector = self._leases(service), engine.selectors.of(service)
            budget = engine.budget(service)
            return Attempts(
                leases, selector, budget, lock=engine.lock, clock=engine.now, retries=retries
            )

    def _attach(
        self,
        lock: AbstractContextManager[object],
        clock: Callable[[], int],
        reporter: Callable[[Target, bool, str], object],
    ) -> None:
        """Let leases use a driver's lock and clock, and report their outcomes through it."""
        engine = self._engine
        engine.lock, engine.clock, engine.reporter = lock, clock, reporter

    def _leases(self, name: str | None) -> Leases:
        with self._engine.lock:
            leases = self._engine.leases(self._only_service() if name is None else name)
            self._ready[name] = leases
            return leases

    # Asking

    def is_up(self, name: str) -> bool:
        """Return whether a child service, by its name, is up and not held out.

        Complexity: O(1). Raises: UnknownService.

        Source: reference page, "Health Check Behavior".
        """
        return self._engine.eligibility.is_up(self._engine.direct(name).name)

    def state(self, uplinks: Iterable[str] | None = None) -> dict[str, Any]:
        """Describe the present state as plain data, ready for `json.dumps`.

        With ``uplinks``, only the services of these uplink names.

        ``targets`` lists the child services: whether each is up or held out, its
        weight and when it has all of it, its active leases, its failed requests
        so far, and of its checks the state, the cause and reason of the last
        transition, since when, the next probe, and until when it is held down.
        ``services`` has the weights of each weighted service, ``retries`` how
        often requests to a service were repeated. Times are in nanoseconds of
        the clock passed in; addresses are without user information.

        Complexity: O(services + active leases).

        >>> [target] = Parent.of({"eu": "https://eu.example.com"}).state()["targets"]
        >>> target["child"], target["up"], target["check"]
        ('eu', True, None)
        """
        with self._engine.lock:
            return state_of(self._engine, uplinks)

    @property
    def uplinks(self) -> Collection[str]:
        """The uplink names that children advertise, in no order. O(1)."""
        return self._engine.offers.uplinks()

    @property
    def unknown(self) -> int:
        """How many endpoints with an active check were not judged by it yet. O(endpoints)."""
        return self._engine.watch.unknown()

    def services_of(self, uplink: str) -> Services:
        """Return the services of one uplink name; none if no child advertises it.

        Law: they are those of `services` with this name.
        Complexity: O(children that advertise it), whatever else there is.

        >>> parent = Parent.of({"eu": "https://eu.example.com"}, service="api")
        >>> list(parent.services_of("api"))
        ['api-eu@multicluster', 'api@multicluster']
        """
        return self._engine.offers.of_uplink(uplink)

    def uplink_of(self, name: str) -> str | None:
        """Return the uplink name of a materialized service, or ``None``. O(1).

        >>> parent = Parent.of({"eu": "https://eu.example.com"}, service="api")
        >>> parent.uplink_of("api-eu@multicluster")
        'api'
        """
        return self._engine.offers.uplink_of(name)

    def readiness(self, name: str | None = None) -> tuple[int, int]:
        """Return how many targets of a service are up by a check of theirs, and how many there are.

        A target without an active check counts as up.
        Complexity: O(targets). Raises: as `selector`.
        """
        names = self._engine.selectors.children(self.selector(name))
        return sum(map(self._engine.is_ready, names)), len(names)

    def in_flight(self, child: str) -> int:
        """Return how many leases on a child are active. Complexity: O(active leases)."""
        flights = self._engine.in_flight()
        return sum(flights[service.name] for service in self._engine.offers.of_child(child))

    def services_at(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Return the names of the child services at an endpoint; none if it is gone.

        Complexity: O(services there).
        """
        return self._engine.watch.services(endpoint)

    def selector(self, name: str | None = None) -> Selector[Any]:
        """Return a service's selector: the same object for the same name.

        Without a name it is that of the only service over several children.

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
        known = self._engine.known
        if name not in known:
            known[name] = self._engine.selectors.of(self._only_service() if name is None else name)
        return known[name]

    def route(self, router: IngressRoute, index: int = 0) -> Selector[Any]:
        """Return the selector of a router's route; the same object for the same route.

        One service is taken as it is, whatever its weight; several are
        weighted; none gives a selector without targets.

        Complexity: O(references). Raises: IndexError when there is no such
        route; as `selector`.

        >>> from uplinks.model import Route, ServiceReference
        >>> own = ServiceReference("api", port=80)
        >>> router = IngressRoute("r", "apps", [Route("Path(`/`)", services=[own])])
        >>> Parent(ParentConfig()).route(router).pick().name
        'api'

        Source: Traefik's Kubernetes CRD provider.
        """
        return self._engine.selectors.of_route(router, index)

    def _only_service(self) -> str:
        if self._plain is not None:
            return weighted_service_name(self._plain.service)
        names = sorted((*self.composed, *self._engine.offers.weighted_names()))
        if len(names) != 1:
            raise ServiceRequired(tuple(names))
        return names[0]

"""What a child advertises, and the services a parent makes of it.

`advertise` turns a child's manifests into advertisements, `materialize` turns
advertisements into services. Both are pure, and the order of their input never shows
in their output. Both are all or nothing: they raise before they make anything, with
all errors or all name collisions at once.

Identity is a tuple; a service name is a view of it. Two identities with one name are
an error, never settled by order. Two advertisements share an identity as follows:

- A child service is (uplink name, child, owner).
- A weighted service is the owner (``namespace/name``) that its name was derived
  from, over any number of children. A name set with ``exposeName`` is meant to be
  shared: it joins the weighted service of that name, whatever the owners. Two
  *derived* names that are equal by accident (``a-b`` + ``c`` and ``a`` + ``b-c``)
  do not join, and within one child nothing joins.

Source: reference page, "Uplink Naming" and "Weight Configuration".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from attrs import evolve, frozen

from uplinks import addresses, naming, rules
from uplinks.diagnostics import Report
from uplinks.errors import (
    CannotAdvertise,
    InvalidAddress,
    InvalidWeight,
    NameCollision,
    UnknownChild,
)
from uplinks.model import (
    Advertisement,
    ChildConfig,
    ChildService,
    Cluster,
    ParentConfig,
    Services,
    WeightedChild,
    WeightedService,
)
from uplinks.rules.uplink import is_weight

__all__ = ["advertise", "check_offer", "materialize", "weighted_service"]

# --- what a child advertises ------------------------------------------------


def advertise(
    child: Cluster, *, entry_points: Collection[str] | None = None
) -> tuple[Advertisement, ...]:
    """Return what a child offers to its parents, sorted by uplink name.

    Entry points are those of the uplink, else every ``asDefault`` one of the child, else
    all of them. With ``entry_points``, only uplinks on one of these are offered: a parent
    finds no others there (`Fleet.reached_entry_points`).
    Each advertisement lists the routers that reference the uplink.

    Law: it succeeds exactly when no rule reports an error for the child on its own
    (``tests/laws/test_services_laws.py``). A child without a static configuration
    counts as one without entry points. The check covers the whole child, because
    leaving a broken router out would apply its manifests by half.
    Complexity: O(n log n) for n objects.

    Raises: CannotAdvertise with the report.

    >>> from uplinks.model import ChildConfig, Uplink, UplinkEntryPoint
    >>> config = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)})
    >>> eu = Cluster("eu", uplinks=[Uplink("api", "apps", weight=10)], child_config=config)
    >>> [(a.uplink_name, a.entry_points, a.weight) for a in advertise(eu)]
    [('apps-api', ('up',), 10)]

    Source: reference page, "Configuration Options" and "Referencing Uplinks
    from Routers".
    """
    checked = _with_configuration(child)
    if rules.has_error(checked, role="child"):
        raise CannotAdvertise(child.name, rules.check_cluster(checked, role="child"))
    offer = _offer(checked)
    if entry_points is None:
        return offer
    return tuple(each for each in offer if not set(entry_points).isdisjoint(each.entry_points))


def check_offer(child: Cluster) -> tuple[Report, tuple[Advertisement, ...]]:
    """Return the report on a child on its own, and what it offers if there is no error.

    As `advertise`, for callers that show warnings too. Raises nothing.

    >>> report, offer = check_offer(Cluster("eu"))
    >>> report.ok, offer
    (True, ())
    """
    checked = _with_configuration(child)
    report = rules.check_cluster(checked, role="child")
    return report, () if report.errors else _offer(checked)


def _with_configuration(child: Cluster) -> Cluster:
    return evolve(child, child_config=child.child_config or ChildConfig())


def _offer(child: Cluster) -> tuple[Advertisement, ...]:
    config = child.child_config or ChildConfig()
    routers: dict[str, set[str]] = defaultdict(set)
    for router in child.routers:
        if router.advertised:
            for name in router.uplinks:
                routers[name].add(router.owner)
    return tuple(
        Advertisement(
            uplink_name=uplink.uplink_name,
            owner=uplink.owner,
            entry_points=uplink.entry_points or config.default_entry_points,
            weight=uplink.weight,
            health_check=uplink.health_check,
            passive_health_check=uplink.passive_health_check,
            routers=sorted(routers[uplink.uplink_name]),
            exposed=uplink.expose_name is not None,
        )
        for uplink in sorted(child.uplinks, key=lambda uplink: uplink.uplink_name)
    )


# --- what a parent materializes ---------------------------------------------


def materialize(
    config: ParentConfig, advertisements: Mapping[str, Iterable[Advertisement]]
) -> Services:
    """Make the services of a parent from what its children advertise.

    ``advertisements`` is by child name. For each uplink name there is one
    `WeightedService` over all children that advertise it, sorted by child
    name, and one `ChildService` per child whose ``url`` is the child's address
    exactly as it is configured.

    Law: the result does not depend on any order in the input; every collision
    of service names is found, and all are reported at once
    (``tests/laws/test_services_laws.py``).
    Complexity: O(n log n) for n advertisements.

    Raises `InvalidAddress` for the first listed child, by name, whose address
    is unusable, `UnknownChild` for a child that the parent does not list,
    `InvalidName` and `InvalidWeight` for advertisements not made by
    `advertise`, and `NameCollision`.

    >>> from uplinks.model import Child
    >>> config = ParentConfig({"eu": Child("https://eu.example.com:9443")})
    >>> services = materialize(config, {"eu": [Advertisement("apps-api", "apps/api", ["up"], 9)]})
    >>> list(services)
    ['apps-api-eu@multicluster', 'apps-api@multicluster']
    >>> services["apps-api@multicluster"].children
    (WeightedChild(name='apps-api-eu@multicluster', weight=9),)

    Source: reference page, "Uplink Naming" and "Weight Configuration".
    """
    for child in sorted(config.children):
        address = config.children[child].address
        problem = addresses.problem_with_address(address)
        if problem is not None:
            raise InvalidAddress(child, addresses.without_userinfo(address), problem)
    offers = _offers(config, advertisements)
    collisions = _collisions(offers)
    if collisions:
        raise NameCollision(collisions)
    by_uplink: dict[str, list[_Offer]] = defaultdict(list)
    services: list[WeightedService | ChildService] = []
    for offer in offers:
        by_uplink[offer.advertisement.uplink_name].append(offer)
        services.append(
            ChildService(
                name=offer.service,
                uplink_name=offer.advertisement.uplink_name,
                child=offer.child,
                url=config.children[offer.child].url,
                health_check=offer.advertisement.health_check,
                passive_health_check=offer.advertisement.passive_health_check,
                servers_transport=config.children[offer.child].servers_transport,
            )
        )
    for name, shared in by_uplink.items():
        services.append(weighted_service(name, [(o.service, o.advertisement) for o in shared]))
    return Services({service.name: service for service in sorted(services, key=lambda s: s.name)})


def weighted_service(
    uplink_name: str, offers: Iterable[tuple[str, Advertisement]]
) -> WeightedService:
    """Make the weighted service of an uplink.

    ``offers`` are the names of its child services, sorted by child, with what they advertise.
    Complexity: O(offers). Raises: InvalidName.

    >>> offer = Advertisement("api", "apps/api", ["up"], 9)
    >>> weighted_service("api", [("api-eu@multicluster", offer)]).children
    (WeightedChild(name='api-eu@multicluster', weight=9),)
    """
    shared = list(offers)
    return WeightedService(
        name=naming.weighted_service_name(uplink_name),
        uplink_name=uplink_name,
        children=[WeightedChild(name, offer.weight) for name, offer in shared],
        health_check=all(offer.health_check is not None for _, offer in shared),
    )


@frozen
class _Offer:
    """An advertisement, its child, and the name of the child service made of it."""

    child: str
    service: str
    advertisement: Advertisement


def _offers(
    config: ParentConfig, advertisements: Mapping[str, Iterable[Advertisement]]
) -> list[_Offer]:
    offers: list[_Offer] = []
    for child in sorted(advertisements):
        if child not in config.children:
            raise UnknownChild(child, naming.nearest(child, config.children))
        for advertisement in advertisements[child]:
            if not is_weight(advertisement.weight):
                raise InvalidWeight(advertisement.weight)
            service = naming.child_service_name(advertisement.uplink_name, child)
            offers.append(_Offer(child, service, advertisement))
    return sorted(
        offers, key=lambda o: (o.advertisement.uplink_name, o.child, o.advertisement.owner)
    )


def _collisions(offers: Iterable[_Offer]) -> dict[str, tuple[str, ...]]:
    direct: dict[str, list[_Offer]] = defaultdict(list)
    weighted: dict[str, list[_Offer]] = defaultdict(list)
    for offer in offers:
        direct[offer.service].append(offer)
        weighted[naming.weighted_service_name(offer.advertisement.uplink_name)].append(offer)
    collisions: dict[str, tuple[str, ...]] = {}
    for name in sorted({*direct, *weighted}):
        alone, shared = direct.get(name, []), weighted.get(name, [])
        if len(alone) + bool(shared) > 1 or not _joins(shared):
            collisions[name] = tuple(sorted([*map(_claim, shared), *map(_direct_claim, alone)]))
    return collisions


def _joins(offers: Sequence[_Offer]) -> bool:
    """Tell whether advertisements of one uplink name make one weighted service."""
    derived = {o.advertisement.owner for o in offers if not o.advertisement.exposed}
    return len(derived) <= 1 and len({o.child for o in offers}) == len(offers)


def _claim(offer: _Offer) -> str:
    return f"uplink {offer.advertisement.owner} of child {offer.child!r}"


def _direct_claim(offer: _Offer) -> str:
    return f"{_claim(offer)}, directly"

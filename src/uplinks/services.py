"""What a child offers, and what a parent makes of it.

Rules of this file:

1. Two pure functions: `advertise` (a child's manifests → advertisements) and
   `materialize` (advertisements → services). The order of the input never
   shows in the output.
2. All or nothing: whoever gets a result may use all of it. What is wrong is
   raised before anything is made, all name collisions at once.
3. Identity is a tuple, a service name is only a view of it. Two identities
   with one name are refused, never settled by who came last.

Identities, and when two advertisements share one:

- A child service is (uplink name, child, owner).
- A weighted service is the owner (``namespace/name``) that its name was derived
  from, over any number of children. A name chosen with ``exposeName`` was
  chosen to be shared: it joins the weighted service of that name whoever the
  owners are. Two *derived* names that are equal by accident (``a-b`` + ``c``
  and ``a`` + ``b-c``) do not join, and within one child nothing joins.

Source: reference page, "Uplink Naming" and "Weight Configuration".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from attrs import frozen

from uplinks import addresses, naming
from uplinks.errors import (
    CannotAdvertise,
    InvalidAddress,
    InvalidName,
    InvalidWeight,
    NameCollision,
    UnknownChild,
    shown,
)
from uplinks.model import (
    MAX_WEIGHT,
    UPLINKS_ANNOTATION,
    Advertisement,
    ChildService,
    Cluster,
    IngressRoute,
    ParentConfig,
    Services,
    Uplink,
    WeightedChild,
    WeightedService,
)

__all__ = ["advertise", "materialize"]

# --- a child offers ---------------------------------------------------------


def advertise(child: Cluster) -> tuple[Advertisement, ...]:
    """Resolve what a child offers to its parents, sorted by uplink name.

    Entry points are the uplink's own, else every ``asDefault`` one of the
    child. Routers are listed under each uplink they reference.

    Law: it succeeds exactly when no rule finds an error in the child's uplinks
    and in its routers with the annotation (``tests/laws/test_services_laws.py``).
    A bad router is refused as loudly as a bad uplink: an advertisement without
    it would be a half-applied change.
    Complexity: O(n log n) for n uplinks and routers.

    Raises `CannotAdvertise` for the first uplink, by owner, that has a bad
    name, namespace, ``exposeName`` or weight, is declared twice, names an
    unknown entry point or has none; then for the first router with the
    annotation that sets ``entryPoints`` or ``tls``, has an empty element or
    names an unknown uplink. Raises `NameCollision` when two uplinks of the
    child have one uplink name.

    >>> from uplinks.model import ChildConfig, UplinkEntryPoint
    >>> config = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)})
    >>> eu = Cluster("eu", uplinks=[Uplink("api", "apps", weight=10)], child_config=config)
    >>> [(a.uplink_name, a.entry_points, a.weight) for a in advertise(eu)]
    [('apps-api', ('up',), 10)]

    Source: reference page, "Configuration Options" and "Referencing Uplinks
    from Routers".
    """
    uplinks = sorted(child.uplinks, key=lambda uplink: uplink.owner)
    offered = [_offer(uplink, child) for uplink in uplinks]
    for before, after in pairwise(uplinks):
        if before.owner == after.owner:
            raise CannotAdvertise(after.owner, "it is declared twice")
    by_name: dict[str, list[str]] = defaultdict(list)
    for advertisement in offered:
        by_name[advertisement.uplink_name].append(advertisement.owner)
    collisions = {
        naming.weighted_service_name(name): tuple(
            f"uplink {owner} of child {child.name!r}" for owner in by_name[name]
        )
        for name in sorted(by_name)
        if len(by_name[name]) > 1
    }
    if collisions:
        raise NameCollision(collisions)
    routers = _routers_by_uplink(child.routers, {a.uplink_name: a.owner for a in offered})
    return tuple(
        Advertisement(
            uplink_name=a.uplink_name,
            owner=a.owner,
            entry_points=a.entry_points,
            weight=a.weight,
            health_check=a.health_check,
            passive_health_check=a.passive_health_check,
            routers=sorted(routers[a.uplink_name]),
            exposed=a.exposed,
        )
        for a in sorted(offered, key=lambda a: a.uplink_name)
    )


def _offer(uplink: Uplink, child: Cluster) -> Advertisement:
    for kind, text in (("name", uplink.name), ("namespace", uplink.namespace)):
        problem = naming.problem_with_name(text)
        if problem is not None:
            raise CannotAdvertise(uplink.owner, f"invalid {kind} {shown(text)}: {problem}")
    try:
        name = naming.uplink_name(uplink.namespace, uplink.name, uplink.expose_name)
    except InvalidName as error:
        raise CannotAdvertise(uplink.owner, str(error)) from error
    if not _is_weight(uplink.weight):
        raise CannotAdvertise(
            uplink.owner, f"weight is {shown(uplink.weight)}; 0 to {MAX_WEIGHT} is allowed"
        )
    return Advertisement(
        uplink_name=name,
        owner=uplink.owner,
        entry_points=_entry_points(uplink, child),
        weight=uplink.weight,
        health_check=uplink.health_check,
        passive_health_check=uplink.passive_health_check,
        exposed=uplink.expose_name is not None,
    )


def _is_weight(weight: object) -> bool:
    # A bool is an int to Python and a mistake to everybody else.
    return isinstance(weight, int) and not isinstance(weight, bool) and 0 <= weight <= MAX_WEIGHT


def _entry_points(uplink: Uplink, child: Cluster) -> tuple[str, ...]:
    config = child.child_config
    if not uplink.entry_points:
        defaults = () if config is None else config.default_entry_points
        if not defaults:
            raise CannotAdvertise(
                uplink.owner,
                "it names no entry point and the child has none with asDefault: true",
            )
        return defaults
    known = {} if config is None else config.uplink_entry_points
    for name in uplink.entry_points:
        if name not in known:
            near = naming.nearest(name, known)
            hint = "" if near is None else f"; did you mean {near!r}?"
            raise CannotAdvertise(
                uplink.owner, f"the child has no uplink entry point {shown(name)}{hint}"
            )
    return uplink.entry_points


def _routers_by_uplink(
    routers: Iterable[IngressRoute], owners: Mapping[str, str]
) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for router in sorted(routers, key=lambda router: (router.namespace, router.name)):
        if not router.advertised:
            continue
        router_name = f"{router.namespace}/{router.name}"
        text = router.annotations[UPLINKS_ANNOTATION]
        names = naming.split_uplinks_annotation(text)
        problem = _problem_with_router(router, names, owners)
        if problem is not None:
            uplink = next((owners[name] for name in names if name in owners), shown(text))
            raise CannotAdvertise(uplink, f"router {router_name} {problem}")
        for name in names:
            found[name].add(router_name)
    return found


def _problem_with_router(
    router: IngressRoute, names: Sequence[str], owners: Mapping[str, str]
) -> str | None:
    if router.entry_points is not None:
        return "sets entryPoints, which come from the uplink"
    if router.tls is not None:
        return "sets tls, which the uplink entry point handles"
    for name in names:
        if not name:
            return f"has an empty element in its {UPLINKS_ANNOTATION} annotation"
        if name not in owners:
            near = naming.nearest(name, owners)
            hint = "" if near is None else f"; did you mean {near!r}?"
            return f"references the unknown uplink {shown(name)}{hint}"
    return None


# --- a parent materializes --------------------------------------------------


def materialize(
    config: ParentConfig, advertisements: Mapping[str, Iterable[Advertisement]]
) -> Services:
    """Make the services of a parent out of what its children advertise.

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
                url=config.children[offer.child].address,
                health_check=offer.advertisement.health_check,
                passive_health_check=offer.advertisement.passive_health_check,
                servers_transport=config.children[offer.child].servers_transport,
            )
        )
    for name, shared in by_uplink.items():
        services.append(
            WeightedService(
                name=naming.weighted_service_name(name),
                uplink_name=name,
                children=[WeightedChild(o.service, o.advertisement.weight) for o in shared],
                health_check=all(o.advertisement.health_check is not None for o in shared),
            )
        )
    return Services({service.name: service for service in sorted(services, key=lambda s: s.name)})


@frozen
class _Offer:
    """An advertisement, whose it is, and the child service it becomes."""

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
            if not _is_weight(advertisement.weight):
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
    """Whether advertisements of one uplink name are one weighted service."""
    derived = {o.advertisement.owner for o in offers if not o.advertisement.exposed}
    return len(derived) <= 1 and len({o.child for o in offers}) == len(offers)


def _claim(offer: _Offer) -> str:
    return f"uplink {offer.advertisement.owner} of child {offer.child!r}"


def _direct_claim(offer: _Offer) -> str:
    return f"{_claim(offer)}, directly"

"""Fleets without an error, and what their parents materialize."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import attrs
from hypothesis import strategies as st

from uplinks.model import (
    UPLINKS_ANNOTATION,
    Cluster,
    Fleet,
    IngressRoute,
    ParentConfig,
    Route,
    ServiceReference,
    Services,
    Uplink,
)
from uplinks.services import advertise, materialize
from uplinks.testing.strategies._configs import child_configs, parent_configs
from uplinks.testing.strategies._objects import labels, uplinks, weights

__all__ = ["fleets", "services"]


@st.composite
def fleets(draw: st.DrawFn, max_children: int = 3, max_uplinks: int = 4) -> Fleet:
    """Fleets of a parent and at least one child.

    Every child advertises some uplinks of a shared pool, each with weight and
    checks of its own; all generated service names are different; every router
    of a child references uplinks of that child; the parent routes to each
    weighted service that can serve.
    """
    config = draw(parent_configs(1, max_children))
    names = list(config.children)
    pool = _without_collisions(draw(_pools(max_uplinks)), names)
    children = _served({name: draw(_children(name, pool)) for name in names})
    offered = (uplink for child in children.values() for uplink in child.uplinks)
    advertised = sorted({uplink.uplink_name for uplink in offered if uplink.weight})
    return Fleet(Cluster("parent", (), _parent_routers(advertised), (), None, config), children)


# Made once: making a strategy takes longer than drawing from it.
@cache
def _pools(most: int) -> st.SearchStrategy[list[Uplink]]:
    return st.lists(uplinks(), max_size=most, unique_by=lambda uplink: uplink.owner)


@cache
def _router_identities() -> st.SearchStrategy[list[tuple[str, str]]]:
    return st.lists(st.tuples(labels, labels), max_size=2, unique=True)


@cache
def _choices(least: int) -> st.SearchStrategy[list[int]]:
    """Draw up to two numbers that choose from a sequence of any length."""
    return st.lists(st.integers(0, 11), min_size=least, max_size=2, unique=True)


def _chosen(numbers: list[int], items: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(items[number % len(items)] for number in numbers))


def _served(children: Mapping[str, Cluster]) -> dict[str, Cluster]:
    """Set the weight of uplinks with weight 0 on every child to 1, so that each can be picked."""
    able = {u.uplink_name for child in children.values() for u in child.uplinks if u.weight}
    return {
        name: attrs.evolve(
            child,
            uplinks=[
                uplink if uplink.uplink_name in able else attrs.evolve(uplink, weight=1)
                for uplink in child.uplinks
            ],
        )
        for name, child in children.items()
    }


def _without_collisions(pool: list[Uplink], names: list[str]) -> list[Uplink]:
    kept: list[Uplink] = []
    taken: set[str] = set()
    for uplink in pool:
        made = {uplink.uplink_name, *(f"{uplink.uplink_name}-{name}" for name in names)}
        if not made & taken:
            kept.append(uplink)
            taken |= made
    return kept


@st.composite
def _children(draw: st.DrawFn, name: str, pool: list[Uplink]) -> Cluster:
    config = draw(child_configs())
    declared = sorted(config.uplink_entry_points)
    offered = [
        attrs.evolve(
            uplink,
            weight=draw(weights),
            entry_points=_chosen(draw(_choices(0)), declared),
        )
        for uplink in pool
        if draw(st.booleans())
    ]
    names = sorted(uplink.uplink_name for uplink in offered)
    routers = [
        IngressRoute(
            router,
            namespace,
            _kubernetes_routes(router),
            annotations={UPLINKS_ANNOTATION: ",".join(_chosen(draw(_choices(1)), names))},
        )
        for router, namespace in (draw(_router_identities()) if names else ())
    ]
    return Cluster(name, offered, routers, (), config)


def _kubernetes_routes(name: str) -> tuple[Route, ...]:
    return (Route(f"PathPrefix(`/{name}`)", services=(ServiceReference(name, port=8080),)),)


def _parent_routers(advertised: list[str]) -> list[IngressRoute]:
    reference: Mapping[str, Any] = {"kind": "TraefikService"}
    return [
        IngressRoute(
            f"to-{index}",
            "apps",
            (
                Route(
                    f"PathPrefix(`/{index}`)",
                    services=(ServiceReference(f"{name}@multicluster", **reference),),
                ),
            ),
            ("websecure",),
            {},
        )
        for index, name in enumerate(advertised)
    ]


@cache
def services() -> st.SearchStrategy[Services]:
    """What the parents of drawn fleets materialize."""

    def made(fleet: Fleet) -> Services:
        offers = {name: advertise(child) for name, child in fleet.children.items()}
        return materialize(fleet.parent.parent_config or ParentConfig(), offers)

    return fleets().map(made)

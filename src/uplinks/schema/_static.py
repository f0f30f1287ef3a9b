"""Read a static configuration, whose form is that of Traefik's YAML file, and write it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any, Final

import attrs

from uplinks.diagnostics import LIMIT_EXCEEDED, Severity
from uplinks.located import Origin
from uplinks.model import ChildConfig, ParentConfig, StaticConfig
from uplinks.schema._converter import CONVERTER, MOST_REFUSED
from uplinks.schema._problems import (
    Path,
    Problem,
    build,
    unknown_fields,
    wrong_type_at,
)

__all__ = ["read_static_config", "write_static_config"]

_MULTICLUSTER: Final = ("hub", "providers", "multicluster")
_PROVIDER: Final = ("children", "pollInterval", "pollTimeout")
_CHILD: Final = ("address", "serversTransport")
_ENTRY_POINT: Final = (
    "address",
    "allowACMEByPass",
    "asDefault",
    "forwardedHeaders",
    "http",
    "http2",
    "http3",
    "observability",
    "proxyProtocol",
    "reusePort",
    "transport",
    "udp",
)


def read_static_config(node: dict[str, Any], origin: Origin) -> tuple[StaticConfig, list[Problem]]:
    """Read a static configuration, which may make a cluster a child, a parent, or both.

    A ``multicluster`` with any content makes a parent. One without ``children`` exposes
    the API of a child.
    """
    problems: list[Problem] = []
    hub = _mapping_at(node, ("hub",), problems) or {}
    points = _mapping_at(hub, ("hub", "uplinkEntryPoints"), problems)
    providers = _mapping_at(hub, _MULTICLUSTER[:2], problems) or {}
    provider = _mapping_at(providers, _MULTICLUSTER, problems)
    child = parent = None
    listed = provider is not None and provider.get("children") is not None
    if points is not None or (provider is not None and not listed):
        tree = {"uplinkEntryPoints": points}
        structure_child = partial(CONVERTER.structure, cl=ChildConfig)
        child, found = build(tree, structure_child, Severity.ERROR, ("hub",))
        child = attrs.evolve(child, multicluster=provider is not None, origin=origin)
        misses = _misses_below(points or {}, _ENTRY_POINT, ("hub", "uplinkEntryPoints"))
        problems += [*found, *misses]
    if provider:
        structure_parent = partial(CONVERTER.structure, cl=ParentConfig)
        parent, found = build(provider, structure_parent, Severity.ERROR, _MULTICLUSTER)
        parent = attrs.evolve(parent, origin=origin)
        problems += [*found, *_provider_problems(provider)]
    return StaticConfig(child, parent, origin=origin), problems


def _mapping_at(
    parent: dict[str, Any], path: Path, problems: list[Problem]
) -> dict[str, Any] | None:
    """Give the mapping at the last step of a path, ``None`` if it is absent or none."""
    value = parent.get(path[-1])
    if value is None or isinstance(value, dict):
        return value
    problems.append(wrong_type_at(path, value, "a mapping"))
    return None


def _provider_problems(provider: dict[str, Any]) -> Iterator[Problem]:
    """Find near misses in what the model only keeps.

    The provider has undocumented fields, so an unknown field is an error only if it
    resembles a known one.
    """
    yield from _near_misses(provider, _PROVIDER, _MULTICLUSTER)
    children = provider.get("children")
    if isinstance(children, dict):
        yield from _misses_below(children, _CHILD, (*_MULTICLUSTER, "children"))


def _misses_below(named: dict[str, Any], known: tuple[str, ...], path: Path) -> Iterator[Problem]:
    """Find near misses in each of the mappings that have a name."""
    misses = (
        miss
        for name, node in named.items()
        if isinstance(node, dict)
        for miss in _near_misses(node, known, (*path, name))
    )
    yield from islice(misses, MOST_REFUSED)
    for miss in islice(misses, 1):
        most = f"more than {MOST_REFUSED} unknown fields"
        message = f"{path[-1]} have {most}; the others are left out"
        yield Problem(LIMIT_EXCEEDED, miss.path, message, key=True)


def _near_misses(node: dict[str, Any], known: tuple[str, ...], path: Path) -> Iterator[Problem]:
    # Traefik takes the names in any case.
    names = {name.lower() for name in known}
    unknown = {name for name in node if name.lower() not in names}
    problems = unknown_fields(path, unknown, known, Severity.ERROR)
    return (problem for problem in problems if problem.suggestion is not None)


def write_static_config(config: StaticConfig) -> dict[str, Any]:
    """Write a static configuration, as the value of ``hub``."""
    hub: dict[str, Any] = {}
    if config.child is not None:
        points = config.child.uplink_entry_points
        hub["uplinkEntryPoints"] = {n: CONVERTER.unstructure(p) for n, p in points.items()}
        if config.child.multicluster:
            hub["providers"] = {"multicluster": {}}
    if config.parent is not None:
        hub["providers"] = {"multicluster": CONVERTER.unstructure(config.parent)}
    return hub

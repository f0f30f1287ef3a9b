"""From text to clusters, and from clusters to a fleet.

Text never raises: whatever is wrong is a diagnostic beside everything that could be
read. Nothing is dropped silently: objects declared twice stay twice, and parts of a static
configuration that contradict each other are reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import evolve

from uplinks import manifest, rules, schema
from uplinks.addresses import listening_port
from uplinks.diagnostics import Diagnostic, Related, Report, Severity
from uplinks.errors import quote
from uplinks.located import JoinedOrigin, Path
from uplinks.model import (
    Child,
    ChildConfig,
    Cluster,
    Fleet,
    IngressRoute,
    OtherObject,
    ParentConfig,
    StaticConfig,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
)
from uplinks.schema import DEFAULT_NAMESPACE, Manifests

__all__ = [
    "DECLARED_TWICE",
    "MOST_FINDINGS",
    "check_manifests",
    "join_clusters",
    "make_cluster",
    "make_fleet",
    "parse_manifests",
]

DECLARED_TWICE = "UPL010"
MOST_FINDINGS = 10_000
"""The limit of diagnostics about one text. Beyond the first 1,000 at most one per 200 bytes;
reading then ends with ``UPL004``."""


def parse_manifests(
    text: bytes | bytearray | memoryview | str,
    source: str = "",
    cluster: str = "",
    *,
    namespace: str = DEFAULT_NAMESPACE,
) -> Manifests:
    r"""Read the resources of one text: YAML or JSON, with any number of documents, or TOML.

    ``source`` is the name of the file in diagnostics, ``cluster`` that of its cluster; a
    source that ends with ``.toml`` is TOML. ``namespace`` is that of objects without one.
    A bad text gives diagnostics beside whatever could be read; no text raises.

    Complexity: O(len(text)). Raises `TypeError` for anything but ``str`` and bytes.

    >>> manifests = parse_manifests("kind: Uplink\n"
    ...     "apiVersion: hub.traefik.io/v1alpha1\n"
    ...     "metadata: {name: api-workload, namespace: apps}\n"
    ...     "spec: {weight: 10}\n")
    >>> [(uplink.uplink_name, uplink.weight) for uplink in manifests.resources]
    [('apps-api-workload', 10)]
    >>> print(*parse_manifests("a: [", source="f.yaml").diagnostics[:1])  # doctest: +ELLIPSIS
    f.yaml:1:5: error UPL001: ...

    Source: reference page, "Configuration Example".
    """
    read = manifest.read_toml if source.endswith(".toml") else manifest.read
    tree = read(text, file=source, cluster=cluster)
    most = min(MOST_FINDINGS, 1000 + len(text) // 200)
    return schema.structure(tree.documents, tree.diagnostics, most=most, namespace=namespace)


def check_manifests(
    text: bytes | bytearray | memoryview | str,
    source: str = "",
    role: rules.Role | None = None,
    extra: Iterable[rules.Rule] = (),
    *,
    known_modes: Iterable[str] = (),
    namespace: str = DEFAULT_NAMESPACE,
) -> Report:
    r"""Check one text on its own, without the rest of its fleet.

    ``source`` and ``namespace`` are as for `parse_manifests`, the rest as for
    `rules.check_cluster`.
    With a ``role`` the text is taken as the whole cluster.

    Complexity: O(n log n) for text of length n. Raises `TypeError` for anything but
    ``str`` and bytes, and ValueError as `rules.check`.

    >>> for diagnostic in check_manifests("kind: Uplink\n"
    ...     "apiVersion: hub.traefik.io/v1alpha1\n"
    ...     "metadata: {name: api-workload, namespace: apps}\n"
    ...     "spec: {weight: -1}\n", source="f.yaml"):
    ...     print(diagnostic)  # doctest: +ELLIPSIS
    f.yaml:4:16: error UPL103: ...

    Source: reference page, "Configuration Options".
    """
    cluster = make_cluster("", [parse_manifests(text, source, namespace=namespace)])
    return rules.check_cluster(cluster, role, extra, known_modes=known_modes)


def make_cluster(
    name: str, manifests: Iterable[Manifests], diagnostics: Iterable[Diagnostic] = ()
) -> Cluster:
    """Combine the manifests of one cluster.

    ``diagnostics`` are further ones, about its files. A static configuration may be in
    several documents and forms, which are joined. If two of them give an entry point or a
    child different addresses, that is a diagnostic, and the first one is used. A
    configuration of which nothing is kept, like ``hub: null``, counts as skipped.

    Complexity: O(resources).

    >>> make_cluster("child-1", [Manifests((Uplink("api", "apps"),))]).uplinks[0].owner
    'apps/api'

    Source: reference page, "Complete Example".
    """
    texts = tuple(manifests)
    resources = [resource for text in texts for resource in text.resources]
    configs = [resource for resource in resources if isinstance(resource, StaticConfig)]
    found = [*diagnostics, *(each for text in texts for each in text.diagnostics)]
    children = [c.child for c in configs if c.child is not None]
    parents = [c.parent for c in configs if c.parent is not None]
    child, parent = _join_configs(children, parents, found)
    return Cluster(
        name,
        uplinks=(r for r in resources if isinstance(r, Uplink)),
        routers=(r for r in resources if isinstance(r, IngressRoute)),
        traefik_services=(r for r in resources if isinstance(r, TraefikService)),
        child_config=child,
        parent_config=parent,
        diagnostics=found,
        skipped=sum(text.skipped for text in texts)
        + sum(c.child is None and c.parent is None for c in configs),
        others=(r for r in resources if isinstance(r, OtherObject)),
    )


def join_clusters(clusters: Sequence[Cluster]) -> Cluster:
    """Join the parts of one cluster that were read apart. The first one gives the name.

    Complexity: O(resources). Raises: ValueError without a part.

    >>> parts = [Cluster("eu", uplinks=[Uplink("a", "apps")]), Cluster("eu", skipped=1)]
    >>> join_clusters(parts).skipped
    1
    """
    if not clusters:
        raise ValueError("a cluster needs a part")
    if len(clusters) == 1:
        return clusters[0]
    found = [each for cluster in clusters for each in cluster.diagnostics]
    children = [c.child_config for c in clusters if c.child_config is not None]
    parents = [c.parent_config for c in clusters if c.parent_config is not None]
    child, parent = _join_configs(children, parents, found)
    return Cluster(
        clusters[0].name,
        uplinks=(each for cluster in clusters for each in cluster.uplinks),
        routers=(each for cluster in clusters for each in cluster.routers),
        traefik_services=(each for cluster in clusters for each in cluster.traefik_services),
        child_config=child,
        parent_config=parent,
        diagnostics=found,
        skipped=sum(cluster.skipped for cluster in clusters),
        others=(each for cluster in clusters for each in cluster.others),
    )


def _join_configs(
    children: Sequence[ChildConfig], parents: Sequence[ParentConfig], found: list[Diagnostic]
) -> tuple[ChildConfig | None, ParentConfig | None]:
    child, parent = _join_children(children, found), _join_parents(parents, found)
    if child is not None and parent is not None:
        # Whatever is set below `multicluster` is there to expose the child as well.
        child = evolve(child, multicluster=True)
    return child, parent


def _join_children(parts: Sequence[ChildConfig], found: list[Diagnostic]) -> ChildConfig | None:
    """Join the parts of a child's configuration, and report entry points that differ."""
    if not parts[1:]:
        return parts[0] if parts else None
    points: dict[str, UplinkEntryPoint] = {}
    holders: dict[str, ChildConfig] = {}
    for part in parts:
        for name, point in part.uplink_entry_points.items():
            first = points.get(name)
            if first is None:
                points[name], holders[name] = point, part
                continue
            if _differ(listening_port(first.address), listening_port(point.address)):
                path = ("hub", "uplinkEntryPoints", name)
                found.append(_contradiction("entry point", path, holders[name], part))
            points[name] = UplinkEntryPoint(
                first.address or point.address,
                first.as_default or point.as_default,
                rest={**point.rest, **first.rest},
            )
    exposed = any(part.multicluster for part in parts)
    origin = JoinedOrigin.of([part.origin for part in parts])
    return ChildConfig(points, exposed, origin=origin)


def _join_parents(parts: Sequence[ParentConfig], found: list[Diagnostic]) -> ParentConfig | None:
    """Join the parts of a parent's configuration, and report children that differ."""
    if not parts[1:]:
        return parts[0] if parts else None
    children: dict[str, Child] = {}
    holders: dict[str, ParentConfig] = {}
    rest: dict[str, Any] = {}
    for part in parts:
        rest = {**part.rest, **rest}
        for name, child in part.children.items():
            first = children.get(name)
            if first is None:
                children[name], holders[name] = child, part
                continue
            if _differ(first.address, child.address):
                path = ("hub", "providers", "multicluster", "children", name)
                found.append(_contradiction("child", path, holders[name], part))
            children[name] = evolve(
                first,
                servers_transport=first.servers_transport or child.servers_transport,
                rest={**child.rest, **first.rest},
            )
    origin = JoinedOrigin.of([part.origin for part in parts])
    return ParentConfig(children, rest=rest, origin=origin)


def _differ(first: object, second: object) -> bool:
    """Whether both are given, and not the same."""
    return bool(first and second) and first != second


def _contradiction(
    what: str, path: Path, first: ChildConfig | ParentConfig, second: ChildConfig | ParentConfig
) -> Diagnostic:
    return Diagnostic(
        DECLARED_TWICE,
        Severity.ERROR,
        f"{what} {quote(str(path[-1]))} is declared twice with different addresses; "
        "the first one is used",
        second.origin.locate(*path, key=True),
        (Related(first.origin.locate(*path, key=True), "first declared here"),),
    )


def make_fleet(parent: Cluster, children: Iterable[Cluster] = ()) -> Fleet:
    """Combine a parent and its children, by the names of their clusters.

    Raises: ValueError if two children have the same name.

    >>> make_fleet(Cluster("parent"), [Cluster("eu"), Cluster("us")]).children["eu"].name
    'eu'

    Source: reference page, "Complete Example".
    """
    by_name: dict[str, Cluster] = {}
    for child in children:
        if child.name in by_name:
            raise ValueError(f"two children have the name {child.name!r}")
        by_name[child.name] = child
    return Fleet(parent, by_name)

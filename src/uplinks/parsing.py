"""From text to clusters, and from clusters to a fleet.

Text never raises: whatever is wrong is a diagnostic beside everything that could be
read. Nothing is dropped silently: objects declared twice stay twice, and a second part
of a static configuration is reported.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from uplinks import manifest, rules, schema
from uplinks.diagnostics import Diagnostic, Related, Report, Severity
from uplinks.model import (
    ChildConfig,
    Cluster,
    Fleet,
    IngressRoute,
    OtherObject,
    ParentConfig,
    StaticConfig,
    TraefikService,
    Uplink,
)
from uplinks.schema import Manifests

__all__ = [
    "DECLARED_TWICE",
    "MOST_FINDINGS",
    "check_manifests",
    "make_cluster",
    "make_fleet",
    "parse_manifests",
]

DECLARED_TWICE = "UPL010"
MOST_FINDINGS = 10_000
"""The limit of diagnostics about one text. Beyond the first 1,000 at most one per 200 bytes;
reading then ends with ``UPL004``."""

Part = TypeVar("Part", ChildConfig, ParentConfig)


def parse_manifests(
    text: bytes | bytearray | memoryview | str, source: str = "", cluster: str = ""
) -> Manifests:
    r"""Read the resources of one text: YAML or JSON, with any number of documents.

    ``source`` is the name of the file in diagnostics, ``cluster`` that of its cluster.
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
    tree = manifest.read(text, file=source, cluster=cluster)
    most = min(MOST_FINDINGS, 1000 + len(text) // 200)
    return schema.structure(tree.documents, tree.diagnostics, most=most)


def check_manifests(
    text: bytes | bytearray | memoryview | str,
    source: str = "",
    role: rules.Role | None = None,
    extra: Iterable[rules.Rule] = (),
    *,
    known_modes: Iterable[str] = (),
) -> Report:
    r"""Check one text on its own, without the rest of its fleet.

    ``source`` is as for `parse_manifests`, the rest as for `rules.check_cluster`.
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
    cluster = make_cluster("", [parse_manifests(text, source)])
    return rules.check_cluster(cluster, role, extra, known_modes=known_modes)


def make_cluster(
    name: str, manifests: Iterable[Manifests], diagnostics: Iterable[Diagnostic] = ()
) -> Cluster:
    """Combine the manifests of one cluster.

    ``diagnostics`` are further ones, about its files. The child's and the parent's part
    of a static configuration may be in different documents. If a part is declared more
    than once, that is a diagnostic, and the first one is used. A configuration of which
    nothing is kept, like ``hub: null``, counts as skipped.

    Complexity: O(resources).

    >>> make_cluster("child-1", [Manifests((Uplink("api", "apps"),))]).uplinks[0].owner
    'apps/api'

    Source: reference page, "Complete Example".
    """
    texts = tuple(manifests)
    resources = [resource for text in texts for resource in text.resources]
    configs = [resource for resource in resources if isinstance(resource, StaticConfig)]
    found = [*diagnostics, *(each for text in texts for each in text.diagnostics)]
    child = _first_part("child", [c.child for c in configs], found)
    parent = _first_part("parent", [c.parent for c in configs], found)
    kept = {id(part) for part in (child, parent) if part is not None}
    unused = sum(id(c.child) not in kept and id(c.parent) not in kept for c in configs)
    return Cluster(
        name,
        uplinks=(r for r in resources if isinstance(r, Uplink)),
        routers=(r for r in resources if isinstance(r, IngressRoute)),
        traefik_services=(r for r in resources if isinstance(r, TraefikService)),
        child_config=child,
        parent_config=parent,
        diagnostics=found,
        skipped=sum(text.skipped for text in texts) + unused,
        others=(r for r in resources if isinstance(r, OtherObject)),
    )


def _first_part(role: str, parts: Iterable[Part | None], found: list[Diagnostic]) -> Part | None:
    """Choose the first part of a role, and report all others."""
    declared = [part for part in parts if part is not None]
    if not declared:
        return None
    first, *others = declared
    related = (Related(first.origin.locate("hub", key=True), "first declared here"),)
    message = f"the {role} configuration is declared more than once; the first one is used"
    found.extend(
        Diagnostic(
            DECLARED_TWICE, Severity.ERROR, message, part.origin.locate("hub", key=True), related
        )
        for part in others
    )
    return first


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

"""From text to clusters, and from clusters to a fleet.

Rules of this file:

1. Text never makes it raise. Whatever is wrong comes back as a diagnostic,
   beside everything that could be read in spite of it.
2. It joins what others know: `manifest` knows text and places, `schema` knows
   kinds and fields, `rules` know what is valid.
3. Nothing that was read is dropped in silence: an object declared twice stays
   twice, and a part of a static configuration that has no room is reported.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from attrs import frozen

from uplinks import manifest, rules, schema
from uplinks.diagnostics import Diagnostic, Related, Report, Severity
from uplinks.model import (
    ChildConfig,
    Cluster,
    Fleet,
    IngressRoute,
    ParentConfig,
    Resource,
    StaticConfig,
    TraefikService,
    Uplink,
)

__all__ = [
    "DECLARED_TWICE",
    "MOST_FINDINGS",
    "Manifests",
    "check_manifests",
    "make_cluster",
    "make_fleet",
    "parse_manifests",
]

DECLARED_TWICE = "UPL010"
MOST_FINDINGS = 10_000
"""So many findings are made about one text, but behind the first 1,000 at most one for each
200 bytes; then its reading ends with ``UPL004``."""

Part = TypeVar("Part", ChildConfig, ParentConfig)


@frozen
class Manifests:
    """What one text held.

    ``resources`` are in the order in which they are written, ``skipped``
    counts the documents of kinds that mean nothing here.

    >>> Manifests()
    Manifests(resources=(), diagnostics=(), skipped=0)
    """

    resources: tuple[Resource, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    skipped: int = 0


def parse_manifests(
    text: bytes | bytearray | memoryview | str, source: str = "", cluster: str = ""
) -> Manifests:
    r"""Read the resources of one text: YAML, or JSON, of any number of documents.

    ``source`` is what diagnostics call the file, ``cluster`` the cluster that
    it belongs to. A text that is wrong gives diagnostics and whatever could be
    read all the same; no text makes it raise.

    Complexity: O(len(text)). Raises `TypeError` for what is neither ``str`` nor
    bytes.

    >>> read = parse_manifests("kind: Uplink\n"
    ...     "apiVersion: hub.traefik.io/v1alpha1\n"
    ...     "metadata: {name: api-workload, namespace: apps}\n"
    ...     "spec: {weight: 10}\n")
    >>> [(uplink.uplink_name, uplink.weight) for uplink in read.resources]
    [('apps-api-workload', 10)]
    >>> print(*parse_manifests("a: [", source="f.yaml").diagnostics[:1])  # doctest: +ELLIPSIS
    f.yaml:1:5: error UPL001: ...

    Source: reference page, "Configuration Example".
    """
    read = manifest.read(text, file=source, cluster=cluster)
    resources: list[Resource] = []
    diagnostics = list(read.diagnostics)
    skipped = 0
    most = min(MOST_FINDINGS, 1000 + len(text) // 200)
    for document in read.documents:
        room = most - len(diagnostics)
        structured = schema.structure(document, cluster=cluster, most=room)
        resources += structured.resources
        diagnostics += structured.diagnostics
        skipped += structured.skipped
        if structured.cut:
            break
    return Manifests(tuple(resources), tuple(diagnostics), skipped)


def check_manifests(
    text: bytes | bytearray | memoryview | str,
    source: str = "",
    role: rules.Role | None = None,
    extra: Iterable[rules.Rule] = (),
    *,
    known_modes: Iterable[str] = (),
) -> Report:
    r"""Check one text alone: what is wrong in it, as far as it can be told from it.

    ``source`` is as for `parse_manifests`; the rest as for `rules.check_cluster`.
    A ``role`` says that the text is all of a cluster.

    Complexity: O(n log n) for a text of length n. Raises `TypeError` for what is
    neither ``str`` nor bytes, and ValueError as `rules.check`.

    >>> for found in check_manifests("kind: Uplink\n"
    ...     "apiVersion: hub.traefik.io/v1alpha1\n"
    ...     "metadata: {name: api-workload, namespace: apps}\n"
    ...     "spec: {weight: -1}\n", source="f.yaml"):
    ...     print(found.code, found.location)
    UPL103 f.yaml:4:16

    Source: reference page, "Configuration Options".
    """
    cluster = make_cluster("", [parse_manifests(text, source)])
    return rules.check_cluster(cluster, role, extra, known_modes=known_modes)


def make_cluster(
    name: str, manifests: Iterable[Manifests], diagnostics: Iterable[Diagnostic] = ()
) -> Cluster:
    """Gather everything that was read of one cluster.

    ``diagnostics`` are further findings made on the way to the texts. A static
    configuration may be split over documents: one may hold the child's part
    and another the parent's. A part that is there twice is a finding, and the
    first one counts. A configuration of which nothing is kept, like ``hub: null``,
    counts as skipped.

    Complexity: O(resources).

    >>> make_cluster("child-1", [Manifests((Uplink("api", "apps"),))]).uplinks[0].owner
    'apps/api'

    Source: reference page, "Complete Example".
    """
    texts = tuple(manifests)
    resources = [resource for text in texts for resource in text.resources]
    configs = [resource for resource in resources if isinstance(resource, StaticConfig)]
    found = [*diagnostics, *(finding for text in texts for finding in text.diagnostics)]
    child = _only("child", [c.child for c in configs], found)
    parent = _only("parent", [c.parent for c in configs], found)
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
    )


def _only(role: str, parts: Iterable[Part | None], found: list[Diagnostic]) -> Part | None:
    declared = [part for part in parts if part is not None]
    if not declared:
        return None
    first, *others = declared
    here = Related(first.origin.locate("hub", key=True), "declared here first")
    what = f"the {role}'s part of the static configuration is declared twice; the first one counts"
    found.extend(
        Diagnostic(
            DECLARED_TWICE,
            Severity.ERROR,
            what,
            part.origin.locate("hub", key=True),
            (here,),
        )
        for part in others
    )
    return first


def make_fleet(parent: Cluster, children: Iterable[Cluster] = ()) -> Fleet:
    """Gather a parent and its children; a child is known by its cluster's name.

    Raises: ValueError when two children have one name.

    >>> make_fleet(Cluster("parent"), [Cluster("eu"), Cluster("us")]).children["eu"].name
    'eu'

    Source: reference page, "Complete Example".
    """
    by_name: dict[str, Cluster] = {}
    for child in children:
        if child.name in by_name:
            raise ValueError(f"two children are called {child.name!r}")
        by_name[child.name] = child
    return Fleet(parent, by_name)

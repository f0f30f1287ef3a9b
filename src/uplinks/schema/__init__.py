"""Between a located tree and the model: ``structure`` one way, ``unstructure`` back.

Rules of this package:

1. It is the only place that knows camelCase and the only one that uses cattrs.
2. Everything wrong with a document is reported at once, each thing where it
   stands, and nothing that is wrong is coerced into something right.
3. What is wrong is left out, what is right is kept: a refused field has its
   default, a refused item of a list or mapping is gone, an object that lacks a
   required field is gone as a whole. So rules can still speak about the rest.
4. It says whether a document has the right shape, not whether it makes sense:
   a negative weight, or a missing ``metadata.name`` (``""`` in the model), is a
   rule's business.
5. Documents of other kinds are counted, not reported. So is a mapping with
   neither ``kind``, ``apiVersion`` nor ``hub``, and whatever is no mapping. An
   empty document is nothing at all.

The files: ``_shapes`` (the mappings of a manifest), ``_converter`` (values and
refusals), ``_findings`` (refusals with paths), ``_kinds`` (which kinds there
are), ``_fields`` (the fields of Traefik's kinds), ``_json_schema`` (the shape of
an Uplink for others); here each kind is put together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

import attrs
from attrs import frozen

from uplinks.diagnostics import Diagnostic, Severity
from uplinks.model import (
    ChildConfig,
    IngressRoute,
    ParentConfig,
    Resource,
    StaticConfig,
    TraefikService,
    Uplink,
)
from uplinks.schema._converter import CONVERTER, MOST_REFUSED, Refused, read_duration
from uplinks.schema._fields import INGRESS_ROUTE_SPEC, TRAEFIK_SERVICE_SPEC, strange_fields
from uplinks.schema._findings import (
    MISSING_FIELD,
    OVER_A_LIMIT,
    UNKNOWN_FIELD,
    WRONG_TYPE,
    Finding,
    Path,
    build,
    unknown_fields,
)
from uplinks.schema._kinds import HUB_API, TRAEFIK_API, is_list, strange_kind
from uplinks.schema._shapes import (
    IngressRouteManifest,
    IngressRouteSpec,
    Metadata,
    StaticManifest,
    TraefikServiceManifest,
    TraefikServiceSpec,
    UplinkManifest,
    UplinkSpec,
)
from uplinks.tree import Document, Origin

__all__ = ["Structured", "json_schema", "structure", "unstructure"]


@frozen
class Structured:
    """What one document held.

    ``resources`` are in the order in which they are written; ``skipped`` counts
    the objects of kinds that are not read. ``cut``: there was too much to say, and
    the rest was left unread.
    """

    resources: tuple[Resource, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    skipped: int = 0
    cut: bool = False


def structure(document: Document, cluster: str = "", *, most: int | None = None) -> Structured:
    """Read the resources of one document.

    The document may be a ``kind: List``, also one of lists: its items are read
    as if each were a document. ``cluster`` goes into every location. With more than
    ``most`` findings the rest is left unread, which is one more finding (``UPL004``).

    Law: ``structure(Document(unstructure(x))).resources == (x,)``.
    Complexity: O(size of the document). Raises nothing.

    >>> tree = {"apiVersion": "hub.traefik.io/v1alpha1", "kind": "Uplink",
    ...         "metadata": {"name": "api", "namespace": "apps"}, "spec": {"wieght": 10}}
    >>> read = structure(Document(tree, file="u.yaml"))
    >>> [uplink.uplink_name for uplink in read.resources]
    ['apps-api']
    >>> [(d.code, d.location.path, d.suggestion) for d in read.diagnostics]
    [('UPL005', '$.spec.wieght', 'weight')]

    Source: reference page, "Configuration Options" and "Complete Example".
    """
    resources: list[Resource] = []
    diagnostics: list[Diagnostic] = []
    skipped = 0
    # A stack of our own: nesting in a document must not become nesting in Python.
    waiting: list[tuple[Path, Any]] = [((), document.root)]
    while waiting:
        base, node = waiting.pop()
        if node is None:
            continue
        origin = Origin(document, cluster, base)
        if is_list(node):
            items = node.get("items")
            if isinstance(items, list):
                inside = [((*base, "items", index), item) for index, item in enumerate(items)]
                waiting.extend(reversed(inside))
            elif items is not None:
                message = "items is not a list; a list is allowed"
                diagnostics.append(Finding(WRONG_TYPE, ("items",), message).at(origin))
            continue
        read = _reader(node)
        if read is None:
            skipped += 1
            findings = list(strange_kind(node))
        else:
            resource, findings = read(node, origin)
            findings = _each_cause_once(findings)
            resources.append(resource)
        room = len(findings) if most is None else max(0, most - len(diagnostics))
        diagnostics.extend(finding.at(origin) for finding in findings[:room])
        if len(findings) > room:
            where = findings[room].at(origin).location
            message = "too many findings in this text; nothing behind this place was read"
            diagnostics.append(Diagnostic(OVER_A_LIMIT, Severity.ERROR, message, where))
            return Structured(tuple(resources), tuple(diagnostics), skipped, cut=True)
    return Structured(tuple(resources), tuple(diagnostics), skipped)


def _each_cause_once(findings: list[Finding]) -> list[Finding]:
    """Leave out that a field is missing where it is there, but mistyped."""
    meant = {(*each.path[:-1], each.suggestion) for each in findings if each.code == UNKNOWN_FIELD}
    return [each for each in findings if each.code != MISSING_FIELD or each.path not in meant]


def unstructure(resource: Resource) -> dict[str, Any]:
    """Write a resource as a manifest: plain dicts, lists and scalars.

    What equals its default is left out, durations are written in Go's form,
    header values are written out. A static configuration gives ``{"hub": …}``.

    Law: ``structure(Document(unstructure(x))).resources == (x,)``, provided
    that no header is there twice, durations fit into 64 bits, and a child
    beside a parent has ``multicluster``: the parent's part is written at
    ``hub.providers.multicluster``, whose presence is what exposes the child.
    Complexity: O(size). Raises `InvalidDuration`.

    >>> unstructure(Uplink("api", "apps", weight=10))["spec"]
    {'weight': 10}

    Source: reference page, "Configuration Options" and "Complete Example".
    """
    match resource:
        case Uplink():
            return _written(HUB_API, "Uplink", _uplink_manifest(resource))
        case IngressRoute():
            return _written(TRAEFIK_API, "IngressRoute", _ingress_route_manifest(resource))
        case TraefikService():
            return _written(TRAEFIK_API, "TraefikService", _traefik_service_manifest(resource))
        case StaticConfig():
            return {"hub": _written_hub(resource)}


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 7) of one Uplink, as plain values.

    Law: what the reader or a rule about one Uplink refuses, this refuses, and
    the reverse, but for what its description names. ``null`` is unset, as when
    reading. `tests/laws/test_json_schema_laws.py` shows it.
    Complexity: O(fields). Raises nothing.

    >>> schema = json_schema()
    >>> schema["required"], sorted(schema["properties"]["spec"]["properties"])[:2]
    (['apiVersion', 'kind', 'metadata'], ['entryPoints', 'exposeName'])

    Source: the Uplink CRD; reference page, "Configuration Options".
    """
    from uplinks.schema._json_schema import uplink_schema  # noqa: PLC0415 - a check needs none

    return uplink_schema()


Read = tuple[Resource, list[Finding]]


def _reader(node: Any) -> Callable[[dict[str, Any], Origin], Read] | None:
    if not isinstance(node, dict):
        return None
    kind, api_version = node.get("kind"), node.get("apiVersion")
    if kind is None and api_version is None:
        return _static_config if "hub" in node else None
    # No dict lookup: a kind may be anything, also something unhashable.
    if api_version == HUB_API and kind == "Uplink":
        return _uplink
    if api_version == TRAEFIK_API and kind == "IngressRoute":
        return _ingress_route
    if api_version == TRAEFIK_API and kind == "TraefikService":
        return _traefik_service
    return None


# --- reading each kind ------------------------------------------------------


def _uplink(node: dict[str, Any], origin: Origin) -> Read:
    manifest, findings = build(node, UplinkManifest, Severity.ERROR)
    metadata, spec = manifest.metadata, manifest.spec
    uplink = Uplink(
        metadata.name,
        metadata.namespace,
        spec.expose_name,
        spec.entry_points,
        spec.weight,
        spec.health_check,
        spec.passive_health_check,
        metadata.annotations,
        origin=origin,
    )
    return uplink, findings


def _ingress_route(node: dict[str, Any], origin: Origin) -> Read:
    manifest, findings = build(node, IngressRouteManifest, Severity.WARNING)
    spec_node = node.get("spec")
    findings += strange_fields(spec_node, INGRESS_ROUTE_SPEC, ("spec",))
    if isinstance(spec_node, dict) and spec_node.get("routes") is None:
        # Required, but a router without routes still has entry points and TLS
        # to speak about; so the shape has a default and the finding is made here.
        message = "routes is missing in spec; it is required"
        findings.append(Finding(MISSING_FIELD, ("spec", "routes"), message))
    metadata, spec = manifest.metadata, manifest.spec
    router = IngressRoute(
        metadata.name,
        metadata.namespace,
        spec.routes,
        spec.entry_points,
        spec.tls,
        metadata.annotations,
        rest=spec.rest,
        origin=origin,
    )
    return router, findings


def _traefik_service(node: dict[str, Any], origin: Origin) -> Read:
    manifest, findings = build(node, TraefikServiceManifest, Severity.WARNING)
    findings += strange_fields(node.get("spec"), TRAEFIK_SERVICE_SPEC, ("spec",))
    metadata, spec = manifest.metadata, manifest.spec
    service = TraefikService(
        metadata.name,
        metadata.namespace,
        spec.weighted,
        spec.failover,
        metadata.annotations,
        rest=spec.rest,
        origin=origin,
    )
    return service, findings


def _static_config(node: dict[str, Any], origin: Origin) -> Read:
    """Read a static configuration, which may make a cluster a child, a parent, or both.

    A ``multicluster`` that says anything makes a parent; an empty one only
    exposes the API of a child.
    """
    manifest, findings = build({"hub": node["hub"]}, StaticManifest, Severity.ERROR)
    points, parent = manifest.hub.uplink_entry_points, manifest.hub.providers.multicluster
    path = ("hub", "providers", "multicluster")
    exposed = parent is not None
    if parent is not None:
        provider = node["hub"]["providers"]["multicluster"]
        findings += _provider_findings(provider, parent, path)
        parent = attrs.evolve(parent, origin=origin) if provider else None
    child = None
    if points is not None or (exposed and parent is None):
        child = ChildConfig(points or {}, exposed, origin=origin)
    return StaticConfig(child, parent, origin=origin), findings


_PROVIDER: Final = ("children", "pollInterval", "pollTimeout")
_CHILD: Final = ("address", "serversTransport")


def _provider_findings(
    provider: dict[str, Any], parent: ParentConfig, path: Path
) -> Iterator[Finding]:
    """Find near misses and bad durations in what the model only keeps.

    The provider has fields that are documented nowhere, so an unknown field is
    an error only when it looks like a known one.
    """
    yield from _near_misses(provider, _PROVIDER, path)
    children = provider.get("children")
    misses = _misses_in_children(children if isinstance(children, dict) else {}, path)
    yield from islice(misses, MOST_REFUSED)
    for miss in islice(misses, 1):
        message = f"more than {MOST_REFUSED} unknown fields in children; the others are left out"
        yield Finding(OVER_A_LIMIT, miss.path, message, key=True)
    for name in ("pollInterval", "pollTimeout"):
        value = parent.rest.get(name)
        if value is not None:
            try:
                read_duration(value)
            except Refused as refused:
                yield Finding(refused.code, (*path, name), f"{name} {refused.said}")


def _misses_in_children(children: dict[str, Any], path: Path) -> Iterator[Finding]:
    for name, child in children.items():
        if isinstance(child, dict):
            yield from _near_misses(child, _CHILD, (*path, "children", name))


def _near_misses(node: dict[str, Any], known: tuple[str, ...], path: Path) -> Iterator[Finding]:
    unknown = unknown_fields(path, node.keys() - set(known), known, Severity.ERROR)
    return (finding for finding in unknown if finding.suggestion is not None)


# --- writing each kind ------------------------------------------------------


def _written(api_version: str, kind: str, manifest: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, **CONVERTER.unstructure(manifest)}


def _uplink_manifest(uplink: Uplink) -> UplinkManifest:
    return UplinkManifest(
        Metadata(uplink.name, uplink.namespace, uplink.annotations),
        UplinkSpec(
            uplink.expose_name,
            uplink.entry_points,
            uplink.weight,
            uplink.health_check,
            uplink.passive_health_check,
        ),
    )


def _ingress_route_manifest(router: IngressRoute) -> IngressRouteManifest:
    return IngressRouteManifest(
        Metadata(router.name, router.namespace, router.annotations),
        IngressRouteSpec(router.entry_points, router.routes, router.tls, router.rest),
    )


def _traefik_service_manifest(service: TraefikService) -> TraefikServiceManifest:
    return TraefikServiceManifest(
        Metadata(service.name, service.namespace, service.annotations),
        TraefikServiceSpec(service.weighted, service.failover, service.rest),
    )


def _written_hub(config: StaticConfig) -> dict[str, Any]:
    hub: dict[str, Any] = {}
    if config.child is not None:
        points = config.child.uplink_entry_points
        hub["uplinkEntryPoints"] = {n: CONVERTER.unstructure(p) for n, p in points.items()}
        if config.child.multicluster:
            hub["providers"] = {"multicluster": {}}
    if config.parent is not None:
        hub["providers"] = {"multicluster": CONVERTER.unstructure(config.parent)}
    return hub

"""Rules about references to objects by name and namespace (UPL335, UPL336).

Source: Traefik's Kubernetes CRD provider.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from uplinks.diagnostics import Diagnostic, Location, Severity
from uplinks.errors import quote
from uplinks.located import Origin
from uplinks.model import Cluster, IngressRoute, ServiceReference, written_references
from uplinks.rules._references import KIND, Reference, of_cluster
from uplinks.rules._rule import rule
from uplinks.rules._suggestion import RuleResult, Suggestion

__all__ = ["cross_namespace", "unknown_object"]

Path = tuple[str | int, ...]


@frozen
class _Named:
    """A reference to an object of a kind, the object that holds it, and its place."""

    kind: str
    name: str
    namespace: str
    own_namespace: str
    holder: str
    origin: Origin
    path: Path

    def locate(self, field: str) -> Location:
        """The place of its name or namespace; the whole of a reference without fields."""
        whole = isinstance(self.origin.value_at(*self.path), str)
        return self.origin.locate(*self.path, *(() if whole else (field,)))


def _named(cluster: Cluster) -> Iterator[_Named]:
    """Yield every reference to an object of Traefik's own provider, services included."""
    for router in cluster.routers:
        yield from _of_router(router)
    for reference in of_cluster(cluster):
        yield from _of_reference(reference)
    for other in cluster.others:
        if other.kind == "Middleware":
            chain = other.spec.get("chain")
            items = chain.get("middlewares") if isinstance(chain, Mapping) else None
            holder, path = f"Middleware {other.owner}", ("spec", "chain", "middlewares")
            yield from _listed("Middleware", items, holder, other.namespace, (other.origin, path))


def _of_router(router: IngressRoute) -> Iterator[_Named]:
    holder, namespace = f"router {router.owner}", router.namespace
    for index, route in enumerate(router.routes):
        items, path = route.rest.get("middlewares"), ("spec", "routes", index, "middlewares")
        yield from _listed("Middleware", items, holder, namespace, (router.origin, path))
    above = router.rest.get("parentRefs")
    place = (router.origin, ("spec", "parentRefs"))
    yield from _listed("IngressRoute", above, holder, namespace, place)
    options = router.tls.get("options") if router.tls is not None else None
    for _, each, _ in written_references([options]):
        yield _one(
            "TLSOption", each, holder, namespace, (router.origin, ("spec", "tls", "options"))
        )


def _of_reference(reference: Reference) -> Iterator[_Named]:
    """Yield a service, and the middlewares and the transport of a Kubernetes Service."""
    service, holder = reference.service, reference.holder
    kind = KIND if service.kind == KIND else "Service"
    place = (reference.origin, reference.path)
    yield _one(kind, service, holder, reference.own_namespace, place)
    if service.kind == KIND:
        return
    items, path = service.rest.get("middlewares"), (*reference.path, "middlewares")
    yield from _listed("Middleware", items, holder, reference.namespace, (reference.origin, path))
    transport = service.rest.get("serversTransport")
    if isinstance(transport, str) and transport:
        each = ServiceReference(transport)
        place = (reference.origin, (*reference.path, "serversTransport"))
        yield _one("ServersTransport", each, holder, reference.namespace, place)


def _listed(
    kind: str, items: Any, holder: str, namespace: str, place: tuple[Origin, Path]
) -> Iterator[_Named]:
    origin, path = place
    for index, reference, _ in written_references(items):
        yield _one(kind, reference, holder, namespace, (origin, (*path, index)))


def _one(
    kind: str, reference: ServiceReference, holder: str, own: str, place: tuple[Origin, Path]
) -> _Named:
    namespace = reference.namespace or own
    return _Named(kind, reference.name, namespace, own, holder, *place)


@rule(
    "UPL335",
    name="cross-namespace",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("child_config", "others", "parent_config", "routers", "traefik_services"),
)
def cross_namespace(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about a reference to an object of another namespace.

    ## What it checks

    A reference to a service, a middleware, a router above or TLS options names no other
    namespace than that of its object, and only a service is named `name@kubernetescrd`.
    The rule is silent if the static configuration of the cluster sets
    `providers.kubernetesCRD.allowCrossNamespace: true`.

    ## Why

    By default Traefik refuses such a reference and drops the route. An `HTTPRoute` needs
    a `ReferenceGrant` instead, and is not checked.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          middlewares:
            - name: auth
              namespace: shared # UPL335
          services:
            - name: api
              namespace: other # UPL335
              port: 80
    ```

    ## Good

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          middlewares:
            - name: auth
          services:
            - name: api
              namespace: apps
              port: 80
    ```

    ## Source

    Traefik v3.7, Kubernetes CRD provider, `allowCrossNamespace`.
    """
    if any(
        config is not None and config.origin.value_at(*_ALLOWED) is True
        for config in (cluster.child_config, cluster.parent_config)
    ):
        return
    for named in _named(cluster):
        if "@" in named.name:
            # A service may be named so.
            if named.name.endswith("@kubernetescrd") and named.kind not in {KIND, "Service"}:
                yield cross_namespace.at(
                    named.locate("name"),
                    f"{named.holder} references {named.kind} {quote(named.name)}, which Traefik "
                    "refuses by default, as it can be in any namespace; write its name alone",
                )
        elif named.namespace != named.own_namespace and not named.holder.startswith("HTTPRoute "):
            yield cross_namespace.at(
                named.locate("namespace"),
                f"{named.holder} references {named.kind} {quote(named.name)} of namespace "
                f"{quote(named.namespace)}, which Traefik refuses by default; move one of them, or "
                "set providers.kubernetesCRD.allowCrossNamespace",
            )


_ALLOWED = ("providers", "kubernetesCRD", "allowCrossNamespace")


@rule(
    "UPL336",
    name="unknown-object",
    severity=Severity.WARNING,
    scope="cluster",
    reads=("others", "routers", "traefik_services"),
)
def unknown_object(cluster: Cluster) -> Iterator[RuleResult]:
    """Warn about a middleware, transport or TLS option that is not among the manifests.

    ## What it checks

    If the manifests have a `Middleware`, a `ServersTransport` or a `TLSOption` of a
    namespace, then each reference to an object of this kind and namespace names one of
    them. Objects of other providers, such as `auth@file`, are not checked.

    ## Why

    A router with a middleware that does not exist answers every request with 404, and
    a service without its transport answers with 500.

    ## Bad

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: Middleware
    metadata: {name: auth, namespace: apps}
    spec: {basicAuth: {secret: users}}
    ---
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          middlewares:
            - name: auht # UPL336
          services: [{name: api, port: 80}]
    ```

    ## Good

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: Middleware
    metadata: {name: auth, namespace: apps}
    spec: {basicAuth: {secret: users}}
    ---
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          middlewares:
            - name: auth
          services: [{name: api, port: 80}]
    ```

    ## Source

    Traefik v3.7, Kubernetes CRD provider.
    """
    known: dict[tuple[str, str], set[str]] = defaultdict(set)
    for other in cluster.others:
        known[other.kind, other.namespace].add(other.name)
    for named in _named(cluster) if known else ():
        names = known.get((named.kind, named.namespace))
        if names and "@" not in named.name and named.name not in names:
            diagnostic = unknown_object.at(
                named.locate("name"),
                f"{named.holder} references the {named.kind} {quote(named.name)}, which is not "
                f"among those of namespace {quote(named.namespace)}; correct the name, or add it",
            )
            yield Suggestion(diagnostic, named.name, names)

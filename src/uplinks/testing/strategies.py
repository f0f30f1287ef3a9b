"""Hypothesis strategies for the model: values that no rule calls an error.

`broken_fleets` and `broken_manifests` draw values with one kind of mistake. Durations
are nanoseconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from uplinks import rules
from uplinks.errors import MissingExtra

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise MissingExtra("testing") from error

from uplinks.model import (
    MAX_WEIGHT,
    UPLINKS_ANNOTATION,
    Advertisement,
    Child,
    ChildConfig,
    ChildService,
    ClientCertificate,
    Cluster,
    Failover,
    Fleet,
    ForwardingTimeouts,
    Header,
    HealthCheck,
    IngressRoute,
    OtherObject,
    ParentConfig,
    PassiveHealthCheck,
    Resource,
    Route,
    ServersTransport,
    ServiceReference,
    Services,
    Spiffe,
    StaticConfig,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
    Weighted,
    WeightedChild,
    WeightedService,
)
from uplinks.render import dump
from uplinks.schema import unstructure
from uplinks.services import advertise, materialize
from uplinks.testing import _examples

FLEET_CODES: Final = _examples.codes()
"""The codes that `broken_fleets` has a fleet for: all that manifests can show."""

MANIFEST_CODES: Final = tuple(code for code in FLEET_CODES if rules.find(code).needs == "cluster")
"""The codes of `broken_manifests`: all that one cluster can show."""

MILLISECOND = 1_000_000

labels = st.from_regex(r"[a-z]([-a-z0-9]{0,6}[a-z0-9])?", fullmatch=True)
"""Names and namespaces of objects."""

expose_names = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
child_names = st.from_regex(r"[a-z]([-a-z0-9]{0,4}[a-z0-9])?", fullmatch=True)
entry_point_names = st.sampled_from(["multicluster", "uplink", "up-2"])
weights = st.integers(0, 100) | st.integers(0, MAX_WEIGHT)
durations = st.integers(1, 3_600_000).map(lambda count: count * MILLISECOND)
ports = st.integers(1, 65_535)
paths = st.from_regex(r"/([a-z0-9][a-z0-9/]{0,7})?", fullmatch=True)
matches = paths.map(lambda path: f"PathPrefix(`{path}`)")
addresses = st.builds("https://{}.example.com:{}".format, labels, ports)
annotation_maps = st.dictionaries(
    labels.map("example.com/{}".format), st.text("abc :,", max_size=6), max_size=2
)
headers = st.dictionaries(
    st.from_regex(r"X-[A-Z][a-z]{0,5}", fullmatch=True),
    st.text("abcABC019 :;=", min_size=1, max_size=12).map(str.strip),
    max_size=3,
).map(lambda drawn: tuple(Header(name, value) for name, value in drawn.items()))


def http_checks() -> st.SearchStrategy[HealthCheck]:
    """Active checks over HTTP, every field set or not."""
    return st.builds(
        HealthCheck,
        path=st.none() | paths,
        scheme=st.none() | st.sampled_from(["http", "https"]),
        method=st.sampled_from(["GET", "HEAD"]),
        status=st.integers(200, 399),
        port=st.none() | ports,
        interval=durations,
        unhealthy_interval=st.just(0) | durations,
        timeout=durations,
        hostname=st.none() | labels.map("{}.example.com".format),
        follow_redirects=st.booleans(),
        headers=headers,
    )


def grpc_checks() -> st.SearchStrategy[HealthCheck]:
    """Active checks over gRPC, which have no path, method, status or headers."""
    return st.builds(
        HealthCheck, mode=st.just("grpc"), port=st.none() | ports, interval=durations,
        timeout=durations,
    )  # fmt: skip


def health_checks() -> st.SearchStrategy[HealthCheck]:
    """Active checks of both modes."""
    return st.just(HealthCheck()) | http_checks() | grpc_checks()


def passive_checks() -> st.SearchStrategy[PassiveHealthCheck]:
    """Passive checks."""
    return st.builds(
        PassiveHealthCheck, failure_window=durations, max_failed_attempts=st.integers(1, 100)
    )


def uplinks() -> st.SearchStrategy[Uplink]:
    """Uplinks on their own: the entry points they name may be declared nowhere."""
    return st.builds(
        Uplink,
        name=labels,
        namespace=labels,
        expose_name=st.none() | expose_names,
        entry_points=st.lists(entry_point_names, max_size=2, unique=True),
        weight=weights,
        health_check=st.none() | health_checks(),
        passive_health_check=st.none() | passive_checks(),
        annotations=annotation_maps,
    )


def service_references() -> st.SearchStrategy[ServiceReference]:
    """Kubernetes services with a port, and Traefik services of this cluster."""
    kubernetes = st.builds(
        ServiceReference,
        name=labels,
        port=ports | st.sampled_from(["http", "web"]),
        namespace=st.none() | labels,
        weight=st.integers(0, 100),
        rest=st.sampled_from(
            [{}, {"scheme": "https"}, {"sticky": {"cookie": {"name": "c", "secure": True}}}]
        ),
    )
    traefik = st.builds(
        ServiceReference, name=labels, kind=st.just("TraefikService"), weight=st.integers(0, 100)
    )
    return kubernetes | traefik


def routes() -> st.SearchStrategy[Route]:
    """Routing rules, with and without fields that mean nothing here."""
    return st.builds(
        Route,
        match=matches,
        services=st.lists(service_references(), max_size=2),
        rest=st.sampled_from([{}, {"priority": 7}, {"middlewares": [{"name": "strip"}]}]),
    )


def ingress_routes() -> st.SearchStrategy[IngressRoute]:
    """Routers without the uplinks annotation."""
    return st.builds(
        IngressRoute,
        name=labels,
        namespace=labels,
        routes=st.lists(routes(), min_size=1, max_size=2),
        entry_points=st.none() | st.just(()) | st.just(("websecure",)),
        tls=st.none() | st.just({}) | st.just({"certResolver": "acme"}),
        annotations=annotation_maps,
        rest=st.sampled_from([{}, {"ingressClassName": "traefik"}]),
    )


def advertised_routes(names: st.SearchStrategy[list[str]]) -> st.SearchStrategy[IngressRoute]:
    """Routers that reference uplinks by a drawn list of names."""
    return st.builds(
        lambda router, drawn: attrs.evolve(
            router, entry_points=None, tls=None, annotations={UPLINKS_ANNOTATION: ",".join(drawn)}
        ),
        ingress_routes(),
        names,
    )


def traefik_services() -> st.SearchStrategy[TraefikService]:
    """Services composed of others: weighted, failover, or of a type not used here."""
    weighted = st.builds(
        Weighted,
        st.lists(service_references(), min_size=1, max_size=3),
        rest=st.sampled_from([{}, {"sticky": {}}]),
    )
    failover = st.builds(
        Failover,
        service_references(),
        service_references(),
        rest=st.sampled_from([{"errors": {}}, {"errors": {"status": ["500-599"]}}]),
    )
    mirroring = {"mirroring": {"name": "a", "port": 80, "mirrors": [{"name": "b", "percent": 5}]}}
    other = st.just(mirroring)

    def built(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[TraefikService]:
        return st.builds(
            TraefikService, name=labels, namespace=labels, annotations=annotation_maps, **fields
        ).filter(_is_not_within_itself)

    return built(weighted=weighted) | built(failover=failover) | built(rest=other)


def _is_not_within_itself(service: TraefikService) -> bool:
    weighted = () if service.weighted is None else service.weighted.services
    failover = service.failover and (service.failover.service, service.failover.fallback)
    return service.name not in {part.name for part in (*weighted, *(failover or ()))}


def entry_points() -> st.SearchStrategy[UplinkEntryPoint]:
    """Entry points of a child."""
    return st.builds(
        UplinkEntryPoint,
        address=ports.map(":{}".format),
        as_default=st.booleans(),
        rest=st.sampled_from([{}, {"http": {"tls": {}}}]),
    )


def transports() -> st.SearchStrategy[ServersTransport]:
    """How a parent connects to a child, every field set or not."""
    files = labels.map("/tls/{}.pem".format)
    return st.builds(
        ServersTransport,
        server_name=st.none() | labels.map("{}.example.com".format),
        insecure_skip_verify=st.booleans(),
        root_cas=st.lists(files, max_size=2),
        certificates=st.lists(st.builds(ClientCertificate, files, files), max_size=1),
        min_version=st.none() | st.just("VersionTLS12"),
        max_version=st.none() | st.just("VersionTLS13"),
        max_idle_conns_per_host=st.integers(1, 500),
        disable_http2=st.booleans(),
        spiffe=st.none() | st.builds(Spiffe, trust_domain=labels),
        forwarding_timeouts=st.builds(ForwardingTimeouts, dial_timeout=durations),
    )


def child_configs() -> st.SearchStrategy[ChildConfig]:
    """Children that expose the API their parent polls, with a default entry point."""
    return st.builds(
        lambda points, default: ChildConfig(
            {**points, "multicluster": attrs.evolve(default, as_default=True)}, multicluster=True
        ),
        st.dictionaries(entry_point_names, entry_points(), max_size=2),
        entry_points(),
    )


def parent_configs(
    names: st.SearchStrategy[list[str]] | None = None,
) -> st.SearchStrategy[ParentConfig]:
    """Parents over children with drawn names, each child with an address of its own."""
    if names is None:
        names = st.lists(child_names, max_size=3, unique=True)
    children = names.flatmap(
        lambda drawn: st.lists(
            st.builds(
                Child, addresses, st.none() | transports(), rest=st.sampled_from([{}, {"x": 1}])
            ),
            min_size=len(drawn),
            max_size=len(drawn),
            unique_by=lambda child: child.address,
        ).map(lambda made: dict(zip(drawn, made, strict=True)))
    )
    polls = st.sampled_from(["5s", "10s", "1500ms"])
    rest = st.sampled_from([{}, {"brandNew": 1}])
    return st.builds(ParentConfig, children, poll_interval=polls, poll_timeout=polls, rest=rest)


def static_configs() -> st.SearchStrategy[StaticConfig]:
    """Static configurations of a child, of a parent, and of one that is both."""
    child, parent = child_configs(), parent_configs()
    return (
        st.builds(StaticConfig, child=child)
        | st.builds(StaticConfig, parent=parent)
        | st.builds(StaticConfig, child=child, parent=parent)
    )


def other_objects() -> st.SearchStrategy[OtherObject]:
    """Objects that are kept as they are written."""
    kinds = st.sampled_from(
        [
            ("traefik.io/v1alpha1", "Middleware", {"chain": {"middlewares": [{"name": "a"}]}}),
            ("traefik.io/v1alpha1", "ServersTransport", {"serverName": "a.example.com"}),
            ("networking.k8s.io/v1", "Ingress", {"ingressClassName": "traefik"}),
        ]
    )
    return st.builds(
        lambda kind, name, namespace: OtherObject(kind[0], kind[1], name, namespace, spec=kind[2]),
        kinds,
        labels,
        labels,
    )


def resources() -> st.SearchStrategy[Resource]:
    """Everything that one document can hold."""
    return uplinks() | ingress_routes() | traefik_services() | static_configs() | other_objects()


@st.composite
def fleets(draw: st.DrawFn, max_children: int = 3, max_uplinks: int = 4) -> Fleet:
    """Fleets of a parent and at least one child.

    Every child advertises some uplinks of a shared pool, each with weight and
    checks of its own; all generated service names are different; every router
    of a child references uplinks of that child; the parent routes to each
    weighted service that can serve.
    """
    names = draw(st.lists(child_names, min_size=1, max_size=max_children, unique=True))
    pool = _without_collisions(
        draw(st.lists(uplinks(), max_size=max_uplinks, unique_by=lambda uplink: uplink.owner)),
        names,
    )
    children = {name: draw(_children(name, pool)) for name in names}
    children = _served(children)
    offered = (uplink for child in children.values() for uplink in child.uplinks)
    advertised = sorted({uplink.uplink_name for uplink in offered if uplink.weight})
    config = draw(parent_configs(st.just(names)))
    return Fleet(Cluster("parent", (), _parent_routers(advertised), (), None, config), children)


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
def manifests(draw: st.DrawFn) -> str:
    """Texts that no rule of one cluster calls an error: YAML or JSON, of one to three documents.

    A static configuration stands alone: the entry points that an uplink names
    need not be its.

    >>> from hypothesis import given, settings
    >>> from uplinks import check_manifests
    >>> @settings(max_examples=5)
    ... @given(manifests())
    ... def test_my_reader_takes_it(text):
    ...     assert check_manifests(text).ok
    >>> test_my_reader_takes_it()
    """
    objects = uplinks() | ingress_routes() | traefik_services()
    alone = static_configs().map(lambda config: [config])
    drawn = draw(alone | st.lists(objects, min_size=1, max_size=3, unique_by=type))
    return _text(draw, *map(unstructure, drawn))


def _text(draw: st.DrawFn, *trees: dict[str, Any]) -> str:
    """Write documents, each as YAML or as JSON, which is YAML too."""
    ways: list[Callable[[dict[str, Any]], str]] = [dump, json.dumps]
    write = st.sampled_from(ways)
    return "\n---\n".join(draw(write)(tree) for tree in trees)


def broken_manifests(*codes: str) -> st.SearchStrategy[tuple[str, str]]:
    """Draw texts with one kind of mistake, each with the code that reports it.

    The mistake is the bad example on the code's page, after drawn documents that have
    no error. No other code reports an error. ``codes`` selects from `MANIFEST_CODES`.

    Raises: ValueError for a code that is not one of these.

    >>> from hypothesis import given, settings
    >>> from uplinks import check_manifests
    >>> @settings(max_examples=5)
    ... @given(broken_manifests())
    ... def test_my_reader_reports_the_mistake(drawn):
    ...     text, code = drawn
    ...     assert code in {found.code for found in check_manifests(text)}
    >>> test_my_reader_reports_the_mistake()
    """
    return _broken_texts(_wanted(codes, MANIFEST_CODES))


def _wanted(codes: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    if unknown := sorted(set(codes) - set(known)):
        raise ValueError(f"there is no bad example for {', '.join(unknown)}")
    return codes or known


@st.composite
def _broken_texts(draw: st.DrawFn, codes: Sequence[str]) -> tuple[str, str]:
    code = draw(st.sampled_from(codes))
    # The example declares the entry points of its cluster, and a drawn uplink names others.
    alone = uplinks().map(lambda uplink: attrs.evolve(uplink, entry_points=()))
    drawn = draw(
        st.lists(alone | ingress_routes() | traefik_services(), max_size=2, unique_by=type)
    )
    trees = map(unstructure, drawn)
    # The example comes last: after a syntax error nothing is read.
    texts = [*([_text(draw, *trees)] if drawn else []), _examples.text_of(code)]
    return "\n---\n".join(texts), code


@st.composite
def _children(draw: st.DrawFn, name: str, pool: list[Uplink]) -> Cluster:
    config = draw(child_configs())
    declared = sorted(config.uplink_entry_points)
    offered = [
        attrs.evolve(
            uplink,
            weight=draw(weights),
            entry_points=draw(st.lists(st.sampled_from(declared), max_size=2, unique=True)),
        )
        for uplink in pool
        if draw(st.booleans())
    ]
    routers: list[IngressRoute] = []
    if offered:
        references = st.lists(
            st.sampled_from(sorted(uplink.uplink_name for uplink in offered)),
            min_size=1,
            max_size=2,
            unique=True,
        )
        routers = draw(
            st.lists(
                advertised_routes(references),
                max_size=2,
                unique_by=lambda router: (router.namespace, router.name),
            )
        )
    kubernetes_only = [attrs.evolve(r, routes=_kubernetes_routes(r.name)) for r in routers]
    return Cluster(name, offered, kubernetes_only, (), config)


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


def broken_fleets(*codes: str) -> st.SearchStrategy[tuple[Fleet, str]]:
    """Draw fleets with one kind of mistake, each with the code that reports it.

    The mistake is the bad example on the code's page: children and objects of its own
    beside those of a drawn fleet without an error. No other code reports an error,
    but there may be warnings. ``codes`` selects from `FLEET_CODES`.

    Raises: ValueError for a code that is not one of these.

    >>> from hypothesis import given, settings
    >>> from uplinks import check
    >>> @settings(max_examples=5)
    ... @given(broken_fleets("UPL307", "UPL401"))
    ... def test_my_check_reports_the_mistake(drawn):
    ...     fleet, code = drawn
    ...     assert code in {found.code for found in check(fleet)}
    >>> test_my_check_reports_the_mistake()
    """
    return st.tuples(fleets(), st.sampled_from(_wanted(codes, FLEET_CODES))).map(
        lambda drawn: (_examples.beside(drawn[0], _examples.fleet(drawn[1], bad=True)), drawn[1])
    )


def services() -> st.SearchStrategy[Services]:
    """What the parents of drawn fleets materialize."""

    def made(fleet: Fleet) -> Services:
        offers = {name: advertise(child) for name, child in fleet.children.items()}
        return materialize(fleet.parent.parent_config or ParentConfig(), offers)

    return fleets().map(made)


def advertisements() -> st.SearchStrategy[Advertisement]:
    """Uplinks as one child offers them."""
    return st.builds(
        lambda uplink, points: Advertisement(
            uplink.uplink_name,
            uplink.owner,
            points,
            uplink.weight,
            uplink.health_check,
            uplink.passive_health_check,
            exposed=uplink.expose_name is not None,
        ),
        uplinks(),
        st.lists(entry_point_names, min_size=1, max_size=2, unique=True),
    )


_VALUES: Mapping[type, Callable[[], st.SearchStrategy[Any]]] = {
    Advertisement: advertisements,
    Child: lambda: st.builds(Child, addresses, st.none() | transports()),
    ChildConfig: child_configs,
    ChildService: lambda: st.builds(
        ChildService,
        labels.map("{}-eu@multicluster".format),
        labels,
        st.just("eu"),
        addresses,
        st.none() | health_checks(),
        st.none() | passive_checks(),
        st.none() | transports(),
    ),
    ClientCertificate: lambda: st.builds(ClientCertificate, labels, labels),
    Cluster: lambda: fleets().flatmap(lambda fleet: st.sampled_from(fleet.clusters)),
    Failover: lambda: st.builds(Failover, service_references(), service_references()),
    Fleet: fleets,
    ForwardingTimeouts: lambda: st.builds(ForwardingTimeouts, durations, durations),
    Header: lambda: headers.filter(bool).map(lambda drawn: drawn[0]),
    HealthCheck: health_checks,
    IngressRoute: ingress_routes,
    OtherObject: other_objects,
    ParentConfig: parent_configs,
    PassiveHealthCheck: passive_checks,
    Route: routes,
    ServersTransport: transports,
    ServiceReference: service_references,
    Services: services,
    Spiffe: lambda: st.builds(Spiffe, st.lists(labels, max_size=2), labels),
    StaticConfig: static_configs,
    TraefikService: traefik_services,
    Uplink: uplinks,
    UplinkEntryPoint: entry_points,
    Weighted: lambda: st.builds(Weighted, st.lists(service_references(), min_size=1, max_size=3)),
    WeightedChild: lambda: st.builds(
        WeightedChild, labels.map("{}-eu@multicluster".format), weights
    ),
    WeightedService: lambda: st.builds(
        lambda name, weight: WeightedService(
            f"{name}@multicluster", name, [WeightedChild(f"{name}-eu@multicluster", weight)]
        ),
        labels,
        weights,
    ),
}


def values(kind: type) -> st.SearchStrategy[Any]:
    """Valid values of any class of the model. Raises KeyError for others.

    >>> from hypothesis import find
    >>> find(values(Header), lambda header: header.value == "a").name[:2]
    'X-'
    """
    return _VALUES[kind]()

"""References of HTTPRoutes, Ingresses, Middlewares and TraefikServices of every type."""

from __future__ import annotations

import pytest

from uplinks import rules
from uplinks.diagnostics import Diagnostic, Severity
from uplinks.model import Fleet
from uplinks.parsing import make_cluster, make_fleet, parse_manifests

PARENT = """\
hub:
  providers:
    multicluster:
      children:
        eu: {address: "https://eu.example.com:9443"}
        us: {address: "https://us.example.com:9443"}
"""
CHILD = """\
hub:
  uplinkEntryPoints:
    multicluster: {address: ":9443", asDefault: true}
  providers:
    multicluster: {}
---
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata: {name: api, namespace: apps}
spec: {CHECK}
---
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata: {name: web, namespace: apps}
spec: {CHECK}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata:
  name: api
  namespace: apps
  annotations: {hub.traefik.io/router.uplinks: "apps-api, apps-web"}
spec: {routes: [{match: PathPrefix(`/`), services: [{name: api, port: 80}]}]}
"""
CHECKED = "healthCheck: {path: /health}"
TRAEFIK = "apiVersion: traefik.io/v1alpha1\nmetadata: {name: own, namespace: apps}"
GATEWAY = (
    "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
    "metadata: {name: own, namespace: apps}"
)


def fleet(objects: str, check: str = CHECKED) -> Fleet:
    parent = make_cluster("parent", [parse_manifests(f"{PARENT}---\n{objects}", "p.yaml")])
    child = parse_manifests(CHILD.replace("CHECK", check), "c.yaml")
    return make_fleet(parent, [make_cluster(name, [child]) for name in ("eu", "us")])


def found(objects: str, check: str = CHECKED) -> list[Diagnostic]:
    return list(rules.check(fleet(objects, check)))


def codes(objects: str, check: str = CHECKED) -> list[str]:
    return [diagnostic.code for diagnostic in found(objects, check)]


def service(spec: str) -> str:
    return f"{TRAEFIK}\nkind: TraefikService\nspec: {{{spec}}}\n"


REFERENCE = "{name: NAME, kind: TraefikService}"
HOLDERS = {
    "weighted": (service(f"weighted: {{services: [{REFERENCE}]}}"), "weighted.services[0].name"),
    "mirroring": (
        service("mirroring: {name: NAME, kind: TraefikService}"),
        "mirroring.name",
    ),
    "mirrors": (
        service(f"mirroring: {{name: a, port: 80, mirrors: [{REFERENCE}]}}"),
        "mirroring.mirrors[0].name",
    ),
    "highest": (
        service(f"highestRandomWeight: {{services: [{{name: a, port: 80}}, {REFERENCE}]}}"),
        "highestRandomWeight.services[1].name",
    ),
    "errors": (
        f"{TRAEFIK}\nkind: Middleware\nspec: {{errors: {{service: {REFERENCE}}}}}\n",
        "errors.service.name",
    ),
    "route": (
        f"{GATEWAY}\nspec: {{rules: [{{}}, {{backendRefs: [{REFERENCE}]}}]}}",
        "rules[1].backendRefs[0].name",
    ),
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize(
    ("name", "code", "suggestion"),
    [
        ("apps-apy@multicluster", "UPL307", "apps-api@multicluster"),
        ("apps-own@KubernetesCRD", "UPL312", "apps-own@kubernetescrd"),
        ("nothing", "UPL312", None),
    ],
)
def test_a_dangling_reference_is_reported_wherever_it_is(
    holder: str, name: str, code: str, suggestion: str | None
) -> None:
    text, path = HOLDERS[holder]

    (diagnostic,) = (d for d in found(text.replace("NAME", name)) if d.code == code)

    assert (diagnostic.location.path, diagnostic.suggestion) == (f"$.spec.{path}", suggestion)
    assert diagnostic.severity is Severity.ERROR


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_reference_to_an_uplink_is_a_use_of_it(holder: str) -> None:
    text = HOLDERS[holder][0].replace("NAME", "apps-api@multicluster")
    web = router(service="{name: apps-web@multicluster, kind: TraefikService}")

    assert "UPL413" in codes(web)
    assert {"UPL307", "UPL312", "UPL413"} & set(codes(f"{text}\n---\n{web}")) == set()


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("traefik.ingress.kubernetes.io/service.name", "apps-apy@multicluster", ["UPL307"]),
        ("traefik.ingress.kubernetes.io/service.name", "a@file, apps-apy@multicluster", ["UPL307"]),
        ("traefik.ingress.kubernetes.io/service.name", "apps-api@multicluster", []),
        ("traefik.ingress.kubernetes.io/router.middlewares", "auth@multicluster", []),
        ("example.com/note", "apps-apy@multicluster", []),
    ],
)
def test_annotations_of_an_ingress_name_services(key: str, value: str, expected: list[str]) -> None:
    text = (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\n"
        f'metadata: {{name: i, namespace: apps, annotations: {{{key}: "{value}"}}}}\nspec: {{}}\n'
    )

    dangling = [d for d in found(text) if d.code == "UPL307"]

    assert [d.code for d in dangling] == expected
    assert [d.location.path for d in dangling] == [
        f'$.metadata.annotations["{key}"]' for _ in expected
    ]


def test_a_service_that_gets_copies_neither_answers_nor_passes_status_on() -> None:
    # The mirrored uplink is unchecked; what answers is checked.
    checked = "{name: apps-api@multicluster, kind: TraefikService}"
    failover = (
        f"---\n{TRAEFIK.replace('own', 'safe')}\nkind: TraefikService\n"
        "spec: {failover: {service: {name: own, kind: TraefikService}, fallback: "
        f"{checked}, errors: {{}}}}}}\n"
    )
    mirrored = service(f"mirroring: {{{checked[1:-1]}, mirrors: [{{name: local, port: 80}}]}}")
    silent = service(f"mirroring: {{name: local, port: 80, mirrors: [{checked}]}}")

    assert "UPL504" not in codes(mirrored + failover)
    assert "UPL504" in codes(silent + failover)


def test_circles_lead_through_every_type() -> None:
    other = TRAEFIK.replace("own", "other")
    text = (
        service("mirroring: {name: a, port: 80, mirrors: [{name: other, kind: TraefikService}]}")
        + f"---\n{other}\nkind: TraefikService\n"
        "spec: {highestRandomWeight: {services: [{name: own, kind: TraefikService}]}}\n"
    )

    assert "UPL310" in codes(text)


# --- other namespaces, middlewares and transports --------------------------------


ROUTER = f"""\
{TRAEFIK}
kind: IngressRoute
spec:
  routes:
    - match: Path(`/`)
      middlewares: [MIDDLEWARE]
      services: [SERVICE]
"""
OPEN = "providers: {kubernetesCRD: {allowCrossNamespace: true}}\n"


def router(middleware: str = "{name: auth}", service: str = "{name: web, port: 80}") -> str:
    return ROUTER.replace("MIDDLEWARE", middleware).replace("SERVICE", service)


@pytest.mark.parametrize(
    ("middleware", "service", "path"),
    [
        ("{name: auth, namespace: b}", "{name: web, port: 80}", "middlewares[0].namespace"),
        ("{name: b-auth@kubernetescrd}", "{name: web, port: 80}", "middlewares[0].name"),
        ("{name: auth}", "{name: web, port: 80, namespace: b}", "services[0].namespace"),
        (
            "{name: auth}",
            "{name: web, port: 80, serversTransport: b-tls@kubernetescrd}",
            "services[0].serversTransport",
        ),
        (
            "{name: auth}",
            "{name: web, port: 80, middlewares: [{name: auth, namespace: b}]}",
            "services[0].middlewares[0].namespace",
        ),
    ],
)
def test_another_namespace_is_refused_by_default(middleware: str, service: str, path: str) -> None:
    text = router(middleware, service)
    allowed = make_cluster("p", [parse_manifests(f"{OPEN}{PARENT}---\n{text}")])

    (diagnostic,) = (d for d in found(text) if d.code == "UPL335")

    assert diagnostic.location.path == f"$.spec.routes[0].{path}"
    assert [d.code for d in rules.check_cluster(allowed, "parent")] == []


@pytest.mark.parametrize(
    ("middleware", "service"),
    [
        ("{name: auth, namespace: apps}", "{name: web, port: 80, namespace: apps}"),
        ("{name: auth@file}", "{name: b-web@kubernetescrd, kind: TraefikService}"),
        ("{name: auth@file, namespace: b}", "{name: api@internal, kind: TraefikService}"),
    ],
)
def test_the_own_namespace_and_other_providers_are_not(middleware: str, service: str) -> None:
    assert "UPL335" not in codes(router(middleware, service))


def of_kind(kind: str, spec: str = "{}") -> str:
    return f"---\n{TRAEFIK.replace('own', 'known')}\nkind: {kind}\nspec: {spec}\n"


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (router("{name: knwon}"), "Middleware", "known"),
        (router(service="{name: w, port: 80, middlewares: [{name: x}]}"), "Middleware", None),
        (
            router(service="{name: w, port: 80, serversTransport: nkown}"),
            "ServersTransport",
            "known",
        ),
        (
            f"{TRAEFIK}\nkind: Middleware\nspec: {{chain: {{middlewares: [{{name: knwon}}]}}}}\n",
            "Middleware",
            "known",
        ),
        (
            f"{TRAEFIK}\nkind: IngressRoute\nspec: {{routes: [], tls: {{options: {{name: k}}}}}}\n",
            "TLSOption",
            None,
        ),
    ],
)
def test_what_the_manifests_lack_is_reported_beside_others_of_its_kind(
    text: str, kind: str, expected: str | None
) -> None:
    suggestions = [d.suggestion for d in found(text + of_kind(kind)) if d.code == "UPL336"]

    assert expected in suggestions


def test_a_middleware_without_others_of_its_kind_is_not_reported() -> None:
    assert "UPL336" not in codes(router() + of_kind("ServersTransport"))


def test_known_objects_and_other_providers_are_fine() -> None:
    text = router(
        "{name: known}, {name: auth@file}", "{name: w, port: 80, serversTransport: st@file}"
    )

    assert codes(text + of_kind("Middleware")) == codes(text)


# --- routers below others, and dead ends ------------------------------------------


def test_the_router_above_may_be_in_another_namespace() -> None:
    above = f"{TRAEFIK.replace('namespace: apps', 'namespace: web')}\nkind: IngressRoute\n"
    text = f"""\
{above}spec: {{routes: [{{match: Path(`/`)}}]}}
---
{TRAEFIK.replace("own", "below")}
kind: IngressRoute
spec:
  parentRefs: [{{name: own, namespace: web}}, {{name: own}}]
  routes: [{{match: Path(`/a`), services: [{{name: a, port: 80}}]}}]
"""

    diagnostics = [d for d in found(text) if d.code in {"UPL331", "UPL335"}]

    assert [(d.code, d.location.path) for d in diagnostics] == [
        ("UPL335", "$.spec.parentRefs[0].namespace"),
        ("UPL331", "$.spec.parentRefs[1].name"),
    ]


def test_what_is_below_sets_nothing_of_an_entry_point() -> None:
    text = f"""\
{TRAEFIK}
kind: IngressRoute
spec: {{routes: [{{match: Path(`/`)}}]}}
---
{TRAEFIK.replace("own", "below")}
kind: IngressRoute
spec:
  parentRefs: [{{name: own}}]
  entryPoints: [web]
  tls: {{}}
  routes:
    - {{match: Path(`/a`), services: [{{name: a, port: 80}}], observability: {{metrics: true}}}}
"""

    assert [d.location.path for d in found(text) if d.code == "UPL330"] == [
        "$.spec.entryPoints",
        "$.spec.tls",
        "$.spec.routes[0].observability",
    ]
    assert "UPL330" not in codes(
        text.replace("[web]", "[]")
        .replace("tls: {}", "")
        .replace(", observability: {metrics: true}", "")
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (service("weighted: {}"), ["UPL332"]),
        (service("weighted: {services: [{name: a, port: 80, weight: 0}]}"), ["UPL332"]),
        (service("weighted: {services: [{name: a, port: 80}]}"), []),
        (service("weighted: {services: [{name: 5, port: 80}]}"), ["UPL006"]),
        (service("highestRandomWeight: {services: []}"), ["UPL332"]),
        (service("highestRandomWeight: {services: [{name: a, port: 80}]}"), []),
        (service("mirroring: {name: a, port: 80, weight: 0}"), []),
        (router(service="{name: a, port: 80, weight: 0}"), []),
        (
            router(service="{name: a, port: 80, weight: 0}, {name: b, port: 80, weight: 0}"),
            ["UPL332"],
        ),
        (service(""), ["UPL333"]),
        (service("weighted: null"), ["UPL333"]),
        (service("weighted: 5"), ["UPL006"]),
        (router(service=""), ["UPL334"]),
        (router().replace("services: [{name: web, port: 80}]", ""), []),
        (router(service='{name: a, port: "80"}'), ["UPL337"]),
        (router(service='{name: a, port: "99999999"}'), ["UPL337"]),
        (router(service="{name: a, port: 70000}"), ["UPL337"]),
        (router(service="{name: a, port: -1}"), ["UPL337"]),
        (router(service="{name: a, port: 80a}"), []),
        (router(service="{name: a}"), ["UPL338"]),
        (router(service="{name: a, port: 0}"), ["UPL338"]),
        (router(service="{name: a, port: ''}"), ["UPL338"]),
        (router(service="{name: a, port: []}"), ["UPL006"]),
        (router(service="{name: api@internal, kind: TraefikService}"), []),
    ],
)
def test_dead_ends(text: str, expected: list[str]) -> None:
    cluster = make_cluster("p", [parse_manifests(text)])

    assert [d.code for d in rules.check_cluster(cluster)] == expected


def test_a_port_in_quotes_is_suggested_without() -> None:
    cluster = make_cluster("p", [parse_manifests(router(service='{name: a, port: "80"}'))])

    (diagnostic,) = rules.check_cluster(cluster)

    assert (diagnostic.suggestion, diagnostic.location.path) == (
        "80",
        "$.spec.routes[0].services[0].port",
    )


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        (":9443", None),
        ("10.0.0.1:9443", None),
        ("[::1]:9443/tcp", None),
        ("eu.example.com:1", None),
        ("", "is missing"),
        ("banana", "must be [host]:port, got 'banana'"),
        ("9443", "must be [host]:port, got '9443'"),
        (":0", "must have a port between 1 and 65535, got ':0'"),
        (":65536", "must have a port between 1 and 65535, got ':65536'"),
        (":9445/udp", "must be for tcp, got ':9445/udp'"),
        ("::1:9443", "must have a host that is a name or an IP address, got '::1:9443'"),
        ("https://eu:9443", "must be [host]:port, got 'https://eu:9443'"),
    ],
)
def test_where_an_entry_point_listens(address: str, problem: str | None) -> None:
    config = f'hub: {{uplinkEntryPoints: {{up: {{address: "{address}"}}}}}}'
    report = rules.check_cluster(make_cluster("c", [parse_manifests(config)]))

    assert [d.message for d in report] == (
        []
        if problem is None
        else [f"address of uplink entry point 'up' {problem}; write, for example, ':9443'"]
    )

"""What the API server refuses in Traefik's own kinds, and what it accepts."""

from __future__ import annotations

from typing import Any

import pytest

from uplinks.diagnostics import Severity
from uplinks.parsing import parse_manifests
from uplinks.schema._crds import KEPT_SPECS, SPECS, Items, Scalar, Shape, Table, Values

TRAEFIK = "traefik.io/v1alpha1"


def findings(kind: str, spec: str) -> list[tuple[str, str, str]]:
    text = f"apiVersion: {TRAEFIK}\nkind: {kind}\nmetadata: {{name: a, namespace: b}}\nspec: {spec}"
    found = parse_manifests(text).diagnostics
    return [(d.code, d.location.path, d.message) for d in found if d.severity is Severity.ERROR]


def of_route(fields: str) -> list[tuple[str, str, str]]:
    return findings("IngressRoute", f"{{routes: [{{match: Path(`/`), {fields}}}]}}")


def of_service(fields: str) -> list[tuple[str, str, str]]:
    return of_route(f"services: [{{name: a, {fields}}}]")


ROUTE = "spec.routes[0]"
SERVICE = "spec.routes[0].services[0]"


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ("kind: rule", "UPL017", f"{ROUTE}.kind must be 'Rule', got the string 'rule'"),
        ("kind: ''", "UPL017", f"{ROUTE}.kind must be 'Rule', got the string ''"),
        (
            'priority: "10"',
            "UPL006",
            f"{ROUTE}.priority must be an integer, got the string '10'",
        ),
        (
            "priority: 9223372036854774808",
            "UPL017",
            f"{ROUTE}.priority must be at most 9223372036854774807, got the integer {2**63 - 1000}",
        ),
        ("syntax: 3", "UPL006", f"{ROUTE}.syntax must be a string, got the integer 3"),
        ("services: {}", "UPL006", f"{ROUTE}.services must be a list, got a mapping"),
        (
            "middlewares: [auth]",
            "UPL006",
            f"{ROUTE}.middlewares[0] must be a mapping, got a string",
        ),
        ("middlewares: [{}]", "UPL007", f"{ROUTE}.middlewares[0].name is required"),
        ("middlewares: [null]", "UPL006", f"{ROUTE}.middlewares[0] must be a mapping, got null"),
        (
            "observability: {traceVerbosity: all}",
            "UPL017",
            (
                f"{ROUTE}.observability.traceVerbosity must be 'minimal' or 'detailed', "
                "got the string 'all'"
            ),
        ),
        (
            "observability: {metrics: 1}",
            "UPL006",
            f"{ROUTE}.observability.metrics must be a boolean, got the integer 1",
        ),
    ],
)
def test_what_is_refused_in_a_route(fields: str, code: str, message: str) -> None:
    ((found, _, text),) = of_route(fields)

    assert (found, text) == (code, message)


@pytest.mark.parametrize(
    ("fields", "code", "path", "predicate"),
    [
        ("kind: Foo", "UPL017", "kind", "must be 'Service' or 'TraefikService'"),
        ("strategy: roundrobin", "UPL017", "strategy", "must be 'wrr', 'p2c', 'hrw', 'leasttime'"),
        ("scheme: 5", "UPL006", "scheme", "must be a string"),
        ("port: 8.5", "UPL006", "port", "must be an integer or a string"),
        ("port: true", "UPL006", "port", "must be an integer or a string"),
        ('weight: "5"', "UPL006", "weight", "must be an integer"),
        ("weight: 1.5", "UPL006", "weight", "must be an integer"),
        ('passHostHeader: "true"', "UPL006", "passHostHeader", "must be a boolean"),
        ("nativeLB: 1", "UPL006", "nativeLB", "must be a boolean"),
        ("serversTransport: {}", "UPL006", "serversTransport", "must be a string"),
        ("sticky: true", "UPL006", "sticky", "must be a mapping"),
        ("sticky: {cookie: {sameSite: LAX}}", "UPL017", "sticky.cookie.sameSite", "must be 'none'"),
        ('sticky: {cookie: {maxAge: "5"}}', "UPL006", "sticky.cookie.maxAge", "must be an integer"),
        ("sticky: {cookie: {secure: 1}}", "UPL006", "sticky.cookie.secure", "must be a boolean"),
        (
            "responseForwarding: {flushInterval: 100}",
            "UPL006",
            "responseForwarding.flushInterval",
            "must be a string",
        ),
        ("healthCheck: {interval: []}", "UPL006", "healthCheck.interval", "must be an integer or"),
        ("healthCheck: {status: ok}", "UPL006", "healthCheck.status", "must be an integer"),
        ("healthCheck: {headers: [a]}", "UPL006", "healthCheck.headers", "must be a mapping"),
        (
            "passiveHealthCheck: {maxFailedAttempts: many}",
            "UPL006",
            "passiveHealthCheck.maxFailedAttempts",
            "must be an integer",
        ),
        ("namespace: 5", "UPL006", "namespace", "must be a string"),
    ],
)
def test_what_is_refused_in_a_service(fields: str, code: str, path: str, predicate: str) -> None:
    ((found, at, text),) = of_service(fields)

    assert (found, at) == (code, f"$.{SERVICE}.{path}")
    assert text.startswith(f"{SERVICE}.{path} {predicate}")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("{routes: 5}", [("UPL006", "$.spec.routes")]),
        ("{}", [("UPL007", "$.spec.routes")]),
        ("null", [("UPL007", "$.spec")]),
        ("[]", [("UPL006", "$.spec")]),
        ("{routes: [{}]}", [("UPL007", "$.spec.routes[0].match")]),
        ("{routes: [], entryPoints: web}", [("UPL006", "$.spec.entryPoints")]),
        ("{routes: [], entryPoints: [5]}", [("UPL006", "$.spec.entryPoints[0]")]),
        ("{routes: [], ingressClassName: 5}", [("UPL006", "$.spec.ingressClassName")]),
        ("{routes: [], parentRefs: [{}]}", [("UPL007", "$.spec.parentRefs[0].name")]),
        ("{routes: [], parentRefs: {name: a}}", [("UPL006", "$.spec.parentRefs")]),
        ("{routes: [], tls: {domains: [a.example.com]}}", [("UPL006", "$.spec.tls.domains[0]")]),
        ("{routes: [], tls: {domains: [{sans: a}]}}", [("UPL006", "$.spec.tls.domains[0].sans")]),
        ("{routes: [], tls: {options: {}}}", [("UPL007", "$.spec.tls.options.name")]),
        ("{routes: [], tls: {secretName: 5}}", [("UPL006", "$.spec.tls.secretName")]),
    ],
)
def test_what_is_refused_in_a_router(spec: str, expected: list[tuple[str, str]]) -> None:
    assert [found[:2] for found in findings("IngressRoute", spec)] == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("null", [("UPL007", "$.spec")]),
        ("{weighted: []}", [("UPL006", "$.spec.weighted")]),
        ("{weighted: {services: [{}]}}", [("UPL007", "$.spec.weighted.services[0].name")]),
        (
            "{weighted: {services: [], sticky: {cookie: {sameSite: x}}}}",
            [("UPL017", "$.spec.weighted.sticky.cookie.sameSite")],
        ),
        ("{mirroring: {port: 80}}", [("UPL007", "$.spec.mirroring.name")]),
        ("{mirroring: {name: a, mirrorBody: 1}}", [("UPL006", "$.spec.mirroring.mirrorBody")]),
        ("{mirroring: {name: a, maxBodySize: x}}", [("UPL006", "$.spec.mirroring.maxBodySize")]),
        (
            "{mirroring: {name: a, mirrors: [{percent: 5}]}}",
            [("UPL007", "$.spec.mirroring.mirrors[0].name")],
        ),
        (
            "{mirroring: {name: a, mirrors: [{name: b, percent: half}]}}",
            [("UPL006", "$.spec.mirroring.mirrors[0].percent")],
        ),
        (
            "{highestRandomWeight: {services: [{name: a, kind: x}]}}",
            [("UPL017", "$.spec.highestRandomWeight.services[0].kind")],
        ),
        (
            "{failover: {service: {name: a}, errors: {}}}",
            [("UPL007", "$.spec.failover.fallback")],
        ),
        (
            "{failover: {service: {name: a}, fallback: {name: b}, errors: {status: [500]}}}",
            [("UPL006", "$.spec.failover.errors.status[0]")],
        ),
        (
            "{failover: {service: {name: a}, fallback: {name: b}, errors: 500}}",
            [("UPL006", "$.spec.failover.errors")],
        ),
    ],
)
def test_what_is_refused_in_a_traefik_service(spec: str, expected: list[tuple[str, str]]) -> None:
    assert [found[:2] for found in findings("TraefikService", spec)] == expected


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        (
            "Middleware",
            "{chain: {middlewares: [{namespace: a}]}}",
            [("UPL007", "$.spec.chain.middlewares[0].name")],
        ),
        (
            "Middleware",
            "{errors: {service: {name: a, kind: x}}}",
            [("UPL017", "$.spec.errors.service.kind")],
        ),
        ("Middleware", "null", [("UPL007", "$.spec")]),
        ("ServersTransport", "{serverName: 5}", [("UPL006", "$.spec.serverName")]),
        (
            "ServersTransport",
            "{maxIdleConnsPerHost: -2}",
            [("UPL017", "$.spec.maxIdleConnsPerHost")],
        ),
        (
            "ServersTransport",
            "{forwardingTimeouts: {dialTimeout: soon}}",
            [("UPL017", "$.spec.forwardingTimeouts.dialTimeout")],
        ),
        ("ServersTransport", "{rootCAs: [a.pem]}", [("UPL006", "$.spec.rootCAs[0]")]),
    ],
)
def test_what_is_refused_in_other_kinds(
    kind: str, spec: str, expected: list[tuple[str, str]]
) -> None:
    assert [found[:2] for found in findings(kind, spec)] == expected


def test_a_failover_without_errors_works_in_a_file_only() -> None:
    spec = "{failover: {service: {name: a, port: 80}, fallback: {name: b, port: 80}}}"
    text = f"apiVersion: {TRAEFIK}\nkind: TraefikService\nmetadata: {{name: a}}\nspec: {spec}"

    (found,) = parse_manifests(text).diagnostics

    assert (found.code, found.severity) == ("UPL007", Severity.WARNING)
    assert found.message == "spec.failover.errors is required by the API server; write errors: {}"


def test_a_header_is_not_shown() -> None:
    ((_, _, message),) = of_service("healthCheck: {headers: {Authorization: 12345}}")

    field = f"{SERVICE}.healthCheck.headers.Authorization"
    assert message == f"{field} must be a string, got an integer"


def test_a_value_that_resembles_an_allowed_one_is_suggested() -> None:
    text = (
        f"apiVersion: {TRAEFIK}\nkind: IngressRoute\nmetadata: {{name: a}}\n"
        "spec: {routes: [{match: Path(`/`), kind: rule}]}"
    )

    (found,) = parse_manifests(text).diagnostics

    assert found.suggestion == "Rule"
    assert (found.location.span.line, found.location.span.column) == (4, 42)


def test_a_mistake_is_reported_once() -> None:
    # The converter reads name, kind, port and weight too.
    fields = "services: [{name: 5, kind: 5, port: {}, weight: x}]"

    assert [path for _, path, _ in of_route(fields)] == [
        f"$.{SERVICE}.{field}" for field in ("name", "kind", "port", "weight")
    ]


# --- what is accepted --------------------------------------------------------


def valid(shape: Shape) -> Any:
    """Give a value that has every field of a shape."""
    match shape:
        case Table():
            return {name: valid(each) for name, each in shape.fields.items()}
        case Items():
            return [valid(shape.each)]
        case Values():
            return {"key": valid(shape.each)}
        case Scalar():
            if shape.values:
                return shape.values[0]
            return {str: "a", bool: True, int: 1}[shape.types[0]]
        case None:
            return {"anything": [1, None]}


def none_set(shape: Shape) -> Any:
    """Give a value in which each field that is not required is null."""
    if not isinstance(shape, Table):
        return valid(shape)
    required = {*shape.required, *shape.advised}
    return {
        name: none_set(each) if name in required else None for name, each in shape.fields.items()
    }


@pytest.mark.parametrize("kind", [*SPECS, *KEPT_SPECS])
@pytest.mark.parametrize("make", [valid, none_set])
def test_every_field_may_be_there_or_null(kind: str, make: Any) -> None:
    from uplinks.located import Document
    from uplinks.schema import structure

    spec = make({**SPECS, **KEPT_SPECS}[kind])
    tree = {
        "apiVersion": TRAEFIK,
        "kind": kind,
        "metadata": {"name": "a", "namespace": "b"},
        "spec": spec,
    }

    assert structure([Document(tree)]).diagnostics == ()


@pytest.mark.parametrize(
    "fields",
    [
        "port: http",
        "port: 80",
        "kind: Service, scheme: h2c, strategy: RoundRobin",
        "weight: 1e2",
        "weight: 1.0",
        "sticky: {cookie: {sameSite: Lax, secure: yes, httpOnly: on}}",
        "sticky: {}",
        "healthCheck: {interval: 5, timeout: 3s}",
        "healthCheck: {interval: soon}",  # Traefik refuses it, the API server does not
        "middlewares: []",
        "healthCheck: {headers: {X: null}}",
        "unknown: field",
    ],
)
def test_what_the_api_server_accepts_in_a_service_is_no_error(fields: str) -> None:
    assert of_service(fields) == []

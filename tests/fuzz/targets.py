"""Fuzz targets: each takes any bytes and raises if a law is broken.

1. A target calls public functions only, and catches exactly their documented exceptions. Any
   other exception, including `RecursionError`, is a failure.
2. Accepted input survives a round trip; the message about refused input is short.
3. A secret in the input never appears in the output.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from uplinks import addresses, naming, rules
from uplinks.advertisements import DocumentReader, write_document
from uplinks.durations import format_duration, parse_duration
from uplinks.errors import InvalidDuration, InvalidName
from uplinks.located import Document
from uplinks.manifest import read_toml
from uplinks.model import Cluster, Fleet, StaticConfig
from uplinks.parsing import check_manifests, make_cluster, parse_manifests
from uplinks.router_rules import MAX_RULE, Request, covers, parse_rule
from uplinks.router_rules._regexp import compile_regexp
from uplinks.router_rules._syntax import InvalidRegexp
from uplinks.schema import structure, unstructure
from uplinks.services import advertise

__all__ = ["SEEDS", "TARGETS", "Target"]

Target = Callable[[bytes], None]

_SHORT: Final = 2_000
_SECRET: Final = "S3cr3tS3cr3t"  # noqa: S105 - must not appear in any output


def loader(data: bytes) -> None:
    """Parse manifests, check them as parent and as child, and round-trip the resources."""
    read = parse_manifests(data, source="f.yaml")
    cluster = make_cluster("c", [read])
    alone = rules.check_cluster(cluster)
    assert set(cluster.diagnostics) <= set(alone.diagnostics)
    for fleet in (Fleet(cluster), Fleet(Cluster("p"), {"c": cluster})):
        for found in rules.check(fleet):
            assert found.location.span.line >= 1
            assert found.location.span.column >= 1
            assert len(found.message) <= _SHORT
    for resource in read.resources:
        if isinstance(resource, StaticConfig) and resource.child and resource.parent:
            continue  # writing the parent's part exposes the child
        if not (isinstance(resource, StaticConfig) or resource.namespace):
            continue  # it is of the file provider, which is not written
        if any(found.code == "UPL201" for found in read.diagnostics):
            continue
        again = structure([Document(unstructure(resource))])
        assert again.resources == (resource,)


def toml(data: bytes) -> None:
    """Read TOML as a located tree, and whatever it says of uplinks."""
    read = parse_manifests(data, source="f.toml")
    cluster = make_cluster("c", [read])
    lines = data.count(b"\n") + 1
    for found in rules.check_cluster(cluster):
        assert 1 <= found.location.span.line <= lines
        assert len(found.message) <= _SHORT
    for document in read_toml(data).documents:
        assert isinstance(document.root, dict)


def durations(data: bytes) -> None:
    """Round-trip a duration."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        value = parse_duration(text)
    except InvalidDuration as error:
        assert len(str(error)) <= _SHORT
        return
    assert -(2**63) <= value < 2**63
    assert parse_duration(format_duration(value)) == value


def names(data: bytes) -> None:
    """Build service names from an uplink, a namespace and a child, and split them again."""
    first, _, rest = data.decode("utf-8", "surrogateescape").partition("\0")
    namespace, _, child = rest.partition("\0")
    normal = naming.normalize(first)
    assert naming.normalize(normal) == normal
    assert naming.nearest(first, [namespace, child]) in {None, namespace, child}
    try:
        uplink = naming.uplink_name(namespace, first)
        service = naming.child_service_name(uplink, child)
    except InvalidName as error:
        assert len(str(error)) <= _SHORT
        return
    assert naming.split_service_reference(service) == (f"{uplink}-{child}", "multicluster")
    assert naming.uplink_name("x", "y", uplink) == uplink
    assert uplink.isascii()


def uplink_lists(data: bytes) -> None:
    """Round-trip the annotation that lists uplinks."""
    text = data.decode("utf-8", "surrogateescape")
    assert ",".join(naming.split_uplinks_annotation(text)).count(",") == text.count(",")
    try:
        found = naming.parse_uplinks_annotation(text)
    except InvalidName as error:
        assert len(str(error)) <= _SHORT
        return
    assert len(set(found)) == len(found) > 0
    assert naming.parse_uplinks_annotation(naming.format_uplinks_annotation(found)) == found


def headers(data: bytes) -> None:
    """Check a header with any name, and with a secret in its value."""
    name, _, rest = data.decode("utf-8", "replace").partition("\0")
    before, _, after = rest.partition("\0")
    check = {"path": "/", "scheme": "http", "headers": {name: f"{before}{_SECRET}{after}"}}
    tree = {
        "apiVersion": "hub.traefik.io/v1alpha1",
        "kind": "Uplink",
        "metadata": {"name": "a", "namespace": "b"},
        "spec": {"healthCheck": check},
    }
    report = check_manifests(json.dumps(tree))
    assert _SECRET not in repr(report)
    cluster = make_cluster("c", [parse_manifests(json.dumps(tree))])
    assert _SECRET not in repr(cluster)
    for uplink in cluster.uplinks if report.ok else ():
        assert unstructure(uplink)["spec"]["healthCheck"]["headers"] == check["headers"]


def urls(data: bytes) -> None:
    """Check an address, and mask its credentials."""
    before, _, after = data.decode("utf-8", "surrogateescape").partition("\0")
    shown = addresses.without_userinfo(f"{before}{_SECRET}@{after}")
    assert _SECRET not in shown
    address = before + after
    valid = addresses.problem_with_address(address) is None
    assert valid == (addresses.endpoint(address) is not None)
    assert not (valid and "@" in address)


def advertisements(data: bytes) -> None:
    """Read a child's document twice, check it, and write it back."""
    reader = DocumentReader("https://c", "c")
    cluster = reader.read(data)
    assert reader.read(data) == cluster
    report = rules.check_cluster(cluster, role="child")
    for found in report:
        assert found.location.span.line >= 1
        assert found.location.span.column >= 1
        assert len(found.message) <= _SHORT
    if not report.errors:
        again = DocumentReader("https://c", "c").read(write_document(cluster))
        assert again.diagnostics == ()
        assert advertise(again) == advertise(cluster)


def router_rules(data: bytes) -> None:
    """Read a rule in both syntaxes, and a regular expression; ask what they match."""
    text = data.decode("utf-8", "surrogateescape")
    for rule in (parse_rule(text, "v3"), parse_rule(text, "v2")):
        for found in rule.problems:
            assert 0 <= found.start <= found.end <= len(text)
            assert len(found.message) <= _SHORT
        answer = rule.matches(Request(method="GET", host="a", path="/a"))
        assert answer is False or rule.valid
        assert rule.conjunctions is None or covers(rule.conjunctions, rule.conjunctions)
    try:
        program = compile_regexp(text[:MAX_RULE])
    except InvalidRegexp as error:
        assert 0 <= error.start <= error.end <= len(text)
        assert len(str(error)) <= _SHORT
        return
    assert program.matches("/a/b") in {True, False, None}


TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {
        "loader": loader,
        "forms": loader,
        "toml": toml,
        "durations": durations,
        "names": names,
        "annotations": uplink_lists,
        "headers": headers,
        "urls": urls,
        "router_rules": router_rules,
        "advertisements": advertisements,
    }
)

_UPLINK: Final = b"""\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata: {name: a, namespace: b, annotations: {c: d}}
spec:
  exposeName: x
  entryPoints: [up]
  weight: 10
  healthCheck: {path: /h, interval: 10s, timeout: 3, headers: {A: "b"}, status: 200}
  passiveHealthCheck: {failureWindow: 10s, maxFailedAttempts: 3}
"""
_ROUTER: Final = b"""\
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: a, namespace: b, annotations: {hub.traefik.io/router.uplinks: "x, b-a"}}
spec:
  routes:
    - match: PathPrefix(`/`)
      kind: Rule
      services: [{name: x@multicluster, kind: TraefikService, weight: 1}]
"""
_SERVICE: Final = b"""\
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata: {name: a, namespace: b}
spec:
  weighted: {services: [{name: a, kind: TraefikService}, {name: x@multicluster}]}
  failover: {service: {name: a}, fallback: {name: b-a@kubernetescrd, kind: TraefikService}}
"""
_STATIC: Final = b"""\
hub:
  uplinkEntryPoints: {up: {address: ":9443", asDefault: true}}
  providers: {multicluster: {children: {c: {address: "https://c:1"}}, pollInterval: 5}}
"""

_VALUES: Final = b"""\
ports: {up: {port: 9443, uplink: true, asDefault: true, http: {tls: {enabled: true}}}}
hub: {providers: {multicluster: {enabled: true, children: {eu: {address: "https://eu"}}}}}
additionalArguments: [--hub.uplinkEntryPoints.b.address=:1, --hub.providers.multicluster]
env: [{name: TRAEFIK_HUB_UPLINKENTRYPOINTS_C_ADDRESS, value: ":2"}]
traefik: {providers: {file: {content: {http: {uplinks: {a: {weight: 2}}}}}}}
"""
_DYNAMIC: Final = b"""\
http:
  uplinks: {a: {entryPoints: up, weight: "3", healthCheck: {path: /h}}, b: }
  routers: {r: {rule: Path(`/`), service: s, uplinks: [a, b], middlewares: [m], priority: 1}}
  services:
    s: {weighted: {services: [{name: x@multicluster, weight: 1}, {name: t}]}}
    t: {failover: {service: y@multicluster, fallback: u, errors: {status: ["500"]}}}
    u: {mirroring: {service: s, mirrors: [{name: t, percent: 5}]}}
"""
_WORKLOAD: Final = b"""\
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
      - args: [--hub.uplinkEntryPoints.up.address, ":$(P)", "--hub.uplinkEntryPoints.up.asDefault"]
        command: [sh, -c, "traefik --hub.providers.multicluster.children.eu.address=https://eu"]
        env: [{name: P, value: "1"}, {name: TRAEFIK_HUB_PROVIDERS_MULTICLUSTER, value: "true"}]
"""
_LIST: Final = b"""\
apiVersion: hub.traefik.io/v1alpha1
kind: UplinkList
items: [{metadata: {name: a}, spec: {weight: 1}}, {kind: List, items: [{hub: {}}]}]
"""
_TOML: Final = b"""\
[hub.uplinkEntryPoints."u.p"]
address = ":9443" # a
[hub.providers.multicluster.children.eu]
address = 'https://eu'
[[hub.x]]
y = '''a
b'''
[http.uplinks]
a = { weight = 3, entryPoints = ["u.p"] }
"""

SEEDS: Final[Mapping[str, tuple[bytes, ...]]] = MappingProxyType(
    {
        "loader": (
            *(_UPLINK, _ROUTER, _SERVICE, _STATIC, b"---\n".join((_UPLINK, _ROUTER, _SERVICE))),
            *(b'{"kind": "List", "items": [{}]}', b"a: &x [*x]", b"{<<: {}}", b"? [a]\n: !!x b"),
            *(b"[" * 99, b"- " * 99, b"\xef\xbb\xbfa: |\n  b\n...\n---\n# c", b"%YAML 1.1\n---\n"),
        ),
        "forms": (_VALUES, _DYNAMIC, _WORKLOAD, _LIST),
        "toml": (_TOML, b"a.b = [1, {c = '''d'''}]\n[[e]]\n[e.f]\n", b"x = 1979-05-27"),
        "durations": (b"1m30s", b"-1.5s", b"500ms", "1\u00b5s".encode(), b"9223372036", b"1h1h"),
        "names": (b"api\0apps\0eu", b"a-b\0c\0d.e_F", b"\0\0", b"a" * 64),
        "annotations": (b"a,b", b" a , b.c ", b",", b"a,a", b""),
        "headers": (b"Authorization\0Bearer \0", b"Host\0\0\n", b"x y\0\0\r\nA: b", b"<<\0\0"),
        "router_rules": (
            *(
                b"Host(`a`) && !(Path(`/a`) || PathPrefix(`/b/`))",
                b'Header("X-A", "\\x41") /* c */',
            ),
            *(b"PathRegexp(`^/[a-z]+(?:/v[0-9]{1,3})?$`)", b"HostRegexp(`{a:[a-z]+}.b`,`c`)"),
            *(b"ClientIP(`10.0.0.0/8`)", b"Query(`a`, `b`)", b"(?i:a|\\pL[^b\\d]){2,}\\b$"),
        ),
        "advertisements": (
            b'{"version": 1, "hub": {"uplinkEntryPoints": {"up": {"address": ":1"}}}}',
            b'{"version": 1, "uplinks": [{"spec": {"entryPoints": ["up"], "weight": 5}}]}',
            b'{"uplinks": [{"metadata": {}, "status": {"routers": ["a/b"]}}, 1e1], "version": 1}',
        ),
        "urls": (b"https://a.b:1/\0", b"http://u:p\0a", b"https://[::1]:1", b"//\0?x#y"),
    }
)
"""The inputs that mutation starts from."""

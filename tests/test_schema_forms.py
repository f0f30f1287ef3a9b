"""Every form in which Traefik takes uplinks and their configuration, with its places."""

from __future__ import annotations

import json
from typing import Any

import pytest

from uplinks.diagnostics import Diagnostic
from uplinks.model import (
    Child,
    ChildConfig,
    Cluster,
    IngressRoute,
    ServersTransport,
    ServiceReference,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
)
from uplinks.parsing import check_manifests, make_cluster, parse_manifests

TLS: dict[str, Any] = {"http": {"tls": {}}}


def read(text: str, source: str = "f.yaml") -> Cluster:
    return make_cluster("c", [parse_manifests(text, source)])


def points(text: str, source: str = "f.yaml") -> dict[str, UplinkEntryPoint]:
    cluster = read(text, source)
    assert cluster.diagnostics == ()
    assert cluster.child_config is not None
    return dict(cluster.child_config.uplink_entry_points)


def children(text: str, source: str = "f.yaml") -> dict[str, Child]:
    cluster = read(text, source)
    assert cluster.diagnostics == ()
    assert cluster.parent_config is not None
    return dict(cluster.parent_config.children)


def place(cluster: Cluster, *path: str, key: bool = False) -> str:
    config = cluster.child_config or cluster.parent_config
    assert config is not None
    return str(config.origin.locate("hub", *path, key=key))


def only(cluster: Cluster) -> Diagnostic:
    (found,) = cluster.diagnostics
    return found


# --- the file ------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "hub: {uplinkEntryPoints: {up: {address: ':9443', asDefault: true, http: {tls: {}}}}}",
        "Hub: {uplinkentrypoints: {up: {ADDRESS: ':9443', asdefault: 'true', HTTP: {TLS: true}}}}",
        'hub: {uplinkEntryPoints: {up: {address: ":9443", asDefault: "1", http: {tls: "true"}}}}',
    ],
)
def test_names_are_read_in_any_case_and_strings_as_what_they_mean(text: str) -> None:
    assert points(text) == {"up": UplinkEntryPoint(":9443", as_default=True, rest=TLS)}


def test_an_entry_point_may_be_empty() -> None:
    assert points("hub: {uplinkEntryPoints: {a: , b: {}}}") == {
        "a": UplinkEntryPoint(),
        "b": UplinkEntryPoint(),
    }


@pytest.mark.parametrize("provider", ["{}", "true", "{enabled: true}", "{pollInterval: 3s}"])
def test_a_provider_without_children_exposes_the_child(provider: str) -> None:
    config = read(f"hub: {{providers: {{multicluster: {provider}}}}}").child_config

    assert config == ChildConfig(multicluster=True)


@pytest.mark.parametrize("provider", ["false", "{enabled: false, children: {}}", "null"])
def test_a_provider_that_is_off_does_not(provider: str) -> None:
    cluster = read(f"hub: {{providers: {{multicluster: {provider}}}}}")

    assert (cluster.child_config, cluster.parent_config) == (None, None)


def test_the_settings_of_the_provider_may_stand_apart_from_the_entry_points() -> None:
    cluster = read(
        "hub: {uplinkEntryPoints: {up: {address: ':9443'}}}\n---\n"
        "hub: {providers: {multicluster: {pollInterval: 3s}}}"
    )

    assert cluster.child_config == ChildConfig({"up": UplinkEntryPoint(":9443")}, multicluster=True)


def test_what_rules_read_of_the_rest_is_kept() -> None:
    for text in (
        (
            "hub: {uplinkEntryPoints: {}}\ncore: {DEFAULTRULESYNTAX: v2}\n"
            "providers: {kubernetescrd: {allowcrossnamespace: 'true'}}"
        ),
        (
            "additionalArguments: [--hub.uplinkEntryPoints.up.address=:1, "
            "--core.defaultRuleSyntax=v2, --providers.kubernetesCRD.allowCrossNamespace]"
        ),
    ):
        config = read(text).child_config
        assert config is not None
        assert config.origin.value_at("core", "defaultRuleSyntax") == "v2"
        path = ("providers", "kubernetesCRD", "allowCrossNamespace")
        assert config.origin.value_at(*path) is True


# --- Helm ------------------------------------------------------------------------

VALUES = """\
ports:
  websecure: {port: 8443}
  multicluster:
    port: 9443
    uplink: true
    asDefault: true
    expose: {default: true}
    http: {tls: {enabled: true, options: strict}}
  other: {port: 9444, uplink: true, protocol: UDP, tls: {enabled: false}}
hub:
  token: traefik-hub-license
  providers:
    multicluster:
      enabled: true
      pollInterval: 5
      children:
        eu:
          address: "https://eu.example.com:9443"
          serversTransport: {insecureSkipVerify: true}
"""


def test_the_ports_of_values_are_entry_points() -> None:
    assert points(VALUES) == {
        "multicluster": UplinkEntryPoint(
            ":9443", as_default=True, rest={"http": {"tls": {"options": "strict"}}}
        ),
        "other": UplinkEntryPoint(":9444/udp"),
    }
    assert children(VALUES) == {
        "eu": Child(
            "https://eu.example.com:9443",
            servers_transport=ServersTransport(insecure_skip_verify=True),
        )
    }
    assert read(VALUES).child_config.multicluster  # type: ignore[union-attr]


def test_the_places_of_values_are_those_of_the_values() -> None:
    cluster = read(VALUES)

    assert place(cluster, "uplinkEntryPoints", "multicluster", key=True) == "f.yaml:3:3"
    assert place(cluster, "uplinkEntryPoints", "multicluster", "address") == "f.yaml:4:11"
    assert place(cluster, "providers", "multicluster", "children", "eu", "address") == (
        "f.yaml:18:20"
    )


@pytest.mark.parametrize(
    "indented",
    [
        "traefik:\n  ports: {up: {port: 9443, uplink: true}}\n",
        "traefik:\n  hub: {uplinkEntryPoints: {up: {address: ':9443'}}}\n",
        "traefik:\n  traefik:\n    hub: {uplinkEntryPoints: {up: {address: ':9443'}}}\n",
        "additionalArguments: ['--hub.uplinkEntryPoints.up.address=:9443']\n",
        "traefik: {additionalArguments: ['--hub.uplinkEntryPoints.up.address=:9443']}\n",
        "env: [{name: TRAEFIK_HUB_UPLINKENTRYPOINTS_UP_ADDRESS, value: ':9443'}]\n",
    ],
)
def test_values_have_the_configuration_in_several_places(indented: str) -> None:
    assert points(indented) == {"up": UplinkEntryPoint(":9443")}


def test_the_port_and_the_arguments_of_one_entry_point_are_joined() -> None:
    text = (
        "ports: {up: {port: 9444, uplink: true, http: {tls: {enabled: true}}}}\n"
        "additionalArguments:\n"
        "  - --hub.uplinkEntryPoints.up.address=:9444\n"
        "  - --hub.uplinkEntryPoints.up.http.tls=true\n"
    )

    assert points(text) == {"up": UplinkEntryPoint(":9444", rest=TLS)}


def test_the_port_and_the_arguments_of_one_entry_point_must_agree() -> None:
    text = (
        "ports: {up: {port: 9444, uplink: true}}\n"
        "additionalArguments: ['--hub.uplinkEntryPoints.up.address=:9445']\n"
    )

    found = only(read(text))

    assert (found.code, str(found.location)) == ("UPL010", "f.yaml:2:48")
    assert [str(related.location) for related in found.related] == ["f.yaml:1:9"]


@pytest.mark.parametrize(
    "text",
    [
        "ports: {web: {port: 8000}, off: {port: 1, uplink: false}}",
        "ports: [80, 443]",
        "ports: {uplink: true}",
        "env: {A: b}\nadditionalArguments: 5\ntraefik: 5",
        "additionalArguments: ['--entryPoints.web.address=:80', 5, '--ping']",
        "env: [{name: TRAEFIK_HUB_TOKEN, value: S3cr3t}]",
    ],
)
def test_other_values_say_nothing(text: str) -> None:
    cluster = read(text)

    assert cluster == Cluster("c", skipped=1)


@pytest.mark.parametrize("indented", ["", "traefik:\n  "])
def test_the_extra_objects_of_values_are_read_in_their_order(indented: str) -> None:
    text = (
        f"{indented}extraObjects:\n"
        "    - {apiVersion: hub.traefik.io/v1alpha1, kind: Uplink, metadata: {name: b}}\n"
        "    - {apiVersion: v1, kind: Service, metadata: {name: c}}\n"
        "    - {apiVersion: hub.traefik.io/v1alpha1, kind: Uplink, metadata: {name: a}}\n"
    )

    manifests = parse_manifests(text, "f.yaml", namespace="apps")

    uplinks = [each for each in manifests.resources if isinstance(each, Uplink)]
    assert [uplink.owner for uplink in uplinks] == ["apps/b", "apps/a"]
    assert len(manifests.resources) == 2
    assert manifests.diagnostics == ()


def test_what_is_wrong_in_an_extra_object_is_found_at_its_place() -> None:
    text = (
        "extraObjects:\n"
        "  - {apiVersion: hub.traefik.io/v1alpha1, kind: Uplink, metadata: {name: a},\n"
        "     spec: {weight: ten}}\n"
    )

    found = only(read(text))

    assert (found.code, str(found.location)) == ("UPL006", "f.yaml:3:21")


@pytest.mark.parametrize(
    "objects",
    [
        "{apiVersion: hub.traefik.io/v1alpha1, kind: Uplink, metadata: {name: '{{ .Values.a }}'}}",
        "{apiVersion: hub.traefik.io/v1alpha1, kind: Uplink, spec: {a: [[{'{{a}}': 1}]]}}",
        "'{{ include \"a\" . }}'",
        "5",
    ],
)
def test_extra_objects_with_templates_are_left_to_helm(objects: str) -> None:
    assert read(f"extraObjects: [{objects}]") == Cluster("c", skipped=1)
    assert read(f"extraObjects: {objects}") == Cluster("c", skipped=1)


# --- arguments and variables -------------------------------------------------------


def workload(kind: str = "Deployment", **container: object) -> str:
    spec = f"containers: [{{name: traefik, image: traefik, {_flow(container)}}}]"
    spec = spec if kind == "Pod" else f"template: {{spec: {{{spec}}}}}"
    version = "v1" if kind == "Pod" else "apps/v1"
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: t}}\nspec: {{{spec}}}\n"


def _flow(container: dict[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in container.items())


@pytest.mark.parametrize("kind", ["DaemonSet", "Deployment", "Pod", "StatefulSet"])
@pytest.mark.parametrize("field", ["args", "command"])
def test_a_workload_has_arguments(kind: str, field: str) -> None:
    flags = [
        "traefik",
        "--hub.uplinkEntryPoints.up.address=:9443",
        "--HUB.uplinkentrypoints.up.asDefault",
        "-hub.uplinkEntryPoints.up.http.tls",
        "--hub.providers.multicluster=true",
        "--providers.kubernetescrd",
    ]
    cluster = read(workload(kind, **{field: flags}))

    point = UplinkEntryPoint(":9443", as_default=True, rest=TLS)
    assert cluster.child_config == ChildConfig({"up": point}, multicluster=True)
    assert cluster.diagnostics == ()


def test_an_argument_may_be_two_words_or_a_line_of_a_shell() -> None:
    words = ["--hub.uplinkEntryPoints.up.address", ":9443", "--ping"]
    shell = ["sh", "-c", "exec traefik --hub.uplinkEntryPoints.up.address=:9443 --ping"]

    assert points(workload(args=words)) == {"up": UplinkEntryPoint(":9443")}
    assert points(workload(command=shell)) == {"up": UplinkEntryPoint(":9443")}


@pytest.mark.parametrize(
    "setting",
    [
        "'--hub.uplinkEntryPoints.up.address=:9443' --ping",
        '--hub.uplinkEntryPoints.up.address=":9443"; true',
        "--ping \\\n --hub.uplinkEntryPoints.up.address=:9443 & wait",
        '--hub.uplinkEntryPoints.up.address ":${PORT}" --ping',
        "--ping --hub.uplinkEntryPoints.up.address=:$PORT",
    ],
)
def test_a_line_of_a_shell_has_quotes_and_variables(setting: str) -> None:
    env = [{"name": "PORT", "value": "9443"}]
    command = json.dumps(["sh", "-c", f"exec traefik {setting}"])

    assert points(workload(command=command, env=env)) == {"up": UplinkEntryPoint(":9443")}


def test_arguments_list_children_with_their_transports() -> None:
    prefix = "--hub.providers.multicluster.children"
    flags = [
        f"{prefix}.eu.address=https://eu.example.com",
        f"{prefix}.eu.serversTransport.insecureSkipVerify",
        f"{prefix}.eu.serversTransport.rootCAs=/a.pem,/b.pem",
        f"{prefix}.eu.serversTransport.rootcas=/c.pem",
        f"{prefix}.eu.serversTransport.maxIdleConnsPerHost=7",
        f"{prefix}.eu.serversTransport.certificates[1].certFile=/2.crt",
        f"{prefix}.eu.serversTransport.certificates[0].certFile=/1.crt",
        f"{prefix}.us.address=https://us.example.com",
    ]

    found = children(workload(args=flags))

    assert list(found) == ["eu", "us"]
    transport = found["eu"].servers_transport
    assert transport is not None
    assert transport.root_cas == ("/a.pem", "/b.pem", "/c.pem")
    assert (transport.insecure_skip_verify, transport.max_idle_conns_per_host) == (True, 7)
    assert [each.cert_file for each in transport.certificates] == ["/1.crt", "/2.crt"]


def test_the_place_of_an_argument_is_that_of_its_value() -> None:
    text = "spec:\n  containers:\n  - args:\n"
    text += "    - --hub.uplinkEntryPoints.up.address=:9443\n"
    text += '    - "--hub.uplinkEntryPoints.up.asDefault=maybe"\n'
    cluster = read(f"apiVersion: v1\nkind: Pod\n{text}")

    assert place(cluster, "uplinkEntryPoints", "up", "address") == "f.yaml:6:42"
    assert place(cluster, "uplinkEntryPoints", "up", key=True) == "f.yaml:6:31"
    assert place(cluster, "uplinkEntryPoints", "up", "address", key=True) == "f.yaml:6:34"
    found = only(cluster)
    assert (found.code, str(found.location)) == ("UPL006", "f.yaml:7:45")
    assert found.location.span.end_column == 50


def test_variables_are_settings_as_well_and_arguments_refer_to_them() -> None:
    env = (
        "[{name: TRAEFIK_HUB_UPLINKENTRYPOINTS_UP_ADDRESS, value: ':$(PORT)'}, "
        "{name: PORT, value: '9443'}, {name: TRAEFIK_HUB_PROVIDERS_MULTICLUSTER, value: 'true'}, "
        "{name: TRAEFIK_HUB_TOKEN, valueFrom: {secretKeyRef: {name: s, key: k}}}]"
    )
    args = ["--hub.uplinkEntryPoints.other.address=:$(PORT)"]

    cluster = read(workload(env=env, args=args))

    assert cluster.diagnostics == ()
    assert cluster.child_config == ChildConfig(
        {"other": UplinkEntryPoint(":9443"), "up": UplinkEntryPoint(":9443")}, multicluster=True
    )


def test_a_misspelt_step_of_a_setting_is_found_at_its_place() -> None:
    flags = "--hub.providers.multicluster.children.eu.adress=https://eu"
    env = "{name: 'TRAEFIK_HUB_PROVIDERS_MULTICLUSTER_CHILDREN_EU_ADRESS', value: a}"
    text = f"additionalArguments:\n- {flags}\nenv:\n- {env}\n"

    found = [
        (d.suggestion, d.location.span[1:]) for d in read(text).diagnostics if d.code == "UPL005"
    ]

    assert found == [("address", (44, 2, 50)), ("address", (58, 4, 64))]


def test_a_misspelt_field_of_an_entry_point_is_found() -> None:
    text = "hub: {uplinkEntryPoints: {up: {address: ':1', asDefualt: true, forwardedheaders: {}}}}"

    found = only(read(text))

    assert (found.code, found.suggestion, str(found.location)) == (
        "UPL005",
        "asDefault",
        "f.yaml:1:47",
    )


def test_a_field_of_an_entry_point_that_is_like_none_is_kept() -> None:
    assert points("hub: {uplinkEntryPoints: {up: {address: ':9443', waf: {a: 1}}}}") == {
        "up": UplinkEntryPoint(":9443", rest={"waf": {"a": 1}})
    }


def test_a_value_that_is_not_in_the_manifest_is_unset() -> None:
    prefix = "--hub.uplinkEntryPoints.up"
    args = [f"{prefix}.address=:$(PORT)", f"{prefix}.asDefault=$(DEFAULT)"]

    assert points(workload(args=args)) == {"up": UplinkEntryPoint(":$(PORT)")}
    assert check_manifests(workload(args=args)).diagnostics == ()


@pytest.mark.parametrize(
    "spec",
    [
        "{}",
        "5",
        "{template: {spec: {containers: {}}}}",
        "{template: {spec: {containers: [5, {args: 5, env: 5}, {args: [[]], env: [5, {}]}]}}}",
        "{template: {spec: {containers: [{args: ['--hub.token=S3cr3t', '--hub', '--=x']}]}}}",
        "{template: {spec: {containers: [{args: ['--hub.uplinkEntryPoints.a[.b=c']}]}}}",
    ],
)
def test_another_workload_says_nothing(spec: str) -> None:
    assert read(f"apiVersion: apps/v1\nkind: Deployment\nspec: {spec}\n") == Cluster("c", skipped=1)


# --- the file provider -------------------------------------------------------------

DYNAMIC = """\
http:
  uplinks:
    whoami:
      entryPoints: [multicluster]
      weight: "3"
      healthCheck: {path: /health, interval: 5s}
    bare:
  routers:
    backend:
      rule: PathPrefix(`/`)
      service: backend
      priority: "7"
      middlewares: [auth, limit@kubernetescrd]
      uplinks: [whoami, bare]
  services:
    backend:
      loadBalancer: {servers: [{url: "http://10.0.0.1"}]}
"""


def test_uplinks_of_the_file_provider_are_read() -> None:
    cluster = read(DYNAMIC)

    assert cluster.diagnostics == ()
    names = [(u.uplink_name, u.owner, u.weight, u.entry_points) for u in cluster.uplinks]
    assert names == [
        ("whoami", "whoami@file", 3, ("multicluster",)),
        ("bare", "bare@file", 1, ()),
    ]
    check = cluster.uplinks[0].health_check
    assert check is not None
    assert check.interval == 5_000_000_000
    assert str(cluster.uplinks[0].origin.locate("spec", "weight")) == "f.yaml:5:15"
    assert str(cluster.uplinks[1].origin.locate("metadata", "name")) == "f.yaml:7:5"


def test_routers_of_the_file_provider_are_read() -> None:
    (router,) = read(DYNAMIC).routers

    assert (router.owner, router.uplinks, router.entry_points, router.tls) == (
        "backend@file",
        ("whoami", "bare"),
        None,
        None,
    )
    (route,) = router.routes
    assert route.match == "PathPrefix(`/`)"
    assert route.services == (ServiceReference("backend@file", kind="TraefikService"),)
    assert route.rest["priority"] == 7
    assert route.rest["middlewares"] == [{"name": "auth@file"}, {"name": "limit@kubernetescrd"}]
    assert str(router.origin.locate("spec", "routes", 0, "match")) == "f.yaml:10:13"


def test_a_file_with_uplinks_is_checked_like_any_other() -> None:
    text = DYNAMIC.replace('"3"', "-3").replace("whoami, bare", "whoami, bear")
    text = text.replace("      priority", "      tls: {}\n      entryPoints: web\n      priority")

    found = [(d.code, d.location.span.line) for d in check_manifests(text).errors]

    assert found == [("UPL103", 5), ("UPL302", 12), ("UPL301", 13), ("UPL303", 16)]


def test_composed_services_of_the_file_provider_are_read() -> None:
    cluster = read(
        "http:\n"
        "  routers: {a: {rule: Host(`a`), service: split, entryPoints: [web]}}\n"
        "  services:\n"
        "    split: {weighted: {services: [{name: x@multicluster, weight: 3}, {name: safe}]}}\n"
        "    safe:\n"
        "      failover: {service: x-eu@multicluster, fallback: web, errors: {status: ['500']}}\n"
        "    copy: {mirroring: {service: web, mirrors: [{name: x@multicluster, percent: '5'}]}}\n"
        "    web: {loadBalancer: {servers: [{url: 'http://10.0.0.1'}]}}\n"
    )

    assert cluster.diagnostics == ()
    split, safe, copy = cluster.traefik_services
    assert split.weighted is not None
    assert split.weighted.services == (
        ServiceReference("x@multicluster", "TraefikService", weight=3),
        ServiceReference("safe@file", "TraefikService"),
    )
    assert safe.failover is not None
    assert safe.failover.fallback == ServiceReference("web@file", "TraefikService")
    assert safe.failover.rest == {"errors": {"status": ["500"]}}
    assert copy.rest["mirroring"] == {
        "name": "web@file",
        "kind": "TraefikService",
        "mirrors": [{"name": "x@multicluster", "percent": 5, "kind": "TraefikService"}],
    }
    assert [each.service_name for each in cluster.traefik_services] == [
        "split@file",
        "safe@file",
        "copy@file",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "http: {routers: {a: {rule: Host(`a`), service: b}}, services: {b: {loadBalancer: {}}}}",
        "http: 5",
        "http: {uplinks: 5}",
        "http: {routers: 5, services: [5]}",
        "http: {services: {a: {weighted: {services: [{name: b}]}}}}",
        "tcp: {routers: {a: {rule: x}}}",
    ],
)
def test_a_configuration_without_uplinks_says_nothing(text: str) -> None:
    assert read(text) == Cluster("c", skipped=1)


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("http: {uplinks: {a: 5}}", "UPL006", "f.yaml:1:21"),
        ("http: {uplinks: {a: {wieght: 5}}}", "UPL005", "f.yaml:1:22"),
        ("http: {uplinks: {a: {weight: x}}}", "UPL006", "f.yaml:1:30"),
        ("http: {uplinks: {a: {}}, routers: {r: {uplinks: [a]}}}", "UPL007", "f.yaml:1:39"),
        ("http: {uplinks: {}, routers: {r: {rule: 5, uplinks: a}}}", "UPL006", "f.yaml:1:41"),
    ],
)
def test_what_is_wrong_in_a_file_is_found_at_its_place(text: str, code: str, where: str) -> None:
    found = only(read(text))

    assert (found.code, str(found.location)) == (code, where)


def test_values_may_have_the_file_provider_s_content() -> None:
    content = "{http: {uplinks: {a: {weight: 2}}}}"

    for text in (
        f"providers: {{file: {{enabled: true, content: {content}}}}}",
        f"traefik: {{providers: {{file: {{content: {content}}}}}}}",
    ):
        assert [(u.uplink_name, u.weight) for u in read(text).uplinks] == [("a", 2)]


def test_an_uplink_of_a_file_and_one_of_kubernetes_are_the_same_service() -> None:
    texts = [
        "http: {uplinks: {api: {}}}",
        (
            "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\nmetadata: {name: x}\n"
            "spec: {exposeName: api}\n"
        ),
    ]

    assert [read(text).uplinks[0].uplink_name for text in texts] == ["api", "api"]


# --- TOML and lists ------------------------------------------------------------------


def test_toml_says_what_yaml_says() -> None:
    text = """\
[hub.uplinkEntryPoints.up]
address = ":9443"
asDefault = true
[hub.uplinkEntryPoints.up.http.tls]
[hub.providers.multicluster.children.eu]
address = "https://eu.example.com"
[http.uplinks.api]
weight = 3
[http.routers.r]
rule = "PathPrefix(`/`)"
service = "s"
uplinks = ["api"]
"""
    cluster = read(text, "t.toml")

    assert points(text, "t.toml") == {"up": UplinkEntryPoint(":9443", as_default=True, rest=TLS)}
    assert children(text, "t.toml") == {"eu": Child("https://eu.example.com")}
    assert [(u.uplink_name, u.weight) for u in cluster.uplinks] == [("api", 3)]
    assert [r.uplinks for r in cluster.routers] == [("api",)]
    assert place(cluster, "uplinkEntryPoints", "up", "address") == "t.toml:2:11"
    assert str(cluster.uplinks[0].origin.locate("spec", "weight")) == "t.toml:8:10"


ITEM = "metadata: {name: a, namespace: apps}, spec: {weight: -5}"


@pytest.mark.parametrize(
    ("head", "cls", "item"),
    [
        ("apiVersion: hub.traefik.io/v1alpha1\nkind: UplinkList", Uplink, "spec: {weight: 2}"),
        (
            "apiVersion: traefik.io/v1alpha1\nkind: IngressRouteList",
            IngressRoute,
            "spec: {routes: []}",
        ),
        (
            "apiVersion: traefik.io/v1alpha1\nkind: TraefikServiceList",
            TraefikService,
            "spec: {weighted: {services: []}}",
        ),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_a_list_of_one_kind_is_its_items(head: str, cls: type, item: str, *, named: bool) -> None:
    version, kind = (line.partition(": ")[2] for line in head.split("\n"))
    own = f"apiVersion: {version}, kind: {kind.removesuffix('List')}, " if named else ""
    text = f"{head}\nmetadata: {{}}\nitems:\n- {{{own}metadata: {{name: a}}, {item}}}\n"

    read_back = parse_manifests(text, "f.yaml", namespace="apps")

    (resource,) = read_back.resources
    assert type(resource) is cls
    assert resource.origin.base == ("items", 0)
    assert (resource.name, resource.namespace) == ("a", "apps")  # type: ignore[union-attr]


def test_what_is_wrong_in_an_item_is_found() -> None:
    text = f"apiVersion: hub.traefik.io/v1alpha1\nkind: UplinkList\nitems:\n- {{{ITEM}}}\n"

    found = [(d.code, str(d.location)) for d in check_manifests(text, "f.yaml").errors]

    assert found == [("UPL103", "f.yaml:4:57")]


def test_a_list_of_workloads_has_their_arguments() -> None:
    spec = "{template: {spec: {containers: [{args: ['--hub.providers.multicluster']}]}}}"
    text = f"apiVersion: apps/v1\nkind: DeploymentList\nitems: [{{spec: {spec}}}]\n"

    assert read(text).child_config == ChildConfig(multicluster=True)


@pytest.mark.parametrize("kind", ["PriceList", "List"])
def test_a_foreign_list_is_not_taken_apart(kind: str) -> None:
    text = f"apiVersion: example.com/v1\nkind: {kind}\nitems: [{{hub: {{uplinkEntryPoints: 5}}}}]\n"

    assert read(text) == Cluster("c", skipped=1)

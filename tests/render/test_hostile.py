"""Whatever a child writes, the parent's configuration stays what it is: data.

Traefik runs Go templates over the file that it reads, with functions that read the
environment and files. Every string that a child controls is made hostile here.
"""

from __future__ import annotations

import io
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from uplinks.errors import UplinksError
from uplinks.model import (
    UPLINKS_ANNOTATION,
    Advertisement,
    Child,
    ChildConfig,
    Cluster,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    PassiveHealthCheck,
    Route,
    ServiceReference,
    Uplink,
    UplinkEntryPoint,
)
from uplinks.parsing import parse_manifests
from uplinks.render import (
    TraefikOptions,
    child_to_traefik,
    dump,
    to_traefik,
    uplink_entry_points,
)
from uplinks.services import materialize

HOSTILE = st.sampled_from(
    [
        '{{ env "SECRET" }}',
        "{{",
        "{{{",
        "x{{/*",
        '{{ file "/etc/passwd" }}',
        "1e3",
        "0o17",
        "on",
        "~",
        "a: b\nhttp: {}",
        '"\n- evil',
        "\u2028{{",
        "\x00",
        "\x85",
        "\ufeff",
        "*alias",
        "!!binary x",
    ]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

CHECKS = st.builds(
    HealthCheck,
    path=HOSTILE,
    scheme=HOSTILE,
    mode=HOSTILE,
    method=HOSTILE,
    hostname=HOSTILE,
    headers=st.dictionaries(HOSTILE, HOSTILE, max_size=3),
)
OFFERS = st.builds(
    Advertisement,
    uplink_name=st.sampled_from(["api", "1e3", "0o17", "a.b"]),
    owner=HOSTILE,
    entry_points=st.lists(HOSTILE, max_size=2),
    weight=st.integers(0, 3),
    health_check=st.none() | CHECKS,
    passive_health_check=st.none() | st.just(PassiveHealthCheck()),
    routers=st.lists(HOSTILE, max_size=2),
)
CONFIG = ParentConfig({"eu": Child("https://eu:9443"), "us": Child("https://us:9443")})


def read(text: str) -> Any:
    """Read YAML 1.2; a reader of YAML 1.1 must agree, and no template may be in it."""
    data = YAML(typ="safe", pure=True).load(io.StringIO(text))
    assert yaml.safe_load(text) == data
    assert "{{" not in text
    return data


@given(OFFERS, OFFERS)
def test_no_child_can_write_anything_but_its_own_strings(
    eu: Advertisement, us: Advertisement
) -> None:
    try:
        services = materialize(CONFIG, {"eu": [eu], "us": [us]})
    except UplinksError:
        return  # names that cannot be, such as two owners of one

    configuration = to_traefik(services)

    assert read(dump(configuration)) == configuration
    for name, offer in (("eu", eu), ("us", us)):
        written = configuration["http"]["services"][f"{offer.uplink_name}-{name}"]
        assert written["loadBalancer"]["servers"] == [{"url": f"https://{name}:9443"}]
        headers = written["loadBalancer"].get("healthCheck", {}).get("headers", {})
        if offer.health_check is not None and headers:
            kept = {h.name: h.value for h in offer.health_check.headers}
            kept = {k: v for k, v in kept.items() if k.lower() != "x-uplink"}
            assert headers == {**kept, "X-Uplink": offer.uplink_name}


# What a child's own rules accept, and a template engine would not leave alone.
MATCHES = st.sampled_from(
    ['PathPrefix(`/{{ env "A" }}`)', "Path(`/{{`)", "Header(`X-A`, `{{{`)", "PathPrefix(`/1e3`)"]
)
PATHS = st.sampled_from(["/{{", '/{{env"A"}}', "/`", '/"a', "/1e3?{{{"])
VALID_CHECKS = st.builds(
    HealthCheck, path=PATHS, headers=st.just({"X-A": '{{ env "A" }}', "X-B": "1e3"})
)


@given(MATCHES, HOSTILE, HOSTILE, st.none() | VALID_CHECKS)
def test_a_childs_own_configuration_is_inert_too(
    match: str, service: str, middleware: str, check: HealthCheck | None
) -> None:
    references = [ServiceReference(service, port=service)]
    route = Route(match, services=references, rest={"middlewares": [{"name": middleware}]})
    router = IngressRoute("r", "apps", [route], annotations={UPLINKS_ANNOTATION: "apps-api"})
    points = {"up": UplinkEntryPoint(":9443", as_default=True, rest={"http": {service: match}})}
    child = Cluster(
        "eu",
        [Uplink("api", "apps", health_check=check)],
        [router],
        child_config=ChildConfig(points),
    )

    for options in (TraefikOptions(), TraefikOptions(own_provider="file")):
        configuration = child_to_traefik(child, options)
        assert read(dump(configuration)) == configuration
        rules = [router["rule"] for router in configuration["http"]["routers"].values()]
        assert all(rule.endswith(f"({match})") for rule in rules)
    static = uplink_entry_points(child)
    assert read(dump(static)) == static


@pytest.mark.parametrize("value", ["'{{ env \"SECRET\" }}'", "'{{'", "1e3", "'0o17'", '"\\u2028"'])
def test_a_manifest_with_a_hostile_header(value: str) -> None:
    text = (
        "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\n"
        "metadata: {name: api, namespace: apps}\n"
        f"spec: {{healthCheck: {{path: /, headers: {{X-Leak: {value}}}}}}}\n"
    )
    (uplink,) = parse_manifests(text).resources or (Uplink("api", "apps"),)
    assert isinstance(uplink, Uplink)
    offer = Advertisement("api", "apps/api", ["up"], health_check=uplink.health_check)

    configuration = to_traefik(materialize(CONFIG, {"eu": [offer]}))

    assert read(dump(configuration)) == configuration

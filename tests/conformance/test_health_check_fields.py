"""The page's table "Health Check Fields", row by row, and its examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from uplinks import HealthCheck, Uplink, parse_manifests

SNIPPETS = Path(__file__).parents[2] / "examples" / "snippets"
SECOND = 1_000_000_000

HEAD = """\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata: {name: api-workload, namespace: apps}
spec:
  healthCheck: """


def read(text: str) -> HealthCheck:
    manifests = parse_manifests(text)
    assert [str(d) for d in manifests.diagnostics] == []
    (uplink,) = manifests.resources
    assert isinstance(uplink, Uplink)
    assert uplink.health_check is not None
    return uplink.health_check


def snippet(name: str) -> HealthCheck:
    return read((SNIPPETS / name).read_text("utf-8"))


@pytest.mark.parametrize(
    ("field", "default"),
    [
        ("path", None),
        ("scheme", None),  # the uplink server's
        ("mode", "http"),
        ("method", "GET"),
        ("status", 200),
        ("port", None),  # the uplink server's
        ("interval", 30 * SECOND),
        ("unhealthy_interval", 30 * SECOND),  # the interval's
        ("timeout", 5 * SECOND),
        ("hostname", None),  # the uplink's
        ("follow_redirects", True),
        ("headers", ()),
    ],
)
def test_a_field_that_is_absent_has_its_default(field: str, default: Any) -> None:
    assert getattr(read(HEAD + "{}\n"), field) == default


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        ("path: /healthz", "path", "/healthz"),
        ("scheme: http", "scheme", "http"),
        ("mode: grpc", "mode", "grpc"),
        ("method: HEAD", "method", "HEAD"),
        ("status: 204", "status", 204),
        ("port: 8080", "port", 8080),
        ("interval: 10s", "interval", 10 * SECOND),
        ("interval: 10", "interval", 10 * SECOND),
        ("interval: 0", "interval", 30 * SECOND),  # Go clients write zeros
        ("unhealthyInterval: 500ms", "unhealthy_interval", SECOND // 2),
        ("timeout: 1m30s", "timeout", 90 * SECOND),
        ("hostname: api.eu.example.com", "hostname", "api.eu.example.com"),
        ("followRedirects: false", "follow_redirects", False),
    ],
)
def test_a_field_that_is_written_counts(written: str, field: str, value: Any) -> None:
    assert getattr(read(HEAD + f"{{{written}}}\n"), field) == value


def test_the_unhealthy_interval_follows_the_interval() -> None:
    assert read(HEAD + "{interval: 10s}\n").unhealthy_interval == 10 * SECOND


def test_the_http_example() -> None:
    text = HEAD + "{path: /health, interval: 10s, timeout: 3s, status: 200}\n"

    assert read(text) == HealthCheck(
        path="/health", interval=10 * SECOND, timeout=3 * SECOND, status=200
    )


def test_the_example_with_headers() -> None:
    check = snippet("uplink-health-headers.yaml")

    assert (check.path, check.interval, check.timeout) == ("/healthz", 15 * SECOND, 5 * SECOND)
    assert [(header.name, header.value) for header in check.headers] == [
        ("X-Health-Check", "true"),
        ("Authorization", "Bearer token123"),
    ]
    assert "token123" not in repr(check)


def test_the_grpc_example() -> None:
    assert snippet("uplink-health-grpc.yaml") == HealthCheck(
        mode="grpc", interval=10 * SECOND, timeout=5 * SECOND
    )

"""Metrics as OpenTelemetry collects them, with exact values."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from uplinks import HealthCheck, HealthPolicy, Outcome, Parent
from uplinks.adapters.opentelemetry import OpenTelemetryMetrics, span_attributes
from uplinks.errors import MissingExtra
from uplinks.health import Overloaded

EU, US = "https://eu.example.com:9443", "https://us.example.com"
SECRET = "kx9-secret-7q"  # noqa: S105 - a mark to look for
CHECK = HealthCheck(headers={"X-Key": SECRET}, interval="10s", timeout="1s")


def measured() -> tuple[Parent, OpenTelemetryMetrics, InMemoryMetricReader]:
    parent = Parent.of(
        {"eu": (EU, 2), "us": US}, health_check=CHECK, policy=HealthPolicy(start_window=0)
    )
    reader = InMemoryMetricReader()
    return parent, OpenTelemetryMetrics(parent, MeterProvider([reader])), reader


def collect(reader: InMemoryMetricReader) -> dict[str, dict[tuple[Any, ...], Any]]:
    """The points of each metric, by the values of their attributes."""
    data = reader.get_metrics_data()
    assert data is not None
    return {
        metric.name: {
            tuple(sorted((point.attributes or {}).values())): getattr(point, "value", point)
            for point in metric.data.data_points
        }
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_a_collection_has_exact_values() -> None:
    parent, metrics, reader = measured()
    for probe in parent.due(0):
        failed = "eu" in probe.target.url  # type: ignore[attr-defined]
        outcome = Outcome.fail(f"status 503 {SECRET}") if failed else Outcome.PASS
        parent.report(probe, outcome, 0)
        metrics.on_probe(probe, outcome, 5_000_000)
    for event in (*parent.events.drain(), Overloaded(1, 0)):
        metrics.on_event(event)
    parent.selector().pick_many(3)

    with parent.lease():
        points = collect(reader)

    eu = tuple(sorted(("default-eu@multicluster", "eu", EU)))
    us = tuple(sorted(("default-us@multicluster", "us", US)))
    assert points["uplinks.target.up"] == {eu: 0, us: 1}
    assert points["uplinks.target.weight"] == {eu: 2, us: 1}
    assert points["uplinks.target.leases"] == {eu: 0, us: 1}
    assert points["uplinks.request.failures"] == {eu: 0, us: 0}
    assert points.get("uplinks.retries", {}) == {}
    assert points["uplinks.picks"] == {
        ("default@multicluster", "eu"): 0,
        ("default@multicluster", "us"): 4,
    }
    assert points["uplinks.transitions"] == {
        tuple(sorted(("added", "unknown", EU))): 1,
        tuple(sorted(("added", "unknown", US))): 1,
        tuple(sorted(("fell", "down", EU))): 1,
        tuple(sorted(("passed", "up", US))): 1,
    }
    durations = points["uplinks.probe.duration"]
    assert {key: (d.count, d.sum) for key, d in durations.items()} == {
        tuple(sorted(("fail", EU))): (1, 0.005),
        tuple(sorted(("pass", US))): (1, 0.005),
    }
    assert SECRET not in repr(points)


def test_failures_and_retries_are_counted() -> None:
    parent, _, reader = measured()
    for attempt in parent.attempts(retries=1):
        with attempt:
            attempt.status(503)

    points = collect(reader)
    assert sum(points["uplinks.request.failures"].values()) == 2
    assert points["uplinks.retries"] == {("default@multicluster",): 1}


def test_a_span_names_the_child_and_how_often_it_was_repeated() -> None:
    parent, _, _ = measured()
    seen = []
    for attempt in parent.attempts(retries=1):
        with attempt:
            seen.append(span_attributes(attempt))
            attempt.fail()

    assert seen[0] == {
        "uplinks.child": "eu",
        "uplinks.service": "default-eu@multicluster",
        "server.address": "eu.example.com",
        "server.port": 9443,
    }
    assert (seen[1]["server.port"], seen[1]["http.request.resend_count"]) == (443, 1)


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", None)
    monkeypatch.delitem(sys.modules, "uplinks.adapters.opentelemetry")

    with pytest.raises(MissingExtra, match=r"pip install 'uplinks\[otel\]'"):
        importlib.import_module("uplinks.adapters.opentelemetry")

"""Metrics as Prometheus reads them: the text of a scrape, and exact values."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterable

import pytest
from attrs import evolve
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from uplinks.adapters import prometheus
from uplinks.adapters.driver import Driver, Listener
from uplinks.adapters.prometheus import BUCKETS, REMEMBERED, Metrics
from uplinks.durations import Nanoseconds
from uplinks.errors import MissingExtra
from uplinks.health import HealthPolicy, Outcome, Overloaded, Probe
from uplinks.model import (
    Advertisement,
    Child,
    HealthCheck,
    ParentConfig,
    ServiceReference,
    TraefikService,
    Weighted,
)
from uplinks.parent import Parent

SECRET = "kx9-secret-7q"  # noqa: S105 - a mark to look for
MILLISECOND = 1_000_000
CHECK = HealthCheck(headers={"X-Key": SECRET}, interval=Nanoseconds(1000), timeout=Nanoseconds(100))
EU, US = "https://eu.example.com:9443", "https://us.example.com:9443"
CONFIG = ParentConfig({"eu": Child(EU), "us": Child(US)})
OFFER = Advertisement("api", "apps/api", ["multicluster"], health_check=CHECK)
OFTEN = 200


def made(*services: TraefikService) -> tuple[Parent, Metrics, CollectorRegistry]:
    parent = Parent(CONFIG, services, policy=HealthPolicy(start_window=0))
    registry = CollectorRegistry()
    metrics = Metrics(parent, registry=registry)
    for child in CONFIG.children:
        parent.advertise(child, [OFFER], now=0)
    return parent, metrics, registry


def scraped(registry: CollectorRegistry) -> list[str]:
    """The lines of a scrape without the creation times."""
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_created" not in line]


def samples(registry: CollectorRegistry, name: str) -> list[str]:
    return [line for line in scraped(registry) if line.startswith((f"{name}{{", f"{name} "))]


def labels(child: str, url: str) -> str:
    return f'{{child="{child}",service="api-{child}@multicluster",url="{url}"}}'


def drive(parent: Parent, metrics: Metrics, now: int, **reasons: str) -> None:
    """Run the due probes; a child with a reason fails. Then call the listener, as a driver does."""
    for probe in parent.due(now):
        child = probe.target.url[8:10]  # type: ignore[attr-defined]
        outcome = Outcome.fail(reasons[child]) if child in reasons else Outcome.PASS
        parent.report(probe, outcome, now)
        metrics.on_probe(probe, outcome, 5 * MILLISECOND)
    for event in parent.events.drain():
        metrics.on_event(event)


def test_a_whole_scrape() -> None:
    parent, metrics, registry = made()
    selector = parent.selector("api@multicluster")
    drive(parent, metrics, 0)
    selector.pick_many(4)
    drive(parent, metrics, 1000, eu=f"status 503 {SECRET}")
    drive(parent, metrics, 2000, eu=f"status 503 {SECRET}")
    selector.pick_many(3)
    histograms = [
        (EU, "fail", 2),
        (EU, "pass", 1),
        (US, "pass", 3),
    ]

    lines = scraped(registry)

    assert [line for line in lines if not line.startswith("uplinks_probe_duration_seconds")] == [
        "# HELP uplinks_target_up Whether a child service may be picked: 1 or 0.",
        "# TYPE uplinks_target_up gauge",
        f'uplinks_target_up{{child="eu",service="api-eu@multicluster",url="{EU}"}} 0.0',
        f'uplinks_target_up{{child="us",service="api-us@multicluster",url="{US}"}} 1.0',
        "# HELP uplinks_target_weight The weight that a child advertises.",
        "# TYPE uplinks_target_weight gauge",
        f'uplinks_target_weight{{child="eu",service="api-eu@multicluster",url="{EU}"}} 1.0',
        f'uplinks_target_weight{{child="us",service="api-us@multicluster",url="{US}"}} 1.0',
        "# HELP uplinks_target_leases Requests to a child service in flight.",
        "# TYPE uplinks_target_leases gauge",
        f'uplinks_target_leases{{child="eu",service="api-eu@multicluster",url="{EU}"}} 0.0',
        f'uplinks_target_leases{{child="us",service="api-us@multicluster",url="{US}"}} 0.0',
        "# HELP uplinks_request_failures_total Failed requests.",
        "# TYPE uplinks_request_failures_total counter",
        f"uplinks_request_failures_total{labels('eu', EU)} 0.0",
        f"uplinks_request_failures_total{labels('us', US)} 0.0",
        "# HELP uplinks_picks_total How often a service picked a child, since it has the child.",
        "# TYPE uplinks_picks_total counter",
        'uplinks_picks_total{child="eu",service="api@multicluster"} 2.0',
        'uplinks_picks_total{child="us",service="api@multicluster"} 5.0',
        "# HELP uplinks_retries_total How often requests were repeated on another child.",
        "# TYPE uplinks_retries_total counter",
        "# HELP uplinks_transitions_total Changes of state of an address under its checks.",
        "# TYPE uplinks_transitions_total counter",
        f'uplinks_transitions_total{{cause="added",to="unknown",url="{EU}"}} 1.0',
        f'uplinks_transitions_total{{cause="added",to="unknown",url="{US}"}} 1.0',
        f'uplinks_transitions_total{{cause="passed",to="up",url="{EU}"}} 1.0',
        f'uplinks_transitions_total{{cause="passed",to="up",url="{US}"}} 1.0',
        f'uplinks_transitions_total{{cause="fell",to="down",url="{EU}"}} 1.0',
        "# HELP uplinks_probe_duration_seconds How long probes took, by outcome.",
        "# TYPE uplinks_probe_duration_seconds histogram",
        "# HELP uplinks_events_dropped_total Events dropped because the stream was full.",
        "# TYPE uplinks_events_dropped_total counter",
        "uplinks_events_dropped_total 0.0",
        "# HELP uplinks_outcomes_ignored_total Outcomes of probes that did not count.",
        "# TYPE uplinks_outcomes_ignored_total counter",
        'uplinks_outcomes_ignored_total{reason="stale"} 0.0',
        'uplinks_outcomes_ignored_total{reason="duplicate"} 0.0',
        'uplinks_outcomes_ignored_total{reason="late"} 0.0',
        'uplinks_outcomes_ignored_total{reason="overslept"} 0.0',
    ]
    assert sorted(line for line in lines if line.startswith("uplinks_probe_duration")) == sorted(
        line
        for url, outcome, count in histograms
        for line in histogram(f'outcome="{outcome}",url="{url}"', count)
    )
    assert SECRET not in "\n".join(lines)


def test_failed_requests_retries_and_leases_are_counted() -> None:
    parent, _, registry = made()
    parent.amend("us", [evolve(OFFER, weight=3)], now=0)
    for attempt in parent.attempts("api@multicluster", retries=1):
        with attempt:
            attempt.status(503)
    with parent.lease("api-us@multicluster") as lease, parent.lease("api-us@multicluster"):
        lease.fail("by hand")
        parent.observe("api-us@multicluster", False, 0)
        parent.observe("api-us@multicluster", True, 0)
        flying = samples(registry, "uplinks_target_leases")

    us = labels("us", US)
    assert f"uplinks_target_leases{us} 2.0" in flying
    assert f"uplinks_target_weight{us} 3.0" in samples(registry, "uplinks_target_weight")
    assert f"uplinks_request_failures_total{us} 3.0" in samples(
        registry, "uplinks_request_failures_total"
    )
    assert samples(registry, "uplinks_retries_total") == [
        'uplinks_retries_total{service="api@multicluster"} 1.0'
    ]

    parent.withdraw("us", 1)
    parent.advertise("us", [OFFER], 2)  # counters of a child that was gone start anew, as picks do
    assert f"uplinks_request_failures_total{us} 0.0" in samples(
        registry, "uplinks_request_failures_total"
    )


def histogram(labels: str, count: int) -> Iterable[str]:
    """So many probes of 5 ms each."""
    name, value = "uplinks_probe_duration_seconds", float(count)
    for bound in (*BUCKETS, "+Inf"):
        within = 0.0 if isinstance(bound, float) and bound < 0.005 else value
        outcome, url = labels.split(",")
        yield f'{name}_bucket{{le="{bound}",{outcome},{url}}} {within}'
    yield f"{name}_count{{{labels}}} {value}"
    yield f"{name}_sum{{{labels}}} {0.005 * count}"


def test_a_scrape_can_be_parsed_and_its_names_are_prometheus_s() -> None:
    parent, metrics, registry = made()
    drive(parent, metrics, 0)

    families = {
        family.name: family.type
        for family in text_string_to_metric_families("\n".join(scraped(registry)))
    }

    assert families == {
        "uplinks_target_up": "gauge",
        "uplinks_target_weight": "gauge",
        "uplinks_target_leases": "gauge",
        "uplinks_request_failures": "counter",
        "uplinks_retries": "counter",
        "uplinks_picks": "counter",
        "uplinks_transitions": "counter",
        "uplinks_probe_duration_seconds": "histogram",
        "uplinks_events_dropped": "counter",
        "uplinks_outcomes_ignored": "counter",
    }


def test_a_child_that_is_held_out_is_not_up() -> None:
    parent, _, registry = made()

    parent.set_up("eu", False, now=1)

    assert [line[-3:] for line in samples(registry, "uplinks_target_up")] == ["0.0", "1.0"]


def test_a_child_that_has_left_is_in_no_scrape_but_its_history_is() -> None:
    parent, metrics, registry = made()
    parent.selector("api@multicluster").pick_many(2)

    parent.withdraw("eu", now=1)
    drive(parent, metrics, 1)

    assert samples(registry, "uplinks_picks_total") == [
        'uplinks_picks_total{child="us",service="api@multicluster"} 1.0'
    ]
    assert len(samples(registry, "uplinks_target_up")) == 1
    removed = f'uplinks_transitions_total{{cause="removed",to="gone",url="{EU}"}} 1.0'
    assert removed in samples(registry, "uplinks_transitions_total")


def test_scraping_makes_no_selector() -> None:
    parent, _, registry = made()

    assert samples(registry, "uplinks_picks_total") == []
    assert dict(parent.selectors) == {}


def test_picks_through_a_composed_service_count_where_the_child_is_picked() -> None:
    references = [
        ServiceReference("api@multicluster", kind="TraefikService", weight=2),
        ServiceReference("api-us@multicluster", kind="TraefikService", weight=1),
        ServiceReference("own", port=80, weight=1),
    ]
    own = TraefikService("all", "apps", weighted=Weighted(references))
    parent, _, registry = made(own)

    parent.selector("apps-all@kubernetescrd").pick_many(8)

    assert sorted(samples(registry, "uplinks_picks_total")) == [
        'uplinks_picks_total{child="eu",service="api@multicluster"} 2.0',
        'uplinks_picks_total{child="us",service="api-us@multicluster"} 2.0',
        'uplinks_picks_total{child="us",service="api@multicluster"} 2.0',
    ]


def test_ignored_outcomes_and_dropped_events_are_counted() -> None:
    parent, _, registry = made()
    first, _ = parent.due(0)
    parent.report(first, Outcome.PASS, 1)
    parent.report(first, Outcome.PASS, 2)
    for at in range(10_000):
        parent.events.append(Overloaded(1, at))
    kept = 3  # two were added, one passed

    assert samples(registry, "uplinks_outcomes_ignored_total")[1].endswith('"duplicate"} 1.0')
    assert samples(registry, "uplinks_events_dropped_total") == [
        f"uplinks_events_dropped_total {float(kept)}"
    ]


def test_an_overload_is_not_counted_as_a_transition() -> None:
    _, metrics, registry = made()

    metrics.on_event(Overloaded(effective_interval=1, at=0))

    assert samples(registry, "uplinks_transitions_total") == []


def test_a_registry_holds_one_parent() -> None:
    parent, _, registry = made()

    with pytest.raises(ValueError, match="Duplicated timeseries"):
        Metrics(parent, registry=registry)


class _PassingProber:
    async def probe(self, url: str, check: HealthCheck) -> Outcome:
        return Outcome.PASS

    async def close(self) -> None:
        pass


class _ProbeListener:
    """Receives events after the metrics."""

    def __init__(self) -> None:
        self.probed = threading.Event()

    def on_event(self, event: object) -> None:
        pass

    def on_probe(self, probe: Probe, outcome: Outcome, duration: int) -> None:
        self.probed.set()


def test_a_driver_feeds_it() -> None:
    parent = Parent(ParentConfig({"eu": Child(EU)}), policy=HealthPolicy(start_window=0))
    parent.advertise(
        "eu",
        [Advertisement("api", "apps/api", ["multicluster"], health_check=HealthCheck())],
        now=0,
    )
    registry = CollectorRegistry()
    metrics: Listener = Metrics(parent, registry=registry)
    listener = _ProbeListener()

    with Driver(parent, {"http": _PassingProber()}, listeners=[metrics, listener]).in_thread():
        assert listener.probed.wait(60)

    labels = f'outcome="pass",url="{EU}"'
    assert samples(registry, "uplinks_probe_duration_seconds_count") == [
        f"uplinks_probe_duration_seconds_count{{{labels}}} 1.0"
    ]
    passed = f'uplinks_transitions_total{{cause="passed",to="up",url="{EU}"}} 1.0'
    assert passed in samples(registry, "uplinks_transitions_total")


def test_a_scrape_may_come_while_the_parent_changes() -> None:
    parent, metrics, registry = made()
    ended = threading.Event()
    problems: list[Exception] = []

    def scrape() -> None:
        while not ended.is_set():
            try:
                generate_latest(registry)
            except Exception as problem:  # noqa: BLE001 - shown by the assertion
                problems.append(problem)
                return

    thread = threading.Thread(target=scrape)
    thread.start()
    for now in range(0, 2 * OFTEN, 2):
        parent.withdraw("eu", now)
        parent.advertise("eu", [OFFER], now + 1)
        parent.selector("api-eu@multicluster")
        parent.selector("api@multicluster").pick_many(3)
        drive(parent, metrics, now + 1)
    ended.set()
    thread.join()

    assert problems == []


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, prometheus.__name__)

    with pytest.raises(MissingExtra, match=r"pip install 'uplinks\[prometheus\]'"):
        importlib.import_module(prometheus.__name__)


def test_addresses_that_are_gone_keep_their_series_only_for_a_while() -> None:
    parent, metrics, registry = made()
    sizes = []
    for k in range(1, 4 * REMEMBERED):
        url = f"https://10.0.0.{k}:8443"
        parent.reload(ParentConfig({"eu": Child(url), "us": Child(US)}), now=k * 10**9)
        drive(parent, metrics, k * 10**9)
        sizes.append(len(scraped(registry)))

    assert max(sizes) == max(sizes[: 2 * REMEMBERED])
    urls = {line.split('url="')[1].split('"')[0] for line in scraped(registry) if 'url="' in line}
    assert len(urls) == REMEMBERED + 2
    assert {US, url} <= urls


def test_the_multiprocess_mode_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nowhere")

    with pytest.raises(RuntimeError, match="unset PROMETHEUS_MULTIPROC_DIR and let each worker"):
        Metrics(Parent(CONFIG), registry=CollectorRegistry())

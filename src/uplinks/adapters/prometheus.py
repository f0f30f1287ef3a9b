"""Metrics for Prometheus, on prometheus-client: ``pip install 'uplinks[prometheus]'``.

Rules of this file:

1. Metrics add no cost to a pick: a scrape reads the state of the parent and its
   selectors. Only events and probes are counted as they happen.
2. Labels are names of services and children, addresses without user
   information, and constants of this package; never a reason or a header.
3. A scrape may come from any thread, and changes nothing.

Source: Prometheus, "Metric and label naming".
"""

from __future__ import annotations

import os
from collections import Counter as Tally
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import asdict

from uplinks.addresses import server, without_userinfo
from uplinks.errors import MissingExtra
from uplinks.health import Event, Outcome, Probe, State, Transition
from uplinks.model import ChildService
from uplinks.parent import Endpoint, Parent

try:
    from prometheus_client import CollectorRegistry, Counter, Histogram
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ImportError as error:
    raise MissingExtra("prometheus") from error

__all__ = ["BUCKETS", "REMEMBERED", "Metrics"]

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds (s) of the histogram of probes; the default timeout is one of them."""

REMEMBERED: Final = 20
"""How many removed addresses keep their series."""

_MULTIPROCESS: Final = ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
_NANOSECONDS: Final = 1_000_000_000


class Metrics(Collector):
    """A parent's metrics, and a listener of its driver.

    Registers itself with ``registry``; a registry holds one parent. Pass it to a
    `Driver` as a listener, so that it receives events and probes by `on_event`
    and `on_probe`. All else is read from the parent at each scrape. A parent with
    more than ``most_uplinks`` has no series of its child services.

    Complexity: a scrape is O(child services + targets of selectors given out).
    Raises: ValueError when the registry has these names already; RuntimeError
    in the multiprocess mode of prometheus-client, which reads no collectors.

    >>> from prometheus_client import generate_latest
    >>> from uplinks import Advertisement, ParentConfig
    >>> from uplinks.model import Child
    >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
    >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
    >>> registry = CollectorRegistry()
    >>> metrics = Metrics(parent, registry=registry)
    >>> _ = parent.selector("api@multicluster").pick_many(3)
    >>> [line for line in generate_latest(registry).decode().splitlines() if "picks_total{" in line]
    ['uplinks_picks_total{child="eu",service="api@multicluster"} 3.0']

    Law: the counts are exact (``tests/adapters/test_prometheus.py``).
    Source: Prometheus, "Writing client libraries".
    """

    def __init__(
        self, parent: Parent, *, registry: CollectorRegistry, most_uplinks: int | None = None
    ) -> None:
        if any(name in os.environ for name in _MULTIPROCESS):
            raise RuntimeError(
                "a parent's metrics are read at each scrape, which the multiprocess mode of "
                "prometheus-client does not do; unset PROMETHEUS_MULTIPROC_DIR and let each "
                "worker serve its metrics on a port of its own"
            )
        self._parent = parent
        self._most_uplinks = most_uplinks
        self._transitions = Counter(
            "uplinks_transitions",
            "Changes of state of an address under its checks.",
            ["url", "to", "cause"],
            registry=None,
        )
        self._probes = Histogram(
            "uplinks_probe_duration_seconds",
            "How long probes took, by outcome.",
            ["url", "outcome"],
            registry=None,
            buckets=BUCKETS,
        )
        self._series: dict[str, set[tuple[Counter | Histogram, tuple[str, ...]]]] = {}
        self._gone: dict[str, None] = {}  # removed addresses, the oldest first
        registry.register(self)

    # Events

    def on_event(self, event: Event) -> None:
        """Count a transition; other events are ignored. Complexity: O(1)."""
        if isinstance(event, Transition) and isinstance(event.target, Endpoint):
            url = without_userinfo(event.target.url)
            labels = (url, event.after.value, event.cause.value)
            self._transitions.labels(*labels).inc()
            self._series.setdefault(url, set()).add((self._transitions, labels))
            if event.after is State.GONE:
                self._forget_oldest(url)
            else:
                self._gone.pop(url, None)

    def on_probe(self, probe: Probe, outcome: Outcome, duration: int) -> None:
        """Count a probe that took ``duration`` nanoseconds. Complexity: O(1)."""
        if isinstance(probe.target, Endpoint):
            url = without_userinfo(probe.target.url)
            labels = (url, outcome.verdict.value)
            self._probes.labels(*labels).observe(duration / _NANOSECONDS)
            self._series.setdefault(url, set()).add((self._probes, labels))

    def _forget_oldest(self, url: str) -> None:
        """Remove the series of the address removed longest ago, if there are many.

        An address is removed with its last endpoint.
        """
        if any(server(service.url) == url for service in self._parent.services.direct):
            return
        self._gone[url] = None
        if len(self._gone) > REMEMBERED:
            oldest = next(iter(self._gone))
            del self._gone[oldest]
            for metric, labels in self._series.pop(oldest, ()):
                metric.remove(*labels)

    # Scraping

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics with their present values."""
        few = self._most_uplinks is None or len(self._parent.uplinks) <= self._most_uplinks
        state = self._parent.state(None if few else ())
        if few:
            yield from _targets(state)
        yield self._picks()
        yield _retries(state)
        yield from self._transitions.collect()
        yield from self._probes.collect()
        yield CounterMetricFamily(
            "uplinks_events_dropped",
            "Events dropped because the stream was full.",
            value=self._parent.events.dropped,
        )
        yield self._ignored()

    def describe(self) -> Iterator[Metric]:
        """Yield the same, so that a registry knows the names and refuses duplicates."""
        return self.collect()

    def _picks(self) -> Metric:
        family = CounterMetricFamily(
            "uplinks_picks",
            "How often a service picked a child, since it has the child.",
            labels=["service", "child"],
        )
        picks: Tally[tuple[str, str]] = Tally()
        for name, selector in self._parent.selectors.items():
            for target, count in selector.counts.items():
                if isinstance(target, ChildService):
                    # A child that moves may be there twice for a moment, with both addresses.
                    picks[name, target.child] += count
        for labels, count in picks.items():
            family.add_metric(labels, count)
        return family

    def _ignored(self) -> Metric:
        family = CounterMetricFamily(
            "uplinks_outcomes_ignored",
            "Outcomes of probes that did not count.",
            labels=["reason"],
        )
        for reason, count in asdict(self._parent.ignored).items():
            family.add_metric([reason], count)
        return family


def _targets(state: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield what the state says about each child service."""
    for key, kind, name, text in (
        ("up", GaugeMetricFamily, "target_up", "Whether a child service may be picked: 1 or 0."),
        ("weight", GaugeMetricFamily, "target_weight", "The weight that a child advertises."),
        ("leases", GaugeMetricFamily, "target_leases", "Requests to a child service in flight."),
        ("failures", CounterMetricFamily, "request_failures", "Failed requests."),
    ):
        family = kind(f"uplinks_{name}", text, labels=["service", "child", "url"])
        for target in state["targets"]:
            family.add_metric([target["service"], target["child"], target["url"]], target[key])
        yield family


def _retries(state: Mapping[str, Any]) -> Metric:
    family = CounterMetricFamily(
        "uplinks_retries",
        "How often requests were repeated on another child.",
        labels=["service"],
    )
    for service, count in state["retries"].items():
        family.add_metric([service], count)
    return family

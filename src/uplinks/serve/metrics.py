"""Metrics of a live parent: those of every parent, its sources and its documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

# The import above raises MissingExtra without the library.
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from uplinks.adapters.prometheus import Metrics
from uplinks.serve.live import Live

__all__ = ["ServeMetrics"]

_MOST_UPLINKS: Final = 2_000
"""Uplinks up to which each child service has a series of its own."""


class ServeMetrics(Collector):
    """The metrics of a live parent. ``events`` is the listener for its driver.

    Complexity: a scrape is O(children), and O(services) for at most 2,000 uplinks.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._registry = CollectorRegistry()
        self.events: Final = Metrics(
            live.parent, registry=self._registry, most_uplinks=_MOST_UPLINKS
        )
        self._registry.register(self)

    def render(self) -> tuple[bytes, str]:
        """Return the present values, and their media type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of sources and documents."""
        live = self._live
        yield GaugeMetricFamily(
            "uplinks_ready", "Whether the documents are served: 1 or 0.", value=live.ready
        )
        yield GaugeMetricFamily(
            "uplinks_advertised", "Uplink names that are served.", value=len(live.parent.uplinks)
        )
        size = 0 if live.traefik is None else live.traefik.size
        yield GaugeMetricFamily(
            "uplinks_document_bytes", "Size of the document for Traefik.", value=size
        )
        stale = GaugeMetricFamily(
            "uplinks_source_stale",
            "Whether what a child's source says now is not served: 1 or 0.",
            labels=["child"],
        )
        offered = GaugeMetricFamily(
            "uplinks_source_advertised", "Uplinks that a child offers.", labels=["child"]
        )
        for name, state in live.sources.items():
            stale.add_metric([name], state.is_stale)
            offered.add_metric([name], len(live.claims.offers.get(name, ())))
        yield stale
        yield offered
        yield GaugeMetricFamily(
            "uplinks_claims_refused",
            "Uplinks of children that are not served because another has the name.",
            value=len(live.claims.refused),
        )

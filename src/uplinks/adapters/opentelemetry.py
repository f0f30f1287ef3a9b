"""Metrics and span attributes for OpenTelemetry: ``pip install 'uplinks[otel]'``.

The metrics are those of `uplinks.adapters.prometheus`, with names in OpenTelemetry's
style. The state of the parent and its selectors is read when the metrics are
collected; only events and probes are counted as they happen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import uplinks
from uplinks.addresses import without_userinfo
from uplinks.errors import MissingExtra
from uplinks.health import Event, Outcome, Probe, Transition
from uplinks.model import ChildService
from uplinks.parent import Attempt, Endpoint, Lease, Parent

try:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
except ImportError as error:
    raise MissingExtra("otel") from error

__all__ = ["OpenTelemetryMetrics", "span_attributes"]

_NANOSECONDS: Final = 1_000_000_000


class OpenTelemetryMetrics:
    """A parent's metrics, and a listener of its driver.

    - ``uplinks.target.up`` (gauge): 1 if a child service may be picked, else 0.
    - ``uplinks.target.weight`` (gauge): its weight in its weighted service.
    - ``uplinks.target.leases`` (gauge): its active leases.
    - ``uplinks.request.failures`` (counter): its failed requests.
    - ``uplinks.picks`` (counter): how often a service picked a child.
    - ``uplinks.retries`` (counter): how often requests to a service were repeated.
    - ``uplinks.transitions`` (counter): changes of state under the checks.
    - ``uplinks.probe.duration`` (histogram, s): how long probes took.

    Attributes are names of services and children, addresses without user
    information, states and causes; never a reason or a header.

    Complexity: a collection is O(child services + targets of selectors given out).

    >>> from opentelemetry.sdk.metrics import MeterProvider
    >>> from uplinks import Driver, Parent
    >>> parent = Parent.of({"eu": "https://eu.example.com"})
    >>> driver = Driver(parent, listeners=[OpenTelemetryMetrics(parent, MeterProvider())])

    Source: OpenTelemetry, "Metrics Semantic Conventions".
    """

    def __init__(self, parent: Parent, provider: MeterProvider) -> None:
        self._parent = parent
        meter = provider.get_meter("uplinks", uplinks.__version__)
        for name, text in (
            ("up", "Whether a child service may be picked: 1 or 0."),
            ("weight", "The weight of a child service."),
            ("leases", "The active leases on a child service."),
        ):
            read = partial(self._targets, name)
            meter.create_observable_gauge(f"uplinks.target.{name}", [read], description=text)
        for name, read_all, text in (
            ("request.failures", partial(self._targets, "failures"), "Failed requests."),
            ("picks", self._picks, "How often a service picked a child."),
            ("retries", self._retries, "How often requests to a service were repeated."),
        ):
            meter.create_observable_counter(f"uplinks.{name}", [read_all], description=text)
        self._transitions = meter.create_counter(
            "uplinks.transitions", description="Changes of state of an address under its checks."
        )
        self._probes = meter.create_histogram(
            "uplinks.probe.duration", unit="s", description="How long probes took, by outcome."
        )

    # Events

    def on_event(self, event: Event) -> None:
        """Count a transition; other events are ignored. Complexity: O(1)."""
        if isinstance(event, Transition) and isinstance(event.target, Endpoint):
            url = without_userinfo(event.target.url)
            attributes = {"url": url, "to": event.after.value, "cause": event.cause.value}
            self._transitions.add(1, attributes)

    def on_probe(self, probe: Probe, outcome: Outcome, duration: int) -> None:
        """Record a probe that took ``duration`` nanoseconds. Complexity: O(1)."""
        if isinstance(probe.target, Endpoint):
            url = without_userinfo(probe.target.url)
            attributes = {"url": url, "outcome": outcome.verdict.value}
            self._probes.record(duration / _NANOSECONDS, attributes)

    # Collecting

    def _targets(self, key: str, _: CallbackOptions) -> Iterator[Observation]:
        for target in self._parent.state()["targets"]:
            attributes = {name: target[name] for name in ("service", "child", "url")}
            yield Observation(int(target[key]), attributes)

    def _retries(self, _: CallbackOptions) -> Iterator[Observation]:
        for service, count in self._parent.state()["retries"].items():
            yield Observation(count, {"service": service})

    def _picks(self, _: CallbackOptions) -> Iterable[Observation]:
        picks: dict[tuple[str, str], int] = {}
        for name, selector in self._parent.selectors.items():
            for target, count in selector.counts.items():
                if isinstance(target, ChildService):
                    # A child that moves may be there twice for a moment, with both addresses.
                    key = name, target.child
                    picks[key] = picks.get(key, 0) + count
        return [
            Observation(count, {"service": service, "child": child})
            for (service, child), count in picks.items()
        ]


def span_attributes(lease: Lease | Attempt) -> dict[str, Any]:
    """Return the attributes of a request's span: its child, service and server.

    >>> from uplinks import Parent
    >>> with Parent.of({"eu": "https://eu.example.com:9443"}).lease() as lease:
    ...     span_attributes(lease)["server.address"], span_attributes(lease)["uplinks.child"]
    ('eu.example.com', 'eu')

    Source: OpenTelemetry, "Semantic Conventions for HTTP Spans".
    """
    parts = urlsplit(lease.url)
    attributes: dict[str, Any] = {
        "uplinks.child": lease.child,
        "uplinks.service": lease.name,
        "server.address": parts.hostname or "",
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
    }
    if isinstance(lease, Attempt) and lease.number > 1:
        attributes["http.request.resend_count"] = lease.number - 1
    return attributes

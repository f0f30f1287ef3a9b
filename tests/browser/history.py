"""A parent with an hour of history, made in a moment: its clock is the test's."""

from __future__ import annotations

from tests.serve.fleets import SECOND, offering, parent_of, reference, route, uplink
from tests.serve.servers import QueueSource

from uplinks.adapters.sources import Failure, Snapshot
from uplinks.health import Outcome
from uplinks.model import Cluster, HealthCheck, Uplink
from uplinks.serve.live import Live

MINUTE = 60 * SECOND
NOW = 100_000 * SECOND
CHECK = HealthCheck(path="/health", interval=10 * SECOND, timeout=5 * SECOND)
DOWN = {
    "eu": [(14, 21), (40, 41)],  # minutes after the start
    "us": [(52, 60)],
}
WEIGHTS = {"eu": 90, "us": 10, "asia": 30}


def uplinks(child: str) -> list[Uplink]:
    weight = WEIGHTS[child]
    return [
        uplink("shop", weight, CHECK),
        Uplink("search", "apps", expose_name="search", weight=min(weight, 10), health_check=CHECK),
    ]


def parent() -> Cluster:
    return parent_of(*WEIGHTS, routers=(route("shop", reference("apps-shop@multicluster")),))


def sources() -> dict[str, QueueSource]:
    """What the sources say at the end: us cannot be read, asia has an error."""
    return {
        "eu": QueueSource("children/eu", offering("eu", *uplinks("eu"))),
        "us": QueueSource("https://192.0.2.2:9443", Failure("no answer in time")),
        "asia": QueueSource("children/asia", offering("asia", uplink("shop", -30, CHECK))),
    }


def live_through(live: Live) -> None:
    """Let an hour pass, until `NOW`, with the outages of `DOWN`."""
    addresses = {c.address: name for name, c in live.parent.config.children.items()}
    start = NOW - 59 * MINUTE
    live.receive_parent(Snapshot(live.cluster), start)
    for child in WEIGHTS:
        live.receive(child, offering(child, *uplinks(child)), start)
    now = start
    while now < NOW:
        for probe in live.parent.due(now):
            name = addresses[probe.target.url]  # type: ignore[attr-defined]
            minute = (now - start) / MINUTE
            fails = any(begin <= minute < end for begin, end in DOWN.get(name, ()))
            outcome = Outcome.fail("status 503, not 200") if fails else Outcome.PASS
            live.parent.report(probe, outcome, now)
        for event in live.parent.events.drain():
            live.on_event(event)
        now += SECOND
    live.render()

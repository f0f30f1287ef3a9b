"""The live parent, step by step: no sockets, and time is an argument."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from tests.serve.fleets import (
    CHECK,
    ENTRY,
    SECOND,
    http,
    offering,
    parent_of,
    reference,
    route,
    uplink,
    weights,
)

from uplinks.adapters.sources import Failure, Snapshot
from uplinks.errors import UnknownChild
from uplinks.health import HealthPolicy, Outcome
from uplinks.model import (
    Child,
    Cluster,
    Failover,
    ParentConfig,
    ServersTransport,
    TraefikService,
    Weighted,
)
from uplinks.render import TraefikOptions, to_envoy_endpoints, to_traefik
from uplinks.serve.live import Live, LiveOptions
from uplinks.services import materialize

POLICY = HealthPolicy(start_window=0)
API = reference("apps-api@multicluster")


def live_of(cluster: Cluster | None = None, **options: Any) -> Live:
    return Live(cluster or parent_of("eu", "us"), 0, LiveOptions(**options), policy=POLICY)


def pump(live: Live) -> None:
    """Pass the parent's events on, as a driver does."""
    for event in live.parent.events.drain():
        live.on_event(event)


def probe(live: Live, now: int, *down: str) -> None:
    """Let every probe that is due pass, except those of the children that are down."""
    urls = {live.parent.config.children[name].address for name in down}
    for each in live.parent.due(now):
        failed = each.target.url in urls  # type: ignore[attr-defined]
        live.parent.report(each, Outcome.fail("status 503") if failed else Outcome.PASS, now)
    pump(live)


def test_nothing_is_published_before_every_source_has_answered_and_every_child_is_probed() -> None:
    live = live_of()
    assert live.render()
    assert (live.ready, live.traefik) == (False, None)

    live.receive("eu", offering("eu", uplink(weight=9)), SECOND)
    live.receive("us", Failure("connection refused"), SECOND)
    assert live.render()
    assert live.traefik is None

    probe(live, 2 * SECOND)

    assert weights(live) == {"apps-api-eu": 9}
    assert live.ready


def test_a_source_that_never_answers_delays_the_first_document_by_patience_only() -> None:
    live = live_of(patience=5 * SECOND)
    live.receive("eu", offering("eu", uplink(check=None)), SECOND)
    assert live.next_wakeup() == 5 * SECOND

    live.expire(5 * SECOND - 1)
    assert not live.ready
    live.expire(5 * SECOND)

    assert weights(live) == {"apps-api-eu": 1}
    assert live.next_wakeup() is None


def test_a_first_probe_that_hangs_delays_it_by_patience_only() -> None:
    live = live_of(parent_of("eu"), patience=5 * SECOND)
    live.receive("eu", offering("eu", uplink()), SECOND)
    assert live.next_wakeup() == 6 * SECOND

    live.expire(6 * SECOND)

    assert live.ready


def both(**options: Any) -> Live:
    """Two children that are up."""
    live = live_of(**options)
    live.receive("eu", offering("eu", uplink(weight=9)), 0)
    live.receive("us", offering("us", uplink(weight=1)), 0)
    probe(live, 0)
    assert weights(live) == {"apps-api-eu": 9, "apps-api-us": 1}
    return live


def test_a_child_that_is_down_is_left_out_until_it_is_back() -> None:
    live = both()

    probe(live, 10 * SECOND, "eu")
    assert weights(live) == {"apps-api-us": 1}
    assert http(live)["services"]["apps-api-eu"] == {"loadBalancer": {"servers": []}}
    probe(live, 20 * SECOND, "eu", "us")
    assert weights(live) == {}
    probe(live, 40 * SECOND)
    assert weights(live) == {"apps-api-eu": 9, "apps-api-us": 1}


def test_a_new_weight_forgets_no_health() -> None:
    live = both()
    probe(live, 10 * SECOND, "eu")

    live.receive("us", offering("us", uplink(weight=3)), 11 * SECOND)
    live.receive("eu", offering("eu", uplink(weight=5)), 11 * SECOND)

    assert weights(live) == {"apps-api-us": 3}
    probe(live, 20 * SECOND)
    assert weights(live) == {"apps-api-eu": 5, "apps-api-us": 3}


def test_a_snapshot_with_errors_changes_nothing_but_the_state_of_its_source() -> None:
    live = both()
    before = live.traefik

    live.receive("eu", offering("eu", uplink(weight=-1), uplink("web")), 5 * SECOND)

    assert live.render()
    assert live.traefik == before
    state = live.sources["eu"]
    assert (state.error_since, live.sources["us"].error) == (5 * SECOND, None)
    assert state.error is not None
    assert "UPL103" in state.error
    live.receive("eu", offering("eu", uplink(weight=2)), 6 * SECOND)
    assert weights(live) == {"apps-api-eu": 2, "apps-api-us": 1}
    described = state.describe()
    assert (described["error"], described["error_since"]) == (None, None)
    assert described["read_at"] == 6 * SECOND


def test_a_source_that_fails_keeps_its_last_good_snapshot() -> None:
    live = both(grace=60 * SECOND)

    live.receive("eu", Failure("connection refused"), 10 * SECOND)
    live.receive("eu", Failure("timed out"), 20 * SECOND)
    live.expire(10_000 * SECOND)

    assert weights(live) == {"apps-api-eu": 9, "apps-api-us": 1}
    assert live.sources["eu"].describe() == {
        "source": "",
        "answered": True,
        "stale": True,
        "error": "timed out",
        "error_since": 10 * SECOND,
        "read_at": 0,
        "emptied_at": None,
    }


def test_a_source_that_shrinks_to_nothing_is_withdrawn_after_the_grace_period() -> None:
    live = both(grace=60 * SECOND)

    live.receive("eu", offering("eu"), 10 * SECOND)
    live.receive("eu", offering("eu"), 30 * SECOND)
    assert live.next_wakeup() == 70 * SECOND
    live.expire(70 * SECOND - 1)
    assert weights(live) == {"apps-api-eu": 9, "apps-api-us": 1}
    live.expire(70 * SECOND)

    assert weights(live) == {"apps-api-us": 1}
    assert "apps-api-eu" not in http(live)["services"]
    assert live.next_wakeup() is None


def test_a_source_that_comes_back_within_the_grace_period_loses_nothing() -> None:
    live = both(grace=60 * SECOND)
    live.receive("eu", offering("eu"), 10 * SECOND)

    live.receive("eu", offering("eu", uplink(weight=9)), 69 * SECOND)
    live.expire(1_000 * SECOND)

    assert weights(live) == {"apps-api-eu": 9, "apps-api-us": 1}


def test_with_no_grace_a_source_that_shrinks_to_nothing_is_withdrawn_at_once() -> None:
    live = both(grace=0)

    live.receive("eu", offering("eu"), 10 * SECOND)

    assert weights(live) == {"apps-api-us": 1}


def test_a_child_that_is_not_listed_is_refused() -> None:
    with pytest.raises(UnknownChild):
        live_of().receive("asia", offering("asia"), 0)


# --- the parent's own manifests -------------------------------------------------


def test_a_new_list_of_children_keeps_the_others() -> None:
    live = both()
    probe(live, 10 * SECOND, "eu")

    live.receive_parent(Snapshot(parent_of("eu", "us", "asia")), 11 * SECOND)
    live.receive("asia", offering("asia", uplink(weight=2, check=None)), 12 * SECOND)
    assert weights(live) == {"apps-api-asia": 2, "apps-api-us": 1}
    live.receive_parent(Snapshot(parent_of("eu")), 13 * SECOND)

    assert weights(live) == {}
    assert list(live.sources) == ["eu"]
    assert list(http(live)["services"]) == ["apps-api", "apps-api-eu"]


@pytest.mark.parametrize(
    "cluster",
    [
        Cluster("parent"),
        Cluster("parent", parent_config=ParentConfig({"eu": Child("eu.example.com")})),
    ],
    ids=["no list of children", "no scheme in an address"],
)
def test_manifests_of_the_parent_that_cannot_be_used_change_nothing(cluster: Cluster) -> None:
    live = both()
    before = live.traefik

    live.receive_parent(Snapshot(cluster), SECOND)

    assert live.render()
    assert live.traefik == before
    assert live.own.error_since == SECOND
    live.receive_parent(Snapshot(parent_of("eu", "us")), 2 * SECOND)
    assert live.own.error is None


def test_another_transport_of_a_child_is_served() -> None:
    live = both()
    cluster = parent_of("eu", "us")
    config = cluster.parent_config
    assert config is not None
    eu = evolve(config.children["eu"], servers_transport=ServersTransport("eu.internal"))

    config = ParentConfig({**config.children, "eu": eu})
    live.receive_parent(Snapshot(evolve(cluster, parent_config=config)), SECOND)

    assert http(live)["serversTransports"] == {"eu": {"serverName": "eu.internal"}}
    live.receive_parent(Snapshot(cluster), 2 * SECOND)
    assert "serversTransports" not in http(live)


def test_a_router_to_an_uplink_that_no_child_offers_answers_503() -> None:
    live = live_of(parent_of("eu", routers=(route("api", API),)))
    live.receive("eu", offering("eu"), 0)
    (router,) = http(live)["routers"].values()
    assert router["service"] == "apps-api@http"
    assert http(live)["services"] == {"apps-api": {"loadBalancer": {"servers": []}}}

    live.receive("eu", offering("eu", uplink(check=None)), 1)

    assert weights(live) == {"apps-api-eu": 1}


def test_health_passes_through_composed_services() -> None:
    eu, us = (reference(f"apps-api-{child}@multicluster") for child in ("eu", "us"))
    first = TraefikService("first", "apps", failover=Failover(eu, us))
    shared = TraefikService("shared", "apps", weighted=Weighted([eu, us]))
    cluster = parent_of(
        "eu",
        "us",
        services=(first, shared),
        routers=(route("api", reference("first"), reference("shared", 3)),),
    )
    live = live_of(cluster)
    for child in ("eu", "us"):
        live.receive(child, offering(child, uplink()), 0)
    probe(live, 0)

    def entries(name: str) -> list[str]:
        body = http(live)["services"][name]
        return [each["name"] for each in body["weighted"]["services"]]

    assert http(live)["services"]["service_apps-first"]["failover"] == {
        "service": "apps-api-eu@http",
        "fallback": "apps-api-us@http",
        "healthCheck": {},
    }
    assert entries("service_apps-shared") == ["apps-api-eu@http", "apps-api-us@http"]
    probe(live, 10 * SECOND, "eu")
    assert entries("service_apps-first") == ["apps-api-us@http"]
    assert entries("service_apps-shared") == ["apps-api-us@http"]
    probe(live, 20 * SECOND, "eu", "us")
    (name,) = (each for each in http(live)["services"] if each.startswith("route_"))
    empty: dict[str, Any] = {"loadBalancer": {"servers": []}}
    for each in ("service_apps-first", "service_apps-shared", name):
        assert http(live)["services"][each] == empty


# --- what holds for every history -----------------------------------------------

CHILDREN = ("eu", "us", "asia")
uplinks = st.builds(
    uplink,
    st.sampled_from(["api", "web", "api-eu"]),
    st.integers(-1, 2),
    st.sampled_from([None, CHECK]),
)
updates = st.one_of(
    st.lists(uplinks, max_size=3, unique_by=lambda each: each.name),
    st.just(Failure("away")),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(CHILDREN), updates),
        st.sets(st.sampled_from(CHILDREN)),
        st.permutations(CHILDREN),
    ),
    max_size=12,
)


@given(steps, st.integers(1, 3))
def test_the_documents_are_those_of_what_is_served(history: list[Any], most: int) -> None:
    both = TraefikService(
        "both", "apps", weighted=Weighted([API, reference("apps-web@multicluster")])
    )
    own = (
        route("api", API),
        route("web", reference("apps-web-us@multicluster"), reference("both")),
    )
    live = live_of(
        parent_of(*CHILDREN, routers=own, services=(both,)),
        grace=3 * SECOND,
        endpoints=True,
        patience=0,
    )
    served: list[dict[str, set[str]]] = []
    for number, step in enumerate(history, 1):
        now = number * SECOND
        match step:
            case (child, Failure() as update):
                live.receive(child, update, now)
            case (child, list() as listed):
                live.receive(child, offering(child, *listed), now)
            case set():
                probe(live, now, *step)
            case _:
                config = parent_of(*CHILDREN).parent_config
                assert config is not None
                config = ParentConfig({name: config.children[name] for name in step})
                cluster = evolve(live.cluster, parent_config=config)
                live.receive_parent(Snapshot(cluster), now)
        live.render(most)
        served.append({name: set(live.claims.served(name)) for name in CHILDREN})
    live.expire(1_000 * SECOND)
    pump(live)

    got = http(live)
    services = live.parent.services
    offers = {name: list(live.claims.served(name).values()) for name in CHILDREN}
    assert services == materialize(live.parent.config, offers)
    down = {each.name for each in services.direct if not live.parent.is_up(each.name)}
    whole = to_traefik(services, live.cluster, TraefikOptions(provider="http"), down=down)
    assert got == whole["http"]
    assert live.endpoints is not None
    files = {name: json.loads(data) for name, data in live.endpoints.files.items()}
    expected = to_envoy_endpoints(services, live.cluster, down=down)
    assert {name: files[name] for name in expected} == expected
    for name in files.keys() - expected.keys():
        assert files[name]["resources"][0]["endpoints"] == []


def test_replicas_serve_the_same_bytes_whatever_comes_first() -> None:
    last = {
        "eu": offering("eu", uplink("b"), uplink("a-us", 3)),
        "us": offering("us", uplink("a"), uplink("b", 2), uplink("c")),
        "asia": Snapshot(Cluster("asia", [uplink("c")], child_config=ENTRY)),
    }
    bodies = set()
    for order in permutations(last):
        live = live_of(
            parent_of(*CHILDREN, routers=(route("b", reference("apps-b@multicluster")),))
        )
        for child in order:
            live.receive(child, last[child], 0)
        probe(live, 0)
        live.render()
        assert live.traefik is not None
        bodies.add((bytes(live.traefik), live.traefik.etag))

    assert len(bodies) == 1

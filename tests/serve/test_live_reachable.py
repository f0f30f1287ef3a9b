"""What a live parent serves of one cluster that it lists as several children, by port."""

from __future__ import annotations

from tests.serve.fleets import SECOND, http, weights

from uplinks.adapters.sources import Failure, Snapshot
from uplinks.model import Child, ChildConfig, Cluster, ParentConfig, Uplink, UplinkEntryPoint
from uplinks.parent import Parent
from uplinks.serve.live import Live, LiveOptions

TWO_PORTS = ChildConfig(
    {"a": UplinkEntryPoint(":9001"), "b": UplinkEntryPoint(":9002")}, multicluster=True
)


def listed_by_port(**ports: int) -> Cluster:
    listed = {name: Child(f"https://192.0.2.1:{port}") for name, port in ports.items()}
    return Cluster("parent", parent_config=ParentConfig(listed))


def by_port(child: str, **uplinks: str) -> Snapshot:
    """Let a cluster offer uplinks, each on one entry point."""
    offered = [Uplink(name, "apps", entry_points=[at]) for name, at in uplinks.items()]
    return Snapshot(Cluster(child, offered, child_config=TWO_PORTS))


def test_a_child_that_is_an_entry_point_offers_what_is_reachable_there() -> None:
    live = Live(listed_by_port(first=9001, second=9002), 0)
    for child in ("first", "second"):
        live.receive(child, by_port(child, api="a", web="b"), 0)

    assert weights(live, "apps-api") == {"apps-api-first": 1}
    assert weights(live, "apps-web") == {"apps-web-second": 1}
    # As in a fleet that is read once.
    served = Parent.from_fleet(live.fleet()).services
    assert set(http(live)["services"]) == {name.removesuffix("@multicluster") for name in served}


def test_what_is_reachable_changes_with_the_list_of_children() -> None:
    live = Live(listed_by_port(first=9001), 0)
    live.receive("first", by_port("first", api="a", web="b"), 0)
    both = {"apps-api", "apps-api-first", "apps-web", "apps-web-first"}
    # The only child on its host is the whole cluster.
    assert set(http(live)["services"]) == both

    live.receive_parent(Snapshot(listed_by_port(first=9001, second=9002)), 1)
    assert set(http(live)["services"]) == {"apps-api", "apps-api-first"}

    live.receive_parent(Snapshot(listed_by_port(second=9001, first=9002)), 2)
    assert set(http(live)["services"]) == {"apps-web", "apps-web-first"}

    live.receive_parent(Snapshot(listed_by_port(first=9002)), 3)
    assert set(http(live)["services"]) == both


def test_uplinks_that_move_to_another_entry_point_have_their_grace() -> None:
    live = Live(listed_by_port(first=9001, second=9002), 0, LiveOptions(grace=SECOND))
    live.receive("second", Failure("connection refused"), 0)
    live.receive("first", by_port("first", api="a"), 0)
    live.receive("first", by_port("first", api="b"), 1)
    assert weights(live) == {"apps-api-first": 1}
    assert live.sources["first"].is_stale

    # At the port where they are now, nothing is stale.
    live.receive_parent(Snapshot(listed_by_port(first=9002, second=9001)), 2)
    assert not live.sources["first"].is_stale
    live.expire(3 * SECOND)
    assert weights(live) == {"apps-api-first": 1}

    live.receive("first", by_port("first"), 4 * SECOND)
    live.receive_parent(Snapshot(listed_by_port(first=9001, second=9002)), 4 * SECOND)
    assert weights(live) == {"apps-api-first": 1}
    live.expire(5 * SECOND)
    assert "services" not in http(live)

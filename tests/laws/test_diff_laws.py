"""Laws of `diff`, all checked on the same drawn pair: drawing a fleet is the expensive part."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given

from uplinks.diff import Share, diff
from uplinks.model import Cluster, Fleet
from uplinks.testing.strategies import fleets

SWAPPED = {"added": "removed", "removed": "added", "changed": "changed"}


@given(fleets(), fleets())
def test_the_laws_of_diff(old: Fleet, new: Fleet) -> None:
    equal_fleets_have_no_entries(old)
    the_order_of_resources_does_not_matter(old)
    swapping_the_fleets_swaps_the_entries(old, new)
    shares_sum_to_one_or_zero(old, new)
    removing_a_service_with_traffic_is_a_risk(old, new)


def equal_fleets_have_no_entries(fleet: Fleet) -> None:
    assert diff(fleet, fleet).entries == ()


def the_order_of_resources_does_not_matter(fleet: Fleet) -> None:
    children = [(name, reverse(child)) for name, child in fleet.children.items()]
    assert diff(fleet, Fleet(reverse(fleet.parent), dict(children[::-1]))).entries == ()


def reverse(cluster: Cluster) -> Cluster:
    return evolve(
        cluster,
        uplinks=cluster.uplinks[::-1],
        routers=cluster.routers[::-1],
        traefik_services=cluster.traefik_services[::-1],
    )


def swapping_the_fleets_swaps_the_entries(old: Fleet, new: Fleet) -> None:
    there, back = diff(old, new).entries, diff(new, old).entries
    assert [(e.name, SWAPPED[e.what]) for e in there] == [(e.name, e.what) for e in back]
    for one, other in zip(there, back, strict=True):
        assert one.shares == tuple(Share(s.child, s.after, s.before) for s in other.shares)
        swapped = {(c.field, c.after, c.before) for c in other.changes}
        assert {(c.field, c.before, c.after) for c in one.changes} == swapped


def shares_sum_to_one_or_zero(old: Fleet, new: Fleet) -> None:
    for entry in diff(old, new).entries:
        assert sum(share.before for share in entry.shares) in {0, 1}
        assert sum(share.after for share in entry.shares) in {0, 1}


def removing_a_service_with_traffic_is_a_risk(old: Fleet, new: Fleet) -> None:
    removed = [entry for entry in diff(old, new).entries if entry.what == "removed"]
    # A child service has no shares of its own: the weighted services that contain it have them.
    served = [entry for entry in removed if any(share.before for share in entry.shares)]
    assert [entry.name for entry in served if not entry.risks] == []

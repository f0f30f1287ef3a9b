"""Laws of `diff`."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given

from uplinks.diff import Share, diff
from uplinks.model import Cluster, Fleet
from uplinks.testing.strategies import fleets

SWAPPED = {"added": "removed", "removed": "added", "changed": "changed"}


@given(fleets())
def test_equal_fleets_differ_in_nothing(fleet: Fleet) -> None:
    assert diff(fleet, fleet).entries == ()


def reordered(cluster: Cluster) -> Cluster:
    return evolve(
        cluster,
        uplinks=cluster.uplinks[::-1],
        routers=cluster.routers[::-1],
        traefik_services=cluster.traefik_services[::-1],
    )


@given(fleets())
def test_the_order_of_what_is_read_does_not_matter(fleet: Fleet) -> None:
    children = [(name, reordered(child)) for name, child in fleet.children.items()]
    assert diff(fleet, Fleet(reordered(fleet.parent), dict(children[::-1]))).entries == ()


@given(fleets(), fleets())
def test_a_swap_of_the_fleets_swaps_what_is_told(old: Fleet, new: Fleet) -> None:
    there, back = diff(old, new).entries, diff(new, old).entries
    assert [(e.name, SWAPPED[e.what]) for e in there] == [(e.name, e.what) for e in back]
    for one, other in zip(there, back, strict=True):
        assert one.shares == tuple(Share(s.child, s.after, s.before) for s in other.shares)
        swapped = {(c.field, c.after, c.before) for c in other.changes}
        assert {(c.field, c.before, c.after) for c in one.changes} == swapped


@given(fleets(), fleets())
def test_shares_are_of_a_whole_or_there_are_none(old: Fleet, new: Fleet) -> None:
    for entry in diff(old, new).entries:
        assert sum(share.before for share in entry.shares) in {0, 1}
        assert sum(share.after for share in entry.shares) in {0, 1}


@given(fleets(), fleets())
def test_nothing_that_serves_is_removed_without_a_risk(old: Fleet, new: Fleet) -> None:
    removed = [entry for entry in diff(old, new).entries if entry.what == "removed"]
    # A child's service has no shares of its own to lose: those of the services it was in do.
    served = [entry for entry in removed if any(share.before for share in entry.shares)]
    assert [entry.name for entry in served if not entry.risks] == []

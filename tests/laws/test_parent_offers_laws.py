"""Whatever a parent is told, in whatever order: its services are those of the whole.

`materialize` is the specification. Names collide all the time, and what is refused changes nothing.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from tests.profiles import scaled

from uplinks import Advertisement, HealthCheck, Parent, ParentConfig, materialize
from uplinks.errors import NameCollision
from uplinks.model import Child

CHILDREN = ["a", "b-c", "c"]
NAMES = ["a", "a-b", "a-b-c", "b", "b-c"]
ELSEWHERE = ["com", "org"]


def listed(*children: str, domain: str = "com") -> ParentConfig:
    return ParentConfig({name: Child(f"https://{name}.example.{domain}") for name in children})


CONFIG = listed(*CHILDREN)

ads = st.builds(
    Advertisement,
    uplink_name=st.sampled_from(NAMES),
    owner=st.sampled_from(["n/x", "n/y"]),
    entry_points=st.just(["up"]),
    weight=st.integers(0, 2),
    health_check=st.none() | st.just(HealthCheck(path="/health")),
    exposed=st.booleans(),
)
steps = st.one_of(
    st.tuples(st.just("advertise"), st.sampled_from(CHILDREN), st.lists(ads, max_size=3)),
    st.tuples(st.just("withdraw"), st.sampled_from(CHILDREN), st.none()),
    st.tuples(
        st.just("amend"),
        st.sampled_from(CHILDREN),
        st.tuples(st.lists(ads, max_size=2), st.lists(st.sampled_from(NAMES), max_size=2)),
    ),
)


def wanted(offers: dict[str, list[Advertisement]], step: Any) -> dict[str, list[Advertisement]]:
    """What all children offer after a step, by the meaning of its name."""
    name, child, what = step
    if name == "advertise":
        return {**offers, child: what}
    if name == "withdraw":
        return {**offers, child: []}
    changed, gone = what
    replaced = {ad.uplink_name for ad in changed} | set(gone)
    kept = [ad for ad in offers.get(child, []) if ad.uplink_name not in replaced]
    return {**offers, child: [*kept, *changed]}


def take(parent: Parent, step: Any, now: int) -> None:
    name, child, what = step
    if name == "advertise":
        parent.advertise(child, what, now)
    elif name == "withdraw":
        parent.withdraw(child, now)
    else:
        parent.amend(child, what[0], gone=what[1], now=now)


def collisions(offers: dict[str, list[Advertisement]]) -> dict[str, tuple[str, ...]]:
    try:
        materialize(CONFIG, offers)
    except NameCollision as error:
        return dict(error.collisions)
    return {}


def seen(parent: Parent) -> dict[str, Any]:
    return {name: dict(parent.selector(name).weights) for name in parent.services}


@settings(max_examples=scaled(300))
@given(st.lists(steps, max_size=12))
def test_the_services_are_those_of_the_whole(history: list[Any]) -> None:
    parent, offers = Parent(CONFIG), dict[str, list[Advertisement]]()
    for now, step in enumerate(history):
        before, would = seen(parent), wanted(offers, step)
        refused = collisions(would)
        if refused:
            event("refused")
            with pytest.raises(NameCollision) as caught:
                take(parent, step, now)
            assert caught.value.collisions == refused
            assert seen(parent) == before
            continue
        event("taken")
        take(parent, step, now)
        offers = would

        assert list(parent.services.items()) == list(materialize(CONFIG, offers).items())
        assert seen(parent) == seen(fresh(offers))


def fresh(offers: dict[str, list[Advertisement]]) -> Parent:
    parent = Parent(CONFIG)
    for child in sorted(offers):
        parent.advertise(child, offers[child], 0)
    return parent


@settings(max_examples=scaled(200))
@given(
    st.lists(steps.filter(lambda step: step[0] == "advertise"), max_size=6),
    st.sets(st.sampled_from(CHILDREN)),
    st.sampled_from(ELSEWHERE),
)
def test_a_reload_is_as_if_it_had_been_so_from_the_beginning(
    history: list[Any], children: set[str], domain: str
) -> None:
    parent, offers = Parent(CONFIG), dict[str, list[Advertisement]]()
    for step in history:
        if not collisions(wanted(offers, step)):
            take(parent, step, 0)
            offers = wanted(offers, step)
    config = listed(*sorted(children), domain=domain)
    seen(parent)  # makes every selector, which then has to follow

    parent.reload(config, 1)

    kept = {child: ads for child, ads in offers.items() if child in children}
    assert parent.config == config
    assert list(parent.services.items()) == list(materialize(config, kept).items())
    for name in parent.services:
        assert {target.url for target in parent.selector(name).weights} == {
            parent.services[child.name].url  # type: ignore[union-attr]
            for child in getattr(parent.services[name], "children", (parent.services[name],))
        }

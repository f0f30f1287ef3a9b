"""Laws of `advertise` and `materialize`, and of the rules that foresee them.

The alphabet is tiny on purpose: over {a, b, a-b, b-c, …} names collide all the
time, in each of the ways in which they can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

import pytest
from attrs import evolve, fields
from hypothesis import event, given, settings
from hypothesis import strategies as st
from tests.profiles import scaled

from uplinks import rules
from uplinks.errors import CannotAdvertise, NameCollision
from uplinks.model import (
    UPLINKS_ANNOTATION,
    Advertisement,
    Child,
    ChildConfig,
    Cluster,
    Fleet,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    PassiveHealthCheck,
    Uplink,
    UplinkEntryPoint,
)
from uplinks.render import dump, to_traefik
from uplinks.services import advertise, materialize
from uplinks.testing import _examples

NAMES = st.sampled_from(["a", "b", "c", "a-b", "b-c", "c-d", "a-b-c"])
CHECKS = st.none() | st.just(HealthCheck(path="/health"))
STATIC = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)}, multicluster=True)

Offers = Mapping[str, Sequence[Advertisement]]


@st.composite
def advertisements(draw: st.DrawFn) -> Advertisement:
    namespace, name, expose_name = draw(NAMES), draw(NAMES), draw(st.none() | NAMES)
    return Advertisement(
        uplink_name=expose_name or f"{namespace}-{name}",
        owner=f"{namespace}/{name}",
        entry_points=["up"],
        weight=draw(st.integers(0, 3)),
        health_check=draw(CHECKS),
        exposed=expose_name is not None,
    )


OFFERS = st.dictionaries(NAMES, st.lists(advertisements(), max_size=3), max_size=4)


def parent_of(offers: Mapping[str, object]) -> ParentConfig:
    return ParentConfig({name: Child(f"https://{name}.example.com") for name in offers})


def outcome(config: ParentConfig, offers: Offers) -> Any:
    try:
        return list(materialize(config, offers).items())
    except NameCollision as error:
        return list(error.collisions.items())


def colliding(offers: Offers) -> set[str]:
    """Compare each two claims of a name, by what they stand for: the oracle."""
    claims: list[tuple[str, str, str, Advertisement]] = []
    for child, offered in offers.items():
        for ad in offered:
            claims.append((f"{ad.uplink_name}@multicluster", "weighted", child, ad))
            claims.append((f"{ad.uplink_name}-{child}@multicluster", "direct", child, ad))
    return {
        one[0] for one, two in combinations(claims, 2) if one[0] == two[0] and not _one(one, two)
    }


def _one(
    one: tuple[str, str, str, Advertisement], two: tuple[str, str, str, Advertisement]
) -> bool:
    """Whether two claims of one name are claims to one service."""
    (_, kind, child, ad), (_, other_kind, other_child, other) = one, two
    if kind != "weighted" or other_kind != "weighted" or child == other_child:
        return False
    return ad.owner == other.owner or ad.exposed or other.exposed


@settings(max_examples=scaled(300))
@given(OFFERS)
def test_every_collision_is_found_and_nothing_else(offers: Offers) -> None:
    expected = colliding(offers)
    event(f"collisions: {min(len(expected), 3)}")

    if not expected:
        services = materialize(parent_of(offers), offers)
        total = sum(len(offered) for offered in offers.values())
        uplink_names = {ad.uplink_name for offered in offers.values() for ad in offered}
        assert len(services) == total + len(uplink_names)
        return
    with pytest.raises(NameCollision) as caught:
        materialize(parent_of(offers), offers)
    assert set(caught.value.collisions) == expected
    for name, owners in caught.value.collisions.items():
        assert len(owners) > 1
        claimed = {
            ad.owner
            for child, offered in offers.items()
            for ad in offered
            if name in (f"{ad.uplink_name}@multicluster", f"{ad.uplink_name}-{child}@multicluster")
        }
        assert {owner.split()[1] for owner in owners} == claimed


def test_every_collision_of_two_is_found() -> None:
    names = ["a", "b", "a-b", "b-a", "a-b-a"]
    all_offers = [
        (
            child,
            Advertisement(
                expose or f"{namespace}-{name}",
                f"{namespace}/{name}",
                (),
                1,
                exposed=expose is not None,
            ),
        )
        for child, namespace, name in product(names, names[:3], names[:3])
        for expose in (None, "a-b")
    ]
    seen = set[int]()
    for (child, ad), (other_child, other) in combinations(all_offers, 2):
        offers: dict[str, list[Advertisement]] = {child: [ad]}
        offers.setdefault(other_child, []).append(other)
        found = outcome(parent_of(offers), offers)
        expected = colliding(offers)
        names_found = {name for name, what in found if isinstance(what, tuple)}
        assert names_found == expected
        seen.add(len(expected))
    assert seen == {0, 1, 2}


@given(OFFERS, st.data())
def test_no_order_of_the_input_shows(offers: Offers, data: st.DataObject) -> None:
    shuffled = {
        child: data.draw(st.permutations(offers[child]))
        for child in data.draw(st.permutations(list(offers)))
    }

    expected = outcome(parent_of(offers), offers)

    assert outcome(parent_of(shuffled), shuffled) == expected


@given(OFFERS)
def test_what_is_made_is_whole(offers: Offers) -> None:
    config = parent_of(offers)
    try:
        services = materialize(config, offers)
    except NameCollision:
        return
    assert list(services) == sorted(services)
    for weighted in services.weighted:
        used = [services[child.name] for child in weighted.children]
        assert [service.uplink_name for service in used] == [weighted.uplink_name] * len(used)
        assert weighted.health_check == all(s.health_check for s in used)
    for direct in services.direct:
        assert direct.url == config.children[direct.child].address
    text = dump(to_traefik(services))
    assert text == dump(to_traefik(services))


# --- the rules foresee what would be raised ---------------------------------


# Python callers can pass anything.
WEIGHTS: st.SearchStrategy[Any] = st.sampled_from([0, 1, 2, -1, 2**31 - 1, 2**31, True, 1.5])
ODD_CHECKS = st.builds(
    HealthCheck,
    path=st.sampled_from(["/", "/health", "health", "//x", "", None]),
    mode=st.sampled_from(["http", "grpc", "tcp"]),
    scheme=st.sampled_from([None, "https", "ftp"]),
    method=st.sampled_from(["GET", "GET /"]),
    status=st.sampled_from([0, 200, 99]),
    port=st.sampled_from([None, 80, 65_536]),
    hostname=st.sampled_from([None, "a.example.com", "a b"]),
    interval=st.sampled_from([0, 10**9, -1]),
    unhealthy_interval=st.sampled_from([0, 2 * 10**9, -1]),
    timeout=st.sampled_from([0, 10**9, -1]),
    headers=st.sampled_from([{}, {"X-A": "b"}, {"Host": "a"}, {"X A": "b"}, {"X-A": "a\r\nb"}]),
)
PASSIVE_CHECKS = st.builds(
    PassiveHealthCheck,
    failure_window=st.sampled_from([0, 10**9, -1]),
    max_failed_attempts=st.sampled_from([0, 1, -1]),
)


@st.composite
def uplinks(draw: st.DrawFn) -> Uplink:
    return Uplink(
        draw(NAMES | st.sampled_from(["", "A"])),
        draw(NAMES | st.sampled_from([""])) if draw(st.booleans()) else draw(NAMES),
        expose_name=draw(st.none() | NAMES | st.just("")),
        entry_points=draw(st.lists(st.sampled_from(["up", "down"]), max_size=2)),
        weight=draw(WEIGHTS),
    )


@st.composite
def checked_uplinks(draw: st.DrawFn) -> Uplink:
    """Draw an uplink in which only the health checks can be wrong, most often in one field."""
    good = HealthCheck(path="/health")
    names = [field.name for field in fields(HealthCheck) if field.init]
    name = draw(st.sampled_from(names))
    odd = draw(ODD_CHECKS)
    one = evolve(good, **{name: getattr(odd, name)})
    return Uplink(
        draw(NAMES),
        draw(NAMES),
        health_check=draw(st.sampled_from([None, one, one, odd])),
        passive_health_check=draw(st.none() | PASSIVE_CHECKS),
    )


GOOD_UPLINKS = st.builds(
    Uplink, name=NAMES, namespace=NAMES, expose_name=st.none() | NAMES, weight=st.integers(0, 3)
)


@st.composite
def routers(draw: st.DrawFn) -> IngressRoute:
    names = st.lists(st.sampled_from(["a-b", "a-b-c", "b", "a", " c ", ""]), min_size=1, max_size=3)
    return IngressRoute(
        draw(NAMES),
        draw(NAMES),
        entry_points=draw(st.none() | st.just(())),
        tls=draw(st.none() | st.just({})),
        annotations=draw(st.just({}) | names.map(lambda n: {UPLINKS_ANNOTATION: ",".join(n)})),
    )


CONFIGS = st.sampled_from(
    [STATIC, STATIC, None, ChildConfig(), ChildConfig({"up": UplinkEntryPoint(":9443")})]
)


@settings(max_examples=300)
@given(
    st.lists(uplinks() | checked_uplinks() | GOOD_UPLINKS, max_size=3),
    st.lists(routers(), max_size=2, unique_by=lambda r: (r.namespace, r.name)),
    CONFIGS,
)
def test_a_child_advertises_exactly_when_no_rule_finds_an_error(
    declared: list[Uplink], referencing: list[IngressRoute], config: ChildConfig | None
) -> None:
    cluster = Cluster("eu", uplinks=declared, routers=referencing, child_config=config)
    # Without a static configuration, a child has no entry points.
    judged = evolve(cluster, child_config=config or ChildConfig())
    report = rules.check_cluster(judged, role="child")
    event(f"ok: {report.ok}")

    if not report.ok:
        with pytest.raises(CannotAdvertise) as caught:
            advertise(cluster)
        assert caught.value.report == report
        return
    advertised = advertise(cluster)
    assert [a.owner for a in advertised] == [
        u.owner for u in sorted(declared, key=lambda u: u.uplink_name)
    ]
    assert all(a.entry_points for a in advertised)


@pytest.mark.parametrize("code", _examples.codes())
def test_the_example_of_each_error_is_not_advertised(code: str) -> None:
    for cluster in _examples.fleet(code, bad=True).children.values():
        config = cluster.child_config or ChildConfig()
        report = rules.check_cluster(evolve(cluster, child_config=config), role="child")
        if report.ok:
            assert len(advertise(cluster)) == len(cluster.uplinks)
        else:
            with pytest.raises(CannotAdvertise):
                advertise(cluster)


@given(st.dictionaries(NAMES, st.lists(GOOD_UPLINKS, max_size=3, unique_by=lambda u: u.owner)))
def test_a_parent_materializes_exactly_when_no_rule_finds_an_error(
    declared: dict[str, list[Uplink]],
) -> None:
    config = parent_of(declared)
    fleet = Fleet(
        Cluster("parent", parent_config=config),
        {name: Cluster(name, uplinks=own, child_config=STATIC) for name, own in declared.items()},
    )
    # A service that nobody can be picked of is materialized all the same.
    errors = {d.code for d in rules.check(fleet).errors} - {"UPL405"}

    try:
        materialize(config, {name: advertise(child) for name, child in fleet.children.items()})
    except CannotAdvertise:
        assert "UPL401" in errors
        assert errors <= {"UPL401", "UPL402"}
    except NameCollision:
        assert errors == {"UPL402"}
    else:
        assert not errors


@given(st.dictionaries(NAMES, st.lists(GOOD_UPLINKS, max_size=3)), st.data())
def test_no_order_of_a_fleet_shows_in_the_report(
    declared: dict[str, list[Uplink]], data: st.DataObject
) -> None:
    parent = Cluster("parent", parent_config=parent_of(declared))
    clusters = {name: Cluster(name, uplinks=own) for name, own in declared.items()}
    shuffled = {
        name: evolve(clusters[name], uplinks=data.draw(st.permutations(declared[name])))
        for name in data.draw(st.permutations(list(declared)))
    }

    assert rules.check(Fleet(parent, shuffled)) == rules.check(Fleet(parent, clusters))

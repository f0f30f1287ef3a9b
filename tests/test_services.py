"""`uplinks.services`: what a child offers and what a parent makes of it."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from uplinks.diagnostics import Diagnostic, Severity
from uplinks.errors import (
    CannotAdvertise,
    InvalidAddress,
    InvalidName,
    InvalidWeight,
    NameCollision,
    UnknownChild,
)
from uplinks.model import (
    MAX_WEIGHT,
    UPLINKS_ANNOTATION,
    Advertisement,
    Child,
    ChildConfig,
    ChildService,
    Cluster,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    PassiveHealthCheck,
    Uplink,
    UplinkEntryPoint,
    WeightedChild,
    WeightedService,
)
from uplinks.services import advertise, materialize

CONFIG = ChildConfig(
    {
        "up": UplinkEntryPoint(":9443", as_default=True),
        "other": UplinkEntryPoint(":9444"),
        "also": UplinkEntryPoint(":9445", as_default=True),
    },
    multicluster=True,
)


def child(*uplinks: Uplink, routers: tuple[IngressRoute, ...] = ()) -> Cluster:
    return Cluster("eu", uplinks=uplinks, routers=routers, child_config=CONFIG)


def router(annotation: str, name: str = "r", **fields: Any) -> IngressRoute:
    return IngressRoute(name, "apps", annotations={UPLINKS_ANNOTATION: annotation}, **fields)


def parent(*children: str) -> ParentConfig:
    return ParentConfig({name: Child(f"https://{name}.example.com:9443") for name in children})


def ad(uplink_name: str, owner: str, **fields: Any) -> Advertisement:
    return Advertisement(uplink_name, owner, ("up",), **fields)


# --- advertise --------------------------------------------------------------


def test_everything_is_resolved() -> None:
    check, passive = HealthCheck(path="/health"), PassiveHealthCheck()
    api = Uplink("api", "apps", weight=90, health_check=check, passive_health_check=passive)

    assert advertise(child(api, routers=(router("apps-api"),))) == (
        Advertisement(
            uplink_name="apps-api",
            owner="apps/api",
            entry_points=("up", "also"),
            weight=90,
            health_check=check,
            passive_health_check=passive,
            routers=("apps/r",),
            exposed=False,
        ),
    )


def test_sorted_by_uplink_name_whatever_the_order() -> None:
    uplinks = [Uplink("z", "apps", expose_name="a"), Uplink("b", "apps"), Uplink("a", "zone")]

    expected = advertise(child(*uplinks))

    assert [(a.uplink_name, a.exposed) for a in expected] == [
        ("a", True),
        ("apps-b", False),
        ("zone-a", False),
    ]
    assert advertise(child(*reversed(uplinks))) == expected


def test_its_own_entry_points_come_before_the_defaults() -> None:
    (only,) = advertise(child(Uplink("api", "apps", entry_points=["other"])))

    assert only.entry_points == ("other",)


def test_routers_are_sorted_and_counted_once() -> None:
    routers = (
        router("apps-b, apps-a", name="z"),
        router("apps-a,apps-a", name="b"),
        IngressRoute("not-advertised", "apps", entry_points=("web",), tls={}),
    )

    a, b = advertise(child(Uplink("a", "apps"), Uplink("b", "apps"), routers=routers))

    assert (a.routers, b.routers) == (("apps/b", "apps/z"), ("apps/z",))


def test_nothing_to_offer() -> None:
    assert advertise(Cluster("eu")) == ()


def refused(cluster: Cluster) -> list[str]:
    with pytest.raises(CannotAdvertise) as caught:
        advertise(cluster)
    assert caught.value.child == "eu"
    return [error.code for error in caught.value.report.errors]


@pytest.mark.parametrize(
    ("uplink", "code"),
    [
        (Uplink("", "apps"), "UPL101"),
        (Uplink("API", "apps"), "UPL101"),
        (Uplink("api", ""), "UPL102"),
        (Uplink("api", "apps", expose_name=""), "UPL106"),
        (Uplink("api", "apps", expose_name="a`) || Path(`/"), "UPL106"),
        (Uplink("api", "apps", weight=-1), "UPL103"),
        (Uplink("api", "apps", weight=MAX_WEIGHT + 1), "UPL105"),
        (Uplink("api", "apps", weight=True), "UPL103"),
        (Uplink("api", "apps", weight=1.5), "UPL103"),  # type: ignore[arg-type]
        (Uplink("api", "apps", weight="heavy"), "UPL103"),  # type: ignore[arg-type]
        (Uplink("api", "apps", entry_points=["othr"]), "UPL108"),
        (Uplink("api", "apps", health_check=HealthCheck(path="x")), "UPL209"),
        (Uplink("api", "apps", health_check=HealthCheck(path="/", interval=-1)), "UPL202"),
    ],
)
def test_a_bad_uplink_is_refused(uplink: Uplink, code: str) -> None:
    assert refused(child(uplink)) == [code]


def test_the_error_counts_the_errors_and_shows_the_first() -> None:
    cluster = child(Uplink("api", "apps", weight=-1), Uplink("b", "apps", weight=-2))

    with pytest.raises(CannotAdvertise, match=r"child 'eu': 2 errors, first: \S+ error UPL103"):
        advertise(cluster)


@pytest.mark.parametrize("config", [None, ChildConfig(), ChildConfig(multicluster=True)])
def test_no_entry_point_is_refused(config: ChildConfig | None) -> None:
    cluster = Cluster("eu", uplinks=[Uplink("api", "apps")], child_config=config)

    assert refused(cluster) == ["UPL410"]


def test_without_a_default_an_uplink_is_on_every_entry_point() -> None:
    config = ChildConfig({"up": UplinkEntryPoint(":9443"), "other": UplinkEntryPoint(":9444")})

    (offer,) = advertise(Cluster("eu", uplinks=[Uplink("api", "apps")], child_config=config))

    assert offer.entry_points == ("up", "other")


def test_an_entry_point_without_a_static_configuration_is_unknown() -> None:
    uplink = Uplink("api", "apps", entry_points=["up"])

    assert refused(Cluster("eu", uplinks=[uplink])) == ["UPL410"]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (router("apps-api", entry_points=("web",)), "UPL301"),
        (router("apps-api", tls={}), "UPL302"),
        (router("apps-api,"), "UPL305"),
        (router("apps-pai"), "UPL303"),
    ],
)
def test_a_bad_router_is_refused(bad: IngressRoute, code: str) -> None:
    assert refused(child(Uplink("api", "apps"), routers=(bad,))) == [code]


def test_one_object_declared_twice_is_refused() -> None:
    codes = refused(child(Uplink("api", "apps"), Uplink("api", "apps", weight=2)))

    assert set(codes) == {"UPL010"}


def test_one_uplink_name_of_two_owners_in_one_child_is_refused() -> None:
    uplinks = [Uplink("c", "a-b"), Uplink("b-c", "a"), Uplink("x", "y", expose_name="a-b-c")]

    assert refused(child(*uplinks)) == ["UPL401", "UPL401"]


def test_what_could_not_be_read_is_not_advertised_by_half() -> None:
    broken = Diagnostic("UPL006", Severity.ERROR, "spec.healthCheck must be a mapping")
    cluster = Cluster("eu", [Uplink("api", "apps")], child_config=CONFIG, diagnostics=[broken])

    assert refused(cluster) == ["UPL006"]


# --- materialize ------------------------------------------------------------


def test_a_weighted_service_and_one_service_per_child() -> None:
    check, passive = HealthCheck(path="/health"), PassiveHealthCheck()

    services = materialize(
        parent("child-2", "child-1", "silent"),
        {
            "child-2": [ad("apps-api", "apps/api", weight=0, health_check=check)],
            "child-1": [ad("apps-api", "apps/api", weight=90, passive_health_check=passive)],
        },
    )

    assert dict(services) == {
        "apps-api-child-1@multicluster": ChildService(
            name="apps-api-child-1@multicluster",
            uplink_name="apps-api",
            child="child-1",
            url="https://child-1.example.com:9443",
            passive_health_check=passive,
        ),
        "apps-api-child-2@multicluster": ChildService(
            name="apps-api-child-2@multicluster",
            uplink_name="apps-api",
            child="child-2",
            url="https://child-2.example.com:9443",
            health_check=check,
        ),
        "apps-api@multicluster": WeightedService(
            name="apps-api@multicluster",
            uplink_name="apps-api",
            children=[
                WeightedChild("apps-api-child-1@multicluster", 90),
                WeightedChild("apps-api-child-2@multicluster", 0),
            ],
            health_check=False,
        ),
    }
    assert list(services) == sorted(services)


def test_health_goes_upward_only_when_every_child_is_probed() -> None:
    probed = ad("api", "apps/api", health_check=HealthCheck())
    passive = ad("api", "apps/api", passive_health_check=PassiveHealthCheck())

    both = materialize(parent("a", "b"), {"a": [probed], "b": [probed]})
    one = materialize(parent("a", "b"), {"a": [probed], "b": [passive]})

    assert [s.health_check for s in (*both.weighted, *one.weighted)] == [True, False]


def test_nothing_advertised() -> None:
    assert dict(materialize(parent("eu"), {"eu": []})) == {}
    assert dict(materialize(ParentConfig(), {})) == {}


def test_the_address_stays_as_it_is_written() -> None:
    config = ParentConfig({"eu": Child("HTTPS://EU.example.com/")})

    (direct,) = materialize(config, {"eu": [ad("api", "apps/api")]}).direct

    assert direct.url == "HTTPS://EU.example.com/"


def test_an_unlisted_child_is_refused() -> None:
    with pytest.raises(UnknownChild) as caught:
        materialize(parent("child-1"), {"chidl-1": []})

    assert (caught.value.child, caught.value.suggestion) == ("chidl-1", "child-1")
    assert (
        str(caught.value) == "the parent does not list a child 'chidl-1'; did you mean 'child-1'?"
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301
    assert isinstance(caught.value, LookupError)


def test_advertisements_made_by_hand_are_checked() -> None:
    with pytest.raises(InvalidName):
        materialize(parent("eu"), {"eu": [ad("a@b", "apps/api")]})
    with pytest.raises(InvalidWeight):
        materialize(parent("eu"), {"eu": [ad("api", "apps/api", weight=-1)]})
    with pytest.raises(InvalidName):
        materialize(
            ParentConfig({"e@u": Child("https://eu.example.com")}), {"e@u": [ad("api", "apps/api")]}
        )


def test_derived_names_that_are_equal_by_accident_are_refused() -> None:
    with pytest.raises(NameCollision) as caught:
        materialize(parent("x", "y"), {"x": [ad("a-b-c", "a-b/c")], "y": [ad("a-b-c", "a/b-c")]})

    assert caught.value.collisions == {
        "a-b-c@multicluster": ("uplink a-b/c of child 'x'", "uplink a/b-c of child 'y'")
    }


def test_a_name_chosen_with_expose_name_is_meant_to_be_shared() -> None:
    shared = {
        "x": [ad("api", "apps/api", exposed=True)],
        "y": [ad("api", "prod/web", exposed=True)],
        "z": [ad("api", "ap/i", exposed=False)],
    }

    (weighted,) = materialize(parent("x", "y", "z"), shared).weighted

    assert [c.name for c in weighted.children] == [
        "api-x@multicluster",
        "api-y@multicluster",
        "api-z@multicluster",
    ]


def test_every_collision_is_reported_at_once() -> None:
    with pytest.raises(NameCollision) as caught:
        materialize(
            parent("b-c", "c", "d"),
            {
                # a-b-c of child b-c, and of child c, and the weighted service of child d.
                "b-c": [ad("a", "n/a", exposed=True)],
                "c": [ad("a-b", "a/b")],
                "d": [ad("a-b-c", "a-b/c"), ad("x", "n/x"), ad("x", "m/x", exposed=True)],
            },
        )

    assert caught.value.collisions == {
        "a-b-c@multicluster": (
            "uplink a-b/c of child 'd'",
            "uplink a/b of child 'c', directly",
            "uplink n/a of child 'b-c', directly",
        ),
        "x-d@multicluster": (
            "uplink m/x of child 'd', directly",
            "uplink n/x of child 'd', directly",
        ),
        "x@multicluster": ("uplink m/x of child 'd'", "uplink n/x of child 'd'"),
    }


def test_one_advertisement_twice_is_refused() -> None:
    with pytest.raises(NameCollision):
        materialize(parent("eu"), {"eu": [ad("api", "apps/api"), ad("api", "apps/api")]})


# --- addresses --------------------------------------------------------------


@pytest.mark.parametrize("address", ["", "ftp://child1.example.com", "https://x/path"])
def test_a_bad_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        materialize(ParentConfig({"eu": Child(address)}), {})

    assert caught.value.child == "eu"


def test_a_password_in_an_address_is_not_shown() -> None:
    with pytest.raises(InvalidAddress) as caught:
        materialize(ParentConfig({"eu": Child("https://me:s3cret@eu.example.com/x")}), {})

    assert "s3cret" not in str(caught.value)
    assert caught.value.got == "https://***@eu.example.com/x"


@pytest.mark.parametrize(
    "address",
    [
        "me:SECRETX@h",
        "https:/me:SECRETX@h",
        "//me:SECRETX@h",
        "https://me:SEC/RETX@h",
        "https://h/?token=SECRETX",
    ],
)
def test_a_password_in_a_malformed_address_is_not_shown(address: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        materialize(ParentConfig({"eu": Child(address)}), {})

    assert "RETX" not in str(caught.value) + repr(caught.value)


def test_a_weight_of_any_size_is_refused_in_a_few_words() -> None:
    uplink = Uplink("api", "apps", weight=10**5000)

    with pytest.raises(CannotAdvertise, match="16610 bits"):
        advertise(child(uplink))

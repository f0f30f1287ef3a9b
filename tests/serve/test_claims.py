"""Which child offers a name, whatever the order in which the offers came."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from uplinks.model import Advertisement, Child, ParentConfig
from uplinks.parent import Parent
from uplinks.serve.claims import Amendment, Claims
from uplinks.services import materialize

CHILDREN = ("eu", "b-eu", "us")
# Names that collide as uplinks, as child services, and across both.
NAMES = ("a", "a-b", "a-eu", "a-b-eu", "c")


def ad(name: str, owner: str = "x/x", weight: int = 1, *, exposed: bool = False) -> Advertisement:
    return Advertisement(name, owner, ["up"], weight, exposed=exposed)


def config_of(children: tuple[str, ...]) -> ParentConfig:
    return ParentConfig({name: Child(f"https://{name}.example.com") for name in children})


def test_a_name_with_two_owners_goes_to_the_child_that_is_listed_first() -> None:
    claims = Claims(CHILDREN)

    assert claims.replace("us", {"a": ad("a", "y/y")}) == [Amendment("us", (ad("a", "y/y"),))]
    assert claims.replace("eu", {"a": ad("a")}) == [
        Amendment("us", gone=("a",)),
        Amendment("eu", (ad("a"),)),
    ]
    assert claims.refused == {("us", "a"): ("eu", "a")}
    assert claims.replace("eu", {}) == [
        Amendment("eu", gone=("a",)),
        Amendment("us", (ad("a", "y/y"),)),
    ]
    assert claims.refused == {}


def test_a_refused_name_takes_no_other_name_of_its_child_out() -> None:
    claims = Claims(CHILDREN)
    claims.replace("eu", {"a": ad("a")})

    assert claims.replace("us", {"a": ad("a", "y/y"), "c": ad("c")}) == [
        Amendment("us", (ad("c"),))
    ]
    assert claims.served("us") == {"c": ad("c")}


def test_an_exposed_name_is_shared_by_its_owners() -> None:
    claims = Claims(CHILDREN)
    claims.replace("eu", {"a": ad("a", exposed=True)})
    claims.replace("us", {"a": ad("a", "y/y")})

    assert claims.refused == {}


def test_a_child_service_and_an_uplink_of_one_name() -> None:
    claims = Claims(CHILDREN)
    # The child service of `a` on eu is `a-eu`, and so is the uplink's weighted service.
    claims.replace("us", {"a-eu": ad("a-eu")})
    claims.replace("eu", {"a": ad("a")})

    assert claims.refused == {("us", "a-eu"): ("eu", "a")}


def test_another_order_of_the_children_decides_anew() -> None:
    claims = Claims(CHILDREN)
    claims.replace("eu", {"a": ad("a"), "c": ad("c")})
    claims.replace("us", {"a": ad("a", "y/y")})

    assert claims.relist(("us", "eu")) == [
        Amendment("eu", gone=("a",)),
        Amendment("us", (ad("a", "y/y"),)),
    ]
    assert claims.relist(("eu",)) == [Amendment("eu", (ad("a"),))]


ads = st.builds(
    ad,
    st.sampled_from(NAMES),
    st.sampled_from(["x/x", "y/y"]),
    st.integers(0, 2),
    exposed=st.booleans(),
)
offers = st.lists(ads, max_size=4).map(lambda listed: {each.uplink_name: each for each in listed})
changes = st.lists(st.tuples(st.sampled_from(CHILDREN), offers), max_size=6)


@given(changes, st.permutations(CHILDREN), st.permutations(CHILDREN))
def test_what_is_served_depends_on_the_last_offers_alone(
    history: list[tuple[str, dict[str, Advertisement]]], first: list[str], last: list[str]
) -> None:
    claims = Claims(first)
    parent = Parent(config_of(tuple(first)))
    for child, offer in history:
        for each in claims.replace(child, offer):
            # Never two owners of a name in between: the parent would refuse it.
            parent.amend(each.child, each.changed, gone=each.gone, now=0)
    for each in claims.relist(last):
        parent.amend(each.child, each.changed, gone=each.gone, now=0)

    fresh = Claims(last)
    for child in last:
        if child in claims.offers:
            fresh.replace(child, claims.offers[child])
    assert (fresh.offers, fresh.refused) == (claims.offers, claims.refused)
    served = {child: list(claims.served(child).values()) for child in claims.offers}
    assert parent.services == materialize(config_of(CHILDREN), served)
    for (child, name), (other, rival) in claims.refused.items():
        assert rival in claims.served(other)
        both = {child: [claims.offers[child][name]]}
        both.setdefault(other, []).append(claims.offers[other][rival])
        assert (last.index(other), rival) < (last.index(child), name)


def test_replicas_agree_whatever_comes_first() -> None:
    last = {"eu": {"a": ad("a")}, "us": {"a": ad("a", "y/y"), "a-eu": ad("a-eu")}, "b-eu": {}}
    ends = set()
    for order in permutations(last):
        claims = Claims(CHILDREN)
        for child in order:
            claims.replace(child, last[child])
        ends.add(tuple(sorted(claims.refused.items())))

    assert ends == {((("us", "a"), ("eu", "a")), (("us", "a-eu"), ("eu", "a")))}

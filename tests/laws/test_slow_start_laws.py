"""The laws of slow start, as `uplinks.parent._ramps` states them."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from uplinks import HealthPolicy, Parent
from uplinks.model import MAX_WEIGHT
from uplinks.parent._ramps import STEPS, Ramps, ramped

SECOND = 1_000_000_000
weights = st.lists(st.integers(1, 9) | st.integers(1, 1000), min_size=2, max_size=6)


def parent_of(weights: list[int], duration: int, start: int) -> Parent:
    children = {f"c{i}": (f"http://c{i}", weight) for i, weight in enumerate(weights)}
    return Parent.of(children, policy=HealthPolicy(slow_start=duration), start=start)


@given(
    weights,
    st.integers(0, 50),
    st.tuples(st.integers(0, 60), st.integers(0, 60)),
    st.integers(10, 150),
    st.integers(1, 5 * SECOND),
)
def test_a_target_never_leads_its_shares_by_more_than_one_pick(
    weights: list[int], start: int, before: tuple[int, int], picks: int, duration: int
) -> None:
    parent = parent_of(weights, duration, start)
    selector = parent.selector()
    selector.pick_many(before[0])
    parent.due(duration)
    parent.set_up("c0", False, duration)
    selector.pick_many(before[1])
    parent.set_up("c0", True, duration)

    lead = dict.fromkeys((f"c{i}" for i in range(len(weights))), Fraction(0))
    shares: list[Fraction] = []
    for i in range(picks):
        parent.due(duration + 2 * duration * i // picks)
        current = selector.weights
        total = sum(current.values())
        for target, weight in current.items():
            lead[target.child] -= Fraction(weight, total)
        shares.append(next(Fraction(w, total) for t, w in current.items() if t.child == "c0"))
        lead[selector.pick().child] += 1
        assert lead["c0"] <= 1
        assert max(map(abs, lead.values())) <= 2

    assert shares == sorted(shares)
    assert len(set(shares)) <= STEPS
    assert selector.weights == dict(zip(selector.weights, weights, strict=True))


@given(st.integers(1, 10**12), st.integers(0, 10**12), st.data())
def test_the_steps_are_those_of_the_definition(
    duration: int, begun: int, data: st.DataObject
) -> None:
    ramps = Ramps(duration)
    ramps.note("a", begun, up=True)
    due: list[int] = []
    while (first := ramps.first()) is not None:
        assert ramps.due(first - 1) == []
        assert ramps.due(first) == ["a"]
        due.append(first)

    elapsed = data.draw(st.integers(0, 2 * duration))
    assert ramps.step("a", begun + elapsed) == min(10, max(1, 10 * elapsed // duration))
    assert len(due) <= STEPS - 1
    assert due == sorted(set(due))
    assert due[-1] == ramps.end("a") == begun + duration


@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=2),
        st.tuples(st.integers(0, 100) | st.integers(0, MAX_WEIGHT), st.none() | st.integers(1, 10)),
        min_size=1,
        max_size=5,
    )
)
def test_ramped_weights_are_exact_and_legal(drawn: dict[str, tuple[int, int | None]]) -> None:
    weights = {name: weight for name, (weight, _) in drawn.items()}
    steps = {name: step for name, (_, step) in drawn.items() if step}
    found = ramped(weights, steps)

    assert all(0 <= weight <= MAX_WEIGHT for weight in found.values())
    assert {name for name, weight in found.items() if not weight} == {
        name for name, weight in weights.items() if not weight
    }
    if len(set(steps.values())) <= 1:
        assert found == weights
    elif max(weights.values()) * STEPS <= MAX_WEIGHT:
        assert found == {name: w * steps.get(name, STEPS) for name, w in weights.items()}
    else:
        assert all(
            found[n] in {w * steps.get(n, STEPS) // STEPS, min(w, 1)} for n, w in weights.items()
        )

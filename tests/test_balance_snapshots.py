"""Snapshots, restoring and pickling: a copy taken at any moment picks like the original."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from tests.profiles import scaled

from uplinks import _wrr
from uplinks.balance import ReferenceSelector, Selector
from uplinks.errors import InvalidSnapshot

ORDERS = ["fair", "failover", "random"]
VACANT = {Selector: "vacant", ReferenceSelector: "free"}
"""What each implementation calls the list of vacant indices in a snapshot."""


def pickled(selector: Any) -> Any:
    return pickle.loads(pickle.dumps(selector))  # noqa: S301 - our own bytes


def copies(selector: Any) -> list[Any]:
    """Copy a selector in each way there is."""
    restored = type(selector).restore(selector.snapshot())
    return [restored, pickled(selector), copy.deepcopy(selector)]


def facts(selector: Any) -> tuple[Any, ...]:
    return selector.rows(), list(selector.counts.items()), selector.targets, selector.period()


@pytest.mark.parametrize("scheduler", ORDERS)
@pytest.mark.parametrize("start", [0, 3, 2**40 + 7])
def test_a_copy_goes_on_from_any_moment(make_selector: Any, scheduler: str, start: int) -> None:
    selector = make_selector(
        [("a", 5), ("b", 3), ("c", 1)], scheduler=scheduler, start=start, rng=7
    )

    # Before any pick, in the first period, at its end, in a replay, after each kind of change.
    for act in (
        lambda: None,
        lambda: selector.pick_many(4),
        lambda: selector.pick_many(5),
        lambda: selector.pick_many(9),
        lambda: selector.pick_many(3),
        lambda: selector.set_up("a", False),
        lambda: selector.pick_many(2),
        lambda: selector.remove("b"),
        lambda: selector.set_up("a", True),
        lambda: selector.pick_many(1),
        lambda: selector.add("d", 7),
        lambda: selector.pick(exclude=["a"]),
        lambda: selector.set_weight("c", 0),
        lambda: selector.pick_many(30),
        lambda: selector.replace("d", "D"),
        lambda: selector.remove("c"),
        lambda: selector.pick(key="session"),
        lambda: selector.add("e", 2),
    ):
        act()
        before = facts(selector)
        one, two, three = copies(selector)
        for other in (one, two, three):
            assert facts(other) == before
            other._check()
        assert one.pick_many(40) == two.pick_many(40) == three.pick_many(40)
        assert facts(selector) == before
        one, two, three = copies(selector)
        for other in (one, two, three):
            other.add("z", 2)
        assert one.pick_many(40) == two.pick_many(40) == three.pick_many(40)
        goes_on = make_selector.restore(selector.snapshot()).pick_many(3)
        assert goes_on == selector.pick_many(3)


@pytest.mark.parametrize("scheduler", ORDERS)
def test_a_copy_shares_nothing_with_the_original(make_selector: Any, scheduler: str) -> None:
    selector = make_selector([("a", 2), ("b", 1)], scheduler=scheduler, rng=7)
    selector.pick_many(7)
    snapshot = selector.snapshot()
    before = copy.deepcopy(snapshot)
    other = make_selector.restore(snapshot)
    other.pick_many(50)
    other.remove("a")

    assert snapshot == before
    assert selector.snapshot() == before
    assert make_selector.restore(snapshot).pick_many(9) == selector.pick_many(9)


@pytest.mark.parametrize("scheduler", ORDERS)
def test_a_snapshot_survives_json(make_selector: Any, scheduler: str) -> None:
    selector = make_selector({"a": 5, "b": 3, "c": 1}, scheduler=scheduler, rng=7)
    selector.pick_many(13)
    selector.set_up("b", False)
    selector.remove("a")

    other = make_selector.restore(json.loads(json.dumps(selector.snapshot())))

    assert facts(other) == facts(selector)
    assert other.pick_many(40) == selector.pick_many(40)


def test_a_snapshot_begins_a_new_period(make_selector: Any) -> None:
    selector = make_selector([("a", 5), ("b", 1), ("c", 1)])
    assert "".join(selector.pick_many(3)) == "aab"
    selector.snapshot()

    # Seven picks from here, and every seven after them, give each target its share.
    for _ in range(3):
        assert sorted(selector.pick_many(7)) == list("aaaaabc")


def test_a_snapshot_holds_the_targets_themselves(make_selector: Any) -> None:
    target = object()
    selector = make_selector([(target, 1)])

    assert make_selector.restore(selector.snapshot()).pick() is target


def test_nested_selectors_are_copied_with_their_health(make_selector: Any) -> None:
    leaf = make_selector([("x", 2), ("y", 1)])
    middle = make_selector([(leaf, 1), ("z", 1)], scheduler="failover")
    top = make_selector([(middle, 3), ("w", 2)])
    leaf.set_up("x", False)
    middle.set_up("z", False)
    top.pick_many(8)

    for other in copies(top):
        assert other.pick_many(20) == type(top).restore(top.snapshot()).pick_many(20)
        inner = next(t for t in other.targets if not isinstance(t, str))
        innermost = next(t for t in inner.targets if not isinstance(t, str))
        innermost.set_up("y", False)
        assert set(other.pick_many(9)) == {"w"}
        innermost.set_up("x", True)
        assert set(other.pick_many(9)) == {"w", "x"}
    assert set(top.pick_many(9)) == {"w", "y"}


def test_a_selector_inside_its_own_pickle_s_target(make_selector: Any) -> None:
    shared = make_selector([("x", 1)])
    top = make_selector([(make_selector([(shared, 1)]), 1), (make_selector([(shared, 1)]), 1)])
    other = pickle.loads(pickle.dumps(top))  # noqa: S301 - our own bytes

    left, right = (t.targets[0] for t in other.targets)
    assert left is right
    left.set_up("x", False)
    assert not other.eligible


class Turns:
    """A scheduler that takes turns, and is empty as a container."""

    def __init__(self) -> None:
        self.weights: dict[int, int] = {}
        self.last = -1

    def __len__(self) -> int:
        return 0

    def set_weight(self, index: int, weight: int) -> None:
        self.weights[index] = weight

    def next_index(self) -> int:
        members = sorted(i for i, w in self.weights.items() if w)
        self.last = next((i for i in members if i > self.last), members[0])
        return self.last


@pytest.mark.parametrize("scheduler", ["edf", "smooth", "turns"])
def test_a_python_scheduler_has_no_snapshot_but_pickles(make_selector: Any, scheduler: str) -> None:
    order: Any = Turns() if scheduler == "turns" else scheduler
    selector = make_selector([("a", 5), ("b", 3), ("c", 1)], scheduler=order)
    selector.pick_many(4)
    selector.set_up("b", False)
    selector.pick_many(3)
    selector.remove("a")
    selector.add("d", 2)

    with pytest.raises(InvalidSnapshot, match="the state of a Python scheduler is unknown"):
        selector.snapshot()
    for other in (pickled(selector), pickled(pickled(selector)), copy.deepcopy(selector)):
        assert facts(other) == facts(selector)
        other._check()
        original = pickled(selector)
        for each in (original, other):
            each.set_up("b", True)
        assert other.pick_many(40) == original.pick_many(40)


def test_a_python_scheduler_that_does_not_pickle_raises_what_pickle_raises(
    make_selector: Any,
) -> None:
    order: Any = Turns()
    order.handle = lambda: None
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(make_selector([("a", 1)], scheduler=order))


def test_weights_that_a_python_scheduler_has_not_received_yet_are_pickled(
    make_selector: Any,
) -> None:
    """A change whose first `set_weight` raises stands; the copy passes on the rest, too."""
    selector = make_selector([("a", 1), ("b", 1)], scheduler=Refusing())
    selector.update({"a": 1, "b": 1})
    with pytest.raises(ValueError, match="refused"):
        selector.update({"a": 9, "b": 0})

    for each in (pickled(selector), selector):
        assert each.rows() == [("a", 9, True), ("b", 0, True)]
        assert each.pick_many(4) == ["a"] * 4


class Refusing(Turns):
    """A scheduler that refuses the weight 9."""

    def set_weight(self, index: int, weight: int) -> None:
        super().set_weight(index, weight)
        if weight == 9:
            raise ValueError("refused")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": 4},
        {"version": "3"},
        {"version": None},
        {"scheduler": "failover"},
        {"scheduler": "random"},
        {"scheduler": "none"},
        {"scheduler": None},
        {"scheduler": []},
        {"scheduler": "edf"},
        {"targets": [{"target": "a"}]},
        {"targets": []},
        {"targets": None},
        {"targets": [{}, {}]},
        {"targets": [{"target": []}, {"target": "b"}]},
        {"targets": [{"selector": {}}, {"target": "b"}]},
        {"up": []},
        {"up": [[0, True]]},
        {"up": [True, True]},
        {"up": [[0, True], [2, True]]},
        {"up": [[0, True], [-1, True]]},
        {"up": [[0, True], [True, True]]},
        {"up": [[0, True], ["1", True]]},
        {"up": [[0, True], [1, True], [2, True]]},
        {"up": [[0, True, 1], [1, True]]},
        {"up": [[0, 1], [1, True]]},
        {"up": [[0, None], [1, True]]},
        {"up": [[0, False], [1, True]]},
        {"up": None},
        {"state": {}},
        {"state": None},
        {"state": []},
    ],
)
def test_a_damaged_snapshot_is_refused(make_selector: Any, change: dict[str, Any]) -> None:
    snapshot = make_selector([("a", 2), ("b", 1)]).snapshot()
    assert snapshot.keys() == {"version", "scheduler", "targets", "up", "state"}

    with pytest.raises(InvalidSnapshot):
        make_selector.restore({**snapshot, **change})
    for key in change:
        with pytest.raises(InvalidSnapshot):
            make_selector.restore({k: v for k, v in snapshot.items() if k != key})


@pytest.mark.parametrize(
    "change",
    [
        {"version": 4},
        {"scheduler": "none"},
        {"targets": [{"target": "a"}]},
        {"targets": [{"target": "a"}, {"target": "a"}, {"target": "c"}]},
        {"targets": [{"target": []}, {"target": "b"}, {"target": "c"}]},
        {"up": [[0, True], [1, None]]},
        {"up": [[0, True], [1, 1]]},
        {"up": [True]},
    ],
)
def test_both_implementations_describe_a_damage_alike(change: dict[str, Any]) -> None:
    reasons = set()
    for make in (Selector, ReferenceSelector):
        selector = make([("a", 2), ("b", 1), ("c", 1)])
        selector.remove("c")
        with pytest.raises(InvalidSnapshot) as raised:
            make.restore({**selector.snapshot(), **change})
        reasons.add(raised.value.reason)

    assert len(reasons) == 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weight", [2, 1]),
        ("weight", [2, -1, 0]),
        ("weight", [2, 2**31, 0]),
        ("weight", [2, True, 0]),
        ("weight", [2, 1.0, 0]),
        ("weight", (2, 1, 0)),
        ("weight", None),
        ("made", [0, -1, 0]),
        ("made", [0, 2**64, 0]),
        ("made", [0, 0]),
        ("vacant", []),
        ("vacant", [1]),
        ("vacant", [2, 2]),
        ("vacant", [3]),
        ("vacant", [-1]),
        ("vacant", ["2"]),
        ("vacant", None),
    ],
)
def test_a_damaged_state_is_refused(make_selector: Any, order: str, name: str, value: Any) -> None:
    name = VACANT[make_selector] if name == "vacant" else name
    selector = make_selector([("a", 2), ("b", 1), ("c", 1)], scheduler=order, rng=7)
    selector.remove("c")
    snapshot = selector.snapshot()
    make_selector.restore(snapshot)
    state = snapshot["state"]
    assert name in state

    with pytest.raises(InvalidSnapshot):
        make_selector.restore({**snapshot, "state": {**state, name: value}})
    with pytest.raises(InvalidSnapshot):
        make_selector.restore({**snapshot, "state": {k: v for k, v in state.items() if k != name}})


def with_state(selector: Any, **changes: Any) -> dict[str, Any]:
    """Take a snapshot and put other values into its state; a function gives the value."""
    snapshot = selector.snapshot()
    state = snapshot["state"]
    for name, change in changes.items():
        state[name] = change(state[name]) if callable(change) else change
    return snapshot  # type: ignore[no-any-return] # it is a dictionary


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("flags", lambda flags: [2, *flags[1:]]),  # down, although its target is up
        ("flags", lambda flags: [1, *flags[1:]]),  # up, although it is vacant
        ("flags", lambda flags: [7, *flags[1:]]),  # not a flag of a snapshot
        ("pristine", 1),
        ("pristine", None),
        ("scale", lambda scale: scale // 2),
        ("scale", 2**59 + 1),
        ("scale", -1),
        ("scale", 2**64),
        ("clock", lambda clock: clock + 1),  # not the average of the starts
        ("clock", lambda clock: clock - 1),
        ("clock", 0),
        ("clock", 2**63),
        ("clock", -1),
        ("clock_rest", lambda rest: (rest + 1) % 9),
        ("clock_rest", 9),
        ("start", lambda start: [start[0] + 1, *start[1:]]),
        ("start", lambda start: [2**64 - 1, *start[1:]]),
        ("start", lambda start: [2**64, *start[1:]]),
        ("start", lambda start: [-1, *start[1:]]),
        # Balanced, but too far apart.
        ("start", lambda start: [start[0], start[1] - 2**60, start[2] + 3 * 2**60]),
        ("rest", [5, 0, 0]),
        ("rest", [0, 3, 0]),
        ("rest", [-1, 0, 0]),
        ("unit", [4, 3, 1]),
        ("unit", [0, 3, 1]),
        ("unit", [5, 3, -1]),
        ("unit", [5, 3, 2**31]),
    ],
)
def test_a_schedule_that_no_picks_lead_to_is_refused(name: str, change: Any) -> None:
    selector = Selector([("a", 5), ("b", 3), ("c", 1)])
    selector.pick_many(4)
    Selector.restore(selector.snapshot())

    with pytest.raises(InvalidSnapshot):
        Selector.restore(with_state(selector, **{name: change}))


@pytest.mark.parametrize(
    ("order", "changes"),
    [
        ("failover", {"order": [1, 1, 2]}),
        ("failover", {"order": [1, 2]}),
        ("random", {"seed": -1}),
        ("random", {"seed": 2**64}),
        ("random", {"seed": "7"}),
        ("random", {"seed": None}),
    ],
)
def test_a_damaged_order_or_seed_is_refused(
    make_selector: Any, order: str, changes: dict[str, Any]
) -> None:
    selector = make_selector([("a", 5), ("b", 3), ("c", 1)], scheduler=order, rng=7)

    with pytest.raises(InvalidSnapshot):
        make_selector.restore(with_state(selector, **changes))


def test_a_heavy_target_beside_light_ones_that_come_and_go(make_selector: Any) -> None:
    """Light targets come, are picked once and leave; the heavy one keeps its share."""
    selector = make_selector([("heavy", 2_000)])
    for k in range(scaled(300)):
        selector.add(k, 1)
        while selector.pick() != k:
            pass
        selector.remove(k)

    selector._check()
    other = make_selector.restore(selector.snapshot())
    for each in (selector, other):
        each.add("late", 3)
    picks = [selector.pick() for _ in range(2_003)]
    assert [other.pick() for _ in range(2_003)] == picks
    assert picks.count("late") == 3


def owing(make_selector: Any, half_picks: int) -> Any:
    """A selector of heavy targets after the departure of so many that were ahead."""
    selector = make_selector({"a": 2**31 - 1, "b": 2**31 - 1})
    selector.pick_many(3)
    data = selector.snapshot()
    state = data["state"]
    units = half_picks * (state["scale"] // 2) + state["scale"]
    moved, rest = divmod(units, 2 * (2**31 - 1))
    state["clock"] += moved
    state["clock_rest"] += rest
    state["slow"], state["debt"] = half_picks, state["scale"]
    return make_selector.restore(data)


@pytest.mark.parametrize("half_picks", [1, 8, 2**20, 2**30, 2**30 + 8])
def test_a_debt_is_paid_and_taken_over_up_to_its_limit(half_picks: int) -> None:
    """At the limit, what leaves ahead sets the clock back; both implementations do it alike."""
    selectors = [owing(make, half_picks) for make in (Selector, ReferenceSelector)]
    found = []
    for selector in selectors:
        picks = selector.pick_many(1)
        slow = [selector.snapshot()["state"]["slow"]]
        for name in "cd":
            selector.add(name, 5)
            slow.append(selector.snapshot()["state"]["slow"])
        picks += selector.pick_many(40)
        for name in (picks[-1], "c"):
            selector.remove(name)
            slow.append(selector.snapshot()["state"]["slow"])
        picks += selector.pick_many(40)
        selector._check()
        found.append((picks, slow))
    assert found[0] == found[1]
    assert found[0][1][:3] == [max(0, half_picks - k) for k in (1, 3, 5)]


def test_a_snapshot_of_the_other_implementation_is_refused() -> None:
    for one, two in ((Selector, ReferenceSelector), (ReferenceSelector, Selector)):
        with pytest.raises(InvalidSnapshot):
            two.restore(one([("a", 2), ("b", 1)]).snapshot())


def test_a_selector_that_was_never_initialized_is_empty() -> None:
    """`__new__` without `__init__`, as in a half-written subclass."""
    selector = Selector.__new__(Selector)

    assert (len(selector), selector.rows(), selector.eligible) == (0, [], False)
    with pytest.raises(Exception, match="no eligible target"):
        selector.pick()
    made = Selector([("a", 1)])
    with pytest.raises(TypeError, match="initialized once"):
        made.__init__()  # type: ignore[misc] # what is tested


def test_the_compiled_class_checks_what_its_private_methods_receive() -> None:
    used = _wrr.FailoverScheduler()
    core: Any = _wrr.Selector(used)
    core._add("a", 1)
    with pytest.raises(NotImplementedError):
        core._remove("b")
    with pytest.raises(ValueError, match="one selector only"):
        _wrr.Selector(used)
    targets, up, state = core._state()
    scheduler: Any
    bad_up: Any
    for scheduler, bad_targets, bad_up, message in (
        (_wrr.FailoverScheduler(), [], {}, "number of targets"),
        (_wrr.FailoverScheduler(), targets, {}, "number of targets"),
        (_wrr.FailoverScheduler(), targets, {1: True}, "index"),
        (_wrr.FailoverScheduler(), targets, {0: 1}, "status"),
        (used, targets, up, "in use"),
    ):
        with pytest.raises(ValueError, match=message):
            _wrr.Selector(_wrr.FairScheduler())._load(scheduler, bad_targets, bad_up, state)
    with pytest.raises(KeyError):
        _wrr.Selector(_wrr.FairScheduler())._load(_wrr.FairScheduler(), targets, up, state)
    with pytest.raises(ValueError, match="in use"):
        core._load(_wrr.FailoverScheduler(), targets, up, state)


def test_a_scheduler_that_a_selector_has_is_not_given_to_another() -> None:
    taken = _wrr.FailoverScheduler()
    core: Any = _wrr.Selector(taken)
    with pytest.raises(ValueError, match="one selector only"):
        _wrr.Selector(taken)
    with pytest.raises(ValueError, match="in use"):
        _wrr.Selector(_wrr.FairScheduler())._load(taken, [], {}, core._state()[2])
    core._add("a", 1)
    loaded = _wrr.FailoverScheduler()
    _wrr.Selector(_wrr.FairScheduler())._load(loaded, *core._state())
    with pytest.raises(ValueError, match="one selector only"):
        _wrr.Selector(loaded)


def test_an_empty_selector_has_no_schedule_to_restore() -> None:
    snapshot = Selector().snapshot()
    snapshot["state"]["pristine"] = False

    with pytest.raises(InvalidSnapshot, match="pristine"):
        Selector.restore(snapshot)


@pytest.mark.parametrize("targets", [{}, {"a": 0}])
def test_a_start_among_no_eligible_targets_is_refused(targets: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="counts"):
        Selector(targets)._skip(0, [0] * len(targets))


@pytest.mark.parametrize(
    ("picks", "counts"),
    [
        (6, [6, 0, 0]),  # not the shares
        (6, [5, 1]),
        (6, [5, 1, 1]),
        (6, [6, 1, -1]),
        (6, [4, 1, "1"]),
        (6, [4, 1, True]),
        (7, [5, 1, 1]),  # a whole period
        (7 * 10**9, [5 * 10**9, 10**9, 10**9]),
    ],
)
def test_a_start_that_no_schedule_has_is_refused(picks: int, counts: list[Any]) -> None:
    selector = Selector([("a", 5), ("b", 1), ("c", 1)])
    with pytest.raises((ValueError, TypeError)):
        selector._skip(picks, counts)

    selector._check()
    assert "".join(selector.pick_many(7)) == "aabaaca"

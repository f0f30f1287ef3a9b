"""Snapshots, restoring and pickling: at any moment, and the picks go on as if nothing had been."""

from __future__ import annotations

import copy
import pickle
import random
from typing import Any

import pytest

from uplinks import _wrr
from uplinks.balance import ReferenceSelector, Selector
from uplinks.errors import InvalidSnapshot

ORDERS = ["fair", "failover", "random"]


def again(selector: Any) -> list[Any]:
    """Give the selector once more, by each way there is."""
    return [
        type(selector).restore(selector.snapshot()),
        pickle.loads(pickle.dumps(selector)),  # noqa: S301 - our own bytes
        copy.deepcopy(selector),
    ]


def facts(selector: Any) -> tuple[Any, ...]:
    # A restored selector lists its targets by index, which need not be their order of insertion.
    return sorted(selector.rows()), dict(selector.counts), selector.targets, selector.period()


@pytest.mark.parametrize("scheduler", ORDERS)
@pytest.mark.parametrize("start", [0, 3, 2**40 + 7])
def test_a_copy_goes_on_from_any_moment(make_selector: Any, scheduler: str, start: int) -> None:
    selector = make_selector([("a", 5), ("b", 3), ("c", 1)], scheduler=scheduler, start=start)

    # Before anything, amid the recording, at its end, amid the replay, after each kind of change.
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
    ):
        act()
        before = facts(selector)
        one, two, three = again(selector)
        for other in (one, two, three):
            assert facts(other) == before
        assert one.pick_many(40) == two.pick_many(40) == three.pick_many(40)
        assert facts(selector) == before
        one, two, three = again(selector)
        for other in (one, two, three):
            other.add("z", 2)
        assert one.pick_many(40) == two.pick_many(40) == three.pick_many(40)
        goes_on = make_selector.restore(selector.snapshot()).pick_many(3)
        assert goes_on == selector.pick_many(3)


@pytest.mark.parametrize("scheduler", ORDERS)
def test_a_copy_is_its_own(make_selector: Any, scheduler: str) -> None:
    selector = make_selector([("a", 2), ("b", 1)], scheduler=scheduler)
    selector.pick_many(7)
    snapshot = selector.snapshot()
    before = copy.deepcopy(snapshot)
    other = make_selector.restore(snapshot)
    other.pick_many(50)
    other.remove("a")

    assert snapshot == before
    assert selector.snapshot() == before
    assert make_selector.restore(snapshot).pick_many(9) == selector.pick_many(9)


def test_targets_stand_in_a_snapshot_as_they_are(make_selector: Any) -> None:
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

    for other in again(top):
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


@pytest.mark.parametrize("scheduler", ["random", "foreign"])
def test_what_others_keep_cannot_be_copied(make_selector: Any, scheduler: str) -> None:
    class Foreign:
        def set_weight(self, index: int, weight: int) -> None: ...
        def next_index(self) -> int:
            return 0

    selector = make_selector(
        [("a", 1)],
        scheduler=Foreign() if scheduler == "foreign" else scheduler,
        rng=random.Random(1),  # noqa: S311 - a test
    )
    for act in (selector.snapshot, lambda: pickle.dumps(selector), lambda: copy.copy(selector)):
        with pytest.raises(InvalidSnapshot):
            act()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"version": 3},
        {"version": "2"},
        {"scheduler": "random"},
        {"scheduler": "none"},
        {"scheduler": None},
        {"scheduler": "edf"},
        {"targets": [{"target": "a"}]},
        {"targets": []},
        {"targets": None},
        {"targets": [{}, {}]},
        {"targets": [{"target": []}, {"target": "b"}]},
        {"targets": [{"selector": {}}, {"target": "b"}]},
        {"up": [True]},
        {"up": None},
        {"columns": {}},
        {"columns": None},
    ],
)
def test_what_is_no_snapshot_is_refused(make_selector: Any, change: dict[str, Any]) -> None:
    snapshot = make_selector([("a", 2), ("b", 1)]).snapshot()

    with pytest.raises(InvalidSnapshot):
        make_selector.restore({**snapshot, **change})
    for key in change:
        with pytest.raises(InvalidSnapshot):
            make_selector.restore({k: v for k, v in snapshot.items() if k != key})


@pytest.mark.parametrize(
    "change",
    [
        {"version": 3},
        {"scheduler": "none"},
        {"targets": [{"target": "a"}]},
        {"targets": [{"target": "a"}, {"target": "a"}, {"target": "c"}]},
        {"targets": [{"target": []}, {"target": "b"}, {"target": "c"}]},
        {"up": [True]},
        {"up": [True, None, True]},
        {"up": [True, 1, None]},
        {"up": [True, True, True]},
    ],
)
def test_the_same_damage_is_refused_in_the_same_words(change: dict[str, Any]) -> None:
    words = set()
    for make in (Selector, ReferenceSelector):
        selector = make([("a", 2), ("b", 1), ("c", 1)])
        selector.remove("c")
        with pytest.raises(InvalidSnapshot) as raised:
            make.restore({**selector.snapshot(), **change})
        words.add(raised.value.reason)

    assert len(words) == 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weight", [2, 1]),
        ("weight", [2, -1, 1]),
        ("weight", [2, 2**31, 1]),
        ("weight", [2, True, 1]),
        ("weight", [2, 1.0, 1]),
        ("weight", (2, 1, 1)),
        ("weight", None),
        ("made", [0, -1, 0]),
        ("made", [0, 2**64, 0]),
        ("made", [0, 0]),
        ("free", []),
        ("free", [1]),
        ("free", [2, 2]),
        ("free", [3]),
        ("free", ["2"]),
        ("free", None),
    ],
)
def test_a_damaged_column_is_refused(make_selector: Any, order: str, name: str, value: Any) -> None:
    selector = make_selector([("a", 2), ("b", 1), ("c", 1)], scheduler=order)
    selector.remove("c")
    snapshot = selector.snapshot()
    make_selector.restore(snapshot)
    columns = snapshot["columns"]
    assert name in columns

    with pytest.raises(InvalidSnapshot):
        make_selector.restore({**snapshot, "columns": {**columns, name: value}})
    with pytest.raises(InvalidSnapshot):
        make_selector.restore(
            {**snapshot, "columns": {k: v for k, v in columns.items() if k != name}}
        )


def test_who_had_its_share_and_is_open_all_the_same_is_refused() -> None:
    """A period would be recorded that lacks another, which would be looked for without end."""
    selector = Selector([("a", 1), ("b", 1), ("c", 1)])
    selector.pick()
    snapshot = selector.snapshot()
    columns = snapshot["columns"]
    columns["window"][0] -= 2**63  # the bit of those that wait

    with pytest.raises(InvalidSnapshot):
        Selector.restore(snapshot)


@pytest.mark.parametrize(
    "forged",
    [
        {"clock": 2**61 + 2**32, "end": [0, 2**61]},
        {"clock": 5 * 2**60 - 1, "end": [9 * 2**60 - 2] * 2, "window": [2**63, 2**63 + 1]},
        {"owed": -(3 << 38)},
    ],
    ids=["a window before time began", "a window after its end", "nobody is behind"],
)
def test_a_time_that_no_key_can_hold_is_refused(forged: dict[str, Any]) -> None:
    """Its window would be looked at without end."""
    selector = Selector([("a", 1), ("b", 1)])
    selector.pick()
    snapshot = selector.snapshot()
    snapshot["columns"] |= forged

    with pytest.raises(InvalidSnapshot):
        Selector.restore(snapshot)


def test_who_stays_while_others_leave_ahead_may_fall_far_behind(make_selector: Any) -> None:
    """A heavy target that light ones come beside, are picked, and leave: hundreds of its picks."""
    selector = make_selector([("heavy", 2_000)])
    for k in range(300):
        selector.add(k, 1)
        while selector.pick() != k:
            pass
        selector.remove(k)

    selector._check()
    copy = make_selector.restore(selector.snapshot())
    for each in (selector, copy):
        each.add("late", 3)
    assert [copy.pick() for _ in range(2_003)] == [selector.pick() for _ in range(2_003)]


def test_a_snapshot_of_the_other_implementation_is_refused() -> None:
    for one, two in ((Selector, ReferenceSelector), (ReferenceSelector, Selector)):
        with pytest.raises(InvalidSnapshot):
            two.restore(one([("a", 2), ("b", 1)]).snapshot())


def test_a_selector_that_was_never_made_is_empty() -> None:
    """`__new__` without `__init__`: what a debugger or a half-written subclass may meet."""
    selector = Selector.__new__(Selector)

    assert (len(selector), selector.rows(), selector.eligible) == (0, [], False)
    with pytest.raises(Exception, match="no eligible target"):
        selector.pick()
    made = Selector([("a", 1)])
    with pytest.raises(TypeError, match="made once"):
        made.__init__()  # type: ignore[misc] # what is tested


def test_the_core_without_its_face() -> None:
    """What only somebody who goes round `balance` can meet is refused, too."""
    used = _wrr.FailoverScheduler()
    core = _wrr.Selector(used)
    core.add("a", 1)
    with pytest.raises(NotImplementedError):
        core.remove("b")
    with pytest.raises(ValueError, match="one selector only"):
        _wrr.Selector(used)
    columns = core._state()[2]
    with pytest.raises(ValueError, match="do not fit"):
        _wrr.Selector(_wrr.FairScheduler())._load(_wrr.FailoverScheduler(), [], [], columns)
    with pytest.raises(ValueError, match="in use"):
        _wrr.Selector(_wrr.FairScheduler())._load(used, ["a"], [True], columns)


def test_an_empty_scheduler_that_a_selector_has_is_no_other_ones() -> None:
    taken = _wrr.FailoverScheduler()
    core = _wrr.Selector(taken)
    with pytest.raises(ValueError, match="one selector only"):
        _wrr.Selector(taken)
    with pytest.raises(ValueError, match="in use"):
        _wrr.Selector(_wrr.FairScheduler())._load(taken, [], [], core._state()[2])
    core.add("a", 1)
    loaded = _wrr.FailoverScheduler()
    _wrr.Selector(_wrr.FairScheduler())._load(loaded, *core._state())
    with pytest.raises(ValueError, match="one selector only"):
        _wrr.Selector(loaded)


def test_more_targets_than_there_are_indices() -> None:
    with pytest.raises(OverflowError, match="at most 1048576 targets"):
        Selector()._reserve(2**20 + 1)

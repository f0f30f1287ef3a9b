"""Targets over a scheduler."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from copy import deepcopy
from itertools import compress, count
from typing import Any
from weakref import ref

from uplinks._wrr_reference.scheduler import Scheduler, expect

__all__ = ["Selector"]


def _columns(scheduler: Scheduler) -> dict[str, Any]:
    return {name: column for name, column in vars(scheduler).items() if name != "failure"}


class Selector:
    """Targets over a scheduler. The face adds the names of the failures."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._targets: list[Any] = []
        self._index: dict[Hashable, int] = {}
        self._up: list[bool] = []
        self._parents: list[ref[Selector]] = []
        self._was_eligible = False

    def _failure(self, kind: str, *facts: object) -> Exception:
        raise NotImplementedError

    # -- picks --------------------------------------------------------------

    def pick(self, *, exclude: Iterable[Hashable] | None = None) -> Any:
        found = [] if exclude is None else self._found(exclude)
        for node, i in found:
            if node._scheduler.alive[i]:
                node._scheduler.set_eligible(i, up=False)
                node._settle()
        try:
            node = self
            while True:
                i = node._scheduler.next_index()
                if i < 0:
                    node._check_failure()
                    raise node._nothing_eligible()
                target = node._targets[i]
                if not isinstance(target, Selector):
                    return target
                node = target
        finally:
            for node, i in found:
                if node._scheduler.alive[i]:
                    node._refresh(i)
                    node._settle()

    def _found(self, exclude: Iterable[Hashable]) -> list[tuple[Selector, int]]:
        if isinstance(exclude, str | bytes):
            raise TypeError(f"exclude is a collection of targets, not {type(exclude).__name__}")
        exclude = list(exclude)
        return [
            (node, node._index[target])
            for node in self._below()
            for target in exclude
            if target in node._index
        ]

    def pick_many(self, k: int) -> list[Any]:
        if k < 0:
            raise ValueError(f"cannot pick {k} targets: 0 or more is allowed")
        return [self.pick() for _ in range(k)]

    def pick_into(self, buffer: Any) -> None:
        view = memoryview(buffer)
        if view.format != "I" or view.ndim != 1 or view.readonly or not view.contiguous:
            raise ValueError("a writable, contiguous buffer of unsigned 32-bit items is allowed")
        if any(isinstance(t, Selector) for t in self._index):
            raise ValueError(
                "pick_into gives indices, which do not name what nested selectors pick"
            )
        for k in range(len(view)):
            i = self._scheduler.next_index()
            if i < 0:
                self._check_failure()
                raise self._nothing_eligible()
            view[k] = i

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self.pick()

    # -- changes ------------------------------------------------------------

    def add(self, target: Hashable, weight: int = 1) -> None:
        self._check_weight(weight)
        if target in self._index:
            raise self._failure("duplicate-target", target)
        if isinstance(target, Selector):
            if self in target._below():
                raise self._failure("cycle")
            target._parents.append(ref(self))
        i = self._scheduler.add(0)
        if i == len(self._targets):
            self._targets.append(target)
            self._up.append(True)
        self._targets[i] = target
        self._up[i] = True
        self._index[target] = i
        if isinstance(target, Selector):
            self._scheduler.set_eligible(i, up=target.eligible)
        self._scheduler.set_weight(i, weight)
        self._settle()
        self._check_failure()

    def remove(self, target: Hashable) -> None:
        i = self._find(target)
        held = self._targets[i]
        del self._index[target]
        self._targets[i] = None
        self._scheduler.remove(i)
        if isinstance(held, Selector):
            held._parents = [p for p in held._parents if p() is not self]
        self._settle()
        self._check_failure()

    def set_weight(self, target: Hashable, weight: int) -> None:
        self._check_weight(weight)
        self._scheduler.set_weight(self._find(target), weight)
        self._settle()
        self._check_failure()

    def update(self, weights: Mapping[Hashable, int]) -> None:
        found: list[tuple[int, int]] = []
        for target, weight in dict(weights).items():
            i = self._find(target)
            self._check_weight(weight)
            found.append((i, weight))
        for i, weight in found:
            self._scheduler.set_weight(i, weight)
        self._settle()
        self._check_failure()

    def replace(self, target: Hashable, new: Hashable) -> None:
        i = self._find(target)
        if isinstance(new, Selector) or isinstance(self._targets[i], Selector):
            raise TypeError("a selector cannot be replaced, nor replace a target")
        if new in self._index:
            raise self._failure("duplicate-target", new)
        del self._index[target]
        self._index[new] = i
        self._targets[i] = new

    def set_up(self, target: Hashable, up: bool) -> None:  # noqa: FBT001 - reads as a word
        i = self._find(target)
        self._up[i] = bool(up)
        self._refresh(i)
        self._settle()
        self._check_failure()

    # -- questions ----------------------------------------------------------

    @property
    def eligible(self) -> bool:
        return self._scheduler.any_eligible()

    def period(self) -> int:
        return self._scheduler.period()

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, target: Hashable) -> bool:
        return target in self._index

    def rows(self) -> list[tuple[Any, int, bool]]:
        """Target, weight and status of each target, in order of insertion."""
        weight = self._scheduler.weight
        return [(target, weight[i], self._up[i]) for target, i in self._index.items()]

    @property
    def targets(self) -> tuple[Any, ...]:
        return tuple(self._targets)

    def _made(self) -> list[tuple[Any, int]]:
        return [(target, self._scheduler.made[i]) for target, i in self._index.items()]

    def _reserve(self, targets: int) -> None:
        """Nothing to do: a list grows by itself."""

    def _skip(self, picks: int, counts: list[int] | None = None) -> None:
        self._scheduler.skip(picks, counts)
        self._check_failure()

    def _state(self) -> tuple[list[Any], list[bool | None], dict[str, Any]]:
        alive = self._scheduler.alive
        up = [self._up[i] if alive[i] else None for i in range(len(alive))]
        return list(self._targets), up, deepcopy(_columns(self._scheduler))

    def _load(
        self, scheduler: Scheduler, targets: list[Any], up: list[Any], columns: dict[str, Any]
    ) -> None:
        """Take over what `_state` gave, if it is a state that can be."""
        fresh = _columns(scheduler)
        if len(targets) != len(up) or fresh.keys() != columns.keys():
            raise ValueError("the targets do not fit")
        for name, column in fresh.items():
            expect(type(columns[name]) is type(column), name)
        vars(scheduler).update(deepcopy(columns))
        scheduler.check()
        if len(scheduler.weight) != len(targets):
            raise ValueError("the targets do not fit")
        for i, target in enumerate(targets):
            expect(type(up[i]) is (bool if scheduler.alive[i] else type(None)), "up")
            if up[i] is not None and self._index.setdefault(target, i) != i:
                raise ValueError("a target stands twice")
        self._scheduler = scheduler
        self._targets = [
            t if state is not None else None for t, state in zip(targets, up, strict=True)
        ]
        self._up = [bool(state) for state in up]
        for target in self._index:
            if isinstance(target, Selector):
                target._parents.append(ref(self))
        self._settle()
        self._check_own()

    def _check(self) -> None:
        """Raise `ValueError` unless everything kept, here and below, agrees."""
        for node in self._below():
            node._check_own()

    def _check_own(self) -> None:
        scheduler = self._scheduler
        scheduler.check()
        expect(len(self._targets) == len(self._up) == len(scheduler.weight), "targets")
        expect(sorted(self._index.values()) == list(compress(count(), scheduler.alive)), "index")
        for target, i in self._index.items():
            passable = self._up[i]
            if isinstance(target, Selector):
                passable = passable and target.eligible
                expect([p() for p in target._parents].count(self) == 1, "parents")
            expect(self._targets[i] is target, "index")
            expect(scheduler.up[i] is passable, "up")
        expect(all(self._targets[i] is None for i in scheduler.free), "targets")
        expect(self._was_eligible is self.eligible, "eligible")

    # -- inside -------------------------------------------------------------

    def _check_weight(self, weight: object) -> None:
        if type(weight) is not int or not 0 <= weight < 1 << 31:
            raise self._failure("weight", weight)

    def _find(self, target: Hashable) -> int:
        i = self._index.get(target)
        if i is None:
            raise self._failure("unknown-target", target)
        return i

    def _below(self) -> list[Selector]:
        """The selector itself and all that are in it, at any depth, each once."""
        found = [self]
        seen = {id(self)}
        for node in found:  # which grows meanwhile
            for target in node._index:
                if isinstance(target, Selector) and id(target) not in seen:
                    seen.add(id(target))
                    found.append(target)
        return found

    def _check_failure(self) -> None:
        failure, self._scheduler.failure = self._scheduler.failure, None
        if failure is not None:
            raise failure

    def _refresh(self, i: int) -> None:
        target = self._targets[i]
        passable = not isinstance(target, Selector) or target.eligible
        self._scheduler.set_eligible(i, up=self._up[i] and passable)

    def _settle(self) -> None:
        """Tell the selectors above when this one begins or ceases to be eligible."""
        left: list[Selector] = [self]
        while left:
            node = left.pop()
            if node.eligible is node._was_eligible:
                continue
            node._was_eligible = node.eligible
            for parent in [p() for p in node._parents]:
                if parent is not None:
                    parent._refresh(parent._index[node])
                    left.append(parent)

    def _nothing_eligible(self) -> Exception:
        rows = self.rows()
        without_weight = sum(weight == 0 for _, weight, _ in rows)
        return self._failure(
            "nothing-eligible", len(rows), without_weight, len(rows) - without_weight
        )

"""Targets over a scheduler."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from copy import deepcopy
from itertools import compress, count
from math import log
from typing import Any
from weakref import ref

from uplinks._wrr_reference.hashing import mix, stable_hash
from uplinks._wrr_reference.orders import ForeignScheduler
from uplinks._wrr_reference.scheduler import Scheduler, expect

__all__ = ["Selector"]


def _columns(scheduler: Scheduler) -> dict[str, Any]:
    unknown = ("failure", "inner", "refusal", "queue", "changes")
    return {name: column for name, column in vars(scheduler).items() if name not in unknown}


class Selector:
    """Targets over a scheduler. The face adds the names of the failures."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._targets: list[Any] = []
        self._index: dict[Hashable, int] = {}
        self._up: list[bool] = []
        self._excluded: Counter[int] = Counter()  # from how many picks that are being made
        self._parents: list[ref[Selector]] = []
        self._was_eligible = False

    def _failure(self, kind: str, *facts: object) -> Exception:
        raise NotImplementedError

    # -- picks --------------------------------------------------------------

    def pick(self, *, exclude: Iterable[Hashable] | None = None, key: object = None) -> Any:
        found = [] if exclude is None else self._found(exclude)
        if key is not None:
            key = stable_hash(key)
            for node in self._below():
                for i in compress(count(), node._scheduler.alive):
                    node._token(i)
        for node, i in found:
            node._excluded[i] += 1
            node._refresh(i)
            node._notify_parents()
        node, i = self._descend(key)
        for other, j in found:
            other._excluded[j] -= 1
            if other._scheduler.alive[j]:
                other._refresh(j)
                other._notify_parents()
        self._flush()
        if i < 0:
            raise node._failure_of_pick()
        return node._targets[i]

    def _descend(self, key: Any) -> tuple[Selector, int]:
        """Pick through selectors of any depth; return the last one and the index there."""
        node = self
        while True:
            i = node._scheduler.next_index() if key is None else node._closest(key)
            if i < 0 or not isinstance(node._targets[i], Selector):
                return node, i
            node = node._targets[i]

    def _token(self, i: int) -> int:
        target = self._targets[i]
        return stable_hash(i if isinstance(target, Selector) else target)

    def _closest(self, key: int) -> int:
        """Return the eligible index with the least -ln(u) / weight, u being drawn from both."""
        scores: dict[int, float] = {}
        for i in self._scheduler.members():
            u = ((mix(self._token(i) ^ key) >> 11) + 0.5) / (1 << 53)
            scores[i] = -log(u) / self._scheduler.weight[i]
        best = min(scores, key=scores.__getitem__, default=-1)
        if best >= 0:
            self._scheduler.made[best] += 1
        return best

    def _found(self, exclude: Iterable[Hashable]) -> list[tuple[Selector, int]]:
        if isinstance(exclude, str | bytes):
            raise TypeError(
                f"exclude must be a collection of targets, got {type(exclude).__name__}"
            )
        exclude = list(exclude)
        return [
            (node, node._index[target])
            for node in self._below()
            for target in exclude
            if target in node._index
        ]

    def pick_many(self, k: int) -> list[Any]:
        if k < 0:
            raise ValueError(f"k must be 0 or more, got {k}")
        return [self.pick() for _ in range(k)]

    def pick_into(self, buffer: Any) -> None:
        view = memoryview(buffer)
        if view.format != "I" or view.ndim != 1 or view.readonly or not view.contiguous:
            raise ValueError("the buffer must be writable, contiguous and of unsigned 32-bit items")
        if any(isinstance(t, Selector) for t in self._index):
            raise ValueError(
                "pick_into returns indices, which do not name the targets of nested selectors"
            )
        for k in range(len(view)):
            i = self._scheduler.next_index()
            if i < 0:
                raise self._failure_of_pick()
            view[k] = i

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self.pick()

    # -- changes ------------------------------------------------------------

    def _add(self, target: Hashable, weight: int) -> None:
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
        self._notify_parents()
        self._flush()

    def _remove(self, target: Hashable) -> None:
        i = self._find(target)
        held = self._targets[i]
        del self._index[target]
        self._targets[i] = None
        self._scheduler.remove(i)
        if isinstance(held, Selector):
            held._parents = [p for p in held._parents if p() is not self]
        self._notify_parents()
        self._flush()

    def _update(self, weights: Mapping[Hashable, int]) -> None:
        found: list[tuple[int, int]] = []
        for target, weight in dict(weights).items():
            i = self._find(target)
            self._check_weight(weight)
            found.append((i, weight))
        for i, weight in found:
            self._scheduler.set_weight(i, weight)
        self._notify_parents()
        self._flush()

    def _replace(self, target: Hashable, new: Hashable) -> None:
        i = self._find(target)
        if isinstance(new, Selector) or isinstance(self._targets[i], Selector):
            raise TypeError("a selector cannot be replaced, nor replace a target")
        if new in self._index:
            raise self._failure("duplicate-target", new)
        self._index = {new if t is target or t == target else t: j for t, j in self._index.items()}
        self._targets[i] = new

    def _set_up(self, target: Hashable, up: bool) -> None:  # noqa: FBT001 - reads as a word
        i = self._find(target)
        self._up[i] = bool(up)
        self._refresh(i)
        self._notify_parents()
        self._flush()

    # -- questions ----------------------------------------------------------

    @property
    def eligible(self) -> bool:
        return self._scheduler.any_eligible()

    def _period(self) -> int:
        return self._scheduler.period()

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, target: Hashable) -> bool:
        return target in self._index

    def _rows(self, counted: bool = False) -> list[tuple[Any, int, bool, Any]]:  # noqa: FBT001, FBT002
        """Target, weight, status and, if asked for, picks of each target, in order of insertion."""
        weight, made = self._scheduler.weight, self._scheduler.made
        return [
            (target, weight[i], self._up[i], made[i] if counted else None)
            for target, i in self._index.items()
        ]

    @property
    def targets(self) -> tuple[Any, ...]:
        return tuple(self._targets)

    def _skip(self, picks: int, counts: list[int] | None = None) -> None:
        self._scheduler.skip(picks, counts)
        if self._scheduler.failure is not None:
            raise self._failure_of_pick()

    def _state(
        self, before: Callable[[], object] | None = None
    ) -> tuple[list[Any], dict[int, bool], dict[str, Any]]:
        self._flush()  # the state does not say what a Python scheduler has not received yet
        if before is not None:
            before()
        up = {i: self._up[i] for i in self._index.values()}
        self._scheduler.restart()
        return list(self._targets), up, deepcopy(_columns(self._scheduler))

    def _load(
        self, scheduler: Scheduler, targets: list[Any], up: dict[int, bool], columns: dict[str, Any]
    ) -> None:
        """Take over what `_state` returned, if it is a possible state."""
        fresh = _columns(scheduler)
        expect(fresh.keys() == columns.keys(), "state")
        for name, column in fresh.items():
            expect(type(columns[name]) is type(column), name)
        vars(scheduler).update(deepcopy(columns))
        scheduler.check()
        expect(len(scheduler.weight) == len(targets), "number of targets")
        expect(sorted(up) == list(compress(count(), scheduler.alive)), "index")
        for i, state in up.items():
            expect(type(i) is int and type(state) is bool, "status")
            expect(self._index.setdefault(targets[i], i) == i, "target: it occurs twice")
        self._scheduler = scheduler
        self._targets = [t if i in up else None for i, t in enumerate(targets)]
        self._up = [up.get(i, False) for i in range(len(targets))]
        for target in self._index:
            if isinstance(target, Selector):
                target._parents.append(ref(self))
        self._notify_parents()
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
            passable = self._up[i] and not self._excluded[i]
            if isinstance(target, Selector):
                passable = passable and target.eligible
                expect([p() for p in target._parents].count(self) == 1, "parents")
            expect(self._targets[i] is target, "index")
            expect(scheduler.up[i] is passable, "up")
        expect(all(self._targets[i] is None for i in scheduler.free), "targets")
        expect(self._was_eligible is self.eligible, "eligible")

    # -- inside -------------------------------------------------------------

    def _ended(self, target: Hashable, ok: object, nanoseconds: int) -> None:
        for node in self._below():
            scheduler = node._scheduler
            if isinstance(scheduler, ForeignScheduler) and target in node._index:
                hook = getattr(scheduler.inner, "ended", None)
                if hook is not None:
                    hook(node._index[target], bool(ok), int(nanoseconds))

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

    def _flush(self) -> None:
        """Give Python schedulers, here and above, the weights that have changed."""
        left: list[Selector] = [self]
        while left:
            node = left.pop()
            if isinstance(node._scheduler, ForeignScheduler):
                node._scheduler.flush()
            left += [parent for p in node._parents if (parent := p()) is not None]

    def _refresh(self, i: int) -> None:
        target = self._targets[i]
        passable = not isinstance(target, Selector) or target.eligible
        self._scheduler.set_eligible(i, up=self._up[i] and not self._excluded[i] and passable)

    def _notify_parents(self) -> None:
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

    def _failure_of_pick(self) -> BaseException:
        failure, self._scheduler.failure = self._scheduler.failure, None
        if failure is not None:
            return failure
        return self._failure("nothing-eligible", self._rows(), len(self._scheduler.members()))

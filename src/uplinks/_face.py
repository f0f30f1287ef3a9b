"""What both selectors have in common: names, documentation, views, snapshots.

What is called once per request lives in `_wrr`; what is called now and then lives here. This
module names the failures and the schedulers, so that the schedulers need not know this package.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterable, Mapping
from copy import deepcopy
from math import gcd
from operator import index
from types import MappingProxyType, ModuleType
from typing import Any, ClassVar, Final, Protocol, Self, cast

from uplinks import _wrr_reference, errors

__all__ = ["SelectorFace"]

_SNAPSHOT_VERSION: Final = 3
_COMPILED: Final[Mapping[str, str]] = MappingProxyType(
    {"fair": "FairScheduler", "failover": "FailoverScheduler", "random": "RandomScheduler"}
)
_IN_PYTHON: Final[Mapping[str, str]] = MappingProxyType({"edf": "Edf", "smooth": "Smooth"})

_PAIR: Final = 2  # the length of a pair

_FARTHEST: Final = 1 << 16
"""Where "edf" and "smooth" may start, in picks: these are made one by one."""


class _Core(Protocol):
    """What the two implementations share, as far as the face needs it."""

    @property
    def targets(self) -> tuple[Any, ...]: ...
    def rows(self) -> list[tuple[Any, int, bool]]: ...
    def snapshot(self) -> dict[str, Any]: ...
    def _add(self, target: Hashable, weight: int) -> None: ...
    def _period(self) -> int: ...
    def _remove(self, target: Hashable) -> None: ...
    def _set_up(self, target: Hashable, up: bool) -> None: ...  # noqa: FBT001
    def _update(self, weights: Mapping[Any, int]) -> None: ...
    def _replace(self, target: Hashable, new: Hashable) -> None: ...
    def _ended(self, target: Hashable, ok: bool, nanoseconds: int) -> None: ...  # noqa: FBT001
    def _rows(self, counted: bool = ...) -> list[tuple[Any, int, bool, Any]]: ...  # noqa: FBT001
    def _skip(self, picks: int, counts: list[int] | None = None) -> None: ...
    def _state(
        self, before: Callable[[], object] | None = None
    ) -> tuple[list[Any], dict[int, bool], dict[str, Any]]: ...


class SelectorFace:
    """What both selectors have in common."""

    __slots__ = ()

    _scheduler_name: str
    _python_scheduler: object
    _schedulers: ClassVar[ModuleType]

    def _failure(self, kind: str, *facts: Any) -> Exception:
        if kind == "nothing-eligible":
            rows, excluded = facts
            weightless = sum(weight == 0 for _, weight, _, _ in rows)
            facts = len(rows), weightless, len(rows) - weightless - excluded, excluded
        return _FAILURES[kind](*facts)

    def _hash(self, value: object) -> int:
        return _wrr_reference.stable_hash(value)

    def _make_scheduler(self: Any, scheduler: object, rng: Any) -> Any:
        """Make a scheduler by its name, or a stand-in for a Python scheduler."""
        self._scheduler_name = scheduler if isinstance(scheduler, str) else ""
        self._python_scheduler = None
        known = self._schedulers
        if isinstance(scheduler, str) and scheduler in _COMPILED:
            make = getattr(known, _COMPILED[scheduler])
            return make(_seed(rng)) if scheduler == "random" else make()
        if isinstance(scheduler, str) and scheduler in _IN_PYTHON:
            from uplinks import schedulers  # noqa: PLC0415 - only for those who ask for one

            scheduler = getattr(schedulers, _IN_PYTHON[scheduler])()
        elif not all(
            callable(getattr(scheduler, name, None)) for name in ("set_weight", "next_index")
        ):
            names = ", ".join(map(repr, (*_COMPILED, *_IN_PYTHON)))
            raise errors.InvalidScheduler(
                scheduler, f"use {names}, or an object with set_weight and next_index"
            )
        self._python_scheduler = scheduler
        return known.ForeignScheduler(scheduler, _refusal)

    def _fill(self: Any, targets: Any, start: Any) -> None:
        try:
            start = index(start)
        except TypeError:
            raise TypeError(f"start must be an integer, got {errors.quote(start)}") from None
        for target, weight in _pairs(targets):
            self.add(target, weight)
        period = self.period()
        if not period:
            return
        if self._scheduler_name in _IN_PYTHON:
            period = min(period, _FARTHEST)
        picks = start % period
        far = picks > _wrr_reference.RECORD_LIMIT
        self._skip(picks, _shares(self, picks) if far else None)

    # -- changes ------------------------------------------------------------------

    def add(self: _Core, target: Hashable, weight: int = 1) -> None:
        """Add a target that is up; it claims nothing for the time before.

        ``weight`` is an integer from 0 to 2**31 - 1. Complexity: O(log n) amortized.

        Raises: `InvalidWeight`, `DuplicateTarget`, `SelectorCycle` (a selector that would contain
        itself), `OverflowError` past 2**20 targets. Nothing is changed then.

        >>> from uplinks import Selector
        >>> selector = Selector()
        >>> selector.add("a", 3)
        >>> "a" in selector, len(selector)
        (True, 1)
        """
        self._add(target, weight)

    def remove(self: _Core, target: Hashable) -> None:
        """Remove a target. Complexity: O(log n) amortized.

        Raises: `UnknownTarget`.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 1), ("b", 1)])
        >>> selector.remove("a")
        >>> selector.pick()
        'b'
        """
        self._remove(target)

    def set_weight(self: _Core, target: Hashable, weight: int) -> None:
        """Change a target's weight; it keeps its lead or lag, up to 2 picks.

        ``weight`` is an integer from 0 to 2**31 - 1; a target of weight 0 is never picked.
        Complexity: O(log n) amortized; O(n + period/2) where it ends a replay.

        Raises: `InvalidWeight`, `UnknownTarget`. Nothing is changed then.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 1), ("b", 1)])
        >>> selector.set_weight("a", 0)
        >>> [selector.pick(), selector.pick()]
        ['b', 'b']
        """
        self._update({target: weight})

    def set_up(self: _Core, target: Hashable, up: bool) -> None:  # noqa: FBT001 - reads as a word
        """Set whether a target is up; only targets that are up are picked.

        Complexity: O(log n) amortized; O(n + period/2) where it ends a replay.

        Raises: `UnknownTarget`.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 9), ("b", 1)])
        >>> selector.set_up("a", False)
        >>> selector.pick()
        'b'
        """
        self._set_up(target, up)

    def update(self: _Core, weights: Mapping[Any, int]) -> None:
        """Set the weights of several targets, given as a mapping, in one step.

        Complexity: O(k log n) amortized for k targets.

        Raises: `InvalidWeight`, `UnknownTarget`, `TypeError` for anything but a mapping. Nothing
        is changed then.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 1), ("b", 1), ("c", 1)])
        >>> selector.update({"a": 3, "b": 0})
        >>> dict(selector.weights)
        {'a': 3, 'b': 0, 'c': 1}
        """
        if not isinstance(weights, Mapping):
            raise TypeError(
                f"weights must be a mapping of targets to weights, got {errors.quote(weights)}"
            )
        self._update(weights)

    def replace(self: _Core, target: Hashable, new: Hashable) -> None:
        """Put another target in a target's place: with its weight, state and turn.

        Neither may be a selector. Complexity: O(1).

        Raises: `UnknownTarget`, `DuplicateTarget`, `TypeError` for selectors. Nothing is changed
        then.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 2), ("b", 1)])
        >>> selector.pick()
        'a'
        >>> selector.replace("b", "B")
        >>> selector.pick()
        'B'
        """
        self._replace(target, new)

    def ended(self: _Core, target: Hashable, ok: bool, nanoseconds: int) -> None:  # noqa: FBT001 - as in the protocol
        """Report that a request to a target has ended, for schedulers that learn from it.

        ``ok`` says whether it succeeded, ``nanoseconds`` how long it took. Every scheduler, at any
        depth, that holds the target and has a method ``ended(index, ok, nanoseconds)`` is called
        with the target's index; a target that is gone is ignored.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 1)])
        >>> selector.ended(selector.pick(), True, 2_000_000)
        """
        self._ended(target, ok, nanoseconds)

    # -- queries ------------------------------------------------------------------

    def rows(self: _Core) -> list[tuple[Any, int, bool]]:
        """List target, weight and status of each target, in order of insertion.

        Complexity: O(n).

        >>> from uplinks import Selector
        >>> Selector([("a", 90), ("b", 10)]).rows()
        [('a', 90, True), ('b', 10, True)]
        """
        return [row[:3] for row in self._rows()]

    def period(self: _Core) -> int:
        """Return the number of picks after which the schedule repeats while nothing changes.

        0 means that no pick is possible, or that the order is not known to repeat. Complexity:
        O(1); O(n) for "edf" and "smooth".

        >>> from uplinks import Selector
        >>> Selector([("a", 90), ("b", 10)]).period()
        10
        """
        face: Any = self
        if face._scheduler_name not in _IN_PYTHON:  # noqa: SLF001 - its own
            return self._period()
        weights = [weight for _, weight, up in self.rows() if up]
        return sum(weights) // (gcd(*weights) or 1)

    @property
    def weights(self: _Core) -> Mapping[Any, int]:
        """The weight of each target, as it is now. Complexity: O(n)."""
        return MappingProxyType({target: weight for target, weight, _, _ in self._rows()})

    @property
    def states(self: _Core) -> Mapping[Any, bool]:
        """Whether each target is up, as last set. Complexity: O(n)."""
        return MappingProxyType({target: up for target, _, up, _ in self._rows()})

    @property
    def counts(self: _Core) -> Mapping[Any, int]:
        """How often each target was picked since it was added.

        Derived on request: a replayed pick counts nothing. Complexity: O(n + picks in this
        period).
        """
        rows = self._rows(counted=True)
        return MappingProxyType({target: picks for target, _, _, picks in rows})

    def __repr__(self: _Core) -> str:
        rows = self._rows()
        up = sum(up for _, _, up, _ in rows)
        return f"<{type(self).__name__}: {len(rows)} target{'s' * (len(rows) != 1)}, {up} up>"

    def snapshot(self: _Core) -> dict[str, Any]:
        """Return the whole state as plain data, for `restore`.

        Targets are included as they are; a target that is a selector, as its own snapshot. Taking
        one begins a new period. Complexity: O(n + period/2).

        Raises: `InvalidSnapshot` for a Python scheduler, whose state is unknown here (pickling
        works if it can be pickled), and for selectors nested too deeply for Python's stack.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 2), ("b", 1)])
        >>> selector.pick()
        'a'
        >>> other = Selector.restore(selector.snapshot())
        >>> other.pick_many(3) == selector.pick_many(3)
        True
        """
        face: Any = self
        if face._scheduler_name not in _COMPILED:  # noqa: SLF001 - its own
            raise errors.InvalidSnapshot("the state of a Python scheduler is unknown")
        targets, up, state = self._state()
        try:
            return {
                "version": _SNAPSHOT_VERSION,
                "scheduler": face._scheduler_name,  # noqa: SLF001 - its own
                "targets": [
                    {"selector": cast("Any", target).snapshot()}
                    if isinstance(target, SelectorFace)
                    else {"target": target}
                    for target in targets
                ],
                "up": [[i, status] for i, status in up.items()],
                "state": state,
            }
        except RecursionError as error:
            raise errors.InvalidSnapshot("selectors are nested too deeply") from error

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> Self:
        """Make a selector that goes on where a snapshot was taken.

        Complexity: O(n).

        Raises: `InvalidSnapshot` for anything but a snapshot of this version and implementation.
        """
        try:
            restored = cls._restored(snapshot)
            cast("Any", restored)._check()  # noqa: SLF001 - its own
        except RecursionError as error:
            raise errors.InvalidSnapshot("selectors are nested too deeply") from error
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            if isinstance(error, errors.InvalidSnapshot):
                raise
            raise errors.InvalidSnapshot(f"{type(error).__name__}: {error}") from error
        return restored

    @classmethod
    def _restored(cls, snapshot: Mapping[str, Any]) -> Self:
        if snapshot["scheduler"] not in _COMPILED:
            raise errors.InvalidSnapshot(f"unknown scheduler {snapshot['scheduler']!r}")
        targets = [
            cls._restored(entry["selector"]) if "selector" in entry else entry["target"]
            for entry in snapshot["targets"]
        ]
        up = {i: status for i, status in snapshot["up"]}  # noqa: C416 - each must be a pair
        version, name = snapshot["version"], snapshot["scheduler"]
        made = _unpickled(cls, version, name, None, (targets, up, dict(snapshot["state"])))
        return cast("Self", made)

    def __reduce__(self) -> tuple[Any, ...]:
        face: Any = self
        copies: list[object] = []

        def copy() -> None:
            """Copy the scheduler in the lock, and without finalizers that use the selector."""
            collects = gc.isenabled()
            gc.disable()
            try:
                copies.append(deepcopy(face._python_scheduler))  # noqa: SLF001 - its own
            finally:
                if collects:
                    gc.enable()

        state = face._state(copy)  # noqa: SLF001
        known = face._scheduler_name, *copies  # noqa: SLF001
        return _unpickled, (type(self), _SNAPSHOT_VERSION, *known, state)


def _unpickled(
    cls: type[Any],
    version: int,
    name: str,
    scheduler: object,
    state: tuple[list[Any], dict[int, bool], dict[str, Any]],
) -> Any:
    if version != _SNAPSHOT_VERSION:
        raise errors.InvalidSnapshot(f"version must be {_SNAPSHOT_VERSION}, got {version!r}")
    order = name if scheduler is None else scheduler
    made = cls(scheduler=order, rng=0)
    made._load(made._make_scheduler(order, 0), *state)
    made._scheduler_name = name
    return made


def _pairs(targets: Any) -> list[tuple[Any, Any]]:
    """Return the pairs of targets and weights. Raises: TypeError for anything else."""
    if isinstance(targets, Mapping):
        return list(targets.items())
    # A string would be taken apart, and a selector iterates over its picks without an end.
    if isinstance(targets, str | bytes | SelectorFace) or not isinstance(targets, Iterable):
        raise TypeError(
            "targets must be a mapping of targets to weights, or pairs of a target and its "
            f"weight, got {errors.quote(targets)}"
        )
    pairs = []
    for pair in targets:
        if not isinstance(pair, tuple | list) or len(pair) != _PAIR:
            raise TypeError(
                "targets must be pairs of a target and its weight, as in "
                f"Selector([('a', 1), ('b', 1)]), got {errors.quote(pair)}"
            )
        pairs.append((pair[0], pair[1]))
    return pairs


def _seed(rng: Any) -> int:
    draw = getattr(rng, "getrandbits", None)
    if draw is None and type(rng) is not int:
        raise errors.InvalidScheduler("random", "it needs rng: an integer or a random.Random")
    seed: int = draw(64) if draw else rng
    return seed


def _refusal(scheduler: object, answer: object) -> errors.InvalidScheduler:
    return errors.InvalidScheduler(
        scheduler,
        f"next_index() must return an index whose weight is above 0, got {errors.quote(answer)}",
    )


def _shares(selector: _Core, picks: int) -> list[int]:
    """Divide so many picks among the targets, each within law 2 of its share.

    All jobs whose window closes before then are picked, and of those whose window is open the ones
    that close first. The schedule itself may have picked others of these by then: this is a state
    near the point, used where the picks are too many to be made one by one.
    """
    weights = [weight for _, weight, _ in selector.rows()]
    total, shifts = sum(weights), max(1, 2 * sum(map(bool, weights)) - 2)
    counts = [(picks * w * shifts + total - 1) // (total * shifts) for w in weights]
    waiting = sorted(
        # Closings that differ, differ by more than 2**-128.
        ((((c + 1) * shifts - 1) << 128) // (w * shifts), i)
        for i, (c, w) in enumerate(zip(counts, weights, strict=True))
        if w and (c * shifts + 1) * total <= picks * w * shifts
    )
    for _, i in waiting[: picks - sum(counts)]:
        counts[i] += 1
    return counts


_FAILURES: Final[Mapping[str, type[Exception]]] = MappingProxyType(
    {
        "nothing-eligible": errors.NoEligibleTarget,
        "unknown-target": errors.UnknownTarget,
        "duplicate-target": errors.DuplicateTarget,
        "weight": errors.InvalidWeight,
        "cycle": errors.SelectorCycle,
    }
)

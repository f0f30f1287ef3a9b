"""Selectors: which target takes the next request.

Rules of this file:

1. It is the face of the compiled `_wrr`, and adds nothing to a pick: what is
   called once a request lives there, what is called once in a while, here.
2. There is no slower stand-in. Without the compiled part this module is an
   `ImportError` that says how to mend it. `ReferenceSelector` is the same
   selector in plain Python, to be asked for by name: it is the specification,
   and the tests hold the compiled one against it.
3. What a failure is called is decided here, so that the schedulers need know
   no word of this package.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction
from operator import index
from types import MappingProxyType, ModuleType
from typing import Any, ClassVar, Final, Protocol, Self, cast

from uplinks import _wrr_reference, errors

try:
    from uplinks import _wrr
except ImportError as missing:  # pragma: no cover - shown by tests/test_architecture.py
    if missing.name != "uplinks":
        raise  # it is there, and says itself why it does not load: one interpreter a process, say
    message = (
        "uplinks was installed without its compiled selector (uplinks._wrr): "
        "install a wheel for this Python, or build it from source with a C compiler "
        "(pip install --no-binary uplinks uplinks)"
    )
    raise ImportError(message) from missing

__all__ = ["IMPLEMENTATION", "ReferenceSelector", "Selector"]

IMPLEMENTATION: Final = "compiled"
"""Which implementation `Selector` is: always the compiled one."""

_SNAPSHOT_VERSION: Final = 2


class _Core(Protocol):
    """What the two implementations share, as far as the face needs it."""

    @property
    def targets(self) -> tuple[Any, ...]: ...
    def add(self, target: Hashable, weight: int = 1) -> None: ...
    def period(self) -> int: ...
    def rows(self) -> list[tuple[Any, int, bool]]: ...
    def snapshot(self) -> dict[str, Any]: ...
    def _made(self) -> list[tuple[Any, int]]: ...
    def _reserve(self, targets: int) -> None: ...
    def _skip(self, picks: int, counts: list[int] | None = None) -> None: ...
    def _state(self) -> tuple[list[Any], list[bool | None], dict[str, Any]]: ...


class _Face:
    """What both selectors say in the same words."""

    __slots__ = ()

    _order: str
    _schedulers: ClassVar[ModuleType]

    def _failure(self, kind: str, *facts: Any) -> Exception:
        return _FAILURES[kind](*facts)

    @classmethod
    def _make_scheduler(cls, scheduler: object, rng: object) -> Any:
        """Make a scheduler by its name, or a stand-in for one written elsewhere."""
        known = cls._schedulers
        if scheduler == "random":
            if not callable(getattr(rng, "randrange", None)):
                raise errors.InvalidScheduler(
                    scheduler, "it draws from a generator: rng=random.Random(seed)"
                )
            return known.RandomScheduler(rng)
        if isinstance(scheduler, str) and scheduler in _ORDERS:
            return getattr(known, _ORDERS[scheduler])()
        if all(callable(getattr(scheduler, name, None)) for name in ("set_weight", "next_index")):
            return known.ForeignScheduler(scheduler, _refusal)
        names = ", ".join(map(repr, (*_ORDERS, "random")))
        raise errors.InvalidScheduler(
            scheduler, f"known are {names}, and objects with set_weight and next_index"
        )

    def _fill(self: _Core, targets: Iterable[tuple[Hashable, int]], start: int) -> None:
        targets = list(targets)
        self._reserve(len(targets))
        for target, weight in targets:
            self.add(target, weight)
        start = index(start)
        period = self.period()
        if period:
            picks = start % period
            far = picks > _wrr_reference.RECORD_LIMIT
            self._skip(picks, _shares(self, picks) if far else None)

    @property
    def weights(self: _Core) -> Mapping[Any, int]:
        """The weight of each target, as it is now. Complexity: O(n)."""
        return MappingProxyType({target: weight for target, weight, _ in self.rows()})

    @property
    def states(self: _Core) -> Mapping[Any, bool]:
        """Whether each target is up, as last set. Complexity: O(n)."""
        return MappingProxyType({target: up for target, _, up in self.rows()})

    @property
    def counts(self: _Core) -> Mapping[Any, int]:
        """How often each target was picked since it was added.

        Derived when asked for: a replayed pick counts nothing.
        Complexity: O(n + picks in this period).
        """
        return MappingProxyType(dict(self._made()))

    def __repr__(self: _Core) -> str:
        rows = self.rows()
        up = sum(up for _, _, up in rows)
        return f"<{type(self).__name__}: {len(rows)} targets, {up} up>"

    def snapshot(self: _Core) -> dict[str, Any]:
        """Give the whole state as plain data, for `restore`.

        Targets stand in it as they are; one that is a selector, as its own
        snapshot. Complexity: O(n + recorded picks).

        Raises: `InvalidSnapshot` for a scheduler that draws from a generator or
        was written elsewhere: their state is not ours to copy.

        >>> selector = Selector([("a", 2), ("b", 1)])
        >>> selector.pick()
        'a'
        >>> other = Selector.restore(selector.snapshot())
        >>> other.pick_many(3) == selector.pick_many(3)
        True
        """
        face: Any = self
        if face._order not in _ORDERS:  # noqa: SLF001 - its own
            raise errors.InvalidSnapshot("the scheduler's state is not known here")
        targets, up, columns = self._state()
        return {
            "version": _SNAPSHOT_VERSION,
            "scheduler": face._order,  # noqa: SLF001 - its own
            "targets": [
                {"selector": cast("Any", target).snapshot()}
                if isinstance(target, _Face)
                else {"target": target}
                for target in targets
            ],
            "up": up,
            "columns": columns,
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> Self:
        """Make a selector that goes on where a snapshot was taken.

        Complexity: O(n + recorded picks).
        Raises: `InvalidSnapshot` for what is not a snapshot of this version
        and implementation.
        """
        try:
            if snapshot["version"] != _SNAPSHOT_VERSION:
                raise errors.InvalidSnapshot(
                    f"version {snapshot['version']!r}; {_SNAPSHOT_VERSION} is allowed"
                )
            targets = [
                cls.restore(entry["selector"]) if "selector" in entry else entry["target"]
                for entry in snapshot["targets"]
            ]
            return cls._restored(
                snapshot["scheduler"], targets, list(snapshot["up"]), dict(snapshot["columns"])
            )
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            if isinstance(error, errors.InvalidSnapshot):
                raise
            raise errors.InvalidSnapshot(f"{type(error).__name__}: {error}") from error

    @classmethod
    def _restored(
        cls, order: str, targets: list[Any], up: list[Any], columns: dict[str, Any]
    ) -> Self:
        made: Any = cast("Any", cls)(scheduler=order)
        made._load(cls._make_scheduler(order, None), targets, up, columns)  # noqa: SLF001 - its own
        return cast("Self", made)

    def __reduce__(self) -> tuple[Any, ...]:
        face: Any = self
        if face._order not in _ORDERS:  # noqa: SLF001 - its own
            raise errors.InvalidSnapshot("the scheduler's state is not known here")
        return _unpickled, (type(self), _SNAPSHOT_VERSION, face._order, face._state())  # noqa: SLF001


def _refusal(scheduler: object, answer: object) -> errors.InvalidScheduler:
    return errors.InvalidScheduler(
        scheduler,
        f"next_index() gave {errors.quote(answer)}: an index whose weight is above 0 is allowed",
    )


def _shares(selector: _Core, picks: int) -> list[int]:
    """Share so many picks out the way the fair schedule has done it by then.

    In time by index: all jobs whose window has closed, and of those whose
    window is open the ones that close first. Too far to be picked one by one.
    """
    weights = [weight for _, weight, _ in selector.rows()]
    total, shifts = sum(weights), max(1, 2 * sum(map(bool, weights)) - 2)
    counts = [(picks * w * shifts + total) // (total * shifts) for w in weights]
    waiting = sorted(
        (Fraction((c + 1) * shifts - 1, w * shifts), i)
        for i, (c, w) in enumerate(zip(counts, weights, strict=True))
        if w and (c * shifts + 1) * total <= picks * w * shifts
    )
    for _, i in waiting[: picks - sum(counts)]:
        counts[i] += 1
    return counts


def _unpickled(
    cls: type[_Face], version: int, order: str, state: tuple[list[Any], list[Any], dict[str, Any]]
) -> _Face:
    if version != _SNAPSHOT_VERSION:
        raise errors.InvalidSnapshot(f"version {version!r}; {_SNAPSHOT_VERSION} is allowed")
    return cls._restored(order, *state)


_ORDERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "fair": "FairScheduler",
        "edf": "EdfScheduler",
        "smooth": "SmoothScheduler",
        "failover": "FailoverScheduler",
    }
)

_FAILURES: Final[Mapping[str, type[Exception]]] = MappingProxyType(
    {
        "nothing-eligible": errors.NoEligibleTarget,
        "unknown-target": errors.UnknownTarget,
        "duplicate-target": errors.DuplicateTarget,
        "weight": errors.InvalidWeight,
        "cycle": errors.SelectorCycle,
    }
)


@_wrr.with_fast_next
class Selector(_Face, _wrr.Selector):
    """Pick targets in proportion to their weights, as evenly as can be.

    ``targets`` are pairs of a hashable target and its weight, an int from 0 to
    2**31 - 1 (0 is never picked). A target may itself be a `Selector`: the pick
    descends into it, and while nothing in it is eligible it is not eligible
    here. ``scheduler`` is ``"fair"``, ``"edf"`` (the order of Envoy and
    Traefik), ``"smooth"`` (nginx), ``"random"`` (drawn from ``rng``, a
    `random.Random` or the like), ``"failover"`` (always the first eligible
    target), or an object with ``set_weight`` and ``next_index`` (see
    `uplinks.protocols.Scheduler`). ``start`` is any integer, taken modulo the
    period: the point of the schedule to begin at. A random one spreads the
    first picks of many replicas in proportion to the weights.

    Law: while nothing changes, every period of W/gcd picks gives each target
    exactly its weight over the gcd, and at no pick is a target further than
    1 - 1/(2n-2) from its share (tests/laws/test_selector_laws.py).
    Complexity: a pick is O(log n), O(1) once a period has been seen; a change
    is O(log n) amortized, O(n) when it ends a replay of "edf" or "smooth".
    Raises: `InvalidWeight`, `DuplicateTarget`, `InvalidScheduler`, `SelectorCycle`.

    >>> selector = Selector([("child-1", 2), ("child-2", 1)])
    >>> [selector.pick() for _ in range(6)]
    ['child-1', 'child-2', 'child-1', 'child-1', 'child-2', 'child-1']
    >>> selector.set_up("child-1", False)
    >>> selector.pick()
    'child-2'

    Source: R. Tijdeman, "The chairman assignment problem", Discrete
    Mathematics 32 (1980) 323-330.
    """

    __slots__ = ("_order",)

    _schedulers: ClassVar[ModuleType] = _wrr

    def __init__(
        self,
        targets: Iterable[tuple[Hashable, int]] = (),
        *,
        scheduler: str | object = "fair",
        start: int = 0,
        rng: object = None,
    ) -> None:
        super().__init__(self._make_scheduler(scheduler, rng))
        self._order = scheduler if isinstance(scheduler, str) else ""
        self._fill(targets, start)


class ReferenceSelector(_Face, _wrr_reference.Selector):
    """`Selector` in plain Python: the specification, slow on purpose."""

    _schedulers: ClassVar[ModuleType] = _wrr_reference

    def __init__(
        self,
        targets: Iterable[tuple[Hashable, int]] = (),
        *,
        scheduler: str | object = "fair",
        start: int = 0,
        rng: object = None,
    ) -> None:
        super().__init__(self._make_scheduler(scheduler, rng))
        self._order = scheduler if isinstance(scheduler, str) else ""
        self._fill(targets, start)

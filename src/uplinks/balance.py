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
from types import MappingProxyType
from typing import Any, Final, Protocol

from uplinks import _wrr_reference, errors

try:
    from uplinks import _wrr
except ImportError as missing:  # pragma: no cover - shown by tests/test_architecture.py
    message = (
        "uplinks was installed without its compiled selector (uplinks._wrr): "
        "install a wheel for this Python, or build it from source with a C compiler "
        "(pip install --no-binary uplinks uplinks)"
    )
    raise ImportError(message) from missing

__all__ = ["IMPLEMENTATION", "ReferenceSelector", "Selector"]

IMPLEMENTATION: Final = "compiled"
"""Which implementation `Selector` is: always the compiled one."""

_COMPILED: Final = MappingProxyType(
    {"fair": _wrr.FairScheduler, "failover": _wrr.FailoverScheduler}
)
_REFERENCE: Final = MappingProxyType(
    {"fair": _wrr_reference.FairScheduler, "failover": _wrr_reference.FailoverScheduler}
)


def _scheduler(name: object, known: Mapping[str, Any]) -> Any:
    make = known.get(name) if isinstance(name, str) else None
    if make is None:
        raise errors.InvalidScheduler(name, f"known are {', '.join(map(repr, known))}")
    return make()


class _Core(Protocol):
    """What the two implementations share, as far as the face needs it."""

    def add(self, target: Hashable, weight: int = 1) -> None: ...
    def pick(self) -> Any: ...
    def period(self) -> int: ...
    def rows(self) -> list[tuple[Any, int, bool]]: ...


class _Face:
    """What both selectors say in the same words."""

    __slots__ = ()

    def _failure(self, kind: str, *facts: Any) -> Exception:
        return _FAILURES[kind](*facts)

    def _fill(self: _Core, targets: Iterable[tuple[Hashable, int]], start: int) -> None:
        for target, weight in targets:
            self.add(target, weight)
        period = self.period()
        for _ in range(start % period if period else 0):
            self.pick()

    @property
    def weights(self: _Core) -> Mapping[Any, int]:
        """The weight of each target, as it is now. Complexity: O(n)."""
        return MappingProxyType({target: weight for target, weight, _ in self.rows()})

    @property
    def states(self: _Core) -> Mapping[Any, bool]:
        """Whether each target is up, as last set. Complexity: O(n)."""
        return MappingProxyType({target: up for target, _, up in self.rows()})

    def __repr__(self: _Core) -> str:
        rows = self.rows()
        up = sum(up for _, _, up in rows)
        return f"<{type(self).__name__}: {len(rows)} targets, {up} up>"


_FAILURES: Final[Mapping[str, type[Exception]]] = MappingProxyType(
    {
        "nothing-eligible": errors.NoEligibleTarget,
        "unknown-target": errors.UnknownTarget,
        "duplicate-target": errors.DuplicateTarget,
        "weight": errors.InvalidWeight,
        "cycle": errors.SelectorCycle,
    }
)


class Selector(_Face, _wrr.Selector):
    """Pick targets in proportion to their weights, as evenly as can be.

    ``targets`` are pairs of a hashable target and its weight, an int from 0 to
    2**31 - 1 (0 is never picked). A target may itself be a `Selector`: the pick
    descends into it, and while nothing in it is eligible it is not eligible
    here. ``scheduler`` is ``"fair"`` (weighted round robin) or ``"failover"``
    (always the first eligible target). ``start`` is any integer, taken modulo
    the period: the point of the schedule to begin at.

    Law: while nothing changes, every period of W/gcd picks gives each target
    exactly its weight over the gcd, and at no pick is a target further than
    1 - 1/(2n-2) from its share (tests/laws/test_selector_laws.py).
    Complexity: a pick is O(log n), O(1) once a period has been seen; a change
    is O(log n), O(n) when it ends a replay.
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

    __slots__ = ()

    def __init__(
        self,
        targets: Iterable[tuple[Hashable, int]] = (),
        *,
        scheduler: str = "fair",
        start: int = 0,
    ) -> None:
        super().__init__(_scheduler(scheduler, _COMPILED))
        self._fill(targets, start)


class ReferenceSelector(_Face, _wrr_reference.Selector):
    """`Selector` in plain Python: the specification, slow on purpose."""

    def __init__(
        self,
        targets: Iterable[tuple[Hashable, int]] = (),
        *,
        scheduler: str = "fair",
        start: int = 0,
    ) -> None:
        super().__init__(_scheduler(scheduler, _REFERENCE))
        self._fill(targets, start)

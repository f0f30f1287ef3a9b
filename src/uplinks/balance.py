"""Selectors: which target takes the next request.

Rules of this file:

1. It adds nothing to a pick: what is called once per request lives in the compiled `_wrr`, what is
   called now and then in `_face`.
2. There is no slower fallback. Without the compiled part this module is an `ImportError` that
   says how to fix it. `ReferenceSelector` is the same selector in plain Python, for those who ask
   for it by name: it is the specification, and tests compare the compiled selector with it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar, overload

from uplinks import _wrr_reference
from uplinks._face import SelectorFace

try:
    from uplinks import _wrr
except ImportError as missing:  # pragma: no cover - shown by tests/test_architecture.py
    if missing.name != "uplinks":
        raise  # it is there and says itself why it does not load, in a subinterpreter for example
    message = (
        "uplinks was installed without its compiled selector (uplinks._wrr): "
        "install a wheel for this Python, or build it from source with a C compiler "
        "(pip install --no-binary uplinks uplinks)"
    )
    raise ImportError(message) from missing

__all__ = ["IMPLEMENTATION", "ReferenceSelector", "Selector"]

IMPLEMENTATION: Final = "compiled"
"""Which implementation `Selector` is: always the compiled one."""

T = TypeVar("T", bound=Hashable)

if TYPE_CHECKING:
    from random import Random

    from uplinks.schedulers import Scheduler


if TYPE_CHECKING:

    class _Compiled(_wrr.Selector[T]): ...

else:

    class _Compiled(_wrr.Selector, Generic[T]):
        __slots__ = ()


@_wrr.with_fast_next
class Selector(SelectorFace, _Compiled[T]):
    """Pick targets in proportion to their weights, as evenly as possible.

    ``targets`` are pairs of a hashable target and its weight, or a mapping of targets to weights;
    a weight is an integer from 0 to 2**31 - 1, and a target of weight 0 is never picked. A target
    may itself be a `Selector`: the pick descends into it, and while nothing in it is eligible it
    is not eligible here.

    ``scheduler`` is ``"fair"``; ``"failover"`` (always the first eligible target, in order of
    insertion); ``"random"`` (each pick drawn anew, seeded with ``rng``, an integer or a
    `random.Random`); ``"edf"`` (the order of Envoy and Traefik) or ``"smooth"`` (nginx), which are
    written in Python; or an object of your own, see `uplinks.schedulers.Scheduler`. ``start`` is
    any integer, taken modulo the period: the point of the schedule to begin at; "edf" and "smooth"
    take it modulo 2**16 where the period is longer. A random one spreads the first picks of many
    replicas in proportion to the weights.

    Law: while nothing changes, every period of W/gcd picks gives each target exactly its weight
    over the gcd, and at no pick is a target further than 1 - 1/(2n - 2) from its share; see
    `docs/selector.md` and tests/laws/test_selector_laws.py.
    Complexity: a pick is O(log n), O(1) once a period has been seen; a change is O(log n), and
    O(n + period/2) where it ends a replay.
    Raises: `InvalidWeight`, `DuplicateTarget`, `InvalidScheduler`, `SelectorCycle`, `TypeError`.

    >>> selector = Selector({"child-1": 2, "child-2": 1})
    >>> [selector.pick() for _ in range(6)]
    ['child-1', 'child-2', 'child-1', 'child-1', 'child-2', 'child-1']
    >>> selector.set_up("child-1", False)
    >>> selector.pick()
    'child-2'

    Source: R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32 (1980) 323-330.
    """

    __slots__ = ("_python_scheduler", "_scheduler_name")

    _schedulers: ClassVar[ModuleType] = _wrr

    @overload
    def __init__(
        self,
        targets: Iterable[tuple[Selector[T], int]],
        *,
        scheduler: str | Scheduler = ...,
        start: int = ...,
        rng: int | Random | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self,
        targets: Mapping[T, int] | Iterable[tuple[T | Selector[T], int]] = ...,
        *,
        scheduler: str | Scheduler = ...,
        start: int = ...,
        rng: int | Random | None = ...,
    ) -> None: ...
    def __init__(
        self,
        targets: Mapping[T, int] | Iterable[tuple[T | Selector[T], int]] = (),
        *,
        scheduler: str | Scheduler = "fair",
        start: int = 0,
        rng: int | Random | None = None,
    ) -> None:
        super().__init__(self._make_scheduler(scheduler, rng))
        self._fill(targets, start)


class ReferenceSelector(SelectorFace, _wrr_reference.Selector):
    """`Selector` in plain Python: the specification, slow on purpose."""

    _schedulers: ClassVar[ModuleType] = _wrr_reference

    def __init__(
        self,
        targets: Mapping[Any, int] | Iterable[tuple[Any, int]] = (),
        *,
        scheduler: str | Scheduler = "fair",
        start: int = 0,
        rng: int | Random | None = None,
    ) -> None:
        super().__init__(self._make_scheduler(scheduler, rng))
        self._fill(targets, start)

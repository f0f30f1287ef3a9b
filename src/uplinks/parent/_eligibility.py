"""Which targets may be picked, by their checks and by `Parent.set_up`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from uplinks.balance import Selector
from uplinks.health import HealthPolicy
from uplinks.model import ChildService
from uplinks.parent._watch import Watch

__all__ = ["Eligibility"]


class Eligibility:
    """Set which targets of a selector may be picked. Complexity: O(1) for each target.

    A child service is picked only while its checks and `Parent.set_up` both say
    up; in a weighted service in panic, while `Parent.set_up` does.
    """

    def __init__(self, watch: Watch, policy: HealthPolicy) -> None:
        self._watch = watch
        self._panic_threshold = policy.panic_threshold
        self._max_ejected = policy.max_ejected
        self._held: set[str] = set()

    def hold(self, name: str) -> None:
        """Hold a child service out."""
        self._held.add(name)

    def release(self, name: str) -> None:
        """Stop holding a child service out."""
        self._held.discard(name)

    def is_held(self, name: str) -> bool:
        """Return whether a child service is held out."""
        return name in self._held

    @property
    def now(self) -> int:
        """The latest time passed in, in nanoseconds."""
        return self._watch.health.now

    def is_up(self, name: str) -> bool:
        """Return whether a child service is up and not held out; a panic does not matter."""
        return name not in self._held and self._watch.is_up(name)

    def update(
        self, selector: Selector[Any], targets: Iterable[ChildService], *, weighted: bool
    ) -> None:
        """Set which of these targets a selector may pick.

        With a panic threshold or a limit of ejections, all targets of a weighted
        service are set. Those that are held out or have weight 0 do not count.
        """
        spared: set[str] = set()
        if weighted and (self._panic_threshold or self._max_ejected < 100):  # noqa: PLR2004 - percent
            weights = selector.weights
            targets = list(weights)
            counted = [t.name for t, w in weights.items() if w and t.name not in self._held]
            spared = self._spared(counted)
        for target in targets:
            up_by_checks = target.name in spared or self._watch.is_up(target.name)
            # One call for each target, so that none is taken out and let in again.
            selector.set_up(target, up_by_checks and target.name not in self._held)

    def _spared(self, names: list[str]) -> set[str]:
        """Return the services that are picked although they are down."""
        up = sum(map(self._watch.is_up, names))
        if 100 * up < self._panic_threshold * len(names):
            return set(names)
        moments = {name: self._watch.ejected_at(name) for name in names}
        ejected = sorted((at, name) for name, at in moments.items() if at is not None)
        allowed = max(1, self._max_ejected * len(names) // 100)
        return {name for _, name in ejected[allowed:]}

"""Which targets may be picked, by their checks and by `Parent.set_up`."""

from __future__ import annotations

from collections.abc import Iterable

from uplinks.balance import Selector
from uplinks.model import ChildService
from uplinks.parent._watch import Watch

__all__ = ["Eligibility"]


class Eligibility:
    """Set which targets of a selector may be picked. Complexity: O(1) for each target.

    A child service is picked only while its checks and `Parent.set_up` both say
    up; in a weighted service in panic, while `Parent.set_up` does.
    """

    def __init__(self, watch: Watch, panic_threshold: int) -> None:
        self._watch = watch
        self._panic_threshold = panic_threshold
        self._held: set[str] = set()

    def hold(self, name: str) -> None:
        """Hold a child service out."""
        self._held.add(name)

    def release(self, name: str) -> None:
        """Stop holding a child service out."""
        self._held.discard(name)

    def is_up(self, name: str) -> bool:
        """Return whether a child service is up and not held out; a panic does not matter."""
        return name not in self._held and self._watch.is_up(name)

    def update(
        self, selector: Selector, targets: Iterable[ChildService], *, weighted: bool
    ) -> None:
        """Set which of these targets a selector may pick.

        With a panic threshold, all targets of a weighted service are set. Those
        that are held out or have weight 0 do not count.
        """
        panic = False
        if self._panic_threshold and weighted:
            weights = selector.weights
            targets = list(weights)
            counted = [t for t, w in weights.items() if w and t.name not in self._held]
            up = sum(self._watch.is_up(t.name) for t in counted)
            panic = 100 * up < self._panic_threshold * len(counted)
        for target in targets:
            up_by_checks = panic or self._watch.is_up(target.name)
            # One call for each target, so that none is taken out and let in again.
            selector.set_up(target, up_by_checks and target.name not in self._held)

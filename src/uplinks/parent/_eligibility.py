"""Who may be picked: what checks say, and what `Parent.set_up` says.

Rules of this file:

1. A child service is picked only while its checks and `set_up` both say up; in
   a weighted service in panic, while `set_up` does.
2. Selectors learn of it in `settle` alone, and each target is told once: nobody
   is taken out only to be let in again.
"""

from __future__ import annotations

from collections.abc import Iterable

from uplinks.balance import Selector
from uplinks.model import ChildService, WeightedService
from uplinks.parent._offers import Service
from uplinks.parent._watch import Watch

__all__ = ["Eligibility"]


class Eligibility:
    """Tell selectors which of their targets may be picked. All is O(1) for each target."""

    def __init__(self, watch: Watch, panic_threshold: int) -> None:
        self._watch = watch
        self._panic_threshold = panic_threshold
        self._held: set[str] = set()

    def set_up(self, name: str, up: bool) -> None:  # noqa: FBT001 - the selector's face
        """Hold a child service out, or let it in again."""
        (self._held.discard if up else self._held.add)(name)

    def let_in(self, names: Iterable[str]) -> None:
        """Forget that services were held out."""
        self._held.difference_update(names)

    def is_up(self, name: str) -> bool:
        """Tell whether a child service is up and not held out; a panic changes nothing."""
        return name not in self._held and self._watch.is_up(name)

    def settle(
        self, service: Service | None, selector: Selector, concerned: Iterable[ChildService]
    ) -> None:
        """Tell a service's selector which of the targets concerned may be picked.

        With a panic threshold all of a weighted service's targets are concerned: while too few
        are up, whoever is down may be picked, too. Who is held out, or has weight 0, does not
        count.
        """
        threshold, panics = self._panic_threshold, False
        if threshold and isinstance(service, WeightedService):
            weights = selector.weights
            counted = [t for t, w in weights.items() if w and t.name not in self._held]
            up = sum(self._watch.is_up(t.name) for t in counted)
            panics = 100 * up < threshold * len(counted)
            concerned = list(weights)
        for target in concerned:
            serves = self._watch.is_up(target.name) or panics
            selector.set_up(target, serves and target.name not in self._held)

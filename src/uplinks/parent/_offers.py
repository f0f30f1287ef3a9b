"""What children offer at present, and the services made of it.

Rules of this file:

1. `materialize` says what services there are. A change is given to it in part:
   the uplink names that are concerned, as all children offer them.
2. Service names of two uplinks may be one string. What the part cannot see, an
   owner elsewhere, is looked up; whatever is refused is refused by
   `materialize` of the whole, which names every owner.
3. A change is planned first, and only a plan is applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from attrs import frozen

from uplinks.errors import UplinksError
from uplinks.model import Advertisement, ChildService, ParentConfig, Services, WeightedService
from uplinks.naming import child_service_name, weighted_service_name
from uplinks.services import materialize

__all__ = ["Change", "Offers", "Service", "child_service"]

Service = WeightedService | ChildService
Overlay = dict[str, dict[str, Advertisement | None]]


@frozen
class Change:
    """The services of the uplink names that a change concerns, before and after it."""

    before: Mapping[str, Service]
    after: Mapping[str, Service]
    overlay: Mapping[str, Mapping[str, Advertisement | None]]  # uplink name -> child -> offer
    config: ParentConfig

    @property
    def names(self) -> list[str]:
        """The services concerned, each once."""
        return list(dict.fromkeys((*self.before, *self.after)))

    @property
    def moved(self) -> list[str]:
        """Those that are not, before and after, one child's at the same address."""
        return [name for name in self.names if not self._stays(name)]

    def _stays(self, name: str) -> bool:
        old, new = self.before.get(name), self.after.get(name)
        if not isinstance(old, ChildService) or not isinstance(new, ChildService):
            return False
        return old.url == new.url


class Offers:
    """The offers of all children; a change costs what it concerns, whatever else is there."""

    def __init__(self, config: ParentConfig) -> None:
        self.config = config
        self._services: dict[str, Service] = dict(materialize(config, {}))
        self._by_child: dict[str, dict[str, Advertisement]] = {}
        self._by_uplink: dict[str, dict[str, Advertisement]] = {}
        self._view: Services | None = None

    @property
    def current(self) -> Mapping[str, Service]:
        """The services by name, in no order; it goes with the changes."""
        return MappingProxyType(self._services)

    @property
    def services(self) -> Services:
        """The services as `materialize` gives them. O(n log n) once after a change."""
        if self._view is None:
            self._view = Services(dict(sorted(self._services.items())))
        return self._view

    def of(self, child: str) -> list[ChildService]:
        """Give the child services of a child. O(those)."""
        offered = self._by_child.get(child, ())
        return [child_service(self._services, child_service_name(n, child)) for n in offered]

    def replaced(self, offers: Mapping[str, Iterable[Advertisement]]) -> Change:
        """Plan that children offer this and nothing else. Raises: as `materialize`."""
        overlay: Overlay = {}
        for child, offered in offers.items():
            old, new = self._by_child.get(child, {}), self._by_name(child, offered)
            for name in {**old, **new}:
                if old.get(name) != new.get(name):
                    overlay.setdefault(name, {})[child] = new.get(name)
        return self._plan(overlay, self.config)

    def reloaded(self, config: ParentConfig) -> Change:
        """Plan that the parent lists other children, or has them elsewhere. Raises: the same.

        O(what is offered by the children that are not where they were).
        """
        materialize(config, {})  # refuses bad addresses, also of children that offer nothing
        overlay: Overlay = {}
        for child, offered in self._by_child.items():
            here, there = self.config.children[child], config.children.get(child)
            if there is None or there.address != here.address:
                for name, ad in offered.items():
                    overlay.setdefault(name, {})[child] = None if there is None else ad
        return self._plan(overlay, config)

    def amended(self, child: str, changed: Iterable[Advertisement], gone: Iterable[str]) -> Change:
        """Plan that of a child's offers some are new, and some are gone. Raises: the same."""
        old = self._by_child.get(child, {})
        new: dict[str, Advertisement | None] = {name: None for name in gone if name in old}
        new.update(self._by_name(child, changed, (name for name in old if name not in new)))
        overlay = {name: {child: ad} for name, ad in new.items() if old.get(name) != ad}
        return self._plan(overlay, self.config)

    def apply(self, change: Change) -> None:
        """Let a plan come true."""
        for name in change.before:
            del self._services[name]
        self._services.update(change.after)
        for name, offers in change.overlay.items():
            for child, ad in offers.items():
                if ad is None:
                    _drop(self._by_uplink, name, child)
                    _drop(self._by_child, child, name)
                else:
                    self._by_uplink.setdefault(name, {})[child] = ad
                    self._by_child.setdefault(child, {})[name] = ad
        self.config = change.config
        self._view = None

    def _by_name(
        self, child: str, offered: Iterable[Advertisement], kept: Iterable[str] = ()
    ) -> dict[str, Advertisement]:
        """Index what is new of a child; two offers of one name are refused.

        ``kept`` are names of what it offers already, and goes on to if nothing new has the name.
        """
        listed = list(offered)
        named = {ad.uplink_name: ad for ad in listed}
        if len(named) < len(listed):
            old = self._by_child.get(child, {})
            whole = {name: list(ads.values()) for name, ads in self._by_child.items()}
            whole[child] = [*(old[name] for name in kept if name not in named), *listed]
            materialize(self.config, whole)  # raises, naming all owners
        return named

    def _plan(self, overlay: Overlay, config: ParentConfig) -> Change:
        before: dict[str, Service] = {}
        part: dict[str, list[Advertisement]] = {}
        for name, changed in overlay.items():
            current = self._by_uplink.get(name, {})
            owned = [child_service_name(name, child) for child in current]
            owned += [weighted_service_name(name)] if current else []
            before |= {service: self._services[service] for service in owned}
            for child, ad in {**current, **changed}.items():
                if ad is not None:
                    part.setdefault(child, []).append(ad)
        children = {name: config.children[name] for name in part}
        try:
            after = materialize(ParentConfig(children), part)
        except UplinksError:
            self._refuse(overlay, config)
            raise
        if any(name in self._services and name not in before for name in after):
            self._refuse(overlay, config)
        return Change(before, after, overlay, config)

    def _refuse(self, overlay: Overlay, config: ParentConfig) -> None:
        """Let `materialize` say of the whole what is wrong with it."""
        whole: dict[str, list[Advertisement]] = {}
        for name in {**self._by_uplink, **overlay}:
            for child, ad in {**self._by_uplink.get(name, {}), **overlay.get(name, {})}.items():
                if ad is not None:
                    whole.setdefault(child, []).append(ad)
        materialize(config, whole)


def child_service(services: Mapping[str, Service], name: str) -> ChildService:
    """Give a service that `materialize` made for one child."""
    service = services[name]
    assert isinstance(service, ChildService)  # noqa: S101 - materialize's law
    return service


def _drop(index: dict[str, dict[str, Advertisement]], outer: str, inner: str) -> None:
    del index[outer][inner]
    if not index[outer]:
        del index[outer]

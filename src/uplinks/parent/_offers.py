"""What children offer, and the services made of it.

`uplinks.materialize` defines the services; a parent with these offers has
exactly those. This index exists because a change must cost what it changes:
`materialize` takes 89 ms for 10,000 advertisements, so a parent built child by
child would be quadratic.

A change is planned first. Each new offer is materialized alone; if one of its
names might belong to another owner, `materialize` of the whole decides, and
names every owner. Only a plan is applied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from attrs import frozen

from uplinks.errors import UplinksError
from uplinks.model import (
    Advertisement,
    Child,
    ChildService,
    ParentConfig,
    ServersTransport,
    Services,
    WeightedService,
)
from uplinks.naming import weighted_service_name
from uplinks.services import materialize, weighted_service

__all__ = ["Change", "Edits", "Offer", "Offers"]

Key = tuple[str, str]
"""An uplink name and a child: the identity of an offer."""

Edits = Mapping[str, Mapping[str, Advertisement | None]]
"""New offers by child and uplink name; ``None`` withdraws one."""


@frozen
class Offer:
    """An advertisement, and the child service that it becomes."""

    advertisement: Advertisement
    service: ChildService


@frozen
class Change:
    """The offers that a change touches, before and after it, and the configuration after it."""

    before: Mapping[Key, Offer]
    after: Mapping[Key, Offer]
    config: ParentConfig

    def pairs(self) -> Iterator[tuple[Offer | None, Offer | None]]:
        """Go through the offers touched: each before and after."""
        for key in dict.fromkeys((*self.before, *self.after)):
            yield self.before.get(key), self.after.get(key)


class Offers:
    """The offers of all children.

    Complexity: planning and applying a change is O(offers touched).
    """

    def __init__(self, config: ParentConfig) -> None:
        materialize(config, {})  # refuses bad addresses
        self.config = config
        self.direct: dict[str, ChildService] = {}  # by service name
        self._by_uplink: dict[str, dict[str, Offer]] = {}
        self._by_child: dict[str, dict[str, Offer]] = {}
        self._owners: dict[str, Counter[str]] = {}  # of derived names, by uplink name
        self._weighted: dict[str, str] = {}  # uplink name by weighted service name
        self._services: Services | None = None

    def __len__(self) -> int:
        return len(self.direct) + len(self._weighted)

    @property
    def services(self) -> Services:
        """The services, materialized. Complexity: O(n log n) once after a change."""
        if self._services is None:
            offered = {
                child: [offer.advertisement for offer in offers.values()]
                for child, offers in self._by_child.items()
            }
            self._services = materialize(self.config, offered)
        return self._services

    def has(self, name: str) -> bool:
        """Return whether there is a service with this name. Complexity: O(1)."""
        return name in self.direct or name in self._weighted

    def names(self) -> tuple[str, ...]:
        """Return the names of all services, in no order."""
        return (*self.direct, *self._weighted)

    def weighted_names(self) -> tuple[str, ...]:
        """Return the names of the weighted services, in no order."""
        return tuple(self._weighted)

    def of_child(self, child: str) -> list[ChildService]:
        """Return the services of a child. Complexity: O(those)."""
        return [offer.service for offer in self._by_child.get(child, {}).values()]

    def targets(self, name: str) -> dict[ChildService, int] | None:
        """Return a service's targets with their weights; ``None`` if there is no such service."""
        if (service := self.direct.get(name)) is not None:
            return {service: 1}
        if (uplink := self._weighted.get(name)) is None:
            return None
        offers = sorted(self._by_uplink[uplink].items())
        return {offer.service: offer.advertisement.weight for _, offer in offers}

    def of_uplink(self, uplink: str) -> Services:
        """Return the services of an uplink name; none if no child advertises it. O(those)."""
        offers = [offer for _, offer in sorted(self._by_uplink.get(uplink, {}).items())]
        services: list[WeightedService | ChildService] = [offer.service for offer in offers]
        if offers:
            pairs = [(offer.service.name, offer.advertisement) for offer in offers]
            services.append(weighted_service(uplink, pairs))
        return Services({service.name: service for service in services})

    def uplinks(self) -> Collection[str]:
        """Return all uplink names, in no order."""
        return self._by_uplink.keys()

    def uplink_of(self, name: str) -> str | None:
        """Return the uplink name of a service; ``None`` if there is no such service. O(1)."""
        direct = self.direct.get(name)
        return self._weighted.get(name) if direct is None else direct.uplink_name

    # Planning

    def replace(
        self,
        offers: Mapping[str, Iterable[Advertisement]],
        config: ParentConfig | None = None,
    ) -> Change:
        """Plan that these children offer this and nothing else. Raises: as `materialize`.

        With a new configuration, the other children no longer offer anything.
        """
        if config is None:
            config = self.config
        else:
            materialize(config, {})  # refuses bad addresses
            offers = {**dict.fromkeys(self._by_child, ()), **offers}
        listed = {child: list(advertisements) for child, advertisements in offers.items()}
        edits: dict[str, dict[str, Advertisement | None]] = {}
        for child, advertisements in listed.items():
            edits[child] = dict.fromkeys(self._by_child.get(child, ()))
            edits[child].update((ad.uplink_name, ad) for ad in advertisements)
        if any(_repeats(advertisements) for advertisements in listed.values()):
            self._refuse(listed, config)
        return self._plan(edits, config)

    def amend(self, child: str, changed: Iterable[Advertisement], gone: Iterable[str]) -> Change:
        """Plan that a child offers ``changed`` and no longer ``gone``. Raises: as `materialize`."""
        listed = list(changed)
        edit: dict[str, Advertisement | None] = dict.fromkeys(gone)
        edit.update((ad.uplink_name, ad) for ad in listed)
        if _repeats(listed):
            kept = self._by_child.get(child, {}).items()
            old = [offer.advertisement for name, offer in kept if name not in edit]
            self._refuse({child: [*old, *listed]}, self.config)
        return self._plan({child: edit}, self.config)

    def reload(self, config: ParentConfig) -> Change:
        """Plan that the parent lists other children. Raises: as `materialize`.

        Complexity: O(children), and O(offers of children that moved or went).
        """
        materialize(config, {})
        edits: dict[str, dict[str, Advertisement | None]] = {}
        for child, offers in self._by_child.items():
            old, new = self.config.children[child], config.children.get(child)
            if new is None:
                edits[child] = dict.fromkeys(offers)
            elif _place(new) != _place(old):
                edits[child] = {name: offer.advertisement for name, offer in offers.items()}
        return self._plan(edits, config)

    def apply(self, change: Change) -> None:
        """Make a plan the present state."""
        for (uplink, child), offer in change.before.items():
            del self.direct[offer.service.name]
            del self._by_uplink[uplink][child]
            del self._by_child[child][uplink]
            if not offer.advertisement.exposed:
                self._owners[uplink] -= Counter([offer.advertisement.owner])
        for (uplink, child), offer in change.after.items():
            self.direct[offer.service.name] = offer.service
            self._by_uplink.setdefault(uplink, {})[child] = offer
            self._by_child.setdefault(child, {})[uplink] = offer
            self._weighted[weighted_service_name(uplink)] = uplink
            if not offer.advertisement.exposed:
                self._owners.setdefault(uplink, Counter())[offer.advertisement.owner] += 1
        for uplink, child in change.before:
            if not self._by_child.get(child, True):
                del self._by_child[child]
            if not self._by_uplink.get(uplink, True):
                del self._by_uplink[uplink], self._weighted[weighted_service_name(uplink)]
                self._owners.pop(uplink, None)
        self.config = change.config
        self._services = None

    def _plan(self, edits: Edits, config: ParentConfig) -> Change:
        before: dict[Key, Offer] = {}
        new: dict[str, list[Advertisement]] = {}
        for child, edit in edits.items():
            offered, moved = self._by_child.get(child, {}), self._moved(child, config)
            for uplink, ad in edit.items():
                old = offered.get(uplink)
                if old is not None and (moved or ad != old.advertisement):
                    before[uplink, child] = old
                if ad is not None and (old is None or (uplink, child) in before):
                    new.setdefault(child, []).append(ad)
        try:
            children = {child: config.children[child] for child in new}
            services = materialize(ParentConfig(children), new).direct
        except UplinksError:
            self._refuse(self._whole(edits), config)
            raise
        made = {(service.uplink_name, service.child): service for service in services}
        after = {
            (ad.uplink_name, child): Offer(ad, made[ad.uplink_name, child])
            for child, ads in new.items()
            for ad in ads
        }
        if any(self._may_collide(key, offer) for key, offer in after.items()):
            self._refuse(self._whole(edits), config)
        return Change(before, after, config)

    def _moved(self, child: str, config: ParentConfig) -> bool:
        old, new = self.config.children.get(child), config.children.get(child)
        return old is not new and (old is None or new is None or _place(old) != _place(new))

    def _may_collide(self, key: Key, offer: Offer) -> bool:
        """Return whether a name might have another owner: among all before and all after."""
        uplink, _ = key
        same = self.direct.get(offer.service.name)
        if same is not None and (same.uplink_name, same.child) != key:
            return True
        if offer.service.name in self._weighted or weighted_service_name(uplink) in self.direct:
            return True
        owners = self._owners.get(uplink, Counter())
        return not offer.advertisement.exposed and bool(owners.keys() - {offer.advertisement.owner})

    def _whole(self, edits: Edits) -> dict[str, list[Advertisement]]:
        """Return all advertisements of the children edited, as they would be."""
        whole: dict[str, list[Advertisement]] = {}
        for child, edit in edits.items():
            old = {n: o.advertisement for n, o in self._by_child.get(child, {}).items()}
            whole[child] = [ad for ad in {**old, **edit}.values() if ad is not None]
        return whole

    def _refuse(self, offers: Mapping[str, Iterable[Advertisement]], config: ParentConfig) -> None:
        """Let `materialize` of the whole raise what is wrong with it, if anything is."""
        whole = {
            child: [offer.advertisement for offer in kept.values()]
            for child, kept in self._by_child.items()
        }
        whole.update((child, list(ads)) for child, ads in offers.items())
        materialize(config, {child: ads for child, ads in whole.items() if ads})


def _place(child: Child) -> tuple[str, ServersTransport | None]:
    """Return where a child is, and how connections to it are made."""
    return child.url, child.servers_transport


def _repeats(advertisements: list[Advertisement]) -> bool:
    """Return whether two advertisements have one uplink name."""
    return len({ad.uplink_name for ad in advertisements}) < len(advertisements)

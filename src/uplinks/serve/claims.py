"""Which child may offer which uplink name, when names collide.

A parent must not serve two owners under one service name. Here a *claim* is an
uplink name of a child. Two claims conflict if they would share a service name
without sharing the service. Of claims in conflict, the one of the child listed
first by the parent is served; within a child, the first by name.

The decision is a function of the offers alone, not of the order in which they
arrived, so replicas with the same sources decide alike. A refused claim takes
nothing else of its child out.

Cost: finding the conflicts of a claim is O(children). A change decides again
only its own claims and those connected to them by conflicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from uplinks.model import Advertisement

__all__ = ["Amendment", "Claim", "Claims"]

Claim = tuple[str, str]
"""A child and an uplink name."""

Offer = Mapping[str, Advertisement]
"""Advertisements by uplink name."""


@frozen
class Amendment:
    """What to change in the offer of a child; arguments of `Parent.amend`."""

    child: str
    changed: tuple[Advertisement, ...] = ()
    gone: tuple[str, ...] = ()


class Claims:
    """The offers of all children, and which claims are refused.

    ``children`` are in the order of their precedence.
    """

    def __init__(self, children: Iterable[str] = ()) -> None:
        self.offers: dict[str, dict[str, Advertisement]] = {}
        self.refused: dict[Claim, Claim] = {}
        """Refused claims, each with the claim that is served instead."""
        self._rank: dict[str, int] = {}
        self._suffixes: tuple[str, ...] = ()
        self._nested = False
        self._list(children)

    def _list(self, children: Iterable[str]) -> None:
        self._rank = {child: rank for rank, child in enumerate(children)}
        self._suffixes = tuple(f"-{child}" for child in self._rank)
        # Child services share a name only if the name of one child ends with another's.
        self._nested = any(child.endswith(self._suffixes) for child in self._rank)

    def served(self, child: str) -> dict[str, Advertisement]:
        """Return what of a child's offer is served. O(what the child offers)."""
        offer = self.offers.get(child, {})
        return {name: ad for name, ad in offer.items() if (child, name) not in self.refused}

    # Changing

    def replace(self, child: str, offer: Offer) -> list[Amendment]:
        """Replace what a child offers; return what to amend, in this order.

        Complexity: O(what the child offers) to find the difference, then as `amend`.
        """
        old = self.offers.get(child, {})
        changed = [ad for name, ad in offer.items() if not _same(old.get(name), ad)]
        return self.amend(child, changed, [name for name in old if name not in offer])

    def amend(
        self, child: str, changed: Iterable[Advertisement] = (), gone: Iterable[str] = ()
    ) -> list[Amendment]:
        """Change a part of what a child offers; return what to amend, in this order.

        Claims of other children may be served or refused because of it.
        """
        new = {ad.uplink_name: ad for ad in changed}
        removed = [name for name in gone if name not in new]
        touched = {(child, name) for name in (*new, *removed)}
        affected = self._connected(touched)
        added = {claim for claim in touched if not self._exists(claim)}
        offer = self.offers.setdefault(child, {})
        offer.update(new)
        for name in removed:
            offer.pop(name, None)
        affected |= self._connected(affected)
        went = {(child, name) for name in removed} - added
        before = {
            claim
            for claim in affected - added
            if (claim in went or self._exists(claim)) and claim not in self.refused
        }
        self._decide(affected)
        return self._amendments(child, affected, before, touched)

    def relist(self, children: Iterable[str]) -> list[Amendment]:
        """List other children, in another order. The offers of those that are gone go.

        Returns what to amend for the children that stay: first what is no longer
        served, then what now is. Complexity: O(all offers · children).
        """
        old = {child: self.served(child) for child in self.offers}
        self._list(children)
        self.offers = {child: offer for child, offer in self.offers.items() if child in self._rank}
        self.refused.clear()
        self._decide({(child, name) for child, offer in self.offers.items() for name in offer})
        less: list[Amendment] = []
        more: list[Amendment] = []
        for child in self.offers:
            now = self.served(child)
            gone = tuple(name for name in old[child] if name not in now)
            less += [Amendment(child, gone=gone)] if gone else []
            added = tuple(ad for name, ad in now.items() if name not in old[child])
            more += [Amendment(child, added)] if added else []
        return less + more

    def _amendments(
        self, child: str, affected: set[Claim], before: set[Claim], touched: set[Claim]
    ) -> list[Amendment]:
        """Order the amendments so that no name has two owners in between."""
        gone: dict[str, list[str]] = {}
        changed: dict[str, list[Advertisement]] = {}
        for claim in sorted(affected):
            owner, name = claim
            if not self._exists(claim) or claim in self.refused:
                if claim in before:
                    gone.setdefault(owner, []).append(name)
            elif claim not in before or claim in touched:
                changed.setdefault(owner, []).append(self.offers[owner][name])
        others = [each for each in gone if each != child]
        last = [each for each in changed if each != child]
        own = Amendment(child, tuple(changed.get(child, ())), tuple(gone.get(child, ())))
        return [
            *(Amendment(each, gone=tuple(gone[each])) for each in others),
            *([own] if own.changed or own.gone else []),
            *(Amendment(each, tuple(changed[each])) for each in last),
        ]

    # Deciding

    def _decide(self, claims: Iterable[Claim]) -> None:
        """Decide claims; those in conflict with them are among them, or already decided."""
        listed = sorted(claims, key=self._precedence)
        for claim in listed:
            self.refused.pop(claim, None)
        for claim in listed:
            if not self._exists(claim):
                continue
            rivals = sorted(self._conflicts(claim), key=self._precedence)
            place = self._precedence(claim)
            for rival in rivals:
                if self._precedence(rival) < place and rival not in self.refused:
                    self.refused[claim] = rival
                    break

    def _precedence(self, claim: Claim) -> tuple[int, str]:
        child, name = claim
        return (self._rank.get(child, len(self._rank)), name)

    def _exists(self, claim: Claim) -> bool:
        child, name = claim
        return name in self.offers.get(child, ())

    def _connected(self, claims: Iterable[Claim]) -> set[Claim]:
        """Return claims and all that are connected to them by conflicts."""
        found = set(claims)
        waiting = list(found)
        while waiting:
            for rival in self._conflicts(waiting.pop()):
                if rival not in found:
                    found.add(rival)
                    waiting.append(rival)
        return found

    def _conflicts(self, claim: Claim) -> Iterator[Claim]:
        """Yield the claims in conflict with one; none for a claim that is not there."""
        child, name = claim
        advertisement = self.offers.get(child, {}).get(name)
        if advertisement is None:
            return
        direct = f"{name}-{child}"
        for other, offer in self.offers.items():
            same = offer.get(name)
            if same is not None and other != child and _owners_differ(same, advertisement):
                yield other, name
            if direct in offer:
                yield other, direct
        if name.endswith(self._suffixes):
            yield from self._direct(name)
        if self._nested:
            yield from (rival for rival in self._direct(direct) if rival != claim)

    def _direct(self, name: str) -> Iterator[Claim]:
        """Yield the claims whose child service has this name."""
        for child, offer in self.offers.items():
            if name.endswith(f"-{child}") and name[: -len(child) - 1] in offer:
                yield child, name[: -len(child) - 1]


def _same(old: Advertisement | None, new: Advertisement) -> bool:
    return old is new or old == new


def _owners_differ(one: Advertisement, two: Advertisement) -> bool:
    """Whether two advertisements derived one uplink name from different owners."""
    return not one.exposed and not two.exposed and one.owner != two.owner

"""What a change of manifests does to a parent: data, for others to show.

Rules of this file:

1. Both sides are a `Parent` of their own, and shares are those of its
   selectors while all children are up: exact fractions, and no second model.
2. What is equal on both sides is not mentioned. Equal fleets differ in nothing.
3. No header's value is ever told, only that it has changed. (An address with a
   user or password has no parent.)
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from enum import Enum
from fractions import Fraction
from functools import partial
from typing import Final

from attrs import asdict, field, frozen

from uplinks.balance import Selector
from uplinks.diagnostics import MASK
from uplinks.durations import format_duration
from uplinks.errors import UnknownService, UplinksError
from uplinks.model import (
    ChildService,
    Fleet,
    HealthCheck,
    PassiveHealthCheck,
    Services,
    TraefikService,
    WeightedService,
)
from uplinks.parent import Parent
from uplinks.simulate import by_child, ideal_shares

__all__ = ["JUMP", "Change", "Difference", "Entry", "Risk", "RiskKind", "Share", "diff", "percent"]

JUMP: Final = Fraction(20, 100)
_DURATIONS: Final = {"interval", "unhealthy_interval", "timeout", "failure_window"}


class RiskKind(Enum):
    """Why a change is worth a second look."""

    LAST_CHILD = "last-child"
    ALL_ZERO = "all-zero"
    JUMP = "share-jump"
    CHECK_REMOVED = "health-check-removed"
    DANGLING = "dangling-reference"
    ADDRESS = "address-changed"
    REMOVED = "no-longer-served"


@frozen
class Change:
    """A field before and after; ``None`` where it is not there."""

    field: str
    before: str | None
    after: str | None


@frozen
class Share:
    """A child's share of the requests before and after, from 0 to 1."""

    child: str
    before: Fraction
    after: Fraction


@frozen
class Risk:
    """One risky change, in a sentence."""

    kind: RiskKind
    message: str


@frozen
class Entry:
    """What happens to one service, or to one route of a router of the parent.

    ``kind`` is weighted, child, composed or route (which is known by its
    router and match, not by its place); ``what`` is added, removed or changed.
    ``shares`` are those of all children on either side.
    """

    name: str
    kind: str
    what: str
    changes: tuple[Change, ...] = ()
    shares: tuple[Share, ...] = ()
    risks: tuple[Risk, ...] = ()


@frozen
class Difference:
    """All entries that differ, by name."""

    entries: tuple[Entry, ...] = ()

    @property
    def risky(self) -> bool:
        """Whether any change is."""
        return any(entry.risks for entry in self.entries)


@frozen
class _Side:
    """One entry as one side has it. ``broken`` says why it has no shares."""

    kind: str
    fields: Mapping[str, str]
    hidden: Mapping[str, str] = field(factory=dict, repr=False)  # compared, and never told
    shares: Mapping[str, Fraction] = field(factory=dict)
    broken: UplinksError | None = None


def diff(old: Fleet, new: Fleet, *, jump: Fraction = JUMP) -> Difference:
    """Compare what a parent makes of two fleets.

    ``jump`` is how much a child's share may change without being a risk, 0 to
    1. Shares are those while every child is up.

    Law: `diff` of equal fleets is empty; nothing that serves requests is removed
    without a risk; swapping the fleets swaps what is
    added and removed, and before and after (``tests/laws/test_diff_laws.py``).
    Complexity: O(services + references), nested ones counted for each that
    holds them.
    Raises: ValueError for a jump outside 0 … 1; as `Parent.from_fleet`.

    >>> from uplinks.model import *
    >>> def fleet(weight):
    ...     config = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)})
    ...     offer = {"eu": 1, "us": weight}
    ...     children = {n: Cluster(n, [Uplink("api", "apps", weight=w)], child_config=config)
    ...                 for n, w in offer.items()}
    ...     listed = ParentConfig({n: Child(f"https://{n}.example.com") for n in offer})
    ...     return Fleet(Cluster("parent", parent_config=listed), children)
    >>> [entry] = diff(fleet(1), fleet(3)).entries
    >>> entry.name, [(s.child, str(s.before), str(s.after)) for s in entry.shares]
    ('apps-api@multicluster', [('eu', '1/2', '1/4'), ('us', '1/2', '3/4')])
    >>> entry.risks[0].kind
    <RiskKind.JUMP: 'share-jump'>

    Source: this library's.
    """
    if not 0 <= jump <= 1:
        raise ValueError(f"a jump is from 0 to 1, not {jump}")
    before, after = _sides(old), _sides(new)
    entries = []
    for name in sorted({*before, *after}):
        entry = _entry(name, before.get(name), after.get(name), jump)
        if entry is not None:
            entries.append(entry)
    return Difference(tuple(entries))


# --- one side ---------------------------------------------------------------


def _sides(fleet: Fleet) -> dict[str, _Side]:
    parent = Parent.from_fleet(fleet)
    sides: dict[str, _Side] = {}
    for name, service in parent.services.items():
        if isinstance(service, WeightedService):
            fields = _weights(parent.services, service)
            sides[name] = _selected(parent, "weighted", fields, partial(parent.selector, name))
        else:
            told, hidden = _child_fields(service)
            sides[name] = _Side("child", told, hidden, {service.child: Fraction(1)})
    for name, composed in parent.composed.items():
        fields = dict(_references(composed))
        sides[name] = _selected(parent, "composed", fields, partial(parent.selector, name))
    for router in fleet.parent.routers:
        for index, route in enumerate(router.routes):
            fields = _numbered((s.name, f"weight {s.weight}") for s in route.services)
            name = _free(f"route {router.namespace}/{router.name}: {route.match}", sides)
            sides[name] = _selected(parent, "route", fields, partial(parent.route, router, index))
    return sides


def _selected(
    parent: Parent, kind: str, fields: Mapping[str, str], select: Callable[[], Selector]
) -> _Side:
    try:
        shares = by_child(ideal_shares(select(), parent.failovers))
    except UplinksError as problem:
        return _Side(kind, fields, broken=problem)
    return _Side(kind, fields, shares=shares)


def _weights(services: Services, service: WeightedService) -> dict[str, str]:
    fields = {}
    for entry in service.children:
        child = services[entry.name]
        assert isinstance(child, ChildService)  # noqa: S101 - materialize's law
        fields[f"weight of {child.child}"] = str(entry.weight)
    return fields


def _child_fields(service: ChildService) -> tuple[dict[str, str], dict[str, str]]:
    fields = {"url": service.url}
    fields |= _check_fields("health check", service.health_check)
    fields |= _check_fields("passive health check", service.passive_health_check)
    headers = service.health_check.headers if service.health_check else ()
    values: dict[str, str] = {}
    for header in headers:
        values[_free(f"health check header {header.name}", values)] = header.value
    return fields, values


def _check_fields(title: str, check: HealthCheck | PassiveHealthCheck | None) -> dict[str, str]:
    if check is None:
        return {}
    fields = {title: "yes"}
    for name, value in asdict(check, recurse=False).items():
        if name == "headers":
            shown = ", ".join(sorted(header.name for header in value))
        else:
            shown = format_duration(value) if name in _DURATIONS else str(value)
        if value is not None and shown:
            fields[f"{title} {name.replace('_', ' ')}"] = shown
    return fields


def _references(service: TraefikService) -> Iterator[tuple[str, str]]:
    if service.weighted is not None:
        pairs = ((s.name, f"weight {s.weight}") for s in service.weighted.services)
        yield from _numbered(pairs).items()
    if service.failover is not None:
        yield "main", service.failover.service.name
        yield "fallback", service.failover.fallback.name


def _numbered(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Name what may stand there twice, in whatever order."""
    fields: dict[str, str] = {}
    for name, value in sorted(pairs):
        fields[_free(f"service {name}", fields)] = value
    return fields


def _free(name: str, taken: Container[str]) -> str:
    """Number a name that is taken: ``name (2)``."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name} ({number})", number + 1
    return found


# --- two sides --------------------------------------------------------------

_NOTHING: Final = _Side("", {})


def _entry(name: str, before: _Side | None, after: _Side | None, jump: Fraction) -> Entry | None:
    old, new = before or _NOTHING, after or _NOTHING
    changes = (*_changes(old, new), *_hidden_changes(old, new))
    if before and after and before.kind != after.kind:  # a name may pass to another service
        changes = (Change("kind", before.kind, after.kind), *changes)
    alone = {old.kind, new.kind} <= {"child", ""}  # and its share of itself tells nothing
    shares = (
        ()
        if alone
        else tuple(
            Share(child, old.shares.get(child, Fraction(0)), new.shares.get(child, Fraction(0)))
            for child in sorted({*old.shares, *new.shares})
        )
    )
    moved = any(share.before != share.after for share in shares)
    mended = str(old.broken) != str(new.broken)
    if before and after and not (changes or moved or mended):
        return None
    what = "added" if before is None else "removed" if after is None else "changed"
    risks = tuple(_risks(before, after, shares, jump))
    return Entry(name, new.kind or old.kind, what, changes, shares, risks)


def _changes(old: _Side, new: _Side) -> Iterator[Change]:
    for key in dict.fromkeys([*old.fields, *new.fields]):
        before, after = old.fields.get(key), new.fields.get(key)
        if before != after:
            yield Change(key, before, after)


def _hidden_changes(old: _Side, new: _Side) -> Iterator[Change]:
    for key, value in old.hidden.items():
        if value != new.hidden.get(key, value):
            yield Change(key, MASK, MASK)


def _risks(
    before: _Side | None, after: _Side | None, shares: tuple[Share, ...], jump: Fraction
) -> Iterator[Risk]:
    if after is None:
        if before is not None and before.kind == "weighted":
            yield Risk(RiskKind.LAST_CHILD, "it loses its last child")
        elif before is not None and before.kind != "child" and any(before.shares.values()):
            yield Risk(RiskKind.REMOVED, "it is removed, and requests are served by it now")
    elif after.kind == "child" and (before is None or before.kind == "child"):
        if before is not None:
            yield from _risks_of_a_child(before, after)
    elif after.broken is None:
        yield from _risks_of_shares(before, after, shares, jump)
    elif isinstance(after.broken, UnknownService) and (
        before is None or str(after.broken) != str(before.broken)
    ):
        yield Risk(RiskKind.DANGLING, f"it refers to what is not there: {after.broken}")


def _risks_of_a_child(before: _Side, after: _Side) -> Iterator[Risk]:
    for title in ("health check", "passive health check"):
        if title in before.fields and title not in after.fields:
            yield Risk(RiskKind.CHECK_REMOVED, f"its {title} is removed")
    if before.fields["url"] != after.fields["url"]:
        yield Risk(RiskKind.ADDRESS, "its address changes: it is unknown until it is probed")


def _risks_of_shares(
    before: _Side | None, after: _Side, shares: tuple[Share, ...], jump: Fraction
) -> Iterator[Risk]:
    served, serves = any(s.before for s in shares), any(s.after for s in shares)
    if after.shares and not serves and (served or before is None):
        yield Risk(RiskKind.ALL_ZERO, "everything has weight 0: nothing is ever picked")
    elif served and not serves:
        yield Risk(RiskKind.LAST_CHILD, "it loses its last child")
    elif served:
        for share in shares:
            if abs(share.after - share.before) > jump:
                moved = f"{percent(share.before)} to {percent(share.after)}"
                yield Risk(RiskKind.JUMP, f"the share of {share.child} goes from {moved}")


def percent(share: Fraction) -> str:
    """Write a share in percent, to a tenth; what is not exact is marked.

    >>> percent(Fraction(1, 4)), percent(Fraction(1, 3))
    ('25 %', '≈33.3 %')
    """
    tenths = share * 1000
    text = f"{round(tenths) / 10:g} %"
    return text if tenths.denominator == 1 else f"≈{text}"

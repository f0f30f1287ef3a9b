"""What a change of manifests does to a parent, as data.

Both sides are built as a real `Parent`; shares are those of its selectors while
every child is up. Header values never appear, only the fact that they changed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from enum import Enum
from fractions import Fraction
from functools import partial
from typing import Any, Final

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
from uplinks.simulate import ideal_shares, sum_by_child

__all__ = [
    "FEW_CHILDREN",
    "JUMP",
    "Cause",
    "Difference",
    "FieldChange",
    "Risk",
    "RiskKind",
    "ServiceChange",
    "ShareChange",
    "diff",
    "percent",
]

JUMP: Final = Fraction(20, 100)
_DURATIONS: Final = {"interval", "unhealthy_interval", "timeout", "failure_window"}


class RiskKind(Enum):
    """Why a change deserves a second look."""

    LAST_CHILD = "last-child"
    ALL_ZERO = "all-zero"
    JUMP = "share-jump"
    CHECK_REMOVED = "health-check-removed"
    DANGLING = "dangling-reference"
    ADDRESS = "address-changed"
    REMOVED = "no-longer-served"


@frozen
class FieldChange:
    """One field before and after; ``None`` on the side that does not have it."""

    field: str
    before: str | None
    after: str | None


@frozen
class ShareChange:
    """A child's share of the requests before and after, from 0 to 1."""

    child: str
    before: Fraction
    after: Fraction


@frozen
class Risk:
    """One risk, with a message for people."""

    kind: RiskKind
    message: str


@frozen
class ServiceChange:
    """The change of one service, or of one route of a parent's router.

    ``kind`` is weighted, child, composed or route (a route is identified by its
    router and its match, not by its position); ``action`` is added, removed or
    changed. ``shares`` lists the children of both sides. ``child`` is the child
    of a child service, and ``""`` for the other kinds.
    """

    name: str
    kind: str
    action: str
    fields: tuple[FieldChange, ...] = ()
    shares: tuple[ShareChange, ...] = ()
    risks: tuple[Risk, ...] = ()
    child: str = ""


FEW_CHILDREN: Final = 4
"""How many children with the same change have a cause each."""


@frozen
class Cause:
    """Changes that are equal but for their names, ``changes[0]`` standing for all."""

    changes: tuple[ServiceChange, ...]

    @property
    def first(self) -> ServiceChange:
        """The change whose action, fields, shares and risks represent the group."""
        return self.changes[0]


def _what(change: ServiceChange) -> object:
    return (change.action, change.fields, change.shares, change.risks)


def _join_children(groups: dict[object, list[ServiceChange]]) -> None:
    """Join the groups of very many children with the same change."""
    alike: dict[object, list[object]] = {}
    for key, group in groups.items():
        if group[0].action == "changed":
            alike.setdefault(_what(group[0]), []).append(key)
    for first, *others in alike.values():
        if len(others) >= FEW_CHILDREN:
            for other in others:
                groups[first] += groups.pop(other)


@frozen
class Difference:
    """All changes, sorted by name."""

    changes: tuple[ServiceChange, ...] = ()

    @property
    def risky(self) -> bool:
        """Whether any change is a risk."""
        return any(change.risks for change in self.changes)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The changes grouped by what happens, risky groups first.

        The same change of a few children is one cause each, of more than `FEW_CHILDREN`
        a single one. A change without fields of its own, such as a route whose service
        changed, joins the group with the same shares if there is exactly one.
        Complexity: O(changes).
        """
        groups: dict[object, list[ServiceChange]] = {}
        effects: list[ServiceChange] = []
        for each in self.changes:
            if each.action == "changed" and not each.fields:
                effects.append(each)
            else:
                groups.setdefault((_what(each), each.child), []).append(each)
        _join_children(groups)
        by_shares: dict[object, list[list[ServiceChange]]] = {}
        for group in groups.values():
            by_shares.setdefault((group[0].shares, group[0].risks), []).append(group)
        for each in effects:
            same = by_shares.get((each.shares, each.risks), [])
            if len(same) == 1 and each.shares:
                same[0].append(each)
            else:
                groups.setdefault((each.shares, each.risks), []).append(each)
        causes = (Cause(tuple(group)) for group in groups.values())
        return tuple(sorted(causes, key=lambda cause: not cause.first.risks))


@frozen
class _Side:
    """One service or route on one side. ``error`` says why it has no shares.

    ``defaults`` are the values that ``fields`` have without being set;
    ``secrets`` are compared but never shown.
    """

    kind: str
    fields: Mapping[str, str]
    secrets: Mapping[str, str] = field(factory=dict, repr=False)
    shares: Mapping[str, Fraction] = field(factory=dict)
    error: UplinksError | None = None
    child: str = ""


def diff(old: Fleet, new: Fleet, *, jump: Fraction = JUMP) -> Difference:
    """Compare the services and routes that a parent builds from two fleets.

    ``jump`` is how far a child's share may move without being a risk, 0 to 1.
    Shares are those while every child is up. When a health check is added or
    removed as a whole, its fields with default values are not listed.

    Law: `diff` of equal fleets is empty; nothing that serves requests is removed
    without a risk; swapping the fleets swaps added and removed, before and after
    (``tests/laws/test_diff_laws.py``).
    Complexity: O(services + references), where a nested service counts once for
    each service that contains it.
    Raises: ValueError for a jump outside 0 … 1; as `Parent.from_fleet`.

    >>> from uplinks.model import *
    >>> def fleet(weight):
    ...     config = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)})
    ...     offer = {"eu": 1, "us": weight}
    ...     children = {n: Cluster(n, [Uplink("api", "apps", weight=w)], child_config=config)
    ...                 for n, w in offer.items()}
    ...     listed = ParentConfig({n: Child(f"https://{n}.example.com") for n in offer})
    ...     return Fleet(Cluster("parent", parent_config=listed), children)
    >>> [change] = diff(fleet(1), fleet(3)).changes
    >>> change.name, [(s.child, str(s.before), str(s.after)) for s in change.shares]
    ('apps-api@multicluster', [('eu', '1/2', '1/4'), ('us', '1/2', '3/4')])
    >>> change.risks[0].kind
    <RiskKind.JUMP: 'share-jump'>
    """
    if not 0 <= jump <= 1:
        raise ValueError(f"jump must be between 0 and 1, got {jump}")
    before, after = _sides(old), _sides(new)
    names = sorted({*before, *after})
    found = (_service_change(name, before.get(name), after.get(name), jump) for name in names)
    return Difference(tuple(change for change in found if change is not None))


# --- one side ---------------------------------------------------------------


def _sides(fleet: Fleet) -> dict[str, _Side]:
    parent = Parent.from_fleet(fleet, strict=False)
    sides: dict[str, _Side] = {}
    for name, service in parent.services.items():
        if isinstance(service, WeightedService):
            fields = _weights(parent.services, service)
            sides[name] = _selected(parent, "weighted", fields, partial(parent.selector, name))
        else:
            sides[name] = _child_side(service)
    for name, composed in parent.composed.items():
        fields = dict(_references(composed))
        sides[name] = _selected(parent, "composed", fields, partial(parent.selector, name))
    for router in fleet.parent.routers:
        for index, route in enumerate(router.routes):
            fields = _numbered((s.name, f"weight {s.weight}") for s in route.services)
            name = _unique(f"route {router.owner}: {route.match}", sides)
            sides[name] = _selected(parent, "route", fields, partial(parent.route, router, index))
    return sides


def _selected(
    parent: Parent, kind: str, fields: Mapping[str, str], select: Callable[[], Selector[Any]]
) -> _Side:
    try:
        shares = sum_by_child(ideal_shares(select(), parent.failovers))
    except UplinksError as error:
        return _Side(kind, fields, error=error)
    return _Side(kind, fields, shares=shares)


def _weights(services: Services, service: WeightedService) -> dict[str, str]:
    fields = {}
    for entry in service.children:
        child = services[entry.name]
        assert isinstance(child, ChildService)  # noqa: S101 - materialize's law
        fields[f"weight of {child.child}"] = str(entry.weight)
    return fields


def _child_side(service: ChildService) -> _Side:
    fields = {"url": service.url}
    fields |= _check_fields("health check", service.health_check)
    fields |= _check_fields("passive health check", service.passive_health_check)
    secrets: dict[str, str] = {}
    for header in service.health_check.headers if service.health_check else ():
        secrets[_unique(f"health check header {header.name}", secrets)] = header.value
    return _Side("child", fields, secrets, {service.child: Fraction(1)}, child=service.child)


def _check_fields(title: str, check: HealthCheck | PassiveHealthCheck | None) -> dict[str, str]:
    if check is None:
        return {}
    fields = {title: "yes"}
    values = asdict(check, recurse=False)
    if values.get("unhealthy_interval") == values.get("interval"):  # its default
        values.pop("unhealthy_interval", None)
    for name, value in values.items():
        if name == "headers":
            text = ", ".join(sorted(header.name for header in value))
        else:
            text = format_duration(value) if name in _DURATIONS else str(value)
        if value is not None and text:
            fields[f"{title} {name.replace('_', ' ')}"] = text
    return fields


def _references(service: TraefikService) -> Iterator[tuple[str, str]]:
    if service.weighted is not None:
        pairs = ((s.name, f"weight {s.weight}") for s in service.weighted.services)
        yield from _numbered(pairs).items()
    if service.failover is not None:
        yield "main", service.failover.service.name
        yield "fallback", service.failover.fallback.name


def _numbered(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Give each service a field of its own, whatever the order, even if listed twice."""
    fields: dict[str, str] = {}
    for name, value in sorted(pairs):
        fields[_unique(f"service {name}", fields)] = value
    return fields


def _unique(name: str, taken: Container[str]) -> str:
    """Number a name that is taken: ``name (2)``."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name} ({number})", number + 1
    return found


# --- two sides --------------------------------------------------------------

_ABSENT: Final = _Side("", {})
_DEFAULTS: Final = {
    **_check_fields("health check", HealthCheck()),
    **_check_fields("passive health check", PassiveHealthCheck()),
}
_TITLES: Final = ("health check", "passive health check")


def _service_change(
    name: str, before: _Side | None, after: _Side | None, jump: Fraction
) -> ServiceChange | None:
    old, new = before or _ABSENT, after or _ABSENT
    fields = (*_field_changes(old, new), *_secret_changes(old, new))
    if before and after and before.kind != after.kind:  # a name may pass to another service
        fields = (FieldChange("kind", before.kind, after.kind), *fields)
    shares: tuple[ShareChange, ...] = ()
    if not {old.kind, new.kind} <= {"child", ""}:  # a child service is all its child's
        shares = tuple(
            ShareChange(
                child, old.shares.get(child, Fraction(0)), new.shares.get(child, Fraction(0))
            )
            for child in sorted({*old.shares, *new.shares})
        )
    moved = any(share.before != share.after for share in shares)
    if before and after and not (fields or moved or str(old.error) != str(new.error)):
        return None
    action = "added" if before is None else "removed" if after is None else "changed"
    risks = tuple(_risks(before, after, shares, jump))
    child = new.child or old.child
    return ServiceChange(name, new.kind or old.kind, action, fields, shares, risks, child)


def _field_changes(old: _Side, new: _Side) -> Iterator[FieldChange]:
    for key in dict.fromkeys([*old.fields, *new.fields]):
        before, after = old.fields.get(key), new.fields.get(key)
        implied = key not in _TITLES and None in {before, after}
        if before != after and not (implied and (before or after) == _DEFAULTS.get(key)):
            yield FieldChange(key, before, after)


def _secret_changes(old: _Side, new: _Side) -> Iterator[FieldChange]:
    for key, value in old.secrets.items():
        if value != new.secrets.get(key, value):
            yield FieldChange(key, MASK, MASK)


def _risks(
    before: _Side | None, after: _Side | None, shares: tuple[ShareChange, ...], jump: Fraction
) -> Iterator[Risk]:
    if after is None:
        if before is not None and before.kind == "weighted":
            yield Risk(RiskKind.LAST_CHILD, "the service loses its last child")
        elif before is not None and before.kind != "child" and any(before.shares.values()):
            yield Risk(RiskKind.REMOVED, "it serves requests and is removed")
    elif after.kind == "child" and (before is None or before.kind == "child"):
        if before is not None:
            yield from _child_risks(before, after)
    elif after.error is None:
        yield from _share_risks(before, after, shares, jump)
    elif isinstance(after.error, UnknownService) and (
        before is None or str(after.error) != str(before.error)
    ):
        yield Risk(RiskKind.DANGLING, f"a referenced service does not exist: {after.error}")


def _child_risks(before: _Side, after: _Side) -> Iterator[Risk]:
    for title in _TITLES:
        if title in before.fields and title not in after.fields:
            yield Risk(RiskKind.CHECK_REMOVED, f"the {title} is removed")
    if before.fields["url"] != after.fields["url"]:
        yield Risk(RiskKind.ADDRESS, "health is unknown until the first probe of the new address")


def _share_risks(
    before: _Side | None, after: _Side, shares: tuple[ShareChange, ...], jump: Fraction
) -> Iterator[Risk]:
    served, serves = any(s.before for s in shares), any(s.after for s in shares)
    if after.shares and not serves and (served or before is None):
        yield Risk(RiskKind.ALL_ZERO, "every weight is 0, so no child is ever picked")
    elif served and not serves:
        yield Risk(RiskKind.LAST_CHILD, "the service loses its last child")
    elif served:
        for share in shares:
            if abs(share.after - share.before) > jump:
                moved = f"{percent(share.before)} to {percent(share.after)}"
                yield Risk(RiskKind.JUMP, f"the share of {share.child} changes from {moved}")


def percent(share: Fraction) -> str:
    """Format a share in percent, to a tenth; a rounded one is marked with ``≈``.

    >>> percent(Fraction(1, 4)), percent(Fraction(1, 3))
    ('25 %', '≈33.3 %')
    """
    tenths = share * 1000
    text = f"{round(tenths) / 10:g} %"
    return text if tenths.denominator == 1 else f"≈{text}"

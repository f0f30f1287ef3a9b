"""Where a parent's children come from: a fleet of manifests, or a plain mapping."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from attrs import evolve, frozen

from uplinks.addresses import without_userinfo
from uplinks.errors import InvalidAddress, ValidationError, quote
from uplinks.model import (
    Advertisement,
    Child,
    Fleet,
    HealthCheck,
    ParentConfig,
    PassiveHealthCheck,
    TraefikService,
)
from uplinks.services import advertise

__all__ = ["ChildAddress", "Plain", "Source", "require", "source_of"]

ChildAddress = str | Child | tuple[str | Child, int]
"""A child's address, or a `Child` with more settings; perhaps with its weight."""


@frozen
class Source:
    """Everything that a parent serves: its children, their offers, its composed services."""

    config: ParentConfig
    offers: Mapping[str, tuple[Advertisement, ...]]
    services: tuple[TraefikService, ...] = ()


def source_of(fleet: Fleet, *, strict: bool) -> Source:
    """Read a fleet. Children that the parent does not list are left out.

    Raises: ValidationError for a fleet with errors, if ``strict``; CannotAdvertise.
    """
    if strict:
        # Imported here: a parent without manifests needs no rules.
        from uplinks.rules import check  # noqa: PLC0415

        report = check(fleet)
        if report.errors:
            raise ValidationError(report)
    config = fleet.parent.parent_config or ParentConfig()
    children = {name: fleet.children[name] for name in config.children if name in fleet.children}
    reached = fleet.reached_entry_points()
    offers = {
        name: advertise(cluster, entry_points=reached.get(name))
        for name, cluster in sorted(children.items())
    }
    return Source(config, offers, fleet.parent.traefik_services)


@frozen
class Plain:
    """One service of children that are given by their addresses, and the checks of each."""

    service: str
    health_check: HealthCheck | None
    passive_health_check: PassiveHealthCheck | None

    def __attrs_post_init__(self) -> None:
        """Raises: TypeError for values of other types."""
        require(self.service, str, "service")
        if self.health_check is not None:
            require(self.health_check, HealthCheck, "health_check")
        if self.passive_health_check is not None:
            require(self.passive_health_check, PassiveHealthCheck, "passive_health_check")

    def source(self, children: Mapping[str, ChildAddress]) -> Source:
        """Read ``{"eu": "https://eu.example.com", "us": ("https://us.example.com/base", 3)}``.

        Raises: TypeError for another shape; InvalidAddress.
        """
        if not isinstance(children, Mapping):
            raise TypeError(
                f"children must be a mapping like {{'eu': 'https://eu.example.com'}}, "
                f"got {type(children).__name__}"
            )
        listed: dict[str, Child] = {}
        offers: dict[str, tuple[Advertisement, ...]] = {}
        for name, given in children.items():
            require(name, str, "a child's name")
            match given:
                case str() | Child():
                    address, weight = given, 1
                case (str() | Child() as address, int(weight)) if not isinstance(weight, bool):
                    pass
                case _:
                    raise TypeError(
                        f"child {quote(name)} must be an address or a pair of address and weight, "
                        f"got {_masked(given)}"
                    )
            listed[name] = child = _child(name, address) if isinstance(address, str) else address
            offers[name] = (
                Advertisement(
                    self.service,
                    f"{self.service}/{self.service}",
                    (),
                    weight,
                    _below(child.base_path, self.health_check),
                    self.passive_health_check,
                    exposed=True,
                ),
            )
        return Source(ParentConfig(listed), offers)


def require(value: object, kind: type, name: str) -> None:
    """Check the type of an argument. Raises: TypeError that names it and both types."""
    if not isinstance(value, kind):
        expected = {str: "a string", int: "an integer"}.get(kind, f"a {kind.__name__}")
        raise TypeError(f"{name} must be {expected}, got {type(value).__name__}")


def _child(name: str, address: str) -> Child:
    """Split an address into that of the server and a base path."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return Child(address)  # refused where all addresses are
    if not parts.scheme or not parts.netloc:
        return Child(address)
    if "?" in address or "#" in address:
        raise InvalidAddress(name, without_userinfo(address), "it has a query or fragment")
    server = address.removesuffix(parts.path) if parts.path else address
    return Child(server, base_path=parts.path.rstrip("/"))


def _below(base_path: str, check: HealthCheck | None) -> HealthCheck | None:
    """Return a child's check: a path of the check is below the child's base path."""
    if check is None or not base_path or check.mode != "http":
        return check
    return evolve(check, path=base_path + (check.path or "/"))


def _masked(given: object) -> str:
    """Format what was given; an address may hold a password."""
    return quote(given) if isinstance(given, int | float | None) else f"a {type(given).__name__}"

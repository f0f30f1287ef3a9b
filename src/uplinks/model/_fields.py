"""How the fields of the model are kept: tuples, frozen mappings, and what takes no part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from attrs import field

from uplinks.addresses import without_userinfo
from uplinks.located import UNLOCATED

__all__ = [
    "address_shown",
    "frozen_mapping",
    "mapping_field",
    "origin_field",
    "rest_field",
    "to_tuple",
]


def frozen_mapping(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Copy what is not frozen yet."""
    return value if isinstance(value, MappingProxyType) else MappingProxyType(dict(value))


def to_tuple(value: Iterable[Any]) -> tuple[Any, ...]:
    """Take any iterable; `tuple` itself as a converter would leave its type variable open."""
    return tuple(value)


def address_shown(value: object) -> str:
    """Show an address without its user and password."""
    return repr(without_userinfo(value) if isinstance(value, str) else value)


def origin_field() -> Any:
    """Where an object was read: no part of what it is."""
    return field(default=UNLOCATED, eq=False, repr=False, kw_only=True)


def mapping_field() -> Any:
    """Keep names and values, frozen; no part of the hash."""
    return field(factory=dict, converter=frozen_mapping, hash=False)


def rest_field() -> Any:
    """Fields that are part of the kind but mean nothing here; kept for writing back."""
    return field(factory=dict, converter=frozen_mapping, hash=False, repr=False, kw_only=True)

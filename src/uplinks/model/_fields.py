"""The fields of the model's classes: tuples, frozen mappings, and how values are copied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from attrs import field, fields

from uplinks.addresses import without_userinfo
from uplinks.located import UNLOCATED

__all__ = [
    "Copyable",
    "frozen_mapping",
    "mapping_field",
    "masked_address",
    "origin_field",
    "rest_field",
    "to_tuple",
]


class Copyable:
    """Base of the classes with frozen mappings, which neither `pickle` nor `copy` takes.

    A value is rebuilt by its constructor from its fields, the mappings as ``dict``.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[object, ...]:
        """Give the constructor's arguments to `pickle` and `copy`."""
        cls: Any = type(self)
        arguments = {each.alias: _thawed(getattr(self, each.name)) for each in fields(cls)}
        return _rebuilt, (cls, arguments)


def _rebuilt(cls: type[Any], arguments: dict[str, Any]) -> Any:
    return cls(**arguments)


def _thawed(value: Any) -> Any:
    return dict(value) if isinstance(value, MappingProxyType) else value


def frozen_mapping(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Copy a mapping, unless it is frozen already."""
    return value if isinstance(value, MappingProxyType) else MappingProxyType(dict(value))


def to_tuple(value: Iterable[Any]) -> tuple[Any, ...]:
    """Convert any iterable but a string, which would be taken apart. Raises: TypeError."""
    if isinstance(value, str | bytes):
        raise TypeError("a list is required, got a string: put it in brackets")
    return tuple(value)


def masked_address(value: object) -> str:
    """Format an address without its user and password."""
    return repr(without_userinfo(value) if isinstance(value, str) else value)


def origin_field() -> Any:
    """Define ``origin``, where an object was read; it takes no part in comparison."""
    return field(default=UNLOCATED, eq=False, repr=False, kw_only=True)


def mapping_field() -> Any:
    """Define a frozen mapping; it takes no part in the hash, and is shown as a ``dict``."""
    return field(factory=dict, converter=frozen_mapping, hash=False, repr=_shown_mapping)


def _shown_mapping(value: Mapping[str, Any]) -> str:
    return repr(dict(value))


def rest_field() -> Any:
    """Define ``rest``: fields of the kind without meaning here, kept for writing back."""
    return field(factory=dict, converter=frozen_mapping, hash=False, repr=False, kw_only=True)

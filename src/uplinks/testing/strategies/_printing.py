"""How Hypothesis shows values of the model: as code to paste, without defaults and origins."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from attrs import NOTHING, Attribute, Factory, fields, has
from hypothesis.vendor import pretty

from uplinks import model

__all__ = ["register"]


def register() -> None:
    """Show values of the model by `print_value`."""
    for name in model.__all__:
        kind = getattr(model, name)
        if isinstance(kind, type) and has(kind):
            pretty.for_type_by_name(kind.__module__, kind.__name__, print_value)


def print_value(value: Any, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - called by Hypothesis
    """Print a constructor call with the fields that differ from their defaults.

    A field that no repr shows is left out; one that a repr masks is masked.
    """
    name = type(value).__name__
    if cycle:
        printer.text(f"{name}(...)")
        return
    shown = [each for each in fields(type(value)) if each.repr and not _is_default(each, value)]
    with printer.group(4, f"{name}(", ")"):
        for index, each in enumerate(shown):
            if index:
                printer.text(",")
                printer.breakable()
            printer.text(f"{each.alias}=")
            content = getattr(value, each.name)
            if isinstance(content, MappingProxyType):
                printer.pretty(dict(content))
            elif callable(each.repr):
                printer.text(each.repr(content))
            else:
                printer.pretty(content)


def _is_default(each: Attribute[Any], value: Any) -> bool:
    default: Any = each.default
    if default is NOTHING:
        return False
    if isinstance(default, Factory):  # type: ignore[arg-type]
        default = default.factory(value) if default.takes_self else default.factory()
    return bool(getattr(value, each.name) == default)

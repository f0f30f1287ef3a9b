"""The converter: values from trees and back, and what it refuses.

Rules of this file:

1. No value is coerced. A text is not a number, a boolean is not a number, and
   ``1.0`` is not ``1``; whatever a hook does not accept it refuses.
2. ``null`` is the same as leaving the field out.
3. A refusal never carries the contents of a list, of a mapping, or of a header.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, get_args, get_origin

import attrs
from cattrs import BaseValidationError, Converter, IterableValidationError, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from uplinks.durations import format_duration, parse_duration
from uplinks.errors import InvalidDuration
from uplinks.model import (
    ForwardingTimeouts,
    Header,
    HealthCheck,
    ParentConfig,
    PassiveHealthCheck,
)
from uplinks.schema._shapes import (
    IngressRouteManifest,
    IngressRouteSpec,
    accepted_fields,
    camel_case,
    own_fields,
)

__all__ = ["CONVERTER", "MOST_REFUSED", "Refused", "read_duration"]


class Refused(Exception):
    """A value that does not have the shape it should have.

    ``said`` is what a finding says after the name of the field; ``hidden``: the
    name may be a value that stands in the wrong place, and must not be said.
    """

    def __init__(self, code: str, said: str, *, hidden: bool = False) -> None:
        super().__init__(said)
        self.code = code
        self.said = said
        self.hidden = hidden


def _plain(value: Any) -> Any:
    """Copy a tree into plain ``dict`` and ``list``, leaving its places behind."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


_NAMES: Final = MappingProxyType(
    {bool: "a boolean", int: "an integer", float: "a number", str: "a text", type(None): "nothing"}
)


def _type_name(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return _NAMES.get(type(value), f"a {type(value).__name__}")


def _shown(value: object) -> str:
    """Show a scalar with its type and at no great length; of others the type."""
    limit = 40
    if value is None or isinstance(value, dict | list) or type(value) not in _NAMES:
        return _type_name(value)
    if isinstance(value, float):
        # Python would write it in another way than it is written: 1e2 as 100.0.
        return "a number with a fraction or an exponent"
    if isinstance(value, int) and value.bit_length() > 3 * limit:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str) and len(value) > limit:
        return f"{value[:limit]!r}… (a text of {len(value)} characters)"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return f"{text} ({_type_name(value)})"


def _wrong_type(value: object, allowed: str) -> Refused:
    return Refused("UPL006", f"is {_shown(value)}; {allowed} is allowed")


def _wrong_container(value: object, allowed: str) -> Refused:
    # Only the type: what stands where a mapping should be may hold a header.
    return Refused("UPL006", f"is {_type_name(value)}; {allowed} is allowed")


def _text(value: object, _: object = None) -> str:
    if type(value) is not str:
        raise _wrong_type(value, "a text")
    return value


def _integer(value: object, _: object = None) -> int:
    if type(value) is not int:
        raise _wrong_type(value, "an integer")
    return value


def _boolean(value: object, _: object = None) -> bool:
    if type(value) is not bool:
        raise _wrong_type(value, "true or false")
    return value


def _port(value: object, _: object = None) -> int | str:
    if type(value) is not int and type(value) is not str:
        raise _wrong_type(value, "an integer or a text")
    return value


def read_duration(value: object, _: object = None) -> int:
    """Read seconds or a duration; refuse everything else."""
    allowed = "seconds (30) or a Go duration (1m30s, 1.5s, 500ms)"
    if isinstance(value, bool | float | int | str):
        try:
            return parse_duration(value)  # type: ignore[arg-type] # it refuses what is neither
        except InvalidDuration as error:
            said = f"is {_shown(value)}, not a duration: {error.reason}; {allowed} is allowed"
            raise Refused("UPL201", said) from None
    raise _wrong_type(value, allowed)


def _anything(value: object, _: object = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong_container(value, "a mapping")
    copy: dict[str, Any] = _plain(value)
    return copy


def _header_value(value: object, _: object = None) -> str:
    if type(value) is not str:
        # Never the value: it may be a credential, whatever its type. A name
        # without a value may be one too: `headers: {Bearer abc}`.
        said = f"is {_type_name(value)}; a text is allowed"
        raise Refused("UPL006", said, hidden=value is None)
    return value


def _headers(value: object, _: object = None) -> tuple[Header, ...]:
    texts = _each_value(value, _header_value, str)
    return tuple(Header(name, text) for name, text in texts.items())


def _collect(
    pairs: Any, hook: Callable[[Any, Any], Any], kind: Any, cls: Any
) -> list[tuple[Any, Any]]:
    """Structure every item; raise once, with all that was refused and where.

    With more than `MOST_REFUSED` items refused, the container is refused as well.
    """
    done: list[tuple[Any, Any]] = []
    failed: list[Exception] = []
    for index, item in pairs:
        try:
            done.append((index, hook(item, kind)))
        except (Refused, BaseValidationError) as error:
            error.add_note(IterableValidationNote(f"item {index!r}", index, kind))
            failed.append(error)
            if len(failed) > MOST_REFUSED:
                said = f"has more than {MOST_REFUSED} wrong items; the rest was left unread"
                failed[-1] = Refused("UPL004", said)
                break
    if failed:
        raise IterableValidationError("items refused", failed, cls)
    return done


def _each_value(value: object, hook: Callable[[Any, Any], Any], kind: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong_container(value, "a mapping")
    return dict(_collect(value.items(), hook, kind, dict))


def _tuple_hook(converter: Converter, cls: Any) -> Callable[[Any, Any], Any]:
    kind = get_args(cls)[0]
    hook = converter.get_structure_hook(kind)

    def structure(value: Any, _: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _wrong_container(value, "a list")
        return tuple(item for _, item in _collect(enumerate(value), hook, kind, list))

    return structure


def _mapping_hook(converter: Converter, cls: Any) -> Callable[[Any, Any], Any]:
    kind = get_args(cls)[1]
    hook = converter.get_structure_hook(kind)
    return lambda value, _: _each_value(value, hook, kind)


MOST_REFUSED: Final = 1000
"""So many items of one list or mapping are refused one by one."""

_HOOKS: Final[Mapping[tuple[type, str], tuple[Callable[..., Any], Callable[..., Any]]]] = (
    MappingProxyType(
        {
            (HealthCheck, "interval"): (read_duration, format_duration),
            (HealthCheck, "unhealthy_interval"): (read_duration, format_duration),
            (HealthCheck, "timeout"): (read_duration, format_duration),
            (HealthCheck, "headers"): (
                _headers,
                lambda headers: {h.name: h.value for h in headers},
            ),
            (PassiveHealthCheck, "failure_window"): (read_duration, format_duration),
            **{
                (ForwardingTimeouts, each.name): (read_duration, format_duration)
                for each in attrs.fields(ForwardingTimeouts)
            },
            (IngressRouteSpec, "tls"): (
                _anything,
                lambda tls: None if tls is None else _plain(tls),
            ),
        }
    )
)
"""The fields whose type alone does not say how they are written."""


def _overrides(cls: Any) -> dict[str, Any]:
    overrides: dict[str, Any] = {}
    for attribute in attrs.fields(cls):
        name = attribute.name
        if name == "origin":
            overrides[name] = override(omit=True)
        elif name == "rest":
            overrides[name] = override(
                struct_hook=lambda value, _: value, unstruct_hook=_plain, omit_if_default=True
            )
        elif (cls, name) in _HOOKS:
            read, write = _HOOKS[cls, name]
            overrides[name] = override(
                rename=camel_case(name), struct_hook=read, unstruct_hook=write
            )
        else:
            overrides[name] = override(rename=camel_case(name))
    if cls is IngressRouteManifest:
        overrides["spec"] = override(rename="spec", omit_if_default=False)
    if cls is IngressRouteSpec:
        # Required, so it is written even when there are none.
        overrides["routes"] = override(rename="routes", omit_if_default=False)
    if cls is ParentConfig:
        # Without it an empty parent would look like a child that exposes its API.
        overrides["children"] = override(rename="children", omit_if_default=False)
    return overrides


def _class_reader(converter: Converter, cls: Any) -> Callable[[Any, Any], Any]:
    inner = make_dict_structure_fn(
        cls,
        converter,
        _cattrs_forbid_extra_keys=True,
        _cattrs_detailed_validation=True,
        **_overrides(cls),
    )
    own = own_fields(cls)
    accepted = accepted_fields(cls)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise _wrong_container(value, "a mapping")
        known = {
            key: item
            for key, item in value.items()
            if (item is not None if key in own else key not in accepted)
        }
        return inner(known, cls)

    def structure_with_rest(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise _wrong_container(value, "a mapping")
        known = {key: item for key, item in value.items() if key in own and item is not None}
        known["rest"] = {key: _plain(item) for key, item in value.items() if key not in own}
        return inner(known, cls)

    return structure_with_rest if "rest" in attrs.fields_dict(cls) else structure


def _class_writer(converter: Converter, cls: Any) -> Callable[[Any], Any]:
    inner = make_dict_unstructure_fn(
        cls, converter, _cattrs_omit_if_default=True, **_overrides(cls)
    )

    def unstructure(value: Any) -> dict[str, Any]:
        written = inner(value)
        if cls is HealthCheck and value.unhealthy_interval == value.interval:
            written.pop("unhealthyInterval", None)
        # A field of ours wins over one of the same name that somebody put into `rest`.
        rest: dict[str, Any] = written.pop("rest", {})
        return written | {key: item for key, item in rest.items() if key not in written}

    return unstructure


def _is_tuple(cls: Any) -> bool:
    return get_origin(cls) is tuple


def _is_mapping(cls: Any) -> bool:
    return get_origin(cls) is Mapping


def _is_port(cls: Any) -> bool:
    return bool(cls == int | str | None)


def _converter() -> Converter:
    converter = Converter(detailed_validation=True, forbid_extra_keys=True)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook_func(_is_port, _port)
    converter.register_structure_hook_factory(attrs.has, lambda cls: _class_reader(converter, cls))
    converter.register_structure_hook_factory(_is_tuple, lambda cls: _tuple_hook(converter, cls))
    converter.register_structure_hook_factory(
        _is_mapping, lambda cls: _mapping_hook(converter, cls)
    )
    converter.register_unstructure_hook_factory(
        attrs.has, lambda cls: _class_writer(converter, cls)
    )
    converter.register_unstructure_hook_func(
        _is_tuple,
        lambda items: [converter.unstructure(item) for item in items],
    )
    converter.register_unstructure_hook_func(
        _is_mapping,
        lambda items: {key: converter.unstructure(item) for key, item in items.items()},
    )
    return converter


CONVERTER: Final = _converter()
"""The one converter. Nothing registers with it after this line."""

"""The converter: values from trees and back.

Rules of this file:

1. No value is coerced. A string is not a number, a boolean is not a number, and
   ``1.0`` is not ``1``; what a hook does not accept, it refuses.
2. ``null`` is the same as leaving the field out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, get_args, get_origin

import attrs
from cattrs import (
    BaseValidationError,
    ClassValidationError,
    Converter,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from uplinks.diagnostics import LIMIT_EXCEEDED, Fix, Severity
from uplinks.durations import Nanoseconds, format_duration, parse_duration, respell_duration
from uplinks.errors import InvalidDuration
from uplinks.located import Origin
from uplinks.model import (
    ChildConfig,
    ForwardingTimeouts,
    Header,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    PassiveHealthCheck,
)
from uplinks.schema._layout import METADATA, OBJECTS, Fields, camel_case, fields_at
from uplinks.schema._refusals import (
    WRONG_TYPE,
    Refused,
    UnknownFields,
    describe,
    type_name,
    wrong_container,
    wrong_type,
)

__all__ = ["CONVERTER", "MOST_REFUSED", "object_reader", "plain"]

INVALID_DURATION: Final = "UPL201"
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")

# --- scalars ----------------------------------------------------------------


def _string(value: object, _: object = None) -> str:
    if type(value) is not str:
        raise wrong_type(value, "a string")
    return value


def _integer(value: object, _: object = None) -> int:
    if type(value) is not int:
        raise wrong_type(value, "an integer", _without_quotes(value))
    return value


def _without_quotes(value: object) -> Fix | None:
    """Give the fix of a string that is an integer in quotes, as the field wants one."""
    if type(value) is not str or _INTEGER.fullmatch(value) is None:
        return None
    return Fix(value, int(value))


def _boolean(value: object, _: object = None) -> bool:
    if type(value) is not bool:
        fix = Fix(str(value), value == "true") if value in ("true", "false") else None
        raise wrong_type(value, "a boolean", fix)
    return value


def _port(value: object, _: object = None) -> int | str:
    if type(value) is not int and type(value) is not str:
        raise wrong_type(value, "an integer or a string")
    return value


def _duration(value: object, _: object = None) -> int:
    """Read seconds or a duration as nanoseconds. Raises `Refused`."""
    expected = "seconds (30) or a Go duration (1m30s, 1.5s, 500ms)"
    if not isinstance(value, bool | float | int | str):
        raise wrong_type(value, expected)
    try:
        return parse_duration(value)  # type: ignore[arg-type] # it refuses what is neither
    except InvalidDuration as error:
        predicate = f"must be {expected}, got {describe(value)}: {error.reason}"
        meant = respell_duration(str(value)) if isinstance(value, float | str) else None
        fix = None if meant is None else Fix(str(value), meant)
        raise Refused(INVALID_DURATION, predicate, fix=fix) from None


def _header_value(value: object, _: object = None) -> str:
    if type(value) is not str:
        # Never the value: it may be a credential, whatever its type. A name
        # without a value may be one too: `headers: {Bearer abc}`.
        predicate = f"must be a string, got {type_name(value)}"
        if value is None:
            # The API server drops it.
            predicate += "; the header is not sent"
            raise Refused(WRONG_TYPE, predicate, hidden=True, severity=Severity.WARNING)
        raise Refused(WRONG_TYPE, predicate)
    return value


# --- containers -------------------------------------------------------------

MOST_REFUSED: Final = 1000
"""The number of items of one list or mapping that are refused one by one."""


def plain(value: Any) -> Any:
    """Copy a tree into plain ``dict`` and ``list``, without its places."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _anything(value: object, _: object = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong_container(value, "a mapping")
    copy: dict[str, Any] = plain(value)
    return copy


def _headers(value: object, _: object = None) -> tuple[Header, ...]:
    values = _each_value(value, _header_value, str)
    return tuple(Header(name, text) for name, text in values.items())


def _at(step: Any, error: Exception) -> Exception:
    """Note where, in its container, an error arose."""
    error.add_note(IterableValidationNote(f"at {step!r}", step, None))
    return error


def _collect(
    pairs: Any, hook: Callable[[Any, Any], Any], kind: Any, cls: Any
) -> list[tuple[Any, Any]]:
    """Structure every item; raise once, with everything refused and its place.

    With more than `MOST_REFUSED` items refused, the container is refused as well.
    """
    done: list[tuple[Any, Any]] = []
    failed: list[Exception] = []
    for index, item in pairs:
        try:
            done.append((index, hook(item, kind)))
        except (Refused, BaseValidationError) as error:
            failed.append(_at(index, error))
            if len(failed) > MOST_REFUSED:
                predicate = (
                    f"has more than {MOST_REFUSED} invalid items; the others were not checked"
                )
                failed[-1] = Refused(LIMIT_EXCEEDED, predicate)
                break
    if failed:
        raise IterableValidationError("items refused", failed, cls)
    return done


def _each_value(value: object, hook: Callable[[Any, Any], Any], kind: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong_container(value, "a mapping")
    return dict(_collect(value.items(), hook, kind, dict))


def _tuple_hook(converter: Converter, cls: Any) -> Callable[[Any, Any], Any]:
    kind = get_args(cls)[0]
    hook = converter.get_structure_hook(kind)

    def structure(value: Any, _: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise wrong_container(value, "a list")
        return tuple(item for _, item in _collect(enumerate(value), hook, kind, list))

    return structure


def _mapping_hook(converter: Converter, cls: Any) -> Callable[[Any, Any], Any]:
    kind = get_args(cls)[1]
    hook = converter.get_structure_hook(kind)
    if kind is str:
        return lambda value, _: _each_value(_without_nulls(value), hook, kind)
    return lambda value, _: _each_value(value, hook, kind)


def _without_nulls(value: Any) -> Any:
    """Leave out the labels and annotations that are null, as the API server does."""
    if not isinstance(value, dict) or None not in value.values():
        return value
    return {key: item for key, item in value.items() if item is not None}


def _read_time(value: Any, kind: Any) -> Nanoseconds:
    """Read a duration of any length: rules judge it."""
    return Nanoseconds(_duration(value, kind))


# --- classes ----------------------------------------------------------------

_HOOKS: Final[Mapping[tuple[type, str], tuple[Callable[..., Any], Callable[..., Any]]]] = (
    MappingProxyType(
        {
            (HealthCheck, "interval"): (_read_time, format_duration),
            (HealthCheck, "unhealthy_interval"): (_read_time, format_duration),
            (HealthCheck, "timeout"): (_read_time, format_duration),
            (HealthCheck, "headers"): (
                _headers,
                lambda headers: {h.name: h.value for h in headers},
            ),
            (PassiveHealthCheck, "failure_window"): (_read_time, format_duration),
            (ParentConfig, "poll_interval"): (_read_time, format_duration),
            (ParentConfig, "poll_timeout"): (_read_time, format_duration),
            **{
                (ForwardingTimeouts, each.name): (_duration, format_duration)
                for each in attrs.fields(ForwardingTimeouts)
            },
            (IngressRoute, "tls"): (
                _anything,
                lambda tls: None if tls is None else plain(tls),
            ),
        }
    )
)
"""The fields whose type alone does not determine how they are written."""

_ALWAYS_WRITTEN: Final = frozenset(
    {
        (IngressRoute, "routes"),  # required
        # Without it an empty parent would look like a child that exposes its API.
        (ParentConfig, "children"),
    }
)
# Set by the reader of the kind, not written as a field.
_NOT_READ: Final = frozenset({(ChildConfig, "multicluster")})


def _same(value: Any, _: Any) -> Any:
    return value


def _overrides(cls: Any) -> dict[str, Any]:
    overrides: dict[str, Any] = {}
    for attribute in attrs.fields(cls):
        name = attribute.name
        if name == "origin" or (cls, name) in _NOT_READ:
            overrides[name] = override(omit=True)
        elif name == "rest":
            overrides[name] = override(struct_hook=_same, unstruct_hook=plain, omit_if_default=True)
        else:
            read, write = _HOOKS.get((cls, name), (None, None))
            overrides[name] = override(
                rename=camel_case(name),
                struct_hook=read,
                unstruct_hook=write,
                omit_if_default=False if (cls, name) in _ALWAYS_WRITTEN else None,
            )
    return overrides


def _take(value: Any, fields: Fields, taken: dict[str, Any]) -> list[Exception]:
    """Put the fields of a mapping into ``taken``, and return what is wrong with it."""
    if not isinstance(value, dict):
        return [wrong_container(value, "a mapping")]
    own, accepted = fields.own, fields.accepted
    unknown = []
    for key, item in value.items():
        if key in own:
            if item is not None:
                taken[key] = item
        elif fields.open:
            taken["rest"][key] = plain(item)
        elif key not in accepted:
            unknown.append(key)
    return [UnknownFields(unknown, fields.known)] if unknown else []


def _structure(
    inner: Callable[[Any, Any], Any], taken: dict[str, Any], cls: Any, errors: list[Exception]
) -> Any:
    """Make a class of its fields; raise once, with the errors so far and all others."""
    try:
        value = inner(taken, cls)
    except BaseValidationError as error:
        errors = [*error.exceptions, *errors]
    else:
        if not errors:
            return value
    raise ClassValidationError("fields refused", errors, cls)


def _class_reader(converter: Converter, cls: Any) -> Callable[[Any, Any], Any]:
    inner = make_dict_structure_fn(
        cls, converter, _cattrs_detailed_validation=True, **_overrides(cls)
    )
    fields = fields_at(cls)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise wrong_container(value, "a mapping")
        taken: dict[str, Any] = {"rest": {}} if fields.open else {}
        return _structure(inner, taken, cls, _take(value, fields, taken))

    return structure


def _class_writer(converter: Converter, cls: Any) -> Callable[[Any], Any]:
    inner = make_dict_unstructure_fn(
        cls, converter, _cattrs_omit_if_default=True, **_overrides(cls)
    )

    def unstructure(value: Any) -> dict[str, Any]:
        written = inner(value)
        if cls is HealthCheck and value.unhealthy_interval == value.interval:
            written.pop("unhealthyInterval", None)
        rest: dict[str, Any] = written.pop("rest", {})
        metadata = {}
        if cls in OBJECTS:
            metadata = {name: written.pop(name) for name in METADATA if name in written}
        # A field of the model takes precedence over one of the same name in `rest`.
        written |= {key: item for key, item in rest.items() if key not in written}
        if cls not in OBJECTS:
            return written
        return {"metadata": metadata, **({"spec": written} if written else {})}

    return unstructure


def _is_tuple(cls: Any) -> bool:
    return get_origin(cls) is tuple


def _is_mapping(cls: Any) -> bool:
    return get_origin(cls) is Mapping


def _is_port(cls: Any) -> bool:
    return bool(cls == int | str | None)


def _converter() -> Converter:
    converter = Converter(detailed_validation=True)
    converter.register_structure_hook(str, _string)
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


@cache  # made when needed: a start that reads no manifest does not pay for it
def object_reader(cls: Any) -> Callable[[dict[str, Any], Origin, str], Any]:
    """Give the function that reads a Kubernetes object: its ``metadata`` and ``spec`` as one.

    The function takes the object, its origin, and the namespace of an object without
    one. It raises cattrs' `BaseValidationError`, with everything refused.
    """
    overrides = _overrides(cls) | {"origin": override(struct_hook=_same)}
    inner = make_dict_structure_fn(cls, CONVERTER, _cattrs_detailed_validation=True, **overrides)
    top, metadata, spec = (fields_at(cls, each) for each in ("", "metadata", "spec"))

    def read(node: dict[str, Any], origin: Origin, namespace: str) -> Any:
        parts: dict[str, Any] = {}
        errors = _take(node, top, parts)
        taken = {"name": "", "namespace": "", "origin": origin}
        if spec.open:
            taken["rest"] = {}
        for container, fields in (("metadata", metadata), ("spec", spec)):
            if container in parts:
                problems = _take(parts[container], fields, taken)
                errors += (_at(container, problem) for problem in problems)
        if taken["namespace"] == "":
            taken["namespace"] = namespace
        return _structure(inner, taken, cls, errors)

    return read

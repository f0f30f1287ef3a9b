"""The JSON Schema of an Uplink, made from its shape: for editors and other validators.

Rules of this file:

1. Fields, types and defaults come from the shapes and the model, patterns from
   `uplinks.grammar`. Only descriptions, examples and limits are written here.
2. The schema refuses what the reader and the rules about one Uplink refuse, as far
   as JSON Schema can express it. It lets through: what depends on other objects, a
   duration that overflows 64 bits, a lone surrogate in a header's value (no text
   has one), `1.0` for an integer, and modes of probers that plug-ins may bring.
3. Only keywords of draft 7 and patterns without lookaround: editors know no more.

Source: the Uplink CRD; reference page, "Configuration Options" and "Health
Check Fields".
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import attrs

from uplinks import grammar
from uplinks.durations import format_duration
from uplinks.model import (
    MAX_WEIGHT,
    UPLINKS_ANNOTATION,
    Header,
    HealthCheck,
    PassiveHealthCheck,
    Uplink,
)
from uplinks.schema._kinds import HUB_API
from uplinks.schema._layout import fields_at, written_path

__all__ = ["SCHEMA", "object_schema", "uplink_schema"]

SCHEMA: Final = "http://json-schema.org/draft-07/schema#"

# `$` of some engines also matches before a line break at the end.
_ONE_LINE: Final = {"not": {"type": "string", "pattern": r"\n"}}
_UNIT: Final = "(ns|us|\u00b5s|\u03bcs|ms|s|m|h)"
_DURATION: Final = {
    "type": ["integer", "string", "null"],
    "minimum": 0,
    "maximum": (2**63 - 1) // 10**9,
    "pattern": rf"^(\+?([0-9]+|(([0-9]+(\.[0-9]*)?|\.[0-9]+){_UNIT})+)|"
    rf"-(0+|((0+(\.0*)?|\.0+){_UNIT})+))$",
    **_ONE_LINE,
}
_LABEL: Final = {"pattern": f"^{grammar.LABEL}$", "maxLength": grammar.MAX_LABEL, **_ONE_LINE}
# Draft 7 has no flag that ignores case.
_OWNED_HEADER: Final = f"^({'|'.join(map(grammar.any_case, sorted(grammar.OWNED_HEADERS)))})$"

_KEYWORDS: Final[Mapping[tuple[type, str], Mapping[str, Any]]] = types.MappingProxyType(
    {
        (Uplink, "name"): {
            "description": "Name of the uplink; with the namespace it makes the uplink name.",
            "examples": ["api-workload"],
            **_LABEL,
        },
        (Uplink, "namespace"): {
            "description": "Namespace of the uplink. Unset or empty: the one that it is "
            "applied to.",
            "examples": ["apps"],
            **_LABEL,
            "pattern": f"^({grammar.LABEL})?$",
        },
        (Uplink, "annotations"): {
            "description": f"Annotations. {UPLINKS_ANNOTATION} belongs on an IngressRoute.",
        },
        (Uplink, "expose_name"): {
            "description": "The uplink name that parents see, instead of <namespace>-<name>. "
            "Routers refer to it by this name only. Avoid dots: references normalize them.",
            "pattern": f"^{grammar.EXPOSE_NAME}$",
            "maxLength": grammar.MAX_NAME,
            "examples": ["api-workload-eu"],
            **_ONE_LINE,
        },
        (Uplink, "entry_points"): {
            "description": "Names of hub.uplinkEntryPoints of the child. Unset or empty: all "
            "that have asDefault: true, or all of them if none has.",
            "examples": [["multicluster"]],
        },
        (Uplink, "weight"): {
            "description": "Share of the requests among the children with this uplink name. 0 is "
            "advertised but never picked.",
            "minimum": 0,
            "maximum": MAX_WEIGHT,
            "examples": [10],
        },
        (Uplink, "health_check"): {
            "description": "How the parent probes the child's uplink entry point.",
            "examples": [{"path": "/health", "interval": "10s", "timeout": "3s"}],
        },
        (Uplink, "passive_health_check"): {
            "description": "How failing requests take the child out.",
            "examples": [{"failureWindow": "10s", "maxFailedAttempts": 3}],
        },
        (HealthCheck, "path"): {
            "description": "Path that answers while the workload is healthy; may have a query.",
            "pattern": f"^({grammar.PATH})?$",
            "examples": ["/health"],
            **_ONE_LINE,
        },
        (HealthCheck, "scheme"): {
            "description": "Scheme of the probe. Unset: that of the child's address.",
            "enum": ["http", "https", "", None],
        },
        (HealthCheck, "mode"): {
            "description": "http, or grpc for the gRPC health checking protocol; further modes "
            "need a prober of their own.",
            "anyOf": [{"enum": ["http", "grpc"]}, {}],
        },
        (HealthCheck, "method"): {
            "description": "Method of the probe's request.",
            "pattern": f"^({grammar.TOKEN})?$",
            "examples": ["GET", "HEAD"],
            **_ONE_LINE,
        },
        (HealthCheck, "status"): {
            "description": "The status that means healthy. 0 is unset.",
            "anyOf": [
                {"enum": [0, None]},
                {"minimum": grammar.MIN_STATUS, "maximum": grammar.MAX_STATUS},
            ],
            "examples": [200, 204],
        },
        (HealthCheck, "port"): {
            "description": "Port to probe. Unset or 0: that of the child's address.",
            "minimum": 0,
            "maximum": grammar.MAX_PORT,
            "examples": [443],
        },
        (HealthCheck, "interval"): {
            "description": "Time between probes of a child that is up: seconds, or 1m30s. "
            "0 is unset.",
            "examples": ["10s", 30],
            **_DURATION,
        },
        (HealthCheck, "unhealthy_interval"): {
            "description": "Time between probes of a child that is down. Unset or 0: interval.",
            "examples": ["5s"],
            **_DURATION,
        },
        (HealthCheck, "timeout"): {
            "description": "How long a probe may take; less than interval. 0 is unset.",
            "examples": ["3s"],
            **_DURATION,
        },
        (HealthCheck, "hostname"): {
            "description": "Host header of the probe. Unset: the host of the child's address.",
            "pattern": f"^({grammar.AUTHORITY})?$",
            "maxLength": grammar.MAX_AUTHORITY,
            "examples": ["api.example.com"],
            **_ONE_LINE,
        },
        (HealthCheck, "follow_redirects"): {"description": "Whether the probe follows redirects."},
        (HealthCheck, "headers"): {
            "description": "Headers of the probe. For Host there is hostname.",
            "propertyNames": {
                "pattern": f"^{grammar.TOKEN}$",
                "not": {"type": "string", "pattern": rf"\n|{_OWNED_HEADER}"},
            },
            "additionalProperties": {
                "type": ["string", "null"],
                "not": {"type": "string", "pattern": grammar.CONTROL},
            },
            "examples": [{"X-Health-Check": "true"}],
        },
        (PassiveHealthCheck, "failure_window"): {
            "description": "Time within which failures are counted. 0 is unset.",
            "examples": ["10s"],
            **_DURATION,
        },
        (PassiveHealthCheck, "max_failed_attempts"): {
            "description": "Failures within the window that take the child out. 0 is unset.",
            "minimum": 0,
            "examples": [3],
        },
    }
)

_CONTAINERS: Final[Mapping[str, str]] = types.MappingProxyType(
    {
        "metadata": "Name, namespace and annotations.",
        "spec": "How the workload is advertised to parents.",
    }
)
_REQUIRED: Final = frozenset({(Uplink, "name")})
_TYPES: Final = types.MappingProxyType({str: "string", int: "integer", bool: "boolean"})


def uplink_schema() -> dict[str, Any]:
    """Build the schema; see `uplinks.schema.json_schema`."""
    own = {
        "apiVersion": {"const": HUB_API, "description": "The API that the kind belongs to."},
        "kind": {"const": "Uplink", "description": "The kind of object."},
    }
    parts = {
        container: {**object_schema(Uplink, container), "description": description}
        for container, description in _CONTAINERS.items()
    }
    parts["spec"]["type"] = ["object", "null"]
    known: dict[str, Any] = {name: {} for name in sorted(fields_at(Uplink).accepted)}
    return {
        "$schema": SCHEMA,
        "$id": "urn:uplinks:schema:uplink:v1alpha1",
        "title": "Uplink",
        "description": "Advertises to parent clusters that this cluster can serve a workload. "
        "Not checked here: what depends on other objects, and durations beyond 64 bits of "
        "nanoseconds.",
        "type": "object",
        "properties": {**known, **parts, **own},
        "required": [*own, "metadata"],
        "additionalProperties": False,
    }


def object_schema(cls: type[attrs.AttrsInstance], container: str = "") -> dict[str, Any]:
    """Make the schema of a class's mapping, or of one container of an object."""
    hints = get_type_hints(cls)
    fields = fields_at(cls, container)
    properties: dict[str, Any] = {name: {} for name in sorted(fields.accepted)}
    required = []
    for attribute in attrs.fields(cls):
        *above, written = written_path(cls, attribute.name)
        if written in fields.own and "".join(above) == container:
            properties[written] = _field(cls, attribute, hints[attribute.name])
            if (cls, attribute.name) in _REQUIRED:
                required.append(written)
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _field(cls: type, attribute: attrs.Attribute[Any], hint: Any) -> dict[str, Any]:
    kind = _kind(hint)
    required = (cls, attribute.name) in _REQUIRED
    if not required and isinstance(kind.get("type"), str):
        kind["type"] = [kind["type"], "null"]
    default = _default(cls, attribute)
    return {**kind, **({} if default is None or required else {"default": default}),
            **_KEYWORDS[cls, attribute.name]}  # fmt: skip


def _kind(hint: Any) -> dict[str, Any]:
    if get_origin(hint) in {Union, types.UnionType}:
        hint = next(each for each in get_args(hint) if each is not type(None))
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        return {"type": "object"} if item is Header else {"type": "array", "items": _kind(item)}
    if get_origin(hint) is Mapping:
        kind = _kind(get_args(hint)[1])
        return {"type": "object", "additionalProperties": {**kind, "type": [kind["type"], "null"]}}
    return {"type": _TYPES[hint]} if hint in _TYPES else object_schema(hint)


def _default(cls: type, attribute: attrs.Attribute[Any]) -> Any:
    """Give the default as a manifest writes it, or ``None`` if there is none."""
    default = attribute.default
    if "pattern" in _KEYWORDS[cls, attribute.name] and isinstance(default, int):
        return format_duration(default) if default else None
    return default if isinstance(default, bool | int | str) else None

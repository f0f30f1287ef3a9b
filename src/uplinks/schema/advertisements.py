"""The document in which a child advertises its uplinks: its items, and its JSON Schema.

An item is an Uplink as the Kubernetes API writes it, without ``apiVersion`` and ``kind``.
Its ``status.routers`` names the routers that reference it. A parent may be older than its
child, so an unknown field is a warning, not an error as in a manifest.

Source: this library's; the page does not describe the API of a child.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from attrs import frozen

from uplinks import grammar
from uplinks.diagnostics import LIMIT_EXCEEDED, Diagnostic, Severity
from uplinks.located import Origin
from uplinks.model import Uplink
from uplinks.schema import DEFAULT_NAMESPACE
from uplinks.schema._converter import CONVERTER, object_reader
from uplinks.schema._problems import (
    MISSING_FIELD,
    UNKNOWN_FIELD,
    Path,
    Problem,
    build,
    format_name,
    unknown_fields,
)
from uplinks.schema._refusals import WRONG_TYPE, describe, type_name

__all__ = [
    "DOCUMENT_FIELDS",
    "VERSION",
    "Item",
    "advertisement_schema",
    "read_item",
    "read_version",
    "write_item",
]

VERSION: Final = 1
"""The version of the document that is written, and the only one that is read."""

DOCUMENT_FIELDS: Final = ("version", "hub", "uplinks")

UNKNOWN_VERSION: Final = "UPL015"
MOST_ROUTERS: Final = 1000
"""How many routers of one item are read."""

_ROUTER: Final = re.compile(rf"{grammar.LABEL}/[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")
_LONGEST_ROUTER: Final = grammar.MAX_LABEL + 1 + grammar.MAX_NAME


@frozen
class Item:
    """An uplink in a document, and the ``namespace/name`` of the routers that reference it."""

    uplink: Uplink
    routers: Sequence[str] = ()


def read_version(fields: Any, origin: Origin) -> list[Diagnostic]:
    """Check the version of a document, and report fields without meaning.

    After an error, nothing else of the document can be read.
    """
    problems: list[Problem] = []
    if fields.get("version") is None:
        problems.append(Problem(MISSING_FIELD, ("version",), "version is required"))
    elif type(fields["version"]) is not int or fields["version"] != VERSION:
        message = (
            f"version must be {VERSION}, got {describe(fields['version'])}; "
            "update this parent, or the child, to a release with the same version"
        )
        problems.append(Problem(UNKNOWN_VERSION, ("version",), message))
    if fields.get("uplinks") is not None:
        # A list is read item by item, and is not among the fields' values.
        problems.append(_wrong_type(("uplinks",), fields["uplinks"], "a list"))
    unknown = fields.keys() - set(DOCUMENT_FIELDS)
    problems += unknown_fields((), unknown, DOCUMENT_FIELDS, Severity.WARNING)
    return [problem.at(origin) for problem in problems]


def read_item(node: Any, origin: Origin) -> tuple[Item | None, list[Diagnostic]]:
    """Read one item of a document as far as possible, with everything wrong with it.

    Complexity: O(size). Raises nothing.
    """
    if not isinstance(node, dict):
        return None, [_wrong_type((), node, "a mapping").at(origin)]
    read = object_reader(Uplink)
    uplink, problems = build(
        node, lambda tree: read(tree, origin, DEFAULT_NAMESPACE), Severity.WARNING
    )
    meant = {(*p.path[:-1], p.suggestion) for p in problems if p.code == UNKNOWN_FIELD}
    problems = [p for p in problems if p.code != MISSING_FIELD or p.path not in meant]
    status = node.get("status")
    routers: tuple[str, ...] = ()
    if status is not None and not isinstance(status, dict):
        problems.append(_wrong_type(("status",), status, "a mapping"))
    elif status:
        routers = _routers(status.get("routers"), problems)
    return Item(uplink, routers), [problem.at(origin) for problem in problems]


def _routers(value: Any, problems: list[Problem]) -> tuple[str, ...]:
    path = ("status", "routers")
    if value is None:
        return ()
    if not isinstance(value, list):
        problems.append(_wrong_type(path, value, "a list"))
        return ()
    problems += _wrong_routers(value[:MOST_ROUTERS], path)
    if len(value) > MOST_ROUTERS:
        message = f"{format_name(path)} has more than {MOST_ROUTERS} items"
        problems.append(Problem(LIMIT_EXCEEDED, path, message))
    return tuple(dict.fromkeys(each for each in value[:MOST_ROUTERS] if _is_router(each)))


def _wrong_routers(values: Iterable[Any], path: Path) -> Iterator[Problem]:
    for index, value in enumerate(values):
        if not _is_router(value):
            at = (*path, index)
            message = f"{format_name(at)} must be namespace/name, got {describe(value)}"
            yield Problem(WRONG_TYPE, at, message)


def _is_router(value: Any) -> bool:
    return (
        isinstance(value, str)
        and len(value) <= _LONGEST_ROUTER
        and _ROUTER.fullmatch(value) is not None
    )


def _wrong_type(path: Path, value: object, expected: str) -> Problem:
    name = format_name(path) or "an item of uplinks"
    return Problem(WRONG_TYPE, path, f"{name} must be {expected}, got {type_name(value)}")


def write_item(item: Item) -> dict[str, Any]:
    """Write an item; `read_item` reads it back. Annotations stay with the child.

    >>> write_item(Item(Uplink("api", "apps", weight=10), ["apps/api"]))["status"]
    {'routers': ['apps/api']}
    """
    written: dict[str, Any] = CONVERTER.unstructure(item.uplink)
    written["metadata"].pop("annotations", None)
    return {**written, **({"status": {"routers": list(item.routers)}} if item.routers else {})}


def advertisement_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 7) of the document, as plain values.

    It describes the shape. Rules about the uplinks, such as unique names, are in the
    catalogue. Complexity: O(fields). Raises nothing.

    >>> advertisement_schema()["properties"]["version"]["const"]
    1
    """
    from uplinks.schema._json_schema import (  # noqa: PLC0415 - a parent needs none
        SCHEMA,
        object_schema,
    )

    parts: dict[str, Any] = {name: object_schema(Uplink, name) for name in ("metadata", "spec")}
    parts["spec"]["type"] = ["object", "null"]
    router = {"type": "string", "pattern": f"^{_ROUTER.pattern}$", "maxLength": _LONGEST_ROUTER}
    status = {
        "type": ["object", "null"],
        "properties": {
            "routers": {
                "description": "The routers that reference the uplink, as namespace/name.",
                "type": ["array", "null"],
                "items": router,
                "maxItems": MOST_ROUTERS,
            }
        },
    }
    item = {
        "type": "object",
        "properties": {**parts, "status": status},
        "required": ["metadata"],
    }
    point = {
        "type": "object",
        "properties": {
            "address": {"type": ["string", "null"]},
            "asDefault": {"type": ["boolean", "null"]},
        },
    }
    provider = {"type": ["object", "null"], "maxProperties": 0}
    hub = {
        "description": "The child's static configuration: its uplink entry points.",
        "type": ["object", "null"],
        "properties": {
            "uplinkEntryPoints": {"type": ["object", "null"], "additionalProperties": point},
            "providers": {"type": ["object", "null"], "properties": {"multicluster": provider}},
        },
    }
    schema: dict[str, Any] = _open(
        {
            "$schema": SCHEMA,
            "$id": f"urn:uplinks:schema:advertisement:{VERSION}",
            "title": "Advertisement",
            "description": "What a child advertises to its parents. A reader ignores fields that "
            "it does not know.",
            "type": "object",
            "properties": {
                "version": {"description": "The version of the format.", "const": VERSION},
                "hub": hub,
                "uplinks": {
                    "description": "The uplinks, each as in its manifest.",
                    "type": ["array", "null"],
                    "items": item,
                },
            },
            "required": ["version"],
        }
    )
    return schema


def _open(schema: Any) -> Any:
    """Allow unknown fields at every level."""
    if isinstance(schema, dict):
        kept = {k: v for k, v in schema.items() if (k, v) != ("additionalProperties", False)}
        return {key: _open(value) for key, value in kept.items()}
    return [_open(each) for each in schema] if isinstance(schema, list) else schema

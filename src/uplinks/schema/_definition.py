"""The CustomResourceDefinition of an Uplink, made from its JSON Schema.

Rules of this file:

1. Types, limits, patterns and descriptions come from the JSON Schema. Only what a
   definition has and a schema lacks is written here: names, columns, versions.
2. The API server accepts every Uplink that the JSON Schema accepts, except for a mode
   that no known prober has. It also accepts what a structural schema cannot refuse: any
   name of a header, and unknown fields, which it removes.
3. No defaults: the API server would write them into the object, and a manifest would
   differ from what it became. Descriptions state them.

A structural schema has one type at each place, and ``null`` needs none: the API server
drops it, like a field that is left out. Its patterns are RE2, in which ``$`` is only the
end of the text.

Source: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from uplinks.schema._json_schema import uplink_schema
from uplinks.schema._kinds import HUB_GROUP, PLURALS, VERSION

__all__ = ["uplink_definition"]

_KEPT: Final = (
    "description",
    "required",
    "minimum",
    "maximum",
    "pattern",
    "maxLength",
)
_COLUMNS: Final = (
    ("Expose name", "string", ".spec.exposeName", "Uplink name, if not <namespace>-<name>."),
    ("Weight", "integer", ".spec.weight", "Share of the requests; 1 if empty."),
    ("Health path", "string", ".spec.healthCheck.path", "Path that the parent probes."),
    ("Age", "date", ".metadata.creationTimestamp", "Time since the uplink was created."),
)


def uplink_definition(modes: Iterable[str]) -> dict[str, Any]:
    """Build the definition; see `uplinks.schema.custom_resource_definition`."""
    schema = uplink_schema()
    parts = schema["properties"]
    # The API server knows all other fields of the metadata.
    name = parts["metadata"]["properties"]["name"]
    spec = _structural(parts["spec"])
    mode = spec["properties"]["healthCheck"]["properties"]["mode"]
    known, _ = mode.pop("anyOf")
    mode["enum"] = ["", *sorted({*known["enum"], *modes})]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURALS['Uplink']}.{HUB_GROUP}"},
        "spec": {
            "group": HUB_GROUP,
            "names": {
                "kind": "Uplink",
                "listKind": "UplinkList",
                "plural": PLURALS["Uplink"],
                "singular": "uplink",
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [
                        dict(zip(("name", "type", "jsonPath", "description"), each, strict=True))
                        for each in _COLUMNS
                    ],
                    "schema": {
                        "openAPIV3Schema": {
                            "description": schema["description"],
                            "type": "object",
                            "required": ["metadata"],
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {
                                    "type": "object",
                                    "properties": {"name": _structural(name)},
                                },
                                "spec": spec,
                            },
                        }
                    },
                }
            ],
        },
    }


def _structural(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a JSON Schema. What a structural schema cannot express is left out."""
    made = {key: schema[key] for key in _KEPT if key in schema}
    types = [each for each in _as_list(schema.get("type", ())) if each != "null"]
    if len(types) > 1:
        # The only union of types. Each limit applies to the type that it is meant for.
        made["x-kubernetes-int-or-string"] = True
        made["anyOf"] = [{"type": each} for each in types]
    elif types:
        made["type"] = types[0]
    if "default" in schema:
        made["description"] += f" Default: {json.dumps(schema['default'])}."
    if "enum" in schema:
        made["enum"] = [each for each in schema["enum"] if each is not None]
    if "anyOf" in schema:
        made["anyOf"] = [_structural(each) for each in schema["anyOf"]]
    if "pattern" in schema.get("not", ()) and "type" not in schema["not"]:
        made["not"] = schema["not"]
    if "properties" in schema:
        own = schema["properties"].items()
        made["properties"] = {name: _structural(each) for name, each in own}
    for inside in ("items", "additionalProperties"):
        if schema.get(inside):
            made[inside] = _structural(schema[inside])
    return made


def _as_list(value: str | list[str] | tuple[()]) -> Iterable[str]:
    return (value,) if isinstance(value, str) else value

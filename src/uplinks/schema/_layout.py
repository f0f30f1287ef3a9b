"""Where the fields of the model are written in a manifest.

A field's written name is its Python name in camelCase, without exception. The fields
of a Kubernetes object are spread over ``metadata`` and ``spec``; those of all other
classes stand together in one mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from uplinks.model import IngressRoute, TraefikService, Uplink

__all__ = ["METADATA", "OBJECTS", "Fields", "camel_case", "fields_at", "written_path"]

OBJECTS: Final = (Uplink, IngressRoute, TraefikService)
"""The classes that are written as a Kubernetes object."""

METADATA: Final = ("name", "namespace", "annotations")
"""The fields of an object that are written in its ``metadata``; all others in ``spec``."""

_NOT_WRITTEN: Final = frozenset({"rest", "origin"})

# Fields that may be present, but are not read.
_ACCEPTED: Final[Mapping[tuple[object, str], frozenset[str]]] = MappingProxyType(
    {
        (OBJECTS, ""): frozenset({"apiVersion", "kind", "status"}),
        (OBJECTS, "metadata"): frozenset(
            {
                "creationTimestamp",
                "deletionGracePeriodSeconds",
                "deletionTimestamp",
                "finalizers",
                "generateName",
                "generation",
                "labels",
                "managedFields",
                "ownerReferences",
                "resourceVersion",
                "selfLink",
                "uid",
            }
        ),
    }
)


@attrs.frozen
class Fields:
    """The written names in one mapping of a class.

    ``own`` are read into the class, ``accepted`` may be present. ``open``: all others
    are kept in ``rest``.
    """

    own: frozenset[str]
    accepted: frozenset[str]
    open: bool

    @property
    def known(self) -> frozenset[str]:
        """All names that are not a typo."""
        return self.own | self.accepted


def camel_case(name: str) -> str:
    """Convert a Python name to its written name.

    >>> camel_case("passive_health_check"), camel_case("root_cas")
    ('passiveHealthCheck', 'rootCAs')
    """
    first, *others = name.split("_")
    return first + "".join(_ACRONYMS.get(word) or word.capitalize() for word in others)


_ACRONYMS: Final = MappingProxyType({"cas": "CAs", "http2": "HTTP2", "uri": "URI"})


def written_path(cls: type, name: str) -> tuple[str, ...]:
    """Give the path of a field in the mapping that its class is read from.

    >>> from uplinks.model import HealthCheck
    >>> written_path(Uplink, "entry_points"), written_path(HealthCheck, "path")
    (('spec', 'entryPoints'), ('path',))
    """
    written = camel_case(name)
    if cls not in OBJECTS:
        return (written,)
    return ("metadata" if name in METADATA else "spec", written)


def fields_at(cls: type[attrs.AttrsInstance], container: str = "") -> Fields:
    """Give the fields in a class's mapping, or in an object's ``metadata`` or ``spec``.

    >>> sorted(fields_at(Uplink).known), "labels" in fields_at(Uplink, "metadata").accepted
    (['apiVersion', 'kind', 'metadata', 'spec', 'status'], True)
    """
    names = [each.name for each in attrs.fields(cls)]
    paths = [written_path(cls, name) for name in names if name not in _NOT_WRITTEN]
    is_object = cls in OBJECTS
    if is_object and not container:
        own = frozenset(path[0] for path in paths)
    else:
        own = frozenset(path[-1] for path in paths if not is_object or path[0] == container)
    accepted = _ACCEPTED.get((OBJECTS if is_object else cls, container), frozenset())
    keeps_rest = "rest" in names and container == ("spec" if is_object else "")
    return Fields(own, accepted, keeps_rest)

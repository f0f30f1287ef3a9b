"""Objects of a cluster that are kept as they are written, and the references in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from uplinks.located import Origin
from uplinks.model._fields import Copyable, mapping_field, origin_field, rest_field
from uplinks.model._objects import ServiceReference

__all__ = ["OtherObject", "written_references"]


@frozen
class OtherObject(Copyable):
    """An object that routers refer to, or that refers to services.

    Its kind is ``Middleware``, ``ServersTransport``, ``TLSOption``, ``Ingress`` or
    ``HTTPRoute``; ``spec`` is as it is written.

    >>> OtherObject("traefik.io/v1alpha1", "Middleware", "auth", "apps").owner
    'apps/auth'
    """

    api_version: str
    kind: str
    name: str
    namespace: str
    spec: Mapping[str, Any] = rest_field()
    annotations: Mapping[str, str] = mapping_field()
    origin: Origin = origin_field()

    @property
    def owner(self) -> str:
        """The object as ``namespace/name``."""
        return f"{self.namespace}/{self.name}"


def written_references(
    items: Any,
) -> Iterator[tuple[int, ServiceReference, Mapping[str, Any]]]:
    """Yield the references in a list, each with its index and all its fields.

    Items without a name are left out, and fields of a wrong type count as absent.

    >>> [(i, reference.name) for i, reference, _ in written_references([{}, {"name": "a"}])]
    [(1, 'a')]
    """
    for index, item in enumerate(items if isinstance(items, list | tuple) else ()):
        if isinstance(item, Mapping) and isinstance(item.get("name"), str):
            yield index, _reference(item), item


def _reference(item: Mapping[str, Any]) -> ServiceReference:
    kind, namespace, port, weight = map(item.get, ("kind", "namespace", "port", "weight"))
    return ServiceReference(
        item["name"],
        kind=kind if isinstance(kind, str) and kind else "Service",
        namespace=namespace if isinstance(namespace, str) else None,
        port=port if isinstance(port, int | str) else None,
        weight=weight if isinstance(weight, int) else 1,
        rest={key: item[key] for key in ("middlewares", "serversTransport") if key in item},
    )

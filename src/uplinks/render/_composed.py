"""The parent's own TraefikServices: weighted, failover, mirroring and highest random weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uplinks.model import TraefikService, written_references
from uplinks.render._references import (
    References,
    composed_name,
    inside_out,
    object_references,
)
from uplinks.render._services import Written, weighted

__all__ = ["leading_to_uplinks", "plain", "write_composed"]


def leading_to_uplinks(
    services: tuple[TraefikService, ...], references: References
) -> dict[str, TraefikService]:
    """Choose the TraefikServices that lead to an uplink, each after those that it refers to.

    The others belong to the provider that has them. Raises: SelectorCycle.
    """
    by_name = {service.service_name: service for service in services}
    chosen: dict[str, TraefikService] = {}
    known = References(references.options, chosen)
    for service in inside_out(by_name):
        if any(
            known.leads_to_uplinks(reference, service.namespace)
            for reference in object_references(service)
        ):
            chosen[service.service_name] = service
    return chosen


def write_composed(references: References, written: Written) -> None:
    """Add every composed service of ``references``, which are in the order of their making."""
    for service in references.composed.values():
        body = _body(service, references, written)
        if body is not None:
            (kind,) = body
            out = kind == "loadBalancer" or written.is_out(str(body[kind].get("service")))
            name, reports = composed_name(service), "healthCheck" in body[kind]
            written.add(name, body, reports=reports, out=out)


def _body(
    service: TraefikService, references: References, written: Written
) -> dict[str, Any] | None:
    namespace = service.namespace
    mirroring = service.rest.get("mirroring")
    highest = service.rest.get("highestRandomWeight")
    if service.weighted is not None:
        body = weighted(
            [(references.rewrite(r, namespace), r.weight) for r in service.weighted.services],
            written,
        )
        sticky = service.weighted.rest.get("sticky")
        if sticky and "weighted" in body:
            body["weighted"]["sticky"] = plain(sticky)
        return body
    if isinstance(mirroring, Mapping):
        return _mirroring(mirroring, namespace, references, written)
    if isinstance(highest, Mapping):
        return _highest_random_weight(highest, namespace, references, written)
    return _failover(service, references, written)


def _failover(
    service: TraefikService, references: References, written: Written
) -> dict[str, Any] | None:
    failover = service.failover
    if failover is None:
        return None
    main = references.rewrite(failover.service, service.namespace)
    fallback = references.rewrite(failover.fallback, service.namespace)
    if written.is_out(main) or written.is_out(fallback):
        return weighted([(main, 1), (fallback, 1)], written)
    body: dict[str, Any] = {"service": main, "fallback": fallback}
    errors = failover.rest.get("errors")
    if errors:
        body["errors"] = plain(errors)
    if written.reports(main) and written.reports(fallback):
        body["healthCheck"] = {}
    return {"failover": body}


def _mirroring(
    node: Mapping[str, Any], namespace: str, references: References, written: Written
) -> dict[str, Any] | None:
    main = next((references.rewrite(r, namespace) for _, r, _ in written_references([node])), None)
    if main is None:
        return None
    body: dict[str, Any] = {"service": main}
    mirrors = [
        {"name": references.rewrite(each, namespace), **_kept(fields, "percent")}
        for _, each, fields in written_references(node.get("mirrors"))
        if not written.is_out(references.rewrite(each, namespace))
    ]
    body |= {"mirrors": mirrors} if mirrors else {}
    body |= _kept(node, "mirrorBody", "maxBodySize")
    if written.reports(main):
        body["healthCheck"] = {}
    return {"mirroring": body}


def _highest_random_weight(
    node: Mapping[str, Any], namespace: str, references: References, written: Written
) -> dict[str, Any]:
    entries = written_references(node.get("services"))
    pairs = [(references.rewrite(each, namespace), each.weight) for _, each, _ in entries]
    body = weighted(pairs, written)
    return {"highestRandomWeight": body["weighted"]} if "weighted" in body else body


def _kept(node: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: plain(node[name]) for name in names if node.get(name) is not None}


def plain(value: Any) -> Any:
    """Copy a tree into plain dicts and lists; what is null is left out of mappings."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value

"""The fields of Traefik's own kinds, and unknown ones.

A table lists the fields of a kind, never what is valid in them. Most of them are not
used here; they are listed to tell a typo from a feature. An unknown field is a warning,
not an error: Traefik may be newer than the table.

Source: Traefik's Kubernetes CRDs, ``traefik.io/v1alpha1``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from uplinks.diagnostics import Severity
from uplinks.schema._problems import Path, Problem, unknown_fields

__all__ = ["INGRESS_ROUTE_SPEC", "TRAEFIK_SERVICE_SPEC", "Table", "strange_fields"]

# A table maps each field to None, which allows any content; to a table, for a mapping;
# or to a list of one table, for a list of mappings.
Table = Mapping[str, Any]

_REFERENCE: Final[Table] = {"name": None, "namespace": None}
_STICKY: Final[Table] = {
    "cookie": {
        "name": None,
        "secure": None,
        "httpOnly": None,
        "sameSite": None,
        "maxAge": None,
        "path": None,
        "domain": None,
    },
}
_SERVICE: Final[Table] = {
    "name": None,
    "kind": None,
    "namespace": None,
    "middlewares": [_REFERENCE],
    "sticky": _STICKY,
    "port": None,
    "scheme": None,
    "strategy": None,
    "passHostHeader": None,
    "responseForwarding": {"flushInterval": None},
    "serversTransport": None,
    "weight": None,
    "nativeLB": None,
    "nodePortLB": None,
    "healthCheck": {
        "scheme": None,
        "mode": None,
        "path": None,
        "method": None,
        "status": None,
        "port": None,
        "interval": None,
        "unhealthyInterval": None,
        "timeout": None,
        "hostname": None,
        "followRedirects": None,
        "headers": None,
    },
    "passiveHealthCheck": {"failureWindow": None, "maxFailedAttempts": None},
}

INGRESS_ROUTE_SPEC: Final[Table] = {
    "ingressClassName": None,
    "entryPoints": None,
    "parentRefs": [_REFERENCE],
    "routes": [
        {
            "match": None,
            "kind": None,
            "priority": None,
            "syntax": None,
            "services": [_SERVICE],
            "middlewares": [_REFERENCE],
            "observability": {
                "accessLogs": None,
                "metrics": None,
                "tracing": None,
                "traceVerbosity": None,
            },
        },
    ],
    "tls": {
        "secretName": None,
        "options": _REFERENCE,
        "store": _REFERENCE,
        "certResolver": None,
        "domains": [{"main": None, "sans": None}],
    },
}

TRAEFIK_SERVICE_SPEC: Final[Table] = {
    "weighted": {"services": [_SERVICE], "sticky": _STICKY},
    "mirroring": {
        **_SERVICE,
        "mirrorBody": None,
        "maxBodySize": None,
        "mirrors": [{**_SERVICE, "percent": None}],
    },
    "highestRandomWeight": {"services": [_SERVICE]},
    "failover": {
        "service": _SERVICE,
        "fallback": _SERVICE,
        "errors": {"status": None, "maxRequestBodyBytes": None},
    },
}


def strange_fields(node: Any, table: Table, path: Path) -> Iterator[Problem]:
    """Find the fields that no table lists, in the mapping at a path and below.

    Values without the table's shape are skipped: the converter reports them.
    Complexity: O(size), to the depth of the table.
    """
    if not isinstance(node, dict):
        return
    strange = node.keys() - table.keys()
    if strange:
        yield from unknown_fields(path, strange, table, Severity.WARNING)
    for name, inner in table.items():
        if inner is None or name not in node:
            continue
        if isinstance(inner, list):
            items = node[name] if isinstance(node[name], list) else ()
            for index, item in enumerate(items):
                yield from strange_fields(item, inner[0], (*path, name, index))
        else:
            yield from strange_fields(node[name], inner, (*path, name))

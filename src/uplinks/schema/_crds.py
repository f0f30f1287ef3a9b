"""What the API server accepts in Traefik's own kinds: a table for each kind.

A table states the fields of a mapping, their types, values and limits, and which of
them are required. `check_shape` reports what the API server refuses as an error. An
unknown field is a warning, because the API server drops it, and because Traefik may be
newer than the table. A field that is ``null`` counts as absent; an item of a list does
not. What the API server accepts, and Traefik does not, is left to rules.

Source: Traefik v3.7.9, Kubernetes CRDs of ``traefik.io/v1alpha1``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from attrs import frozen

from uplinks.diagnostics import Severity
from uplinks.naming import nearest
from uplinks.schema._problems import MISSING_FIELD, Path, Problem, format_name, unknown_fields
from uplinks.schema._refusals import WRONG_TYPE, describe, type_name

__all__ = ["KEPT_SPECS", "REFUSED_VALUE", "SPECS", "Table", "check_shape"]

REFUSED_VALUE: Final = "UPL017"


# --- shapes -----------------------------------------------------------------


@frozen
class Scalar:
    """A scalar: its types, and the values or limits it may have.

    ``pattern`` limits strings only. ``secret``: refusals do not show the value.
    """

    expected: str
    types: tuple[type, ...]
    values: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    pattern: re.Pattern[str] | None = None
    secret: bool = False

    @cached_property
    def only_type(self) -> bool:
        """Whether each value of its types is allowed."""
        return (self.values, self.least, self.most, self.pattern) == ((), None, None, None)


@frozen
class Items:
    """A list of equal shapes."""

    each: Shape


@frozen
class Values:
    """A mapping with keys that users choose, and values of one shape."""

    each: Shape


@frozen
class Table:
    """A mapping with known fields. ``None`` is a field with any content.

    The API server also requires the ``advised`` fields. What lacks them works when it
    is read from a file, so that is a warning.
    """

    fields: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    advised: tuple[str, ...] = ()


Shape = Scalar | Items | Values | Table | None


def _table(*required: str, **fields: Shape) -> Table:
    return Table(fields, required)


def _one_of(*values: str) -> Scalar:
    return Scalar("a string", (str,), values)


def _integer(least: int | None = None, most: int | None = None) -> Scalar:
    return Scalar("an integer", (int,), least=least, most=most)


_STRING: Final = Scalar("a string", (str,))
_SECRET: Final = Scalar("a string", (str,), secret=True)
_BOOLEAN: Final = Scalar("a boolean", (bool,))
_INTEGER: Final = _integer()
_INTEGER_OR_STRING: Final = Scalar("an integer or a string", (int, str))
_GO_DURATION: Final = Scalar(
    "seconds (30) or a Go duration (1m30s)",
    (int, str),
    pattern=re.compile(r"([0-9]+(ns|us|\u00b5s|ms|s|m|h)?)+"),
)

# --- the kinds --------------------------------------------------------------

_REFERENCE: Final = _table("name", name=_STRING, namespace=_STRING)
_STICKY: Final = _table(
    cookie=_table(
        name=_STRING,
        secure=_BOOLEAN,
        httpOnly=_BOOLEAN,
        sameSite=_one_of("none", "lax", "strict", "None", "Lax", "Strict"),
        maxAge=_INTEGER,
        path=_STRING,
        domain=_STRING,
    ),
)
# A negative weight is UPL313.
_SERVICE: Final = _table(
    "name",
    name=_STRING,
    kind=_one_of("Service", "TraefikService"),
    namespace=_STRING,
    middlewares=Items(_REFERENCE),
    sticky=_STICKY,
    port=_INTEGER_OR_STRING,
    scheme=_STRING,
    strategy=_one_of("wrr", "p2c", "hrw", "leasttime", "RoundRobin"),
    passHostHeader=_BOOLEAN,
    responseForwarding=_table(flushInterval=_STRING),
    serversTransport=_STRING,
    weight=_INTEGER,
    nativeLB=_BOOLEAN,
    nodePortLB=_BOOLEAN,
    healthCheck=_table(
        scheme=_STRING,
        mode=_STRING,
        path=_STRING,
        method=_STRING,
        status=_INTEGER,
        port=_INTEGER,
        interval=_INTEGER_OR_STRING,
        unhealthyInterval=_INTEGER_OR_STRING,
        timeout=_INTEGER_OR_STRING,
        hostname=_STRING,
        followRedirects=_BOOLEAN,
        headers=Values(_SECRET),
    ),
    passiveHealthCheck=_table(failureWindow=_INTEGER_OR_STRING, maxFailedAttempts=_INTEGER),
)
_MOST_PRIORITY: Final = 9223372036854774807

_INGRESS_ROUTE: Final = _table(
    "routes",
    ingressClassName=_STRING,
    entryPoints=Items(_STRING),
    parentRefs=Items(_REFERENCE),
    routes=Items(
        _table(
            "match",
            match=_STRING,
            kind=_one_of("Rule"),
            priority=_integer(most=_MOST_PRIORITY),
            syntax=_STRING,
            services=Items(_SERVICE),
            middlewares=Items(_REFERENCE),
            observability=_table(
                accessLogs=_BOOLEAN,
                metrics=_BOOLEAN,
                tracing=_BOOLEAN,
                traceVerbosity=_one_of("minimal", "detailed"),
            ),
        )
    ),
    tls=_table(
        secretName=_STRING,
        options=_REFERENCE,
        store=_REFERENCE,
        certResolver=_STRING,
        domains=Items(_table(main=_STRING, sans=Items(_STRING))),
    ),
)

_TRAEFIK_SERVICE: Final = _table(
    weighted=_table(services=Items(_SERVICE), sticky=_STICKY),
    mirroring=Table(
        {
            **_SERVICE.fields,
            "mirrorBody": _BOOLEAN,
            "maxBodySize": _INTEGER,
            "mirrors": Items(Table({**_SERVICE.fields, "percent": _INTEGER}, _SERVICE.required)),
        },
        _SERVICE.required,
    ),
    highestRandomWeight=_table(services=Items(_SERVICE)),
    failover=Table(
        {
            "service": _SERVICE,
            "fallback": _SERVICE,
            "errors": _table(status=Items(_STRING), maxRequestBodyBytes=_INTEGER),
        },
        required=("service", "fallback"),
        advised=("errors",),
    ),
)

# Of a middleware, only its references are checked.
_OTHER_MIDDLEWARES: Final = (
    "addPrefix", "basicAuth", "buffering", "circuitBreaker", "compress", "contentType",
    "digestAuth", "encodedCharacters", "forwardAuth", "grpcWeb", "headers", "inFlightReq",
    "ipAllowList", "ipWhiteList", "passTLSClientCert", "plugin", "rateLimit", "redirectRegex",
    "redirectScheme", "replacePath", "replacePathRegex", "retry", "stripPrefix",
    "stripPrefixRegex",
)  # fmt: skip
_MIDDLEWARE: Final = Table(
    {
        **dict.fromkeys(_OTHER_MIDDLEWARES),
        "chain": _table(middlewares=Items(_REFERENCE)),
        "errors": _table(
            service=_SERVICE,
            status=Items(_STRING),
            query=_STRING,
            statusRewrites=None,
            errorRequestHeaders=Items(_STRING),
        ),
    }
)
_SERVERS_TRANSPORT: Final = _table(
    serverName=_STRING,
    insecureSkipVerify=_BOOLEAN,
    rootCAs=Items(_table(configMap=_STRING, secret=_STRING)),
    rootCAsSecrets=Items(_STRING),
    certificatesSecrets=Items(_STRING),
    maxIdleConnsPerHost=_integer(least=-1),
    minVersion=_STRING,
    maxVersion=_STRING,
    cipherSuites=Items(_STRING),
    forwardingTimeouts=_table(
        dialTimeout=_GO_DURATION,
        responseHeaderTimeout=_GO_DURATION,
        idleConnTimeout=_GO_DURATION,
        readIdleTimeout=_GO_DURATION,
        pingTimeout=_GO_DURATION,
    ),
    disableHTTP2=_BOOLEAN,
    peerCertURI=_STRING,
    spiffe=_table(ids=Items(_STRING), trustDomain=_STRING),
)

SPECS: Final[Mapping[str, Table]] = {
    "IngressRoute": _INGRESS_ROUTE,
    "TraefikService": _TRAEFIK_SERVICE,
}
"""The ``spec`` of the kinds that the model has classes for."""

KEPT_SPECS: Final[Mapping[str, Table]] = {
    "Middleware": _MIDDLEWARE,
    "ServersTransport": _SERVERS_TRANSPORT,
}
"""The ``spec`` of the kinds that routers refer to by name."""


# --- checking ---------------------------------------------------------------


def check_shape(node: Any, shape: Shape, path: Path) -> Iterator[Problem]:
    """Report what the API server refuses at a path and below, and the unknown fields.

    Complexity: O(size), to the depth of the shape.
    """
    match shape:
        case Table():
            yield from _check_table(node, shape, path)
        case Items():
            if not isinstance(node, list):
                yield _wrong(path, f"must be a list, got {type_name(node)}")
                return
            for index, item in enumerate(node):
                yield from check_shape(item, shape.each, (*path, index))
        case Values():
            if not isinstance(node, dict):
                yield _wrong(path, f"must be a mapping, got {type_name(node)}")
                return
            for key, item in node.items():
                if item is not None:
                    yield from check_shape(item, shape.each, (*path, key))
        case Scalar():
            yield from filter(None, [_scalar_problem(node, shape, path)])


def _check_table(node: Any, table: Table, path: Path) -> Iterator[Problem]:
    if not isinstance(node, dict):
        yield _wrong(path, f"must be a mapping, got {type_name(node)}")
        return
    strange = node.keys() - table.fields.keys()
    if strange:
        yield from unknown_fields(path, strange, table.fields, Severity.WARNING)
    for name in table.required:
        if node.get(name) is None:
            missing = (*path, name)
            yield Problem(MISSING_FIELD, missing, f"{format_name(missing)} is required")
    for name in table.advised:
        if node.get(name) is None:
            message = (
                f"{format_name((*path, name))} is required by the API server; write {name}: {{}}"
            )
            yield Problem(MISSING_FIELD, (*path, name), message, Severity.WARNING)
    for name, item in node.items():
        shape = table.fields.get(name)
        # Most values are plain scalars of the right type, so they are settled first.
        if item is not None and not (
            type(shape) is Scalar and shape.only_type and type(item) in shape.types
        ):
            yield from check_shape(item, shape, (*path, name))


def _scalar_problem(value: Any, scalar: Scalar, path: Path) -> Problem | None:
    if type(value) not in scalar.types:
        shown = type_name(value) if scalar.secret else describe(value)
        return _wrong(path, f"must be {scalar.expected}, got {shown}")
    if scalar.values and value not in scalar.values:
        *others, last = map(repr, scalar.values)
        allowed = f"{', '.join(others)} or {last}" if others else last
        return _refused(path, value, f"must be {allowed}", nearest(value, scalar.values))
    if scalar.least is not None and value < scalar.least:
        return _refused(path, value, f"must be at least {scalar.least}")
    if scalar.most is not None and value > scalar.most:
        return _refused(path, value, f"must be at most {scalar.most}")
    if scalar.pattern is not None and type(value) is str and not scalar.pattern.fullmatch(value):
        return _refused(path, value, f"must be {scalar.expected}")
    return None


def _wrong(path: Path, predicate: str) -> Problem:
    return Problem(WRONG_TYPE, path, f"{format_name(path)} {predicate}")


def _refused(path: Path, value: Any, predicate: str, suggestion: str | None = None) -> Problem:
    message = f"{format_name(path)} {predicate}, got {describe(value)}"
    return Problem(REFUSED_VALUE, path, message, suggestion=suggestion)

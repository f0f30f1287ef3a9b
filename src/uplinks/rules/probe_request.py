"""Rules about the request that a probe sends (UPL206 to UPL209, UPL213, UPL215).

Its headers have a file of their own: `probe_header`. The path, whose query may
hold a token, and the hostname are never quote. Whatever would end a line of the
request is refused: it could be the beginning of another one.

Source: reference page, "Health Check Fields"; RFC 9110; RFC 3986.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from uplinks.diagnostics import Diagnostic, Severity
from uplinks.model import Cluster
from uplinks.rules._rule import quote, rule
from uplinks.rules.health_check import checked_uplinks

__all__ = [
    "invalid_hostname",
    "invalid_method",
    "invalid_path",
    "invalid_port",
    "invalid_status",
    "missing_path",
]

_LOWEST_STATUS: Final = 100
_HIGHEST_STATUS: Final = 599
_HIGHEST_PORT: Final = 65535
_LONGEST_HOST: Final = 253

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LABEL: Final = r"[A-Za-z0-9_](?:[-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?"
_HOSTNAME: Final = re.compile(
    rf"(?P<host>{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{{1,5}}))?"
)
_UNPRINTABLE: Final = re.compile(r"[^\x21-\x7e]")
_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


@rule(
    "UPL206",
    name="probe-method",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_method(cluster: Cluster) -> Iterator[Diagnostic]:
    r"""Require a valid method of a health check.

    ## What it checks

    `method` of `spec.healthCheck` is a token: letters, digits and
    ``!#$%&'*+-.^_`|~``. Methods are case-sensitive, and any token is one.

    ## Why

    No request can be sent with anything else, and the child counts as down.

    ## Bad

    ```yaml
    spec:
      healthCheck: {path: /health, method: GET /x} # UPL206
    ---
    spec:
      healthCheck: {path: /health, method: ""} # UPL206
    ---
    spec:
      healthCheck: {path: /health, method: "GET\r\nX: y"} # UPL206
    ```

    ## Good

    ```yaml
    spec:
      healthCheck: {path: /health, method: HEAD}
    ---
    spec:
      healthCheck: {path: /health, method: M-SEARCH}
    ```

    ## Source

    Uplink reference, "Health Check Fields"; RFC 9110, section 9.1.
    """
    for uplink, check in checked_uplinks(cluster):
        if _TOKEN.fullmatch(check.method) is None:
            yield invalid_method.at(
                uplink.origin.locate("spec", "healthCheck", "method"),
                f"invalid health check method {quote(check.method)} of uplink {uplink.owner}; "
                "a token such as GET or HEAD is allowed",
            )


@rule(
    "UPL207",
    name="probe-status",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_status(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a valid status of a health check.

    ## What it checks

    `status` of `spec.healthCheck` is from 100 to 599, or 0, which means unset.

    ## Why

    No answer has another status, so the child would never be up.

    ## Bad

    ```yaml
    spec:
      healthCheck: {path: /health, status: 9999} # UPL207
    ---
    spec:
      healthCheck: {path: /health, status: -1} # UPL207
    ---
    spec:
      healthCheck: {path: /health, status: 99} # UPL207
    ```

    ## Good

    ```yaml
    spec:
      healthCheck: {path: /health, status: 0}
    ---
    spec:
      healthCheck: {path: /health, status: 599}
    ```

    ## Source

    Uplink reference, "Health Check Fields"; RFC 9110, section 15.
    """
    for uplink, check in checked_uplinks(cluster):
        if not _LOWEST_STATUS <= check.status <= _HIGHEST_STATUS:
            yield invalid_status.at(
                uplink.origin.locate("spec", "healthCheck", "status"),
                f"health check status of uplink {uplink.owner} is {quote(check.status)}; "
                f"{_LOWEST_STATUS} to {_HIGHEST_STATUS} is allowed",
            )


@rule(
    "UPL208",
    name="probe-port",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_port(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a valid port of a health check.

    ## What it checks

    `port` of `spec.healthCheck` is from 1 to 65535, or 0, which means unset:
    then it is the port of the child's address.

    ## Why

    No probe can be sent to another port, and the child counts as down.

    ## Bad

    ```yaml
    spec:
      healthCheck: {path: /health, port: 65536} # UPL208
    ---
    spec:
      healthCheck: {path: /health, port: -4} # UPL208
    ```

    ## Good

    ```yaml
    spec:
      healthCheck: {path: /health, port: 0}
    ---
    spec:
      healthCheck: {path: /health, port: 65535}
    ```

    ## Source

    Uplink reference, "Health Check Fields"; RFC 9293, section 3.1.
    """
    for uplink, check in checked_uplinks(cluster):
        if check.port is not None and not 0 < check.port <= _HIGHEST_PORT:
            yield invalid_port.at(
                uplink.origin.locate("spec", "healthCheck", "port"),
                f"health check port of uplink {uplink.owner} is {quote(check.port)}; "
                f"1 to {_HIGHEST_PORT} is allowed",
            )


@rule(
    "UPL209",
    name="probe-path",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_path(cluster: Cluster) -> Iterator[Diagnostic]:
    r"""Require a plain path of a health check.

    ## What it checks

    `path` of `spec.healthCheck`, if it is written, begins with one `/` and is
    made of printable ASCII characters without `\` and `#`; each `%` begins an
    escape such as `%20`. A query is allowed.

    ## Why

    The path is resolved against the child's address. `//host` and
    `https://host` lead to another server; anything that ends a line, to
    another request; the rest fails at every probe, and the child counts as
    down.

    ## Bad

    ```yaml
    spec:
      healthCheck: {path: //example.com/x} # UPL209
    ---
    spec:
      healthCheck: {path: https://example.com/health} # UPL209
    ---
    spec:
      healthCheck: {path: health} # UPL209
    ---
    spec:
      healthCheck: {path: ""} # UPL209
    ---
    spec:
      healthCheck: {path: /a b} # UPL209
    ---
    spec:
      healthCheck: {path: "/a\r\nX: y"} # UPL209
    ---
    spec:
      healthCheck: {path: /a\b} # UPL209
    ---
    spec:
      healthCheck: {path: "/a#b"} # UPL209
    ---
    spec:
      healthCheck: {path: /%zz} # UPL209
    ---
    spec:
      healthCheck: {path: /ä} # UPL209
    ```

    ## Good

    ```yaml
    spec:
      healthCheck: {path: /}
    ---
    spec:
      healthCheck: {path: "/health?deep=true&x=%20"}
    ---
    spec:
      healthCheck: {path: /a//b}
    ```

    ## Source

    Uplink reference, "Health Check Fields"; RFC 3986, section 3.3.
    """
    for uplink, check in checked_uplinks(cluster):
        problem = None if check.path is None else _problem_with_path(check.path)
        if problem is not None:
            yield invalid_path.at(
                uplink.origin.locate("spec", "healthCheck", "path"),
                f"invalid health check path of uplink {uplink.owner}: {problem}",
            )


def _problem_with_path(path: str) -> str | None:
    problems = (
        (not path.startswith("/"), "it does not begin with '/'"),
        (
            path.startswith("//"),
            "it begins with '//', which names another host; one '/' is allowed",
        ),
        (_UNPRINTABLE.search(path), "it has a space, a control character or one outside ASCII"),
        ("\\" in path, "it has a '\\'"),
        ("#" in path, "it has a fragment, which is never sent"),
        (_ESCAPE.search(path), "it has a '%' without two hexadecimal digits"),
    )
    return next((problem for wrong, problem in problems if wrong), None)


@rule(
    "UPL213",
    name="probe-hostname",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_hostname(cluster: Cluster) -> Iterator[Diagnostic]:
    r"""Require a valid hostname of a health check.

    ## What it checks

    `hostname` of `spec.healthCheck`, if it is written, is a host name or an IP
    address (IPv6 in brackets), perhaps with a port from 1 to 65535: what a
    `Host` header may say, without a scheme or a path.

    ## Why

    A server refuses a request with another `Host`, and the child counts as
    down.

    ## Bad

    ```yaml
    spec:
      healthCheck: {path: /health, hostname: https://example.com/} # UPL213
    ---
    spec:
      healthCheck: {path: /health, hostname: a b} # UPL213
    ---
    spec:
      healthCheck: {path: /health, hostname: ""} # UPL213
    ---
    spec:
      healthCheck: {path: /health, hostname: "a\r\nX: y"} # UPL213
    ---
    spec:
      healthCheck: {path: /health, hostname: example.com:99999} # UPL213
    ---
    spec:
      healthCheck: {path: /health, hostname: a..b} # UPL213
    ---
    spec:
      healthCheck: {path: /health, hostname: "::1"} # UPL213
    ```

    ## Good

    ```yaml
    spec:
      healthCheck: {path: /health, hostname: api.eu.example.com}
    ---
    spec:
      healthCheck: {path: /health, hostname: "example.com:8443"}
    ---
    spec:
      healthCheck: {path: /health, hostname: "[::1]:80"}
    ---
    spec:
      healthCheck: {path: /health, hostname: 10.0.0.1}
    ---
    spec:
      healthCheck: {path: /health, hostname: my_host.}
    ```

    ## Source

    Uplink reference, "Health Check Fields": "Value of the Host header";
    RFC 9110, section 7.2.
    """
    for uplink, check in checked_uplinks(cluster):
        if check.hostname is None:
            continue
        match = _HOSTNAME.fullmatch(check.hostname)
        port = None if match is None else match["port"]
        fits = match is not None and len(match["host"]) <= _LONGEST_HOST
        if not fits or (port is not None and not 0 < int(port) <= _HIGHEST_PORT):
            # It is not quote: written as a URL it may hold a password.
            yield invalid_hostname.at(
                uplink.origin.locate("spec", "healthCheck", "hostname"),
                f"invalid health check hostname of uplink {uplink.owner}; "
                "a host, perhaps with a port, is allowed",
            )


@rule(
    "UPL215",
    name="missing-path",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("uplinks",),
)
def missing_path(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn of a health check over http without a path.

    ## What it checks

    `path` of `spec.healthCheck` is written, unless another `mode` than `http`
    is.

    ## Why

    The probe then asks for `/` at the uplink entry point, and what answers there
    is whichever router matches, often none: 404, and the child counts as down.

    ## Bad

    ```yaml
    spec:
      healthCheck: # UPL215
        interval: 10s
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        path: /health
        interval: 10s
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: grpc, namespace: apps}
    spec:
      healthCheck:
        mode: grpc
    ```

    ## Source

    Uplink reference, "Basic Health Check Example": all but the one in gRPC mode
    have a path.
    """
    for uplink, check in checked_uplinks(cluster):
        if check.mode == "http" and check.path is None:
            yield missing_path.at(
                uplink.origin.locate("spec", "healthCheck", key=True),
                f"health check of uplink {uplink.owner} has no path; write the one that "
                "answers while the workload is well (path: /health)",
            )

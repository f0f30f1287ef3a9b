"""Rules about the request that a probe sends (UPL206 to UPL209, UPL213, UPL215).

Its headers have a file of their own: `probe_header`. The path, whose query may
hold a token, and the hostname are never shown. Whatever would end a line of the
request is refused: it could be the beginning of another one.

Source: reference page, "Health Check Fields"; RFC 9110; RFC 3986.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from uplinks.diagnostics import Diagnostic, Severity
from uplinks.model import Cluster, HealthCheck, Uplink
from uplinks.rules._rule import rule, shown

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


def _checked(cluster: Cluster) -> Iterator[tuple[Uplink, HealthCheck]]:
    for uplink in cluster.uplinks:
        if uplink.health_check is not None:
            yield uplink, uplink.health_check


@rule(
    "UPL206",
    name="probe-method",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_method(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a valid method of a health check.

    ## What it checks

    `method` of `spec.healthCheck` is a token: letters, digits and
    ``!#$%&'*+-.^_`|~``. Methods are case-sensitive, and any token is one.

    ## Why

    No request can be sent with anything else, and the child counts as down.

    ## Bad

    ```yaml
    spec:
      healthCheck:
        method: GET /health
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        method: GET
        path: /health
    ```

    ## Source

    Uplink reference, "Health Check Fields"; RFC 9110, section 9.1.
    """
    for uplink, check in _checked(cluster):
        if _TOKEN.fullmatch(check.method) is None:
            yield invalid_method.at(
                uplink.origin.locate("spec", "healthCheck", "method"),
                f"invalid health check method {shown(check.method)} of uplink {uplink.owner}; "
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
      healthCheck:
        status: 9999
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        status: 204
    ```

    ## Source

    Uplink reference, "Health Check Fields"; RFC 9110, section 15.
    """
    for uplink, check in _checked(cluster):
        if not _LOWEST_STATUS <= check.status <= _HIGHEST_STATUS:
            yield invalid_status.at(
                uplink.origin.locate("spec", "healthCheck", "status"),
                f"health check status of uplink {uplink.owner} is {shown(check.status)}; "
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
      healthCheck:
        port: 99999
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        port: 9443
    ```

    ## Source

    Uplink reference, "Health Check Fields"; RFC 9293, section 3.1.
    """
    for uplink, check in _checked(cluster):
        if check.port is not None and not 0 < check.port <= _HIGHEST_PORT:
            yield invalid_port.at(
                uplink.origin.locate("spec", "healthCheck", "port"),
                f"health check port of uplink {uplink.owner} is {shown(check.port)}; "
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
      healthCheck:
        path: https://example.com/health
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        path: /health?deep=true
    ```

    ## Source

    Uplink reference, "Health Check Fields"; RFC 3986, section 3.3.
    """
    for uplink, check in _checked(cluster):
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
    """Require a valid hostname of a health check.

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
      healthCheck:
        hostname: https://api.example.com/
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        hostname: api.example.com
    ```

    ## Source

    Uplink reference, "Health Check Fields": "Value of the Host header";
    RFC 9110, section 7.2.
    """
    for uplink, check in _checked(cluster):
        if check.hostname is None:
            continue
        match = _HOSTNAME.fullmatch(check.hostname)
        port = None if match is None else match["port"]
        fits = match is not None and len(match["host"]) <= _LONGEST_HOST
        if not fits or (port is not None and not 0 < int(port) <= _HIGHEST_PORT):
            # It is not shown: written as a URL it may hold a password.
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
      healthCheck:
        interval: 10s
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        path: /health
        interval: 10s
    ```

    ## Source

    Uplink reference, "Basic Health Check Example": all but the one in gRPC mode
    have a path.
    """
    for uplink, check in _checked(cluster):
        if check.mode == "http" and check.path is None:
            yield missing_path.at(
                uplink.origin.locate("spec", "healthCheck", key=True),
                f"health check of uplink {uplink.owner} has no path; write the one that "
                "answers while the workload is well (path: /health)",
            )

"""Rules about the request that a probe sends (UPL206 to UPL209, UPL213, UPL215).

`probe_header` checks the headers. No message shows the path, whose query can hold a
token, or the hostname. A character that ends a line is an error, because the text
after it could be read as another request.

Source: reference page, "Health Check Fields"; RFC 9110; RFC 3986.
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks import grammar
from uplinks.diagnostics import Diagnostic, Severity
from uplinks.errors import quote, quote_word
from uplinks.model import Cluster
from uplinks.rules._rule import rule
from uplinks.rules.health_check import checked_uplinks

__all__ = [
    "invalid_hostname",
    "invalid_method",
    "invalid_path",
    "invalid_port",
    "invalid_status",
    "missing_path",
]


@rule(
    "UPL206",
    name="probe-method",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_method(cluster: Cluster) -> Iterator[Diagnostic]:
    r"""Require a valid health-check method.

    ## What it checks

    `method` of `spec.healthCheck` is an HTTP token: letters, digits and
    ``!#$%&'*+-.^_`|~``. Methods are case-sensitive, and any token is valid.

    ## Why

    No request can have any other method, so the child counts as down.

    ## Bad

    ```yaml
    spec:
      healthCheck: {path: /health, method: GET /x} # UPL206
    ---
    spec:
      healthCheck: {path: /health, method: "("} # UPL206
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
        if not grammar.is_token(check.method):
            yield invalid_method.at(
                uplink.origin.locate("spec", "healthCheck", "method"),
                f"healthCheck.method of uplink {uplink.owner} must be an HTTP method such as GET "
                f"or HEAD, got {quote_word(check.method)}",
            )


@rule(
    "UPL207",
    name="probe-status",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_status(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a valid health-check status.

    ## What it checks

    `status` of `spec.healthCheck` is between 100 and 599, or 0, which means unset.

    ## Why

    No response has another status, so the child is never up.

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
        if not grammar.is_status(check.status):
            yield invalid_status.at(
                uplink.origin.locate("spec", "healthCheck", "status"),
                f"healthCheck.status of uplink {uplink.owner} must be between "
                f"{grammar.MIN_STATUS} and {grammar.MAX_STATUS}, got {quote(check.status)}",
            )


@rule(
    "UPL208",
    name="probe-port",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_port(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a valid health-check port.

    ## What it checks

    `port` of `spec.healthCheck` is between 1 and 65535, or 0, which means unset. The
    default is the port of the child's address.

    ## Why

    No probe can reach another port, so the child counts as down.

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
        if check.port is not None and not grammar.is_port(check.port):
            yield invalid_port.at(
                uplink.origin.locate("spec", "healthCheck", "port"),
                f"healthCheck.port of uplink {uplink.owner} must be between 1 and "
                f"{grammar.MAX_PORT}, got {quote(check.port)}",
            )


@rule(
    "UPL209",
    name="probe-path",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_path(cluster: Cluster) -> Iterator[Diagnostic]:
    r"""Require a valid health-check path.

    ## What it checks

    `path` of `spec.healthCheck`, if set, starts with a single `/` and consists of
    printable ASCII characters without `\` and `#`. Each `%` starts an escape such as
    `%20`. The path can have a query.

    ## Why

    The path is resolved against the child's address. `//host` and `https://host` lead
    to another server, and a line break starts another request. Any other invalid path
    makes every probe fail, so the child counts as down.

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
      healthCheck: {path: "?"} # UPL209
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
        problem = None if check.path is None else grammar.problem_with_path(check.path)
        if problem is not None:
            yield invalid_path.at(
                uplink.origin.locate("spec", "healthCheck", "path"),
                f"healthCheck.path of uplink {uplink.owner} {problem}",
            )


@rule(
    "UPL213",
    name="probe-hostname",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_hostname(cluster: Cluster) -> Iterator[Diagnostic]:
    r"""Require a valid health-check hostname.

    ## What it checks

    `hostname` of `spec.healthCheck`, if set, is a host name or an IP address (IPv6 in
    brackets), with an optional port from 1 to 65535. It has no scheme and no path. Each
    part of a host name has 1 to 63 letters, digits, `-` and `_`, and no `-` at either
    end. The whole has at most 260 characters.

    ## Why

    Servers reject a request with an invalid `Host`, so the child counts as down.

    ## Bad

    ```yaml
    spec:
      healthCheck: {path: /health, hostname: https://example.com/} # UPL213
    ---
    spec:
      healthCheck: {path: /health, hostname: a b} # UPL213
    ---
    spec:
      healthCheck: {path: /health, hostname: "[::"} # UPL213
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
        if check.hostname is not None and not grammar.is_authority(check.hostname):
            # The message leaves out the value: a URL here can hold a password.
            yield invalid_hostname.at(
                uplink.origin.locate("spec", "healthCheck", "hostname"),
                f"healthCheck.hostname of uplink {uplink.owner} is invalid; write a host name or "
                "an IP address, and a port if needed",
            )


@rule(
    "UPL215",
    name="missing-path",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("uplinks",),
)
def missing_path(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about an HTTP health check without a path.

    ## What it checks

    `path` of `spec.healthCheck` is set if `mode` is `http`, the default.

    ## Why

    Without a path, the probe requests `/` at the uplink entry point. Often no router
    matches there, the response is 404, and the child counts as down.

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
        scheme: http
        port: 9000
    ```

    ## Source

    Uplink reference, "Basic Health Check Example": all but the one in gRPC mode
    have a path.
    """
    for uplink, check in checked_uplinks(cluster):
        if check.mode == "http" and check.path is None:
            yield missing_path.at(
                uplink.origin.locate("spec", "healthCheck", key=True),
                f"healthCheck of uplink {uplink.owner} has no path; add the path of the "
                "workload's health endpoint, such as /health",
            )

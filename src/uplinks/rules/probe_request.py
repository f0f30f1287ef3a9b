"""Rules about the request that a probe sends (UPL206 to UPL209, UPL213, UPL215).

The rules about its headers are in `probe_header`. No message shows the path, whose
query may hold a token, or the hostname.

Source: reference page, "Health Check Fields"; RFC 9110; RFC 3986.
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks import grammar
from uplinks.diagnostics import Diagnostic, Severity
from uplinks.errors import shown_word
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
        if not grammar.is_token(check.method):
            yield invalid_method.at(
                uplink.origin.locate("spec", "healthCheck", "method"),
                f"healthCheck.method of uplink {uplink.owner} must be an HTTP token such as GET "
                f"or HEAD, got {shown_word(check.method)}",
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
        if not grammar.is_status(check.status):
            yield invalid_status.at(
                uplink.origin.locate("spec", "healthCheck", "status"),
                f"healthCheck.status of uplink {uplink.owner} must be between "
                f"{grammar.MIN_STATUS} and {grammar.MAX_STATUS}, got {shown(check.status)}",
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
        if check.port is not None and not grammar.is_port(check.port):
            yield invalid_port.at(
                uplink.origin.locate("spec", "healthCheck", "port"),
                f"healthCheck.port of uplink {uplink.owner} must be between 1 and "
                f"{grammar.MAX_PORT}, got {shown(check.port)}",
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
    escape such as `%20`. It may have a query.

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
    """Require a valid hostname of a health check.

    ## What it checks

    `hostname` of `spec.healthCheck`, if it is written, is a host name or an IP
    address (IPv6 in brackets) with an optional port from 1 to 65535. It has no
    scheme and no path. Each part of a host name has 1 to 63 letters, digits, `-`
    and `_`, and no `-` at either end. The whole has at most 260 characters.

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
        if check.hostname is not None and not grammar.is_authority(check.hostname):
            # It is not shown: written as a URL it may hold a password.
            yield invalid_hostname.at(
                uplink.origin.locate("spec", "healthCheck", "hostname"),
                f"healthCheck.hostname of uplink {uplink.owner} must be a host name or IP "
                "address with an optional port",
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

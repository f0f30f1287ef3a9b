"""Rules about how a child is probed (UPL204, UPL205, UPL210, UPL217).

When it is probed is for `timing`, what a probe's request is made of for
`probe_request` and `probe_header`. The rules judge what the model holds: a field
that is not written, or is 0 where 0 means unset, has its default.

Source: reference page, "Health Check Fields".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from uplinks.diagnostics import Diagnostic, Severity
from uplinks.model import Cluster, HealthCheck, Uplink
from uplinks.rules._rule import quote, rule
from uplinks.rules._suggestion import RuleResult, Suggestion

__all__ = [
    "MODES",
    "checked_uplinks",
    "ignored_by_grpc",
    "invalid_passive_check",
    "unknown_mode",
    "unknown_scheme",
]

MODES: Final = ("http", "grpc")
_SCHEMES: Final = ("http", "https")


def checked_uplinks(cluster: Cluster) -> Iterator[tuple[Uplink, HealthCheck]]:
    """Yield the uplinks that have a health check, with the check."""
    for uplink in cluster.uplinks:
        if uplink.health_check is not None:
            yield uplink, uplink.health_check


@rule(
    "UPL204",
    name="unknown-mode",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def unknown_mode(cluster: Cluster, modes: Collection[str] = MODES) -> Iterator[RuleResult]:
    """Require a known mode of a health check.

    ## What it checks

    `mode` of `spec.healthCheck` is `http` or `grpc`, or a further mode that
    whoever checks says it can probe (`check(..., known_modes=["tcp"])`).

    ## Why

    A proxy probes with http in any other mode, whatever was meant.

    ## Bad

    ```yaml
    spec:
      healthCheck: {mode: tcp} # UPL204
    ---
    spec:
      healthCheck: {mode: GRPC} # UPL204
    ```

    ## Good

    ```yaml
    spec:
      healthCheck: {mode: grpc}
    ---
    spec:
      healthCheck: {mode: http, path: /}
    ```

    ## Source

    Uplink reference, "Health Check Fields".
    """
    for uplink, check in checked_uplinks(cluster):
        if check.mode not in modes:
            finding = unknown_mode.at(
                uplink.origin.locate("spec", "healthCheck", "mode"),
                f"unknown health check mode {quote(check.mode)} of uplink {uplink.owner}; "
                f"{' or '.join(modes)} is allowed",
            )
            yield Suggestion(finding, check.mode, modes)


@rule(
    "UPL205",
    name="unknown-scheme",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def unknown_scheme(cluster: Cluster) -> Iterator[RuleResult]:
    """Require a known scheme of a health check.

    ## What it checks

    `scheme` of `spec.healthCheck`, if it is written, is `http` or `https`, in
    small letters. Traefik knows `h2c` for servers of its own; an uplink's
    reference does not allow it, and neither does this rule.

    ## Why

    With another scheme no probe can be sent, and the child counts as down.

    ## Bad

    ```yaml
    spec:
      healthCheck: {path: /health, scheme: ftp} # UPL205
    ---
    spec:
      healthCheck: {path: /health, scheme: h2c} # UPL205
    ---
    spec:
      healthCheck: {path: /health, scheme: HTTPS} # UPL205
    ```

    ## Good

    ```yaml
    spec:
      healthCheck: {path: /health, scheme: https}
    ---
    spec:
      healthCheck: {path: /health, scheme: http}
    ```

    ## Source

    Uplink reference, "Health Check Fields": "(http, https)".
    """
    for uplink, check in checked_uplinks(cluster):
        if check.scheme is not None and check.scheme not in _SCHEMES:
            finding = unknown_scheme.at(
                uplink.origin.locate("spec", "healthCheck", "scheme"),
                f"unknown health check scheme {quote(check.scheme)} of uplink {uplink.owner}; "
                f"{' or '.join(_SCHEMES)} is allowed",
            )
            yield Suggestion(finding, check.scheme, _SCHEMES)


@rule(
    "UPL210",
    name="ignored-by-grpc",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("uplinks",),
)
def ignored_by_grpc(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn of a field that a health check in gRPC mode ignores.

    ## What it checks

    With `mode: grpc`, `path`, `method`, `status`, `headers` and
    `followRedirects` of `spec.healthCheck` are not set, or have their defaults.
    (`hostname` is the call's authority.)

    ## Why

    The probe is one call of the gRPC health checking protocol: it has no path
    of its own, no status but the protocol's, and sends no headers. What is
    written does nothing; perhaps http mode was meant.

    ## Bad

    ```yaml
    spec:
      healthCheck:
        mode: grpc
        path: /health # UPL210
        method: HEAD # UPL210
        status: 204 # UPL210
        hostname: example.com
        followRedirects: false # UPL210
        headers: # UPL210
          X-Health-Check: "true"
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        mode: grpc
        scheme: https
        port: 9443
        status: 200
        interval: 10s
        timeout: 5s
    ```

    ## Source

    Uplink reference, "Health Check Fields"; the gRPC health checking protocol.
    """
    unset = HealthCheck(mode="grpc")
    for uplink, check in checked_uplinks(cluster):
        if check.mode != "grpc":
            continue
        fields = {
            "path": check.path != unset.path,
            "method": check.method != unset.method,
            "status": check.status != unset.status,
            "headers": check.headers != unset.headers,
            "followRedirects": check.follow_redirects != unset.follow_redirects,
        }
        for name, is_set in fields.items():
            if is_set:
                yield ignored_by_grpc.at(
                    uplink.origin.locate("spec", "healthCheck", name, key=True),
                    f"{name} of uplink {uplink.owner} is ignored by a health check in grpc mode; "
                    "remove it, or take http mode",
                )


@rule(
    "UPL217",
    name="passive-check",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_passive_check(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse a negative number of failed attempts.

    ## What it checks

    `maxFailedAttempts` of `spec.passiveHealthCheck` is not below 0. 0 means
    unset: the default, 1, is taken. Its `failureWindow` is judged by UPL202.

    ## Why

    No number of failures could ever be as small, so nothing says when the child
    is to be taken out.

    ## Bad

    ```yaml
    spec:
      passiveHealthCheck:
        maxFailedAttempts: -3 # UPL217
    ```

    ## Good

    ```yaml
    spec:
      passiveHealthCheck:
        maxFailedAttempts: 0
    ---
    spec:
      passiveHealthCheck:
        maxFailedAttempts: 3
    ```

    ## Source

    The `passiveHealthCheck` field of the Uplink CRD.
    """
    for uplink in cluster.uplinks:
        passive = uplink.passive_health_check
        if passive is not None and passive.max_failed_attempts < 0:
            yield invalid_passive_check.at(
                uplink.origin.locate("spec", "passiveHealthCheck", "maxFailedAttempts"),
                f"maxFailedAttempts of uplink {uplink.owner} is "
                f"{quote(passive.max_failed_attempts)}; 0 (unset) or more is allowed",
            )

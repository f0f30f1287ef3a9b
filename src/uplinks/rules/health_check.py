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
from uplinks.errors import quote, quote_word
from uplinks.model import Cluster, HealthCheck, Uplink
from uplinks.rules._rule import rule
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


def _one_of(names: Collection[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


@rule(
    "UPL204",
    name="unknown-mode",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def unknown_mode(cluster: Cluster, modes: Collection[str] = MODES) -> Iterator[RuleResult]:
    """Require a known health-check mode.

    ## What it checks

    `mode` of `spec.healthCheck` is `http`, `grpc`, or one of the modes passed to
    `check(..., known_modes=["tcp"])`.

    ## Why

    Traefik probes over HTTP in any other mode.

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
      healthCheck: {mode: grpc, scheme: http, port: 9000}
    ---
    spec:
      healthCheck: {mode: http, path: /}
    ```

    ## Source

    Uplink reference, "Health Check Fields".
    """
    for uplink, check in checked_uplinks(cluster):
        if check.mode not in modes:
            diagnostic = unknown_mode.at(
                uplink.origin.locate("spec", "healthCheck", "mode"),
                f"healthCheck.mode of uplink {uplink.owner} must be {_one_of(modes)}, "
                f"got {quote_word(check.mode)}",
            )
            # The mode https is rather the scheme of that name.
            written = None if check.mode == "https" else check.mode
            yield Suggestion(diagnostic, check.mode, modes, written=written)


@rule(
    "UPL205",
    name="unknown-scheme",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def unknown_scheme(cluster: Cluster) -> Iterator[RuleResult]:
    """Require a known health-check scheme.

    ## What it checks

    `scheme` of `spec.healthCheck`, if set, is `http` or `https`, in lower case.
    Traefik supports `h2c` for its own servers, but the Uplink reference does not
    list it.

    ## Why

    A probe cannot use another scheme, so the child counts as down.

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
            diagnostic = unknown_scheme.at(
                uplink.origin.locate("spec", "healthCheck", "scheme"),
                f"healthCheck.scheme of uplink {uplink.owner} must be {_one_of(_SCHEMES)}, "
                f"got {quote_word(check.scheme)}",
            )
            yield Suggestion(diagnostic, check.scheme, _SCHEMES, written=check.scheme)


@rule(
    "UPL210",
    name="ignored-by-grpc",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("uplinks",),
)
def ignored_by_grpc(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about a field that a gRPC health check ignores.

    ## What it checks

    With `mode: grpc`, the fields `path`, `method`, `status`, `headers` and
    `followRedirects` of `spec.healthCheck` are unset or have their default values.
    `hostname` is used, as the authority of the call.

    ## Why

    The probe is one call of the gRPC health checking protocol, which has its own path
    and status and sends no configured headers. The field has no effect; `mode: http`
    may have been intended.

    ## Bad

    ```yaml
    spec:
      healthCheck:
        mode: grpc
        scheme: http
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
        scheme: http
        port: 9000
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
                    f"healthCheck.{name} of uplink {uplink.owner} has no effect in grpc mode; "
                    "remove it, or use http mode",
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

    `maxFailedAttempts` of `spec.passiveHealthCheck` is 0 or more. 0 means unset, and
    the default is 1. UPL202 checks `failureWindow`.

    ## Why

    A negative number does not define after how many failures the child leaves the
    rotation.

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
                f"passiveHealthCheck.maxFailedAttempts of uplink {uplink.owner} must be 0 (unset) "
                f"or more, got {quote(passive.max_failed_attempts)}",
            )

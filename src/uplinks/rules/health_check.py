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
from uplinks.errors import shown_word
from uplinks.model import Cluster, HealthCheck, Uplink
from uplinks.rules._guess import Finding, Guess
from uplinks.rules._rule import rule, shown

__all__ = [
    "MODES",
    "ignored_by_grpc",
    "invalid_passive_check",
    "unknown_mode",
    "unknown_scheme",
]

MODES: Final = ("http", "grpc")
_SCHEMES: Final = ("http", "https")


def _checked(cluster: Cluster) -> Iterator[tuple[Uplink, HealthCheck]]:
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
def unknown_mode(cluster: Cluster, modes: Collection[str] = MODES) -> Iterator[Finding]:
    """Require a known mode of a health check.

    ## What it checks

    `mode` of `spec.healthCheck` is `http` or `grpc`, or a further mode that
    whoever checks says it can probe (`check(..., known_modes=["tcp"])`).

    ## Why

    A proxy probes with http in any other mode, whatever was meant.

    ## Bad

    ```yaml
    spec:
      healthCheck:
        mode: tcp
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        mode: grpc
    ```

    ## Source

    Uplink reference, "Health Check Fields".
    """
    for uplink, check in _checked(cluster):
        if check.mode not in modes:
            finding = unknown_mode.at(
                uplink.origin.locate("spec", "healthCheck", "mode"),
                f"unknown health check mode {shown_word(check.mode)} of uplink {uplink.owner}; "
                f"{' or '.join(modes)} is allowed",
            )
            yield Guess(finding, check.mode, modes)


@rule(
    "UPL205",
    name="unknown-scheme",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def unknown_scheme(cluster: Cluster) -> Iterator[Finding]:
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
      healthCheck:
        scheme: ftp
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        scheme: https
    ```

    ## Source

    Uplink reference, "Health Check Fields": "(http, https)".
    """
    for uplink, check in _checked(cluster):
        if check.scheme is not None and check.scheme not in _SCHEMES:
            finding = unknown_scheme.at(
                uplink.origin.locate("spec", "healthCheck", "scheme"),
                f"unknown health check scheme {shown_word(check.scheme)} of uplink {uplink.owner}; "
                f"{' or '.join(_SCHEMES)} is allowed",
            )
            yield Guess(finding, check.scheme, _SCHEMES)


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
        path: /healthz
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        mode: grpc
    ```

    ## Source

    Uplink reference, "Health Check Fields"; the gRPC health checking protocol.
    """
    unset = HealthCheck(mode="grpc")
    for uplink, check in _checked(cluster):
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
        maxFailedAttempts: -3
    ```

    ## Good

    ```yaml
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
                f"{shown(passive.max_failed_attempts)}; 0 (unset) or more is allowed",
            )

"""Rules about when and how a child is probed (UPL202 to UPL205, UPL210, UPL217).

What a probe's request is made of is for `probe_request` and `probe_header`. The
rules judge what the model holds: a field that is not written, or is 0 where 0
means unset, has its default.

Source: reference page, "Health Check Fields".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.durations import format_duration
from uplinks.model import DEFAULT_TIMEOUT, Cluster, HealthCheck, Uplink
from uplinks.rules._guess import Finding, Guess
from uplinks.rules._rule import rule, shown

__all__ = [
    "ignored_by_grpc",
    "invalid_passive_check",
    "negative_duration",
    "slow_timeout",
    "unknown_mode",
    "unknown_scheme",
]

_MODES: Final = ("http", "grpc")
_SCHEMES: Final = ("http", "https")


def _checked(cluster: Cluster) -> Iterator[tuple[Uplink, HealthCheck]]:
    for uplink in cluster.uplinks:
        if uplink.health_check is not None:
            yield uplink, uplink.health_check


@rule(
    "UPL202",
    name="negative-duration",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def negative_duration(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse a negative duration of a health check.

    ## What it checks

    `interval`, `unhealthyInterval` and `timeout` of `spec.healthCheck`, and
    `failureWindow` of `spec.passiveHealthCheck`, are not below 0. 0 means
    unset: the default is taken.

    ## Why

    A proxy takes some default instead, and not always the one that an unset
    field has. Nothing that was written would come true.

    ## Bad

    ```yaml
    spec:
      healthCheck:
        interval: -10s
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        interval: 10s
    ```

    ## Source

    Uplink reference, "Health Check Fields".
    """
    for uplink in cluster.uplinks:
        durations: list[tuple[str, str, int]] = []
        active, passive = uplink.health_check, uplink.passive_health_check
        if active is not None:
            durations.append(("healthCheck", "interval", active.interval))
            if active.unhealthy_interval != active.interval:  # else it is only inherited
                durations.append(("healthCheck", "unhealthyInterval", active.unhealthy_interval))
            durations.append(("healthCheck", "timeout", active.timeout))
        if passive is not None:
            durations.append(("passiveHealthCheck", "failureWindow", passive.failure_window))
        for check, name, duration in durations:
            if duration < 0:
                yield negative_duration.at(
                    uplink.origin.locate("spec", check, name),
                    f"{name} of uplink {uplink.owner} is {format_duration(duration)}; "
                    "0 (unset) or more is allowed",
                )


@rule(
    "UPL203",
    name="slow-timeout",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("uplinks",),
)
def slow_timeout(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn of a timeout that is not below the interval.

    ## What it checks

    `timeout` of `spec.healthCheck` (5s if unset) is below `interval` (30s if
    unset). `unhealthyInterval` is not compared: to look often for a child that
    is down is what it is for.

    ## Why

    The next probe is due before the last one has ended. The interval is not
    kept, and a child that fails is noticed later than it says.

    ## Bad

    ```yaml
    spec:
      healthCheck:
        interval: 3s
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        interval: 3s
        timeout: 1s
    ```

    ## Source

    Uplink reference, "Health Check Fields".
    """
    for uplink, check in _checked(cluster):
        if not 0 <= check.interval <= check.timeout:
            continue
        interval = uplink.origin.locate("spec", "healthCheck", "interval")
        timeout = uplink.origin.locate("spec", "healthCheck", "timeout")
        # The default is not written anywhere, but the interval beside it is.
        unset = check.timeout == DEFAULT_TIMEOUT
        related = [] if unset else [Related(interval, "the interval is here")]
        yield slow_timeout.at(
            interval if unset else timeout,
            f"timeout of uplink {uplink.owner} is {format_duration(check.timeout)}, not below "
            f"its interval of {format_duration(check.interval)}",
            related,
        )


@rule(
    "UPL204",
    name="unknown-mode",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def unknown_mode(cluster: Cluster) -> Iterator[Finding]:
    """Require a known mode of a health check.

    ## What it checks

    `mode` of `spec.healthCheck` is `http` or `grpc`.

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
        if check.mode not in _MODES:
            finding = unknown_mode.at(
                uplink.origin.locate("spec", "healthCheck", "mode"),
                f"unknown health check mode {shown(check.mode)} of uplink {uplink.owner}; "
                f"{' or '.join(_MODES)} is allowed",
            )
            yield Guess(finding, check.mode, _MODES)


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
                f"unknown health check scheme {shown(check.scheme)} of uplink {uplink.owner}; "
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

    With `mode: grpc`, `path`, `method`, `status`, `hostname`, `headers` and
    `followRedirects` of `spec.healthCheck` are not set, or have their defaults.

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
            "hostname": check.hostname != unset.hostname,
            "headers": check.headers != unset.headers,
            "followRedirects": check.follow_redirects != unset.follow_redirects,
        }
        for name, is_set in fields.items():
            if is_set:
                yield ignored_by_grpc.at(
                    uplink.origin.locate("spec", "healthCheck", name, key=True),
                    f"{name} of uplink {uplink.owner} is ignored by a health check in grpc mode",
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

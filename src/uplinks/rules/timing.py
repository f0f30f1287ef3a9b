"""Rules about when a child is probed (UPL202, UPL203, UPL216).

They judge what the model holds: a duration that is not written, or is 0, has its
default.

Source: reference page, "Health Check Fields".
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.durations import format_duration
from uplinks.model import DEFAULT_TIMEOUT, Cluster
from uplinks.rules._rule import rule
from uplinks.rules.health_check import checked_uplinks

__all__ = ["negative_duration", "slow_timeout", "slower_when_unhealthy"]


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
        path: /health
        interval: -10s # UPL202
        unhealthyInterval: -1 # UPL202
        timeout: -1s # UPL202
    ---
    spec:
      passiveHealthCheck:
        failureWindow: -1s # UPL202
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        path: /health
        interval: 0
        unhealthyInterval: 0s
        timeout: 1s
    ---
    spec:
      passiveHealthCheck:
        failureWindow: 0
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
        path: /health
        interval: 3s # UPL203
    ---
    spec:
      healthCheck:
        path: /health
        interval: 10s
        timeout: 10s # UPL203
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        path: /health
        interval: 10s
        unhealthyInterval: 2s
        timeout: 9s
    ---
    spec:
      healthCheck:
        path: /health
    ```

    ## Source

    Uplink reference, "Health Check Fields".
    """
    for uplink, check in checked_uplinks(cluster):
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
            f"its interval of {format_duration(check.interval)}; make it shorter, so that one "
            "probe ends before the next begins",
            related,
        )


@rule(
    "UPL216",
    name="slower-when-unhealthy",
    severity=Severity.INFO,
    scope="manifests",
    reads=("uplinks",),
)
def slower_when_unhealthy(cluster: Cluster) -> Iterator[Diagnostic]:
    """Note that a child that is down is probed less often than one that is up.

    ## What it checks

    `unhealthyInterval` of `spec.healthCheck` is not above `interval` (30s if
    unset).

    ## Why

    The child that has recovered waits longer to be picked again than a failing
    one is picked in vain. That may be wanted, to spare a child that starts; more
    often the two were mixed up.

    ## Bad

    ```yaml
    spec:
      healthCheck:
        path: /health
        interval: 10s
        unhealthyInterval: 1m # UPL216
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        path: /health
        interval: 1m
        unhealthyInterval: 10s
    ```

    ## Source

    Uplink reference, "Health Check Fields".
    """
    for uplink, check in checked_uplinks(cluster):
        if 0 < check.interval < check.unhealthy_interval:
            locate = uplink.origin.locate
            yield slower_when_unhealthy.at(
                locate("spec", "healthCheck", "unhealthyInterval"),
                f"uplink {uplink.owner} is probed every {format_duration(check.interval)} while "
                f"it is up and only every {format_duration(check.unhealthy_interval)} while it "
                "is down; were the two mixed up?",
                [Related(locate("spec", "healthCheck", "interval"), "the interval is here")],
            )

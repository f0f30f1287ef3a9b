"""Rules about when a child is probed (UPL202, UPL203, UPL216).

They check the values of the model, where a duration that is unset or 0 has its
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
    reads=("parent_config", "uplinks"),
)
def negative_duration(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse a negative duration in a health check or between polls.

    ## What it checks

    `interval`, `unhealthyInterval` and `timeout` of `spec.healthCheck`,
    `failureWindow` of `spec.passiveHealthCheck`, and `pollInterval` and `pollTimeout` of
    `hub.providers.multicluster` are 0 or more. 0 means unset.

    ## Why

    A proxy replaces a negative duration by a default, which can differ from that of an
    unset field.

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
    ---
    # parent
    hub:
      providers:
        multicluster:
          pollInterval: -5s # UPL202
          children:
            child-1:
              address: "https://child-1.example.com:9443"
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
    ---
    # parent
    hub:
      providers:
        multicluster:
          pollInterval: 5s
          children:
            child-1:
              address: "https://child-1.example.com:9443"
    ```

    ## Source

    Uplink reference, "Health Check Fields".
    """
    for uplink in cluster.uplinks:
        durations: list[tuple[str, str, int]] = []
        active, passive = uplink.health_check, uplink.passive_health_check
        if active is not None:
            durations.append(("healthCheck", "interval", active.interval))
            if active.unhealthy_interval != active.interval:  # else it is inherited
                durations.append(("healthCheck", "unhealthyInterval", active.unhealthy_interval))
            durations.append(("healthCheck", "timeout", active.timeout))
        if passive is not None:
            durations.append(("passiveHealthCheck", "failureWindow", passive.failure_window))
        for check, name, duration in durations:
            if duration < 0:
                yield negative_duration.at(
                    uplink.origin.locate("spec", check, name),
                    f"{check}.{name} of uplink {uplink.owner} must be 0 (unset) or more, "
                    f"got {format_duration(duration)}",
                )
    config = cluster.parent_config
    if config is None:
        return
    polls = (("pollInterval", config.poll_interval), ("pollTimeout", config.poll_timeout))
    for name, duration in polls:
        if duration < 0:
            yield negative_duration.at(
                config.origin.locate("hub", "providers", "multicluster", name),
                f"hub.providers.multicluster.{name} must be 0 (unset) or more, "
                f"got {format_duration(duration)}",
            )


@rule(
    "UPL203",
    name="slow-timeout",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("uplinks",),
)
def slow_timeout(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about a timeout that is not shorter than the interval.

    ## What it checks

    `timeout` of `spec.healthCheck` (5s if unset) is shorter than `interval` (30s if
    unset). `unhealthyInterval` can be shorter than the timeout, because its purpose is
    to probe a child often while it is down.

    ## Why

    A probe can still be running when the next one is due. The interval is then not
    kept, and a failure is detected later than expected.

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
        # A default timeout has no place in the file, but the interval has.
        unset = check.timeout == DEFAULT_TIMEOUT
        related = [] if unset else [Related(interval, "the interval")]
        yield slow_timeout.at(
            interval if unset else timeout,
            f"healthCheck.timeout of uplink {uplink.owner} must be shorter than its interval of "
            f"{format_duration(check.interval)}, got {format_duration(check.timeout)}; shorten it, "
            "so that one probe ends before the next starts",
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
    """Note a child that is probed less often while it is down.

    ## What it checks

    `unhealthyInterval` of `spec.healthCheck` is at most `interval` (30s if unset).

    ## Why

    After a recovery the child waits longer for its first request than a failing child
    keeps receiving requests. This can be intended, to spare a child that starts. More
    often the two values are swapped.

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
                f"healthCheck.unhealthyInterval of uplink {uplink.owner} is longer than its "
                f"interval of {format_duration(check.interval)}, got "
                f"{format_duration(check.unhealthy_interval)}; swap them unless this is intended",
                [Related(locate("spec", "healthCheck", "interval"), "the interval")],
            )

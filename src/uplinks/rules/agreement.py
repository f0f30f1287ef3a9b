"""Rules about one workload in several children (UPL403, UPL404, UPL411, UPL412).

Children that offer the same uplink name are the targets of one service, so their
settings should agree.

Source: reference page, "Weight Configuration" and "Health Check Behavior".
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.errors import quote
from uplinks.model import Cluster, Fleet, HealthCheck, Uplink
from uplinks.rules import health_check, probe_request, timing
from uplinks.rules._references import Offer, composed, named_at, offers_by
from uplinks.rules._rule import rule

__all__ = ["different_checks", "different_names", "no_failover", "partly_checked"]

# Hostname, port, scheme and headers may differ between children.
_COMPARED: Final[Mapping[str, Callable[[HealthCheck], object]]] = {
    "mode": lambda check: check.mode,
    "path": lambda check: check.path,
    "method": lambda check: check.method,
    "status": lambda check: check.status,
    "interval": lambda check: check.interval,
    "unhealthyInterval": lambda check: check.unhealthy_interval,
    "timeout": lambda check: check.timeout,
    "followRedirects": lambda check: check.follow_redirects,
}


def _uplink_name(uplink: Uplink) -> str:
    return uplink.uplink_name


def _owner(uplink: Uplink) -> str:
    return uplink.owner


def _declared_once(offers: Sequence[Offer]) -> list[Offer]:
    """Leave out objects declared twice on a child: one of them may be a patch (UPL010)."""
    owners = Counter((child, uplink.owner) for child, uplink in offers)
    return [(child, uplink) for child, uplink in offers if owners[child, uplink.owner] == 1]


class _Refused:
    """The places where health-check fields could not be read, so their defaults mean nothing."""

    def __init__(self, fleet: Fleet) -> None:
        self._places = sorted(
            (each.location.file, each.location.span.line)
            for child in sorted(fleet.children)
            for each in fleet.children[child].diagnostics
            if ".healthCheck" in each.location.path
        )

    def is_in(self, uplink: Uplink) -> bool:
        check = uplink.origin.locate("spec", "healthCheck")
        begin = bisect_left(self._places, (check.file, check.span.line))
        return begin < bisect_right(self._places, (check.file, check.span.end_line))


def _is_wrong(uplink: Uplink) -> bool:
    """Tell whether another rule already reports this health check."""
    alone = Cluster("", uplinks=[uplink])
    return any(found for each in _OF_ONE_CHECK for found in each.function(alone))


_OF_ONE_CHECK: Final = (
    health_check.ignored_by_grpc,
    health_check.unknown_mode,
    probe_request.invalid_method,
    probe_request.invalid_path,
    probe_request.invalid_status,
    probe_request.missing_path,
    timing.negative_duration,
    timing.slow_timeout,
    timing.slower_when_unhealthy,
)


@rule(
    "UPL403",
    name="different-checks",
    severity=Severity.WARNING,
    scope="fleet",
    reads=("children", "children.diagnostics", "offered"),
)
def different_checks(fleet: Fleet) -> Iterator[Diagnostic]:
    """Warn about children with different health checks for one uplink.

    ## What it checks

    The `spec.healthCheck` of all children that advertise one uplink name agrees in
    `mode`, `path`, `method`, `status`, `interval`, `unhealthyInterval`, `timeout`
    and `followRedirects`. `hostname`, `port`, `scheme` and `headers` may differ. A
    child without a health check is UPL411. A check that another rule reports is not
    compared, because that mistake can be the cause of the difference.

    ## Why

    The children serve one workload. A child with a different check leaves the
    rotation at a different time, or for a different reason, than the others. The
    usual cause is a change in one cluster that the others did not get.

    ## Bad

    ```yaml
    # child-1
    spec:
      healthCheck:
        path: /health
        interval: 10s
    ---
    # child-2
    spec:
      healthCheck:
        path: /healthz # UPL403
        interval: 10s
    ```

    ## Good

    ```yaml
    # child-1
    spec:
      healthCheck:
        path: /health
        interval: 10s
    ---
    # child-2
    spec:
      healthCheck:
        path: /health
        interval: 10s
        hostname: api.us.example.com
        port: 443
    ```

    ## Source

    Uplink reference, "Health Check Configuration".
    """
    refused = _Refused(fleet)
    for name, offers in offers_by(_uplink_name, fleet).items():
        once = _declared_once(offers)
        checked = [(child, u, u.health_check) for child, u in once if u.health_check is not None]
        for child, uplink, check in checked[1:]:
            first_child, first, wanted = checked[0]
            fields = [f for f, of in _COMPARED.items() if of(check) != of(wanted)]
            if wanted.unhealthy_interval == wanted.interval and "interval" in fields:
                # An inherited unhealthyInterval only repeats the difference of the interval.
                inherited = check.unhealthy_interval == check.interval
                fields = [f for f in fields if f != "unhealthyInterval" or not inherited]
            if fields and not any(refused.is_in(u) or _is_wrong(u) for u in (first, uplink)):
                path = ("spec", "healthCheck", *fields[:1])
                yield different_checks.at(
                    uplink.origin.locate(*path),
                    f"healthCheck of uplink {quote(name)} on child {child!r} differs from child "
                    f"{first_child!r} in {', '.join(fields)}; use the same check on both",
                    [Related(first.origin.locate(*path), f"the check of child {first_child!r}")],
                )


@rule(
    "UPL404",
    name="different-names",
    severity=Severity.WARNING,
    scope="fleet",
    reads=("offered", "parent.others", "parent.routers", "parent.traefik_services"),
)
def different_names(fleet: Fleet) -> Iterator[Diagnostic]:
    """Warn about one uplink with different names on different children.

    ## What it checks

    An `Uplink` with the same namespace and name has the same uplink name on each
    child, unless one route, or one weighted or failover `TraefikService`, of the
    parent uses all of the names.

    ## Why

    Children share a service only if they share the uplink name. With different
    names each child has its own service, and none can take over for another.

    ## Bad

    ```yaml
    # child-1
    spec:
      exposeName: api-eu
    ---
    # child-2
    spec:
      exposeName: api-us # UPL404
    ```

    ## Good

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      failover:
        service: {name: api-eu@multicluster, kind: TraefikService}
        fallback: {name: api-us-child-2@multicluster, kind: TraefikService}
        errors: {status: ["500-599"]}
    ---
    # child-1
    spec:
      exposeName: api-eu
    ---
    # child-2
    spec:
      exposeName: api-us
    ```

    ## Source

    Uplink reference, "Uplink Naming" and "Health Check with Failover".
    """
    together = composed(fleet)
    for owner, every in offers_by(_owner, fleet).items():
        firsts: dict[str, Uplink] = {}
        for child, uplink in every:
            firsts.setdefault(child, uplink)  # an uplink declared twice is UPL010
        offers = list(firsts.items())
        if len({together[uplink.uplink_name] for _, uplink in offers}) == 1:
            continue
        (first_child, first), *others = offers
        child, uplink = next(o for o in others if o[1].uplink_name != first.uplink_name)
        yield different_names.at(
            named_at(uplink),
            f"uplink {owner} is named {quote(uplink.uplink_name)} on child {child!r} and "
            f"{quote(first.uplink_name)} on child {first_child!r}, so the children share no "
            "service; use one name, or combine both in a TraefikService of the parent",
            [Related(named_at(first), f"the name on child {first_child!r}")],
        )


@rule(
    "UPL411",
    name="partly-checked",
    severity=Severity.WARNING,
    scope="fleet",
    reads=("offered",),
)
def partly_checked(fleet: Fleet) -> Iterator[Diagnostic]:
    """Warn about an uplink with a health check on only some children.

    ## What it checks

    Either all children that advertise an uplink name have `spec.healthCheck`, or
    none has. A child with only `spec.passiveHealthCheck` is not reported, because
    failed requests take it out of rotation.

    ## Why

    A child without a check stays in rotation while it is down and keeps its share
    of the requests. The service as a whole never counts as down either.

    ## Bad

    ```yaml
    # child-1
    spec:
      healthCheck:
        path: /health
        interval: 10s
    ---
    # child-2
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: api-workload # UPL411
      namespace: apps
    spec:
      weight: 10
    ```

    ## Good

    ```yaml
    # child-1
    spec:
      healthCheck:
        path: /health
        interval: 10s
    ---
    # child-2
    spec:
      healthCheck:
        path: /health
        interval: 10s
    ```

    ## Source

    Uplink reference, "Health Check Behavior"; Traefik: a service reports its
    health only if all its children do.
    """
    for name, offers in offers_by(_uplink_name, fleet).items():
        once = _declared_once(offers)
        checked = [(c, u) for c, u in once if u.health_check is not None]
        for child, uplink in once if checked else ():
            # A check that could not be read is reported already and is not missing.
            has_none = uplink.origin.value_at("spec", "healthCheck") is None
            if has_none and uplink.health_check is None and uplink.passive_health_check is None:
                other, has_it = checked[0]
                yield partly_checked.at(
                    uplink.origin.locate("metadata", "name"),
                    f"uplink {quote(name)} has no healthCheck on child {child!r}, so that child "
                    f"stays in rotation while it is down; add the check of child {other!r}",
                    [
                        Related(
                            has_it.origin.locate("spec", "healthCheck", key=True),
                            f"the check of child {other!r}",
                        )
                    ],
                )


@rule(
    "UPL412",
    name="no-failover",
    severity=Severity.INFO,
    scope="fleet",
    reads=(
        "children",
        "children.uplinks",
        "offered",
        "parent.others",
        "parent.routers",
        "parent.traefik_services",
    ),
)
def no_failover(fleet: Fleet) -> Iterator[Diagnostic]:
    """Note an uplink offered by only one of several children.

    ## What it checks

    In a fleet of two or more children, at least two of them advertise each uplink
    name, or one route, or one weighted or failover `TraefikService`, of the parent
    combines it with another uplink.

    ## Why

    When that child is down, no other child can serve the requests.

    ## Bad

    ```yaml
    # child-1
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: other # UPL412
      namespace: apps
    ---
    # child-2
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ```

    ## Good

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      failover:
        service: {name: apps-other@multicluster, kind: TraefikService}
        fallback: {name: apps-api-workload@multicluster, kind: TraefikService}
        errors: {status: ["500-599"]}
    ---
    # child-1
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: other, namespace: apps}
    ---
    # child-2
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ```

    ## Source

    Uplink reference, "Health Check Behavior".
    """
    if len(fleet.offered()) == 1:
        return
    together = composed(fleet)
    size = Counter(together.values())
    declared = Counter(uplink.owner for c in fleet.children.values() for uplink in c.uplinks)
    for name, offers in offers_by(_uplink_name, fleet).items():
        child, uplink = offers[0]
        alone = len({c for c, _ in offers}) == 1 and size[together[name]] == 1
        if alone and declared[uplink.owner] == 1:  # else it is UPL404
            yield no_failover.at(
                named_at(uplink),
                f"only child {child!r} offers uplink {quote(name)}, so no other child can take "
                "over when it is down",
            )

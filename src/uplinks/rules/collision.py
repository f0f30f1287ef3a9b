"""Rules about two owners of one name (UPL401, UPL402).

A name is a view of an identity. The docstrings of the rules define when two
identities are the same; `uplinks.services.materialize` keeps the same law, and
``tests/laws/test_services_laws.py`` compares the two.

Source: reference page, "Uplink Naming".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Location, Related, Severity
from uplinks.model import Cluster, Fleet, Uplink
from uplinks.rules._references import named_at
from uplinks.rules._rule import rule

__all__ = ["service_name_collision", "uplink_name_collision"]


@rule(
    "UPL401",
    name="uplink-name-collision",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def uplink_name_collision(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse two uplinks of one cluster with the same uplink name.

    ## What it checks

    No two `Uplink`s of a cluster have the same uplink name, whether it is derived
    from the namespace and name or set with `exposeName`.

    ## Why

    A router's annotation and the parent's services could mean either uplink.

    ## Bad

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: cards, namespace: payments-eu}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: eu-cards # UPL401
      namespace: payments
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: cards, namespace: apps}
    spec:
      exposeName: payments-eu-cards # UPL401
    ```

    ## Good

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: cards, namespace: payments-eu}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: eu-cards, namespace: payments}
    spec:
      exposeName: european-cards
    ```

    ## Source

    Uplink reference, "Uplink Naming".
    """
    named: Mapping[str, list[Uplink]] = defaultdict(list)
    for uplink in cluster.uplinks:
        named[uplink.uplink_name].append(uplink)
    for name, uplinks in named.items():
        if len({uplink.owner for uplink in uplinks}) == 1:
            continue
        other, *rest = sorted(uplinks, key=lambda u: (named_at(u).sort_key, u.owner))
        for uplink in rest:
            if other.owner == uplink.owner:
                continue
            yield uplink_name_collision.at(
                named_at(uplink),
                f"uplink {uplink.owner} has the same uplink name as uplink {other.owner}, "
                f"{name!r}; give one of them another exposeName",
                [Related(named_at(other), f"the name of uplink {other.owner}")],
            )


_MOST_SHOWN: Final = 20


@frozen
class _Claim:
    """One uplink that contributes to a service name."""

    child: str
    uplink: Uplink

    def related(self) -> Related:
        return Related(named_at(self.uplink), f"claimed by {self}")

    def __str__(self) -> str:
        return f"uplink {self.uplink.owner} of child {self.child!r}"


@rule(
    "UPL402",
    name="service-name-collision",
    severity=Severity.ERROR,
    scope="fleet",
    reads=("offered",),
)
def service_name_collision(fleet: Fleet) -> Iterator[Diagnostic]:
    """Refuse two services of a parent with the same name.

    ## What it checks

    No two services get the same name on the parent. Three kinds of services can
    collide: the weighted services of two owners whose derived names are equal
    (`a-b` + `c` and `a` + `b-c`), two child services (uplink `a` on child `b-c` and
    uplink `a-b` on child `c`), and a weighted and a child service. Uplinks of
    different children may share a name set with `exposeName`; that is its purpose.
    Two uplinks of one cluster are UPL401.

    ## Why

    Requests for one workload would reach the other.

    ## Bad

    ```yaml
    # child-1
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: cards # UPL412
      namespace: payments
    ---
    # child-2
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: child-1 # UPL402 UPL412
      namespace: payments-cards
    ```

    ## Good

    ```yaml
    # child-1
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: cards, namespace: payments}
    ---
    # child-2
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: child-1, namespace: payments-cards}
    spec:
      exposeName: payments-cards
    ```

    ## Source

    Uplink reference, "Uplink Naming".
    """
    shared: Mapping[str, list[_Claim]] = defaultdict(list)
    direct: Mapping[str, list[_Claim]] = defaultdict(list)
    for child, uplinks in fleet.offered().items():
        for uplink in uplinks:
            claim = _Claim(child, uplink)
            shared[uplink.uplink_name].append(claim)
            direct[f"{uplink.uplink_name}-{child}"].append(claim)
    for name in sorted({*shared, *direct}):
        together, alone = shared.get(name, []), direct.get(name, [])
        child_services = {(claim.uplink.uplink_name, claim.child) for claim in alone}
        if len(child_services) + bool(together) < 2 and not _by_accident(together):  # noqa: PLR2004
            continue
        together, alone = sorted(together, key=_order), sorted(alone, key=_order)
        claims = sorted([*together, *alone], key=_order)
        owners = [*map(str, together), *(f"{claim}, directly" for claim in alone)]
        more = f" and {len(owners) - _MOST_SHOWN} more" if len(owners) > _MOST_SHOWN else ""
        yield service_name_collision.at(
            named_at(claims[-1].uplink),
            f"service name {name + naming.PROVIDER_SUFFIX!r} is claimed by "
            f"{' and by '.join(owners[:_MOST_SHOWN])}{more}; give one of them another exposeName",
            [claim.related() for claim in claims[:_MOST_SHOWN]],
        )


def _order(claim: _Claim) -> tuple[str, str, Location]:
    return claim.child, claim.uplink.owner, named_at(claim.uplink)


def _by_accident(claims: Sequence[_Claim]) -> bool:
    """Tell whether owners in different children derive one name from different parts.

    With two owners and two children, some pair differs in both.
    """
    derived = [claim for claim in claims if claim.uplink.expose_name is None]
    owners = {claim.uplink.owner for claim in derived}
    return len(owners) > 1 and len({claim.child for claim in derived}) > 1

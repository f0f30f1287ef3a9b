"""Rules about uplinks (UPL101 to UPL107): names and weight.

Source: reference page, "Configuration Options" and "Uplink Naming".
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Severity
from uplinks.errors import quote
from uplinks.model import MAX_WEIGHT, Cluster, Uplink
from uplinks.rules._references import is_refused
from uplinks.rules._rule import rule

__all__ = [
    "invalid_expose_name",
    "invalid_name",
    "invalid_namespace",
    "is_weight",
    "negative_weight",
    "normalized_name",
    "weight_too_large",
]


def _is_of_file(uplink: Uplink) -> bool:
    """Tell an uplink of Traefik's file provider, which has a name and no namespace."""
    return not uplink.namespace and uplink.expose_name is not None


def is_integer(value: object) -> bool:
    """Tell an integer from everything else. A Python bool is an int, but not an integer here."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_weight(value: object) -> bool:
    """Tell whether a value is a valid weight."""
    return isinstance(value, int) and is_integer(value) and 0 <= value <= MAX_WEIGHT


@rule(
    "UPL101",
    name="uplink-name",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_name(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a valid uplink name.

    ## What it checks

    `metadata.name` of an `Uplink` is a DNS label: 1 to 63 characters from `a-z`, `0-9`
    and `-`, with a letter or digit at both ends. UPL106 checks the name of an uplink of
    Traefik's file provider.

    ## Why

    The names of the parent's services, and the names in router annotations, are
    derived from it.

    ## Bad

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: API_workload # UPL101
      namespace: apps
    ```

    ## Good

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ```

    ## Source

    Uplink reference, "Configuration Options"; RFC 1123, section 2.1.
    """
    for uplink in cluster.uplinks:
        problem = naming.problem_with_name(uplink.name)
        if _is_of_file(uplink) or problem is None:
            continue
        if not is_refused(uplink.origin, "name"):
            yield invalid_name.at(
                uplink.origin.locate("metadata", "name"),
                f"metadata.name of uplink {uplink.owner} is invalid, got {quote(uplink.name)}: "
                f"{problem}",
            )


@rule(
    "UPL102",
    name="uplink-namespace",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_namespace(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a valid uplink namespace.

    ## What it checks

    `metadata.namespace` of an `Uplink` is a DNS label: 1 to 63 characters from `a-z`,
    `0-9` and `-`, with a letter or digit at both ends. An uplink without one is in the
    namespace given with `--namespace`, which is `default` if not given.

    ## Why

    Kubernetes has no namespace of another name, and the uplink name starts with it.

    ## Bad

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: other
      namespace: Apps # UPL102
    ```

    ## Good

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: other}
    ```

    ## Source

    Uplink reference, "Configuration Options"; Kubernetes, "Namespaces".
    """
    for uplink in cluster.uplinks:
        problem = naming.problem_with_name(uplink.namespace)
        if _is_of_file(uplink):
            continue
        if not uplink.namespace:
            message = (
                f"uplink {quote(uplink.name)} has no metadata.namespace, from which its uplink "
                "name is derived; add it"
            )
        elif problem is not None:
            message = (
                f"metadata.namespace of uplink {quote(uplink.name)} is invalid, got "
                f"{quote(uplink.namespace)}: {problem}"
            )
        else:
            continue
        yield invalid_namespace.at(uplink.origin.locate("metadata", "namespace"), message)


@rule(
    "UPL103",
    name="negative-weight",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def negative_weight(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse a negative weight.

    ## What it checks

    `spec.weight` of an `Uplink` is an integer of 0 or more.

    ## Why

    A weight is a share of the requests. Use 0 to advertise a child that is never
    picked.

    ## Bad

    ```yaml
    spec:
      weight: -1 # UPL103
    ```

    ## Good

    ```yaml
    spec:
      weight: 10
    ```

    ## Source

    Uplink reference, "Configuration Options": "Must be >=0".
    """
    for uplink in cluster.uplinks:
        # A weight given in Python can be anything; UPL105 reports the large integers.
        if not (is_weight(uplink.weight) or (is_integer(uplink.weight) and uplink.weight > 0)):
            yield negative_weight.at(
                uplink.origin.locate("spec", "weight"),
                f"spec.weight of uplink {uplink.owner} must be an integer between 0 and "
                f"{MAX_WEIGHT}, got {quote(uplink.weight)}",
            )


@rule(
    "UPL105",
    name="weight-too-large",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def weight_too_large(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse a weight above 2147483647.

    ## What it checks

    `spec.weight` of an `Uplink` is at most 2147483647.

    ## Why

    The limit keeps the arithmetic with weights exact. Only the ratio of the weights
    matters, so smaller weights have the same effect.

    ## Bad

    ```yaml
    spec:
      weight: 2147483648 # UPL105
    ```

    ## Good

    ```yaml
    spec:
      weight: 2147483647
    ```

    ## Source

    Uplink reference, "Weight Configuration"; the limit is this library's.
    """
    for uplink in cluster.uplinks:
        if is_integer(uplink.weight) and uplink.weight > MAX_WEIGHT:
            yield weight_too_large.at(
                uplink.origin.locate("spec", "weight"),
                f"spec.weight of uplink {uplink.owner} must be an integer between 0 and "
                f"{MAX_WEIGHT}, got {quote(uplink.weight)}",
            )


@rule(
    "UPL106",
    name="expose-name",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_expose_name(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a valid `exposeName`.

    ## What it checks

    `spec.exposeName` of an `Uplink`, if set, has 1 to 253 characters from `a-z`,
    `0-9`, `-` and `.`, with a letter or digit at both ends.

    ## Why

    The name becomes the name of a service on every parent.

    ## Bad

    ```yaml
    spec:
      exposeName: api_workload # UPL106
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: other, namespace: apps}
    spec:
      exposeName: "" # UPL106
    ```

    ## Good

    ```yaml
    spec:
      exposeName: api-workload-v1
    ```

    ## Source

    Uplink reference, "Uplink Naming"; the field's pattern in the Uplink CRD.
    """
    for uplink in cluster.uplinks:
        if uplink.expose_name is None:
            continue
        problem = naming.problem_with_expose_name(uplink.expose_name)
        if problem is not None:
            yield invalid_expose_name.at(
                uplink.origin.locate("spec", "exposeName"),
                f"spec.exposeName of uplink {uplink.owner} is invalid, got "
                f"{quote(uplink.expose_name)}: {problem}",
            )


@rule(
    "UPL107",
    name="normalized-name",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("uplinks",),
)
def normalized_name(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about an uplink name that Traefik rewrites in references.

    ## What it checks

    The uplink name (`exposeName`, else `<namespace>-<name>`) contains no `.` and no
    two consecutive `-`.

    ## Why

    Traefik rewrites `name@provider` in an `IngressRoute`: it replaces each sequence of
    characters that are not letters or digits by one `-`. A reference to
    `api.v1@multicluster` then means `api-v1`, which does not exist or is another
    uplink.

    ## Bad

    ```yaml
    spec:
      exposeName: api.v1 # UPL107
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: api--eu # UPL107
      namespace: apps
    ```

    ## Good

    ```yaml
    spec:
      exposeName: api-v1
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-eu, namespace: apps}
    ```

    ## Source

    Uplink reference, "Uplink Naming"; Traefik's Kubernetes CRD provider.
    """
    for uplink in cluster.uplinks:
        name = uplink.uplink_name
        normal = naming.normalize(name)
        # An invalid name is reported as such.
        if normal != name and naming.problem_with_expose_name(name) is None:
            chosen = uplink.expose_name is not None
            where = ("spec", "exposeName") if chosen else ("metadata", "name")
            yield normalized_name.at(
                uplink.origin.locate(*where),
                f"Traefik rewrites uplink name {quote(name)} of uplink {uplink.owner} to "
                f"{quote(normal)} in references; set an exposeName without '.' and '--'",
                suggestion=normal if chosen else None,
            )

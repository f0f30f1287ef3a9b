"""Rules about the port of a Kubernetes Service (UPL337, UPL338).

Source: Traefik's Kubernetes CRD provider.
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks.diagnostics import Diagnostic, Severity
from uplinks.errors import quote
from uplinks.grammar import MAX_PORT
from uplinks.model import Cluster
from uplinks.rules._references import KIND, Reference, of_cluster
from uplinks.rules._rule import rule

__all__ = ["impossible_port", "missing_port"]


@rule(
    "UPL337",
    name="impossible-port",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("others", "routers", "traefik_services"),
)
def impossible_port(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse a port that no Kubernetes Service can have.

    ## What it checks

    `port` of a reference to a Kubernetes Service is an integer from 1 to 65535, or a
    name with a letter.

    ## Why

    A string is the name of a port, and a name has at least one letter. So `"80"` matches
    no port, and Traefik drops the whole route.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - name: api
              port: "80" # UPL337
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - name: api
              port: 80
            - name: other
              port: http
    ```

    ## Source

    Traefik v3.7, Kubernetes CRD provider; Kubernetes, "Service".
    """
    for reference in _to_kubernetes(cluster):
        port = reference.service.port
        if isinstance(port, str) and port.isdecimal():
            number = int(port) if len(port) <= len(str(MAX_PORT)) else 0
            yield impossible_port.at(
                reference.origin.locate(*reference.path, "port"),
                f"{reference.holder} references port {quote(port)} of {_name(reference)} as a "
                "string, which is the name of a port; write the number without quotes",
                suggestion=str(number) if 0 < number <= MAX_PORT else None,
            )
        elif isinstance(port, int) and port and not 0 < port <= MAX_PORT:
            yield impossible_port.at(
                reference.origin.locate(*reference.path, "port"),
                f"{reference.holder} references port {port} of {_name(reference)}; a port must be "
                f"between 1 and {MAX_PORT}",
            )


@rule(
    "UPL338",
    name="missing-port",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("others", "routers", "traefik_services"),
)
def missing_port(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about a reference to a Kubernetes Service without a port.

    ## What it checks

    Each reference to a Kubernetes Service has a `port`.

    ## Why

    Traefik does not choose one, and drops the whole route.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - name: api # UPL338
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - name: api
              port: 8080
    ```

    ## Source

    Traefik v3.7, Kubernetes CRD provider.
    """
    for reference in _to_kubernetes(cluster):
        # A port that could not be read is reported already.
        if not reference.service.port and not reference.origin.value_at(*reference.path, "port"):
            yield missing_port.at(
                reference.location,
                f"{reference.holder} references {_name(reference)} without a port, so Traefik "
                "drops the route; add port",
            )


def _to_kubernetes(cluster: Cluster) -> Iterator[Reference]:
    """Yield the references of Traefik's own kinds to Kubernetes Services."""
    for reference in of_cluster(cluster):
        name = reference.service.name
        if reference.service.kind != KIND and "@" not in name and "rules" not in reference.path:
            yield reference


def _name(reference: Reference) -> str:
    return f"Service {quote(reference.service.name)}"

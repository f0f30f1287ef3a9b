"""Rules about the addresses by which a parent reaches its children (UPL406, UPL414, UPL415).

An address is never quote: it may hold a password.

Source: reference page, "Complete Example".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from uplinks import addresses
from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.model import Cluster
from uplinks.rules._rule import quote, rule

__all__ = ["invalid_address", "plain_address", "shared_address"]

_CHILDREN: Final = ("hub", "providers", "multicluster", "children")


@rule(
    "UPL406",
    name="child-address",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("parent_config",),
)
def invalid_address(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a usable address of each child.

    ## What it checks

    `address` of each child below `hub.providers.multicluster.children` is a
    URL with `http` or `https`, a host and perhaps a port from 1 to 65535;
    nothing else, except for a `/` at the end.

    ## Why

    It becomes the server URL of the child's services, where Traefik takes the
    path from the request and knows no user or password.

    ## Bad

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1:
              address: child-1.example.com:9443 # UPL406
    ```

    ## Good

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1:
              address: "https://[::1]:9443/"
    ```

    ## Source

    Uplink reference, "Complete Example"; RFC 3986, section 3.
    """
    config = cluster.parent_config
    if config is None:
        return
    for name in sorted(config.children):
        problem = addresses.problem_with_address(config.children[name].address)
        if problem is not None:
            # The address itself is not quote: it may hold a password.
            yield invalid_address.at(
                config.origin.locate(*_CHILDREN, name, "address"),
                f"invalid address of child {quote(name)}: {problem}; "
                "write https://, a host and perhaps a port",
            )


@rule(
    "UPL414",
    name="plain-address",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("parent_config",),
)
def plain_address(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn of a child that is reached over plain http.

    ## What it checks

    `address` of each child below `hub.providers.multicluster.children` begins
    with `https://`.

    ## Why

    All requests from one cluster to the other, their cookies and tokens too,
    can be read and changed on the way.

    ## Bad

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1:
              address: http://child1.example.com:9443 # UPL414
    ```

    ## Good

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1:
              address: https://child-1.example.com:9443
    ```

    ## Source

    Uplink reference, "Complete Example": the entry point has `tls`, the addresses
    have `https`.
    """
    config = cluster.parent_config
    if config is None:
        return
    for name in sorted(config.children):
        address = config.children[name].address
        if addresses.is_plain(address) and addresses.problem_with_address(address) is None:
            yield plain_address.at(
                config.origin.locate(*_CHILDREN, name, "address"),
                f"child {quote(name)} is reached over plain http; use https:// and give its "
                "uplink entry point tls",
            )


@rule(
    "UPL415",
    name="shared-address",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("parent_config",),
)
def shared_address(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn of two children with one address.

    ## What it checks

    The addresses below `hub.providers.multicluster.children` lead to different
    servers: they differ in scheme, host or port.

    ## Why

    It is one cluster under two names, mostly a line that was copied. It takes
    both shares of the requests, and when it is down, both children are.

    ## Bad

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1:
              address: https://child1.example.com
            child-2:
              address: https://CHILD1.example.com:443/ # UPL415
    ---
    # child-2
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ```

    ## Good

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1:
              address: https://child-1.example.com:9443
            child-2:
              address: https://child-2.example.com:9443
    ---
    # child-2
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ```

    ## Source

    Uplink reference, "Complete Example".
    """
    config = cluster.parent_config
    if config is None:
        return
    first: dict[tuple[str, str, int], str] = {}
    places = {name: config.origin.locate(*_CHILDREN, name, "address") for name in config.children}
    for name in sorted(places, key=lambda name: (places[name], name)):
        endpoint = addresses.endpoint(config.children[name].address)
        other = name if endpoint is None else first.setdefault(endpoint, name)
        if other != name:
            yield shared_address.at(
                places[name],
                f"child {quote(name)} has the address of child {quote(other)}; "
                "each child is a cluster of its own and has one of its own",
                [Related(places[other], f"child {quote(other)} is here")],
            )

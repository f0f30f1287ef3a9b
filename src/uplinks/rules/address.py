"""Rules about the addresses by which a parent reaches its children (UPL406, UPL414, UPL415).

No message shows an address, because it can hold a password.

Source: reference page, "Complete Example".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from uplinks import addresses
from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.errors import quote
from uplinks.model import Cluster
from uplinks.rules._rule import rule

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
    """Require a valid address for each child.

    ## What it checks

    The `address` of each child in `hub.providers.multicluster.children` is a URL
    with the scheme `http` or `https`, a host, an optional port from 1 to 65535 and
    an optional trailing `/`. It has no other part.

    ## Why

    The address becomes the server URL of the child's services. Traefik takes the
    path from the request there and supports no user name or password.

    ## Bad

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1: {address: child-1.example.com:9443} # UPL406
    ```

    ## Good

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1: {address: "https://[::1]:9443/"}
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
            # The message leaves out the address, which can hold a password.
            yield invalid_address.at(
                config.origin.locate(*_CHILDREN, name, "address"),
                f"address of child {quote(name)} is invalid: {problem}; "
                "write https:// and a host, and a port if needed",
            )


@rule(
    "UPL414",
    name="plain-address",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("parent_config",),
)
def plain_address(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about a child reached over plain HTTP.

    ## What it checks

    The `address` of each child in `hub.providers.multicluster.children` starts with
    `https://`.

    ## Why

    Anyone on the network path can read and change all requests between the
    clusters, including their cookies and tokens.

    ## Bad

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1: {address: http://child1.example.com:9443} # UPL414
    ```

    ## Good

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1: {address: https://child-1.example.com:9443}
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
                f"address of child {quote(name)} uses plain http; use https:// and configure "
                "TLS for the child's uplink entry point",
            )


@rule(
    "UPL415",
    name="shared-address",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("parent_config",),
)
def shared_address(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about two children with the same address.

    ## What it checks

    The addresses in `hub.providers.multicluster.children` differ in scheme, host or
    port.

    ## Why

    They are one cluster under two names, usually because a line was copied. That
    cluster receives both shares of the requests, and both children fail together.

    ## Bad

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1: {address: https://child1.example.com}
            child-2: {address: https://CHILD1.example.com:443/} # UPL415
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
            child-1: {address: https://child-1.example.com:9443}
            child-2: {address: https://child-2.example.com:9443}
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
                f"child {quote(name)} has the same address as child {quote(other)}; "
                "give each child the address of its own cluster",
                [Related(places[other], f"child {quote(other)} is here")],
            )

"""The rule about the addresses of uplink entry points (UPL421).

Source: Traefik, "EntryPoints: address".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from uplinks import grammar
from uplinks.diagnostics import Diagnostic, Severity
from uplinks.errors import quote
from uplinks.model import Cluster
from uplinks.rules._rule import rule

__all__ = ["invalid_listen_address"]

_ADDRESS: Final = re.compile(r"(?P<host>[^/]*):(?P<port>[0-9]{1,5})(?:/(?P<protocol>[^/]*))?")


@rule(
    "UPL421",
    name="invalid-listen-address",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("child_config",),
)
def invalid_listen_address(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require an address to listen on in each uplink entry point.

    ## What it checks

    `address` of each entry point in `hub.uplinkEntryPoints` is `[host]:port`, with a port
    from 1 to 65535. `/tcp` may follow; requests cannot arrive over `/udp`.

    ## Why

    Traefik does not start with an entry point whose address is invalid.

    ## Bad

    ```yaml
    hub:
      uplinkEntryPoints:
        multicluster:
          address: "9443" # UPL421
          asDefault: true
        second: {} # UPL421
        third:
          address: ":9445/udp" # UPL421
      providers:
        multicluster: {}
    ```

    ## Good

    ```yaml
    hub:
      uplinkEntryPoints:
        multicluster:
          address: ":9443"
          asDefault: true
        second:
          address: "10.0.0.1:9444/tcp"
      providers:
        multicluster: {}
    ```

    ## Source

    Traefik, "EntryPoints: address".
    """
    config = cluster.child_config
    if config is None:
        return
    for name, point in config.uplink_entry_points.items():
        path = ("hub", "uplinkEntryPoints", name, "address")
        if "$(" in point.address:
            continue  # a variable of the container, whose value is elsewhere
        problem = _problem(point.address)
        written = config.origin.value_at(*path)
        # A value of another type is reported already.
        if problem is not None and (written is None or isinstance(written, str)):
            yield invalid_listen_address.at(
                config.origin.locate(*path),
                f"address of uplink entry point {quote(name)} {problem}; write, for example, "
                "':9443'",
            )


def _problem(address: str) -> str | None:
    if not address:
        return "is missing"
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return f"must be [host]:port, got {quote(address)}"
    if not 0 < int(found["port"]) <= grammar.MAX_PORT:
        return f"must have a port between 1 and {grammar.MAX_PORT}, got {quote(address)}"
    if found["host"] and not grammar.is_authority(found["host"]):
        return f"must have a host that is a name or an IP address, got {quote(address)}"
    if found["protocol"] not in {None, "", "tcp"}:
        return f"must be for tcp, got {quote(address)}"
    return None

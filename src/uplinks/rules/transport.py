"""The rule about how a parent connects to its children (UPL420)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import fields_dict

from uplinks import addresses
from uplinks.diagnostics import Diagnostic, Severity
from uplinks.errors import quote
from uplinks.model import Cluster, ForwardingTimeouts, ServersTransport
from uplinks.rules._rule import rule

__all__ = ["invalid_transport"]

_VERSIONS: Final = ("VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13")
_CHILDREN: Final = ("hub", "providers", "multicluster", "children")


@rule(
    "UPL420",
    name="servers-transport",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("parent_config",),
)
def invalid_transport(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse a `serversTransport` that no connection can be made with.

    ## What it checks

    In `serversTransport` of each child, `serverName` is a host without a port;
    each entry of `certificates` has `certFile` and `keyFile`; no entry of
    `rootCAs` is empty; `minVersion` and `maxVersion` are `VersionTLS10` to
    `VersionTLS13` and in order; no time-out is negative. Files are not looked up,
    because they are on the machine of the parent's Traefik.

    ## Why

    Traefik refuses such a transport, and every request to the child fails.

    ## Bad

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1:
              address: https://child-1.example.com:9443
              serversTransport:
                serverName: child-1.example.com:9443 # UPL420
                rootCAs:
                  - "" # UPL420
                certificates:
                  - certFile: /tls/client.crt # UPL420
                minVersion: TLS12 # UPL420
                forwardingTimeouts:
                  dialTimeout: -1s # UPL420
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
              serversTransport:
                serverName: child-1.example.com
                rootCAs:
                  - /tls/ca.pem
                certificates:
                  - certFile: /tls/client.crt
                    keyFile: /tls/client.key
                minVersion: VersionTLS12
                forwardingTimeouts:
                  dialTimeout: 10s
    ```

    ## Source

    Traefik v3.7, `serversTransport`.
    """
    config = cluster.parent_config
    if config is None:
        return
    for name in sorted(config.children):
        transport = config.children[name].servers_transport
        for path, problem in _problems(transport) if transport is not None else ():
            yield invalid_transport.at(
                config.origin.locate(*_CHILDREN, name, "serversTransport", *path),
                f"serversTransport of child {quote(name)}: {problem}",
            )


def _problems(transport: ServersTransport) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if transport.server_name and not _is_host(transport.server_name):
        got = quote(transport.server_name)
        yield ("serverName",), f"serverName must be a host without a port, got {got}"
    for index, each in enumerate(transport.root_cas):
        if not each:
            yield ("rootCAs", index), "an entry of rootCAs is empty; write a file, or PEM text"
    for index, certificate in enumerate(transport.certificates):
        for written, value in (
            ("certFile", certificate.cert_file),
            ("keyFile", certificate.key_file),
        ):
            if not value:
                yield (
                    ("certificates", index),
                    f"certificates[{index}] has no {written}; write a file, or PEM text",
                )
    yield from _version_problems(transport)
    timeouts = transport.forwarding_timeouts
    for attribute, written in _TIMEOUTS.items():
        if getattr(timeouts, attribute) < 0:
            yield ("forwardingTimeouts", written), f"{written} must not be negative"


_TIMEOUTS: Final = {
    "dial_timeout": "dialTimeout",
    "response_header_timeout": "responseHeaderTimeout",
    "idle_conn_timeout": "idleConnTimeout",
    "read_idle_timeout": "readIdleTimeout",
    "ping_timeout": "pingTimeout",
}
assert _TIMEOUTS.keys() == fields_dict(ForwardingTimeouts).keys()  # noqa: S101 - a table of all


def _version_problems(transport: ServersTransport) -> Iterator[tuple[tuple[str, ...], str]]:
    pair = {"minVersion": transport.min_version, "maxVersion": transport.max_version}
    wrong = {name: got for name, got in pair.items() if got and got not in _VERSIONS}
    for name, got in wrong.items():
        allowed = f"{_VERSIONS[0]} to {_VERSIONS[-1]}"
        yield (name,), f"{name} must be {allowed}, got {quote(got)}"
    low, high = pair["minVersion"], pair["maxVersion"]
    if not wrong and low and high and low > high:
        yield ("minVersion",), f"minVersion {low} is above maxVersion {high}"


def _is_host(name: str) -> bool:
    address = f"https://{name}"
    endpoint = addresses.endpoint(address)
    return endpoint is not None and "/" not in name and ":" not in name.rpartition("]")[2]

"""How a gRPC channel to a child is made: its target, and its TLS."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

from uplinks.adapters._tls import UnusableTransport, read_files
from uplinks.model import ServersTransport
from uplinks.probing import Server

__all__ = ["Identity", "target_of"]


class Identity(NamedTuple):
    """A channel's TLS identity: accepted authorities, verified name, and client certificate."""

    authorities: bytes | None
    name: str | None = None
    key: bytes | None = None
    chain: bytes | None = None

    @classmethod
    def of(cls, transport: ServersTransport | None, authorities: bytes | None) -> Identity:
        """Read a child's transport. Raises: UnusableTransport."""
        if transport is None:
            return cls(authorities)
        if transport.insecure_skip_verify:
            raise UnusableTransport("gRPC cannot leave certificates unverified; set rootCAs")
        files = read_files(transport)
        chain, key = files.certificates[0] if files.certificates else (None, None)
        return cls(files.authorities or authorities, transport.server_name, key, chain)


def target_of(server: Server) -> str:
    """Return gRPC's target, with a scheme: without one, ``unix:`` would be a path."""
    try:
        return f"ipv{ip_address(server.host).version}:{server.authority}"
    except ValueError:
        return f"dns:///{server.authority}"

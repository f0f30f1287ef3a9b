"""How Envoy runs with the rendered configuration."""

from __future__ import annotations

from attrs import field, frozen

__all__ = ["EnvoyOptions"]


@frozen
class EnvoyOptions:
    """How Envoy runs with the output.

    ``listen`` is where it takes requests (a port of 0 is chosen by the kernel),
    ``eds_folder`` the folder in which it finds the output of `to_envoy_endpoints`,
    ``ca_file`` the authorities for children whose ``serversTransport`` names none.
    ``uplink_header`` is the request header that names the uplink.

    >>> EnvoyOptions().listen
    ('127.0.0.1', 10000)
    """

    listen: tuple[str, int] = ("127.0.0.1", 10000)
    eds_folder: str = "./eds"
    ca_file: str = "/etc/ssl/certs/ca-certificates.crt"
    uplink_header: str = "X-Uplink"
    admin: tuple[str, int] = field(default=("127.0.0.1", 9901))

"""How a parent connects to one child: TLS, client certificates and time-outs."""

from __future__ import annotations

from typing import Final

from attrs import field, frozen

from uplinks.model._fields import to_tuple

__all__ = ["ClientCertificate", "ForwardingTimeouts", "ServersTransport", "Spiffe"]

_SECOND: Final = 1_000_000_000


@frozen
class ClientCertificate:
    """A client certificate for mutual TLS: each field is a file, or PEM text itself.

    ``key_file`` may hold the private key, so it is never part of a repr.

    >>> ClientCertificate("/tls/client.crt", "/tls/client.key")
    ClientCertificate(cert_file='/tls/client.crt', key_file='***')

    Source: Traefik, ``serversTransport.certificates``.
    """

    cert_file: str = ""
    key_file: str = field(default="", repr=lambda _: "'***'")


@frozen
class Spiffe:
    """The SPIFFE identities that a child may have. ``ids`` takes precedence.

    Source: Traefik, ``serversTransport.spiffe``.
    """

    ids: tuple[str, ...] = field(default=(), converter=to_tuple)
    trust_domain: str = ""


@frozen
class ForwardingTimeouts:
    """Time-outs of connections to a child, in nanoseconds; 0 means no limit.

    >>> ForwardingTimeouts().dial_timeout
    30000000000

    Source: Traefik, ``serversTransport.forwardingTimeouts``.
    """

    dial_timeout: int = 30 * _SECOND
    response_header_timeout: int = 0
    idle_conn_timeout: int = 90 * _SECOND
    read_idle_timeout: int = 0
    ping_timeout: int = 15 * _SECOND


@frozen
class ServersTransport:
    """How connections to a child are made.

    ``root_cas`` and the fields of a certificate are files, or PEM text.
    ``server_name`` is the name in TLS; unset, it is the address's host.
    ``max_idle_conns_per_host`` is 200 when 0, and negative for no reuse.

    >>> ServersTransport(server_name="eu.internal").verifies
    True

    Source: Traefik Helm chart, ``hub.providers.multicluster.children``.
    """

    server_name: str | None = None
    insecure_skip_verify: bool = False
    root_cas: tuple[str, ...] = field(default=(), converter=to_tuple)
    certificates: tuple[ClientCertificate, ...] = field(default=(), converter=to_tuple)
    cipher_suites: tuple[str, ...] = field(default=(), converter=to_tuple)
    min_version: str | None = None
    max_version: str | None = None
    max_idle_conns_per_host: int = 200
    disable_http2: bool = False
    peer_cert_uri: str | None = None
    spiffe: Spiffe | None = None
    forwarding_timeouts: ForwardingTimeouts = ForwardingTimeouts()

    @property
    def verifies(self) -> bool:
        """Whether the child's certificate is verified."""
        return not self.insecure_skip_verify

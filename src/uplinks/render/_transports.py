"""``serversTransports``: how Traefik connects to each child."""

from __future__ import annotations

from typing import Any

from uplinks.durations import format_duration
from uplinks.model import ForwardingTimeouts, ServersTransport

__all__ = ["servers_transport"]

_DEFAULTS = ServersTransport()
_USUAL = ForwardingTimeouts()


def servers_transport(transport: ServersTransport) -> dict[str, Any]:
    """Write what differs from the defaults, which are Traefik's own.

    >>> servers_transport(ServersTransport(server_name="eu", root_cas=["/tls/ca.pem"]))
    {'serverName': 'eu', 'rootCAs': ['/tls/ca.pem']}
    """
    fields = {
        "serverName": transport.server_name,
        "insecureSkipVerify": transport.insecure_skip_verify,
        "rootCAs": list(transport.root_cas),
        "certificates": [
            {"certFile": each.cert_file, "keyFile": each.key_file}
            for each in transport.certificates
        ],
        "cipherSuites": list(transport.cipher_suites),
        "minVersion": transport.min_version,
        "maxVersion": transport.max_version,
        "disableHTTP2": transport.disable_http2,
        "peerCertURI": transport.peer_cert_uri,
    }
    written: dict[str, Any] = {name: value for name, value in fields.items() if value}
    if transport.max_idle_conns_per_host != _DEFAULTS.max_idle_conns_per_host:
        written["maxIdleConnsPerHost"] = transport.max_idle_conns_per_host
    if transport.spiffe is not None:
        spiffe = {"ids": list(transport.spiffe.ids), "trustDomain": transport.spiffe.trust_domain}
        written["spiffe"] = {name: value for name, value in spiffe.items() if value}
    timeouts = _timeouts(transport.forwarding_timeouts)
    if timeouts:
        written["forwardingTimeouts"] = timeouts
    return written


def _timeouts(timeouts: ForwardingTimeouts) -> dict[str, str]:
    pairs = {
        "dialTimeout": (timeouts.dial_timeout, _USUAL.dial_timeout),
        "responseHeaderTimeout": (
            timeouts.response_header_timeout,
            _USUAL.response_header_timeout,
        ),
        "idleConnTimeout": (timeouts.idle_conn_timeout, _USUAL.idle_conn_timeout),
        "readIdleTimeout": (timeouts.read_idle_timeout, _USUAL.read_idle_timeout),
        "pingTimeout": (timeouts.ping_timeout, _USUAL.ping_timeout),
    }
    return {name: format_duration(got) for name, (got, usual) in pairs.items() if got != usual}

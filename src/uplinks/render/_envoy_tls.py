"""How Envoy connects to children: TLS contexts made of their ``serversTransport``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from uplinks.errors import InvalidCertificates
from uplinks.model import ChildService, ServersTransport

__all__ = ["EXTENSIONS", "PLAIN", "host_of", "is_number", "is_tls", "transport_sockets"]

EXTENSIONS: Final = "type.googleapis.com/envoy.extensions"
PLAIN: Final = "plain"
"""The name of the transport without TLS."""

_VERSIONS: Final = MappingProxyType({f"VersionTLS1{minor}": f"TLSv1_{minor}" for minor in range(4)})


def host_of(child: ChildService) -> str:
    """Return the host in a child's address."""
    return urlsplit(child.url).hostname or ""


def is_tls(child: ChildService) -> bool:
    """Whether requests to a child go over TLS."""
    return urlsplit(child.url).scheme == "https"


def is_number(host: str) -> bool:
    """Whether a host is an IP address.

    >>> is_number("192.0.2.1"), is_number("eu.example.com")
    (True, False)
    """
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def transport_sockets(children: Iterable[ChildService], ca_file: str) -> list[dict[str, Any]]:
    """Give each child its own TLS, and those without it plain connections.

    ``ca_file`` has the authorities for children that name none.
    """
    secure = {child.child: child for child in children if is_tls(child)}
    if not secure:
        return []
    plain = {
        "name": "envoy.transport_sockets.raw_buffer",
        "typed_config": {
            "@type": f"{EXTENSIONS}.transport_sockets.raw_buffer.v3.RawBuffer",
        },
    }
    matches = [{"name": PLAIN, "match": {PLAIN: True}, "transport_socket": plain}]
    for name, child in secure.items():
        context = {
            "@type": f"{EXTENSIONS}.transport_sockets.tls.v3.UpstreamTlsContext",
            **_tls(child, ca_file),
        }
        socket = {"name": "envoy.transport_sockets.tls", "typed_config": context}
        matches.append({"name": name, "match": {"child": name}, "transport_socket": socket})
    return matches


def _tls(child: ChildService, ca_file: str) -> dict[str, Any]:
    transport = child.servers_transport or ServersTransport()
    name = transport.server_name or host_of(child)
    common: dict[str, Any] = {}
    versions = {
        "tls_minimum_protocol_version": _VERSIONS.get(transport.min_version or ""),
        "tls_maximum_protocol_version": _VERSIONS.get(transport.max_version or ""),
    }
    params = {key: version for key, version in versions.items() if version}
    if params:
        common["tls_params"] = params
    if transport.certificates:
        common["tls_certificates"] = [
            {
                "certificate_chain": _data_source(each.cert_file),
                "private_key": _data_source(each.key_file),
            }
            for each in transport.certificates
        ]
    if transport.verifies:
        common["validation_context"] = _validation(transport, name, ca_file)
    context: dict[str, Any] = {"common_tls_context": common}
    # SNI is for names only.
    return context if is_number(name) else context | {"sni": name}


def _validation(transport: ServersTransport, name: str, ca_file: str) -> dict[str, Any]:
    """Verify the child for one name; without authorities Envoy would accept every certificate."""
    names = [("IP_ADDRESS" if is_number(name) else "DNS", {"exact": name})]
    if transport.peer_cert_uri:
        names = [("URI", {"exact": transport.peer_cert_uri})]
    elif transport.spiffe is not None:
        ids = [{"exact": each} for each in transport.spiffe.ids]
        names = [
            ("URI", m) for m in ids or [{"prefix": f"spiffe://{transport.spiffe.trust_domain}/"}]
        ]
    return {
        "trusted_ca": _authorities(transport.root_cas, ca_file),
        "match_typed_subject_alt_names": [
            {"san_type": kind, "matcher": matcher} for kind, matcher in names
        ],
    }


def _authorities(sources: Sequence[str], default: str) -> Mapping[str, str]:
    if sources and all(map(_is_text, sources)):
        return {"inline_string": "\n".join(sources)}
    if len(sources) > 1:
        reason = "Envoy takes one file of authorities; put all of rootCAs into one"
        raise InvalidCertificates(next(s for s in sources if not _is_text(s)), reason)
    return _data_source(next(iter(sources), default))


def _data_source(source: str) -> dict[str, str]:
    return {"inline_string" if _is_text(source) else "filename": source}


def _is_text(source: str) -> bool:
    return source.startswith("-----BEGIN")

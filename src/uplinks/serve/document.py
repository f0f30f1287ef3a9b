"""Documents that are kept in parts, so that a change costs what it changes.

Rules of this file:

1. An entry is text that is rendered once. Equal entries give equal bytes, whatever the
   order in which they came.
2. The entity tag is made of a sum over the digests of all entries: a change costs O(1).
3. A `Body` is the document at one moment. Groups are replaced and never changed, so
   later changes do not touch it.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

from attrs import field, frozen

from uplinks.model import Cluster, Services
from uplinks.naming import split_service_reference
from uplinks.render import (
    TraefikOptions,
    services_to_traefik,
    to_envoy_endpoints,
    to_traefik,
    uplink_references,
)
from uplinks.services import weighted_service

__all__ = ["Body", "Document", "EndpointsDocument", "Parts", "TraefikDocument", "to_json"]

_CHUNK: Final = 64  # groups in one chunk of a body
_FEW: Final = 64  # names that are inserted one by one
_MODULUS: Final = 2**256
_TAG: Final = 32  # hexadecimal digits

# An escaped backslash, a pair of surrogates, or half of one.
_ESCAPE: Final = re.compile(r"\\\\|\\ud[89ab]..\\ud[c-f]..|\\ud[89a-f]..")


def to_json(value: object) -> bytes:
    r"""Write plain data as JSON that a YAML reader understands the same way.

    Traefik reads what its HTTP provider gets as YAML, whose escapes know no pairs of
    surrogates. Half of a pair is no character and becomes U+FFFD.

    >>> to_json({"b": 1, "a": "\x7f\U0001f600\ud800"}).decode()
    '{"a":"\\u007f😀\\ufffd","b":1}'
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    if "\\ud" in text:
        text = _ESCAPE.sub(_character, text)
    return text.encode()


def _character(match: re.Match[str]) -> str:
    escape = match[0]
    if escape == "\\\\":
        return escape
    pair = 12
    return json.loads(f'"{escape}"') if len(escape) == pair else "\\ufffd"


Group = Mapping[str, bytes]
"""The entries about one thing, by name."""


@frozen
class Body:
    """A document at one moment: its length in bytes, its entity tag, and its chunks."""

    size: int
    etag: str
    _pieces: tuple[bytes | tuple[Group, ...], ...] = field(repr=False)

    def chunks(self) -> Iterator[bytes]:
        """Yield the document in pieces."""
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
                continue
            comma = b""
            for at in range(0, len(piece), _CHUNK):
                groups = piece[at : at + _CHUNK]
                yield comma + b",".join(entry for group in groups for entry in group.values())
                comma = b","

    def __bytes__(self) -> bytes:
        return b"".join(self.chunks())


class Parts:
    """The entries of a JSON object or list, in groups that are replaced as a whole.

    >>> parts = Parts()
    >>> parts.replace("b", {"b": b'"b":1'})
    >>> parts.replace("a", {"a-eu": b'"a-eu":2', "a": b'"a":1'})
    >>> parts.groups()
    ({'a': b'"a":1', 'a-eu': b'"a-eu":2'}, {'b': b'"b":1'})
    >>> parts.length == len(b'"a":1,"a-eu":2,"b":1')
    True
    """

    def __init__(self) -> None:
        self.digest = 0
        self._groups: dict[str, dict[str, bytes]] = {}
        self._order: list[str] = []  # of the groups, except the new ones
        self._listed: list[Group] = []  # the groups in this order
        self._new: set[str] = set()
        self._has_gone = False
        self._size = 0
        self._count = 0

    @property
    def length(self) -> int:
        """The bytes of all entries and of the commas between them."""
        return self._size + max(0, self._count - 1)

    def group(self, name: str) -> Group:
        """Return the entries of a group; none if there is no such group."""
        return self._groups.get(name, {})

    def replace(self, name: str, entries: Group) -> None:
        """Replace the entries of a group; one without entries goes. O(the entries)."""
        old = self.group(name)
        for key, data in old.items():
            if entries.get(key) != data:
                self._add(key, data, -1)
        for key, data in entries.items():
            if old.get(key) != data:
                self._add(key, data, 1)
        if entries:
            group = dict(sorted(entries.items()))
            if name not in self._groups:
                self._new.add(name)
            elif name not in self._new:
                self._listed[bisect_left(self._order, name)] = group
            self._groups[name] = group
        elif old:
            del self._groups[name]
            self._has_gone |= name not in self._new
            self._new.discard(name)

    def _add(self, key: str, data: bytes, sign: int) -> None:
        digest = hashlib.sha256(b"%d %s%s" % (len(key), key.encode(), data)).digest()
        self.digest = (self.digest + sign * int.from_bytes(digest, "big")) % _MODULUS
        self._size += sign * len(data)
        self._count += sign

    def groups(self) -> tuple[Group, ...]:
        """Return all groups in the order of their names. O(groups), and O(n log n) after many."""
        if self._has_gone or len(self._new) > _FEW:
            self._order = sorted(self._groups)
            self._listed = [self._groups[name] for name in self._order]
        else:
            for name in self._new:
                at = bisect_left(self._order, name)
                self._order.insert(at, name)
                self._listed.insert(at, self._groups[name])
        self._new.clear()
        self._has_gone = False
        return tuple(self._listed)


class Document(Protocol):
    """A document about uplinks."""

    def update(
        self, uplink: str, services: Services, down: Collection[str], only: Collection[str] | None
    ) -> None:
        """Write an uplink's services anew; without any, the uplink goes.

        ``down`` are names of child services that get no requests; ``only`` these
        services have changed, or all.
        """

    def update_own(self, cluster: Cluster, services: Services, down: Collection[str]) -> None:
        """Write the parent's own objects anew, over the services that they refer to."""


class TraefikDocument:
    """A parent's dynamic configuration for Traefik's HTTP provider, as JSON.

    Law: read back, it equals `to_traefik` of the whole (``tests/serve/test_document.py``).
    """

    def __init__(self, options: TraefikOptions) -> None:
        self._options = options
        self._sections = {
            name: Parts() for name in ("middlewares", "routers", "serversTransports", "services")
        }
        self._transports: dict[str, tuple[str, ...]] = {}  # those that an uplink uses, if any
        self._users: Counter[str] = Counter()  # how many uplinks use a transport
        self.own_is_stale = False
        """Whether a service that the parent's own objects refer to is another for them."""
        self._conditions: dict[str, str | None] = {}  # of those services

    def update(
        self, uplink: str, services: Services, down: Collection[str], only: Collection[str] | None
    ) -> None:
        """Write an uplink's services anew. O(those), or O(children) for a change of status."""
        parts = self._sections["services"]
        names = services.keys() if only is None else [name for name in only if name in services]
        rendered = services_to_traefik(services, names, self._options, down=down)
        bodies = rendered.get("services", {})
        old = parts.group(uplink)
        for name in {*bodies, *(old if only is None else ())} & self._conditions.keys():
            self.own_is_stale |= _condition(bodies.get(name)) != self._conditions[name]
        entries = {} if only is None else dict(old)
        entries.update(_entries(bodies))
        parts.replace(uplink, entries)
        if only is None:
            middlewares = _entries(rendered.get("middlewares", {}))
            self._sections["middlewares"].replace(uplink, middlewares)
            self._update_transports(uplink, _entries(rendered.get("serversTransports", {})))

    def _update_transports(self, uplink: str, entries: Group) -> None:
        parts = self._sections["serversTransports"]
        self._users.update(entries.keys())
        for name, data in entries.items():
            parts.replace(name, {name: data})
        for name in self._transports.pop(uplink, ()):
            self._users[name] -= 1
            if not self._users[name]:
                del self._users[name]
                parts.replace(name, {})
        if entries:
            self._transports[uplink] = tuple(entries)

    def update_own(self, cluster: Cluster, services: Services, down: Collection[str]) -> None:
        """Write the parent's own routers and services anew, over the services referred to."""
        sections = to_traefik(services, cluster, self._options, down=down)["http"]
        known = {split_service_reference(name)[0] for name in services}
        bodies = sections.get("services", {})
        own = {name: body for name, body in bodies.items() if name not in known}
        self._sections["services"].replace("", _entries(own))
        self._sections["routers"].replace("", _entries(sections.get("routers", {})))
        referred = {split_service_reference(name)[0] for name in uplink_references(cluster)}
        self._conditions = {n: _condition(bodies[n] if n in known else None) for n in referred}
        self.own_is_stale = False

    def body(self) -> Body:
        """Return the document as it is now. O(uplinks)."""
        pieces: list[bytes | tuple[Group, ...]] = []
        start = b'{"http":{'
        length = 0
        for name, parts in self._sections.items():
            if groups := parts.groups():
                pieces += [b'%s"%s":{' % (start, name.encode()), groups]
                start, length = b"},", length + parts.length
        pieces.append(b"}}}" if pieces else b'{"http":{}}')
        return _body(pieces, length, self._sections.values())


class EndpointsDocument:
    """Envoy's EDS files by name, as JSON.

    The file of an uplink that is gone stays, without endpoints: Envoy would keep
    the last ones of a file that is removed.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.changed: set[str] = set()
        """The names of the files that are others since they were taken from here."""
        self._own: set[str] = set()

    def update(
        self,
        uplink: str,
        services: Services,
        down: Collection[str],
        only: Collection[str] | None,  # noqa: ARG002 - all endpoints are one file
    ) -> None:
        """Write an uplink's endpoints anew. O(those)."""
        if not services:
            empty = weighted_service(uplink, ())
            services = Services({empty.name: empty})
        self._write(to_envoy_endpoints(services, down=down))

    def update_own(self, cluster: Cluster, services: Services, down: Collection[str]) -> None:
        """Write the endpoints of the parent's own services anew."""
        files = to_envoy_endpoints(services, cluster, down=down)
        for name in self._own - files.keys():
            file = json.loads(self.files[name])
            for resource in file["resources"]:
                resource["endpoints"] = []
            self._write({name: file})
        self._own = files.keys() - to_envoy_endpoints(services).keys()
        self._write(files)

    def _write(self, files: Mapping[str, Any]) -> None:
        for name, file in files.items():
            data = to_json(file)
            if self.files.get(name) != data:
                self.files[name] = data
                self.changed.add(name)


def _condition(body: Mapping[str, Any] | None) -> str | None:
    """Return what decides how a service may be composed; ``None`` if it is not there."""
    if body is None:
        return None
    ((kind, fields),) = ((k, v) for k, v in body.items() if k != "middlewares")
    if kind == "loadBalancer" and not fields["servers"]:
        return "out"
    return "reports" if "healthCheck" in fields else "plain"


def _entries(section: Mapping[str, Any]) -> dict[str, bytes]:
    return {name: b"%s:%s" % (to_json(name), to_json(value)) for name, value in section.items()}


def _body(
    pieces: Iterable[bytes | tuple[Group, ...]], length: int, sections: Iterable[Parts]
) -> Body:
    kept = tuple(pieces)
    size = length + sum(len(piece) for piece in kept if isinstance(piece, bytes))
    digests = b" ".join(b"%d" % parts.digest for parts in sections)
    return Body(size, hashlib.sha256(digests).hexdigest()[:_TAG], kept)

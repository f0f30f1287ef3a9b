r"""The document in which a child advertises its uplinks, written and read.

A child serves it at `PATH`, and its parents poll it. It is JSON::

    {"version": 1,
     "hub": {"uplinkEntryPoints": {"multicluster": {"address": ":9443", "asDefault": true}},
             "providers": {"multicluster": {}}},
     "uplinks": [
    {"metadata": {"name": "api", "namespace": "apps"},
     "spec": {"entryPoints": ["multicluster"], "weight": 10},
     "status": {"routers": ["apps/api-route"]}}]}

Each uplink is written as in its manifest, with its entry points resolved, one on a line.
Nothing else of the child's manifests is in it.

Rules of this file:

1. A child is not trusted. Whatever is wrong with a document is a diagnostic at its place,
   and no document causes work beyond `DocumentLimits`.
2. One version is written and read. A document of another version is refused as a whole.
   A field that is not known is ignored, with a warning.
3. ``healthCheck.headers`` are written out, since the parent sends them. No diagnostic and no
   repr shows their values.

Source: this library's; the page does not describe the API of a child.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from attrs import evolve, frozen

from uplinks import manifest, schema
from uplinks.diagnostics import (
    LIMIT_EXCEEDED,
    Diagnostic,
    Location,
    Severity,
    Span,
    limit_exceeded,
)
from uplinks.located import Document, LocatedMap, Origin, Path
from uplinks.manifest.fragments import Fragment, fragments_of, lazy_document, read_fragment
from uplinks.model import (
    UPLINKS_ANNOTATION,
    ChildConfig,
    Cluster,
    IngressRoute,
    StaticConfig,
    UplinkEntryPoint,
)
from uplinks.schema.advertisements import VERSION, Item, read_item, read_version, write_item
from uplinks.services import advertise

__all__ = [
    "MEDIA_TYPE",
    "PATH",
    "VERSION",
    "DocumentLimits",
    "DocumentReader",
    "read_document",
    "write_document",
]

PATH: Final = "/.well-known/uplinks.json"
"""Where a child serves the document."""

MEDIA_TYPE: Final = "application/json"


@frozen
class DocumentLimits:
    """The limits of one document. Exceeding one is an error (``UPL004``).

    ``size``: bytes. ``uplinks``: items. ``routers``: different routers that the items name;
    one item names at most 1,000. ``findings``: diagnostics. ``places``: items that are read a
    second time, to find a place or because they are unusual; that is slow. The nesting is
    limited as in a manifest.

    >>> DocumentLimits().uplinks
    100000
    """

    size: int = 64 * 2**20
    uplinks: int = 100_000
    routers: int = 200_000
    findings: int = 1000
    places: int = 2000


def write_document(child: Cluster) -> bytes:
    r"""Write what a child advertises.

    Law: reading the document gives a cluster with the same advertisements
    (``tests/laws/test_advertisements_laws.py``). Equal clusters give equal bytes, and the
    order of their objects does not matter.
    Complexity: O(n log n) for n objects. Raises: CannotAdvertise, as `advertise`.

    >>> from uplinks.model import Uplink
    >>> config = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)})
    >>> eu = Cluster("eu", [Uplink("api", "apps", weight=10)], child_config=config)
    >>> print(write_document(eu).decode().splitlines()[1])
    {"metadata":{"name":"api","namespace":"apps"},"spec":{"entryPoints":["up"],"weight":10}}

    Source: this library's.
    """
    offers = {each.uplink_name: each for each in advertise(child)}
    lines = []
    for uplink in sorted(child.uplinks, key=lambda each: each.uplink_name):
        offer = offers[uplink.uplink_name]
        resolved = evolve(uplink, entry_points=offer.entry_points)
        lines.append(_dump(write_item(Item(resolved, offer.routers))))
    points = child.child_config.uplink_entry_points if child.child_config else {}
    config = ChildConfig(
        {name: UplinkEntryPoint(p.address, p.as_default) for name, p in sorted(points.items())},
        multicluster=True,
    )
    hub = _dump(schema.unstructure(StaticConfig(config))["hub"])
    text = f'{{"version":{VERSION},"hub":{hub},"uplinks":[\n' + ",\n".join(lines) + "\n]}\n"
    return text.encode()


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def read_document(
    data: bytes, file: str = "", cluster: str = "", limits: DocumentLimits | None = None
) -> Cluster:
    r"""Read a document as the cluster ``cluster``; ``file`` names it in diagnostics.

    The cluster has the uplinks, their entry points, and routers that only reference
    uplinks. All that is wrong is in its diagnostics; of a document with an error, only a
    part may have been read.

    Complexity: O(len(data)). Raises nothing.

    >>> text = b'{"version": 1, "uplinks": [\n{"metadata": {}, "spec": {"weight": "5"}}]}'
    >>> print(*read_document(text, "https://eu").diagnostics)
    https://eu:2:37: error UPL006: spec.weight must be an integer, got the string '5'
    >>> print(*read_document(b'{"version": 2}', "https://eu").diagnostics)  # doctest: +ELLIPSIS
    https://eu:1:13: error UPL015: version must be 1, got the integer 2; update ...

    Source: this library's.
    """
    return DocumentReader(file, cluster, limits).read(data)


@frozen
class _Entry:
    """An item of a document, as it was read, and where."""

    path: Path
    span: Span
    item: Item | None
    problems: tuple[Diagnostic, ...] = ()
    reread: bool = False


class DocumentReader:
    """Read one document after each of its changes.

    Items that did not change are not read again.

    >>> reader = DocumentReader("https://eu", "eu")
    >>> first = reader.read(b'{"version": 1, "uplinks": [{"metadata": {"name": "api"}}]}')
    >>> again = reader.read(b'{"version": 1, "uplinks": [{"metadata": {"name": "api"}}]}')
    >>> again.uplinks[0] is first.uplinks[0]
    True
    """

    def __init__(
        self, file: str = "", cluster: str = "", limits: DocumentLimits | None = None
    ) -> None:
        self._file = file
        self._cluster = cluster
        self._limits = limits or DocumentLimits()
        self._known: dict[str, _Entry] = {}  # by their texts

    def read(self, data: bytes) -> Cluster:
        """Read a document, as `read_document`."""
        limits = self._limits
        read = fragments_of(
            data,
            "uplinks",
            self._file,
            cluster=self._cluster,
            limits=manifest.Limits(size=limits.size),
            most=limits.uplinks,
        )
        found = list(read.diagnostics)
        if not found:
            found += read_version(read.top.root, Origin(read.top))
        if any(each.severity is Severity.ERROR for each in found):
            return Cluster(self._cluster, diagnostics=found)
        config = self._config(read.fields.get("hub"), read.top, found)
        entries = self._items(read.items, found)
        return Cluster(
            self._cluster,
            uplinks=(entry.item.uplink for entry in entries if entry.item),
            routers=self._routers(entries, found),
            child_config=config,
            diagnostics=found,
        )

    def _config(self, hub: Fragment | None, top: Document, found: list[Diagnostic]) -> ChildConfig:
        config = None
        if hub is not None:
            tree = read_fragment(hub, self._file, cluster=self._cluster)
            found += tree.diagnostics
            for document in tree.documents:
                # In a manifest the field is below the root, and rules look it up there.
                root = LocatedMap()
                root["hub"], root.marks["hub"] = document.tree(), (Span(), Span())
                read = schema.structure([evolve(document, root=root, path=())])
                found += read.diagnostics
                configs = [each for each in read.resources if isinstance(each, StaticConfig)]
                config = configs[0].child if configs else None
        return evolve(config or ChildConfig(origin=Origin(top)), multicluster=True)

    def _items(self, fragments: Iterable[Fragment], found: list[Diagnostic]) -> list[_Entry]:
        entries: list[_Entry] = []
        before, self._known = self._known, {}
        more = 0
        places = self._limits.places
        for fragment in fragments:
            room = max(0, self._limits.findings - len(found))
            entry = self._moved(before.get(fragment.text), fragment) or self._entry(fragment, room)
            self._known[fragment.text] = entry
            entries.append(entry)
            places -= entry.reread
            if places < 0:
                where = self._origin(fragment).locate()
                problem = f"more than {self._limits.places} unusual items"
                found.append(limit_exceeded(problem, where))
                break
            problems = entry.problems
            found += problems[:room]
            errors = [each for each in problems[room:] if each.severity is Severity.ERROR]
            if errors:
                found.append(limit_exceeded("too many diagnostics", errors[0].location))
                break
            more += len(problems[room:])
        if more:
            found.append(self._left_out(more))
        return entries

    def _left_out(self, more: int) -> Diagnostic:
        message = f"the document has {more} more diagnostics; they are left out"
        return Diagnostic(
            LIMIT_EXCEEDED, Severity.WARNING, message, Location(self._cluster, self._file)
        )

    def _moved(self, before: _Entry | None, fragment: Fragment) -> _Entry | None:
        """Return an entry with the same text, at its place now; ``None`` if it must be read."""
        if before is None or before.item is None:
            return None
        if (before.path, before.span) == (fragment.path, fragment.span):
            return before
        if before.problems:
            return None
        uplink = evolve(before.item.uplink, origin=self._origin(fragment))
        return _Entry(fragment.path, fragment.span, evolve(before.item, uplink=uplink))

    def _entry(self, fragment: Fragment, room: int) -> _Entry:
        if fragment.exact:
            item, problems = read_item(fragment.value, self._origin(fragment))
            wrong = any(each.severity is Severity.ERROR for each in problems)
            # A newer child may have a warning in each item. Those left out need no place.
            if not problems or (room == 0 and not wrong):
                return _Entry(fragment.path, fragment.span, item, tuple(problems))
        tree = read_fragment(fragment, self._file, cluster=self._cluster)
        if not tree.documents:
            return _Entry(fragment.path, fragment.span, None, tree.diagnostics, reread=True)
        item, problems = read_item(tree.documents[0].tree(), Origin(tree.documents[0]))
        if item is not None:
            # Do not keep the tree: few places are looked up later.
            item = evolve(item, uplink=evolve(item.uplink, origin=self._origin(fragment)))
        problems = [*tree.diagnostics, *problems]
        return _Entry(fragment.path, fragment.span, item, tuple(problems), reread=True)

    def _origin(self, fragment: Fragment) -> Origin:
        return Origin(lazy_document(fragment, self._file, self._cluster))

    def _routers(self, entries: list[_Entry], found: list[Diagnostic]) -> list[IngressRoute]:
        """Make the routers that items name. They have no routes: those stay with the child."""
        uplinks: dict[str, list[str]] = defaultdict(list)
        places: dict[str, _Entry] = {}
        for entry in entries:
            if entry.item is None:
                continue
            for router in entry.item.routers:
                uplinks[router].append(entry.item.uplink.uplink_name)
                places.setdefault(router, entry)
        if len(uplinks) > self._limits.routers:
            problem = f"more than {self._limits.routers} routers"
            found.append(limit_exceeded(problem, Location(self._cluster, self._file)))
            return []
        return [self._router(router, names, places[router]) for router, names in uplinks.items()]

    def _router(self, router: str, names: list[str], place: _Entry) -> IngressRoute:
        namespace, _, name = router.partition("/")
        document = Document(None, place.span, self._file, self._cluster, place.path)
        annotations = {UPLINKS_ANNOTATION: ",".join(names)}
        return IngressRoute(name, namespace, annotations=annotations, origin=Origin(document))

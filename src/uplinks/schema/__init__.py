"""Between a located tree and the model: ``structure`` one way, ``unstructure`` back.

Rules of this package:

1. It is the only place that knows camelCase and the only one that uses cattrs.
2. Everything wrong with a document is reported at once, at its place, and nothing
   wrong is converted into something right.
3. What is wrong is left out and the rest is kept: a refused field has its default, a
   refused item of a list or mapping is gone, and so is an object without a required
   field. So rules can check the rest.
4. It checks the shape of a document, not its meaning: a negative weight, or a missing
   ``metadata.name`` (``""`` in the model), is left to a rule.
5. Documents of other kinds are counted, not reported. So are mappings with neither
   ``kind``, ``apiVersion`` nor ``hub``, and documents that are no mapping. Empty
   documents are not counted.

``_layout`` tells where fields are written, ``_converter`` structures values or raises
``_refusals``, ``_problems`` gives refusals their paths, ``_kinds`` lists the kinds and
``_crds`` what the API server accepts in Traefik's kinds, ``_json_schema`` and ``_definition``
write the shape of an Uplink for others, ``advertisements`` has the parts of the document that
children serve. Here each kind is read and written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

import attrs
from attrs import frozen

from uplinks.diagnostics import LIMIT_EXCEEDED, Diagnostic, Severity, limit_exceeded
from uplinks.located import Document, Origin
from uplinks.model import (
    ChildConfig,
    IngressRoute,
    OtherObject,
    ParentConfig,
    Resource,
    StaticConfig,
    TraefikService,
    Uplink,
)
from uplinks.schema._converter import (
    CONVERTER,
    MOST_REFUSED,
    object_reader,
    plain,
)
from uplinks.schema._crds import KEPT_SPECS, SPECS, Table, check_shape
from uplinks.schema._kinds import (
    HUB_API,
    OTHER_KINDS,
    PLURALS,
    TRAEFIK_API,
    is_list,
    strange_kind,
)
from uplinks.schema._problems import (
    MISSING_FIELD,
    UNKNOWN_FIELD,
    Path,
    Problem,
    build,
    format_name,
    unknown_fields,
)
from uplinks.schema._refusals import WRONG_TYPE, describe

__all__ = [
    "Manifests",
    "custom_resource_definition",
    "json_schema",
    "structure",
    "unstructure",
    "watched_kinds",
]


@frozen
class Manifests:
    """What one text contains.

    ``resources`` are in the order in which they are written, ``skipped`` counts
    the objects of kinds that are not read.

    >>> Manifests()
    Manifests(resources=(), diagnostics=(), skipped=0)
    """

    resources: tuple[Resource, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    skipped: int = 0


def structure(
    documents: Iterable[Document],
    diagnostics: Iterable[Diagnostic] = (),
    *,
    most: int | None = None,
) -> Manifests:
    """Read the resources of one text's documents.

    A document may be a ``kind: List``, also one of lists: its items are read as if each
    were a document. ``diagnostics`` are those about the text; they come first in the
    result. With more than ``most`` diagnostics the rest is not read, which is one more
    diagnostic (``UPL004``).

    Law: ``structure([Document(unstructure(x))]).resources == (x,)``.
    Complexity: O(size of the documents). Raises nothing.

    >>> tree = {"apiVersion": "hub.traefik.io/v1alpha1", "kind": "Uplink",
    ...         "metadata": {"name": "api", "namespace": "apps"}, "spec": {"wieght": 10}}
    >>> manifests = structure([Document(tree, file="u.yaml")])
    >>> [uplink.uplink_name for uplink in manifests.resources]
    ['apps-api']
    >>> [(d.code, d.location.path, d.suggestion) for d in manifests.diagnostics]
    [('UPL005', '$.spec.wieght', 'weight')]

    Source: reference page, "Configuration Options" and "Complete Example".
    """
    resources: list[Resource] = []
    found = list(diagnostics)
    skipped = 0
    for origin, node in _objects(documents):
        resource, problems = _read(node, origin)
        if resource is not None:
            resources.append(resource)
        elif not is_list(node):
            skipped += 1
        room = len(problems) if most is None else max(0, most - len(found))
        found.extend(problem.at(origin) for problem in problems[:room])
        if len(problems) > room:
            found.append(limit_exceeded("too many diagnostics", problems[room].at(origin).location))
            break
    return Manifests(tuple(resources), tuple(found), skipped)


def unstructure(resource: Resource) -> dict[str, Any]:
    """Write a resource as a manifest: plain dicts, lists and scalars.

    Values that equal their default are left out, durations are written in Go's form,
    header values are written out. A static configuration gives ``{"hub": …}``.

    Law: ``structure([Document(unstructure(x))]).resources == (x,)``, provided
    that no header is there twice, durations fit into 64 bits, and a child
    beside a parent has ``multicluster``: the parent's part is written at
    ``hub.providers.multicluster``, whose presence is what exposes the child.
    Complexity: O(size). Raises `InvalidDuration`.

    >>> unstructure(Uplink("api", "apps", weight=10))["spec"]
    {'weight': 10}

    Source: reference page, "Configuration Options" and "Complete Example".
    """
    if isinstance(resource, StaticConfig):
        return {"hub": _written_hub(resource)}
    if isinstance(resource, OtherObject):
        return _written_other(resource)
    cls = type(resource)
    written = CONVERTER.unstructure(resource)
    return {"apiVersion": _OBJECTS[cls], "kind": cls.__name__, **written}


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 7) of one Uplink, as plain values.

    Law: it refuses exactly what the reader or a rule about one Uplink refuses, but for
    what its description names. ``null`` is unset, as when reading.
    `tests/laws/test_json_schema_laws.py` shows it.
    Complexity: O(fields). Raises nothing.

    >>> schema = json_schema()
    >>> schema["required"], sorted(schema["properties"]["spec"]["properties"])[:2]
    (['apiVersion', 'kind', 'metadata'], ['entryPoints', 'exposeName'])

    Source: the Uplink CRD; reference page, "Configuration Options".
    """
    from uplinks.schema._json_schema import uplink_schema  # noqa: PLC0415 - a check needs none

    return uplink_schema()


def custom_resource_definition(modes: Iterable[str] = ()) -> dict[str, Any]:
    """Give the CustomResourceDefinition of an Uplink, as plain values.

    ``modes`` are those of further probers, beside ``http`` and ``grpc``.

    Law: the API server accepts every Uplink that `json_schema` accepts, except for a
    mode without a prober. `tests/kubernetes/test_definition.py` shows it with a real one.
    Complexity: O(fields). Raises nothing.

    >>> definition = custom_resource_definition()
    >>> definition["kind"], definition["metadata"]["name"]
    ('CustomResourceDefinition', 'uplinks.hub.traefik.io')

    Source: reference page, "Configuration Options" and "Health Check Fields".
    """
    from uplinks.schema._definition import uplink_definition  # noqa: PLC0415 - a check needs none

    return uplink_definition(modes)


def watched_kinds() -> Mapping[str, tuple[str, str]]:
    """Give the API and the resource of each kind that a Kubernetes API server serves.

    >>> watched_kinds()["Uplink"]
    ('hub.traefik.io/v1alpha1', 'uplinks')
    """
    return {cls.__name__: (api, PLURALS[cls.__name__]) for cls, api in _OBJECTS.items()}


# --- which objects are read -------------------------------------------------


def _objects(documents: Iterable[Document]) -> Iterator[tuple[Origin, Any]]:
    """Give every object and list, with its origin; a list before its items."""
    for document in documents:
        # A stack, since nesting in a document must not become nesting in Python.
        waiting: list[tuple[Path, Any]] = [((), document.root)]
        while waiting:
            base, node = waiting.pop()
            if node is None:
                continue
            yield Origin(document, base), node
            items = node.get("items") if is_list(node) else None
            if isinstance(items, list):
                inside = [((*base, "items", index), item) for index, item in enumerate(items)]
                waiting.extend(reversed(inside))


def _read(node: Any, origin: Origin) -> tuple[Resource | None, list[Problem]]:
    """Read one object; ``None`` for a list and for what is not one of our kinds."""
    resource: Resource | None = None
    cls = _class_of(node)
    kept = None if cls is not None else _read_other(node, origin)
    if kept is not None:
        resource, problems = kept
    elif cls is not None:
        read = _read_static_config if cls is StaticConfig else _read_object
        resource, problems = read(cls, node, origin)
        if problems:
            # A missing field that is there, but misspelt, is one problem.
            meant = {(*p.path[:-1], p.suggestion) for p in problems if p.code == UNKNOWN_FIELD}
            problems = [p for p in problems if p.code != MISSING_FIELD or p.path not in meant]
    elif is_list(node):
        items = node.get("items")
        wrong = items is not None and not isinstance(items, list)
        problems = [_wrong_type(("items",), items, "a list")] if wrong else []
    else:
        problems = list(strange_kind(node))
    return resource, problems


def _class_of(node: Any) -> type | None:
    if not isinstance(node, dict):
        return None
    kind, api_version = node.get("kind"), node.get("apiVersion")
    if kind is None and api_version is None:
        return StaticConfig if "hub" in node else None
    for cls, api in _OBJECTS.items():
        # No lookup by kind, which may be anything, also unhashable.
        if api_version == api and kind == cls.__name__:
            return cls
    return None


def _wrong_type(path: Path, value: object, expected: str) -> Problem:
    message = f"{format_name(path)} must be {expected}, got {describe(value)}"
    return Problem(WRONG_TYPE, path, message)


# --- reading each kind ------------------------------------------------------

# The API of each kind.
_OBJECTS: Final[Mapping[type, str]] = MappingProxyType(
    {Uplink: HUB_API, IngressRoute: TRAEFIK_API, TraefikService: TRAEFIK_API}
)


def _read_object(cls: Any, node: dict[str, Any], origin: Origin) -> tuple[Any, list[Problem]]:
    table = SPECS.get(cls.__name__)
    # Traefik may be newer than the tables of its own kinds.
    unknown = Severity.ERROR if table is None else Severity.WARNING
    read = object_reader(cls)
    resource, problems = build(node, lambda tree: read(tree, origin), unknown)
    if table is not None:
        problems += _beside(problems, _spec_problems(node, table))
    return resource, problems


def _read_other(node: Any, origin: Origin) -> tuple[OtherObject, list[Problem]] | None:
    """Read an object that is kept as it is written; ``None`` for any other."""
    if not isinstance(node, dict):
        return None
    kind, api_version = node.get("kind"), node.get("apiVersion")
    if not isinstance(kind, str) or api_version not in OTHER_KINDS.get(kind, ()):
        return None
    metadata = node.get("metadata")
    found = metadata if isinstance(metadata, dict) else {}
    name, namespace = found.get("name"), found.get("namespace")
    if not isinstance(name, str):
        return None
    annotations = found.get("annotations")
    texts = annotations.items() if isinstance(annotations, dict) else ()
    spec = node.get("spec")
    kept = OtherObject(
        api_version,
        kind,
        name,
        namespace if isinstance(namespace, str) else "",
        spec=plain(spec) if isinstance(spec, dict) else {},
        annotations={key: text for key, text in texts if isinstance(text, str)},
        origin=origin,
    )
    table = KEPT_SPECS.get(kind)
    return kept, [] if table is None else list(_spec_problems(node, table))


def _spec_problems(node: dict[str, Any], table: Table) -> Iterator[Problem]:
    """Report what the API server refuses in the ``spec`` of one of Traefik's kinds."""
    spec = node.get("spec")
    if spec is None:
        yield Problem(MISSING_FIELD, ("spec",), "spec is required")
    else:
        yield from check_shape(spec, table, ("spec",))


def _beside(reported: list[Problem], problems: Iterable[Problem]) -> list[Problem]:
    """Leave out the problems at or below a place that is reported already."""
    places = {problem.path for problem in reported}
    if not places:
        return list(problems)
    return [
        problem
        for problem in problems
        if not any(problem.path[:end] in places for end in range(len(problem.path) + 1))
    ]


_MULTICLUSTER: Final = ("hub", "providers", "multicluster")
_PROVIDER: Final = ("children", "pollInterval", "pollTimeout")
_CHILD: Final = ("address", "serversTransport")


def _read_static_config(
    _: type, node: dict[str, Any], origin: Origin
) -> tuple[StaticConfig, list[Problem]]:
    """Read a static configuration, which may make a cluster a child, a parent, or both.

    A ``multicluster`` with any content makes a parent; an empty one only exposes the
    API of a child.
    """
    problems: list[Problem] = []
    hub = _mapping_at(node, ("hub",), problems) or {}
    points = _mapping_at(hub, ("hub", "uplinkEntryPoints"), problems)
    providers = _mapping_at(hub, _MULTICLUSTER[:2], problems) or {}
    provider = _mapping_at(providers, _MULTICLUSTER, problems)
    child = parent = None
    if points is not None or provider == {}:
        tree = {"uplinkEntryPoints": points}
        structure_child = partial(CONVERTER.structure, cl=ChildConfig)
        child, found = build(tree, structure_child, Severity.ERROR, ("hub",))
        child = attrs.evolve(child, multicluster=provider is not None, origin=origin)
        problems += found
    if provider:
        structure_parent = partial(CONVERTER.structure, cl=ParentConfig)
        parent, found = build(provider, structure_parent, Severity.ERROR, _MULTICLUSTER)
        parent = attrs.evolve(parent, origin=origin)
        problems += [*found, *_provider_problems(provider)]
    return StaticConfig(child, parent, origin=origin), problems


def _mapping_at(
    parent: dict[str, Any], path: Path, problems: list[Problem]
) -> dict[str, Any] | None:
    """Give the mapping at the last step of a path, ``None`` if it is absent or none."""
    value = parent.get(path[-1])
    if value is None or isinstance(value, dict):
        return value
    problems.append(_wrong_type(path, value, "a mapping"))
    return None


def _provider_problems(provider: dict[str, Any]) -> Iterator[Problem]:
    """Find near misses in what the model only keeps.

    The provider has undocumented fields, so an unknown field is an error only if it
    resembles a known one.
    """
    yield from _near_misses(provider, _PROVIDER, _MULTICLUSTER)
    children = provider.get("children")
    misses = _misses_in_children(children if isinstance(children, dict) else {})
    yield from islice(misses, MOST_REFUSED)
    for miss in islice(misses, 1):
        message = f"children have more than {MOST_REFUSED} unknown fields; the others are left out"
        yield Problem(LIMIT_EXCEEDED, miss.path, message, key=True)


def _misses_in_children(children: dict[str, Any]) -> Iterator[Problem]:
    for name, child in children.items():
        if isinstance(child, dict):
            yield from _near_misses(child, _CHILD, (*_MULTICLUSTER, "children", name))


def _near_misses(node: dict[str, Any], known: tuple[str, ...], path: Path) -> Iterator[Problem]:
    unknown = unknown_fields(path, node.keys() - set(known), known, Severity.ERROR)
    return (problem for problem in unknown if problem.suggestion is not None)


# --- writing ----------------------------------------------------------------


def _written_other(kept: OtherObject) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": kept.name, "namespace": kept.namespace}
    if kept.annotations:
        metadata["annotations"] = dict(kept.annotations)
    spec = plain(kept.spec)
    return {"apiVersion": kept.api_version, "kind": kept.kind, "metadata": metadata, "spec": spec}


def _written_hub(config: StaticConfig) -> dict[str, Any]:
    hub: dict[str, Any] = {}
    if config.child is not None:
        points = config.child.uplink_entry_points
        hub["uplinkEntryPoints"] = {n: CONVERTER.unstructure(p) for n, p in points.items()}
        if config.child.multicluster:
            hub["providers"] = {"multicluster": {}}
    if config.parent is not None:
        hub["providers"] = {"multicluster": CONVERTER.unstructure(config.parent)}
    return hub

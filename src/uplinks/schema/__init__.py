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
   ``kind``, ``apiVersion`` nor anything of uplinks, and documents that are no mapping.
   Empty documents are not counted.
6. An object without a namespace is in the one that is passed in, as with kubectl.

``_forms`` finds what a document says and gives it one form, ``_layout`` tells where
fields are written, ``_converter`` structures values or raises ``_refusals``,
``_problems`` gives refusals their paths, ``_kinds`` lists the kinds and ``_crds`` what
the API server accepts in Traefik's kinds, ``_json_schema`` and ``_definition`` write the
shape of an Uplink for others, ``advertisements`` has the parts of the document that
children serve. ``_static`` reads a static configuration; here objects are read and written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import frozen

from uplinks.diagnostics import Diagnostic, Severity, limit_exceeded
from uplinks.located import Document, Origin
from uplinks.model import (
    IngressRoute,
    OtherObject,
    Resource,
    StaticConfig,
    TraefikService,
    Uplink,
)
from uplinks.schema._converter import CONVERTER, object_reader, plain
from uplinks.schema._crds import KEPT_SPECS, SPECS, Table, check_shape
from uplinks.schema._kinds import (
    HUB_API,
    OTHER_KINDS,
    PLURALS,
    TRAEFIK_API,
    Found,
    has_forms,
    is_list,
    objects_in,
    strange_kind,
)
from uplinks.schema._problems import MISSING_FIELD, UNKNOWN_FIELD, Problem, build, wrong_type_at

__all__ = [
    "DEFAULT_NAMESPACE",
    "Manifests",
    "custom_resource_definition",
    "json_schema",
    "structure",
    "unstructure",
    "watched_kinds",
]

DEFAULT_NAMESPACE: Final = "default"
"""The namespace of an object without one, unless another is passed in, as with kubectl."""


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
    namespace: str = DEFAULT_NAMESPACE,
) -> Manifests:
    """Read the resources of one text's documents.

    A document may be a ``kind: List``, also one of lists: its items are read as if each
    were a document. ``namespace`` is that of objects without one. ``diagnostics`` are
    those about the text; they come first in the result. With more than ``most``
    diagnostics the rest is not read, which is one more diagnostic (``UPL004``).

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
    for origin, node in (each for document in documents for each in objects_in(document)):
        read = [_read(form, namespace) for form in _found_in(node, origin)]
        resources += (resource for resource, _ in read)
        if not read:
            skipped += not is_list(node)
            read = [(None, [problem.at(origin) for problem in _strange(node)])]
        problems = [problem for _, each in read for problem in each]
        room = len(problems) if most is None else max(0, most - len(found))
        found += problems[:room]
        if len(problems) > room:
            found.append(limit_exceeded("too many diagnostics", problems[room].location))
            break
    return Manifests(tuple(resources), tuple(found), skipped)


def unstructure(resource: Resource) -> dict[str, Any]:
    """Write a resource as a manifest: plain dicts, lists and scalars.

    Values that equal their default are left out, durations are written in Go's form,
    header values are written out. A static configuration gives ``{"hub": …}``.

    Law: ``structure([Document(unstructure(x))]).resources == (x,)``, provided
    that no header is there twice, durations fit into 64 bits, an object has a namespace
    (that of a file provider has none, and is not written back), and a child beside a
    parent has ``multicluster``: the parent's part is written at
    ``hub.providers.multicluster``, whose presence is what exposes the child.
    Complexity: O(size). Raises `InvalidDuration`.

    >>> unstructure(Uplink("api", "apps", weight=10))["spec"]
    {'weight': 10}

    Source: reference page, "Configuration Options" and "Complete Example".
    """
    if isinstance(resource, StaticConfig):
        from uplinks.schema._static import write_static_config  # noqa: PLC0415 - as above

        return {"hub": write_static_config(resource)}
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


def _found_in(node: Any, origin: Origin) -> Iterable[Found]:
    """Give what a node says of uplinks; nothing for a list and a foreign object."""
    cls = _class_of(node)
    if cls is not None:
        return (Found(cls, node, origin),)
    if not has_forms(node):
        return ()
    from uplinks.schema._forms import find_forms  # noqa: PLC0415 - few texts have another form

    return find_forms(node, origin)


def _class_of(node: Any) -> type | None:
    if not isinstance(node, dict) or not isinstance(node.get("kind"), str):
        return None
    kind, api_version = node["kind"], node.get("apiVersion")
    for cls, api in _OBJECTS.items():
        if api_version == api and kind == cls.__name__:
            return cls
    metadata = node.get("metadata")
    named = isinstance(metadata, dict) and isinstance(metadata.get("name"), str)
    # The version may be anything, also unhashable.
    return OtherObject if named and api_version in OTHER_KINDS.get(kind, ()) else None


def _strange(node: Any) -> Iterator[Problem]:
    """Find what is wrong with a list, or with an object that resembles one of ours."""
    if is_list(node):
        items = node.get("items")
        if items is not None and not isinstance(items, list):
            yield wrong_type_at(("items",), items, "a list")
    else:
        yield from strange_kind(node)


# --- reading each kind ------------------------------------------------------

# The API of each kind.
_OBJECTS: Final[Mapping[type, str]] = MappingProxyType(
    {Uplink: HUB_API, IngressRoute: TRAEFIK_API, TraefikService: TRAEFIK_API}
)


def _read(form: Found, namespace: str) -> tuple[Any, list[Diagnostic]]:
    """Read what a form gave; a diagnostic has the place that the form was read at."""
    resource: Any
    if form.cls is StaticConfig:
        from uplinks.schema._static import read_static_config  # noqa: PLC0415 - as above

        resource, problems = read_static_config(form.tree, form.origin)
    elif form.cls is OtherObject:
        resource, problems = _read_other(form.tree, form.origin, namespace)
    else:
        resource, problems = _read_object(form, namespace)
    if problems:
        # A missing field that is there, but misspelt, is one problem.
        meant = {(*p.path[:-1], p.suggestion) for p in problems if p.code == UNKNOWN_FIELD}
        problems = [p for p in problems if p.code != MISSING_FIELD or p.path not in meant]
    return resource, [problem.at(form.origin) for problem in problems]


def _read_object(form: Found, namespace: str) -> tuple[Any, list[Problem]]:
    cls, node = form.cls, form.tree
    table = SPECS.get(cls.__name__)
    # Traefik may be newer than the tables of its own kinds.
    unknown = Severity.ERROR if table is None else Severity.WARNING
    read = object_reader(cls)
    own = "" if form.is_file else namespace
    resource, problems = build(node, lambda tree: read(tree, form.origin, own), unknown)
    if table is not None and not form.is_file:
        problems += _beside(problems, _spec_problems(node, table))
    return resource, problems


def _read_other(
    node: dict[str, Any], origin: Origin, default: str
) -> tuple[OtherObject, list[Problem]]:
    """Read an object that is kept as it is written."""
    kind, metadata = node["kind"], node["metadata"]
    namespace, annotations = metadata.get("namespace"), metadata.get("annotations")
    texts = annotations.items() if isinstance(annotations, dict) else ()
    spec = node.get("spec")
    kept = OtherObject(
        node["apiVersion"],
        kind,
        metadata["name"],
        (namespace if isinstance(namespace, str) else "") or default,
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


def _written_other(kept: OtherObject) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": kept.name, "namespace": kept.namespace}
    if kept.annotations:
        metadata["annotations"] = dict(kept.annotations)
    spec = plain(kept.spec)
    return {"apiVersion": kept.api_version, "kind": kept.kind, "metadata": metadata, "spec": spec}

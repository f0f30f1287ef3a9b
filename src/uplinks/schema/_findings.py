"""What the converter refused, as findings with paths; and what is left without it.

Rules of this file:

1. Every refusal becomes exactly one finding, at the path of the value that was
   refused, in the words of the manifest.
2. What was refused is taken out and the rest is structured again: a field that
   was refused has its default, an item of a list or mapping is gone, and a
   missing required field takes its object along, but never the whole document.
3. Structuring again adds no finding: it can only miss what was taken out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from attrs import evolve, frozen
from cattrs import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)

from uplinks.diagnostics import Diagnostic, Severity
from uplinks.grammar import is_field_name
from uplinks.naming import nearest
from uplinks.schema._converter import CONVERTER, Refused
from uplinks.schema._shapes import accepted_fields, camel_case, own_fields
from uplinks.tree import Origin, field_path

__all__ = [
    "MISSING_FIELD",
    "OVER_A_LIMIT",
    "UNKNOWN_FIELD",
    "WRONG_TYPE",
    "Finding",
    "Path",
    "build",
    "unknown_fields",
]

UNKNOWN_FIELD = "UPL005"
OVER_A_LIMIT = "UPL004"
WRONG_TYPE = "UPL006"
MISSING_FIELD = "UPL007"

Path = tuple[Any, ...]
Shape = TypeVar("Shape")

_SUGGESTIONS_PER_OBJECT = 50
_MASK = "***"


@frozen
class Finding:
    """One diagnostic before its place is known.

    ``key``: it is about the key. ``hidden``: the last step of the path may be a
    credential and is not shown.
    """

    code: str
    path: Path
    message: str
    severity: Severity = Severity.ERROR
    key: bool = False
    suggestion: str | None = None
    hidden: bool = False

    def at(self, origin: Origin) -> Diagnostic:
        """Look up the place. Complexity: O(len(path))."""
        # A key that is no text cannot come out of a manifest, but out of a dict.
        steps = (step if type(step) is int else str(step) for step in self.path)
        location = origin.locate(*steps, key=self.key)
        if self.hidden:
            shown = field_path((*origin.base, *self.path[:-1], _MASK))
            location = evolve(location, path=shown)
        return Diagnostic(
            self.code, self.severity, self.message, location, suggestion=self.suggestion
        )


def build(tree: Any, shape: type[Shape], unknown: Severity) -> tuple[Shape, list[Finding]]:
    """Structure a mapping as far as possible; give the value and all findings.

    ``unknown`` is how severe an unknown field is. The shape must do without any
    field, so that something is left in the end; all manifests do. Complexity: O(size of the
    tree), times the depth of the shape when something was refused.
    """
    try:
        return CONVERTER.structure(tree, shape), []
    except BaseValidationError as error:
        findings = list(_findings(error, (), unknown))
    refused = findings
    while True:
        taken = [f.path[:-1] if f.code == MISSING_FIELD else f.path for f in refused]
        tree = _without(tree, taken)
        try:
            return CONVERTER.structure(tree, shape), findings
        except BaseValidationError as error:
            refused = list(_findings(error, (), unknown))


def unknown_fields(
    path: Path, names: Iterable[Any], allowed: Iterable[str], severity: Severity
) -> Iterator[Finding]:
    """Say which fields are unknown in the object at a path, and what was meant."""
    allowed = sorted(allowed)
    which = f"{_within(path)}; allowed: {', '.join(allowed)}"
    for count, name in enumerate(sorted(names, key=str)):
        # Enough to be of help, and a bound for documents made to be slow.
        helpful = count < _SUGGESTIONS_PER_OBJECT and isinstance(name, str)
        # Any other key may be a value that a lost line has put in the place of a key.
        secret = not is_field_name(str(name))
        yield Finding(
            UNKNOWN_FIELD,
            (*path, name),
            f"unknown field{which}" if secret else f"unknown field {_short(name)!r}{which}",
            severity,
            key=True,
            suggestion=nearest(name, allowed) if helpful and not secret else None,
            hidden=secret,
        )


def _findings(error: BaseException, path: Path, unknown: Severity) -> Iterator[Finding]:
    if isinstance(error, BaseValidationError):
        for inner in error.exceptions:
            yield from _findings(inner, path + _step(inner), unknown)
    elif isinstance(error, ForbiddenExtraKeysError):
        allowed = own_fields(error.cl) | accepted_fields(error.cl)
        yield from unknown_fields(path, error.extra_fields, allowed, unknown)
    elif isinstance(error, Refused):
        name = f"a value{_within(path[:-1])}" if error.hidden else _field(path)
        yield Finding(error.code, path, f"{name} {error.said}", hidden=error.hidden)
    elif isinstance(error, KeyError):
        message = f"{_field(path)} is missing{_within(path[:-1])}; it is required"
        yield Finding(MISSING_FIELD, path, message)
    else:
        raise error


def _step(error: BaseException) -> Path:
    """Read where, within its parent, an error arose: cattrs leaves a note."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return (camel_case(note.name),)
        if isinstance(note, IterableValidationNote):
            return (note.index,)
    return ()


def _field(path: Path) -> str:
    """Name the value at a path by its last key and the indices after it.

    >>> _field(("spec", "routes", 0, "services", 1))
    'services[1]'
    """
    indices = ""
    for step in reversed(path):
        if type(step) is not int:
            return _short(step) + indices
        indices = f"[{step}]{indices}"
    return f"the document{indices}"


def _short(name: object) -> str:
    limit = 60
    text = str(name)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _within(path: Path) -> str:
    return f" in {_field(path)}" if path else ""


def _without(node: Any, taken: Sequence[Path]) -> Any:
    """Copy a tree along some paths, leaving out what stands at their ends."""
    below: dict[Any, list[Path]] = {}
    for path in taken:
        below.setdefault(path[0], []).append(path[1:])
    if isinstance(node, dict):
        return {k: _keep(v, below.get(k)) for k, v in node.items() if () not in below.get(k, ())}
    return [_keep(v, below.get(i)) for i, v in enumerate(node) if () not in below.get(i, ())]


def _keep(node: Any, taken: Sequence[Path] | None) -> Any:
    return node if taken is None else _without(node, taken)

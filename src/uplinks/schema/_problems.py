"""What the converter refused, as problems with paths; and what is left without it.

Every refusal becomes exactly one problem, at the path of the refused value. What was
refused is then removed and the rest is structured again: a refused field has its
default, a refused item of a list or mapping is gone, and a missing required field
removes its object, but never the whole document. Structuring again adds no problem,
since it can only miss what was removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from attrs import evolve, frozen
from cattrs import AttributeValidationNote, BaseValidationError, IterableValidationNote

from uplinks.diagnostics import MASK, Diagnostic, Fix, Severity
from uplinks.grammar import is_field_name
from uplinks.located import Origin, field_path
from uplinks.naming import misspelt, nearest
from uplinks.schema._layout import written_path
from uplinks.schema._refusals import WRONG_TYPE, Refused, UnknownFields, describe

__all__ = [
    "MISSING_FIELD",
    "UNKNOWN_FIELD",
    "Path",
    "Problem",
    "build",
    "format_name",
    "unknown_fields",
    "wrong_type_at",
]

UNKNOWN_FIELD: Final = "UPL005"
MISSING_FIELD: Final = "UPL007"

Path = tuple[Any, ...]
"""As `uplinks.located.Path`, but a tree that is no text may have keys of any type."""

Value = TypeVar("Value")

_SUGGESTIONS_PER_OBJECT: Final = 50
_LONGEST_NAME: Final = 60


@frozen
class Problem:
    """A diagnostic before its place is known.

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
    fix: Fix | None = None

    def at(self, origin: Origin) -> Diagnostic:
        """Look up the place. Complexity: O(len(path))."""
        steps = (step if type(step) is int else str(step) for step in self.path)
        location = origin.locate(*steps, key=self.key)
        if self.hidden:
            shown = field_path((*origin.path, *self.path[:-1], MASK))
            location = evolve(location, path=shown)
        return Diagnostic(
            self.code,
            self.severity,
            self.message,
            location,
            suggestion=self.suggestion,
            fix=self.fix,
        )


def build(
    tree: Any, structure: Callable[[Any], Value], unknown: Severity, base: Path = ()
) -> tuple[Value, list[Problem]]:
    """Structure a mapping as far as possible; return the value and all problems.

    ``unknown`` is the severity of an unknown field, ``base`` the path of the mapping in
    its object. The empty mapping must be structured without a problem, so that
    something is left in the end. Complexity: O(size of the tree), times its depth if
    something was refused.
    """
    try:
        return structure(tree), []
    except BaseValidationError as error:
        problems = list(_problems(error, base, unknown))
    refused = problems
    while True:
        removed = [p.path[:-1] if p.code == MISSING_FIELD else p.path for p in refused]
        tree = _without(tree, [path[len(base) :] for path in removed])
        try:
            return structure(tree), problems
        except BaseValidationError as error:
            refused = list(_problems(error, base, unknown))


def unknown_fields(
    path: Path, names: Iterable[Any], known: Iterable[str], severity: Severity
) -> Iterator[Problem]:
    """Report the unknown fields of the mapping at a path, with the closest known ones."""
    known = sorted(known)
    where = f" in {format_name(path)}" if path else ""
    for count, name in enumerate(sorted(names, key=str)):
        # Suggestions cost time, so their number is bounded.
        helpful = count < _SUGGESTIONS_PER_OBJECT and isinstance(name, str)
        # Any other key may be a value that a lost line has put in the place of a key.
        hidden = not is_field_name(str(name))
        quoted = "" if hidden else f" {_shorten(name)!r}"
        near = nearest(name, known) if helpful and not hidden else None
        yield Problem(
            UNKNOWN_FIELD,
            (*path, name),
            f"unknown field{quoted}{where}; known fields: {', '.join(known)}",
            severity,
            key=True,
            suggestion=near,
            hidden=hidden,
            fix=_respelling(name, known) if near is not None else None,
        )


def _respelling(name: str, known: Iterable[str]) -> Fix | None:
    meant = misspelt(name, known)
    return None if meant is None else Fix(name, meant)


def format_name(path: Path) -> str:
    """Name the value at a path of an object.

    >>> format_name(("spec", "routes", 0, "services", 1))
    'spec.routes[0].services[1]'
    """
    steps = (step if type(step) is int else _shorten(step) for step in path)
    return field_path(tuple(steps))[1:].removeprefix(".")


def wrong_type_at(path: Path, value: object, expected: str) -> Problem:
    """Report a value of another type at a path."""
    message = f"{format_name(path)} must be {expected}, got {describe(value)}"
    return Problem(WRONG_TYPE, path, message)


def _shorten(name: object) -> str:
    text = str(name)
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"


def _problems(error: BaseException, path: Path, unknown: Severity) -> Iterator[Problem]:
    if isinstance(error, BaseValidationError):
        for inner in error.exceptions:
            yield from _problems(inner, path + _step(inner, error.cl), unknown)
    elif isinstance(error, UnknownFields):
        yield from unknown_fields(path, error.names, error.known, unknown)
    elif isinstance(error, Refused):
        name = f"a value in {format_name(path[:-1])}" if error.hidden else format_name(path)
        yield Problem(
            error.code,
            path,
            f"{name} {error.predicate}",
            error.severity,
            suggestion=error.suggestion,
            hidden=error.hidden,
            fix=error.fix,
        )
    elif isinstance(error, KeyError):
        yield Problem(MISSING_FIELD, path, f"{format_name(path)} is required")
    else:
        raise error


def _step(error: BaseException, cls: type) -> Path:
    """Read where, in a value of a class, an error arose: cattrs leaves a note."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return written_path(cls, note.name)
        if isinstance(note, IterableValidationNote):
            return (note.index,)
    return ()


def _without(node: Any, removed: Sequence[Path]) -> Any:
    """Copy a tree along some paths, leaving out what stands at their ends."""
    below: dict[Any, list[Path]] = {}
    for path in removed:
        below.setdefault(path[0], []).append(path[1:])
    items = node.items() if isinstance(node, dict) else enumerate(node)
    kept = [
        (key, _without(item, below[key]) if key in below else item)
        for key, item in items
        if () not in below.get(key, ())
    ]
    return dict(kept) if isinstance(node, dict) else [item for _, item in kept]

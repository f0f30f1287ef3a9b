"""The diagnostics of one text: their messages, and the limit on their number."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from uplinks.diagnostics import (
    MASK,
    Diagnostic,
    Location,
    Related,
    Severity,
    Span,
    limit_exceeded,
)
from uplinks.errors import quote
from uplinks.grammar import is_field_name
from uplinks.located import Path, field_path
from uplinks.manifest._masking import holds_number, in_headers, masked

__all__ = ["Findings", "LimitError"]

SYNTAX: Final = "UPL001"
DUPLICATE_KEY: Final = "UPL002"
ALIAS: Final = "UPL003"
OCTAL: Final = "UPL009"


class LimitError(Exception):
    """Stop reading: a limit was exceeded, and its diagnostic has been added."""


class Findings:
    """The diagnostics of one text, in the order in which they are found.

    ``end`` is the line and column after the last character: no place lies beyond it.
    """

    def __init__(self, file: str, cluster: str, limit: int, end: tuple[int, int]) -> None:
        self.file = file
        self.cluster = cluster
        self.limit = limit
        self.end = end
        self.diagnostics: list[Diagnostic] = []

    def clip(self, span: Span) -> Span:
        """Cut a place off at the end of the text, where libyaml adds a line break."""
        return Span(*min(span[:2], self.end), *min(span[2:], self.end))

    def point(self, line: int, column: int) -> Span:
        """Make a place of no width, within the text."""
        return self.clip(Span(line, column, line, column))

    def locate(self, span: Span, path: Path) -> Location:
        """Make a location, with nothing in its path that may be a credential."""
        return Location(self.cluster, self.file, span, field_path(masked(path)))

    def add(
        self,
        code: str,
        message: str,
        span: Span,
        path: Path = (),
        *,
        severity: Severity = Severity.ERROR,
        related: tuple[Related, ...] = (),
        suggestion: str | None = None,
    ) -> None:
        """Add a diagnostic. Raises `LimitError` when there are too many."""
        if len(self.diagnostics) >= self.limit:
            self.stop(f"more than {self.limit} diagnostics", span, path)
        location = self.locate(span, path)
        self.diagnostics.append(Diagnostic(code, severity, message, location, related, suggestion))

    def stop(self, problem: str, span: Span = Span(), path: Path = ()) -> NoReturn:  # noqa: B008 - immutable
        """Report an exceeded limit. Always raises `LimitError`."""
        self.diagnostics.append(limit_exceeded(problem, self.locate(span, path)))
        raise LimitError

    def syntax_error(self, error: Any, path: Path) -> None:
        """Report what the parser refused, in its own words."""
        # Escapes of a tag (libyaml) or of a scalar (Python) are decoded outside the
        # parser's grammar; such an error has neither a message nor a place.
        message = getattr(error, "problem", None) or "invalid escape"
        if message.startswith("found undefined tag handle"):
            message = "found undefined tag handle"  # PyYAML's own parser also quotes it
        mark = getattr(error, "problem_mark", None)
        if context := getattr(error, "context", None):
            message += f", {context}"
            if start := error.context_mark:
                # libyaml adds a line break to a last line without one.
                message += f" that starts at line {min(start.line + 1, self.end[0])}"
        where = (mark.line + 1, mark.column + 1) if mark else self.end
        self.add(SYNTAX, f"invalid YAML: {message}", self.point(*where), path)

    def bad_alias(self, span: Span, path: Path, *, inside: bool) -> None:
        """Report an alias without an anchor before it, or ``inside`` the anchored node."""
        # The name may be an unquoted value, so it is not shown.
        problem = "an alias is inside its own anchor" if inside else "an alias has no anchor"
        self.add(ALIAS, f"{problem}; write out the value", span, path)

    def bad_merge(self, span: Span, path: Path) -> None:
        """Report what cannot be merged."""
        message = "a merge key (<<) must have a mapping or a list of mappings"
        self.add(ALIAS, message, span, path)

    def bad_key(self, key: Any, span: Span, path: Path) -> None:
        """Report a key that is null, a mapping or a list."""
        got = "null" if key is None else "a mapping or list"
        self.add(SYNTAX, f"a key must be a string, got {got}", span, path)

    def bad_tag(self, span: Span, path: Path) -> None:
        """Report a tag that does not fit its value, or is the user's own."""
        self.add(SYNTAX, "unsupported tag; remove it", span, path)

    def duplicate(self, key: str, span: Span, first: Span, path: Path) -> None:
        """Report a key that its mapping already has; ``first`` is the first one's place."""
        what = f"duplicate key {key!r}"
        # Any other key may be a value that a lost line has put in the place of a key.
        if in_headers(path) or not is_field_name(key):
            path, what = (*path[:-1], MASK), "duplicate key"
        related = (Related(self.locate(first, path), "first defined here"),)
        self.add(DUPLICATE_KEY, f"{what}; the first value is used", span, path, related=related)

    def octal(self, text: str, value: int, span: Span, path: Path) -> None:
        """Warn of a number that reads as decimal but is octal, in a field of ours."""
        if not holds_number(path):
            return
        message = f"{quote(text)} is an octal number, read as {value}"
        self.add(OCTAL, message, span, path, severity=Severity.WARNING, suggestion=str(value))

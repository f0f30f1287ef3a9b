"""From places in rendered manifests to places in the files that they come from.

A line is found again if the file has it once, or has one line that begins with the same
key. Anything else is reported at the start of the file, with its line in the rendering.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from attrs import evolve

from uplinks.cli.source import Source, look_through
from uplinks.diagnostics import Diagnostic, Location, Related, Span

__all__ = ["Rendering", "in_templates"]

_KEY: Final = re.compile(r"\s*(?:- +)*([^\s:#{]+:)(?:\s|$)")


def in_templates(
    diagnostics: Iterable[Diagnostic],
    rendered: Mapping[str, bytes],
    templates: Mapping[str, bytes],
) -> Iterator[Diagnostic]:
    """Move the places of diagnostics from ``rendered`` text to ``templates``, both by file.

    Complexity: O(bytes of the files with diagnostics).
    """
    renderings: dict[str, Rendering] = {}
    for diagnostic in diagnostics:
        yield _moved(diagnostic, rendered, templates, renderings)


def _moved(
    diagnostic: Diagnostic,
    rendered: Mapping[str, bytes],
    templates: Mapping[str, bytes],
    renderings: dict[str, Rendering],
) -> Diagnostic:
    def move(location: Location) -> tuple[Location, str]:
        file = location.file
        if file not in templates:
            return location, ""
        if file not in renderings:
            renderings[file] = Rendering(look_through(rendered[file]), templates[file])
        span = renderings[file].find(location.span)
        note = "" if span is not None else f" (line {location.span.line} of the rendering)"
        return evolve(location, span=span or Span()), note

    location, note = move(diagnostic.location)
    related = [(move(each.location), each.message) for each in diagnostic.related]
    return evolve(
        diagnostic,
        location=location,
        message=diagnostic.message + note,
        related=tuple(Related(place, message + said) for (place, said), message in related),
        # The edit of a rendering is not one of its template.
        fix=diagnostic.fix if location is diagnostic.location else None,
    )


class Rendering:
    """One file and what was rendered from it."""

    def __init__(self, rendered: Source, template: bytes) -> None:
        self._rendered = rendered
        self._lines: dict[str, list[tuple[int, str]]] = {}
        self._keys: dict[str, list[tuple[int, str]]] = {}
        source = look_through(template)
        for number in range(1, source.lines + 1):
            line = source.line(number)
            self._lines.setdefault(line.strip(), []).append((number, line))
            if key := _KEY.match(line):
                self._keys.setdefault(key[1], []).append((number, line))

    def find(self, span: Span) -> Span | None:
        """Find the place in the template of a place in the rendering."""
        line = self._rendered.line(span.line)
        same = self._lines.get(line.strip(), [])
        if len(same) == 1:
            number, found = same[0]
            shift = len(found) - len(found.lstrip()) - (len(line) - len(line.lstrip()))
            end = span.end_column if span.end_line == span.line else len(line) + 1
            return Span(number, span.column + shift, number, end + shift)
        key = _KEY.match(line)
        alike = self._keys.get(key[1], []) if key and not same else []
        if len(alike) != 1:
            return None
        number, found = alike[0]
        text = found.rstrip()
        return Span(number, len(text) - len(text.lstrip()) + 1, number, len(text) + 1)

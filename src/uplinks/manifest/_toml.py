"""Text to a located tree: TOML, of which a file is one document.

``tomllib`` reads the values and gives no places. So `_Places` walks over the same text
once more, which is known to be valid by then, and notes where each key and value is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import Any, Final

from uplinks.diagnostics import Span
from uplinks.located import Document, LocatedList, LocatedMap, Path
from uplinks.manifest._findings import SYNTAX, Findings
from uplinks.manifest._limits import Limits

__all__ = ["read_document"]

_MAX_KEY_WORK: Final = 10_000_000
_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
_QUOTED: Final = re.compile(r"'[^']{2,}'|\(.*\)", re.DOTALL)


def read_document(text: str, findings: Findings, limits: Limits, size: int) -> Document | None:
    """Read a TOML text; what is wrong with it is a finding. Raises `LimitError`."""
    import tomllib  # noqa: PLC0415 - few fleets have TOML

    # tomllib needs time in the square of a key's parts, and recursion for each level.
    lines = text.split("\n")
    if sum(line.count(".") ** 2 for line in lines) > _MAX_KEY_WORK:
        findings.stop("too many dotted keys")
    try:
        root = tomllib.loads(text)
    except RecursionError:
        findings.stop(f"more than {limits.depth} levels of nesting")
    except ValueError as error:
        _refuse(error, findings)
        return None
    places = _Places(text, lines, limits, findings).spans()
    nodes = _Nodes(places, limits, size, findings)
    tree = nodes.located(root, Span(1, 1, *findings.end))
    return Document(tree, tree.span, findings.file, findings.cluster) if root else None


def _refuse(error: ValueError, findings: Findings) -> None:
    message = str(error)
    place = _PLACE.search(message)
    where = findings.end
    if place is not None:
        message = message[: place.start()]
        if place[1] is not None:
            where = (int(place[1]), int(place[2]))
    # A quoted name may be a misplaced value.
    message = _QUOTED.sub("…", message)
    findings.add(SYNTAX, f"invalid TOML: {message}", findings.point(*where))


class _Nodes:
    """Copies of values with their places, within the limits on nodes and depth."""

    def __init__(
        self, spans: dict[Path, tuple[Span, Span]], limits: Limits, size: int, findings: Findings
    ) -> None:
        self._spans = spans
        self._depth = limits.depth
        self._left = self._most = limits.nodes_in(size)
        self._findings = findings

    def located(self, value: Any, span: Span, path: Path = ()) -> Any:
        """Copy a value, which is at a span."""
        self._left -= 1
        if self._left < 0:
            self._findings.stop(f"more than {self._most} keys and values", span)
        if len(path) > self._depth:
            self._findings.stop(f"more than {self._depth} levels of nesting", span)
        if isinstance(value, dict):
            copy = LocatedMap(span)
            for key, item in value.items():
                marks = self._spans.get((*path, key), (span, span))
                copy[key] = self.located(item, marks[1], (*path, key))
                copy.marks[key] = marks
            return copy
        if isinstance(value, list):
            items = LocatedList(span)
            for index, item in enumerate(value):
                _, place = self._spans.get((*path, index), (span, span))
                items.append(self.located(item, place, (*path, index)))
                items.marks.append(place)
            return items
        # Dates and times are strings in every other form.
        return value if isinstance(value, bool | int | float | str) else str(value)


_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}|'
    r"'''(?:[^']|'(?!''))*'{3,5}|"
    r'"(?:[^"\\\n]|\\.)*"|'
    r"'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY: Final = re.compile("[-A-Za-z0-9_]+")
_BARE_VALUE: Final = re.compile(r"[^,\]}#\n]+")


class _Places:
    """The places of a valid TOML text's keys and values."""

    def __init__(self, text: str, lines: list[str], limits: Limits, findings: Findings) -> None:
        self._text = text
        self._starts = [0, *accumulate(len(line) + 1 for line in lines)]
        self._depth = limits.depth
        self._findings = findings
        self._spans: dict[Path, tuple[Span, Span]] = {}
        # How many tables each array of tables has so far.
        self._tables: dict[Path, int] = {}

    def spans(self) -> dict[Path, tuple[Span, Span]]:
        """Give the places of key and value by path. Complexity: O(length · depth)."""
        at, table = 0, tuple[str | int, ...]()
        while (at := self._after(_BLANK, at)) < len(self._text):
            if self._text[at] != "[":
                at = self._pair(table, at, 0)
                continue
            is_array = self._text.startswith("[[", at)
            begin = self._after(_SPACE, at + 1 + is_array)
            names, end = self._key(begin)
            at = self._after(_SPACE, end) + 1 + is_array
            table, span = self._resolved(names), self._span(begin, end)
            if is_array:
                self._note(table, span, span)
                count = self._tables.get(table, 0)
                self._tables[table] = count + 1
                table = (*table, count)
            self._note(table, span, span)
        return self._spans

    def _resolved(self, names: list[str]) -> Path:
        """Give the path of a header: below an array of tables, its last one is meant."""
        path: Path = ()
        for depth, name in enumerate(names, start=1):
            path = (*path, name)
            if path in self._tables and depth < len(names):
                path = (*path, self._tables[path] - 1)
        return path

    def _note(self, path: Path, key: Span, value: Span) -> None:
        """Note a place, and that of each table above that has none of its own."""
        for depth in range(1, len(path)):
            self._spans.setdefault(path[:depth], (key, key))
        self._spans.setdefault(path, (key, value))

    def _pair(self, table: Path, at: int, depth: int) -> int:
        """Pass over a key and its value; give the end."""
        names, end = self._key(at)
        begin = self._after(_SPACE, self._after(_SPACE, end) + 1)
        path = (*table, *names)
        after = self._value(path, begin, depth + 1)
        # Not `_note` alone: what is inside an inline table has noted the table already.
        self._note(path, key := self._span(at, end), key)
        self._spans[path] = (key, self._span(begin, after))
        return after

    def _key(self, at: int) -> tuple[list[str], int]:
        """Read a key of one or more parts; give them and the end of the last one."""
        names: list[str] = []
        while True:
            part = _BARE_KEY.match(self._text, at) or _STRING.match(self._text, at)
            if part is None:
                return names, at + 1  # no valid text comes here
            names.append(_unquoted(part[0]))
            dot = self._after(_SPACE, part.end())
            if not self._text.startswith(".", dot):
                return names, part.end()
            at = self._after(_SPACE, dot + 1)

    def _value(self, path: Path, at: int, depth: int) -> int:
        """Pass over a value, note what is inside it, and give its end."""
        if depth > self._depth:
            span = self._span(at, at + 1)
            self._findings.stop(f"more than {self._depth} levels of nesting", span)
        first = self._text[at : at + 1]
        if first not in {"[", "{"}:
            scalar = _STRING.match(self._text, at) or _BARE_VALUE.match(self._text, at)
            return at + 1 if scalar is None else at + len(scalar[0].rstrip())
        at, index = at + 1, 0
        while (at := self._after(_BLANK, at)) < len(self._text):
            if self._text[at] in "]}":
                return at + 1
            if self._text[at] == ",":
                at += 1
            elif first == "{":
                at = self._pair(path, at, depth + 1)
            else:
                begin, at = at, self._value((*path, index), at, depth + 1)
                span = self._span(begin, at)
                self._spans[*path, index] = (span, span)
                index += 1
        return at

    def _after(self, pattern: re.Pattern[str], at: int) -> int:
        match = pattern.match(self._text, at)
        return at if match is None else match.end()

    def _span(self, begin: int, end: int) -> Span:
        line, end_line = (bisect_right(self._starts, at) for at in (begin, end))
        column = begin - self._starts[line - 1] + 1
        return Span(line, column, end_line, end - self._starts[end_line - 1] + 1)


def _unquoted(name: str) -> str:
    if name[0] not in "\"'":
        return name
    import tomllib  # noqa: PLC0415 - as above

    text: str = tomllib.loads(f"name = {name}")["name"]
    return text

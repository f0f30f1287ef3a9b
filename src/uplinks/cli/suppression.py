"""Suppressions: comments and annotations that hide diagnostics.

1. ``# uplinks: ignore[UPL104]`` covers its own line, or, alone on a line, the next
   line that is not such a comment. ``# uplinks: ignore-file[UPL104]``, before
   anything else in a file, covers the file. The annotation `ANNOTATION` covers its
   object.
2. A suppression names whole codes. It hides the diagnostics whose primary place it
   covers, and no others.
3. Diagnostics about unreadable files and about suppressions cannot be suppressed.
4. A suppression without effect is reported (UPL013) if the check covers its code. One
   that cannot have an effect is always reported (UPL014).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from attrs import frozen

from uplinks.cli.selection import ALWAYS, nearest_code
from uplinks.diagnostics import Diagnostic, Location, Severity, Span
from uplinks.model import Cluster

if TYPE_CHECKING:
    from uplinks.cli.source import Comment, Source

__all__ = [
    "ANNOTATION",
    "MOST",
    "UNKNOWN",
    "UNUSED",
    "Applied",
    "Suppression",
    "apply",
    "suppressions",
]

ANNOTATION: Final = "uplinks/ignore"
MOST: Final = 10_000
"""How many suppressions count in the comments of a file, and in a cluster's annotations."""

UNUSED: Final = "UPL013"
UNKNOWN: Final = "UPL014"

_NEVER: Final = ALWAYS | {UNUSED, UNKNOWN}
_MARK: Final = b"uplinks: ignore"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_COMMENT: Final = re.compile(r"#\s*uplinks: ignore(?P<file>-file)?(?:\[(?P<codes>[^\]]*)\])?")
_CODE: Final = re.compile(r"[^\s,]+")
_EVERYWHERE: Final = (2**62, 0)
# How many unknown codes get a suggestion, because each one compares all codes.
_SUGGESTIONS: Final = 50

Place = tuple[int, int]


@frozen
class Suppression:
    """One code that is hidden from ``begin`` to ``end`` of a file.

    Both are a line and a column, the end exclusive. ``cluster`` is ``None`` for a
    comment, which covers the file in every cluster that contains it.
    """

    code: str
    location: Location
    begin: Place
    end: Place
    cluster: str | None = None

    def covers(self, diagnostic: Diagnostic) -> bool:
        """Tell whether this suppression hides a diagnostic."""
        place = diagnostic.location
        return (
            diagnostic.code == self.code
            and place.file == self.location.file
            and self.cluster in {None, place.cluster}
            and self.begin <= place.span[:2] < self.end
        )


@frozen
class Applied:
    """The kept and the suppressed diagnostics, and diagnostics of unused suppressions."""

    kept: tuple[Diagnostic, ...]
    suppressed: tuple[Diagnostic, ...]
    unused: tuple[Diagnostic, ...]


def suppressions(
    clusters: Iterable[Cluster],
    texts: Mapping[str, bytes],
    codes: Collection[str],
    sources: dict[str, Source] | None = None,
) -> tuple[list[Suppression], list[Diagnostic]]:
    """Find every suppression, and the diagnostics of those that cannot have an effect.

    ``codes`` are all known codes. Only files that contain the mark are scanned, and
    the result is added to ``sources``. Complexity: O(bytes + objects).
    """
    found: list[Suppression] = []
    wrong: list[Diagnostic] = []
    meant: dict[str, str | None] = {}
    for each, miswritten in _asked(tuple(clusters), texts, {} if sources is None else sources):
        problem = miswritten or _problem(each.code, codes)
        if problem is None:
            found.append(each)
            continue
        unknown = not miswritten and each.code not in codes
        if unknown and each.code not in meant and len(meant) < _SUGGESTIONS:
            meant[each.code] = nearest_code(each.code, codes)
        near = meant.get(each.code) if unknown else None
        about = (UNKNOWN, Severity.WARNING, problem, each.location)
        wrong.append(Diagnostic(*about, suggestion=near))
    return found, wrong


def apply(
    diagnostics: Iterable[Diagnostic],
    by: Iterable[Suppression],
    judged: Collection[str],
) -> Applied:
    """Remove the suppressed diagnostics. ``judged`` are the codes the check covers.

    Complexity: O(d log s + s log s) for d diagnostics and s suppressions.
    """
    by = tuple(by)
    index = _Index(by)
    kept: list[Diagnostic] = []
    suppressed: list[Diagnostic] = []
    used: set[Suppression] = set()
    for each in diagnostics:
        covering = index.covering(each)
        (suppressed if covering else kept).append(each)
        used.update(covering)
    unused = [
        Diagnostic(
            UNUSED,
            Severity.WARNING,
            f"unused suppression of {each.code}; remove it",
            each.location,
        )
        for each in by
        if each not in used and each.code in judged
    ]
    return Applied(tuple(kept), tuple(suppressed), tuple(unused))


def _problem(code: str, codes: Collection[str]) -> str | None:
    if code not in codes:
        return f"unknown code {code[:40]!r}"
    return f"{code} cannot be suppressed" if code in _NEVER else None


class _Index:
    """Suppressions by the range they cover. Ranges of one kind never overlap partly."""

    def __init__(self, by: Iterable[Suppression]) -> None:
        self.groups: dict[tuple[str, str], dict[object, dict[Place, list[Suppression]]]] = {}
        for each in by:
            kinds = self.groups.setdefault((each.code, each.location.file), {})
            # A line, a file, an object of one cluster.
            kind = (each.cluster, each.end == _EVERYWHERE)
            kinds.setdefault(kind, {}).setdefault(each.begin, []).append(each)
        self.begins = {
            (key, kind): sorted(starting)
            for key, kinds in self.groups.items()
            for kind, starting in kinds.items()
        }

    def covering(self, diagnostic: Diagnostic) -> list[Suppression]:
        """Find the suppressions of a diagnostic: of each kind, the last to begin or none."""
        key = (diagnostic.code, diagnostic.location.file)
        found: list[Suppression] = []
        for kind, starting in self.groups.get(key, {}).items():
            begins = self.begins[key, kind]
            at = bisect_right(begins, diagnostic.location.span[:2])
            last = starting[begins[at - 1]] if at else []
            found += (each for each in last if each.covers(diagnostic))
        return found


def _asked(
    clusters: tuple[Cluster, ...], texts: Mapping[str, bytes], sources: dict[str, Source]
) -> Iterator[tuple[Suppression, str]]:
    """Yield every suppression, with a description of its mistake or ``""``.

    Only the first `MOST` of one file, or of one cluster's annotations, count.
    """
    for file, data in texts.items():
        if _MARK in data or data[:2] in _UTF16:
            from uplinks.cli.source import look_through  # noqa: PLC0415 - seldom needed

            sources[file] = look_through(data)
            yield from _first(_in_comments(file, _owner(file, clusters), sources[file]))
    for cluster in clusters:
        yield from _first((each, "") for each in _in_annotations(cluster))


def _first(asked: Iterable[tuple[Suppression, str]]) -> Iterator[tuple[Suppression, str]]:
    for number, (each, problem) in enumerate(asked):
        if number == MOST:
            yield each, f"more than {MOST} suppressions; the others have no effect"
            return
        yield each, problem


def _in_comments(file: str, cluster: str, source: Source) -> Iterator[tuple[Suppression, str]]:
    comments = [
        (comment, match)
        for comment in source.comments()
        for match in _COMMENT.finditer(comment.text)
    ]
    # A comment alone on its line covers the next line that holds anything else.
    below: dict[int, int] = {}
    for comment, _ in reversed(comments):
        if comment.alone:
            below[comment.line] = below.get(comment.line + 1, comment.line + 1)
    for comment, match in comments:
        problem = ""
        if match["file"]:
            reach = ((1, 1), _EVERYWHERE)
            if not (comment.alone and comment.head):
                problem = "ignore-file must be alone on its line, before anything else in its file"
        else:
            line = below.get(comment.line, comment.line)
            reach = ((line, 1), (line + 1, 1))
        named = list(_CODE.finditer(match["codes"] or ""))
        if not named:
            problem = problem or "suppression names no code; write ignore[UPL104]"
            where = _at(file, cluster, comment, *match.span())
            yield Suppression("", where, *reach), problem
        for code in named:
            begin, end = (match.start("codes") + offset for offset in code.span())
            where = _at(file, cluster, comment, begin, end)
            yield Suppression(code[0], where, *reach), problem


def _at(file: str, cluster: str, comment: Comment, begin: int, end: int) -> Location:
    line, column = comment.line, comment.column
    return Location(cluster, file, Span(line, column + begin, line, column + end))


def _in_annotations(cluster: Cluster) -> Iterator[Suppression]:
    for each in cluster.objects:
        if ANNOTATION in each.annotations:
            where = each.origin.locate("metadata", "annotations", ANNOTATION)
            span = each.origin.locate().span
            for code in dict.fromkeys(_CODE.findall(each.annotations[ANNOTATION])):
                yield Suppression(code, where, span[:2], span[2:], cluster.name)


def _owner(file: str, clusters: Iterable[Cluster]) -> str:
    """Return the cluster of a file, ``""`` if no object was read from the file."""
    for cluster in clusters:
        parts = (cluster.child_config, cluster.parent_config)
        origins = [each.origin for each in cluster.objects]
        origins += [part.origin for part in parts if part is not None]
        if any(origin.document.file == file for origin in origins):
            return cluster.name
    return ""

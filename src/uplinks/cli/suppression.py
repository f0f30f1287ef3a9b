"""Findings that somebody has seen and wants to live with.

Rules of this file:

1. ``# uplinks: ignore[UPL104]`` is about its own line, or, on a line of its own,
   about the next line that is no such comment. ``# uplinks: ignore-file[UPL104]``,
   before anything else in a file, is about the file. The annotation
   `ANNOTATION` is about its object.
2. A suppression names codes, whole ones. It takes out findings whose first
   place it covers, and nothing else.
3. What is not a sound text cannot be suppressed, and neither can a finding
   about a suppression.
4. A suppression that does nothing is reported (UPL013), but only if its rule was
   asked; one that can do nothing is reported too (UPL014).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from attrs import frozen

from uplinks.cli.selection import ALWAYS, nearest_code
from uplinks.diagnostics import Diagnostic, Location, Severity, Span
from uplinks.model import Cluster, IngressRoute, TraefikService, Uplink

if TYPE_CHECKING:
    from uplinks.cli.source import Comment, Source

__all__ = [
    "ANNOTATION",
    "MOST",
    "UNKNOWN",
    "UNUSED",
    "Settled",
    "Suppression",
    "settle",
    "suppressions",
]

ANNOTATION: Final = "uplinks/ignore"
MOST: Final = 10_000
"""So many suppressions count in the comments of a text, and in a cluster's annotations."""

UNUSED: Final = "UPL013"
UNKNOWN: Final = "UPL014"

_NEVER: Final = ALWAYS | {UNUSED, UNKNOWN}
_MARK: Final = b"uplinks: ignore"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_COMMENT: Final = re.compile(r"#\s*uplinks: ignore(?P<file>-file)?(?:\[(?P<codes>[^\]]*)\])?")
_CODE: Final = re.compile(r"[^\s,]+")
_EVERYWHERE: Final = (2**62, 0)
# So many unknown codes get a suggestion: a guess looks at every code that there is.
_GUESSES: Final = 50

Place = tuple[int, int]


@frozen
class Suppression:
    """One code that is not to be reported from ``begin`` to ``end`` of a file.

    Both are a line and a column, the end exclusive. ``cluster`` is ``None`` for a
    comment: that is about the file, whoever reads it.
    """

    code: str
    location: Location
    begin: Place
    end: Place
    cluster: str | None = None

    def covers(self, finding: Diagnostic) -> bool:
        """Tell whether this is what takes a finding out."""
        place = finding.location
        return (
            finding.code == self.code
            and place.file == self.location.file
            and self.cluster in {None, place.cluster}
            and self.begin <= place.span[:2] < self.end
        )


@frozen
class Settled:
    """What is left of the findings, what was taken out, and what took out nothing."""

    kept: tuple[Diagnostic, ...]
    suppressed: tuple[Diagnostic, ...]
    unused: tuple[Diagnostic, ...]


def suppressions(
    clusters: Iterable[Cluster],
    texts: Mapping[str, bytes],
    codes: Collection[str],
    sources: dict[str, Source] | None = None,
) -> tuple[list[Suppression], list[Diagnostic]]:
    """Find every suppression, and what is wrong with those that can do nothing.

    ``codes`` are those that there are. Only texts that hold the mark are looked
    through; they are kept in ``sources``. Complexity: O(bytes), and O(objects).
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
        if unknown and each.code not in meant and len(meant) < _GUESSES:
            meant[each.code] = nearest_code(each.code, codes)
        near = meant.get(each.code) if unknown else None
        about = (UNKNOWN, Severity.WARNING, problem, each.location)
        wrong.append(Diagnostic(*about, suggestion=near))
    return found, wrong


def settle(
    findings: Iterable[Diagnostic],
    by: Iterable[Suppression],
    judged: Collection[str],
) -> Settled:
    """Take out what is suppressed; ``judged`` are the codes that were looked for.

    Complexity: O(f log s + s log s) for f findings and s suppressions.
    """
    by = tuple(by)
    index = _Index(by)
    kept: list[Diagnostic] = []
    suppressed: list[Diagnostic] = []
    used: set[Suppression] = set()
    for finding in findings:
        covering = index.covering(finding)
        (suppressed if covering else kept).append(finding)
        used.update(covering)
    unused = [
        Diagnostic(
            UNUSED,
            Severity.WARNING,
            f"there is no {each.code} here to suppress; remove it",
            each.location,
        )
        for each in by
        if each not in used and each.code in judged
    ]
    return Settled(tuple(kept), tuple(suppressed), tuple(unused))


def _problem(code: str, codes: Collection[str]) -> str | None:
    if code not in codes:
        return f"there is no code {code[:40]!r}"
    return f"{code} cannot be suppressed" if code in _NEVER else None


class _Index:
    """Suppressions by what they are about. Those of one kind never overlap in part."""

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

    def covering(self, finding: Diagnostic) -> list[Suppression]:
        """Find what covers a finding: of each kind, only what begins last can."""
        key = (finding.code, finding.location.file)
        found: list[Suppression] = []
        for kind, starting in self.groups.get(key, {}).items():
            begins = self.begins[key, kind]
            at = bisect_right(begins, finding.location.span[:2])
            last = starting[begins[at - 1]] if at else []
            found += (each for each in last if each.covers(finding))
        return found


def _asked(
    clusters: tuple[Cluster, ...], texts: Mapping[str, bytes], sources: dict[str, Source]
) -> Iterator[tuple[Suppression, str]]:
    """Find every suppression, and what is wrong with how it is written.

    Of more than `MOST` in one text or in one cluster's annotations the first count.
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
            yield each, f"more than {MOST} suppressions; from here on they do nothing"
            return
        yield each, problem


def _in_comments(file: str, cluster: str, source: Source) -> Iterator[tuple[Suppression, str]]:
    comments = [
        (comment, match)
        for comment in source.comments()
        for match in _COMMENT.finditer(comment.text)
    ]
    # Where a comment stands alone: the next line that holds something else.
    below: dict[int, int] = {}
    for comment, _ in reversed(comments):
        if comment.alone:
            below[comment.line] = below.get(comment.line + 1, comment.line + 1)
    for comment, match in comments:
        problem = ""
        if match["file"]:
            reach = ((1, 1), _EVERYWHERE)
            if not (comment.alone and comment.head):
                problem = "ignore-file must stand alone, before anything else in its file"
        else:
            line = below.get(comment.line, comment.line)
            reach = ((line, 1), (line + 1, 1))
        named = list(_CODE.finditer(match["codes"] or ""))
        if not named:
            problem = problem or "it names no code; write ignore[UPL104]"
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
    for each in _objects(cluster):
        if ANNOTATION in each.annotations:
            where = each.origin.locate("metadata", "annotations", ANNOTATION)
            span = each.origin.locate().span
            for code in dict.fromkeys(_CODE.findall(each.annotations[ANNOTATION])):
                yield Suppression(code, where, span[:2], span[2:], cluster.name)


def _owner(file: str, clusters: Iterable[Cluster]) -> str:
    """Name the cluster that a file belongs to, ``""`` if nothing was read of it."""
    for cluster in clusters:
        parts = (cluster.child_config, cluster.parent_config)
        origins = [each.origin for each in _objects(cluster)]
        origins += [part.origin for part in parts if part is not None]
        if any(origin.document.file == file for origin in origins):
            return cluster.name
    return ""


def _objects(cluster: Cluster) -> list[Uplink | IngressRoute | TraefikService]:
    return [*cluster.uplinks, *cluster.routers, *cluster.traefik_services]

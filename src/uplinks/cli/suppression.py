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
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from attrs import frozen

from uplinks.cli.selection import ALWAYS, nearest_code
from uplinks.diagnostics import Diagnostic, Location, Severity, Span
from uplinks.model import Cluster, IngressRoute, TraefikService, Uplink

if TYPE_CHECKING:
    from uplinks.manifest.source import Comment

__all__ = ["ANNOTATION", "UNKNOWN", "UNUSED", "Settled", "Suppression", "settle", "suppressions"]

ANNOTATION: Final = "uplinks/ignore"
UNUSED: Final = "UPL013"
UNKNOWN: Final = "UPL014"

_NEVER: Final = ALWAYS | {UNUSED, UNKNOWN}
_MARK: Final = b"uplinks: ignore"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_COMMENT: Final = re.compile(r"#\s*uplinks: ignore(?P<file>-file)?(?:\[(?P<codes>[^\]]*)\])?")
_CODE: Final = re.compile(r"[^\s,]+")
_EVERYWHERE: Final = (2**62, 0)

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
    clusters: Iterable[Cluster], texts: Mapping[str, bytes], codes: Collection[str]
) -> tuple[list[Suppression], list[Diagnostic]]:
    """Find every suppression, and what is wrong with those that can do nothing.

    ``codes`` are those that there are. Only texts that hold the mark are looked
    through. Complexity: O(bytes), and O(objects).
    """
    found: list[Suppression] = []
    wrong: list[Diagnostic] = []
    clusters = tuple(clusters)
    for file, data in texts.items():
        if _MARK in data or data[:2] in _UTF16:
            owner = _owner(file, clusters)
            for code, location, reach, problem in _in_comments(file, owner, data):
                _sort(code, location, reach, None, problem, codes, found, wrong)
    for cluster in clusters:
        for code, location, reach in _in_annotations(cluster):
            _sort(code, location, reach, cluster.name, "", codes, found, wrong)
    return found, wrong


def settle(
    findings: Iterable[Diagnostic],
    by: Iterable[Suppression],
    judged: Collection[str],
) -> Settled:
    """Take out what is suppressed; ``judged`` are the codes that were looked for.

    Complexity: O(findings · suppressions of one code in one file).
    """
    by = tuple(by)
    where: dict[tuple[str, str], list[Suppression]] = {}
    for each in by:
        where.setdefault((each.code, each.location.file), []).append(each)
    kept, suppressed, used = [], [], set()
    for finding in findings:
        covering = [
            each
            for each in where.get((finding.code, finding.location.file), ())
            if each.covers(finding)
        ]
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


def _sort(
    code: str,
    location: Location,
    reach: tuple[Place, Place],
    cluster: str | None,
    problem: str,
    codes: Collection[str],
    found: list[Suppression],
    wrong: list[Diagnostic],
) -> None:
    suggestion = None
    if not problem and code not in codes:
        problem = f"there is no code {code[:40]!r}"
        suggestion = nearest_code(code, codes)
    elif not problem and code in _NEVER:
        problem = f"{code} cannot be suppressed"
    if problem:
        severity = Severity.WARNING
        wrong.append(Diagnostic(UNKNOWN, severity, problem, location, suggestion=suggestion))
    else:
        found.append(Suppression(code, location, *reach, cluster))


Found = tuple[str, Location, tuple[Place, Place], str]


def _in_comments(file: str, cluster: str, data: bytes) -> Iterator[Found]:
    from uplinks.manifest.source import look_through  # noqa: PLC0415 - seldom needed

    comments = [
        (comment, match)
        for comment in look_through(data).comments()
        for match in _COMMENT.finditer(comment.text)
    ]
    alone = {comment.line for comment, _ in comments if comment.alone}
    for comment, match in comments:
        problem = ""
        if match["file"]:
            reach = ((1, 1), _EVERYWHERE)
            if not (comment.alone and comment.head):
                problem = "ignore-file must stand alone, before anything else in its file"
        else:
            line = comment.line
            while line in alone:
                line += 1
            reach = ((line, 1), (line + 1, 1))
        named = list(_CODE.finditer(match["codes"] or ""))
        if not named:
            problem = problem or "it names no code; write ignore[UPL104]"
            yield "", _at(file, cluster, comment, *match.span()), reach, problem
        for code in named:
            begin, end = (match.start("codes") + offset for offset in code.span())
            yield code[0], _at(file, cluster, comment, begin, end), reach, problem


def _at(file: str, cluster: str, comment: Comment, begin: int, end: int) -> Location:
    line, column = comment.line, comment.column
    return Location(cluster, file, Span(line, column + begin, line, column + end))


def _in_annotations(
    cluster: Cluster,
) -> Iterator[tuple[str, Location, tuple[Place, Place]]]:
    for each in _annotated(cluster):
        location = each.origin.locate("metadata", "annotations", ANNOTATION)
        span = each.origin.locate().span
        reach = (span[:2], span[2:])
        for code in _CODE.findall(each.annotations[ANNOTATION]):
            yield code, location, reach


def _annotated(cluster: Cluster) -> Iterator[Uplink | IngressRoute | TraefikService]:
    objects = (*cluster.uplinks, *cluster.routers, *cluster.traefik_services)
    return (each for each in objects if ANNOTATION in each.annotations)


def _owner(file: str, clusters: Iterable[Cluster]) -> str:
    """Name the cluster that a file belongs to, ``""`` if nothing was read of it."""
    for cluster in clusters:
        parts = (cluster.child_config, cluster.parent_config)
        objects = (*cluster.uplinks, *cluster.routers, *cluster.traefik_services)
        read = [*objects, *(part for part in parts if part is not None)]
        if any(each.origin.document.file == file for each in read):
            return cluster.name
    return ""

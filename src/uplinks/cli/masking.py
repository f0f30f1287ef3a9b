"""What an excerpt may show of a line, which may hold credentials anywhere.

Rules of this file:

1. Allow-lists only. Of a line are shown: punctuation, the names of known fields
   that a ``:`` follows, numbers behind fields of numbers, ``# uplinks: ignore``, and
   the diagnostic's own key or value.
2. A diagnostic's own value is shown only if its path is in `_VALUES`. It is one
   scalar on one line, behind its own key, and neither a URL with a user or query
   nor a rule for a header or query.
3. Nothing depends on how a parser reads the text around the line, which may be broken.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

from uplinks.addresses import without_userinfo
from uplinks.errors import is_one_word
from uplinks.grammar import is_field_name
from uplinks.manifest._masking import NUMBERS

__all__ = ["hidden"]

Range = tuple[int, int]

_REFERENCE: Final = (
    "kind name namespace nativeLB passHostHeader percent port scheme serversTransport strategy "
    "weight"
)
# The fields whose values may be shown, by the field that they are below. The keys
# below children and uplinkEntryPoints are chosen by users: there it is the next level.
_VALUES: Final = {
    parent: frozenset(fields.split())
    for parents, fields in {
        "": "apiVersion kind",
        "metadata": "name namespace",
        "annotations": "hub.traefik.io/router.uplinks uplinks/ignore",
        "spec": "entryPoints exposeName ingressClassName weight",
        "healthCheck": "followRedirects hostname interval method mode path port scheme status "
        "timeout unhealthyInterval",
        "passiveHealthCheck": "failureWindow maxFailedAttempts",
        "routes": "kind match priority syntax",
        "services service fallback mirroring mirrors backendRefs": _REFERENCE,
        "middlewares options parentRefs store": "name namespace",
        "errors": "status",
        "tls": "certResolver secretName",
        "domains": "main sans",
        "multicluster": "pollInterval pollTimeout",
        "children uplinkEntryPoints": "address asDefault serversTransport",
    }.items()
    for parent in parents.split() or [""]
}
_PARENTS: Final = _VALUES.keys() | {
    "failover", "highestRandomWeight", "hub", "items", "observability", "providers", "rules",
    "weighted",
}  # fmt: skip
_CHOSEN: Final = frozenset({"children", "uplinkEntryPoints"})
_FIELDS: Final = (_PARENTS | {"headers"}).union(*_VALUES.values()) - {""}
_CLOSE: Final = 0.8  # "wieght" is 0.83 like "weight"

_STEP: Final = re.compile(r'\.(\w+)|\["((?:[^"\\]|\\.)*)"\]|\[[0-9]+\]', re.DOTALL)
_RUN: Final = re.compile(
    r"""(?<!\S)\#.*|[^\s:,\[\]{}"'#](?:[^\s:,\[\]{}"'#]|:(?=[^\s,\[\]{}"'#]))*|\#""", re.DOTALL
)
_PUNCTUATION: Final = re.compile(r"[-?]|[|>][-+0-9]{0,2}|\#")
_HASH: Final = re.compile(r"(?<!\S)#")
_IGNORE: Final = re.compile(r"#\s*uplinks: ignore(?:-file)?(?:\[[\sA-Za-z0-9,]*\])?")
_KEY: Final = re.compile(r"""(?<![^\s{\["',])([-A-Za-z0-9_./~]+)["']?[ \t]*:""")
_NUMBER: Final = re.compile(
    r"""[ \t]*["']?(-?[0-9]{1,10}|([0-9]{1,6}(\.[0-9]{1,3})?(h|m|s|ms))+)"""
    r"""(?=["']?(?:[\s,\]}]|\Z))"""
)
_SCALAR: Final = re.compile(
    r"""(?![-?](?:\s|\Z))(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|"""
    r"""[^\s"'\[\]{}&*!|>%@`#,](?:(?!:\s|:\Z|\s\#).)*)"""
)
_COLON: Final = re.compile(r"[ \t]*:")
_VALUE_BEHIND: Final = re.compile(
    r"""["']?[ \t]*:[ \t]+("[^"\\]*"|'[^']*'|(?:(?![\[\]{},]|\s\#).)+?)[ \t]*(?=\Z|[,\]}]|\s\#)"""
)
_MATCHER: Final = re.compile("header|query|clientip", re.IGNORECASE)
_AROUND: Final = 200
_LONGEST_VALUE: Final = 4096


def hidden(line: str, start: int, end: int, path: str) -> list[Range]:
    """Find the ranges of a line that an excerpt must not show.

    ``start`` and ``end`` are the range of a diagnostic on the line and ``path`` is its
    field path; an empty range has no key and no value. The ranges are sorted and
    disjoint, and cover at most 200 characters on either side of ``start``.

    Law: no value of a header is shown, however the text around it is broken
    (``tests/laws/test_masking_laws.py``). Complexity: O(1), as little is read.

    >>> line = "  headers: {Authorization: Bearer abc}, weight: 5"
    >>> hidden(line, 12, 25, "$.spec.healthCheck.headers.Authorization")
    [(27, 37)]

    Source: YAML 1.2.2, chapters 5 to 7, for indicators and scalars.
    """
    begin, stop = max(0, start - _AROUND), min(len(line), start + _AROUND)
    shown = sorted([*_own(line, start, end, path), *_known(line, begin, stop)])
    ranges: list[Range] = []
    for match in _RUN.finditer(line, begin, stop):
        if _PUNCTUATION.fullmatch(match[0]):
            continue
        at = match.start() + match[0].startswith("#")
        for first, last in [*shown, (match.end(), match.end())]:
            if last < at or first > match.end():
                continue
            _add(ranges, line, at, first)
            at = max(at, last)
    return ranges


def _add(ranges: list[Range], line: str, begin: int, end: int) -> None:
    text = line[begin:end]
    if not text.strip(" \t:"):
        return
    begin += len(text) - len(text.lstrip())
    if ranges and not line[ranges[-1][1] : begin].strip():
        begin = ranges.pop()[0]
    ranges.append((begin, end))


def _known(line: str, begin: int, stop: int) -> Iterator[Range]:
    """Find the known fields with their numbers, and the comments of ours."""
    comment = _HASH.search(line, begin, stop)
    for match in _KEY.finditer(line, begin, comment.start() if comment else stop):
        if not _is_close(match[1]):
            continue
        yield match.span(1)
        number = _NUMBER.match(line, match.end(), stop) if match[1] in NUMBERS else None
        if number is not None and (number.end() < stop or stop == len(line)):
            yield number.span()
    for match in _IGNORE.finditer(line, begin, stop):
        yield match.span()


def _is_close(name: str) -> bool:
    return name in _FIELDS or bool(difflib.get_close_matches(name[:40], _FIELDS, 1, _CLOSE))


def _own(line: str, start: int, end: int, path: str) -> Iterator[Range]:
    """Find a diagnostic's own key, or value, if they may be shown."""
    text = line[start:end]
    if not text or len(text) > _LONGEST_VALUE:
        return
    steps = [step[1] or step[2] for step in _STEP.finditer(path)]
    names = [step for step in steps if step is not None]
    if not names:
        return
    bare = text.strip("\"'")
    is_key = _COLON.match(line, end) is not None
    if is_key and bare == names[-1] and is_field_name(bare):
        yield start, end
        value = _VALUE_BEHIND.match(line, end)
        if value is not None and _may_be_shown(names, value[1]):
            yield value.span(1)
    elif _may_be_shown(names, text) and (steps[-1] is None or _is_behind(line, start, names[-1])):
        yield start, end


def _is_behind(line: str, start: int, name: str) -> bool:
    before = line[:start].rstrip(" \t").removesuffix(":").rstrip(" \t\"'")
    return before.endswith(name) and _KEY.match(line, len(before) - len(name), start) is not None


def _may_be_shown(names: list[str], text: str) -> bool:
    """Check a value by its path and its text."""
    *above, name = names
    if len(above) > 1 and above[-2] in _CHOSEN:
        above.pop()
    elif above and above[-1] in _CHOSEN:
        return False
    if not _PARENTS.issuperset(above):
        return False
    parent = above[-1] if above and above != ["items"] else ""
    if name not in _VALUES.get(parent, ()) or not _SCALAR.fullmatch(text):
        return False
    if name in NUMBERS and not is_one_word(text):
        return False
    if name == "match":
        return _MATCHER.search(text) is None
    text = text.strip("\"'")
    like_a_url = name in {"address", "hostname"} or "//" in text or "?" in text
    return not like_a_url or without_userinfo(text) == text

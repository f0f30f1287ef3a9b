"""Edits of manifests: what ``--fix`` writes, ``--diff`` shows, and SARIF suggests.

Rules of this file:

1. An edit replaces one key or scalar at its exact place, if the text there is what the
   finding says. Everything else in the file stays as it is, byte by byte.
2. An edited text is read again, and edits after which it cannot be read are dropped: two
   corrections may give one mapping the same key, and one of them is wrong.
3. Then all is checked again, as a correction may show another mistake, until nothing is
   left.
4. Files are written together, each as a whole, after all edits are known; never if one of
   them has changed meanwhile.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from attrs import field, frozen

from uplinks.cli.console import UsageError, printable
from uplinks.cli.excerpt import CUT
from uplinks.cli.findings import counted
from uplinks.cli.formats import Result
from uplinks.cli.inputs import STDIN, Place
from uplinks.cli.masking import hidden
from uplinks.cli.source import Source, look_through
from uplinks.diagnostics import MASK, Diagnostic, Fix, Span
from uplinks.manifest import UNREAD, _scalars
from uplinks.parsing import parse_manifests

__all__ = ["Edit", "Fixed", "edits_of", "fix", "format_diff", "write"]

_ROUNDS: Final = 10
# How often edits are dropped before a file is left as it is.
_TRIALS: Final = 5
_AROUND: Final = 80
_ALWAYS_PLAIN: Final = frozenset("-_./@")
_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ENCODINGS: Final = ("utf-8", "utf-16-le", "utf-16-be")


@frozen
class Edit:
    """Text for a place of a file. ``line`` is the line before, ``path`` that of the finding."""

    file: str
    span: Span
    text: str
    path: str = "$"
    line: str = field(default="", repr=False)


@frozen
class Fixed:
    """What fixing leads to: the places as they are then, the check's result, and the edits.

    ``changed`` has the old and the new bytes of each file.
    """

    places: Sequence[Place]
    result: Result
    changed: Mapping[str, tuple[bytes, bytes]]
    edits: tuple[Edit, ...]

    @property
    def summary(self) -> str:
        """The number of edits and files, as text."""
        files = counted(len(self.changed), "file")
        return f"{counted(len(self.edits), 'fix', 'fixes')} in {files}"


def edits_of(findings: Iterable[Diagnostic], texts: Mapping[str, bytes]) -> list[Edit | None]:
    """Give the edit of each finding, ``None`` where there is not exactly one right edit.

    Complexity: O(findings + bytes of the files with edits).
    """
    sources: dict[str, Source] = {}
    edits = [_edit(finding, texts, sources) for finding in findings]
    by_file: dict[str, list[Edit]] = {}
    for edit in edits:
        if edit is not None:
            by_file.setdefault(edit.file, []).append(edit)
    sound = {
        (edit.file, edit.span, edit.text)
        for file, some in by_file.items()
        for edit in _edited(file, texts[file], some)[1]
    }
    return [
        edit if edit is not None and (edit.file, edit.span, edit.text) in sound else None
        for edit in edits
    ]


def _edit(
    finding: Diagnostic, texts: Mapping[str, bytes], sources: dict[str, Source]
) -> Edit | None:
    file, span = finding.location.file, finding.location.span
    if finding.fix is None or file not in texts or span.line != span.end_line:
        return None
    if file not in sources:
        sources[file] = look_through(texts[file])
    line = sources[file].line(span.line)
    text = _rewrite(line[span.column - 1 : span.end_column - 1], finding.fix)
    return None if text is None else Edit(file, span, text, finding.location.path, line)


def _rewrite(written: str, fix: Fix) -> str | None:
    """Write the new value as the old one is written; ``None`` if that is another value."""
    quote = written[:1] if written[:1] in {"'", '"'} and written[:1] == written[-1:] else ""
    # Escaped text, an alias, a tag and a block scalar differ from the value here.
    if written[len(quote) : len(written) - len(quote)] != fix.old or "\\" in fix.old:
        return None
    new = fix.new
    if not isinstance(new, str):
        return json.dumps(new)
    if quote:
        return None if quote in new or "\\" in new else f"{quote}{new}{quote}"
    # What stands unquoted here already may do so again.
    strange = {c for c in new if not c.isalnum()} - _ALWAYS_PLAIN - set(fix.old)
    is_plain = not strange and new[:1].isalnum() and isinstance(_scalars.resolve(new), str)
    return new if is_plain else json.dumps(new)


# --- applying ---------------------------------------------------------------


def fix(
    places: Sequence[Place], result: Result, judge: Callable[[Sequence[Place]], Result]
) -> Fixed:
    """Edit the texts of all places until no finding has an edit, without writing a file.

    ``result`` is that of the places, ``judge`` checks places.
    """
    before = {file: data for place in places for file, data in place.texts.items()}
    done: list[Edit] = []
    for _ in range(_ROUNDS):
        texts = {file: data for place in places for file, data in place.texts.items()}
        by_file: dict[str, list[Edit]] = {}
        for edit in edits_of(result.report, texts):
            if edit is not None:
                by_file.setdefault(edit.file, []).append(edit)
        changed = {}
        for file, edits in by_file.items():
            changed[file], applied = _edited(file, texts[file], edits)
            done += applied
        if not changed:
            break
        places = [place.again(changed) for place in places]
        result = judge(places)
    after = {file: data for place in places for file, data in place.texts.items()}
    both = {file: (before[file], data) for file, data in after.items() if before[file] != data}
    return Fixed(places, result, both, tuple(done))


def _edited(file: str, data: bytes, edits: Sequence[Edit]) -> tuple[bytes, list[Edit]]:
    """Apply the edits after which the file can be read as well as before."""
    mark, encoding = _encoding(data)
    text = data[len(mark) :].decode(encoding, "surrogateescape")
    if mark + text.encode(encoding, "surrogateescape") != data:
        return data, []
    kept = _not_overlapping(edits)
    before = _unread(data, file)
    for _ in range(_TRIALS):
        new = mark + _applied(text, kept).encode(encoding, "surrogateescape")
        # An edit stays on its line.
        broken = {line for each in _unread(new, file) - before for line in each}
        if not broken:
            return new, kept
        kept = [edit for edit in kept if edit.span.line not in broken]
    return data, []


def _encoding(data: bytes) -> tuple[bytes, str]:
    for mark, encoding in zip(_MARKS, _ENCODINGS, strict=True):
        if data.startswith(mark):
            return mark, encoding
    return b"", "utf-8"


def _not_overlapping(edits: Iterable[Edit]) -> list[Edit]:
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda each: each.span):
        if not kept or kept[-1].span[2:] <= edit.span[:2]:
            kept.append(edit)
    return kept


def _unread(data: bytes, file: str) -> set[tuple[int, ...]]:
    """Find what cannot be read, as the lines of each mistake."""
    return {
        (each.location.span.line, *(other.location.span.line for other in each.related))
        for each in parse_manifests(data, source=file).diagnostics
        if each.code in UNREAD
    }


def _applied(text: str, edits: Sequence[Edit]) -> str:
    source = look_through(text)
    parts, at = [], 0
    for edit in edits:
        begin, end = (
            source.offset(*place) + text.startswith("\ufeff")
            for place in (edit.span[:2], edit.span[2:])
        )
        parts += [text[at:begin], edit.text]
        at = end
    return "".join([*parts, text[at:]])


# --- writing ----------------------------------------------------------------


def write(changed: Mapping[str, tuple[bytes, bytes]]) -> None:
    """Write all changed files, or none. Raises: UsageError."""
    from uplinks.cli import output  # noqa: PLC0415 - seldom needed

    if STDIN in changed:
        raise UsageError("standard input cannot be fixed; use --diff, or name a file")
    wanted: dict[str, tuple[bytes, bytes]] = {}
    for file, both in changed.items():
        target = os.path.realpath(file)
        if wanted.setdefault(target, both) != both:
            raise UsageError(f"{file}: read twice, with two different fixes; name it once")
    for target, (old, _) in wanted.items():
        try:
            with open(target, "rb") as file_now:  # noqa: PTH123 - text, not a path
                same = os.path.isfile(target) and file_now.read() == old  # noqa: PTH113
        except OSError as error:
            raise UsageError(f"{target}: cannot read: {error.strerror}") from None
        if not same:
            raise UsageError(f"{target}: changed while it was checked; nothing is fixed")
    output.write_all({target: new for target, (_, new) in wanted.items()})


def format_diff(edits: Iterable[Edit]) -> str:
    """Show each edit as a hunk of a unified diff without context.

    What may be a credential is masked as in an excerpt, so it is for people, not for
    ``patch``.
    """
    parts: list[str] = []
    file = None
    for edit in sorted(edits, key=lambda each: (each.file, each.span)):
        if edit.file != file:
            file = edit.file
            parts.append(f"--- {printable(file)}\n+++ {printable(file)}\n")
        begin, end, number = edit.span.column - 1, edit.span.end_column - 1, edit.span.line
        after = edit.line[:begin] + edit.text + edit.line[end:]
        parts.append(f"@@ -{number} +{number} @@\n")
        parts.append(f"-{_masked(edit.line, begin, end, edit.path)}\n")
        parts.append(f"+{_masked(after, begin, begin + len(edit.text), edit.path)}\n")
    return "".join(parts)


def _masked(line: str, begin: int, end: int, path: str) -> str:
    """Show what is around an edit, but for what may be a credential."""
    at, stop = max(0, begin - _AROUND), min(len(line), end + _AROUND)
    parts = [CUT] if at else []
    for first, last in hidden(line, begin, end, path):
        if at < last and first < stop:
            parts += [printable(line[at:first]), MASK]
            at = last
    return "".join([*parts, printable(line[at:stop]), CUT if stop < len(line) else ""])

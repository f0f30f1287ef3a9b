"""Text to located trees: YAML and JSON, read as Kubernetes reads them, and TOML.

Rules of this package:

1. Bad text is a diagnostic with a place, never an exception. No text causes
   recursion, in Python or in C, and none causes work beyond `Limits`.
2. A scalar means what it means to the API server, which reads YAML through
   sigs.k8s.io/yaml (see ``_scalars``). Quoted and block scalars are strings. An octal
   number in a field of numbers (``weight: 012``) is a warning.
3. A key is the string that JSON has for it (``8080:`` is ``"8080"``, ``on:`` is ``"true"``). A
   null key and a key that is a mapping or list are errors.
4. An alias stands for its anchored node, a merge key (``<<``) for the entries of its
   mappings. An alias costs as much as a copy, so a bomb exceeds the limits. Tags of the
   user's own are errors.
5. As many problems as possible are reported at once. A duplicate key keeps its
   first value and its document. Any other error drops its document, and reading
   continues with the next one. A syntax error or an exceeded limit ends the
   reading; the documents before it are kept.
6. Places count Unicode code points from 1. A byte order mark has no width. A
   block mapping or list ends where its last value ends. A node's tag and anchor
   belong to its place.
7. Empty documents are left out, as kubectl does.
8. No diagnostic shows what may be a credential (see ``_masking``), nor the name of
   an alias or a tag, which may be an unquoted value.

``_text`` decodes, ``_libyaml`` parses, ``_builder`` makes trees of the events (with
``_scalars``), ``_toml`` reads TOML, ``_findings`` reports. All use ``_limits`` and
``_masking``. ``fragments`` reads large JSON texts in parts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from uplinks.diagnostics import LIMIT_EXCEEDED, Diagnostic
from uplinks.located import Document
from uplinks.manifest import _libyaml, _text
from uplinks.manifest._builder import TreeBuilder
from uplinks.manifest._findings import ALIAS, DUPLICATE_KEY, SYNTAX, Findings, LimitError
from uplinks.manifest._limits import Limits

__all__ = ["PARSER", "UNREAD", "Documents", "Limits", "read", "read_toml"]

PARSER: Final = "libyaml" if hasattr(_libyaml.libyaml, "CParser") else "python"
"""The parser in use: ``"libyaml"``, or ``"python"`` (about 20 times slower)."""

UNREAD: Final = frozenset({SYNTAX, DUPLICATE_KEY, ALIAS, LIMIT_EXCEEDED})
"""The codes of text that was not read, or only in part."""

_DEFAULT_LIMITS: Final = Limits()


@frozen
class Documents:
    """The located tree of one text: its valid documents, and all diagnostics."""

    documents: tuple[Document, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def read(
    data: bytes | bytearray | memoryview | str,
    file: str = "",
    limits: Limits = _DEFAULT_LIMITS,
    *,
    cluster: str = "",
) -> Documents:
    r"""Read all documents of a YAML or JSON text.

    Bytes are UTF-8, or UTF-16 with a byte order mark. ``file`` and ``cluster`` name
    the text in every place.
    Codes: ``UPL001`` (syntax, encoding, key or tag), ``UPL002`` (duplicate
    key), ``UPL003`` (alias, merge key), ``UPL004`` (limit), ``UPL009``
    (octal number, a warning).

    Laws (tests/laws/test_manifest_laws.py): never raises on any text; every
    place lies within the text; what ``json.dumps`` writes is read back equal.
    Complexity: O(len(data)), in time and in space. Raises `TypeError` for anything
    but ``str`` and bytes.

    >>> [document] = read("weight: 5\nactive: yes\n", "u.yaml").documents
    >>> document.root
    {'weight': 5, 'active': True}
    >>> document.root.marks["weight"][1]
    Span(line=1, column=9, end_line=1, end_column=10)
    >>> read("a: *x", "u.yaml").diagnostics[0].message
    'an alias has no anchor; write out the value'

    Source: YAML 1.1; RFC 8259; sigs.k8s.io/yaml.
    """
    data = _bytes_or_str(data)
    size = _text.size(data)
    text, unreadable = ("", "") if size > limits.size else _text.decode(data)
    findings = Findings(file, cluster, limits.findings, _text.end(text))
    builder = TreeBuilder(findings, limits, size, truncated=bool(unreadable))
    parse_errors = (_libyaml.libyaml.YAMLError, ValueError, OverflowError)
    with contextlib.suppress(LimitError):
        if size > limits.size:
            findings.stop(f"the text has {size} bytes, more than {limits.size}")
        if _text.tag_directives(text) > limits.directives:
            findings.stop(f"more than {limits.directives} %TAG directives")
        try:
            builder.build(_events(text))
        except parse_errors as error:
            depth = _too_deep(error)
            if depth is not None:
                # libyaml refuses depth while looking ahead, perhaps before the first event.
                # A lower limit of ours is met on the way there, at its own place.
                findings.diagnostics.clear()
                builder = TreeBuilder(findings, limits, size, truncated=True)
                with contextlib.suppress(*parse_errors):
                    builder.build(_events(text[:depth]))
            # A truncated text has an error where it was cut, which is reported below.
            if not unreadable or depth is not None:
                findings.syntax_error(error, builder.container_path())
        if unreadable:
            findings.add(SYNTAX, unreadable, findings.point(*findings.end))
    return Documents(tuple(builder.documents), tuple(findings.diagnostics))


def _bytes_or_str(data: object) -> bytes | str:
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    if not isinstance(data, bytes | str):
        raise TypeError(f"a manifest must be str or bytes, got {type(data).__name__}")
    return data


def read_toml(
    data: bytes | bytearray | memoryview | str,
    file: str = "",
    limits: Limits = _DEFAULT_LIMITS,
    *,
    cluster: str = "",
) -> Documents:
    r"""Read a TOML text, which is one document; an empty one is none.

    As `read`, but for the codes: ``UPL001`` (syntax or encoding) and ``UPL004`` (limit).

    >>> [document] = read_toml("[hub.uplinkEntryPoints.up]\naddress = ':9443'", "t.toml").documents
    >>> document.root["hub"]["uplinkEntryPoints"]["up"].marks["address"][1]
    Span(line=2, column=11, end_line=2, end_column=18)

    Source: TOML 1.0.
    """
    from uplinks.manifest import _toml  # noqa: PLC0415 - few fleets have TOML

    data = _bytes_or_str(data)
    size = _text.size(data)
    text, unreadable = ("", "") if size > limits.size else _text.decode(data)
    last = text.rfind("\n") + 1  # no other character ends a line in TOML
    end = (text.count("\n") + 1, len(text) - last + 1)
    findings = Findings(file, cluster, limits.findings, end)
    documents: list[Document] = []
    with contextlib.suppress(LimitError):
        if size > limits.size:
            findings.stop(f"the text has {size} bytes, more than {limits.size}")
        if unreadable:
            findings.add(SYNTAX, unreadable, findings.point(*findings.end))
        else:
            document = _toml.read_document(text, findings, limits, size)
            documents += [] if document is None else [document]
    return Documents(tuple(documents), tuple(findings.diagnostics))


def _events(text: str) -> Callable[[], Any]:
    """Parse text: each call gives the next event, ``None`` at the end."""
    text, has_pairs = _text.hide_pairs(text)
    get_event: Callable[[], Any] = _libyaml.parser_of(text).get_event
    if not has_pairs:
        return get_event

    scalar_event = _libyaml.libyaml.ScalarEvent

    def get_revealed_event() -> Any:
        event = get_event()
        if type(event) is scalar_event:
            event.value = _text.reveal_pairs(event.value, escaped=event.style == '"')
        return event

    return get_revealed_event


def _too_deep(error: Exception) -> int | None:
    """Give the offset at which libyaml (0.2.6 and later) refused to nest deeper, or ``None``."""
    if getattr(error, "problem", None) != "exceeded maximum nesting depth":
        return None
    mark: Any = getattr(error, "problem_mark", None)
    return None if mark is None else int(mark.index)

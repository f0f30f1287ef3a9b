r"""Write plain data as YAML that every reader understands the same way.

Children choose many of the strings in the output, and Traefik's file provider
runs Go templates over a file before it reads it. So a string never contains
``{{``: the first brace is written as an escape. Strings are quoted, because a
plain ``1e3`` or ``on`` is a string in YAML 1.1 and a number or boolean in
YAML 1.2, or the reverse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

__all__ = ["dump"]

_INDENT: Final = "  "

# Field names. No reader takes them for anything but strings.
_PLAIN_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{2,}")
_RESERVED: Final = frozenset({"true", "false", "null", "yes", "off"})

_OPENER: Final = re.compile(r"\{(?=\{)")
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNSAFE: Final = re.compile(r"[^ !#-\[\]-~]")
_TWO_DIGITS: Final = 0xFF
_FOUR_DIGITS: Final = 0xFFFF
_SURROGATES: Final = range(0xD800, 0xE000)


def dump(data: Any) -> str:
    r"""Write mappings, sequences, strings, integers, booleans and ``None`` as YAML.

    Keys are sorted, strings are double-quoted ASCII on one line, and the text
    ends with a line feed.

    Half of a surrogate pair is no character and becomes U+FFFD.

    Law: a YAML 1.1 and a YAML 1.2 reader both give back equal data; the text has
    no ``{{``; equal data gives equal texts (``tests/render/test_hostile.py``).
    Complexity: O(size · log size). Raises: TypeError for any other type.

    >>> print(dump({"http": {"services": {}, "1e3": ["on", 1]}}), end="")
    http:
      "1e3":
      - "on"
      - 1
      services: {}
    >>> print(dump({"name": '{{ env "A" }}'}), end="")
    name: "\x7B{ env \"A\" }}"

    Source: YAML 1.2.2, section 5.7.
    """
    if _is_nested(data) and data:
        return "\n".join(_lines(data, "")) + "\n"
    return _scalar(data) + "\n"


def _is_nested(data: Any) -> bool:
    return isinstance(data, Mapping | Sequence) and not isinstance(data, str | bytes)


def _lines(data: Any, indent: str) -> Iterator[str]:
    """Write a collection that is not empty, in block style."""
    if isinstance(data, Mapping):
        for name in sorted(data):
            yield from _entry(f"{indent}{_key(name)}:", data[name], indent)
    else:
        for item in data:
            yield from _item(item, indent)


def _entry(start: str, value: Any, indent: str) -> Iterator[str]:
    if _is_nested(value) and value:
        yield start
        # A list is not indented below its key, as kubectl writes it.
        deeper = indent + _INDENT if isinstance(value, Mapping) else indent
        yield from _lines(value, deeper)
    else:
        yield f"{start} {_scalar(value)}"


def _item(item: Any, indent: str) -> Iterator[str]:
    if _is_nested(item) and item:
        first, *others = _lines(item, indent + _INDENT)
        yield f"{indent}- {first[len(indent) + len(_INDENT) :]}"
        yield from others
    else:
        yield f"{indent}- {_scalar(item)}"


def _key(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a key must be a string, got {type(name).__name__}")
    plain = _PLAIN_KEY.fullmatch(name) is not None and name.lower() not in _RESERVED
    return name if plain else _quoted(name)


def _scalar(value: Any) -> str:
    match value:
        case str():
            return _quoted(value)
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case None:
            return "null"
        case Mapping():
            return "{}"
        case Sequence() if not isinstance(value, bytes):
            return "[]"
        case _:
            raise TypeError(f"cannot write a {type(value).__name__}")


def _quoted(text: str) -> str:
    escaped = _UNSAFE.sub(_escape, text)
    return '"' + _OPENER.sub(r"\\x7B", escaped) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if code in _SURROGATES:
        code = 0xFFFD  # half a character: Traefik would refuse the whole file
    if code <= _TWO_DIGITS:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= _FOUR_DIGITS else f"\\U{code:08X}"

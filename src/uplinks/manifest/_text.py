r"""From bytes to characters, and where characters stand.

Rules of this file:

1. What cannot be read ends the text; the text before it is still good.
2. A line ends where YAML 1.1 ends one: at ``\n``, ``\r\n``, ``\r``, U+0085,
   U+2028 and U+2029. A byte order mark is not a character of the text.
3. JSON may write one character as the escapes of two surrogates; YAML may not.
   Stand-ins of the same width get such a pair past the YAML parser, so that
   all places stay true.
"""

from __future__ import annotations

import codecs
import re
from functools import cache
from typing import Final

__all__ = [
    "decode",
    "end",
    "hide_pairs",
    "most_documents",
    "most_nodes",
    "reveal_pairs",
    "size",
    "tag_directives",
]

_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BREAKS: Final = ("\n", "\r", "\x85", "\u2028", "\u2029")
_PLAIN: Final = b"\t\n\r" + bytes(range(0x20, 0x7F))
_TAG_DIRECTIVE: Final = re.compile("(?:^|[\n\r\x85\u2028\u2029])%TAG")


def size(data: bytes | str) -> int:
    """Count the bytes of a text, in UTF-8 if it is a ``str``."""
    return len(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))


def most_nodes(size: int, limit: int) -> int:
    """Say how many nodes a text of a size may have: the densest JSON of ours has one for 7 bytes.

    >>> most_nodes(1_000_000, 300_000), most_nodes(16_000_000, 300_000)
    (191666, 300000)
    """
    return min(limit, 25_000 + size // 6)


def most_documents(size: int, limit: int) -> int:
    """Say how many documents a text of a size may have: an object takes more than 64 bytes.

    >>> most_documents(1_000_000, 50_000), most_documents(16_000_000, 50_000)
    (16625, 50000)
    """
    return min(limit, 1000 + size // 64)


def decode(data: bytes | str) -> tuple[str, str]:
    r"""Give the text up to the first thing that is none, and what is wrong with that.

    >>> decode(b"a: \xff")
    ('a: ', 'this is not UTF-8: invalid start byte')
    >>> decode("\ufeffa: b")
    ('a: b', '')
    """
    problem = ""
    if isinstance(data, bytes) and not data.translate(None, _PLAIN):
        return data.decode("ascii"), ""
    if isinstance(data, str):
        text = data
    else:
        encoding = _UTF16.get(data[:2], "utf-8")
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            problem = f"this is not {encoding[:6].rstrip('-').upper()}: {error.reason}"
            text = data[: error.start].decode(encoding)
    text = text.removeprefix("\ufeff")
    if match := _unreadable().search(text):
        problem = f"the character U+{ord(match[0]):04X} may not stand in YAML; escape it"
        text = text[: match.start()]
    return text, problem


@cache  # made when it is needed: the ranges are long, and most texts are ASCII
def _unreadable() -> re.Pattern[str]:
    return re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def end(text: str) -> tuple[int, int]:
    r"""Tell the line and column just behind a text, both from 1.

    >>> end("a: 1\r\nb")
    (2, 2)
    """
    breaks = sum(map(text.count, _BREAKS)) - text.count("\r\n")
    return breaks + 1, len(text) - max(map(text.rfind, _BREAKS))


def tag_directives(text: str) -> int:
    """Count the lines that begin like a ``%TAG`` directive."""
    return len(_TAG_DIRECTIVE.findall(text)) if "%TAG" in text else 0


# d8 … db (a high surrogate) and dc … df (a low one) become e0 … e3 and e4 … e7,
# which are private: nobody else may mean anything by them.
_LOWER: Final = dict(zip(("d8", "d9", "da", "db", "dc", "dd", "de", "df"), range(8), strict=True))
_STAND_INS: Final = {
    **{half: f"e{digit}" for half, digit in _LOWER.items()},
    **{half.upper(): f"E{digit}" for half, digit in _LOWER.items()},
}
_STOOD_FOR: Final = {stand_in: half for half, stand_in in _STAND_INS.items()}
_PAIR: Final = re.compile(
    r"(?<!\\)((?:\\\\)*\\u)(d[89ab]|D[89AB])([0-9a-fA-F]{2}\\u)(d[c-f]|D[C-F])(?=[0-9a-fA-F]{2})"
)
_TAKEN: Final = re.compile("[\ue000-\ue7ff]|" + r"\\(?:u|U0000)[eE][0-7]")
_HIDDEN: Final = re.compile("([\ue000-\ue3ff])([\ue400-\ue7ff])")
_HIDDEN_ESCAPES: Final = re.compile(r"(\\u)([eE][0-3])([0-9a-fA-F]{2}\\u)([eE][4-7])")


def hide_pairs(text: str) -> tuple[str, bool]:
    r"""Put stand-ins for escaped surrogate pairs; say whether there were any.

    A text that uses the stand-ins itself is left alone (and the parser will
    refuse its pairs).

    >>> hide_pairs(r'"\ud83d\ude00"')
    ('"\\ue03d\\ue600"', True)
    """
    if "\\ud" not in text and "\\uD" not in text:
        return text, False
    hidden, count = _PAIR.subn(
        lambda m: m[1] + _STAND_INS[m[2]] + m[3] + _STAND_INS[m[4]],
        text,
    )
    return (text, False) if count == 0 or _TAKEN.search(text) else (hidden, True)


def reveal_pairs(value: str, *, escaped: bool) -> str:
    """Undo `hide_pairs` in one scalar.

    ``escaped``: the scalar's style has escapes, so the parser has made
    characters of them; otherwise they are still written out.

    >>> reveal_pairs(chr(0xE03D) + chr(0xE600), escaped=True) == chr(0x1F600)
    True
    """
    if escaped:
        return _HIDDEN.sub(
            lambda m: chr(0x10000 + ((ord(m[1]) - 0xE000) << 10) + ord(m[2]) - 0xE400), value
        )
    return _HIDDEN_ESCAPES.sub(
        lambda m: m[1] + _STOOD_FOR[m[2]] + m[3] + _STOOD_FOR[m[4]],
        value,
    )

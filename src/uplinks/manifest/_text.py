r"""From bytes to characters, lines and columns.

Text ends before its first unreadable byte or character. Lines end as in YAML 1.1:
at ``\n``, ``\r\n``, ``\r``, U+0085, U+2028 and U+2029. A byte order mark is not part of
the text.

JSON may escape one character as a pair of surrogates, YAML may not. Such a pair is
replaced by private characters of the same width before parsing (`hide_pairs`) and put
back in each scalar (`reveal_pairs`), so that all places stay correct.
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
    "reveal_pairs",
    "size",
    "tag_directives",
]

_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BREAKS: Final = ("\n", "\r", "\x85", "\u2028", "\u2029")
_PLAIN: Final = b"\t\n\r" + bytes(range(0x20, 0x7F))
_TAG_DIRECTIVE: Final = re.compile("(?:^|[\n\r\x85\u2028\u2029])%TAG")


def size(data: bytes | str) -> int:
    """Count the bytes of text, in UTF-8 if it is a ``str``."""
    return len(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))


def decode(data: bytes | str) -> tuple[str, str]:
    r"""Give the text up to its first unreadable part, and what is wrong with that part.

    >>> decode(b"a: \xff")
    ('a: ', 'the text is not UTF-8: invalid start byte')
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
            problem = f"the text is not {encoding[:6].rstrip('-').upper()}: {error.reason}"
            text = data[: error.start].decode(encoding)
    text = text.removeprefix("\ufeff")
    if match := _unreadable().search(text):
        problem = f"the character U+{ord(match[0]):04X} is not valid in YAML; escape it"
        text = text[: match.start()]
    return text, problem


@cache  # compiled when needed: the ranges are long, and most texts are ASCII
def _unreadable() -> re.Pattern[str]:
    return re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def end(text: str) -> tuple[int, int]:
    r"""Give the line and column just after the text, both from 1.

    >>> end("a: 1\r\nb")
    (2, 2)
    """
    breaks = sum(map(text.count, _BREAKS)) - text.count("\r\n")
    return breaks + 1, len(text) - max(map(text.rfind, _BREAKS))


def tag_directives(text: str) -> int:
    """Count the lines that begin like a ``%TAG`` directive."""
    return len(_TAG_DIRECTIVE.findall(text)) if "%TAG" in text else 0


# d8 … db (a high surrogate) and dc … df (a low one) become e0 … e3 and e4 … e7, which
# are for private use.
_HEX_DIGITS: Final = dict(
    zip(("d8", "d9", "da", "db", "dc", "dd", "de", "df"), range(8), strict=True)
)
_STAND_INS: Final = {
    **{half: f"e{digit}" for half, digit in _HEX_DIGITS.items()},
    **{half.upper(): f"E{digit}" for half, digit in _HEX_DIGITS.items()},
}
_HALVES: Final = {stand_in: half for half, stand_in in _STAND_INS.items()}
_PAIR: Final = re.compile(
    r"(?<!\\)((?:\\\\)*\\u)(d[89ab]|D[89AB])([0-9a-fA-F]{2}\\u)(d[c-f]|D[C-F])(?=[0-9a-fA-F]{2})"
)
_USES_STAND_INS: Final = re.compile("[\ue000-\ue7ff]|" + r"\\(?:u|U0000)[eE][0-7]")
_HIDDEN: Final = re.compile("([\ue000-\ue3ff])([\ue400-\ue7ff])")
_HIDDEN_ESCAPES: Final = re.compile(r"(\\u)([eE][0-3])([0-9a-fA-F]{2}\\u)([eE][4-7])")


def hide_pairs(text: str) -> tuple[str, bool]:
    r"""Replace escaped surrogate pairs by stand-ins; return whether there were any.

    Text that already contains the stand-ins is left as it is, so the parser refuses
    its pairs.

    >>> hide_pairs(r'"\ud83d\ude00"')
    ('"\\ue03d\\ue600"', True)
    """
    if "\\ud" not in text and "\\uD" not in text:
        return text, False
    hidden, count = _PAIR.subn(
        lambda m: m[1] + _STAND_INS[m[2]] + m[3] + _STAND_INS[m[4]],
        text,
    )
    return (text, False) if count == 0 or _USES_STAND_INS.search(text) else (hidden, True)


def reveal_pairs(value: str, *, escaped: bool) -> str:
    """Undo `hide_pairs` in one scalar.

    ``escaped``: the scalar's style has escapes, so the parser has decoded them;
    otherwise they are still written out.

    >>> reveal_pairs(chr(0xE03D) + chr(0xE600), escaped=True) == chr(0x1F600)
    True
    """
    if escaped:
        return _HIDDEN.sub(
            lambda m: chr(0x10000 + ((ord(m[1]) - 0xE000) << 10) + ord(m[2]) - 0xE400), value
        )
    return _HIDDEN_ESCAPES.sub(
        lambda m: m[1] + _HALVES[m[2]] + m[3] + _HALVES[m[4]],
        value,
    )

"""What a plain scalar means.

Rules of this file:

1. Kubernetes decides: null, booleans and numbers are those of JSON, in the
   spellings that its YAML readers agree on. Everything else is text.
2. Where YAML 1.1 would see something else than text, that is said.
3. No scalar is too long: what Python would refuse to convert stays text.
"""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["NUMERIC", "ODD_KEYS", "WORDS", "resolve"]

_NULLS: Final = ("", "~", "null", "Null", "NULL")
_SWITCHES: Final = ("y", "n", "yes", "no", "on", "off")

WORDS: Final[dict[str, tuple[Any, str]]] = {
    **dict.fromkeys(_NULLS, (None, "")),
    **dict.fromkeys(("true", "True", "TRUE"), (True, "")),
    **dict.fromkeys(("false", "False", "FALSE"), (False, "")),
    **{
        word: (word, "a boolean")
        for base in _SWITCHES
        for word in (base, base.capitalize(), base.upper())
    },
}
"""Each word that is not simply text: its value, and what YAML 1.1 sees if not that."""

ODD_KEYS: Final = frozenset({"<<", *_NULLS})
"""The plain scalars that cannot be keys."""

NUMERIC: Final = frozenset("+-.0123456789")
"""How a scalar begins that may be a number to somebody."""

# Python refuses to convert longer digit strings where a program has lowered
# its limit as far as it goes; nobody writes a number like that.
_LONGEST_NUMBER: Final = 640

_INFINITE: Final = (float("inf"), float("-inf"))
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
# No other character is in what any of the patterns below matches.
_SUSPECT: Final = re.compile(r"[-+.:_0-9a-fA-FoOxXinNI]+")
_AMBIGUOUS: Final = tuple(
    (re.compile(pattern), what)
    for pattern, what in (
        (r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "a number without a value"),
        (r"[-+]?0[xX][0-9a-fA-F_]+", "a hexadecimal number"),
        (r"[-+]?0[bB][01_]+", "a binary number"),
        (r"[-+]?0[oO][0-7_]+", "an octal number"),
        (r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", "a number in base 60"),
        (r"[-+]?0[0-9_]+", "a number with a leading zero"),
        (r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?", "a number"),
    )
)


def resolve(text: str) -> tuple[Any, str]:
    """Say what a plain scalar means, and what others might see in it, or ``""``.

    Complexity: O(len(text)).

    >>> resolve("12"), resolve("1e3"), resolve("~"), resolve("api")
    ((12, ''), (1000.0, ''), (None, ''), ('api', ''))
    >>> resolve("on"), resolve("012")
    (('on', 'a boolean'), ('012', 'a number with a leading zero'))

    Source: RFC 8259, section 6; https://yaml.org/type/ (bool, float, int).
    """
    if text in WORDS:
        return WORDS[text]
    if len(text) > _LONGEST_NUMBER:
        return text, "" if text.lstrip("-+0123456789_.") else "a very long number"
    if _INTEGER.fullmatch(text):
        return int(text), ""
    if _FLOAT.fullmatch(text):
        number = float(text)
        return (text, "a number past all bounds") if number in _INFINITE else (number, "")
    if _SUSPECT.fullmatch(text) is None:
        return text, ""
    return text, next((what for pattern, what in _AMBIGUOUS if pattern.fullmatch(text)), "")

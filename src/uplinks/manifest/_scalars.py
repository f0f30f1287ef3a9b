"""What a plain scalar means to Kubernetes.

The API server reads YAML through sigs.k8s.io/yaml, which makes JSON of it: YAML 1.1's
booleans (``on``, ``no``, ``y``), Go's integers (``0x1F``, ``0o17``, ``017``, ``0b11``, with
underscores) and decimal numbers (``1.``, ``.5``, ``1e3``). JSON has one type of number, so
an integral one is an integer, also ``1.0`` and ``1e2``. Base 60 (``1:30``) and dates are
strings. tests/test_manifest_scalars.py has recorded answers.
"""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["NUMERIC", "WORDS", "is_misread", "key_text", "resolve"]


def _in_each_case(words: str) -> list[str]:
    return [form for word in words.split() for form in (word, word.capitalize(), word.upper())]


WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(["", "~", *_in_each_case("null")]),
    **dict.fromkeys(_in_each_case("true yes on y"), True),
    **dict.fromkeys(_in_each_case("false no off n"), False),
}
"""Each word that is not a string, with its value."""

NUMERIC: Final = frozenset("+-.0123456789")
"""The first characters of a number."""

_LAST: Final = frozenset("0123456789abcdefABCDEF._")
_SMALL: Final = re.compile(r"[1-9][0-9]{0,17}")
# JSON writes larger numbers with an exponent, and then they are no integers.
_LARGEST_INTEGRAL: Final = 1e21
_RADIX: Final = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+))")
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_DECIMAL: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
# In a number that starts with a point, an underscore stands between two digits.
_BAD_UNDERSCORE: Final = re.compile(r"(?<![0-9])_|_(?![0-9])")
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9_]+")
_INFINITE: Final = (float("inf"), float("-inf"))
_MOST_DIGITS: Final = 21  # of 64 bits, with a sign


def resolve(text: str) -> Any:
    """Give the value of a plain scalar.

    Complexity: O(len(text)).

    >>> resolve("12"), resolve("1e3"), resolve("~"), resolve("api"), resolve("on")
    (12, 1000, None, 'api', True)
    >>> resolve("012"), resolve("0x10"), resolve("1_000"), resolve("1.5"), resolve("1:30")
    (10, 16, 1000, 1.5, '1:30')

    Source: sigs.k8s.io/yaml; https://yaml.org/type/ (bool, float, int).
    """
    if text in WORDS:
        return WORDS[text]
    if text[0] not in NUMERIC or text[-1] not in _LAST:
        return text
    number = int(text) if _SMALL.fullmatch(text) else _number(text)
    return text if number is None else number


def _number(text: str) -> int | float | None:
    if text[0] == "." and _BAD_UNDERSCORE.search(text):
        return None
    plain = text.replace("_", "")
    integer = _integer(plain)
    if integer is not None or not _DECIMAL.fullmatch(plain):
        return integer
    number = float(plain)
    if abs(number) < _LARGEST_INTEGRAL:
        return int(number) if number.is_integer() else number
    return None if number in _INFINITE else number


def _integer(plain: str) -> int | None:
    """Read an integer of at most 64 bits, in any base."""
    if _INTEGER.fullmatch(plain) and len(plain) <= _MOST_DIGITS:
        value = int(plain)
    elif match := _RADIX.fullmatch(plain):
        sign, *numbers = match.groups()
        digits, base = next(pair for pair in zip(numbers, (16, 2, 8), strict=True) if pair[0])
        value = int(sign + digits, base)
    else:
        return None
    bits = 63 if plain[0] in "+-" else 64  # an unsigned one takes no sign
    return value if -(2**bits) <= value < 2**bits else None


def is_misread(text: str, value: int) -> bool:
    """Return whether a number with a leading zero is octal, and so another one in decimal.

    >>> is_misread("012", 10), is_misread("08", 8), is_misread("0x12", 18)
    (True, False, False)
    """
    # Compared as text: Python converts no number of thousands of digits.
    digits = text.replace("_", "").lstrip("+-0")
    return _LEADING_ZERO.fullmatch(text) is not None and (digits or "0") != str(abs(value))


def key_text(value: Any) -> str:
    """Convert the value of a plain key to the string that JSON has for it.

    >>> key_text(8080), key_text(True), key_text(1.5), key_text("a")
    ('8080', 'true', '1.5', 'a')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)

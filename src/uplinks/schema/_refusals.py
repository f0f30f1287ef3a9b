"""What a hook of the converter raises for a value, and how the value is described.

A refusal never contains the contents of a list, of a mapping, or of a header.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any, Final

from uplinks.diagnostics import Fix, Severity
from uplinks.errors import is_one_word

__all__ = [
    "WRONG_TYPE",
    "Refused",
    "UnknownFields",
    "describe",
    "type_name",
    "wrong_container",
    "wrong_type",
]

WRONG_TYPE: Final = "UPL006"


class Refused(Exception):
    """A value that does not have the shape it should have.

    ``predicate`` is the message after the name of the field. ``hidden``: the name may
    be a misplaced value, and must not be shown. ``fix``: how to edit the value.
    """

    def __init__(
        self,
        code: str,
        predicate: str,
        *,
        hidden: bool = False,
        severity: Severity = Severity.ERROR,
        fix: Fix | None = None,
    ) -> None:
        super().__init__(predicate)
        self.code = code
        self.predicate = predicate
        self.hidden = hidden
        self.severity = severity
        self.fix = fix

    @property
    def suggestion(self) -> str | None:
        """What the fix writes, if that is a string; what an integer looks like is no help."""
        return self.fix.new if self.fix is not None and isinstance(self.fix.new, str) else None


class UnknownFields(Exception):
    """Fields of a mapping that its class does not have."""

    def __init__(self, names: Iterable[Any], known: frozenset[str]) -> None:
        super().__init__("unknown fields")
        self.names = names
        self.known = known


_TYPES: Final = MappingProxyType(
    {bool: "boolean", int: "integer", float: "number", str: "string", dict: "mapping", list: "list"}
)
_LONGEST_SHOWN: Final = 40
_BEYOND: Final = 2.0**63  # where the API server reads an integer as a float


def type_name(value: object) -> str:
    """Name the type of a value, with its article.

    >>> type_name({}), type_name(5), type_name(None)
    ('a mapping', 'an integer', 'null')
    """
    if value is None:
        return "null"
    kind = next((kind for kind in (dict, list) if isinstance(value, kind)), type(value))
    name = _TYPES.get(kind, kind.__name__)
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def describe(value: object) -> str:
    """Describe a value: a short scalar with its type, of anything else the type.

    >>> describe("5"), describe(5), describe(True), describe([5]), describe(None)
    ("the string '5'", 'the integer 5', 'the boolean true', 'a list', 'null')
    """
    if isinstance(value, float):
        if value.is_integer() and abs(value) >= _BEYOND:
            return "a number of more than 64 bits"
        # Python would write it in another way than the manifest: 1e2 as 100.0.
        return "a number with a fraction or an exponent"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int):
        bits = value.bit_length()
        return f"an integer of {bits} bits" if bits > 3 * _LONGEST_SHOWN else f"the integer {value}"
    if isinstance(value, str):
        return _describe_string(value)
    return type_name(value)


def _describe_string(value: str) -> str:
    if not is_one_word(value):
        return "a string of several words"
    if len(value) > _LONGEST_SHOWN:
        return f"a string of {len(value)} characters, {value[:_LONGEST_SHOWN]!r}…"
    return f"the string {value!r}"


def wrong_type(value: object, expected: str, fix: Fix | None = None) -> Refused:
    """Refuse a scalar, and show it."""
    return Refused(WRONG_TYPE, f"must be {expected}, got {describe(value)}", fix=fix)


def wrong_container(value: object, expected: str) -> Refused:
    """Refuse what should be a list or mapping; not shown, since it may be a header's value."""
    return Refused(WRONG_TYPE, f"must be {expected}, got {type_name(value)}")

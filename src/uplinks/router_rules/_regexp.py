"""Go regular expressions: what Go accepts, and whether a string matches.

A pattern is compiled in one pass, without recursion, to instructions with
relative jumps, so that concatenation and repetition only copy lists:

    c       character in a class          e1e2    e1 e2
    e1|e2   split, e1, jump, e2           e*      split, e, jump back

Go's limits apply: a count is at most 1000, nested counts multiply, groups nest
at most 1000 deep.

Source: Go's ``regexp/syntax`` documentation.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NoReturn

from attrs import define, evolve, field

from uplinks.router_rules._classes import ASCII_CLASSES, PERL_CLASSES, Class, property_class
from uplinks.router_rules._program import ASSERTIONS, LINE_ASSERTIONS, Instruction, Program
from uplinks.router_rules._syntax import InvalidRegexp

__all__ = ["InvalidRegexp", "Program", "compile_regexp", "quote_meta"]

MAX_REPEAT: Final = 1000
MAX_DEPTH: Final = 1000
MAX_SIZE: Final = (128 << 20) // 40  # instructions of Go's program, 40 bytes each
MAX_PROGRAM: Final = 20_000  # longer programs are valid, but not run


def compile_regexp(pattern: str) -> Program:
    """Compile a pattern as Go's ``regexp.Compile`` does.

    Complexity: O(len(pattern)) and the copies of counted repetitions, which are
    limited. Raises: InvalidRegexp.

    >>> compile_regexp(r"^/api/v[0-9]+$").matches("/api/v2")
    True
    >>> compile_regexp("(")
    Traceback (most recent call last):
    uplinks.router_rules._syntax.InvalidRegexp: missing closing ')'
    """
    return _Compiler(pattern).compile()


def quote_meta(text: str) -> str:
    r"""Escape a string so that it matches itself.

    >>> print(quote_meta("/a.b"))
    /a\.b
    """
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text)


# --- the compiler -------------------------------------------------------------


@define
class _Piece:
    """Code with Go's measures: its size, its depth, and the product of nested counts."""

    code: list[Instruction]
    size: int = 1
    depth: int = 1
    copies: int = 1
    literal: bool = False

    def append(self, other: _Piece) -> None:
        self.code += other.code
        self.size += other.size
        self.depth = max(self.depth, other.depth)
        self.copies = max(self.copies, other.copies)


@define
class _Group:
    """An open group: finished alternatives, and the concatenation in progress.

    ``last`` is the item that a repetition operator applies to, not yet part of
    ``before``; ``items`` counts both, adjacent literals as one.
    """

    start: int
    flags: frozenset[str]
    captures: bool
    alternatives: list[_Piece] = field(factory=list)
    before: _Piece = field(factory=lambda: _Piece([], 0))
    items: int = 0
    last: _Piece | None = None

    def push(self, piece: _Piece) -> None:
        merged = piece.literal and self.last is not None and self.last.literal
        self.flush()
        self.items += not merged
        self.last = piece

    def flush(self) -> None:
        if self.last is not None:
            self.before.append(self.last)
            self.last = None

    def end_alternative(self) -> None:
        self.flush()
        self.before.depth += self.items > 1
        self.before.size = max(1, self.before.size)
        self.alternatives.append(self.before)
        self.before, self.items = _Piece([], 0), 0

    def finish(self) -> _Piece:
        """Join the alternatives: each but the last is a split, its code, and a jump."""
        self.end_alternative()
        if len(self.alternatives) == 1:
            return self.alternatives[0]
        total = sum(len(each.code) + 2 for each in self.alternatives) - 2
        joined = _Piece([], len(self.alternatives) - 1)
        single = all(len(each.code) == 1 for each in self.alternatives)
        for each in self.alternatives[:-1]:
            size = len(each.code)
            joined.code.append((1, size + 2))
            joined.append(each)
            joined.code.append((total - len(joined.code),))
        joined.append(self.alternatives[-1])
        joined.depth += not single
        return joined


_PLAIN: Final = re.compile(r"[^\\.+*?()|\[\]{}^$]+")
_COUNT: Final = re.compile(r"\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\}", re.ASCII)
_NAMED: Final = re.compile(r"\(\?P?<([^>]*)(>?)")
_NAME: Final = re.compile(r"\w+", re.ASCII)
_FLAGS: Final = re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])")
_OCTAL: Final = re.compile(r"0[0-7]{0,2}|[1-7][0-7]{1,2}")
_HEX: Final = re.compile(r"x(?:([0-9A-Fa-f]{2})|\{0*([0-9A-Fa-f]{1,6}|(?<=0))\})")
_PROPERTY: Final = re.compile(r"\\([pP])(?:\{(\^?)([^}]*)(\}?)|(.))", re.DOTALL)
_NAMED_CLASS: Final = re.compile(r"\[:(\^?)(.*?):\]", re.DOTALL)
_ESCAPES: Final = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ANY: Final = Class(((0, 0x10FFFF),))
_NOT_NEWLINE: Final = Class(((0, 9), (11, 0x10FFFF)))


class _Compiler:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.groups = [_Group(0, frozenset(), captures=False)]
        self.runs = True

    def compile(self) -> Program:
        bad = _SURROGATE.search(self.pattern)
        if bad is not None:
            self._refuse("invalid UTF-8", bad.start(), bad.end())
        repeated = False
        while self.at < len(self.pattern):
            repeated = self._read(repeated)
        if len(self.groups) > 1:
            self._refuse("missing closing ')'", self.groups[-1].start)
        code = self._bound(0, self.groups.pop().finish()).code
        return Program(tuple(code) if self.runs else None)

    def _refuse(self, reason: str, start: int, end: int | None = None) -> NoReturn:
        raise InvalidRegexp(reason, start, self.at if end is None else end)

    def _bound(self, start: int, piece: _Piece) -> _Piece:
        if piece.depth > MAX_DEPTH:
            self._refuse(f"nested more than {MAX_DEPTH} levels deep", start)
        if piece.size > MAX_SIZE:
            self._refuse("expression too large", start)
        if len(piece.code) > MAX_PROGRAM:
            self.runs, piece.code = False, []
        return piece

    def _read(self, repeated: bool) -> bool:  # noqa: FBT001 - the state of one loop
        """Read one element; return whether it was a repetition operator."""
        start, char = self.at, self.pattern[self.at]
        count = _COUNT.match(self.pattern, start) if char == "{" else None
        if count is not None or char in "*+?":
            self.at = start + 1 if count is None else count.end()
            bounds = _BOUNDS[char] if count is None else self._bounds(count)
            self._repeat(start, *bounds, repeated=repeated)
            return True
        group = self.groups[-1]
        match char:
            case "(":
                self._open(group)
            case ")":
                self._close(group)
            case "|":
                self.at += 1
                group.end_alternative()
            case "[":
                group.push(_Piece([self._read_class(group.flags)]))
            case "\\":
                self._read_escape(group)
            case "^" | "$":
                self.at += 1
                plain = ASSERTIONS["A" if char == "^" else "z"]
                group.push(_Piece([LINE_ASSERTIONS[char] if "m" in group.flags else plain]))
            case ".":
                self.at += 1
                group.push(_Piece([_ANY if "s" in group.flags else _NOT_NEWLINE]))
            case _:
                found = _PLAIN.match(self.pattern, start)
                self.at = start + 1 if found is None else found.end()
                self._push_literals(self.pattern[start : self.at], group)
        return False

    @staticmethod
    def _push_literals(text: str, group: _Group) -> None:
        """Push the last character alone, as a repetition operator applies only to it."""
        code: list[Instruction] = [_literal(char, "i" in group.flags) for char in text]
        if len(code) > 1:
            group.push(_Piece(code[:-1], len(code) - 1, literal=True))
        group.push(_Piece(code[-1:], literal=True))

    # --- repetition

    def _bounds(self, count: re.Match[str]) -> tuple[int, int | None]:
        numbers = [text for text in (count[1], count[3]) if text is not None]
        if any(len(text) > len(str(MAX_REPEAT)) or int(text) > MAX_REPEAT for text in numbers):
            self._refuse(f"a repeat count must be at most {MAX_REPEAT}", count.start())
        low = int(count[1])
        high = low if count[2] is None else None if count[3] is None else int(count[3])
        if high is not None and high < low:
            self._refuse("the largest repeat count is below the smallest", count.start())
        return low, high

    def _repeat(self, start: int, low: int, high: int | None, *, repeated: bool) -> None:
        if self.pattern.startswith("?", self.at):  # prefer few: the same texts match
            self.at += 1
        piece = self.groups[-1].last
        if repeated:
            self._refuse("a repetition operator cannot follow another one", start)
        if piece is None:
            self._refuse("a repetition operator has nothing to repeat", start)
        most = low if high is None else high
        piece.copies = 1 if high == 0 else piece.copies * max(1, most)
        if most > 1 and piece.copies > MAX_REPEAT:
            self._refuse(f"nested repeat counts multiply to more than {MAX_REPEAT}", start)
        code, size = piece.code, piece.size
        if (len(code) + 1) * max(low, most, 1) > MAX_PROGRAM:
            self.runs, code = False, []
        length = len(code)
        if high is not None:
            piece.code = code * low + [(1, length + 1), *code] * (high - low)
            piece.size = max(1, high * size + high - low)
        elif low:
            piece.code = [*(code * low), (-length, 1)]
            piece.size = 1 + low * size
        else:
            piece.code = [(1, length + 2), *code, (-length - 1,)]
            piece.size = 2 + size
        piece.depth += 1
        piece.literal = False
        self._bound(start, piece)

    # --- groups

    def _open(self, group: _Group) -> None:
        start = self.at
        if not self.pattern.startswith("(?", start):
            self.at += 1
            self.groups.append(_Group(start, group.flags, captures=True))
            return
        named = _NAMED.match(self.pattern, start)
        if self.pattern.startswith(("(?<=", "(?<!", "(?=", "(?!"), start):
            self._refuse("Go has no lookahead and no lookbehind", start, start + 3)
        if named is not None:
            self.at = named.end()
            if not named[2] or _NAME.fullmatch(named[1]) is None:
                self._refuse("invalid group name", start)
            self.groups.append(_Group(start, group.flags, captures=True))
            return
        flags = _FLAGS.match(self.pattern, start)
        if flags is None:
            got = self.pattern[start : start + 3]
            self._refuse(f"invalid or unsupported group {got!r}", start, start + len(got))
        self.at = flags.end()
        changed = (group.flags | set(flags[1])) - set(flags[2] or "")
        if flags[3] == ":":
            self.groups.append(_Group(start, changed, captures=False))
        else:
            group.flags = changed

    def _close(self, group: _Group) -> None:
        start = self.at
        self.at += 1
        if len(self.groups) == 1:
            self._refuse("unexpected ')'", start)
        piece = self.groups.pop().finish()
        if group.captures:
            piece.size, piece.depth = piece.size + 2, piece.depth + 1
        self.groups[-1].push(self._bound(group.start, piece))

    # --- escapes and classes

    def _read_escape(self, group: _Group) -> None:
        char = self.pattern[self.at + 1 : self.at + 2]
        if char in ASSERTIONS:
            self.at += 2
            group.push(_Piece([ASSERTIONS[char]]))
        elif char == "Q":
            end = self.pattern.find("\\E", self.at + 2)
            stop = len(self.pattern) if end < 0 else end
            if stop > self.at + 2:
                self._push_literals(self.pattern[self.at + 2 : stop], group)
            self.at = stop if end < 0 else stop + 2
        elif (found := self._read_set(group.flags)) is not None:
            group.push(_Piece([found]))
        else:
            self._push_literals(self._read_character_escape(), group)

    def _read_set(self, flags: frozenset[str]) -> Class | None:
        r"""Read ``\d`` or ``\p{Lu}`` and their like, if there is one."""
        start, char = self.at, self.pattern[self.at + 1 : self.at + 2]
        folded = "i" in flags
        if char and char in "dDsSwW":
            self.at += 2
            return evolve(PERL_CLASSES[char.lower()], folded=folded, negated=char.isupper())
        if char not in {"p", "P"}:
            return None
        found = _PROPERTY.match(self.pattern, start)
        self.at = start + 2 if found is None else found.end()
        name = "" if found is None else found[5] or (found[4] and found[3]) or ""
        known = property_class(name)
        if found is None or known is None:
            self._refuse(f"unknown Unicode class {self.pattern[start : self.at]!r}", start)
        negated = (known.negated != (found[1] == "P")) != bool(found[2])
        return evolve(known, folded=folded, negated=negated)

    def _read_character_escape(self) -> str:
        start = self.at
        char = self.pattern[start + 1 : start + 2]
        if not char:
            self._refuse("trailing backslash", start, start + 1)
        self.at += 2
        if char in _ESCAPES:
            return _ESCAPES[char]
        if char.isascii() and not char.isalnum():
            return char
        found = _OCTAL.match(self.pattern, start + 1)
        code = -1 if found is None else int(found[0], 8)
        if found is None and (found := _HEX.match(self.pattern, start + 1)) is not None:
            code = int(found[1] or found[2] or "0", 16)
        if found is None or not 0 <= code <= 0x10FFFF:  # noqa: PLR2004 - the last code point
            self._refuse(f"invalid escape sequence {self.pattern[start : self.at]!r}", start)
        self.at = found.end()
        return chr(code)

    def _read_class(self, flags: frozenset[str]) -> Class:
        start, folded = self.at, "i" in flags
        negated = self.pattern.startswith("^", start + 1)
        self.at = first = start + 1 + negated
        ranges: list[tuple[int, int]] = []
        inner: list[Class] = []
        while self.at == first or not self.pattern.startswith("]", self.at):
            named = _NAMED_CLASS.match(self.pattern, self.at)
            if named is not None:
                self.at = named.end()
                if named[2] not in ASCII_CLASSES:
                    self._refuse(f"unknown character class {named[0]!r}", named.start())
                known = ASCII_CLASSES[named[2]]
                inner.append(evolve(known, folded=folded, negated=bool(named[1])))
            elif self.pattern.startswith("\\", self.at) and (found := self._read_set(flags)):
                inner.append(found)
            else:
                ranges.append(self._read_range(start))
        self.at += 1
        return Class(tuple(ranges), (), tuple(inner), negated, folded)

    def _read_range(self, class_start: int) -> tuple[int, int]:
        start = self.at
        low = high = self._read_class_character(class_start)
        if re.match(r"-[^\]]", self.pattern[self.at : self.at + 2], re.DOTALL):
            self.at += 1
            high = self._read_class_character(class_start)
        if high < low:
            self._refuse(f"invalid character range {self.pattern[start : self.at]!r}", start)
        return ord(low), ord(high)

    def _read_class_character(self, class_start: int) -> str:
        if self.at == len(self.pattern):
            self._refuse("missing closing ']'", class_start)
        if self.pattern[self.at] == "\\":
            return self._read_character_escape()
        self.at += 1
        return self.pattern[self.at - 1]


_BOUNDS: Final[dict[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


@lru_cache(maxsize=512)  # patterns repeat a few characters, and a class takes long to make
def _literal(char: str, folded: bool) -> Class:  # noqa: FBT001 - positional for the cache
    return Class(((ord(char), ord(char)),), folded=folded)

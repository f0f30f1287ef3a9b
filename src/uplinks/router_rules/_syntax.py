"""The syntax of a router rule: matchers joined by ``&&``, ``||``, ``!`` and brackets.

Traefik reads a rule as a Go expression. What can be a rule of it is

    or      = and { "||" and }
    and     = unary { "&&" unary }
    unary   = "!" unary | "(" or ")" | name "(" [ string { "," string } [ "," ] ] ")"
    string  = backquoted, or double-quoted with Go's escapes

with Go's spaces, comments and line ends: a line may end only where no operand
is complete. The parser keeps its own stack, so nesting needs no recursion, and
gives postfix notation.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from attrs import define, field, frozen

__all__ = ["Call", "InvalidRegexp", "Operator", "Problem", "Syntax", "parse_syntax"]

_LONGEST: Final = 40


@frozen
class Problem:
    """What is wrong with a stretch of a rule, in code points from its beginning.

    ``refused`` says whether Traefik refuses the rule; otherwise a matcher is
    accepted but matches nothing. ``suggestion`` replaces the stretch.
    """

    start: int
    end: int
    message: str
    suggestion: str | None = None
    refused: bool = True


class InvalidRegexp(ValueError):
    """Go does not accept a pattern. ``start`` and ``end`` mark the offending part."""

    def __init__(self, reason: str, start: int, end: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.start = start
        self.end = end


class Operator(enum.Enum):
    """What joins matchers, in the order of their strength."""

    OR = "||"
    AND = "&&"
    NOT = "!"


class Call(NamedTuple):
    """A matcher as it is written. ``spans`` are the places of its arguments."""

    name: str
    arguments: tuple[str, ...]
    start: int
    end: int
    spans: tuple[tuple[int, int], ...]


@frozen
class Syntax:
    """A rule in postfix notation, or as far as it could be read."""

    postfix: tuple[Call | Operator, ...]
    calls: tuple[Call, ...]
    problem: Problem | None


class _Token(NamedTuple):
    """A piece of a rule: a named tuple, since every rule has a dozen.

    ``kind`` is call, name, string, mark, other, line or end; ``value`` is that of a
    string, ``call`` a whole matcher.
    """

    kind: str
    text: str
    start: int
    end: int
    value: str = ""
    call: Call | None = None

    def describe(self) -> str:
        if self.kind in {"end", "line"}:
            return f"the end of the {'rule' if self.kind == 'end' else 'line'}"
        text = self.text if len(self.text) <= _LONGEST else self.text[:_LONGEST] + "…"
        return repr(text)


class _Refused(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _refuse(token: _Token, message: str, suggestion: str | None = None) -> _Refused:
    return _Refused(Problem(token.start, token.end, message, suggestion))


def parse_syntax(text: str) -> Syntax:
    """Parse a rule up to its first syntax error. Complexity: O(len(text)).

    >>> [item.name if isinstance(item, Call) else item.value
    ...  for item in parse_syntax("!Host(`a`) && (Path(`/`) || Method(`GET`))").postfix]
    ['Host', '!', 'Path', 'Method', '||', '&&']
    >>> parse_syntax("Host(`a`").problem.message
    "expected ',' or ')', got the end of the rule"
    """
    parser = _Parser(text, _tokens(text))
    try:
        parser.parse()
    except _Refused as refused:
        return Syntax((), tuple(parser.calls), refused.problem)
    return Syntax(tuple(parser.output), tuple(parser.calls), None)


# --- tokens -------------------------------------------------------------------

_TOKEN: Final = re.compile(
    r"""
    (?P<call>     ([A-Za-z]+)\((`[^`\r]*`)\) )       # the usual matcher at once, to save time
  | (?P<space>    [ \t\r]+ | //[^\n]* )
  | (?P<comment>  /\*.*?\*/ )
  | (?P<line>     \n )
  | (?P<name>     [^\W\d]\w* )
  | (?P<string>   `[^`]*` | "[^"\\\n]*(?:\\.[^"\\\n]*)*" )
  | (?P<mark>     && | \|\| | \.\.\. | [!(),] )
  | (?P<other>    '[^'\n]*' | [`"'] | /\* | [^\s\w(),!&|`"']+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ILLEGAL: Final = re.compile("\0|(?<=.)\ufeff|[\ud800-\udfff]", re.DOTALL)
_ESCAPE: Final = re.compile(
    r"""\\(?:([abfnrtv\\"])|([0-3][0-7]{2})|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))""",
)
_SIMPLE: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", '"': '"',
}  # fmt: skip


def _tokens(text: str) -> Iterator[_Token]:
    """Yield the tokens of a rule, with a line end only where Go would end a statement."""
    illegal = _ILLEGAL.search(text)
    limit = len(text) if illegal is None else illegal.start()
    at = 1 if text.startswith("\ufeff") else 0
    complete = False  # whether the last token could end an expression
    while at < limit:
        found = _TOKEN.match(text, at)
        assert found is not None  # noqa: S101 - the last alternative matches anything
        start, at, kind, part = at, found.end(), found.lastgroup or "other", found[0]
        if at > limit:
            break
        if kind == "call":
            complete = True
            span = found.span(3)
            call = Call(found[2], (found[3][1:-1],), start, at, (span,))
            yield _Token(kind, part, start, at, call=call)
        elif kind == "string":
            raw = part[0] == "`"
            value = part[1:-1].replace("\r", "") if raw else _unquote(part, start)
            complete = True
            yield _Token(kind, part, start, at, value)
        elif kind == "line" or (kind == "comment" and "\n" in part):
            if complete:
                complete = False
                yield _Token("line", "\n", start, start + 1)
        elif kind not in {"space", "comment"}:
            complete = kind == "name" or part == ")"
            yield _Token(kind, part, start, at)
    if illegal is not None:
        at = illegal.start()
        raise _Refused(Problem(at, at + 1, f"illegal character {text[at]!r}"))
    yield _Token("end", "", len(text), len(text))


def _unquote(part: str, start: int) -> str:
    """Resolve Go's escapes; bytes that are no UTF-8 become surrogates."""
    value = bytearray()
    at, stop = 1, len(part) - 1
    while at < stop:
        escape = part.find("\\", at, stop)
        value += part[at : stop if escape < 0 else escape].encode()
        if escape < 0:
            break
        found = _ESCAPE.match(part, escape, stop)
        code = -1 if found is None else int(found[4] or found[5] or "0", 16)
        if found is None or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 - Unicode
            problem = f"invalid escape {part[escape : escape + 2]!r}; use backquotes for raw text"
            raise _Refused(Problem(start + escape, start + escape + 2, problem))
        if found[1]:
            value += _SIMPLE[found[1]].encode()
        elif found[2] or found[3]:
            value.append(int(found[2], 8) if found[2] else int(found[3], 16))
        else:
            value += chr(code).encode()
        at = found.end()
    return value.decode("utf-8", "surrogateescape")


# --- the parser ---------------------------------------------------------------


@define
class _Parser:
    text: str
    tokens: Iterator[_Token]
    output: list[Call | Operator] = field(factory=list)
    calls: list[Call] = field(factory=list)
    waiting: list[Operator | _Token] = field(factory=list)  # an opening bracket is its token
    matcher: str = ""  # the name of the one that is read, or was last

    def parse(self) -> None:
        token = next(self.tokens)
        if token.kind == "end":
            raise _refuse(token, "the rule is empty")
        while True:
            self._operand(token)
            token = self._after_operand()
            if token.kind == "end":
                return
            token = next(self.tokens)

    def _operand(self, token: _Token) -> None:
        """Read up to the end of a matcher: any "!" and "(", and the matcher itself."""
        while token.text in {"!", "("}:
            self.waiting.append(Operator.NOT if token.text == "!" else token)
            token = next(self.tokens)
        if token.call is not None:
            self._push(token.call)
        elif token.kind == "name":
            self._call(token)
        else:
            hint = "; a string must be an argument of a matcher" if _is_text(token) else ""
            raise _refuse(token, f"expected a matcher, got {self._show(token)}{hint}")

    def _call(self, name: _Token) -> None:
        self.matcher = name.text
        token = next(self.tokens)
        if token.text != "(":
            v1 = "; 'name:value' is the syntax of Traefik v1" if token.text[:1] == ":" else ""
            message = f"expected '(' after {name.describe()}, got {self._show(token)}{v1}"
            raise _refuse(token, message)
        arguments: list[str] = []
        spans: list[tuple[int, int]] = []
        token = next(self.tokens)
        while token.text != ")":
            if token.kind != "string":
                raise _Refused(self._not_a_string(token, first=not arguments))
            arguments.append(token.value)
            spans.append((token.start, token.end))
            token = next(self.tokens)
            spread = token.text == "..."
            if spread:  # Go allows it after the last argument, and Traefik ignores it
                token = next(self.tokens)
            if token.text == ",":
                token = next(self.tokens)
                if not spread:
                    continue
            if token.text != ")":
                raise _refuse(token, f"expected ',' or ')', got {self._show(token)}")
        self._push(Call(name.text, tuple(arguments), name.start, token.end, tuple(spans)))

    def _push(self, call: Call) -> None:
        self.matcher = call.name
        self.calls.append(call)
        self.output.append(call)

    def _is_private(self) -> bool:
        """Tell whether text here may be a credential: the value of a header or a query."""
        return self.matcher.lower().startswith(("header", "query"))

    def _show(self, token: _Token) -> str:
        if token.kind in {"call", "name", "other", "string"} and self._is_private():
            return "text"
        return token.describe()

    def _not_a_string(self, token: _Token, *, first: bool) -> Problem:
        """Say what is wrong with an argument, and show it with quotes if it has none.

        The first one of a matcher of headers is a name, which is no secret.
        """
        private = self._is_private() and not (first and self.matcher[:1] in "Hh")
        message = f"expected a string in backquotes, got {self._show(token)}"
        if token.text in {"`", '"'}:
            return Problem(token.start, token.end, f"missing closing {token.text}")
        if token.kind not in {"name", "other", "call"}:
            return Problem(token.start, token.end, message)
        found = _UNQUOTED.match(self.text, token.start)
        bare = token.text if found is None else found[0].rstrip()
        inside = bare.strip(_QUOTES)
        if inside != bare:
            message = "use backquotes around an argument, not other quotes"
        elif private:
            message = "an argument must be in backquotes"
        elif len(bare) <= _LONGEST:
            message = f"an argument must be in backquotes, got {bare}"
        is_short = 0 < len(inside) <= _LONGEST
        suggestion = f"`{inside}`" if is_short and not private else None
        return Problem(token.start, token.start + len(bare), message, suggestion)

    def _after_operand(self) -> _Token:
        """Read closing brackets and the operator behind them, or the end."""
        while True:
            token = next(self.tokens)
            if token.text == ")":
                self._reduce(Operator.OR)
                if not self.waiting:
                    raise _refuse(token, "unexpected ')': no '(' is open")
                self.waiting.pop()
            elif token.text in {"&&", "||"}:
                operator = Operator.AND if token.text == "&&" else Operator.OR
                self._reduce(operator)
                self.waiting.append(operator)
                return token
            else:
                return self._end(token)

    def _end(self, token: _Token) -> _Token:
        after = next(self.tokens) if token.kind == "line" else token
        self._reduce(Operator.OR)
        if after.kind != "end":
            raise _refuse(after, *self._not_an_operator(after, broken=after is not token))
        if self.waiting:
            opened = self.waiting[-1]
            assert isinstance(opened, _Token)  # noqa: S101 - the operators are reduced
            where = token if token.kind == "line" else opened
            raise _refuse(where, "missing ')'" if where is opened else "expected ')' on this line")
        return after

    def _not_an_operator(self, token: _Token, *, broken: bool) -> tuple[str, str | None]:
        if broken:
            return "a line must end with '&&' or '||' if the rule goes on", None
        word = _WORDS.get(token.text.lower())
        if token.kind == "name" and word is not None:
            return f"expected an operator, got {token.text!r}; write {word!r}", word
        if token.text in {"&", "|", ";", "+"}:
            operator = "||" if token.text == "|" else "&&"
            return f"expected an operator, got {token.text!r}; write {operator!r}", operator
        return f"expected '&&' or '||' between matchers, got {self._show(token)}", None

    def _reduce(self, least: Operator) -> None:
        """Move the operators that bind at least as strongly to the output."""
        while self.waiting and isinstance(self.waiting[-1], Operator):
            operator = self.waiting[-1]
            if least is Operator.AND and operator is Operator.OR:
                break
            self.output.append(operator)
            self.waiting.pop()


_QUOTES: Final = "'\u2018\u2019\u201c\u201d"
_UNQUOTED: Final = re.compile(r"[^\s,()`][^,()`\n]*")
_WORDS: Final = {"and": "&&", "or": "||", "not": "!"}


def _is_text(token: _Token) -> bool:
    return token.kind == "string" or token.text[:1] in {"'", "/"}

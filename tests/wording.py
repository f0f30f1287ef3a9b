"""Check the language of what users read: ``python -m tests.wording``, a part of ``make lint``.

Each `Rule` bans a word or a message pattern, and says what to write instead.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

__all__ = ["RULES", "Rule", "check", "main"]

ROOT: Final = Path(__file__).parent.parent
FOLDERS: Final = ("src", "docs", "examples")
PAGES: Final = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
SUFFIXES: Final = frozenset({".md", ".py", ".pyi", ".pyx", ".pxd", ".pxi", ".yaml", ".yml"})
RELEASED: Final = re.compile(r"^## \[0\.1", re.MULTILINE)  # the changelog is a record from here on
OLD_NAME: Final = re.compile(r"^\|[^|]*", re.MULTILINE)  # the first column of its table of renames
PEOPLE: Final = (
    "anyone|attackers?|authors?|callers?|colleagues?|developers?|engineers?|everyone|maintainers?"
    "|one|operators?|people|persons?|programmers?|readers?|someone|teams?|those|users?|you"
)


@frozen
class Rule:
    """A pattern that is not written here, and what is."""

    pattern: re.Pattern[str]
    instead: str
    example: str  # a sentence that breaks the rule


def _rule(pattern: str, instead: str, example: str) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), instead, example)


RULES: Final = (
    _rule(
        r"\b(?:who(?:so)?ever|nobody|somebody|anybody|everybody)\b",
        "name the thing: 'the caller', 'a target', 'no selector'",
        "Whoever has a loop already needs no driver.",
    ),
    _rule(
        r"\b(?:he|him|his)\b",
        "'it' or the noun: a target is a thing",
        "If he was behind, the others are ahead.",
    ),
    _rule(
        rf"(?<![\w-])(?!(?:{PEOPLE}),? who\b)[\w`]+,? who\b(?!\?)|(?:^|[.:;] )who\b(?![^.]*\?)",
        "'that' or 'which': only people are 'who'",
        "A target who returns never bursts.",
    ),
    _rule(
        r"(?:^|[.:;] )\s*whose\b(?![^.]*\?)",
        "start with the noun: 'A weight change keeps …'",
        "Whose weight changes stays ahead.",
    ),
    _rule(
        r"\b(?:is|are|was|were|be|been|being) (?:told|said)\b",
        "'pass', 'report', 'receive' or 'state'",
        "Failures are told by `set_up`.",
    ),
    _rule(
        r"\bthat (?:any|some)one (?:told|said)\b|\btold of\b",
        "'passed in', 'reported'",
        "a change that the parent is told of",
    ),
    _rule(
        r"\bwithout saying\b",
        "'unless it is the default'",
        "left out unless that goes without saying",
    ),
    _rule(
        r"\botherwise than\b",
        "'different from'",
        "what is otherwise than in Traefik",
    ),
    _rule(
        r"\bwords are used as\b",
        "'The glossary defines the terms.'",
        "Words are used as in the glossary.",
    ),
    _rule(
        r"\ba text\b",
        "'a string', or 'text' without an article",
        "weight is a text",
    ),
    _rule(
        r"\b(?:a|an|one|any|\d+) [\w-]+ is allowed\b|\bto [\w{}-]+ is allowed\b",
        "'must be an integer', 'must be between 0 and 10'",
        "0 to 2147483647 is allowed",
    ),
    _rule(
        r"\bof concern to\b",
        "'affects 1 service'",
        "of concern to 1 services",
    ),
    _rule(
        r"\b(?:all )?1 (?:targets|services|children|uplinks|routers|files|errors|warnings)\b",
        "agree in number: 'the only target', '1 service'",
        "all 1 targets are down",
    ),
    _rule(
        r"\b(?:un)?settles?d?\b(?= (?:when|at|the|every|each|what|all|a)\b)",
        "one verb for each meaning: 'update', 'resolve', 'apply'",
        "What is settled when it changes is not looked at when a pick is made.",
    ),
    _rule(
        r"\b(?:page|chart|text)\.(?:written|drawn|told)\b",
        "a verb that returns what it says: `render_page`, `render_chart`",
        "page.written([named])",
    ),
    _rule(
        r"\b(?:_guess|_poke|_kept_apart|telling|happenings?)\b",
        "the field's term: 'Suggestion', '_wake_loop', 'wording', 'event'",
        "from uplinks.simulate import Happening",
    ),
)


def check(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the words and the advice for each place that breaks a rule."""
    for number, line in enumerate(text.splitlines(), start=1):
        for rule in RULES:
            for found in rule.pattern.finditer(line):
                yield number, found.group().strip(" .:;"), rule.instead


def _files() -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and "_build" not in path.parts:
                yield path
    yield from (ROOT / page for page in PAGES)


def _read(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.name != "CHANGELOG.md":
        return text
    released = RELEASED.search(text)
    return OLD_NAME.sub("", text[: released.start()] if released else text)


def main() -> int:
    """Print every place that breaks a rule; return 1 if there is one."""
    problems = [
        f"{path.relative_to(ROOT).as_posix()}:{line}: {words!r}: write {advice}"
        for path in _files()
        for line, words, advice in check(_read(path))
    ]
    print(*problems, sep="\n", end="\n" if problems else "")  # noqa: T201 - a script
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())

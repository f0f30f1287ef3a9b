"""Programs for regular expressions: how they run.

`Program.matches` follows all threads at once (Thompson 1968), so time is bounded
by instructions times characters, whatever the pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen

from uplinks.router_rules._classes import PERL_CLASSES, Class

__all__ = ["ASSERTIONS", "LINE_ASSERTIONS", "Instruction", "Program"]

MAX_STEPS: Final = 2_000_000  # of one match: beyond it the answer is "unknown"

Assertion = Callable[[str, int], bool]
# An instruction is a class to match, an assertion, or the relative targets of a split or jump.
Instruction = Class | Assertion | tuple[int, ...]


@frozen
class Program:
    """A compiled pattern; ``code`` is ``None`` where it would be too long to run."""

    code: tuple[Instruction, ...] | None

    def matches(self, text: str) -> bool | None:
        """Whether the pattern matches anywhere in a string, or ``None`` if that is not known.

        Complexity: O(len(code) * len(text)), and at most `MAX_STEPS`.
        """
        if self.code is None or len(self.code) * (len(text) + 1) > MAX_STEPS:
            return None
        certain, maybe = {0}, {0}
        for at in range(len(text) + 1):
            # A match may begin anywhere. Threads behind a class of unknown contents are "maybe".
            certain, ended = self._closure(certain | {0}, text, at)
            if ended:
                return True
            maybe, ended = self._closure(maybe | certain, text, at)
            if ended:
                return None
            if at < len(text):
                certain, maybe = self._step(certain, maybe, text[at])
        return False

    def _closure(self, threads: set[int], text: str, at: int) -> tuple[set[int], bool]:
        assert self.code is not None  # noqa: S101 - matches checks it
        waiting, seen = list(threads), set(threads)
        while waiting:
            thread = waiting.pop()
            if thread == len(self.code):
                return seen, True
            instruction = self.code[thread]
            if isinstance(instruction, tuple):
                targets = [thread + offset for offset in instruction]
            elif isinstance(instruction, Class) or not instruction(text, at):
                continue
            else:
                targets = [thread + 1]
            waiting += [target for target in targets if target not in seen]
            seen.update(targets)
        return seen, False

    def _step(self, certain: set[int], maybe: set[int], char: str) -> tuple[set[int], set[int]]:
        assert self.code is not None  # noqa: S101 - matches checks it
        sure: set[int] = set()
        possible: set[int] = set()
        for thread in maybe | certain:
            instruction = self.code[thread]
            found = instruction.contains(char) if isinstance(instruction, Class) else False
            if found and thread in certain:
                sure.add(thread + 1)
            elif found is not False:
                possible.add(thread + 1)
        return sure, possible


def _begins(_: str, at: int) -> bool:
    return at == 0


def _ends(text: str, at: int) -> bool:
    return at == len(text)


def _begins_line(text: str, at: int) -> bool:
    return at == 0 or text[at - 1] == "\n"


def _ends_line(text: str, at: int) -> bool:
    return at == len(text) or text[at] == "\n"


def _is_word(text: str, at: int) -> bool:
    return 0 <= at < len(text) and bool(PERL_CLASSES["w"].contains(text[at]))


def _at_boundary(text: str, at: int) -> bool:
    return _is_word(text, at - 1) != _is_word(text, at)


def _inside(text: str, at: int) -> bool:
    return not _at_boundary(text, at)


ASSERTIONS: Final = {"A": _begins, "z": _ends, "b": _at_boundary, "B": _inside}
"""The assertions ``\\A``, ``\\z``, ``\\b`` and ``\\B``."""

LINE_ASSERTIONS: Final = {"^": _begins_line, "$": _ends_line}
"""``^`` and ``$`` with the flag ``m``; without it they are ``\\A`` and ``\\z``."""

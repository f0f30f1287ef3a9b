"""Traefik's router rules: what a rule means, and what is wrong with it.

Start with `parse_rule`. To add a matcher, see ``_matchers.py``; for its meaning,
``_conditions.py``; the syntax of rules is in ``_syntax.py``, that of Go's regular
expressions in ``_regexp.py``. Nothing here recurses on input: rules come from
manifests, and may nest as deeply as their author likes.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final
from weakref import WeakValueDictionary

from attrs import field, frozen

from uplinks.router_rules._conditions import Condition, Request
from uplinks.router_rules._cover import Conjunctions, anchor, conjunctions, covers, implied_anchors
from uplinks.router_rules._matchers import RuleSyntax, build, weak_points
from uplinks.router_rules._syntax import Operator, Problem, parse_syntax

__all__ = [
    "MAX_RULE",
    "Problem",
    "Request",
    "RouterRule",
    "RuleSyntax",
    "anchor",
    "covers",
    "implied_anchors",
    "parse_rule",
]

MAX_RULE: Final = 2**16
"""Longer rules, in characters, are not parsed: Go's limits begin where no real rule is."""


@frozen
class RouterRule:
    """A parsed rule; ``postfix`` holds its conditions and operators, if it is valid.

    A rule longer than `MAX_RULE` is taken as valid, and nothing is known of it.
    """

    text: str
    syntax: RuleSyntax
    problems: tuple[Problem, ...]
    postfix: tuple[Condition | Operator, ...] = field(repr=False)

    @property
    def valid(self) -> bool:
        """Whether Traefik accepts the rule."""
        return not any(problem.refused for problem in self.problems)

    @property
    def priority(self) -> int:
        """The priority of a router that sets none: the length of its rule in bytes.

        >>> parse_rule("PathPrefix(`/é`)").priority
        17
        """
        return len(self.text.encode("utf-8", "surrogatepass"))

    def matches(self, request: Request) -> bool | None:
        """Whether a request matches, or ``None`` if what is known of it does not tell.

        Complexity: O(len(text) * len(path)). An invalid rule matches nothing.

        >>> parse_rule("Host(`a.example.com`) && !Path(`/x`)").matches(Request(path="/x"))
        False
        """
        if not self.postfix:
            return None if self.valid else False
        stack: list[bool | None] = []
        for item in self.postfix:
            if isinstance(item, Condition):
                stack.append(item.matches(request))
            elif item is Operator.NOT:
                value = stack.pop()
                stack.append(None if value is None else not value)
            else:
                pair = {stack.pop(), stack.pop()}
                decides = item is Operator.OR
                stack.append(decides if decides in pair else None if None in pair else not decides)
        return stack.pop()

    @cached_property
    def conjunctions(self) -> Conjunctions | None:
        """The rule as alternatives of conditions, or ``None`` if that would be too long."""
        return conjunctions(self.postfix) if self.postfix else None


# Children of one fleet often have the same routes. A rule is kept as long as it is used.
_PARSED: Final[WeakValueDictionary[tuple[str, RuleSyntax], RouterRule]] = WeakValueDictionary()


def parse_rule(text: str, syntax: RuleSyntax = "v3") -> RouterRule:
    """Parse a rule as Traefik does; every problem has its place in the text.

    ``syntax`` is ``v3``, or ``v2`` for a router with ``ruleSyntax: v2``. Equal rules
    share one value while it is in use. Complexity: O(len(text)).

    >>> rule = parse_rule("PathStartsWith(`/api`)")
    >>> [(p.start, p.end, p.message, p.suggestion) for p in rule.problems]
    [(0, 14, "unknown matcher 'PathStartsWith'", 'PathPrefix')]
    """
    rule = _PARSED.get((text, syntax))
    if rule is None:
        rule = _PARSED[text, syntax] = _parse(text, syntax)
    return rule


def _parse(text: str, syntax: RuleSyntax) -> RouterRule:
    if len(text) > MAX_RULE:
        return RouterRule(text, syntax, (), ())
    parsed = parse_syntax(text)
    problems = [] if parsed.problem is None else [parsed.problem]
    conditions: dict[int, Condition] = {}
    for call in parsed.calls:
        condition = build(call, syntax)
        if isinstance(condition, Problem):
            problems.append(condition)
        else:
            conditions[call.start] = condition
            weak = weak_points(call, syntax)
            problems += [] if weak is None else [weak]
    valid = not any(problem.refused for problem in problems)
    postfix = tuple(
        item if isinstance(item, Operator) else conditions[item.start]
        for item in (parsed.postfix if valid else ())
    )
    ordered = tuple(sorted(problems, key=lambda problem: (problem.start, problem.end)))
    return RouterRule(text, syntax, ordered, postfix)

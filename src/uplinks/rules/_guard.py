"""Third-party rules, kept from breaking a check.

A third-party rule can do anything. If it raises, or yields something that is not a
diagnostic with its own code, its remaining results are dropped and one error with
its code takes their place. The message never quotes what the rule raised or
yielded, because that text can hold a secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import evolve, field, frozen

from uplinks.diagnostics import Diagnostic, Location, Severity
from uplinks.model import Cluster, Fleet
from uplinks.rules._rule import Rule
from uplinks.rules._suggestion import RuleResult

__all__ = ["Guard", "guard"]


@frozen
class Guard:
    """The function of a guarded rule. ``raised`` collects the class names of exceptions."""

    rule: Rule
    raised: list[str] = field(factory=list)

    def __call__(self, subject: Cluster | Fleet) -> Iterator[RuleResult]:
        """Call the rule; replace a failure by one diagnostic."""
        try:
            for result in self.rule.function(subject):
                problem = self._problem_with(result)
                if problem is not None:
                    break
                yield result
            else:
                return
        except Exception as error:  # noqa: BLE001 - the report must stand without this rule
            name = type(error).__name__
            self.raised.append(name)
            problem = f"it raised {name}"
        code, cluster = self.rule.code, subject if isinstance(subject, Cluster) else subject.parent
        yield Diagnostic(
            code,
            Severity.ERROR,
            f"rule {code} ({self.rule.name}) failed: {problem}; its check is incomplete",
            Location(cluster=cluster.name),
        )

    def _problem_with(self, result: Any) -> str | None:
        if isinstance(result, Diagnostic) and result.code == self.rule.code:
            return None
        got = result.code if isinstance(result, Diagnostic) else type(result).__name__
        return f"it yielded {got!r}, not a diagnostic with its own code"


def guard(rule: Rule) -> Rule:
    """Make a third-party rule safe to call. A rule that is already guarded stays as it is."""
    if isinstance(rule.function, Guard):
        return rule
    return evolve(rule, function=Guard(rule))

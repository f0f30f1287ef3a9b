"""What a rule is: a generator function with metadata.

1. The decorator only attaches metadata. Importing a module registers nothing, so
   the order of imports never matters.
2. A rule yields diagnostics, or suggestions still to be resolved. It never raises,
   never changes its subject, and reads only the fields it declares; a test compares
   the declared and the read fields.
3. A rule's docstring is its page: a summary, then *What it checks*, *Why*, *Bad*,
   *Good* and *Source*, in Markdown. The bad and the good example are also what the
   tests check and what `uplinks.testing.strategies` draws from.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from attrs import field, frozen

from uplinks.diagnostics import Diagnostic, Fix, Location, Related, Severity
from uplinks.errors import quote
from uplinks.rules._page import yaml_example
from uplinks.rules._suggestion import RuleResult, resolve

__all__ = [
    "OWN_PREFIX",
    "Family",
    "Rule",
    "Scope",
    "family_of",
    "rule",
]

Scope = Literal["manifests", "cluster", "fleet", "any"]
"""What a rule must see: any manifests of one cluster, all manifests of one cluster,
or the parent and all its children. ``any``: it takes a whole `uplinks.Fleet` if
there is one, else the manifests of one `uplinks.Cluster`."""

Family = Literal["shape", "uplink", "health check", "router", "fleet", "traefik", "other"]
"""What a code is about, from its first digit; ``other`` for third-party codes."""

_NEEDS: Final = {
    "manifests": "any manifests of a cluster, even one file alone",
    "cluster": "all manifests of a cluster",
    "fleet": "a parent together with its children",
    "any": "a parent together with its children, or any manifests of a cluster",
}

_FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {"0": "shape", "1": "uplink", "2": "health check", "3": "router", "4": "fleet", "5": "traefik"}
)

OWN_PREFIX: Final = "UPL"
_CODE: Final = re.compile(r"[A-Z]{2,12}[0-9]{3,6}")


def family_of(code: str) -> Family:
    """Return what a code is about.

    >>> family_of("UPL203"), family_of("ACME001")
    ('health check', 'other')
    """
    own = code.startswith(OWN_PREFIX)
    return _FAMILIES.get(code[len(OWN_PREFIX)], "other") if own else "other"


@frozen
class Rule:
    """One rule: a stable code, a name, a severity, and the function that checks.

    ``reads`` are the fields of `uplinks.Cluster` that the function reads, or
    for a fleet those of the parent and the children (``parent.routers``).

    >>> from uplinks import rules
    >>> found = rules.find("UPL301")
    >>> found.code, found.name, found.severity.value
    ('UPL301', 'entry-points-with-uplinks', 'error')
    """

    code: str
    name: str
    severity: Severity
    scope: Scope
    reads: tuple[str, ...]
    function: Callable[..., Iterator[RuleResult]] = field(repr=False)

    def __call__(self, subject: Any) -> Iterator[Diagnostic]:
        """Check a `uplinks.Cluster`, or a `uplinks.Fleet` if that is the scope.

        The diagnostics are sorted by place. `uplinks.check` resolves the suggestions
        of all rules together instead, so that their cost is bounded once.
        """
        return iter(resolve(self.function(subject)))

    def at(
        self,
        location: Location,
        message: str,
        related: Iterable[Related] = (),
        suggestion: str | None = None,
        fix: Fix | None = None,
    ) -> Diagnostic:
        """Make a diagnostic with this rule's code and severity."""
        related = tuple(related)
        return Diagnostic(self.code, self.severity, message, location, related, suggestion, fix)

    @property
    def family(self) -> Family:
        """What the rule is about."""
        return family_of(self.code)

    @property
    def needs(self) -> Literal["cluster", "fleet"]:
        """The smallest subject the rule can check."""
        return "fleet" if self.scope == "fleet" else "cluster"

    @property
    def summary(self) -> str:
        """The first line of the page, without its full stop."""
        return self._text.partition("\n")[0].removesuffix(".")

    @property
    def bad(self) -> str:
        """The page's bad example, in YAML. ``# UPL103`` ends a line that is reported."""
        return yaml_example(self.page, "Bad")

    @property
    def good(self) -> str:
        """The page's good example, in YAML."""
        return yaml_example(self.page, "Good")

    @property
    def page(self) -> str:
        """The rule's page, in Markdown."""
        return (
            f"# {self.code}: {self.name}\n\n"
            f"Severity: {self.severity.value}. Needs: {_NEEDS[self.scope]}.\n\n"
            f"{self._text}\n"
        )

    @property
    def _text(self) -> str:
        return inspect.cleandoc(self.function.__doc__ or "")


def rule(
    code: str, *, name: str, severity: Severity, scope: Scope, reads: tuple[str, ...]
) -> Callable[[Callable[[Any], Iterator[RuleResult]]], Rule]:
    r"""Turn a generator function into a rule.

    The function takes a `uplinks.Cluster` (``scope`` ``manifests`` or
    ``cluster``) or a `uplinks.Fleet` (``fleet``) and yields diagnostics, made with
    the rule's ``at``. Its docstring is the rule's page. ``code`` is an upper-case
    prefix and a number; the prefix ``UPL`` is reserved. ``reads`` documents which
    fields the function reads.

    Raises: ValueError for a malformed code.

    >>> from uplinks import Cluster, Severity, Uplink, rules
    >>> @rules.rule("ACME001", name="no-apps", severity=Severity.WARNING, scope="manifests",
    ...             reads=("uplinks",))
    ... def no_apps(cluster):
    ...     '''Warn of an uplink in the namespace `apps`.'''
    ...     for uplink in cluster.uplinks:
    ...         if uplink.namespace == "apps":
    ...             yield no_apps.at(uplink.origin.locate("metadata", "namespace"), "not in apps")
    >>> cluster = Cluster("eu", uplinks=[Uplink("api", "apps")])
    >>> print(*rules.check_cluster(cluster, extra=[no_apps]))
    <text>:1:1: warning ACME001: not in apps

    Source: this library's.
    """
    if _CODE.fullmatch(code) is None:
        raise ValueError(
            f"code must be an upper-case prefix and a number, such as 'ACME001', got {quote(code)}"
        )

    def attach(function: Callable[[Any], Iterator[RuleResult]]) -> Rule:
        return Rule(code, name, severity, scope, reads, function)

    return attach

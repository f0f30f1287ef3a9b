"""What a rule is.

Rules of this file:

1. A rule is a generator function with metadata attached. The decorator does
   nothing else: no registry is filled by importing, no order matters.
2. A rule yields findings: diagnostics, or guesses at what was meant. It never
   raises, never mends, and reads only the fields that it declares; a test
   compares declared and read.
3. A rule's docstring is its page: a summary, then *What it checks*, *Why*,
   *Bad*, *Good* and *Source*, in Markdown.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from attrs import field, frozen

from uplinks.diagnostics import Diagnostic, Location, Related, Severity
from uplinks.rules._guess import Finding, settle

__all__ = [
    "OWN_PREFIX",
    "SECTIONS",
    "Family",
    "Rule",
    "Scope",
    "family_of",
    "rule",
    "shown",
    "some",
]

Scope = Literal["manifests", "cluster", "fleet", "any"]
"""How much a rule must see: any manifests of one cluster, all manifests of one
cluster, or the parent and all its children. ``any``: it is asked about a whole
`uplinks.Fleet` if there is one, else about the manifests of one `uplinks.Cluster`."""

Family = Literal["shape", "uplink", "health check", "router", "fleet", "traefik", "other"]
"""What a code is about, told by its first digit; ``other`` for a code of others."""

SECTIONS: Final = ("What it checks", "Why", "Bad", "Good", "Source")

_JUDGED_ON: Final = {
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
    """Tell what a code is about.

    >>> family_of("UPL203"), family_of("ACME001")
    ('health check', 'other')
    """
    own = code.startswith(OWN_PREFIX)
    return _FAMILIES.get(code[len(OWN_PREFIX)], "other") if own else "other"


_LONGEST: Final = 60
_MOST: Final = 10


def shown(got: str | int) -> str:
    """Show what is written, but never at any length.

    >>> shown("ftp"), shown(99999), len(shown("x" * 10**6)) < 100
    ("'ftp'", '99999', True)
    """
    # Python refuses to write an int of more than 4300 digits.
    if isinstance(got, int) and got.bit_length() > 3 * _LONGEST:
        return f"a number of {got.bit_length()} bits"
    if isinstance(got, str) and len(got) > _LONGEST:
        return f"{got[:_LONGEST]!r}… ({len(got)} characters)"
    return repr(got)


def some(names: Iterable[str]) -> str:
    """List names, sorted; of many, the first ones and how many more there are.

    >>> some(["b", "a"]), some([])
    ('a, b', 'none')
    >>> some(f"n{i:02}" for i in range(12))
    'n00, n01, n02, n03, n04, n05, n06, n07, n08, n09 and 2 more'
    """
    names = sorted(names)
    text = ", ".join(names[:_MOST]) or "none"
    return text if len(names) <= _MOST else f"{text} and {len(names) - _MOST} more"


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
    function: Callable[..., Iterator[Finding]] = field(repr=False)

    def __call__(self, subject: Any) -> Iterator[Diagnostic]:
        """Check a `uplinks.Cluster`, or a `uplinks.Fleet` if that is the scope.

        The findings come sorted by place. Whoever asks several rules settles
        what all their functions yield together, so that the bound holds once.
        """
        return iter(settle(self.function(subject)))

    def at(
        self,
        location: Location,
        message: str,
        related: Iterable[Related] = (),
        suggestion: str | None = None,
    ) -> Diagnostic:
        """Make a finding of this rule: its code and its severity, at a place."""
        return Diagnostic(self.code, self.severity, message, location, tuple(related), suggestion)

    @property
    def family(self) -> Family:
        """What the rule is about."""
        return family_of(self.code)

    @property
    def needs(self) -> Literal["cluster", "fleet"]:
        """The least that the rule can judge."""
        return "fleet" if self.scope == "fleet" else "cluster"

    @property
    def summary(self) -> str:
        """The first line of the page, without its full stop."""
        return self._text.partition("\n")[0].removesuffix(".")

    @property
    def page(self) -> str:
        """The rule's page, in Markdown."""
        return (
            f"# {self.code}: {self.name}\n\n"
            f"Severity: {self.severity.value}. Judged on: {_JUDGED_ON[self.scope]}.\n\n"
            f"{self._text}\n"
        )

    @property
    def _text(self) -> str:
        return inspect.cleandoc(self.function.__doc__ or "")


def rule(
    code: str, *, name: str, severity: Severity, scope: Scope, reads: tuple[str, ...]
) -> Callable[[Callable[[Any], Iterator[Finding]]], Rule]:
    r"""Make a rule of the generator function that checks: the decorator for own rules.

    The function takes a `uplinks.Cluster` (``scope`` ``manifests`` or
    ``cluster``) or a `uplinks.Fleet` (``fleet``) and yields findings, made with
    the rule's ``at``. Its docstring is the rule's page. ``code`` is a prefix in
    capitals and a number; the prefix ``UPL`` is this library's. ``reads`` says
    which fields are read, for whoever reads the catalogue.

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
            f"invalid code {shown(code)}; a prefix in capitals and a number is allowed"
        )

    def attach(function: Callable[[Any], Iterator[Finding]]) -> Rule:
        return Rule(code, name, severity, scope, reads, function)

    return attach

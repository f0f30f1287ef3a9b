"""The codes that reading reports, before any rule is asked (UPL0xx, UPL201).

Text, fields and files are read by others, who know what is wrong the moment
they see it. Their codes are listed here so that there is one catalogue, with a
page for each. The table is sorted by code. UPL010 is a rule as well: see
`uplinks.rules.objects`.

Source: reference page, "Configuration Options"; YAML 1.2.2; RFC 8259.
"""

from __future__ import annotations

from typing import Final, Literal

from attrs import frozen

from uplinks.diagnostics import LIMIT_EXCEEDED, Severity
from uplinks.rules._rule import Family, family_of

__all__ = ["SHAPE", "ShapeCode"]


@frozen
class ShapeCode:
    """One code that reading reports: what a rule has, without a function.

    ``severity`` is the worst that is reported with this code.

    >>> from uplinks import rules
    >>> rules.find("UPL002").summary
    'A key is written twice in one mapping'
    """

    code: str
    name: str
    severity: Severity
    summary: str
    checks: str
    why: str
    bad: str
    good: str
    source: str

    @property
    def family(self) -> Family:
        """What the code is about."""
        return family_of(self.code)

    @property
    def needs(self) -> Literal["cluster", "fleet"]:
        """The least that shows it: any text of a cluster."""
        return "cluster"

    @property
    def page(self) -> str:
        """The code's page, in Markdown, with the sections of a rule's page."""
        return (
            f"# {self.code}: {self.name}\n\n"
            f"Severity: {self.severity.value}. Reported while reading.\n\n"
            f"{self.summary}.\n\n"
            f"## What it checks\n\n{self.checks}\n\n"
            f"## Why\n\n{self.why}\n\n"
            f"## Bad\n\n```yaml\n{self.bad}\n```\n\n"
            f"## Good\n\n```yaml\n{self.good}\n```\n\n"
            f"## Source\n\n{self.source}\n"
        )


SHAPE: Final[tuple[ShapeCode, ...]] = (
    ShapeCode(
        "UPL001",
        "invalid-yaml",
        Severity.ERROR,
        "The text is not YAML or JSON in UTF-8",
        "Each file is UTF-8 text and a stream of YAML or JSON documents.",
        "What cannot be read cannot be applied either.",
        "metadata: {name: api-workload",
        "metadata: {name: api-workload}",
        "YAML 1.2.2; RFC 8259.",
    ),
    ShapeCode(
        "UPL002",
        "duplicate-key",
        Severity.ERROR,
        "A key is written twice in one mapping",
        "The keys of each mapping differ.",
        "Most readers silently keep the last one, some the first.",
        "spec:\n  weight: 90\n  weight: 10",
        "spec:\n  weight: 90",
        "YAML 1.2.2, section 3.2.1.1: keys are unique.",
    ),
    ShapeCode(
        "UPL003",
        "alias-or-merge-key",
        Severity.ERROR,
        "An alias or a merge key stands for nothing",
        "An alias (`*name`) has an anchor (`&name`) before it and is not inside it. A merge key\n"
        "(`<<`) has a mapping or a list of mappings.",
        "The API server refuses the text.",
        "spec:\n  entryPoints: *points",
        "spec:\n  entryPoints: &points [multicluster]",
        "YAML 1.2.2, section 7.1; the YAML 1.1 merge key; sigs.k8s.io/yaml.",
    ),
    ShapeCode(
        LIMIT_EXCEEDED,
        "over-a-limit",
        Severity.ERROR,
        "The text is larger, deeper or denser than the reader's limits",
        "A text has at most 16 MiB, 100 levels of nesting, 300,000 keys and values, and 50,000\n"
        "documents; 25,000 keys and values and 1,000 documents may stand close together, of\n"
        "more each takes 6 and 64 bytes on average. An alias counts like a copy. Of very many\n"
        "findings the first are kept: 5,000 of one rule in one cluster, 1,000 of one list or\n"
        "mapping; a finding with this code says where the others begin.",
        "A reader without limits can be stopped by one file.",
        "[[[[[[[[ # and so on, hundreds deep",
        "[[]]",
        "The limits are this library's.",
    ),
    ShapeCode(
        "UPL005",
        "unknown-field",
        Severity.ERROR,
        "A field does not exist",
        "Each field of an `Uplink` and of the static configuration is known. In an\n"
        "`IngressRoute` or a `TraefikService` an unknown field is a warning only.",
        "An API server drops it in silence, and a mistyped `wieght` is weight 1.",
        "spec:\n  wieght: 10",
        "spec:\n  weight: 10",
        'Uplink reference, "Configuration Options".',
    ),
    ShapeCode(
        "UPL006",
        "wrong-type",
        Severity.ERROR,
        "A value has the wrong type",
        'Each value has the type of its field. Nothing is converted: `"10"` is no number.',
        "An API server refuses it, or reads it as something else than was meant.",
        'spec:\n  weight: "10"',
        "spec:\n  weight: 10",
        'Uplink reference, "Configuration Options".',
    ),
    ShapeCode(
        "UPL007",
        "missing-field",
        Severity.ERROR,
        "A required field is missing",
        "Each required field is there. Names and namespaces have rules of their own.",
        "The object would be refused, or mean nothing.",
        "hub:\n  providers:\n    multicluster:\n      children:\n        child-1: {}",
        "hub:\n  providers:\n    multicluster:\n      children:\n        child-1:\n"
        "          address: https://child1.example.com:9443",
        'Uplink reference, "Complete Example".',
    ),
    ShapeCode(
        "UPL008",
        "unknown-kind",
        Severity.WARNING,
        "A kind or version of Traefik's API groups is unknown",
        "An object of `hub.traefik.io` or `traefik.io` has a known kind and version.",
        "It was skipped. Perhaps another kind was meant.",
        "apiVersion: hub.traefik.io/v1\nkind: Uplink",
        "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink",
        'Uplink reference, "Configuration Options".',
    ),
    ShapeCode(
        "UPL009",
        "ambiguous-scalar",
        Severity.WARNING,
        "A number is octal because of a leading zero",
        "In a field of numbers, like `weight` or `port`, no leading zero changes a number.",
        "The API server reads `012` as 10.",
        "spec:\n  weight: 012",
        "spec:\n  weight: 10",
        "YAML 1.1, type repository; sigs.k8s.io/yaml.",
    ),
    ShapeCode(
        "UPL011",
        "nothing-found",
        Severity.ERROR,
        "There is nothing to check",
        "Each path that is given holds at least one document.",
        "A mistyped path must not pass as a clean check.",
        "# a file with nothing but this comment",
        "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\n"
        "metadata: {name: api-workload, namespace: apps}",
        "This library's.",
    ),
    ShapeCode(
        "UPL012",
        "unreadable-file",
        Severity.ERROR,
        "A file cannot be read",
        "Each file that is given, or found in a folder, can be opened and read.",
        "What was not read was not checked.",
        "# no such file, a folder in its place, no permission",
        "# a file",
        "This library's.",
    ),
    ShapeCode(
        "UPL013",
        "unused-suppression",
        Severity.WARNING,
        "A suppression suppresses nothing",
        "Each code of a suppression takes out at least one finding. A code that was not\n"
        "looked for is not judged: a file alone does not show what a fleet shows.",
        "What was mended can come back unseen.",
        "spec:\n  weight: 10 # uplinks: ignore[UPL103]",
        "spec:\n  weight: 10",
        "This library's.",
    ),
    ShapeCode(
        "UPL014",
        "unknown-suppression",
        Severity.WARNING,
        "A suppression can suppress nothing",
        "A suppression names codes that exist and can be suppressed: not what makes a text\n"
        "unreadable (UPL001 to UPL004, UPL011, UPL012), and not findings about suppressions.\n"
        "`ignore-file` stands alone on its line, before anything else in its file.",
        "A mistyped code hides nothing, and the wrong place hides something else.",
        "spec:\n  weight: -1 # uplinks: ignore[UPL1O3]",
        "spec:\n  weight: -1 # uplinks: ignore[UPL103]",
        "This library's.",
    ),
    ShapeCode(
        "UPL201",
        "invalid-duration",
        Severity.ERROR,
        "A value is not a duration",
        "A duration is a whole number of seconds or has Go's form: `1m30s`, `1.5s`, `500ms`.\n"
        "It is not negative.",
        "Traefik drops a service whose health check it cannot read.",
        "spec:\n  healthCheck:\n    interval: 1d",
        "spec:\n  healthCheck:\n    interval: 24h",
        'Uplink reference, "Health Check Fields"; Go, `time.ParseDuration`.',
    ),
)

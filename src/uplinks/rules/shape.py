"""The codes reported while reading, before any rule runs (UPL0xx, UPL201).

The modules that read text, fields and files report these codes themselves. They are
listed here so that one catalogue has a page for each code. The table is sorted by
code. UPL010 is also a rule, in `uplinks.rules.objects`.

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
    """One code reported while reading: the metadata of a rule, without a function.

    ``severity`` is the highest severity reported with this code.

    >>> from uplinks import rules
    >>> rules.find("UPL002").summary
    'A key occurs twice in one mapping'
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
        """The smallest subject that shows it: any manifest of a cluster."""
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


_CONFIG_MAP: Final = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"

SHAPE: Final[tuple[ShapeCode, ...]] = (
    ShapeCode(
        "UPL001",
        "invalid-yaml",
        Severity.ERROR,
        "The text is not YAML or JSON in UTF-8",
        "Each file is UTF-8 text and consists of YAML or JSON documents.",
        "A file that cannot be parsed cannot be applied either.",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings\ndata: {} # UPL001",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {}",
        "YAML 1.2.2; RFC 8259.",
    ),
    ShapeCode(
        "UPL002",
        "duplicate-key",
        Severity.ERROR,
        "A key occurs twice in one mapping",
        "The keys of each mapping are different.",
        "Most parsers silently keep the last value, some the first.",
        "spec:\n  weight: 90\n  weight: 10 # UPL002",
        "spec:\n  weight: 90",
        "YAML 1.2.2, section 3.2.1.1: keys are unique.",
    ),
    ShapeCode(
        "UPL003",
        "alias-or-merge-key",
        Severity.ERROR,
        "An alias or a merge key stands for nothing",
        "Every alias (`*name`) follows the anchor (`&name`) that it names and is not inside\n"
        "that anchor's value. The value of a merge key (`<<`) is a mapping or a list of\n"
        "mappings.",
        "The API server refuses the text.",
        "spec:\n  entryPoints: *points # UPL003",
        "spec:\n  entryPoints: &points [multicluster]",
        "YAML 1.2.2, section 7.1; the YAML 1.1 merge key; sigs.k8s.io/yaml.",
    ),
    ShapeCode(
        LIMIT_EXCEEDED,
        "over-a-limit",
        Severity.ERROR,
        "A file exceeds the limits of the parser",
        "A file has at most 16 MiB, 100 levels of nesting, 300,000 keys and values, and 50,000\n"
        "documents. Beyond 25,000 keys and values, each takes at least 6 bytes on average;\n"
        "beyond 1,000 documents, each takes at least 64 bytes. An alias counts like a copy. Of\n"
        "very many diagnostics the first are kept: 5,000 of one rule in one cluster, 1,000 of\n"
        "one list or mapping. A diagnostic with this code marks where the others start.",
        "Without limits, a single file can exhaust memory or time.",
        f"{_CONFIG_MAP}deep: {'[' * 100}{']' * 100} # UPL004",
        f"{_CONFIG_MAP}deep: {'[' * 20}{']' * 20}",
        "The limits are this library's.",
    ),
    ShapeCode(
        "UPL005",
        "unknown-field",
        Severity.ERROR,
        "A field does not exist",
        "Each field of an `Uplink` and of the static configuration exists. In an\n"
        "`IngressRoute` or a `TraefikService` an unknown field is only a warning.",
        "The API server drops unknown fields silently: with `wieght`, the weight is 1.",
        "spec:\n  wieght: 10 # UPL005",
        "spec:\n  weight: 10",
        'Uplink reference, "Configuration Options".',
    ),
    ShapeCode(
        "UPL006",
        "wrong-type",
        Severity.ERROR,
        "A value has the wrong type",
        'Each value has the type of its field. Nothing is converted: `"10"` is a string.',
        "The API server rejects the object, or reads another value than intended.",
        'spec:\n  weight: "10" # UPL006',
        "spec:\n  weight: 10",
        'Uplink reference, "Configuration Options".',
    ),
    ShapeCode(
        "UPL007",
        "missing-field",
        Severity.ERROR,
        "A required field is missing",
        "Each required field is present. Other rules check names and namespaces.",
        "The API server rejects the object, or it has no effect.",
        "apiVersion: traefik.io/v1alpha1\n"
        "kind: TraefikService\n"
        "metadata: {name: api, namespace: apps}\n"
        "spec:\n"
        "  failover:\n"
        "    service:\n"
        "      kind: TraefikService # UPL007\n"
        "    fallback: {name: static, port: 80}\n"
        "    errors: {}",
        "apiVersion: traefik.io/v1alpha1\n"
        "kind: TraefikService\n"
        "metadata: {name: api, namespace: apps}\n"
        "spec:\n"
        "  failover:\n"
        "    service:\n"
        "      name: main\n"
        "      port: 80\n"
        "    fallback: {name: static, port: 80}\n"
        "    errors: {}",
        'Uplink reference, "Complete Example".',
    ),
    ShapeCode(
        "UPL008",
        "unknown-kind",
        Severity.WARNING,
        "A kind or version of Traefik's API groups is unknown",
        "Objects of `hub.traefik.io` and `traefik.io` have a known kind and version.",
        "The object is skipped. Another kind may have been intended.",
        "apiVersion: hub.traefik.io/v1 # UPL008\n"
        "kind: Uplink\n"
        "metadata: {name: api-workload, namespace: apps}",
        "apiVersion: hub.traefik.io/v1alpha1\n"
        "kind: Uplink\n"
        "metadata: {name: api-workload, namespace: apps}",
        'Uplink reference, "Configuration Options".',
    ),
    ShapeCode(
        "UPL009",
        "ambiguous-scalar",
        Severity.WARNING,
        "A number is octal because of a leading zero",
        "No number in a field of numbers, such as `weight` or `port`, has a leading zero that\n"
        "changes its value.",
        "The API server reads `012` as 10.",
        "spec:\n  weight: 012 # UPL009",
        "spec:\n  weight: 10",
        "YAML 1.1, type repository; sigs.k8s.io/yaml.",
    ),
    ShapeCode(
        "UPL011",
        "nothing-found",
        Severity.ERROR,
        "There is nothing to check",
        "Each given path contains at least one document.",
        "A misspelt path must not look like a clean check.",
        "# a file with nothing but this comment",
        "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\n"
        "metadata: {name: api-workload, namespace: apps}",
        "This library.",
    ),
    ShapeCode(
        "UPL012",
        "unreadable-file",
        Severity.ERROR,
        "A file cannot be read",
        "Each given file, and each file in a given folder, is readable. So is each kind of object\n"
        "in each given cluster: the API server allows it to be listed and watched.",
        "What is not read is not checked.",
        "# no such file, a folder in its place, no permission",
        "# a file",
        "This library.",
    ),
    ShapeCode(
        "UPL013",
        "unused-suppression",
        Severity.WARNING,
        "A suppression suppresses nothing",
        "Each code of a suppression hides at least one diagnostic. A code that this check does\n"
        "not cover is not reported: a single file cannot show the mistakes of a fleet.",
        "A mistake that was fixed can return without notice.",
        "spec:\n  weight: 10 # uplinks: ignore[UPL103]",
        "spec:\n  weight: 10",
        "This library.",
    ),
    ShapeCode(
        "UPL014",
        "unknown-suppression",
        Severity.WARNING,
        "A suppression cannot have an effect",
        "A suppression names codes that exist and can be suppressed. Codes about unreadable\n"
        "files (UPL001 to UPL004, UPL011, UPL012) and about suppressions cannot be.\n"
        "`ignore-file` is alone on its line, before anything else in its file.",
        "A misspelt code hides nothing, and a misplaced one hides another diagnostic.",
        "spec:\n  weight: -1 # uplinks: ignore[UPL1O3]",
        "spec:\n  weight: -1 # uplinks: ignore[UPL103]",
        "This library.",
    ),
    ShapeCode(
        "UPL015",
        "unknown-document-version",
        Severity.ERROR,
        "The version of a child's document is unknown",
        "The field `version` of the document that a child serves to its parents is 1.",
        "A document of another version may mean something else, so nothing of it is read. The\n"
        "child's last document of a known version stays in use.",
        "# served by a child\nversion: 2\nuplinks: []",
        "# served by a child\nversion: 1\nuplinks: []",
        "This library.",
    ),
    ShapeCode(
        "UPL017",
        "refused-value",
        Severity.ERROR,
        "The API server refuses a value",
        "Each field of an `IngressRoute`, `TraefikService`, `Middleware` or `ServersTransport`\n"
        "has a value that Traefik's CRD allows: `kind: Rule`, a known `strategy`, and so on.",
        "The API server refuses the whole object, so the cluster keeps the old one, or none.",
        "# parent\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\n"
        "metadata: {name: api, namespace: apps}\n"
        "spec:\n"
        "  routes:\n"
        "    - match: PathPrefix(`/api`)\n"
        "      kind: rule # UPL017\n"
        "      services:\n"
        "        - name: api\n"
        "          port: 80\n"
        "          strategy: roundrobin # UPL017",
        "# parent\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\n"
        "metadata: {name: api, namespace: apps}\n"
        "spec:\n"
        "  routes:\n"
        "    - match: PathPrefix(`/api`)\n"
        "      kind: Rule\n"
        "      services:\n"
        "        - name: api\n"
        "          port: 80\n"
        "          strategy: wrr",
        "Traefik's Kubernetes CRDs.",
    ),
    ShapeCode(
        "UPL018",
        "not-rendered",
        Severity.ERROR,
        "Manifests are not read, because another program has to render them",
        "Each folder holds manifests, not a Helm chart or a kustomization, and no file is a\n"
        "template. `uplinks check --render` reads what `helm template` or `kubectl kustomize`\n"
        "makes of such a folder. A kustomization that only lists the files beside it is read\n"
        "as it is.",
        "What is not read is not checked. `uplinks check` reports this as information, and rules\n"
        "that conclude from what is absent, such as UPL307, are silent. Other commands refuse\n"
        "such a fleet: they would leave out what the manifests declare.",
        "{{- if .Values.uplink.enabled }}\n"
        "apiVersion: hub.traefik.io/v1alpha1\n"
        "kind: Uplink\n"
        "{{- end }}",
        "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\n"
        "metadata: {name: api-workload, namespace: apps}",
        "This library.",
    ),
    ShapeCode(
        "UPL201",
        "invalid-duration",
        Severity.ERROR,
        "A value is not a duration",
        "A duration is an integer number of seconds, or a string in Go's format: `1m30s`,\n"
        "`1.5s`, `500ms`.",
        "Traefik drops a service whose health check it cannot parse.",
        "spec:\n  healthCheck:\n    path: /health\n    interval: 1d # UPL201",
        "spec:\n  healthCheck:\n    path: /health\n    interval: 24h",
        'Uplink reference, "Health Check Fields"; Go, `time.ParseDuration`.',
    ),
)

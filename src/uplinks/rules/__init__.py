"""The catalogue of what is checked, and the check itself.

Rules of this package:

1. One rule is one function, its docstring is its page, and `ALL` is the one
   table of them: literal, sorted by code. A new rule is a function, a line in
   `ALL`, and a bad and a good fixture in ``tests/rules/<code>/``.
2. A code is never given to another rule. When a rule goes, its code moves to
   `RETIRED`.
3. Findings made while reading are part of each report, so that whoever checks
   gets everything at once.
"""

from __future__ import annotations

from typing import Final, Literal

from uplinks import naming
from uplinks.diagnostics import Report
from uplinks.model import Cluster, Fleet
from uplinks.rules import (
    collision,
    fleet,
    health_check,
    objects,
    probe_header,
    probe_request,
    reference,
    router,
    uplink,
    weight,
)
from uplinks.rules._guess import Finding, settle
from uplinks.rules._rule import SECTIONS, Rule, Scope
from uplinks.rules.shape import SHAPE, ShapeCode

__all__ = [
    "ALL",
    "RETIRED",
    "SECTIONS",
    "SHAPE",
    "Role",
    "Rule",
    "Scope",
    "ShapeCode",
    "check",
    "check_cluster",
    "codes",
    "find",
    "pages",
]

ALL: Final[tuple[Rule, ...]] = (
    objects.declared_twice,  # 010
    uplink.invalid_name,  # 101
    uplink.invalid_namespace,  # 102
    uplink.negative_weight,  # 103
    uplink.weight_too_large,  # 105
    uplink.invalid_expose_name,  # 106
    uplink.unknown_entry_point,  # 108
    uplink.no_default_entry_point,  # 109
    health_check.negative_duration,  # 202
    health_check.slow_timeout,  # 203
    health_check.unknown_mode,  # 204
    health_check.unknown_scheme,  # 205
    probe_request.invalid_method,  # 206
    probe_request.invalid_status,  # 207
    probe_request.invalid_port,  # 208
    probe_request.invalid_path,  # 209
    health_check.ignored_by_grpc,  # 210
    probe_header.header_of_the_probe,  # 211
    probe_header.invalid_header,  # 212
    probe_request.invalid_hostname,  # 213
    health_check.invalid_passive_check,  # 217
    router.entry_points_with_uplinks,  # 301
    router.tls_with_uplinks,  # 302
    router.unknown_uplink,  # 303
    router.uplink_named_twice,  # 304
    router.empty_element,  # 305
    reference.unresolved_service,  # 307
    reference.missing_kind,  # 308
    reference.circle,  # 310
    reference.unknown_traefik_service,  # 312
    weight.reference_weight,  # 313
    objects.more_than_one_type,  # 314
    objects.missing_identity,  # 315
    collision.uplink_name_collision,  # 401
    collision.service_name_collision,  # 402
    fleet.invalid_address,  # 406
    fleet.unlisted_child,  # 407
    fleet.child_without_manifests,  # 408
    fleet.child_without_provider,  # 409
    fleet.invalid_child_name,  # 416
)
"""Every rule, sorted by code."""

RETIRED: Final[tuple[str, ...]] = ()
"""Codes of rules that are gone, sorted. They are never used again."""

Role = Literal["child", "parent"]
"""What a whole cluster is in its fleet."""


def check(subject: Fleet) -> Report:
    """Check a parent and its children: every rule on everything it is about.

    Law: a pure function; the report does not depend on the order of anything
    in the fleet. It never raises for what was read from a manifest.
    Complexity: O(n log n) for n objects, and a bounded time for all suggestions
    together: of a great many unknown names only the first get one.

    >>> from uplinks.model import Uplink
    >>> bad = Cluster("eu", uplinks=[Uplink("api", "apps", weight=-1)])
    >>> [d.code for d in check(Fleet(Cluster("parent"), {"eu": bad}))]
    ['UPL407', 'UPL409', 'UPL103']

    Source: reference page, "Configuration Options", "Uplink Naming",
    "Referencing Uplinks from Routers" and "Health Check Fields".
    """
    found: list[Finding] = []
    for cluster in subject.clusters:
        found += cluster.diagnostics
        found += _found_in(cluster, whole=True)
    for each in ALL:
        if each.scope == "fleet":
            found += each.function(subject)
    return Report(settle(found))


def check_cluster(cluster: Cluster, role: Role | None = None) -> Report:
    """Check one cluster on its own, without what only a fleet can show.

    With a ``role`` all manifests of the cluster are taken to be there. Without
    one, as for a single file, they may be a part only: then a router's uplinks
    are judged only if there are uplinks, and entry points only if there is a
    static configuration.

    Law: a pure function, as `check`. Complexity: O(n log n) for n objects.

    >>> from uplinks.model import UPLINKS_ANNOTATION, IngressRoute
    >>> route = IngressRoute("r", "apps", tls={}, annotations={UPLINKS_ANNOTATION: "apps-api"})
    >>> [d.code for d in check_cluster(Cluster("", routers=[route]))]
    ['UPL302']
    >>> [d.code for d in check_cluster(Cluster("eu", routers=[route]), role="child")]
    ['UPL303', 'UPL302']

    Source: as `check`.
    """
    whole = role is not None or bool(cluster.uplinks)
    return Report(settle([*cluster.diagnostics, *_found_in(cluster, whole=whole)]))


def _found_in(cluster: Cluster, *, whole: bool) -> list[Finding]:
    scopes = {"manifests", "cluster"} if whole else {"manifests"}
    return [found for each in ALL if each.scope in scopes for found in each.function(cluster)]


def codes() -> tuple[str, ...]:
    """List every code that a report can hold, sorted; retired ones are not among them.

    Complexity: O(rules).

    >>> codes()[0], "UPL301" in codes()
    ('UPL001', True)

    Source: this library's catalogue.
    """
    return tuple(sorted([*(each.code for each in ALL), *(each.code for each in SHAPE)]))


def find(code: str) -> Rule | ShapeCode:
    """Find what a code stands for; its ``page`` explains it.

    Complexity: O(rules). Raises `KeyError` with a near code for an unknown one.

    >>> find("upl301").summary
    'Refuse `entryPoints` beside the uplinks annotation'

    Source: this library's catalogue.
    """
    wanted = code.upper()
    entries: list[Rule | ShapeCode] = [*ALL, *SHAPE]
    for each in entries:
        if each.code == wanted:
            return each
    near = naming.nearest(wanted, codes())
    hint = "" if near is None else f"; did you mean {near}?"
    raise KeyError(f"no code {code!r}{hint}")


def pages() -> dict[str, str]:
    """Write the catalogue as Markdown: file names to texts, an index among them.

    ``docs/rules`` holds exactly these, and a test keeps it so.
    Complexity: O(rules).

    >>> pages()["UPL301.md"].splitlines()[0]
    '# UPL301: entry-points-with-uplinks'

    Source: this library's catalogue.
    """
    entries: list[Rule | ShapeCode] = sorted([*ALL, *SHAPE], key=lambda each: each.code)
    rows = [
        f"| [{each.code}]({each.code}.md) | {each.name} | {each.severity.value} | {each.summary} |"
        for each in entries
    ]
    lines = [
        "# Codes",
        "",
        "Every finding has a code. A code is never given another meaning.",
        "",
        "| code | name | severity | what |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
        "```{toctree}",
        ":hidden:",
        ":glob:",
        "",
        "UPL*",
        "```",
    ]
    if RETIRED:
        lines += ["", f"Retired, and never used again: {', '.join(RETIRED)}."]
    index = "\n".join(lines) + "\n"
    return {"index.md": index, **{f"{each.code}.md": each.page for each in entries}}

"""The catalogue of rules, and `check`, which applies them.

1. One rule is one function and its docstring is its page. `ALL` lists the rules,
   sorted by code. CONTRIBUTING.md says how to add one.
2. A code is never reused. When a rule goes, its code moves to `RETIRED`.
3. A report includes the diagnostics made while reading, so that one check shows
   everything.
4. Third-party rules are values the caller passes. One that fails becomes one error
   with its code, and the rest of the report stands (see `guard`). A rule in `ALL`
   that raises is a bug, and the exception propagates.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial
from itertools import islice
from typing import Final, Literal

from attrs import evolve

from uplinks import naming
from uplinks.diagnostics import LIMIT_EXCEEDED, Diagnostic, Report, Severity
from uplinks.model import Cluster, Fleet
from uplinks.rules import (
    address,
    agreement,
    annotation,
    circle,
    collision,
    dead_end,
    entry_point,
    fleet,
    health_check,
    listen_address,
    named_object,
    objects,
    parent_router,
    probe_header,
    probe_request,
    probe_route,
    reference,
    renamed,
    route_match,
    route_order,
    router,
    timing,
    traefik_checks,
    traefik_routes,
    transport,
    unused,
    uplink,
    weight,
)
from uplinks.rules._guard import Guard, guard
from uplinks.rules._page import SECTIONS
from uplinks.rules._rule import OWN_PREFIX, Family, Rule, Scope, rule
from uplinks.rules._suggestion import RuleResult, Suggestion, resolve
from uplinks.rules.shape import SHAPE, ShapeCode

__all__ = [
    "ALL",
    "FROM_ABSENCE",
    "MOST_OF_A_RULE",
    "NOT_RENDERED",
    "RETIRED",
    "SECTIONS",
    "SHAPE",
    "Entry",
    "Family",
    "Guard",
    "Role",
    "Rule",
    "Scope",
    "ShapeCode",
    "check",
    "check_cluster",
    "codes",
    "find",
    "guard",
    "has_error",
    "pages",
    "rule",
]

ALL: Final[tuple[Rule, ...]] = (
    objects.declared_twice,  # 010
    uplink.invalid_name,  # 101
    uplink.invalid_namespace,  # 102
    uplink.negative_weight,  # 103
    weight.zero_weight,  # 104
    uplink.weight_too_large,  # 105
    uplink.invalid_expose_name,  # 106
    uplink.normalized_name,  # 107
    entry_point.unknown_entry_point,  # 108
    entry_point.entry_point_named_twice,  # 110
    unused.unused_uplink,  # 111
    timing.negative_duration,  # 202
    timing.slow_timeout,  # 203
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
    probe_header.plain_credential,  # 214
    probe_request.missing_path,  # 215
    timing.slower_when_unhealthy,  # 216
    health_check.invalid_passive_check,  # 217
    probe_route.unreachable_health_check,  # 218
    router.entry_points_with_uplinks,  # 301
    router.tls_with_uplinks,  # 302
    annotation.unknown_uplink,  # 303
    annotation.uplink_named_twice,  # 304
    annotation.empty_element,  # 305
    router.no_routes,  # 306
    reference.unresolved_service,  # 307
    reference.missing_kind,  # 308
    renamed.renamed_uplink,  # 309
    circle.circle,  # 310
    objects.uncomposed_type,  # 311
    reference.unknown_traefik_service,  # 312
    weight.reference_weight,  # 313
    objects.more_than_one_type,  # 314
    objects.missing_identity,  # 315
    route_match.invalid_match,  # 316
    route_match.match_without_effect,  # 317
    route_order.duplicate_match,  # 318
    route_order.shadowed_route,  # 319
    parent_router.below_and_outside,  # 330
    parent_router.unknown_parent,  # 331
    dead_end.nothing_weighted,  # 332
    dead_end.no_type,  # 333
    dead_end.no_service_of_a_route,  # 334
    named_object.cross_namespace,  # 335
    named_object.unknown_object,  # 336
    dead_end.impossible_port,  # 337
    dead_end.missing_port,  # 338
    parent_router.parent_with_services,  # 339
    collision.uplink_name_collision,  # 401
    collision.service_name_collision,  # 402
    agreement.different_checks,  # 403
    agreement.different_names,  # 404
    weight.only_zero_weights,  # 405
    address.invalid_address,  # 406
    fleet.unlisted_child,  # 407
    fleet.child_without_manifests,  # 408
    fleet.child_without_provider,  # 409
    entry_point.child_without_entry_points,  # 410
    agreement.partly_checked,  # 411
    agreement.no_failover,  # 412
    unused.unrouted_uplink,  # 413
    address.plain_address,  # 414
    address.shared_address,  # 415
    fleet.invalid_child_name,  # 416
    transport.invalid_transport,  # 420
    listen_address.invalid_listen_address,  # 421
    traefik_checks.grpc_over_tls,  # 501
    traefik_checks.passive_without_effect,  # 502
    traefik_routes.status_not_passed_on,  # 503
    traefik_routes.failover_without_check,  # 504
    traefik_routes.advertised_below_another,  # 505
)
"""Every rule, sorted by code."""

MOST_OF_A_RULE: Final = 5_000
"""How many diagnostics of one rule are kept for one cluster, or for the fleet itself."""

NOT_RENDERED: Final = "UPL018"
"""The code of manifests that are known to exist, but were not read."""

FROM_ABSENCE: Final = frozenset(
    {
        "UPL108", "UPL111", "UPL218", "UPL303", "UPL307", "UPL312", "UPL331", "UPL336", "UPL405",
        "UPL407", "UPL408", "UPL409", "UPL410", "UPL411", "UPL412", "UPL413", "UPL504",
    }
)  # fmt: skip
"""The rules that conclude from what is absent. They are silent beside `NOT_RENDERED`."""

RETIRED: Final[tuple[str, ...]] = ("UPL109",)
"""Codes of removed rules, sorted. They are never reused."""

Entry = Rule | ShapeCode
"""One entry of the catalogue."""

Role = Literal["child", "parent"]
"""The role of a cluster in its fleet."""


def check(subject: Fleet, extra: Iterable[Rule] = (), *, known_modes: Iterable[str] = ()) -> Report:
    """Check a parent and its children with every rule.

    ``extra`` are third-party rules, made with `rule`. ``known_modes`` are health-check
    modes to accept in addition to ``http`` and ``grpc``.

    Law: a pure function. The report does not depend on the order of anything in the
    fleet, unless a rule yields more than `MOST_OF_A_RULE` diagnostics. No manifest and
    no third-party rule makes it raise.
    Complexity: O(n log n) for n objects, plus a bounded time for all suggestions (of
    very many unknown names only the first get one), plus the third-party rules.
    Raises: ValueError for a third-party rule whose code is taken or has the prefix
    ``UPL``.

    >>> from uplinks.model import Uplink
    >>> bad = Cluster("eu", uplinks=[Uplink("api", "apps", weight=-1)])
    >>> [d.code for d in check(Fleet(Cluster("parent"), {"eu": bad}))]
    ['UPL407', 'UPL409', 'UPL103']

    Source: reference page, "Configuration Options", "Uplink Naming",
    "Referencing Uplinks from Routers" and "Health Check Fields".
    """
    applied = _rules(extra, known_modes, subject.clusters)
    found: list[RuleResult] = []
    for cluster in subject.clusters:
        found += cluster.diagnostics
        found += _results(applied, {"manifests", "cluster"}, cluster)
    found += _results(applied, {"fleet", "any"}, subject)
    return Report(resolve(found))


def check_cluster(
    cluster: Cluster,
    role: Role | None = None,
    extra: Iterable[Rule] = (),
    *,
    known_modes: Iterable[str] = (),
) -> Report:
    """Check one cluster on its own, with the rules that do not need a fleet.

    With a ``role``, the manifests are all of the cluster. Without one, as for a single
    file, they can be a part: references from routers to uplinks are then checked only
    if there are uplinks, and entry points only if there is a static configuration.
    ``extra`` and ``known_modes`` are as for `check`.

    Law: a pure function, as `check`. Complexity: O(n log n) for n objects.
    Raises: ValueError, as `check`.

    >>> from uplinks.model import UPLINKS_ANNOTATION, IngressRoute
    >>> route = IngressRoute("r", "apps", tls={}, annotations={UPLINKS_ANNOTATION: "apps-api"})
    >>> [d.code for d in check_cluster(Cluster("", routers=[route]))]
    ['UPL302']
    >>> [d.code for d in check_cluster(Cluster("eu", routers=[route]), role="child")]
    ['UPL303', 'UPL302']

    Source: as `check`.
    """
    applied = _rules(extra, known_modes, [cluster])
    results = _results(applied, _scopes(cluster, role), cluster)
    return Report(resolve([*cluster.diagnostics, *results]))


def has_error(cluster: Cluster, role: Role | None = None) -> bool:
    """Tell whether `check_cluster` reports an error, without the rules that only warn.

    Complexity: O(n log n) for n objects.

    >>> from uplinks.model import Uplink
    >>> has_error(Cluster("eu", uplinks=[Uplink("api", "apps", weight=-1)]))
    True

    Source: this library's.
    """
    if any(each.severity is Severity.ERROR for each in cluster.diagnostics):
        return True
    scopes = _scopes(cluster, role)
    errors = (each for each in ALL if each.severity is Severity.ERROR)
    return any(_results([each], scopes, cluster) for each in errors)


def _scopes(cluster: Cluster, role: Role | None) -> list[Scope]:
    whole = role is not None or bool(cluster.uplinks)
    return ["manifests", "any", "cluster"] if whole else ["manifests", "any"]


def _rules(
    extra: Iterable[Rule], known_modes: Iterable[str], clusters: Iterable[Cluster]
) -> list[Rule]:
    taken = {*codes(), *RETIRED}
    guarded = []
    for each in extra:
        if each.code.startswith(OWN_PREFIX) or each.code in taken:
            raise ValueError(f"code {each.code} of rule {each.name!r} is taken; choose another")
        taken.add(each.code)
        guarded.append(guard(each))
    modes = tuple(dict.fromkeys([*health_check.MODES, *known_modes]))
    with_modes = partial(health_check.unknown_mode.function, modes=modes)
    mode_rule = evolve(health_check.unknown_mode, function=with_modes)
    own = [mode_rule if each.code == mode_rule.code else each for each in ALL]
    if any(d.code == NOT_RENDERED for cluster in clusters for d in cluster.diagnostics):
        own = [each for each in own if each.code not in FROM_ABSENCE]
    return [*own, *guarded]


def _results(
    applied: Iterable[Rule], scopes: Collection[Scope], subject: Cluster | Fleet
) -> list[RuleResult]:
    found: list[RuleResult] = []
    for each in applied:
        if each.scope in scopes:
            results = iter(each.function(subject))
            found += islice(results, MOST_OF_A_RULE)
            found += (_too_many(each, result) for result in islice(results, 1))
    return found


def _too_many(each: Rule, first: RuleResult) -> Diagnostic:
    where = (first.diagnostic if isinstance(first, Suggestion) else first).location
    message = f"{each.code} is reported more than {MOST_OF_A_RULE} times; the others are left out"
    # The severity of what is left out: many warnings are not an error.
    return Diagnostic(LIMIT_EXCEEDED, each.severity, message, where)


def codes() -> tuple[str, ...]:
    """Return every code that a report can contain, sorted, without retired codes.

    Complexity: O(rules).

    >>> codes()[0], "UPL301" in codes()
    ('UPL001', True)

    Source: this library's catalogue.
    """
    return tuple(sorted([*(each.code for each in ALL), *(each.code for each in SHAPE)]))


def find(code: str) -> Entry:
    """Return the rule or shape code with a code, in upper or lower case.

    Complexity: O(rules). Raises: KeyError, with a similar code, for an unknown one.

    >>> find("upl301").summary
    'Refuse `entryPoints` in a router with the uplinks annotation'

    Source: this library's catalogue.
    """
    wanted = code.upper()
    entries: list[Entry] = [*ALL, *SHAPE]
    for each in entries:
        if each.code == wanted:
            return each
    near = naming.nearest(wanted, codes())
    hint = "" if near is None else f"; did you mean {near}?"
    raise KeyError(f"unknown code {code!r}{hint}")


def pages() -> dict[str, str]:
    """Render the catalogue as Markdown pages by file name, an index among them.

    ``docs/rules`` contains exactly these files; a test compares them.
    Complexity: O(rules).

    >>> pages()["UPL301.md"].splitlines()[0]
    '# UPL301: entry-points-with-uplinks'

    Source: this library's catalogue.
    """
    entries: list[Entry] = sorted([*ALL, *SHAPE], key=lambda each: each.code)
    rows = [
        f"| [{each.code}]({each.code}.md) | {each.name} | {each.severity.value} | {each.summary} |"
        for each in entries
    ]
    lines = [
        "# Codes",
        "",
        "Every diagnostic has a code. A code never changes its meaning.",
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
        lines += ["", f"Retired and never reused: {', '.join(RETIRED)}."]
    index = "\n".join(lines) + "\n"
    return {"index.md": index, **{f"{each.code}.md": each.page for each in entries}}

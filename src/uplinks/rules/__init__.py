"""The catalogue of what is checked, and the check itself.

Rules of this package:

1. One rule is one function, its docstring is its page, and `ALL` is the one
   table of them: literal, sorted by code. A new rule is a function, a line in
   `ALL`, and a bad and a good fixture in ``tests/rules/<code>/``.
2. A code is never given to another rule. When a rule goes, its code moves to
   `RETIRED`.
3. Findings made while reading are part of each report, so that whoever checks
   gets everything at once.
4. Rules of others are values that the caller passes. One that raises, or yields
   what is no finding of its own, becomes one error with its code that names it:
   the rest of the report stands, and its text, which may hold anything, does
   not get in. A rule of `ALL` that raises is a bug of ours and is raised.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Final, Literal

from attrs import evolve

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Location, Report, Severity
from uplinks.model import Cluster, Fleet
from uplinks.rules import (
    address,
    agreement,
    collision,
    entry_point,
    fleet,
    health_check,
    objects,
    probe_header,
    probe_request,
    reference,
    renamed,
    router,
    timing,
    traefik,
    transport,
    unused,
    uplink,
    weight,
)
from uplinks.rules._guess import Finding, Guess, settle
from uplinks.rules._rule import OWN_PREFIX, SECTIONS, Family, Rule, Scope, rule
from uplinks.rules.shape import SHAPE, ShapeCode

__all__ = [
    "ALL",
    "MOST_OF_A_RULE",
    "RETIRED",
    "SECTIONS",
    "SHAPE",
    "Family",
    "Role",
    "Rule",
    "Scope",
    "ShapeCode",
    "check",
    "check_cluster",
    "codes",
    "find",
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
    entry_point.no_default_entry_point,  # 109
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
    router.entry_points_with_uplinks,  # 301
    router.tls_with_uplinks,  # 302
    router.unknown_uplink,  # 303
    router.uplink_named_twice,  # 304
    router.empty_element,  # 305
    router.no_routes,  # 306
    reference.unresolved_service,  # 307
    reference.missing_kind,  # 308
    renamed.renamed_uplink,  # 309
    reference.circle,  # 310
    objects.uncomposed_type,  # 311
    reference.unknown_traefik_service,  # 312
    weight.reference_weight,  # 313
    objects.more_than_one_type,  # 314
    objects.missing_identity,  # 315
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
    traefik.grpc_over_tls,  # 501
    traefik.passive_without_effect,  # 502
    traefik.status_not_passed_on,  # 503
    traefik.failover_without_check,  # 504
    traefik.advertised_below_another,  # 505
)
"""Every rule, sorted by code."""

MOST_OF_A_RULE: Final = 5_000
"""So many findings of one rule are kept for one cluster, and for what only a fleet shows."""

RETIRED: Final[tuple[str, ...]] = ()
"""Codes of rules that are gone, sorted. They are never used again."""

Role = Literal["child", "parent"]
"""What a whole cluster is in its fleet."""


def check(subject: Fleet, extra: Iterable[Rule] = (), *, known_modes: Iterable[str] = ()) -> Report:
    """Check a parent and its children: every rule on everything it is about.

    ``extra`` are rules of others, made with `rule`; ``known_modes`` are modes of
    health checks that can be probed beside ``http`` and ``grpc``.

    Law: a pure function; the report does not depend on the order of anything
    in the fleet, unless a rule finds more than `MOST_OF_A_RULE`. It never raises for
    what was read from a manifest, nor for what an extra rule does.
    Complexity: O(n log n) for n objects, and a bounded time for all suggestions
    together: of a great many unknown names only the first get one. To that comes
    what the extra rules take. Raises ValueError for an extra rule whose code is
    taken or has this library's prefix.

    >>> from uplinks.model import Uplink
    >>> bad = Cluster("eu", uplinks=[Uplink("api", "apps", weight=-1)])
    >>> [d.code for d in check(Fleet(Cluster("parent"), {"eu": bad}))]
    ['UPL407', 'UPL409', 'UPL103']

    Source: reference page, "Configuration Options", "Uplink Naming",
    "Referencing Uplinks from Routers" and "Health Check Fields".
    """
    judges = _judges(extra, known_modes)
    found: list[Finding] = []
    for cluster in subject.clusters:
        found += cluster.diagnostics
        found += _found(judges, {"manifests", "cluster"}, cluster)
    found += _found(judges, {"fleet", "any"}, subject)
    return Report(settle(found))


def check_cluster(
    cluster: Cluster,
    role: Role | None = None,
    extra: Iterable[Rule] = (),
    *,
    known_modes: Iterable[str] = (),
) -> Report:
    """Check one cluster on its own, without what only a fleet can show.

    With a ``role`` all manifests of the cluster are taken to be there. Without
    one, as for a single file, they may be a part only: then a router's uplinks
    are judged only if there are uplinks, and entry points only if there is a
    static configuration. ``extra`` and ``known_modes`` are as for `check`.

    Law: a pure function, as `check`. Complexity: O(n log n) for n objects.
    Raises ValueError as `check`.

    >>> from uplinks.model import UPLINKS_ANNOTATION, IngressRoute
    >>> route = IngressRoute("r", "apps", tls={}, annotations={UPLINKS_ANNOTATION: "apps-api"})
    >>> [d.code for d in check_cluster(Cluster("", routers=[route]))]
    ['UPL302']
    >>> [d.code for d in check_cluster(Cluster("eu", routers=[route]), role="child")]
    ['UPL303', 'UPL302']

    Source: as `check`.
    """
    whole = role is not None or bool(cluster.uplinks)
    scopes: list[Scope] = ["manifests", "any"]
    scopes += ["cluster"] if whole else []
    judges = _judges(extra, known_modes)
    return Report(settle([*cluster.diagnostics, *_found(judges, scopes, cluster)]))


def _judges(extra: Iterable[Rule], known_modes: Iterable[str]) -> list[tuple[Rule, bool]]:
    """Give every rule, and whether it is one of ours."""
    taken = {*codes(), *RETIRED}
    judges = [(each, True) for each in ALL]
    for each in extra:
        if each.code.startswith(OWN_PREFIX) or each.code in taken:
            raise ValueError(f"code {each.code} of rule {each.name!r} is taken; choose another")
        taken.add(each.code)
        judges.append((each, False))
    modes = tuple(dict.fromkeys([*health_check.MODES, *known_modes]))
    mode = judges.index((health_check.unknown_mode, True))
    # The one rule that a caller may tell something.
    knowing = partial(health_check.unknown_mode.function, modes=modes)
    judges[mode] = (evolve(health_check.unknown_mode, function=knowing), True)
    return judges


def _found(
    judges: Iterable[tuple[Rule, bool]], scopes: Collection[Scope], subject: Cluster | Fleet
) -> list[Finding]:
    found: list[Finding] = []
    for each, ours in judges:
        if each.scope in scopes:
            findings = iter(each.function(subject) if ours else _guarded(each, subject))
            found += islice(findings, MOST_OF_A_RULE)
            found += (_too_many(each, finding) for finding in islice(findings, 1))
    return found


def _too_many(each: Rule, first: Finding) -> Diagnostic:
    where = (first.finding if isinstance(first, Guess) else first).location
    message = f"more than {MOST_OF_A_RULE} findings {each.code}; the others are left out"
    # As severe as what is left out: many warnings are no error.
    return Diagnostic("UPL004", each.severity, message, where)


def _guarded(each: Rule, subject: Cluster | Fleet) -> Iterator[Finding]:
    """Ask a rule of others, which may do anything."""
    where = Location(cluster=subject.name if isinstance(subject, Cluster) else subject.parent.name)
    try:
        for finding in each.function(subject):
            if not isinstance(finding, Diagnostic) or finding.code != each.code:
                got = finding.code if isinstance(finding, Diagnostic) else type(finding).__name__
                what = f"it yielded {got!r}, which is no finding of its own"
                break
            yield finding
        else:
            return
    except Exception as problem:  # noqa: BLE001 - whatever it is, the report stands without it
        what = f"it raised {type(problem).__name__}"
    yield Diagnostic(
        each.code,
        Severity.ERROR,
        f"rule {each.code} ({each.name}) failed: {what}; what it judges was not checked to the end",
        where,
    )


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

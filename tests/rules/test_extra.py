"""Options of a check, and third-party rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from uplinks import rules
from uplinks.diagnostics import Diagnostic, Location, Severity
from uplinks.model import Cluster, Fleet, HealthCheck, Uplink


def test_a_known_mode_is_accepted_and_suggested() -> None:
    def modes(mode: str, *known: str) -> list[tuple[str, str | None]]:
        uplink = Uplink("api", "apps", health_check=HealthCheck(mode=mode))
        cluster = Cluster("eu", uplinks=[uplink])
        found = rules.check_cluster(cluster, known_modes=known)
        fleet = rules.check(Fleet(cluster), known_modes=known)
        assert [d for d in fleet if d.code == "UPL204"] == list(found)
        return [(d.message, d.suggestion) for d in found]

    assert modes("redis", "redis", "mysql") == []
    assert modes("rediss", "redis", "http") == [
        (
            ("healthCheck.mode of uplink apps/api must be http, grpc or redis, got 'rediss'"),
            "redis",
        )
    ]


def own(code: str, function: Callable[[Any], Iterator[Any]], scope: rules.Scope) -> rules.Rule:
    made = rules.rule(code, name="own", severity=Severity.INFO, scope=scope, reads=())
    return made(function)


@pytest.mark.parametrize("scope", ["manifests", "cluster", "fleet", "any"])
def test_a_third_party_rule_is_called_and_its_diagnostics_are_sorted(scope: rules.Scope) -> None:
    def found_in(subject: Cluster | Fleet) -> Iterator[Diagnostic]:
        yield rule.at(Location(cluster="zz"), type(subject).__name__)

    rule = own("ACME001", found_in, scope)
    cluster = Cluster("p", uplinks=[Uplink("api", "apps", weight=-1)])

    alone = [d.code for d in rules.check_cluster(cluster, extra=[rule])]
    whole = [(d.code, d.message) for d in rules.check(Fleet(cluster), [rule])]

    assert alone == ["UPL103"] + ["ACME001"] * (scope != "fleet")
    kind = "Fleet" if scope in {"fleet", "any"} else "Cluster"
    assert [code for code, _ in whole] == ["UPL103", "ACME001"]
    assert whole[-1] == ("ACME001", kind)
    assert (rule.family, rule.needs) == ("other", "fleet" if scope == "fleet" else "cluster")


def test_a_failing_third_party_rule_is_one_error_that_names_it_and_shows_no_secret() -> None:
    def fails(cluster: Cluster) -> Iterator[Diagnostic]:
        yield raises.at(Location(), "before")
        raise RuntimeError("Bearer S3cr3t")

    def strays(cluster: Cluster) -> Iterator[Any]:
        yield "S3cr3t"

    def borrows(cluster: Cluster) -> Iterator[Diagnostic]:
        yield Diagnostic("UPL001", Severity.ERROR, "S3cr3t")

    def is_no_generator(cluster: Cluster) -> Any:
        return None

    raises = own("ACME001", fails, "manifests")
    extra = [
        raises,
        own("ACME002", strays, "manifests"),
        own("ACME003", borrows, "manifests"),
        own("ACME004", is_no_generator, "manifests"),
    ]

    report = rules.check_cluster(Cluster("eu"), extra=extra)

    assert [str(d) for d in report] == [
        "<text>:1:1: info ACME001: before",
        *(
            f"<text>:1:1: error {code}: rule {code} (own) failed: {why}; its check is incomplete"
            for code, why in [
                ("ACME001", "it raised RuntimeError"),
                ("ACME002", "it yielded 'str', not a diagnostic with its own code"),
                ("ACME003", "it yielded 'UPL001', not a diagnostic with its own code"),
                ("ACME004", "it raised TypeError"),
            ]
        ),
    ]
    assert {d.location.cluster for d in report} == {"", "eu"}


@pytest.mark.parametrize("codes", [["UPL103"], ["UPL999"], ["ACME001", "ACME001"]])
def test_a_code_that_is_taken_raises(codes: list[str]) -> None:
    def silent(cluster: Cluster) -> Iterator[Diagnostic]:
        yield from ()

    extra = [own(code, silent, "manifests") for code in codes]
    with pytest.raises(ValueError, match=f"code {codes[0]} of rule 'own' is taken"):
        rules.check_cluster(Cluster(""), extra=extra)
    with pytest.raises(ValueError, match="taken"):
        rules.check(Fleet(Cluster("")), extra)


@pytest.mark.parametrize(
    "code", ["", "acme001", "ACME", "001", "ACME-1", "A" * 99 + "001", "ACME001\n"]
)
def test_a_code_has_a_prefix_and_a_number(code: str) -> None:
    with pytest.raises(ValueError, match="code must be an upper-case prefix and a number"):
        own(code, lambda _: iter(()), "manifests")

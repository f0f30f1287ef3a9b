"""The catalogue is complete, its examples are right, and rules declare what they read."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from uplinks import rules
from uplinks.diagnostics import Diagnostic
from uplinks.model import Cluster, Fleet
from uplinks.parsing import check_manifests
from uplinks.testing import _examples

HERE = Path(__file__).parent
PAGES = HERE.parent.parent / "docs" / "rules"

# A published code keeps its name. Each release adds its new codes; no line ever changes.
PUBLISHED = {
    "UPL001": "invalid-yaml",
    "UPL002": "duplicate-key",
    "UPL003": "alias-or-merge-key",
    "UPL004": "over-a-limit",
    "UPL005": "unknown-field",
    "UPL006": "wrong-type",
    "UPL007": "missing-field",
    "UPL008": "unknown-kind",
    "UPL009": "ambiguous-scalar",
    "UPL010": "declared-twice",
    "UPL011": "nothing-found",
    "UPL012": "unreadable-file",
    "UPL013": "unused-suppression",
    "UPL014": "unknown-suppression",
    "UPL018": "not-rendered",
    "UPL101": "uplink-name",
    "UPL102": "uplink-namespace",
    "UPL103": "negative-weight",
    "UPL104": "zero-weight",
    "UPL105": "weight-too-large",
    "UPL106": "expose-name",
    "UPL107": "normalized-name",
    "UPL108": "unknown-entry-point",
    "UPL109": "no-default-entry-point",
    "UPL110": "entry-point-named-twice",
    "UPL111": "unused-uplink",
    "UPL201": "invalid-duration",
    "UPL202": "negative-duration",
    "UPL203": "slow-timeout",
    "UPL204": "unknown-mode",
    "UPL205": "unknown-scheme",
    "UPL206": "probe-method",
    "UPL207": "probe-status",
    "UPL208": "probe-port",
    "UPL209": "probe-path",
    "UPL210": "ignored-by-grpc",
    "UPL211": "header-of-the-probe",
    "UPL212": "probe-header",
    "UPL213": "probe-hostname",
    "UPL214": "plain-credential",
    "UPL215": "missing-path",
    "UPL216": "slower-when-unhealthy",
    "UPL217": "passive-check",
    "UPL301": "entry-points-with-uplinks",
    "UPL302": "tls-with-uplinks",
    "UPL303": "unknown-uplink",
    "UPL304": "uplink-named-twice",
    "UPL305": "empty-element",
    "UPL306": "no-routes",
    "UPL307": "unresolved-service",
    "UPL308": "missing-kind",
    "UPL309": "renamed-uplink",
    "UPL310": "circle",
    "UPL311": "uncomposed-type",
    "UPL312": "unknown-traefik-service",
    "UPL313": "reference-weight",
    "UPL314": "more-than-one-type",
    "UPL315": "missing-identity",
    "UPL401": "uplink-name-collision",
    "UPL402": "service-name-collision",
    "UPL403": "different-checks",
    "UPL404": "different-names",
    "UPL405": "only-zero-weights",
    "UPL406": "child-address",
    "UPL407": "unlisted-child",
    "UPL408": "child-without-manifests",
    "UPL409": "child-without-provider",
    "UPL410": "child-without-entry-points",
    "UPL411": "partly-checked",
    "UPL412": "no-failover",
    "UPL413": "unrouted-uplink",
    "UPL414": "plain-address",
    "UPL415": "shared-address",
    "UPL416": "child-name",
    "UPL420": "servers-transport",
    "UPL501": "grpc-over-tls",
    "UPL502": "passive-without-effect",
    "UPL503": "status-not-passed-on",
    "UPL504": "failover-without-check",
    "UPL505": "advertised-below-another",
}


def each(argument: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(argument, rules.ALL, ids=[rule.code for rule in rules.ALL])


@cache
def fleet(code: str, side: str) -> Fleet:
    return _examples.fleet(code, bad=side == "bad")


# --- codes ------------------------------------------------------------------


def test_the_tables_are_sorted_and_their_codes_unique() -> None:
    ruled, shaped = [rule.code for rule in rules.ALL], [code.code for code in rules.SHAPE]

    assert ruled == sorted(set(ruled))
    assert shaped == sorted(set(shaped))
    assert list(rules.RETIRED) == sorted(set(rules.RETIRED))
    assert list(rules.codes()) == sorted(ruled + shaped)
    assert all(re.fullmatch(r"UPL\d{3}", code) for code in (*rules.codes(), *rules.RETIRED))


def test_a_code_keeps_its_meaning_and_a_retired_one_stays_retired() -> None:
    names = {code: rules.find(code).name for code in rules.codes()}

    assert names.items() >= {c: n for c, n in PUBLISHED.items() if c not in rules.RETIRED}.items()
    assert set(rules.RETIRED) <= set(PUBLISHED)
    assert len(set(names.values())) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names.values())


def test_every_rule_is_in_the_table() -> None:
    written = {
        value.code
        for module in pkgutil.iter_modules(rules.__path__, "uplinks.rules.")
        for value in vars(importlib.import_module(module.name)).values()
        if isinstance(value, rules.Rule)
    }

    assert written == {rule.code for rule in rules.ALL}


@each("rule")
def test_a_rule_is_a_generator_function_with_metadata(rule: rules.Rule) -> None:
    assert inspect.isgeneratorfunction(rule.function)
    assert list(rule.reads) == sorted(set(rule.reads))
    assert rule.scope in {"manifests", "cluster", "fleet", "any"}
    assert rule.needs == ("fleet" if rule.scope == "fleet" else "cluster")


def test_find_returns_every_code_and_suggests_similar_ones() -> None:
    assert rules.find("upl402").name == "service-name-collision"
    with pytest.raises(KeyError, match=r"unknown code 'UPL3O1'; did you mean UPL301\?"):
        rules.find("UPL3O1")


# --- pages ------------------------------------------------------------------


@pytest.mark.parametrize("code", rules.codes())
def test_a_page_is_complete(code: str) -> None:
    found = rules.find(code)
    title, *parts = re.split(r"^## (.+)\n", found.page, flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))

    assert title.startswith(f"# {code}: {found.name}\n\nSeverity: {found.severity.value}. ")
    assert tuple(sections) == rules.SECTIONS
    assert all(text.strip() for text in sections.values())
    assert "```yaml\n" in sections["Bad"]
    assert "```" in sections["Good"]
    assert found.summary
    assert "\n" not in found.summary
    assert not found.summary.endswith(".")
    assert found.page.count("```") % 2 == 0
    assert found.page.endswith("\n")


def test_the_pages_in_the_docs_are_fresh() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")}

    assert written == rules.pages(), "run: python docs/write_rules.py"


# What is not about a key or a value is reported in the middle of one.
COLUMNS = {"UPL001": 5, "UPL004": 106}
# Reported at a part of the match.
INSIDE = {"UPL316", "UPL317"}

# --- examples ---------------------------------------------------------------


def test_every_code_that_manifests_can_show_has_a_bad_and_a_good_example() -> None:
    assert _examples.codes() == tuple(sorted(set(rules.codes()) - _examples.WITHOUT_EXAMPLES))
    for code in _examples.codes():
        assert rules.find(code).bad.strip()
        assert rules.find(code).good.strip()
        assert code in {mark for _, _, mark in _examples.marks(_examples.files(code, bad=True))}


@pytest.mark.parametrize("code", _examples.codes())
def test_the_bad_example_is_reported_where_it_is_marked_and_nowhere_else(code: str) -> None:
    texts = _examples.files(code, bad=True)
    found = rules.check(fleet(code, "bad"))

    places = [(d.location.file, d.location.span.line, d.code) for d in found]
    assert sorted(places) == sorted(_examples.marks(texts))
    for d in found:
        if code in COLUMNS:
            assert d.location.span.column == COLUMNS[code]
            continue
        # A key or a value: never the middle of one, the space before it, or the comment.
        line = texts[d.location.file].splitlines()[d.location.span.line - 1]
        tokens = {token.start() + 1 for token in re.finditer(r"(?<![^\s{\[(])[^\s{\[(-]\S*", line)}
        if code in INSIDE:
            assert line.index("match: ") + 7 < d.location.span.column <= line.index(" # ")
            continue
        starts = tokens | {each.start() + 1 for each in re.finditer(r"(?<=\s)[-{\[]|^-", line)}
        assert d.location.span.column in starts, (str(d), line)
        assert d.location.span.column <= line.index(" # ")


@pytest.mark.parametrize("code", _examples.codes())
def test_the_good_example_is_clean(code: str) -> None:
    assert rules.check(fleet(code, "good")).diagnostics == ()


def test_the_example_of_a_limit_is_exactly_one_level_too_deep() -> None:
    bad = rules.find("UPL004").bad
    shallower = bad.replace("[[", "[", 1).replace("]]", "]", 1)

    assert [d.code for d in check_manifests(bad)] == ["UPL004"]
    assert check_manifests(shallower).diagnostics == ()


# --- honesty ----------------------------------------------------------------


class Recorder:
    """Stands for a cluster or a fleet and notes which of its fields are read."""

    def __init__(self, subject: Cluster | Fleet, log: set[str], prefix: str = "") -> None:
        self._subject = subject
        self._log = log
        self._prefix = prefix

    @property  # type: ignore[misc] # a rule for either asks what it was given
    def __class__(self) -> type:
        return type(self._subject)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._subject, name)
        if isinstance(value, Cluster):
            return Recorder(value, self._log, f"{name}.")
        self._log.add(f"{self._prefix}{name}")
        if isinstance(self._subject, Fleet) and name == "children":
            return {key: Recorder(child, self._log, "children.") for key, child in value.items()}
        return value


@each("rule")
def test_a_rule_reads_what_it_declares_and_nothing_else(rule: rules.Rule) -> None:
    read: set[str] = set()
    for code in _examples.codes():
        for side in ("bad", "good"):
            subject = fleet(code, side)
            if rule.scope in {"fleet", "any"}:
                list(rule(Recorder(subject, read)))
            else:
                for cluster in subject.clusters:
                    list(rule(Recorder(cluster, read)))

    assert sorted(read) == list(rule.reads)


@pytest.mark.parametrize("rule", [rule for rule in rules.ALL if rule.scope == "any"])
def test_a_rule_for_either_reads_no_more_of_a_cluster_alone(rule: rules.Rule) -> None:
    read: set[str] = set()
    for cluster in fleet(rule.code, "bad").clusters:
        list(rule(Recorder(cluster, read)))

    assert read
    assert read <= {name.rpartition(".")[2] for name in rule.reads}


@each("rule")
def test_a_rule_reports_its_own_code_and_severity(rule: rules.Rule) -> None:
    subject = fleet(rule.code, "bad")
    whole = rule.scope in {"fleet", "any"}
    subjects = [subject] if whole else list(subject.clusters)
    found: list[Diagnostic] = [finding for one in subjects for finding in rule(one)]

    assert {(d.code, d.severity) for d in found} == {(rule.code, rule.severity)}
    assert all(d.location.file and d.location.cluster for d in found)

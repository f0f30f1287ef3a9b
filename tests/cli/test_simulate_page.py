"""The page and the picture as text; tests/browser/ renders them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from uplinks.adapters.files import load_fleet
from uplinks.cli.simulate import chart, page
from uplinks.cli.simulate.wording import NamedRun
from uplinks.health import HealthPolicy
from uplinks.model import Child, Cluster, Fleet, ParentConfig
from uplinks.simulate import Flap, Outage, Scenario, SetWeight, Slow, simulate

Run = Callable[..., Any]

FAILOVER = ("simulate", "examples/failover", "--service", "apps-api-workload@kubernetescrd")
ROOT = Path(__file__).parents[2]
SECOND = 1_000_000_000
SVG = "{http://www.w3.org/2000/svg}"
VOID = {"meta", "wbr"}


class Reader(HTMLParser):
    """Parses a page strictly: every element must be closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)


def scenario(*events: Any, **options: Any) -> Scenario:
    fleet = load_fleet(ROOT / "examples/failover")
    service = "apps-api-workload@kubernetescrd"
    return Scenario(fleet, service, 100, 600 * SECOND, events, columns=120, **options)


def everything() -> Scenario:
    return scenario(
        Outage("eu", 60 * SECOND, 180 * SECOND),
        Outage("us", 120 * SECOND, 150 * SECOND, hangs=True),
        Flap("us", 300 * SECOND, 420 * SECOND, 30 * SECOND, 4 * SECOND),
        Slow("eu", 480 * SECOND, 540 * SECOND, 4 * SECOND),
        SetWeight("us", 570 * SECOND, 9),
    )


def test_the_page_needs_no_other_resource() -> None:
    read = Reader(page.render_page([NamedRun("x", simulate(everything()))]))

    tags = {tag for tag, _ in read.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "image", "use", "a"}
    references = [
        value or ""
        for _, attributes in read.elements
        for name, value in attributes.items()
        if name in {"src", "href", "xlink:href", "srcset", "action"} or "url(" in (value or "")
    ]
    assert {value[:5] for value in references} == {"url(#"}
    style = "".join(read.texts["style"])
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme:dark" in style


def test_every_pattern_in_use_is_defined_once() -> None:
    read = Reader(page.render_page([NamedRun(str(i), simulate(everything())) for i in range(2)]))

    defined = [a["id"] for tag, a in read.elements if tag == "pattern"]
    used = {
        (value or "")[5:-1]
        for _, a in read.elements
        for value in a.values()
        if (value or "").startswith("url(#")
    }
    assert len(defined) == len(set(defined))
    assert used <= set(defined)
    assert any("fails" in (name or "") for name in used)


def test_the_page_is_accessible() -> None:
    read = Reader(
        page.render_page(
            [NamedRun("x", simulate(scenario(Outage("eu", 123 * SECOND, 303 * SECOND))))]
        )
    )

    pictures = [a for tag, a in read.elements if tag == "svg" and a.get("aria-hidden") != "true"]
    assert {a.get("role") for a in pictures} == {"img"}
    [label] = {a.get("aria-label") for a in pictures}
    assert label == (
        "Requests to apps-api-workload@kubernetescrd over 10m0s: 319 of 60000 requests failed, "
        "failures were detected after at most 3.18 s (bound 13.00 s). "
        "The tables have all figures."
    )
    assert {a.get("scope") for tag, a in read.elements if tag == "th"} == {"col"}
    cells = read.texts["td"]
    assert cells[:7] == ["eu", "2m3s", "3.18 s", "13.00 s", "5m3s", "3.18 s", "13.00 s"]
    assert [tag for tag, _ in read.elements].count("h1") == 1
    assert next(a for tag, a in read.elements if tag == "html") == {"lang": "en"}


def test_a_comparison_has_a_table_and_a_section_for_each_run() -> None:
    plain = scenario(Outage("eu", 123 * SECOND, 303 * SECOND))
    slower = evolve(plain, policy=HealthPolicy(unhealthy_threshold=3))

    read = Reader(
        page.render_page(
            [NamedRun("plain", simulate(plain)), NamedRun("a=1,b=2", simulate(slower))]
        )
    )

    assert read.texts["h2"] == ["Comparison", "plain", "a=1,b=2"]
    assert read.texts["td"][:3] == ["plain", "uplinks", "319"]
    assert "wbr" in [tag for tag, _ in read.elements]


HOSTILE = '<script>alert("1")</script>&\'\x1b[2J\x00'


def test_names_are_escaped() -> None:
    found = simulate(everything())
    hostile = evolve(
        found,
        scenario=evolve(found.scenario, service=HOSTILE, events=[Outage(HOSTILE, 0, 9)]),
        windows=tuple(
            evolve(
                window,
                state=evolve(
                    window.state,
                    children=tuple(HOSTILE + c for c in window.state.children),
                    failing=frozenset(HOSTILE + c for c in window.state.failing),
                ),
            )
            for window in found.windows
        ),
        failures=tuple(evolve(f, child=HOSTILE + f.child) for f in found.failures),
        transitions=tuple(evolve(t, child=HOSTILE, reason=HOSTILE) for t in found.transitions),
    )

    text = page.render_page([NamedRun(HOSTILE, hostile), NamedRun(HOSTILE, hostile)])

    assert "script" not in {tag for tag, _ in Reader(text).elements}
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", text)
    ET.fromstring(chart.render_svg(hostile))  # noqa: S314 - our own text


def test_the_svg_is_well_formed_and_shows_the_failover() -> None:
    run = simulate(scenario(Outage("eu", 123 * SECOND, 303 * SECOND)))

    root = ET.fromstring(chart.render_svg(run))  # noqa: S314 - our own text

    words = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert {"eu fails", "eu is healthy", "eu", "us", "failing, still receiving requests"} <= set(
        words
    )
    assert {"detected 3.18 s ≤ 13.00 s", "recovered 3.18 s ≤ 13.00 s"} <= set(words)
    lanes = ["".join(t.itertext()) for t in root.iter(f"{SVG}title")]
    assert {
        "eu: up, 0s to 2m3s",
        "eu: failing, not detected, 2m3s to 2m6.18s",
        "eu: failing, marked down, 2m6.18s to 5m3s",
        "eu: healthy, marked down, 5m3s to 5m6.18s",
        "eu: up, 5m6.18s to 10m0s",
        "us: up, 0s to 10m0s",
        "detected after 3.18 s, bound 13.00 s",
    } <= set(lanes)


def test_the_areas_match_the_shares() -> None:
    run = simulate(scenario(Outage("eu", 123 * SECOND, 303 * SECOND)))
    root = ET.fromstring(chart.render_svg(run))  # noqa: S314 - our own text

    [eu] = [p for p in root.iter(f"{SVG}path") if p.get("class") == "c0"]
    stretches = (eu.get("d") or "").split("Z")[:-1]
    spans = []
    for stretch in stretches:
        xs = [float(x) for x in re.findall(r"(?:^|[ ML])([\d.]+) [\d.]+", stretch)]
        spans.append((min(xs), max(xs)))
    left, right = spans[0][0], spans[-1][1]
    seconds = [[(x - left) / (right - left) * 600 for x in span] for span in spans]

    # Until the failure was detected, and again from the recovery on.
    assert [[round(x) for x in span] for span in seconds] == [[0, 126], [306, 600]]


def test_a_service_of_one_child_is_drawn() -> None:
    fleet = load_fleet(ROOT / "examples/failover")
    lonely = Fleet(
        evolve(fleet.parent, parent_config=ParentConfig({"eu": Child("https://eu.example.com")})),
        {
            "eu": Cluster(
                "eu", fleet.children["eu"].uplinks, child_config=fleet.children["eu"].child_config
            )
        },
    )
    run = simulate(
        Scenario(lonely, "api-workload-eu@multicluster", 1, 3 * SECOND, [Outage("eu", 0, SECOND)])
    )

    Reader(page.render_page([NamedRun("x", run)]))
    ET.fromstring(chart.render_svg(run))  # noqa: S314 - our own text


@pytest.mark.parametrize("duration", [1, 999, SECOND, 86_400 * SECOND, 10**17])
def test_any_duration_has_few_ticks(duration: int) -> None:
    fleet = load_fleet(ROOT / "examples/banking")  # no health checks, so years pass quickly
    rate = Fraction(100 * SECOND, duration) if duration > 100 else Fraction(SECOND)
    banking = Scenario(fleet, "banking-banking-api@multicluster", rate, duration, columns=1)

    root = ET.fromstring(chart.render_svg(simulate(banking)))  # noqa: S314 - our own text

    words = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    ticks = [word for word in words if re.fullmatch(r"([\d.]+(h|m|s|ms|µs|ns))+", word)]
    assert ticks[0] == "0s"
    assert 2 <= len(ticks) <= 12
    assert len(ticks) == len(set(ticks))


def test_a_long_run_with_many_phases_stays_small() -> None:
    flapping = scenario(Flap("eu", 0, 600 * SECOND, SECOND, SECOND // 2))

    text = page.render_page([NamedRun("x", simulate(flapping))])

    assert len(text) < 1_000_000
    assert "--format json has all." in text


def test_the_command_writes_page_and_picture_and_report(run: Run, tmp_path: Path) -> None:
    html, svg = tmp_path / "r.html", tmp_path / "r.svg"

    ran = run(*FAILOVER, "--fail=eu@2m3s-5m3s", f"--html={html}", f"--svg={svg}")

    assert ran.status == 0
    assert "Every bound was kept." in ran.out
    assert html.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert svg.read_text(encoding="utf-8").startswith("<svg ")


def test_the_picture_in_the_documentation_is_up_to_date(run: Run, tmp_path: Path) -> None:
    svg = tmp_path / "r.svg"

    run(*FAILOVER, "--fail=eu@2m3s-5m3s", f"--svg={svg}")

    drawn = svg.read_text(encoding="utf-8")
    assert (ROOT / "docs/_static/failover.svg").read_text(encoding="utf-8") == drawn

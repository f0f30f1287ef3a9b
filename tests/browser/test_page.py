"""The page of ``uplinks simulate`` in a real browser.

Run with ``make test-browser``, which installs Chromium; other test runs leave this folder out.
"""

from __future__ import annotations

from itertools import combinations, groupby
from pathlib import Path
from typing import Any

import pytest
from tests.browser.chromium import Chromium

from uplinks.adapters.files import load_fleet
from uplinks.cli.simulate import chart, page
from uplinks.cli.simulate.telling import Named
from uplinks.simulate import Flap, Outage, Scenario, SetWeight, Slow, simulate

ROOT = Path(__file__).parents[2]
SECOND = 1_000_000_000
EU, US, FAILS = "#0072b2", "#56b4e9", "#d55e00"
LIGHT, DARK = "#ffffff", "#0d1117"
OUTAGE = Outage("eu", 120 * SECOND, 300 * SECOND)
CROWDED = (
    Outage("eu", 60 * SECOND, 180 * SECOND),
    Outage("us", 120 * SECOND, 150 * SECOND, hangs=True),
    Flap("us", 300 * SECOND, 420 * SECOND, 30 * SECOND, 4 * SECOND),
    Slow("eu", 480 * SECOND, 540 * SECOND, 4 * SECOND),
    SetWeight("us", 590 * SECOND, 9),
)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Chromium:
    found = Chromium.find(tmp_path_factory.mktemp("chromium"))
    assert found is not None, "Chromium is not installed: make test-browser installs it"
    return found


def render(*happenings: Any) -> str:
    fleet = load_fleet(ROOT / "examples/failover")
    service = "apps-api-workload@kubernetescrd"
    scenario = Scenario(fleet, service, 100, 600 * SECOND, happenings, columns=120)
    return page.written([Named("as it is", simulate(scenario))])


def runs(row: list[str]) -> list[tuple[str, int]]:
    """Return the children's colours in a row of pixels, in order, each with its width."""
    seen = [colour for colour in row if colour in {EU, US}]
    return [(colour, len(list(group))) for colour, group in groupby(seen)]


@pytest.mark.parametrize(("dark", "ground"), [(False, LIGHT), (True, DARK)])
def test_eu_fails_over_to_us_and_returns(chromium: Chromium, *, dark: bool, ground: str) -> None:
    picture = chromium.show(render(OUTAGE), 1100, 900, dark=dark)

    assert picture.at(0, 0) == picture.at(1099, 899) == ground
    rows = [picture.row(y) for y in range(len(picture.rows))]
    # A row through the area of eu shows eu until 2m6s, us until 5m6s, and eu until 10m.
    areas = [runs(row) for row in rows if [c for c, _ in runs(row)] == [EU, US, EU]]
    assert len(areas) > 50
    for (_, first), (_, second), (_, third) in areas:
        total = first + second + third
        # The stripes of failed requests, 6 s of 10 min, have a colour of their own.
        assert abs(first / total - 120 / 600) < 0.012
        assert abs(second / total - 180 / 600) < 0.012
        assert abs(third / total - 294 / 600) < 0.012
    # The lane of eu: the undetected failure is at the end of its first part.
    lanes = [row for row in rows if [c for c, _ in runs(row)] == [EU]]
    failing = [row.index(FAILS) for row in lanes if FAILS in row]
    begins = {len(row) - 1 - row[::-1].index(EU) for row in lanes}
    assert failing
    assert min(begins) > max(failing)


def test_a_phone_shows_everything_without_horizontal_scrolling(chromium: Chromium) -> None:
    narrow, wide = (chromium.measure(render(*CROWDED), width) for width in (360, 1100))

    assert narrow["width"] <= 360
    assert wide["width"] <= 1100
    assert [len(found["charts"]) for found in (narrow, wide)] == [1, 1]
    assert narrow["tables"] == wide["tables"] >= 1
    # The smallest readable sizes, in CSS pixels.
    assert narrow["charts"][0]["size"] > 9.5
    assert wide["charts"][0]["size"] > 11.5


@pytest.mark.parametrize("width", [360, 414, 768, 1100])
@pytest.mark.parametrize("happenings", [(OUTAGE,), CROWDED], ids=["outage", "crowded"])
def test_no_text_overlaps_another_or_leaves_the_chart(
    chromium: Chromium, width: int, happenings: tuple[Any, ...]
) -> None:
    [drawn] = chromium.measure(render(*happenings), width)["charts"]

    left, top, right, bottom = drawn["box"]
    assert len(drawn["texts"]) > 10
    for words, x, y, end, low in drawn["texts"]:
        assert left <= x < end <= right + 1, words
        assert top <= y < low <= bottom, words
    overlapping = [
        (one[0], two[0])
        for one, two in combinations(drawn["texts"], 2)
        # A text's box has space above and below the letters.
        if one[1] < two[3] and two[1] < one[3] and one[2] + 3 < two[4] and two[2] + 3 < one[4]
    ]
    assert overlapping == []


def test_the_page_loads_no_resources(chromium: Chromium) -> None:
    assert chromium.measure(render(*CROWDED), 1100)["resources"] == []


def test_the_standalone_chart_shows_the_same(chromium: Chromium) -> None:
    fleet = load_fleet(ROOT / "examples/failover")
    scenario = Scenario(
        fleet, "apps-api-workload@kubernetescrd", 100, 600 * SECOND, [OUTAGE], columns=120
    )
    drawn = chart.alone(simulate(scenario))
    body = f'<!doctype html><body style="margin:0">{drawn}'

    light, dark = (chromium.show(body, 960, 440, dark=dark) for dark in (False, True))

    assert (light.at(2, 2), dark.at(2, 2)) == (LIGHT, DARK)
    for picture in (light, dark):
        rows = [picture.row(y) for y in range(len(picture.rows))]
        assert sum([c for c, _ in runs(row)] == [EU, US, EU] for row in rows) > 50

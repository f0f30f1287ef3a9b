"""The selector and its peers, side by side. Nothing has a gate here."""

from __future__ import annotations

from itertools import cycle, islice
from typing import Any, Final

import pytest
from benchmarks.cases import SITUATIONS, SIZES, down, make, steady, targets, weights
from benchmarks.measure import calls, nexts
from benchmarks.peers import ALL, Expanded

OURS: Final = "uplinks.Selector"
NAMES: Final = (OURS, *ALL)
COMPARED: Final = (SITUATIONS[0], SITUATIONS[2])

# These skip on each pick, which takes half a second with only the lightest of 10,000 up.
SKIPPING: Final = {"heapq, earliest deadline first", "interleaved (LVS), by hand"}


def prepared(name: str, n: int, situation: str) -> Any:
    shares, names = weights(n), targets(n)
    if name == OURS:
        return steady(shares, situation)
    peer = ALL[name](names, shares)
    out = down(shares, situation)
    # Only the last change rebuilds a peer that rebuilds at each.
    for i in out[:-1]:
        peer.down.add(names[i])
        if name.startswith(("roundrobin.smooth_", "elastic")):
            peer.set_up(names[i], False)
    for i in out[-1:]:
        peer.set_up(names[i], False)
    return peer


@pytest.mark.parametrize("situation", COMPARED)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", SIZES)
def test_a_pick(n: int, name: str, situation: str, bench: Any) -> None:
    if name in SKIPPING and situation == COMPARED[1] and n == SIZES[-1]:
        pytest.skip("half a second a pick and more")
    picker = prepared(name, n, situation)
    # `next` is faster than calling `__next__`.
    cycles = name == Expanded.name and not picker.down
    subject = nexts(picker.turns) if cycles else calls(picker.pick)
    section = f"a pick with {situation} / [].__len__()"
    bench.time(section, name, n, subject, samples=7)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", SIZES)
def test_a_change_and_a_pick(n: int, name: str, bench: Any) -> None:
    shares, names = weights(n), targets(n)
    subject: Any = make(shares) if name == OURS else ALL[name](names, shares)
    turns = cycle([(target, up) for target in names[: n // 2] for up in (False, True)])

    def loop(times: int) -> None:
        for target, up in islice(turns, times):
            subject.set_up(target, up)
            subject.pick()

    if name == OURS:
        loop(n)
    section = "a change of status and a pick, with peers / [].__len__()"
    bench.time(section, name, n, loop, samples=7)

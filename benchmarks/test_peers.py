"""Ours and the others, side by side. Nothing is gated here: the gates are elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice
from typing import Any, Final

import pytest
from benchmarks.cases import SITUATIONS, SIZES, down, make, pairs, steady, targets, weights
from benchmarks.measure import calls, nexts
from benchmarks.peers import ALL, Expanded

from uplinks import Selector

OURS: Final = "uplinks.Selector"
NAMES: Final = (OURS, *ALL)

# They skip: at n = 10,000 a pick takes a second or so with only the lightest up.
SKIPPING: Final = {"heapq, earliest deadline first", "interleaved (LVS), by hand"}


def prepared(name: str, n: int, situation: str) -> Any:
    shares, names = weights(n), targets(n)
    if name == OURS:
        return steady(shares, situation)
    peer = ALL[name](names, shares)
    out = down(shares, situation)
    # All at once, where a peer settles each change by building anew.
    for i in out[:-1]:
        peer.down.add(names[i])
        if name.startswith(("roundrobin.smooth_", "elastic")):
            peer.set_up(names[i], False)
    for i in out[-1:]:
        peer.set_up(names[i], False)
    return peer


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", SIZES)
def test_a_pick(n: int, name: str, situation: str, bench: Any) -> None:
    if name in SKIPPING and situation == SITUATIONS[2] and n == SIZES[-1]:
        pytest.skip("half a second a pick and more")
    picker = prepared(name, n, situation)
    # The best way to call it: `next` beats `__next__`.
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


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", SIZES)
def test_making_one(n: int, name: str, bench: Any) -> None:
    shares, names, both = weights(n), targets(n), pairs(n)

    def build() -> Callable[[], object]:
        pick: Callable[[], object]
        pick = Selector(both).pick if name == OURS else ALL[name](names, shares).pick
        return pick

    section = "making one, per target / [].__len__()"
    bench.time(section, name, n, calls(build), per=n, samples=7)

"""Snapshots with random damage: each is refused, or gives a selector that works.

The damage is done in another interpreter: a crash or an endless loop is then a failure that
names the mutation, and does not end the test run.
"""

from __future__ import annotations

import copy
import random
import subprocess
import sys
from array import array
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from tests.profiles import representative, scaled

from uplinks.balance import ReferenceSelector, Selector
from uplinks.errors import InvalidSnapshot, UplinksError

KINDS: Final[dict[str, Any]] = {"compiled": Selector, "reference": ReferenceSelector}
ORDERS: Final = ("fair", "failover", "random")
MUTATIONS: Final = {"compiled": scaled(8000), "reference": scaled(800)}
ROOT: Final = Path(__file__).parents[2]
VALUES: Final[tuple[Any, ...]] = (
    *(0, 1, 2, 3, 7, 255, 2**20, 2**31 - 1, 2**31, 2**32, 2**58, 2**59, 2**60),
    *(5 * 2**59, 6 * 2**59, 2**63 - 1, 2**63, 2**64 - 1, 10**30, -1, -(2**63)),
    *(True, False, None, "x", 1.5, [], {}, [0], [1, 1]),
)


def begin(make: Any, order: str, roll: random.Random) -> Any:
    """Make a selector and bring it into some state; a quarter contain another selector."""
    size = roll.choice([0, 1, 2, 3, 5, 5, 40])
    weights = [roll.choice([0, 1, 1, 2, 5, 40, 2**31 - 1]) for _ in range(size)]
    start = roll.choice([0, 0, 5])
    selector = make(list(enumerate(weights)), scheduler=order, start=start, rng=3)
    if roll.random() < 0.25:
        selector.add(make([("x", 2), ("y", 1)], scheduler=order, rng=4), roll.choice([1, 3]))
    for _ in range(roll.randint(0, 5)):
        if selector.eligible:
            selector.pick_many(roll.choice([0, 1, 5, min(300, selector.period()), 300]))
        if size:
            i = roll.randrange(size)
            if i in selector and roll.random() < 0.3:
                selector.remove(i)
            elif i in selector:
                selector.set_up(i, roll.random() < 0.6)
    return selector


def places(data: Any) -> list[tuple[Any, Any]]:
    """Every container in the data with each of its keys."""
    keys = list(data) if isinstance(data, dict) else range(len(data))
    found = [(data, key) for key in keys]
    for key in keys:
        if isinstance(data[key], dict | list):
            found += places(data[key])
    return found


def tamper(snapshot: Any, roll: random.Random) -> None:
    for _ in range(roll.choice([1, 1, 1, 2, 3, 6])):
        # A whole column of the state is as likely as a number in one.
        state = snapshot.get("state")
        columns = [(state, key) for key in state] if isinstance(state, dict) else []
        container, key = roll.choice(roll.choice([places(snapshot), columns or places(snapshot)]))
        if isinstance(container, dict) and key == "state":
            continue
        old, how = container[key], roll.random()
        if type(old) is bool and how < 0.9:
            container[key] = not old
        elif type(old) is int and how < 0.5:
            container[key] = old + roll.choice([-1, 1, 2, -old, old, 2**60, -(2**60)])
        elif isinstance(old, list) and old and how < 0.7:
            i, j = roll.randrange(len(old)), roll.randrange(len(old))
            if how < 0.4:
                old[i] = roll.choice([*VALUES[:20], old[j]])  # numbers
            elif how < 0.5:
                old[i], old[j] = old[j], old[i]
            elif how < 0.6:
                del old[i]
            else:
                old.append(old[j])
        elif how < 0.95:
            container[key] = copy.deepcopy(roll.choice(VALUES))
        else:
            del container[key]


def live_on(selector: Any, roll: random.Random) -> None:
    """Use every operation; the only failures are those of this package."""
    for _ in range(3):
        with suppress(UplinksError):
            selector.pick_many(150)
        with suppress(UplinksError, ValueError):  # a nested selector has no indices to return
            selector.pick_into(array("I", bytes(4 * 400)))
        with suppress(UplinksError):
            selector.pick(exclude=[0, 1])
        with suppress(UplinksError, TypeError):  # a target may be damaged into what has no hash
            selector.pick(key="session")
        for i in range(3):
            with suppress(UplinksError):
                selector.set_up(i, roll.random() < 0.6)
            with suppress(UplinksError):
                selector.set_weight(i, roll.choice([0, 1, 3, 2**31 - 1]))
        with suppress(UplinksError):
            selector.pick_many(70)
        with suppress(UplinksError):
            selector.remove(roll.randrange(4))
        with suppress(UplinksError):
            selector.add(roll.randrange(4), 2)
    _ = selector.counts, selector.rows(), selector.period(), repr(selector)
    with suppress(InvalidSnapshot):
        type(selector).restore(selector.snapshot())


def attack(kind: str, order: str, first: int, last: int) -> int:
    """Try these mutations; return how many were accepted."""
    accepted = 0
    for number in range(first, last):
        print(number, flush=True)  # noqa: T201 - identifies a crash
        roll = random.Random(f"{order} {number}")  # noqa: S311 - reproducible
        snapshot = begin(KINDS[kind], order, roll).snapshot()
        tamper(snapshot, roll)
        try:
            selector = KINDS[kind].restore(snapshot)
        except InvalidSnapshot:
            continue
        accepted += 1
        selector._check()
        live_on(selector, roll)
    return accepted


CASES = representative(product(KINDS, ORDERS), lambda case: "compiled" in case or "fair" in case)


@pytest.mark.parametrize(("kind", "order"), CASES)
def test_a_damaged_snapshot_is_refused_or_works(kind: str, order: str) -> None:
    mutations = MUTATIONS[kind]
    module = f"tests.laws.{Path(__file__).stem}"
    run = [sys.executable, "-X", "faulthandler", "-m", module, kind, order, "0", str(mutations)]
    try:
        done = subprocess.run(
            run, capture_output=True, text=True, check=False, timeout=300, cwd=ROOT
        )
    except subprocess.TimeoutExpired as late:
        # Not a matter of speed: one mutation takes a few milliseconds at most.
        output = late.stdout or b""
        text = output.decode() if isinstance(output, bytes) else output
        pytest.fail(f"no end; mutations started last: {text.split()[-2:]}")

    last = done.stdout.split()[-1:]
    assert done.returncode == 0, f"at mutation {last} of {order}:\n{done.stderr[-3000:]}"
    assert 0 < int(last[0]) < mutations


if __name__ == "__main__":
    print(  # noqa: T201 - read by the test
        attack(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    )

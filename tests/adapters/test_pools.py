"""The pools of a client: which are kept, and which are closed."""

from __future__ import annotations

from uplinks.adapters._pools import Pools


def test_pools_that_are_no_longer_used_are_removed() -> None:
    made: list[int] = []
    pools = Pools()

    def take(number: int) -> object:
        return pools.take(number, lambda: made.append(number) or number)  # type: ignore[func-returns-value]

    taken = [take(number) for number in range(70)]
    assert pools.idle() == []  # all are in use
    for pool in taken[1:]:
        pools.give_back(pool)  # type: ignore[arg-type]

    assert pools.idle() == [1, 2, 3, 4, 5, 6]  # those used longest ago; the first is in use
    assert take(0) is taken[0]
    assert made == list(range(70))
    assert sorted(pools.all()) == [0, *range(7, 70)]
    assert pools.all() == []

from __future__ import annotations

import asyncio

import pytest

from uplinks.testing import VirtualLoop, in_virtual_time


def test_when_nothing_can_happen_it_says_so() -> None:
    loop = VirtualLoop()

    async def main() -> None:
        await loop.create_future()

    task = main()
    with pytest.raises(RuntimeError, match="nothing will happen"):
        in_virtual_time(task, loop)


def test_a_task_that_is_left_is_an_error() -> None:
    loop = VirtualLoop()
    kept = []

    async def main() -> None:
        kept.append(asyncio.create_task(asyncio.sleep(1), name="forgotten"))

    with pytest.raises(RuntimeError, match=r"tasks are left: .*forgotten"):
        in_virtual_time(main(), loop)

from __future__ import annotations

import asyncio

import pytest

from uplinks.health import Outcome
from uplinks.model import HealthCheck
from uplinks.protocols import Prober
from uplinks.testing import HANG, After, ScriptedProber, VirtualLoop, in_virtual_time

SECOND = 1_000_000_000
CHECK = HealthCheck()


def test_it_goes_through_its_script_in_virtual_time() -> None:
    loop = VirtualLoop()
    problem = OSError("cut")
    prober = ScriptedProber({"a": [After(3 * SECOND, Outcome.TIMEOUT), problem, HANG]})

    async def main() -> None:
        assert await prober.probe("a", CHECK) == Outcome.TIMEOUT
        assert loop.clock() == 3 * SECOND
        with pytest.raises(OSError, match="cut"):
            await prober.probe("a", CHECK)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(prober.probe("a", CHECK), 7)
        assert await prober.probe("b", CHECK) == Outcome.PASS

    in_virtual_time(main(), loop)
    assert loop.clock() == 17 * SECOND
    assert (prober.asked, prober.cancelled) == (["a"] * 4 + ["b"], 2)
    assert isinstance(prober, Prober)


def test_a_script_has_a_step() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        ScriptedProber({"a": []})

"""A prober that follows a script."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, TypeAlias

from attrs import frozen

from uplinks.health import Outcome
from uplinks.model import HealthCheck, ServersTransport

__all__ = ["HANG", "After", "ScriptedProber", "Step"]


@frozen
class After:
    """A step that comes ``latency`` nanoseconds later: an outcome, or an exception to raise."""

    latency: int
    then: Outcome | BaseException


class _Hang:
    def __repr__(self) -> str:
        return "HANG"


HANG: Final = _Hang()
"""The step that never ends, until the probe is cancelled."""

Step: TypeAlias = Outcome | BaseException | After | _Hang | Callable[[str], Awaitable[Outcome]]
"""One probe: return, raise, be late, hang, or call a coroutine function with the URL."""


class ScriptedProber:
    """A prober with a script for each address: one step a probe, the last one repeated.

    ``default`` is the step for addresses without a script. Latencies pass in
    the running loop, so a `VirtualLoop` skips them. ``asked`` lists the
    addresses probed, in order; ``cancelled`` counts cancelled probes,
    ``closed`` the calls of `close`.

    Raises: ValueError for a script without steps.

    >>> prober = ScriptedProber({"http://eu": [Outcome.PASS, Outcome.fail("status 503")]})
    >>> async def ask():
    ...     return [(await prober.probe("http://eu", HealthCheck())).reason for _ in range(3)]
    >>> asyncio.run(ask())
    ['', 'status 503', 'status 503']
    """

    def __init__(
        self,
        scripts: Mapping[str, Iterable[Step]] | None = None,
        *,
        default: Step = Outcome.PASS,
    ) -> None:
        self.asked: list[str] = []
        self.cancelled = 0
        self.closed = 0
        self._default = default
        self._scripts: dict[str, list[Step]] = {}
        for url, steps in (scripts or {}).items():
            self.script(url, *steps)

    def script(self, url: str, *steps: Step) -> None:
        """Set the script of an address, from its next probe on."""
        if not steps:
            raise ValueError("a script needs at least one step")
        self._scripts[url] = list(steps)

    async def probe(
        self,
        url: str,
        check: HealthCheck,  # noqa: ARG002 - as Prober.probe
        transport: ServersTransport | None = None,  # noqa: ARG002 - the same
    ) -> Outcome:
        """Run the next step of this address."""
        self.asked.append(url)
        steps = self._scripts.get(url, [self._default])
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        try:
            if isinstance(step, _Hang):
                hanging: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
                return await hanging
            if isinstance(step, After):
                await asyncio.sleep(step.latency / 1_000_000_000)
                step = step.then
            if isinstance(step, BaseException):
                raise step
            if callable(step):
                return await step(url)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return step

    async def close(self) -> None:
        """Count the call."""
        self.closed += 1

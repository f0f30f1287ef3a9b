"""The probers of a driver, by mode: found when needed, and closed at the end.

Rules of this file:

1. A prober may be third-party code: an exception or a wrong result is a failed
   probe, and is logged.
2. A missing prober is logged once; checks of its mode cannot pass.
3. The caller closes the probers that it passed in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import entry_points
from typing import Any, Final

from uplinks.errors import MissingExtra
from uplinks.health import Outcome, Probe
from uplinks.protocols import Prober

__all__ = ["Probers"]

_GROUP: Final = "uplinks.probers"
_LOG: Final = logging.getLogger("uplinks")


class _NoProber:
    """Fails every probe of a mode without a prober, with the reason."""

    def __init__(self, reason: str) -> None:
        self._outcome = Outcome.fail(reason)

    async def probe(self, url: str, check: object, transport: object = None) -> Outcome:  # noqa: ARG002 - a Prober's face
        return self._outcome

    async def close(self) -> None:
        pass


class Probers:
    """The probers passed in, or those of the entry points, created when first needed."""

    def __init__(self, given: Mapping[str, Prober] | None) -> None:
        self._given = None if given is None else dict(given)
        self.in_use: dict[str, Prober] = {}

    def load(self, modes: Iterable[str]) -> None:
        """Find the probers of modes before a probe waits for them: importing one takes time.

        A problem is reported when the prober is needed.
        """
        for mode in modes:
            if mode not in self.in_use:
                with suppress(Exception):
                    self._find(mode)

    async def ask(self, url: str, probe: Probe) -> Outcome:
        """Probe an address with the prober for the check's mode. Raises: TimeoutError."""
        mode = probe.check.mode
        transport = getattr(probe.target, "servers_transport", None)
        current = asyncio.current_task()
        try:
            prober: Any = self.in_use.get(mode) or self._find(mode)
            # A prober without a third parameter works for children without a transport.
            more = () if transport is None else (transport,)
            outcome = await prober.probe(url, probe.check, *more)
        except Exception as problem:  # noqa: BLE001 - third-party code
            if current is not None and current.cancelling():
                raise TimeoutError from None  # the prober hid its cancellation
            kind = type(problem).__name__
            _LOG.error("the prober for mode %r failed: %s", mode, kind)
            return Outcome.fail(f"the prober failed: {kind}")
        if not isinstance(outcome, Outcome):
            _LOG.error(
                "the prober for mode %r must return an Outcome, got %s",
                mode,
                type(outcome).__name__,
            )
            return Outcome.fail("the prober returned no outcome")
        return outcome

    async def close(self, seconds: float) -> None:
        """Close the probers created here, each within so many seconds."""
        probers, self.in_use = self.in_use, {}
        for prober in probers.values() if self._given is None else ():
            try:
                async with asyncio.timeout(seconds):
                    await prober.close()
            except Exception as problem:  # noqa: BLE001 - as above
                _LOG.error("a prober could not be closed: %s", type(problem).__name__)

    def _find(self, mode: str) -> Prober:
        prober: Prober
        if self._given is not None:
            prober = self._given.get(mode) or _missing(mode, f"no prober for mode {mode!r}")
        else:
            found: Any = next(iter(entry_points(group=_GROUP, name=mode)), None)
            if found is None:
                prober = _missing(mode, f"no prober for mode {mode!r}")
            else:
                try:
                    prober = found.load()()
                except MissingExtra as problem:
                    prober = _missing(mode, str(problem))
        self.in_use[mode] = prober
        return prober


def _missing(mode: str, reason: str) -> Prober:
    _LOG.error("checks of mode %r cannot pass: %s", mode, reason)
    return _NoProber(reason)

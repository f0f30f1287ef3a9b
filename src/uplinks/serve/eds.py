"""Write Envoy's EDS files to a folder whenever they change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from uplinks.adapters.replacing import replace_files
from uplinks.serve.document import EndpointsDocument

__all__ = ["EdsFolder"]

RETRY: Final = 1.0
"""The pause (s) before files that could not be written are written again."""

_LOG: Final = logging.getLogger("uplinks.serve")


class EdsFolder:
    """A folder with the EDS files of a document.

    Files are replaced as a whole. While they cannot be written, as on a full disk, the
    old ones stay, `error` says why, and writing is tried again.
    """

    def __init__(self, path: str, pause: Callable[[float], Awaitable[Any]]) -> None:
        self.path: Final = path
        self.error: str | None = None
        self._pause = pause

    async def write(self, document: EndpointsDocument) -> None:
        """Write the files that have changed, and those that change meanwhile."""
        while document.changed:
            names, document.changed = document.changed, set()
            files = {str(Path(self.path, name)): document.files[name] for name in names}
            try:
                await asyncio.to_thread(self._replace, files)
            except OSError as problem:
                document.changed |= names
                self._fail(problem.strerror or type(problem).__name__)
                await self._pause(RETRY)
                continue
            if self.error is not None:
                self.error = None
                _LOG.info("the EDS files are written again", extra={"folder": self.path})

    def _replace(self, files: dict[str, bytes]) -> None:
        Path(self.path).mkdir(parents=True, exist_ok=True)
        replace_files(files)

    def _fail(self, reason: str) -> None:
        if self.error != reason:
            self.error = reason
            _LOG.error(
                "the EDS files cannot be written, the old ones stay: %s",
                reason,
                extra={"folder": self.path},
            )

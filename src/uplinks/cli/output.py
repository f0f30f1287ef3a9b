"""Writing a report to a file.

Rules of this file:

1. A file is replaced as a whole: a reader sees the old report or the new one. A
   file that is not regular (a pipe, a terminal) is written to directly.
2. A link stays a link; what it leads to is replaced.
"""

# pathlib has no word for most of this.
# ruff: noqa: PTH101, PTH105, PTH108, PTH110, PTH113, PTH120, PTH123

from __future__ import annotations

import contextlib
import os
import tempfile

from uplinks.cli.console import Unusable

__all__ = ["write"]


def write(path: str, text: str) -> None:
    """Write text as UTF-8. Raises: Unusable, and then the old file is as it was."""
    try:
        data = text.encode("utf-8", "backslashreplace")
        target = os.path.realpath(path)
        if os.path.exists(target) and not os.path.isfile(target):
            with open(target, "wb") as file:
                file.write(data)
        else:
            _replace(target, data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unusable(f"{path}: cannot write it: {reason}") from None


def _replace(target: str, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".uplinks-")
    try:
        with open(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _mode(target: str) -> int:
    with contextlib.suppress(OSError):
        return os.stat(target).st_mode & 0o777  # noqa: PTH116 - as above
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask

"""Write a report to a file.

A regular file is replaced atomically, so a reader sees the old report or the
new one; a symbolic link stays and its target is replaced. Anything else, such
as a pipe, is opened and written to.
"""

# pathlib has no equivalent for most of this.
# ruff: noqa: PTH101, PTH105, PTH108, PTH110, PTH113, PTH120, PTH123

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping

from uplinks.cli.console import UsageError

__all__ = ["write", "write_all"]


def write(path: str, text: str) -> None:
    """Write a string as UTF-8. Raises: UsageError; the old file is then unchanged."""
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
        raise UsageError(f"{path}: cannot write: {reason}") from None


def write_all(files: Mapping[str, bytes]) -> None:
    """Replace several regular files, after all new ones are written beside them.

    Raises: UsageError; if any could not be written, none is replaced.
    """
    written: dict[str, str] = {}
    path = ""
    try:
        for path, data in files.items():
            written[path] = _write_beside(path, data)
        for path, temporary in written.items():
            os.replace(temporary, path)
    except OSError as error:
        raise UsageError(f"{path}: cannot write: {error.strerror or error}") from None
    finally:
        for temporary in written.values():
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _replace(target: str, data: bytes) -> None:
    temporary = _write_beside(target, data)
    try:
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _write_beside(target: str, data: bytes) -> str:
    """Write a file in the folder of another one, with its permissions."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".uplinks-")
    try:
        with open(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, _mode(target))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return temporary


def _mode(target: str) -> int:
    with contextlib.suppress(OSError):
        return os.stat(target).st_mode & 0o777  # noqa: PTH116 - as above
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask

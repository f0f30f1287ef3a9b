"""Write a report to a file.

A regular file is replaced atomically, so a reader sees the old report or the
new one; a symbolic link stays and its target is replaced. Anything else, such
as a pipe, is opened and written to.
"""

# pathlib has no equivalent for most of this.
# ruff: noqa: PTH103, PTH110, PTH113, PTH118, PTH123

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

from uplinks.adapters.replacing import replace_files
from uplinks.cli.console import UsageError

__all__ = ["write", "write_all", "write_folder"]


def write(path: str, text: str) -> None:
    """Write a string as UTF-8. Raises: UsageError; the old file is then unchanged."""
    with _usage_errors(path):
        data = text.encode("utf-8", "backslashreplace")
        target = os.path.realpath(path)
        if os.path.exists(target) and not os.path.isfile(target):
            with open(target, "wb") as file:
                file.write(data)
        else:
            replace_files({target: data})


def write_folder(path: str, texts: Mapping[str, str]) -> None:
    """Write strings to files of a folder, made if need be; its other files stay.

    Raises: UsageError; while the files are being written, none of the old ones is changed.
    """
    with _usage_errors(path):
        os.makedirs(path, exist_ok=True)
        replace_files({os.path.join(path, name): text.encode() for name, text in texts.items()})


def write_all(files: Mapping[str, bytes]) -> None:
    """Replace regular files together. Raises: UsageError; then none has changed."""
    with _usage_errors(", ".join(files)):
        replace_files(files)


@contextlib.contextmanager
def _usage_errors(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path}: cannot write: {reason}") from None

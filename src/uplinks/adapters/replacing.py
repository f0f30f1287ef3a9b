"""Replace files as a whole."""

# pathlib has no equivalent for most of this.
# ruff: noqa: PTH101, PTH105, PTH108, PTH120, PTH123

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping

__all__ = ["replace_files"]


def replace_files(files: Mapping[str, bytes]) -> None:
    """Replace files by path, after all have been written beside the old ones.

    A reader sees an old file or a new one, never a part. Raises: OSError; while the new
    ones are being written, none of the old ones is changed.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "new")
    ...     replace_files({str(path): b"text"})
    ...     path.read_text()
    'text'
    """
    written: dict[str, str] = {}
    try:
        for target, data in files.items():
            handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".uplinks-")
            written[temporary] = target
            with open(handle, "wb") as file:
                file.write(data)
            os.chmod(temporary, _mode(target))
        for temporary, target in written.items():
            os.replace(temporary, target)
    except BaseException:
        for temporary in written:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise


def _mode(target: str) -> int:
    with contextlib.suppress(OSError):
        return os.stat(target).st_mode & 0o777  # noqa: PTH116 - as above
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask

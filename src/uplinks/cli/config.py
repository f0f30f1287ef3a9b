"""The configuration: ``uplinks.toml``, or ``[tool.uplinks]`` in ``pyproject.toml``.

The nearest file counts, going up from the first checked path; ``uplinks.toml``
comes first within a folder. Files are not merged. Command-line options override
the configuration key by key.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from uplinks import naming
from uplinks.cli.console import UsageError
from uplinks.cli.formats import FORMATS
from uplinks.cli.selection import PathIgnore, PathPattern, checked

__all__ = ["FAIL_ON", "Config", "excludes", "find", "load"]

OWN: Final = "uplinks.toml"
SHARED: Final = "pyproject.toml"
FAIL_ON: Final = ("error", "warning", "info", "never")


@frozen
class Config:
    """The settings of one file; ``None`` for a key that is not set. Codes are validated.

    ``exclude`` has pairs of a folder and a pattern below it, ``baseline`` is a path.
    """

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    fail_on: str | None = None
    format: str | None = None
    per_path_ignores: tuple[PathIgnore, ...] = ()
    exclude: tuple[tuple[str, str], ...] = ()
    baseline: str | None = None


def find(start: str) -> str | None:
    """Find the nearest configuration, from a file or folder upwards."""
    here = Path(os.path.abspath(start))  # noqa: PTH100 - links are not followed
    for folder in (here, *here.parents):
        own, shared = folder / OWN, folder / SHARED
        if own.is_file():
            return str(own)
        # Most pyproject.toml files do not mention uplinks, and parsing TOML is slow.
        if shared.is_file() and b"uplinks" in _read(shared) and _table(str(shared)) is not None:
            return str(shared)
    return None


def load(path: str, codes: Collection[str]) -> Config:
    """Read a configuration file. Raises: UsageError."""
    table = _table(path)
    if table is None:
        raise UsageError(f"{path}: no [tool.uplinks] table")
    known = {each.replace("_", "-") for each in Config.__annotations__}
    for key in table:
        if key not in known:
            near = naming.nearest(key, known)
            hint = f"; did you mean {near!r}?" if near else ""
            raise UsageError(f"{path}: unknown key {key!r}{hint}")
    folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120 - patterns are text
    return Config(
        _given(path, table, "select", lambda value, where: _codes(value, where, codes)),
        _given(path, table, "ignore", lambda value, where: _codes(value, where, codes)),
        _given(path, table, "fail-on", lambda value, where: _choice(value, where, FAIL_ON)),
        _given(path, table, "format", lambda value, where: _choice(value, where, FORMATS)),
        _given(
            path,
            table,
            "per-path-ignores",
            lambda value, where: _paths(value, where, codes, folder),
        )
        or (),
        _given(path, table, "exclude", lambda value, where: excludes(value, where, folder)) or (),
        _given(path, table, "baseline", lambda value, where: _path(value, where, folder)),
    )


def excludes(value: Any, where: str, folder: str) -> tuple[tuple[str, str], ...]:
    """Check a list of patterns, and put the folder before each. Raises: UsageError."""
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise UsageError(f"{where} must be a list of patterns")
    _check_globs(value, where)
    return tuple((folder, pattern) for pattern in value)


def _path(value: Any, where: str, folder: str) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{where} must be a path")
    return os.path.join(folder, value)  # noqa: PTH118 - text, not a path


def _check_globs(globs: Collection[str], where: str) -> None:
    longest = max(map(len, globs), default=0)
    if longest > _MAX_GLOB:
        raise UsageError(
            f"{where}: patterns must have at most {_MAX_GLOB} characters, got {longest}"
        )


def _given(path: str, table: Mapping[str, Any], key: str, read: Callable[[Any, str], Any]) -> Any:
    return read(table[key], f"{path}: {key}") if key in table else None


def _codes(value: Any, where: str, codes: Collection[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{where} must be a list of codes")
    return checked(value, codes, where)


def _choice(value: Any, where: str, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise UsageError(f"{where} must be one of {', '.join(choices)}, got {value!r}")
    return value


def _paths(value: Any, where: str, codes: Collection[str], folder: str) -> tuple[PathIgnore, ...]:
    if not isinstance(value, dict):
        raise UsageError(f"{where} must be a table of patterns and codes")
    _check_globs(value, where)
    return tuple(
        PathIgnore(
            PathPattern(folder, pattern),
            _codes(given, f"{where}.{pattern!r}", codes),
        )
        for pattern, given in value.items()
    )


_MAX_BYTES: Final = 2**20
_MAX_GLOB: Final = 4096
_MAX_KEY_WORK: Final = 10_000_000


def _table(path: str) -> dict[str, Any] | None:
    import tomllib  # noqa: PLC0415 - most projects have no configuration

    raw = _read(Path(path))
    # tomllib needs time in the square of a key's parts, which no real configuration has many of.
    if sum(line.count(b".") ** 2 for line in raw.split(b"\n")) > _MAX_KEY_WORK:
        raise UsageError(f"{path}: too many dotted keys for a configuration")
    try:
        data: dict[str, Any] = tomllib.loads(raw.decode("utf-8-sig"))
    except RecursionError:
        raise UsageError(f"{path}: nested too deeply for a configuration") from None
    except ValueError as error:  # not TOML, not UTF-8, or an integer of thousands of digits
        raise UsageError(f"{path}: not valid TOML: {error}") from None
    if os.path.basename(path) != SHARED:  # noqa: PTH119 - a name, not a path
        return data
    tool = data.get("tool")
    table = tool.get("uplinks") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{path}: tool.uplinks must be a table")
    return table


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:  # may be a device without an end
            data = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot read: {getattr(error, 'strerror', error)}") from None
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{path}: larger than {_MAX_BYTES} bytes, too large for a configuration")
    return data

"""What a project has decided: ``uplinks.toml``, or ``[tool.uplinks]`` in ``pyproject.toml``.

Rules of this file:

1. The nearest one counts, going up from the first place that is checked; in one
   folder, ``uplinks.toml``. They are not merged.
2. A key that does not exist, a value of the wrong type, and invalid TOML are errors
   that name the file and the key.
3. The command line takes precedence, key by key.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from uplinks import naming
from uplinks.cli.console import Unusable
from uplinks.cli.formats import FORMATS
from uplinks.cli.selection import PathIgnore, checked, path_pattern

__all__ = ["FAIL_ON", "Config", "find", "load"]

OWN: Final = "uplinks.toml"
SHARED: Final = "pyproject.toml"
FAIL_ON: Final = ("error", "warning", "info", "never")


@frozen
class Config:
    """What is configured; ``None`` is for what is not. Codes are checked."""

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    fail_on: str | None = None
    format: str | None = None
    per_path_ignores: tuple[PathIgnore, ...] = ()


def find(start: str) -> str | None:
    """Find the nearest configuration, from a file or folder upwards."""
    here = Path(os.path.abspath(start))  # noqa: PTH100 - links are not followed
    for folder in (here, *here.parents):
        own, shared = folder / OWN, folder / SHARED
        if own.is_file():
            return str(own)
        # Most of these are about other tools; reading TOML is not for nothing.
        if shared.is_file() and b"uplinks" in _read(shared) and _table(str(shared)) is not None:
            return str(shared)
    return None


def load(path: str, codes: Collection[str]) -> Config:
    """Read a configuration file. Raises: Unusable."""
    table = _table(path)
    if table is None:
        raise Unusable(f"{path}: there is no [tool.uplinks] here")
    known = {each.replace("_", "-") for each in Config.__annotations__}
    for key in table:
        if key not in known:
            near = naming.nearest(key, known)
            hint = f"; did you mean {near!r}?" if near else ""
            raise Unusable(f"{path}: unknown key {key!r}{hint}")
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
    )


def _given(path: str, table: Mapping[str, Any], key: str, read: Callable[[Any, str], Any]) -> Any:
    return read(table[key], f"{path}: {key}") if key in table else None


def _codes(value: Any, where: str, codes: Collection[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Unusable(f"{where} is not a list of codes")
    return checked(value, codes, where)


def _choice(value: Any, where: str, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise Unusable(f"{where} is {value!r}; {', '.join(choices)} is allowed")
    return value


def _paths(value: Any, where: str, codes: Collection[str], folder: str) -> tuple[PathIgnore, ...]:
    if not isinstance(value, dict):
        raise Unusable(f"{where} is not a table of patterns and codes")
    return tuple(
        PathIgnore(
            path_pattern(folder, pattern),
            _codes(given, f"{where}.{pattern!r}", codes),
        )
        for pattern, given in value.items()
    )


_LARGEST: Final = 2**20


def _table(path: str) -> dict[str, Any] | None:
    import tomllib  # noqa: PLC0415 - most projects have no configuration

    try:
        data: dict[str, Any] = tomllib.loads(_read(Path(path)).decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Unusable(f"{path}: this is not TOML: {error}") from None
    if os.path.basename(path) != SHARED:  # noqa: PTH119 - a name, not a path
        return data
    tool = data.get("tool")
    table = tool.get("uplinks") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise Unusable(f"{path}: tool.uplinks is not a table")
    return table


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:  # which may be a device without an end
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        raise Unusable(f"{path}: cannot read it: {getattr(error, 'strerror', error)}") from None
    if len(data) > _LARGEST:
        raise Unusable(f"{path}: more than {_LARGEST} bytes are no configuration")
    return data

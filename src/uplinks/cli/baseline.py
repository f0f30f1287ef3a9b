"""The baseline: findings that are known, and do not count.

Rules of this file:

1. A finding is recognized by its fingerprint, which does not depend on lines, columns or
   positions in lists. Of equal findings as many are known as the baseline has.
2. Files are named from the folder of the baseline, so that it does not matter where the
   command runs.
3. Input that could not be opened (UPL011, UPL012) is never known.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any, Final

from uplinks.cli.console import UsageError
from uplinks.cli.formats._places import fingerprints, relative
from uplinks.cli.inputs import unreadable
from uplinks.diagnostics import Diagnostic

__all__ = ["VERSION", "Baseline", "dump"]

VERSION: Final = 1
_MAX_BYTES: Final = 2**26


class Baseline:
    """The known findings of one file. Raises: UsageError for a file that is none."""

    def __init__(self, path: str) -> None:
        self._folder = _folder(path)
        self._known = _read(path)

    def split(self, findings: Sequence[Diagnostic]) -> tuple[list[Diagnostic], int, int]:
        """Return the new findings, the number of known ones, and of those that are gone.

        Complexity: O(findings).
        """
        new = []
        seen = set()
        for finding, fingerprint in zip(
            findings, fingerprints(findings, self._folder), strict=True
        ):
            if fingerprint in self._known and not unreadable([finding]):
                seen.add(fingerprint)
            else:
                new.append(finding)
        return new, len(seen), len(self._known) - len(seen)


def dump(findings: Sequence[Diagnostic], path: str) -> str:
    """Write the baseline of these findings, for a file at ``path``, as JSON."""
    folder = _folder(path)
    entries = [
        {
            "file": relative(finding.location.file, folder),
            "code": finding.code,
            "path": finding.location.path,
            "fingerprint": fingerprint,
        }
        for finding, fingerprint in zip(findings, fingerprints(findings, folder), strict=True)
        if not unreadable([finding])
    ]
    entries.sort(key=lambda entry: tuple(entry.values()))
    return json.dumps({"version": VERSION, "findings": entries}, indent=1) + "\n"


def _folder(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120 - text, not a path


def _read(path: str) -> frozenset[str]:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - may be a device without an end
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such baseline; --write-baseline {path} writes it") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot read: {getattr(error, 'strerror', error)}") from None
    try:
        content = json.loads(data) if len(data) <= _MAX_BYTES else None
    except (ValueError, RecursionError):
        content = None
    known = _fingerprints(content)
    if known is None:
        raise UsageError(f"{path}: not a baseline of version {VERSION}")
    return known


def _fingerprints(content: Any) -> frozenset[str] | None:
    if not isinstance(content, dict) or content.get("version") != VERSION:
        return None
    findings = content.get("findings")
    if not isinstance(findings, list) or not all(isinstance(each, dict) for each in findings):
        return None
    values = [each.get("fingerprint") for each in findings]
    return frozenset(values) if all(isinstance(value, str) for value in values) else None

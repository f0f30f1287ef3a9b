"""File names and fingerprints of findings for other programs.

Rules of this file:

1. A file below the working folder is named by its relative path with ``/``,
   however the user named it, because services look it up in a checkout.
2. A fingerprint does not depend on lines, columns and positions in lists, so a finding
   keeps it when text moves. Findings that are otherwise equal differ by their order.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from uplinks.cli.console import printable
from uplinks.diagnostics import Diagnostic

__all__ = ["explained", "fingerprints", "relative", "uri"]

_INDEX: Final = re.compile(r"\[\d+\]")


def relative(file: str, folder: str | None = None) -> str:
    """Give the path of a file relative to the working folder, if it is below it.

    With ``folder``, an absolute path, relative to that in any case.

    >>> relative("./apps//uplink.yaml"), relative("/nowhere/uplink.yaml")
    ('apps/uplink.yaml', '/nowhere/uplink.yaml')
    """
    here = os.getcwd()  # noqa: PTH109 - text, not a path
    path = os.path.normpath(os.path.join(here, file))  # noqa: PTH118 - resolves ".."
    if folder is not None:
        return Path(os.path.relpath(path, folder)).as_posix()
    inside = path.startswith(os.path.join(here, ""))  # noqa: PTH118
    name = os.path.relpath(path, here) if inside else os.path.normpath(file)
    return Path(name).as_posix()


def uri(file: str) -> tuple[str, bool]:
    """Give the URI of a file, and whether it is relative to the working folder.

    >>> uri("a b#c.yaml"), uri("/nowhere/a.yaml")
    (('a%20b%23c.yaml', True), ('file:///nowhere/a.yaml', False))
    """
    name = relative(file)
    escaped = quote(name.encode("utf-8", "backslashreplace"))
    return (f"file://{escaped}", False) if name.startswith("/") else (escaped, True)


def explained(finding: Diagnostic) -> str:
    r"""Format a whole finding as plain lines, for formats that have only a message.

    >>> from uplinks.diagnostics import Severity
    >>> explained(Diagnostic("UPL303", Severity.ERROR, "unknown", suggestion="api"))
    "unknown\ndid you mean 'api'?"
    """
    lines = [finding.message]
    if finding.suggestion is not None:
        lines.append(f"did you mean {finding.suggestion!r}?")
    lines += [f"see {related.location}: {related.message}" for related in finding.related]
    return "\n".join(map(printable, lines))


def fingerprints(findings: Iterable[Diagnostic], folder: str | None = None) -> Iterator[str]:
    """Yield a fingerprint for each finding, in order; it survives a move of the text.

    Files are named from ``folder``, as by `relative`.
    """
    seen: Counter[str] = Counter()
    for finding in findings:
        place = finding.location
        file, path = relative(place.file, folder), _INDEX.sub("[]", place.path)
        facts = (finding.code, place.cluster, file, path, finding.message)
        base = "\0".join(facts)
        seen[base] += 1
        text = f"{base}\0{seen[base]}".encode("utf-8", "backslashreplace")
        yield hashlib.sha256(text).hexdigest()[:32]

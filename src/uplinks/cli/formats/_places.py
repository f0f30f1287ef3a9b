"""The place of a finding, in the form that other programs expect.

Rules of this file:

1. Below the working folder a file has its path from there, with ``/``,
   whatever path the user gave: services look it up in a checkout.
2. A fingerprint does not depend on lines and columns: a finding keeps it when
   text is moved. Findings that are otherwise equal differ by their order.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from uplinks.cli.console import printable
from uplinks.diagnostics import Diagnostic

__all__ = ["explained", "fingerprints", "relative", "uri"]


def relative(file: str) -> str:
    """Call a file by its path below the working folder, if it is below.

    >>> relative("./apps//uplink.yaml"), relative("/nowhere/uplink.yaml")
    ('apps/uplink.yaml', '/nowhere/uplink.yaml')
    """
    here = os.getcwd()  # noqa: PTH109 - text, not a path
    path = os.path.normpath(os.path.join(here, file))  # noqa: PTH118 - so that ".." goes
    inside = path.startswith(os.path.join(here, ""))  # noqa: PTH118
    name = os.path.relpath(path, here) if inside else os.path.normpath(file)
    return Path(name).as_posix()


def uri(file: str) -> tuple[str, bool]:
    """Write a file's name as a URI; say whether it is relative to the working folder.

    >>> uri("a b#c.yaml"), uri("/nowhere/a.yaml")
    (('a%20b%23c.yaml', True), ('file:///nowhere/a.yaml', False))
    """
    name = relative(file)
    escaped = quote(name.encode("utf-8", "backslashreplace"))
    return (f"file://{escaped}", False) if name.startswith("/") else (escaped, True)


def explained(finding: Diagnostic) -> str:
    r"""Say all that a finding says in plain lines, for formats that know messages only.

    >>> from uplinks.diagnostics import Severity
    >>> explained(Diagnostic("UPL303", Severity.ERROR, "unknown", suggestion="api"))
    "unknown\ndid you mean 'api'?"
    """
    lines = [finding.message]
    if finding.suggestion is not None:
        lines.append(f"did you mean {finding.suggestion!r}?")
    lines += [f"see {related.location}: {related.message}" for related in finding.related]
    return "\n".join(map(printable, lines))


def fingerprints(findings: Iterable[Diagnostic]) -> Iterator[str]:
    """Give each finding, in order, a name that outlives a move of its text."""
    seen: Counter[str] = Counter()
    for finding in findings:
        place = finding.location
        facts = (finding.code, place.cluster, relative(place.file), place.path, finding.message)
        base = "\0".join(facts)
        seen[base] += 1
        text = f"{base}\0{seen[base]}".encode("utf-8", "backslashreplace")
        yield hashlib.sha256(text).hexdigest()[:32]

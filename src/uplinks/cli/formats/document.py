"""``--format json``: every finding in full, in a stable, versioned shape.

Adding a field keeps ``version``; renaming, removing or redefining one changes
it. Lines and columns count from 1, columns in Unicode code points; ends are
exclusive. ``docs/check.md`` describes every field.
"""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import uplinks
from uplinks.cli.formats import Result
from uplinks.diagnostics import Severity

if TYPE_CHECKING:
    from uplinks.cli.fixes import Edit

__all__ = ["render"]

VERSION = 1


def render(result: Result) -> str:
    """Format the result as one indented JSON object."""
    counts = {severity.value: len(result.report.of(severity)) for severity in Severity}
    findings = [
        {
            "code": finding.code,
            "name": result.catalogue[finding.code].name,
            **finding.describe(),
            "fix": None if edit is None else _fix(edit),
        }
        for finding, edit in zip_longest(result.report, result.edits)
    ]
    data = {
        "version": VERSION,
        "tool": {"name": "uplinks", "version": uplinks.__version__},
        "ok": result.ok,
        "fail_on": "never" if result.fail_on is None else result.fail_on.value,
        "read": dict(result.read),
        "summary": {**counts, "suppressed": result.suppressed, "baseline": result.known},
        "findings": findings,
    }
    return json.dumps(data, indent=2) + "\n"


def _fix(edit: Edit) -> dict[str, Any]:
    line, column, end_line, end_column = edit.span
    place = {"line": line, "column": column, "end_line": end_line, "end_column": end_column}
    return {**place, "text": edit.text}

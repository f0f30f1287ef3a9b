"""``--format json``: every finding in full, in a stable, versioned shape.

Adding a field keeps ``version``; renaming, removing or redefining one changes
it. Lines and columns count from 1, columns in Unicode code points; ends are
exclusive. ``docs/check.md`` describes every field.
"""

from __future__ import annotations

import json

import uplinks
from uplinks.cli.formats import Result
from uplinks.diagnostics import Severity

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
        }
        for finding in result.report
    ]
    data = {
        "version": VERSION,
        "tool": {"name": "uplinks", "version": uplinks.__version__},
        "ok": result.ok,
        "fail_on": "never" if result.fail_on is None else result.fail_on.value,
        "read": dict(result.read),
        "summary": {**counts, "suppressed": result.suppressed},
        "findings": findings,
    }
    return json.dumps(data, indent=2) + "\n"

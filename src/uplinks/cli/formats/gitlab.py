"""``--format gitlab``: a Code Quality report, which GitLab shows in a merge request.

GitLab compares fingerprints to find what a merge request adds and fixes, so they
are unique within a report and survive a move of the text.

Source: GitLab, "Code Quality", "Code Quality report format".
"""

from __future__ import annotations

import json
from typing import Final

from uplinks.cli.console import printable
from uplinks.cli.formats import Result
from uplinks.cli.formats._places import explained, fingerprints, relative
from uplinks.diagnostics import Severity

__all__ = ["render"]

_SEVERITIES: Final = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def render(result: Result) -> str:
    """Format the findings as one JSON array."""
    issues = [
        {
            "type": "issue",
            "description": f"{finding.code}: {explained(finding)}",
            "check_name": finding.code,
            "fingerprint": fingerprint,
            "severity": _SEVERITIES[finding.severity],
            "location": {
                "path": printable(relative(finding.location.file)),
                "lines": {
                    "begin": finding.location.span.line,
                    "end": finding.location.span.end_line,
                },
            },
        }
        for finding, fingerprint in zip(result.report, fingerprints(result.report), strict=True)
    ]
    return json.dumps(issues, indent=2) + "\n"

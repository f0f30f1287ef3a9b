"""``--format github``: workflow commands, which GitHub shows beside the lines.

Columns are given only when a finding ends on the line where it starts, because
GitHub ignores the annotation otherwise.

Source: GitHub, "Workflow commands for GitHub Actions".
"""

from __future__ import annotations

from typing import Final

from uplinks.cli.console import printable
from uplinks.cli.formats import Result
from uplinks.cli.formats._places import explained, relative
from uplinks.diagnostics import Diagnostic, Severity

__all__ = ["render"]

_COMMANDS: Final = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "notice",
}


def render(result: Result) -> str:
    """Format each finding as one command on one line."""
    return "".join(_command(finding, result) for finding in result.report)


def _command(finding: Diagnostic, result: Result) -> str:
    span = finding.location.span
    properties = {
        "file": printable(relative(finding.location.file)),
        "line": span.line,
        "endLine": span.end_line,
        "title": f"{finding.code} {result.catalogue[finding.code].name}",
    }
    if span.line == span.end_line:
        properties |= {"col": span.column, "endColumn": max(span.column, span.end_column - 1)}
    written = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{_COMMANDS[finding.severity]} {written}::{_data(explained(finding))}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

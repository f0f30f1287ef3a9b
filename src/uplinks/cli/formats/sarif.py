"""``--format sarif``: SARIF 2.1.0 for code scanning services.

A clean check has ``results: []``, so that a service sees that it ran. Files below
the working folder are relative to ``%SRCROOT%``, so no path of this machine is
written. Only reported codes are described, each with its whole page, and with its
address if the package names its documentation. A finding has the edit that ``--fix`` makes.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
"""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

import uplinks
from uplinks.cli.console import printable
from uplinks.cli.formats import Result
from uplinks.cli.formats._places import fingerprints, uri
from uplinks.diagnostics import Diagnostic, Location, Severity, Span
from uplinks.rules import SECTIONS, Rule, ShapeCode

if TYPE_CHECKING:
    from uplinks.cli.fixes import Edit

__all__ = ["render"]

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
ROOT: Final = "%SRCROOT%"
_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def render(result: Result) -> str:
    """Format the findings as one JSON object with one run."""
    codes = sorted({finding.code for finding in result.report})
    numbers = {code: number for number, code in enumerate(codes)}
    pages = _documentation()
    run = {
        "tool": {
            "driver": {
                "name": "uplinks",
                "version": uplinks.__version__,
                "rules": [_rule(result.catalogue[code], pages) for code in codes],
            }
        },
        "invocations": [{"executionSuccessful": result.readable}],
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: {"description": {"text": "the working folder"}}},
        "results": [
            _result(finding, numbers, fingerprint, edit)
            for finding, fingerprint, edit in zip_longest(
                result.report, fingerprints(result.report), result.edits
            )
        ],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _documentation() -> str | None:
    """Return the address of the documentation that the package's metadata names, if any."""
    import importlib.metadata  # noqa: PLC0415 - slow, and only this format needs it

    try:
        urls = importlib.metadata.metadata("uplinks").get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    named = (text.partition(",") for text in urls)
    return next((url.strip() for label, _, url in named if label == "Documentation"), None)


def _rule(entry: Rule | ShapeCode, pages: str | None) -> dict[str, Any]:
    page = entry.page or entry.name
    has_page = pages is not None and entry.family != "other"
    address = f"{(pages or '').rstrip('/')}/rules/{entry.code}.html" if has_page else ""
    return {
        "id": entry.code,
        "name": "".join(word.capitalize() for word in entry.name.split("-")),
        "shortDescription": {"text": entry.summary or entry.name},
        "fullDescription": {"text": _description(entry)},
        **({"helpUri": address} if address else {}),
        "help": {"text": page, "markdown": page},
        "defaultConfiguration": {"level": _LEVELS[entry.severity]},
        "properties": {
            "problem.severity": _PROBLEMS[entry.severity],
            "tags": [entry.family],
        },
    }


def _description(entry: Rule | ShapeCode) -> str:
    """Give the text of the page's first section, which says what is checked."""
    section = (entry.page or "").partition(f"## {SECTIONS[0]}\n")[2].partition("\n## ")[0]
    return section.strip() or entry.summary or entry.name


_PROBLEMS: Final = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "recommendation",
}


def _result(
    finding: Diagnostic, numbers: dict[str, int], fingerprint: str, edit: Edit | None
) -> dict[str, Any]:
    text = printable(finding.message)
    if finding.suggestion is not None:
        text = f"{text} (did you mean {printable(repr(finding.suggestion))}?)"
    related = [
        {**_place(other.location), "id": number, "message": {"text": printable(other.message)}}
        for number, other in enumerate(finding.related, start=1)
    ]
    return {
        "ruleId": finding.code,
        "ruleIndex": numbers[finding.code],
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [_place(finding.location)],
        **({"relatedLocations": related} if related else {}),
        **({"fixes": [_fix(finding, edit)]} if edit is not None else {}),
        "partialFingerprints": {"uplinksFinding/v2": fingerprint},
    }


def _fix(finding: Diagnostic, edit: Edit) -> dict[str, Any]:
    """Describe the edit of a finding; its text is a name, a number or a duration."""
    replacement = {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}
    return {
        "description": {"text": f"write {printable(edit.text)}"},
        "artifactChanges": [
            {"artifactLocation": _artifact(finding.location), "replacements": [replacement]}
        ],
    }


def _artifact(location: Location) -> dict[str, Any]:
    name, inside = uri(location.file)
    return {"uri": name, **({"uriBaseId": ROOT} if inside else {})}


def _place(location: Location) -> dict[str, Any]:
    logical = {"fullyQualifiedName": printable(location.path), "kind": "member"}
    if location.cluster:
        logical["name"] = printable(location.cluster)
    return {
        "physicalLocation": {
            "artifactLocation": _artifact(location),
            "region": _region(location.span),
        },
        "logicalLocations": [logical],
    }


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }

"""``--format junit``: a test suite, which nearly every CI system shows.

Rules of this file:

1. One finding is one test. It fails if the finding makes the check fail;
   a less severe one passes, with the finding in its output.
2. A clean check is one passing test: a suite without tests looks like one that
   did not run.
3. XML has no place for control characters and halves of surrogates: they are escaped.

Source: the JUnit XML of Apache Ant, as Jenkins and GitLab read it.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from uplinks.cli.console import printable
from uplinks.cli.formats import Result
from uplinks.cli.formats._places import explained, relative
from uplinks.diagnostics import Diagnostic

__all__ = ["render"]


def render(result: Result) -> str:
    """Write one XML document with one suite."""
    failures = sum(map(result.fails, result.report))
    tests = max(1, len(result.report))
    totals = {"tests": str(tests), "failures": str(failures), "errors": "0", "skipped": "0"}
    suites = ET.Element("testsuites", {"name": "uplinks check", **totals})
    suite = ET.SubElement(suites, "testsuite", {"name": "uplinks check", **totals})
    if not len(result.report):
        ET.SubElement(suite, "testcase", {"name": "no findings", "classname": "uplinks"})
    for finding in result.report:
        _case(suite, finding, result)
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, "unicode")}\n'


def _case(suite: ET.Element, finding: Diagnostic, result: Result) -> None:
    span = finding.location.span
    file = printable(relative(finding.location.file))
    name = (
        f"{finding.code} {result.catalogue[finding.code].name} at {file}:{span.line}:{span.column}"
    )
    attributes = {"name": name, "classname": file, "file": file, "line": str(span.line)}
    case = ET.SubElement(suite, "testcase", attributes)
    text = explained(finding)
    if result.fails(finding):
        about = {"type": finding.severity.value, "message": text.partition("\n")[0]}
        ET.SubElement(case, "failure", about).text = f"{file}:{span.line}:{span.column}\n{text}"
    else:
        ET.SubElement(case, "system-out").text = f"{finding.severity.value}: {text}"

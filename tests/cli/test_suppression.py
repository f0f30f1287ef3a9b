from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uplinks.cli.findings import catalogue
from uplinks.cli.suppression import MOST, suppressions

Run = Callable[..., Any]

UPLINK = """\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata:
  name: api
  namespace: apps
spec:
  weight: -1
"""


def found(run: Run, text: str | bytes, *arguments: str) -> list[tuple[str, int, int]]:
    """The code, line and column of everything that is reported."""
    data = text.encode() if isinstance(text, str) else text
    ran = run("check", "-", "--format=json", "--fail-on=info", *arguments, stdin=data)
    findings = json.loads(ran.out)["findings"]
    assert ran.status == (1 if findings else 0)
    return [(one["code"], one["line"], one["column"]) for one in findings]


def with_comment(comment: str) -> str:
    return UPLINK.replace("weight: -1", f"weight: -1 {comment}")


def test_nothing_is_suppressed_by_itself(run: Run) -> None:
    assert found(run, UPLINK) == [("UPL103", 7, 11)]


@pytest.mark.parametrize(
    "text",
    [
        with_comment("# uplinks: ignore[UPL103]"),
        with_comment("#uplinks: ignore[ UPL103 ]"),
        with_comment("# drained, see there # uplinks: ignore[UPL103] until spring"),
        UPLINK.replace("  weight", "  # uplinks: ignore[UPL103]\n  weight"),
        UPLINK.replace("  weight", "# uplinks: ignore[UPL103]\n  weight"),
        f"# uplinks: ignore-file[UPL103]\n{UPLINK}",
        f"# A licence.\n\n# uplinks: ignore-file[UPL103]\n---\n{UPLINK}",
        UPLINK.replace("name: api", "name: api\n  annotations: {uplinks/ignore: UPL103}"),
        with_comment("# uplinks: ignore[UPL103]").replace("\n", "\r\n"),
        with_comment("# uplinks: ignore[UPL103]").encode("utf-16"),
        b"\xef\xbb\xbf" + with_comment("# uplinks: ignore[UPL103]").encode(),
    ],
)
def test_a_finding_is_suppressed(run: Run, text: str | bytes) -> None:
    assert found(run, text) == []


def test_the_tally_says_how_many(run: Run) -> None:
    ran = run("check", "-", stdin=with_comment("# uplinks: ignore[UPL103]").encode())

    assert (ran.status, ran.out) == (0, "1 uplink, 1 document: no findings (1 suppressed)\n")


def test_several_codes_and_several_comments_are_about_one_line(run: Run) -> None:
    text = UPLINK.replace("weight: -1", "exposeName: UP # uplinks: ignore[UPL106]")
    both = UPLINK.replace(
        "spec:\n  weight: -1",
        "# uplinks: ignore[UPL106]\n# uplinks: ignore[UPL103]\nspec: {weight: -1, exposeName: UP}",
    )

    assert found(run, text) == []
    assert found(run, both) == []
    assert found(run, with_comment("# uplinks: ignore[UPL103, UPL106]")) == [("UPL013", 7, 40)]


@pytest.mark.parametrize(
    "line",
    [
        "  exposeName: 'a # uplinks: ignore[UPL103]'\n",
        '  exposeName: "a\n    # uplinks: ignore[UPL103]"\n',
        "  exposeName: |\n    # uplinks: ignore[UPL103]\n",
        "  exposeName: a#uplinks: ignore[UPL103]\n",
    ],
)
def test_what_stands_in_a_scalar_is_no_comment(run: Run, line: str) -> None:
    codes = {code for code, *_ in found(run, UPLINK.replace("  weight", f"{line}  weight"))}

    assert {"UPL013", "UPL014"} & codes == set()
    assert codes & {"UPL103", "UPL001"} != set()


def test_a_comment_behind_a_block_scalars_indicator_is_one(run: Run) -> None:
    text = UPLINK.replace("weight: -1", "exposeName: | # uplinks: ignore[UPL106]\n    UP")

    assert found(run, text) == []


def test_a_suppression_without_effect_is_reported_where_it_stands(run: Run) -> None:
    assert found(run, with_comment("# uplinks: ignore[UPL103,UPL202]")) == [("UPL013", 7, 39)]
    assert found(run, f"# uplinks: ignore-file[UPL202]\n{UPLINK}") == [
        ("UPL013", 1, 24),
        ("UPL103", 8, 11),
    ]
    annotated = UPLINK.replace(
        "name: api", "name: api\n  annotations:\n    uplinks/ignore: UPL103, UPL202"
    )
    assert found(run, annotated) == [("UPL013", 6, 21)]


def test_one_line_too_early_is_too_early(run: Run) -> None:
    text = UPLINK.replace("spec:", "# uplinks: ignore[UPL103]\nspec:")

    assert found(run, text) == [("UPL013", 6, 19), ("UPL103", 8, 11)]


@pytest.mark.parametrize(
    ("comment", "column", "message", "suggestion"),
    [
        ("# uplinks: ignore[UPL1O3]", 32, "unknown code 'UPL1O3'", "UPL103"),
        ("# uplinks: ignore[upl103]", 32, "unknown code 'upl103'", "UPL103"),
        ("# uplinks: ignore[UPL001]", 32, "UPL001 cannot be suppressed", None),
        ("# uplinks: ignore[UPL013]", 32, "UPL013 cannot be suppressed", None),
        ("# uplinks: ignore", 14, "suppression names no code; write ignore[UPL104]", None),
        ("# uplinks: ignore[]", 14, "suppression names no code; write ignore[UPL104]", None),
        (
            "# uplinks: ignore-file[UPL103]",
            37,
            "ignore-file must be alone on its line, before anything else in its file",
            None,
        ),
    ],
)
def test_a_suppression_that_can_do_nothing_is_reported(
    run: Run, comment: str, column: int, message: str, suggestion: str | None
) -> None:
    ran = run("check", "-", "--format=json", stdin=with_comment(comment).encode())
    one = next(f for f in json.loads(ran.out)["findings"] if f["code"] == "UPL014")

    assert (one["line"], one["column"]) == (7, column)
    assert (one["message"], one["suggestion"]) == (message, suggestion)
    assert one["severity"] == "warning"


def test_what_was_not_read_cannot_be_suppressed(run: Run) -> None:
    text = "# uplinks: ignore-file[UPL001]\na: [\n"

    assert [code for code, *_ in found(run, text)] == ["UPL014", "UPL001"]


def test_a_code_that_was_not_looked_for_is_not_unused(run: Run, tmp_path: Path) -> None:
    # Only a fleet shows UPL407; nobody asked for UPL1 at all.
    fleet_only = UPLINK.replace("weight: -1", "weight: 1 # uplinks: ignore[UPL407]")
    assert found(run, fleet_only) == []
    assert found(run, with_comment("# uplinks: ignore[UPL105]"), "--select=UPL3") == []
    assert found(run, with_comment("# uplinks: ignore[UPL103]"), "--ignore=UPL103") == []

    for side, text in (
        ("parent", "hub: {providers: {multicluster: {}}}\n"),
        ("children/eu", fleet_only),
    ):
        (tmp_path / side).mkdir(parents=True)
        (tmp_path / side / "a.yaml").write_text(text, encoding="utf-8")
    ran = run("check", str(tmp_path), "--format=json", "--select=UPL013,UPL407")
    assert [f["code"] for f in json.loads(ran.out)["findings"]] == ["UPL407", "UPL013"]


def test_an_annotation_is_about_its_object_only(run: Run) -> None:
    annotated = UPLINK.replace("name: api", "name: web\n  annotations: {uplinks/ignore: UPL103}")
    items = "".join("- " + text.replace("\n", "\n  ").rstrip(" ") for text in (annotated, UPLINK))
    as_list = f"apiVersion: v1\nkind: List\nitems:\n{items}"

    assert found(run, f"{annotated}---\n{UPLINK}") == [("UPL103", 16, 11)]
    assert found(run, as_list) == [("UPL103", 18, 13)]


def test_a_suppression_is_about_one_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"# uplinks: ignore-file[UPL103]\n{UPLINK}", encoding="utf-8")
    (tmp_path / "b.yaml").write_text(UPLINK.replace("name: api", "name: web"), encoding="utf-8")

    ran = run("check", str(tmp_path), "--format=json", "--select=UPL103,UPL013")

    assert [Path(f["file"]).name for f in json.loads(ran.out)["findings"]] == ["b.yaml"]


def test_a_suppression_is_of_its_cluster(run: Run) -> None:
    text = with_comment("# uplinks: ignore[UPL202]").encode()

    ran = run(
        "check",
        "--parent=examples/banking/parent",
        "--child=child-1=-",
        "--format=json",
        stdin=text,
    )

    unused = [f for f in json.loads(ran.out)["findings"] if f["code"] == "UPL013"]
    assert [(f["cluster"], f["file"]) for f in unused] == [("child-1", "<stdin>")]


def test_an_excerpt_shows_the_suppression(run: Run) -> None:
    text = with_comment("# uplinks: ignore[UPL103, UPL202] # Bearer s3cr3t")

    ran = run("check", "-", stdin=text.encode())

    assert "7 |   weight: -1 # uplinks: ignore[UPL103, UPL202]" in ran.out
    assert "s3cr3t" not in ran.out


def test_very_many_suppressions_count_up_to_a_number() -> None:
    comments = "# uplinks: ignore[UPL104]\n" * (MOST + 5)
    by, wrong = suppressions([], {"f.yaml": comments.encode()}, catalogue())

    # All are about the next line that is no such comment.
    assert {(each.code, each.begin) for each in by} == {("UPL104", (MOST + 6, 1))}
    assert len(by) == MOST
    assert [(d.message, d.location.span.line) for d in wrong] == [
        (f"more than {MOST} suppressions; the others have no effect", MOST + 1)
    ]


def test_only_the_first_unknown_codes_get_a_suggestion() -> None:
    codes = ", ".join(f"UPL1O{i}" for i in range(60))
    _, wrong = suppressions([], {"f.yaml": f"# uplinks: ignore[{codes}]".encode()}, catalogue())

    assert [d.suggestion is not None for d in wrong] == [True] * 50 + [False] * 10

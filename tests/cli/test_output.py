from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uplinks.cli import output
from uplinks.cli.console import UsageError

Run = Callable[..., Any]

TLS = "examples/snippets/route-invalid-tls.yaml"
FORMATS = ("text", "json", "github", "sarif", "junit", "gitlab")


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_holds_what_standard_output_would(run: Run, tmp_path: Path, name: str) -> None:
    file = tmp_path / "report"

    ran = run("check", TLS, "--format", name, "--output", str(file))

    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "0 uplinks, 1 document: 1 error\n"
    assert file.read_text(encoding="utf-8") == run("check", TLS, "--format", name).out


def test_a_hyphen_is_standard_output(run: Run) -> None:
    assert run("check", TLS, "--output", "-") == run("check", TLS)


def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    file, link = tmp_path / "report", tmp_path / "link"
    file.write_text("old " * 100, encoding="utf-8")
    file.chmod(0o640)
    link.symlink_to("report")

    output.write(str(link), "new\n")

    assert file.read_text(encoding="utf-8") == "new\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "report"]


def test_a_new_file_has_the_mode_that_the_user_wants(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        output.write(str(tmp_path / "report"), "new\n")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o640


def test_what_is_no_regular_file_is_written_to() -> None:
    output.write(os.devnull, "new\n")

    assert not Path(os.devnull).is_file()


def test_a_file_that_cannot_be_written_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "report"
    file.write_text("old", encoding="utf-8")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(UsageError, match="report: cannot write: No space left on device"):
        output.write(str(file), "new")

    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("where", ["no/such/folder/report", ".", "a\0b"])
def test_output_that_leads_nowhere_is_status_2(run: Run, where: str) -> None:
    ran = run("check", TLS, "--output", where, "--format=json")

    assert (ran.status, ran.out) == (2, "")
    assert "cannot write: " in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes")
def test_names_that_are_no_text_do_not_break_a_report(run: Run, tmp_path: Path) -> None:
    bad = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml"))
    bad.write_text("a: [", encoding="utf-8")

    for name in FORMATS:
        file = tmp_path / f"report.{name}"
        ran = run("check", str(bad), "--format", name, "--output", str(file))
        assert ran.status == 1
        text = file.read_text(encoding="utf-8")
        if name in {"json", "sarif", "gitlab"}:
            json.loads(text)


def test_several_files_are_replaced_together_or_not_at_all(tmp_path: Path) -> None:
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for file in files:
        file.write_text("old")

    with pytest.raises(UsageError, match=r"none/c\.yaml: cannot write: No such file"):
        output.write_all({str(files[0]): b"new", str(tmp_path / "none" / "c.yaml"): b"new"})
    assert [file.read_text() for file in files] == ["old", "old"]

    output.write_all({str(file): b"new" for file in files})
    assert [file.read_text() for file in files] == ["new", "new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml", "b.yaml"]

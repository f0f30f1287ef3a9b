from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import uplinks
from uplinks.cli import main

Run = Callable[..., Any]

ROOT = Path(__file__).parents[2]
COMMANDS = ("check", "materialize", "simulate")
OTHERS = ("explain", "schema")


def python(*arguments: str | bytes, **options: object) -> subprocess.CompletedProcess[bytes]:
    # The program imports from where this interpreter does.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment.update(options.pop("env", {}))  # type: ignore[call-overload]
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-m", "uplinks", *arguments],
        cwd=ROOT,
        env=environment,
        check=False,
        **{"capture_output": True, **options},
    )


def test_the_version_is_the_packages(run: Run) -> None:
    ran = run("--version")

    assert (ran.status, ran.out) == (0, f"uplinks {uplinks.__version__}\n")


def test_help_says_what_the_exit_status_means(run: Run) -> None:
    ran = run("--help")

    assert ran.status == 0
    assert "Exit status: 0 clean, 1 findings, 2 bad usage or unreadable input." in ran.out
    assert all(command in ran.out for command in (*COMMANDS, *OTHERS))


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("frobnicate",),
        ("check",),
        ("check", "--child", "eu=x"),
        ("check", "--parent", "p", "--child", "eu"),
        ("check", "x", "--namespace", "A b"),
        ("check", "examples/banking", "--parent", "p"),
        ("check", "-", "-"),
        ("check", ""),
        ("check", "--parent", "-", "--child", "eu=-"),
        ("check", "--parent", ""),
        ("check", "examples"),
        ("materialize", ""),
        ("simulate", "-", "--service", "x"),
        ("check", "examples/banking", "--format", "yaml"),
        ("check", "--form", "json", "examples/banking"),
        ("materialize",),
        ("materialize", "-"),
        ("materialize", "examples/snippets"),
        ("materialize", "examples/banking", "examples/weighted"),
        ("simulate", "examples/banking"),
        ("simulate", "examples/banking", "--service", "x", "--requests", "0"),
        ("simulate", "examples/banking", "--service", "x", "--requests", "many"),
        ("simulate", "examples/banking", "--service", "x", "--fail", "child-1"),
        ("simulate", "examples/banking", "--service", "x", "--fail", "child-1@6s-3s"),
    ],
)
def test_bad_usage_is_status_2_and_writes_nothing(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)

    assert ran.status == 2
    assert ran.out == ""
    assert "error:" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("where", ["no/such/place", "a\0b"])
def test_what_cannot_be_read_is_status_2(run: Run, command: str, where: str) -> None:
    service = ("--service", "x") if command == "simulate" else ()

    ran = run(command, where, *service)

    assert ran.status == 2
    assert "UPL012" in ran.out + ran.err


def test_a_module_runs_as_a_program() -> None:
    ran = python("--version")

    assert (ran.returncode, ran.stdout.strip()) == (0, f"uplinks {uplinks.__version__}".encode())


def test_a_closed_pipe_is_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        ran = python(
            "materialize",
            "examples/banking",
            stdout=write,
            stderr=subprocess.PIPE,
            capture_output=False,
        )
    finally:
        os.close(write)

    assert ran.returncode == 141
    assert ran.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_output_that_cannot_be_written_is_status_2() -> None:
    with Path("/dev/full").open("wb") as full:
        ran = python(
            "check", "examples/banking", stdout=full, stderr=subprocess.PIPE, capture_output=False
        )

    assert ran.returncode == 2
    assert ran.stderr == b"uplinks: error: No space left on device\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_traceback(closed: str) -> None:
    command = f'"{sys.executable}" -m uplinks check - {closed}'
    ran = subprocess.run(  # noqa: S602 - a shell closes streams
        command,
        shell=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
    )

    assert ran.returncode == 2  # nothing was found in an empty stream
    assert ran.stderr == b""


def test_names_that_the_terminal_cannot_show_are_escaped(tmp_path: Path) -> None:
    (tmp_path / "größe.yaml").write_text("a: [", encoding="utf-8")

    ran = python("check", str(tmp_path), env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})

    assert ran.returncode == 1
    assert b"gr\\xf6\\xdfe.yaml:1:" in ran.stdout
    assert ran.stderr == b""


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes")
def test_names_that_are_no_text_are_escaped(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml")).write_text("a: [", encoding="utf-8")

    ran = python("check", str(tmp_path))

    assert ran.returncode == 1
    assert b"/\\udcff.yaml:1:" in ran.stdout


def test_a_manifest_cannot_drive_the_terminal(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2J\n.yaml").write_text(
        "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\n"
        'metadata: {name: "a\\e[31mb", namespace: apps}\nspec: {weight: -1}\n',
        encoding="utf-8",
    )

    for arguments in (("check",), ("check", "--format", "json")):
        ran = run(*arguments, str(tmp_path))

        assert ran.status == 1
        assert "\x1b" not in ran.out + ran.err


class _InterruptedBytes(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise KeyboardInterrupt


def test_an_interrupt_is_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(_InterruptedBytes()))

    assert main(["check", "-"]) == 130


def modules(*arguments: str) -> set[str]:
    """The modules that a run of the command line imports beside those of the interpreter."""
    code = (
        "import sys; before = set(sys.modules); from uplinks.cli import main; main(sys.argv[1:]); "
        "sys.stderr.write(' '.join({*sys.modules} - before))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        check=True,
        text=True,
    )
    return set(ran.stderr.split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_help_and_version_import_nothing_but_the_parser(arguments: tuple[str, ...]) -> None:
    imported = modules(*arguments)

    assert {name for name in imported if name.startswith("uplinks")} == {"uplinks", "uplinks.cli"}
    assert not imported & {"attr", "yaml", "cattrs", "typing", "pathlib", "asyncio", "inspect"}
    assert len(imported) < 60


def test_a_check_of_one_file_imports_only_its_parts() -> None:
    imported = modules("check", "examples/banking/children/child-1/uplink.yaml")

    assert "uplinks.rules.uplink" in imported
    unused = {
        *("uplinks.balance", "uplinks.parent", "uplinks.health", "uplinks.services"),
        *("uplinks.cli.excerpt", "uplinks.cli.masking", "uplinks.cli.source"),
        *("uplinks.simulate", "uplinks.diff", "uplinks.traefik", "uplinks._wrr"),
        *("asyncio", "fractions", "decimal", "difflib", "json", "email", "importlib.metadata"),
    }
    assert not imported & unused
    assert len(imported) < 220


def test_a_public_name_imports_its_module_only() -> None:
    code = (
        "import sys, uplinks; print(*sorted(m for m in sys.modules if m.startswith('uplinks'))); "
        "print(*dir(uplinks)); uplinks.parse_duration; "
        "print(*sorted(m for m in sys.modules if m.startswith('uplinks')))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True
    )

    at_first, names, afterwards = ran.stdout.splitlines()
    assert at_first == "uplinks"
    assert names.split() == sorted([*uplinks.__all__, "__version__"])
    assert afterwards == "uplinks uplinks.durations uplinks.errors"

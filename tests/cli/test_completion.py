from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uplinks.cli import COMMANDS

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[str]]:
    """Ask a real bash what it would offer after these words; the last one is begun."""
    script = tmp_path_factory.mktemp("completion") / "uplinks.bash"
    script.write_text(written("bash"), encoding="utf-8")

    def offered(*words: str, folder: Path = Path()) -> list[str]:
        program = (
            f"source {script}\n"
            'COMP_WORDS=("$@")\nCOMP_CWORD=$(($# - 1))\nCOMP_LINE="$*"\nCOMP_POINT=${#COMP_LINE}\n'
            "function=$(complete -p uplinks | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n"
            '$function uplinks "${!#}" "${@: -2:1}"\n'
            'printf "%s\\n" "${COMPREPLY[@]}"\n'
        )
        ran = subprocess.run(
            ["bash", "--norc", "-c", program, "bash", "uplinks", *words],  # noqa: S607 - of the PATH
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return sorted(set(ran.stdout.split()))

    return offered


def written(shell: str) -> str:
    command = [sys.executable, "-m", "uplinks", "completion", shell]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_bash_offers_every_command(complete: Callable[..., list[str]]) -> None:
    assert complete("") == sorted(COMMANDS)
    assert complete("che") == ["check"]


def test_bash_offers_options_and_what_they_take(complete: Callable[..., list[str]]) -> None:
    assert complete("check", "--fo") == ["--format"]
    assert complete("check", "--format", "s") == ["sarif"]


def test_bash_offers_folders_for_a_fleet(
    complete: Callable[..., list[str]], tmp_path: Path
) -> None:
    (tmp_path / "fleet-a").mkdir()
    (tmp_path / "other").mkdir()

    assert [name.rstrip("/") for name in complete("check", "fl", folder=tmp_path)] == ["fleet-a"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_of_its_shell(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(written(shell), encoding="utf-8")

    ran = subprocess.run([program, "-n", script], check=False, capture_output=True, text=True)

    assert (ran.returncode, ran.stderr) == (0, "")


def test_without_shtab_it_says_how_to_get_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)

    ran = run("completion", "bash")

    assert (ran.status, ran.out) == (2, "")
    assert "pip install 'uplinks[completion]'" in ran.err

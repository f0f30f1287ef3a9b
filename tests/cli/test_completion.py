from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uplinks.cli import COMMANDS

Run = Callable[..., Any]


# $1 is the script, the others are words of the line; the last one is begun.
BASH = """
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
function=$(complete -p uplinks | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$function uplinks "${!#}" "${@: -2:1}"
printf '<%s>\\n' "${COMPREPLY[@]}"
"""
FISH = """
source $argv[1]
for found in (complete -C (string join -- ' ' $argv[2..]))
    printf '<%s>\\n' (string split -f 1 -- \\t $found)
end
"""
# Only a line editor completes, and only at a terminal. What is found goes there instead of into
# the line, between two marks that no echo of these commands holds.
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
tell() { zpty -w shell "$1" }
tell 'PROMPT= RPROMPT='
tell "fpath=(${1:h} \\$fpath)"
tell 'autoload -Uz compinit && compinit -u -D'
tell 'compadd() { local -a f; builtin compadd -O f "$@"; print -rl -- "<"${^f}">"
builtin compadd "$@" }'
tell 'offer() { print BE""GIN; _main_complete; print E""ND; compstate[insert]=; compstate[list]= }'
tell 'zle -C offer complete-word offer; bindkey "^I" offer; print REA""DY'
shift
zpty -r shell before '*READY*'
zpty -w -n shell "$*"$'\\t'
zpty -r shell told '*END*'
print -r -- "${told##*BEGIN}"
zpty -d shell
"""
SHELLS = {
    "bash": ["--norc", "-c", BASH, "bash"],
    "fish": ["--no-config", "-c", FISH],
    "zsh": ["-f"],
}
Complete = Callable[..., list[str]]


@pytest.fixture(scope="module", params=list(SHELLS))
def complete(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Complete:
    """Ask a real shell what it would offer after these words; the last one is begun."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"{request.param} is not installed")
    own = tmp_path_factory.mktemp("completion")
    script = own / "_uplinks"
    script.write_text(written(request.param), encoding="utf-8")
    driver = own / "driver.zsh"
    driver.write_text(ZSH, encoding="utf-8")
    how = [*SHELLS[request.param], *([str(driver)] if request.param == "zsh" else [])]

    def offered(*words: str, folder: Path = Path()) -> list[str]:
        ran = subprocess.run(
            [program, *how, str(script), "uplinks", *words],
            cwd=folder,
            env={**os.environ, "HOME": str(own)},
            check=True,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,  # a shell that waits for what never comes
        )
        assert ran.stderr == ""
        return sorted({found.rstrip("/") for found in re.findall("<(.+?)>", ran.stdout)})

    return offered


def written(shell: str) -> str:
    command = [sys.executable, "-m", "uplinks", "completion", shell]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_every_command_is_offered(complete: Complete) -> None:
    assert complete("") == sorted(COMMANDS)
    assert complete("che") == ["check"]


def test_options_are_offered_and_what_they_take(complete: Complete) -> None:
    assert complete("check", "--fo") == ["--format"]
    assert complete("check", "--format", "s") == ["sarif"]
    assert complete("completion", "") == sorted(SHELLS)


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("check", "one"),
        ("check", "--parent"),
        ("materialize",),
        ("simulate",),
        ("simulate", "--html"),
        ("diff",),
        ("diff", "one"),
    ],
    ids=" ".join,
)
def test_folders_are_offered_where_one_is_meant(
    complete: Complete, words: tuple[str, ...], tmp_path: Path
) -> None:
    for name in ("one", "fleet-a", "other"):
        (tmp_path / name).mkdir()

    assert complete(*words, "fl", folder=tmp_path) == ["fleet-a"]


@pytest.mark.parametrize("shell", SHELLS)
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

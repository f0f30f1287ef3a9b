"""The documents and the house say the same."""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
import re
from pathlib import Path

import pytest

import uplinks
from uplinks.cli import main

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
    if not {"_build", "reference"} & set(path.relative_to(ROOT).parts)  # these are generated
)
SITE = "https://uplinks.readthedocs.io/en/stable/"
SOURCE = "https://github.com/uplinks/uplinks/blob/main/"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def public_modules() -> list[str]:
    found = pkgutil.walk_packages(uplinks.__path__, "uplinks.")
    return sorted(m.name for m in found if not any(p.startswith("_") for p in m.name.split(".")))


def test_the_version_is_the_installed_one() -> None:
    assert importlib.metadata.version("uplinks") == uplinks.__version__


@pytest.mark.parametrize("name", uplinks.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    assert (getattr(uplinks, name).__doc__ or "").strip() != ""


def test_no_public_name_is_listed_twice() -> None:
    assert len(uplinks.__all__) == len(set(uplinks.__all__))


@pytest.mark.parametrize("name", public_modules())
def test_every_public_module_opens_with_a_docstring(name: str) -> None:
    assert (importlib.import_module(name).__doc__ or "").strip() != ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_there(page: Path) -> None:
    links = LINK.findall(CODE.sub("", read(page)))
    files = [link.partition("#")[0] for link in links if "://" not in link]

    assert [name for name in files if name and not (page.parent / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_absolute_link_to_our_own_pages_leads_to_a_file(page: Path) -> None:
    text = read(page)
    site = re.findall(rf"{re.escape(SITE)}([\w/.-]+?)\.html", text)
    pictures = re.findall(rf"{re.escape(SITE)}(_static/[\w/.-]+)", text)
    sources = re.findall(rf"{re.escape(SOURCE)}([\w/.-]+)", text)
    wanted = [*(f"docs/{name}.md" for name in site), *(f"docs/{name}" for name in pictures)]

    assert [name for name in [*wanted, *sources] if not (ROOT / name).is_file()] == []


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = set()
    for index in (DOCS / "index.md", DOCS / "rules" / "index.md"):
        for block in re.findall(
            r"^```\{toctree\}\n(.*?)^```", read(index), re.MULTILINE | re.DOTALL
        ):
            for line in block.splitlines():
                if line and not line.startswith(":"):
                    listed |= set(index.parent.glob(f"{line}.md"))

    assert {page for page in PAGES if page.is_relative_to(DOCS)} - {DOCS / "index.md"} == listed


def test_every_guarantee_names_a_test_that_there_is() -> None:
    named = re.findall(r"\[(test_\w+)\]\(\.\./(\S+?)\)", read(DOCS / "security.md"))
    lost = [
        (name, file)
        for name, file in named
        if not re.search(rf"^def {name}\(", read(ROOT / file), re.MULTILINE)
    ]

    assert (named != [], lost) == (True, [])


def test_the_readme_shows_the_selector_before_anything_else() -> None:
    first_screen = read(ROOT / "README.md").splitlines()[:32]

    assert any("It is not" in line for line in first_screen)
    assert ">>> from uplinks import Selector" in first_screen
    assert {"make demo", "make test"} <= {line.split("   ")[0] for line in first_screen}


def test_the_changelog_keeps_its_form() -> None:
    headings = re.findall(r"^### (.+)$", read(ROOT / "CHANGELOG.md"), re.MULTILINE)
    releases = re.findall(r"^## (.+)$", read(ROOT / "CHANGELOG.md"), re.MULTILINE)

    current = rf"\[{re.escape(uplinks.__version__)}\] - \d{{4}}-\d{{2}}-\d{{2}}"
    assert releases[0] == "[Unreleased]" or re.fullmatch(current, releases[0])
    assert set(headings) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_glossary_is_in_order() -> None:
    rows = re.findall(r"^\| ([a-z ]+?) \| ", read(DOCS / "glossary.md"), re.MULTILINE)

    assert rows[0] == "say"
    assert rows[1:] == sorted(set(rows[1:]))


def test_the_report_on_the_page_of_check_is_the_real_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = re.findall(
        r"```console\n\$ uplinks (check examples/\S+)\n(.*?)```", read(DOCS / "check.md"), re.DOTALL
    )
    monkeypatch.chdir(ROOT)

    [(command, report)] = shown
    main(command.split())

    assert capsys.readouterr().out == report


def test_the_page_of_check_comes_in_the_order_of_need() -> None:
    headings = re.findall(r"^## (.+)$", read(DOCS / "check.md"), re.MULTILINE)

    assert [heading.split()[0] for heading in headings[:5]] == [
        "Silence",
        "Exclude",
        "Start",
        "Fix",
        "Run",
    ]

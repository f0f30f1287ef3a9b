"""Write docs/rules out of the catalogue: ``python docs/write_rules.py``.

The pages are the docstrings of the rules; ``tests/rules/test_catalogue.py``
fails when a page is not what this script would write.
"""

from __future__ import annotations

from pathlib import Path

from uplinks import rules

FOLDER = Path(__file__).parent / "rules"


def main() -> None:
    """Write every page, and remove pages of codes that are gone."""
    FOLDER.mkdir(exist_ok=True)
    pages = rules.pages()
    for stale in set(FOLDER.glob("*.md")) - {FOLDER / name for name in pages}:
        stale.unlink()
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

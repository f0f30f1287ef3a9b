"""The whole report about a fleet in which much is wrong, as somebody reads it.

To change it, look at what the command writes and keep it only if each finding says
what is wrong, where, why, and how to mend it::

    uplinks check --verbose tests/cli/broken_fleet > tests/cli/broken_fleet.txt
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FLEET = "tests/cli/broken_fleet"
SECRETS = ("hunter2", "s3cr3t", "letmein", "t0ken")


def test_the_report_of_a_broken_fleet(run: Callable[..., Any]) -> None:
    expected = (HERE / "broken_fleet.txt").read_text(encoding="utf-8")

    ran = run("check", "--verbose", FLEET)

    assert ran.out == expected
    assert (ran.status, ran.err) == (1, "")


def test_it_shows_much_of_the_catalogue_and_no_secret() -> None:
    report = (HERE / "broken_fleet.txt").read_text(encoding="utf-8")
    written = "".join(
        path.read_text(encoding="utf-8") for path in (HERE / "broken_fleet").rglob("*.yaml")
    )
    codes = set(re.findall(r" UPL(\d{3}): ", report))

    assert len(codes) >= 40
    assert {code[0] for code in codes} == set("012345")
    assert all(report.count(f"  {what}: ") >= 10 for what in ("see", "help"))
    assert [secret for secret in SECRETS if secret not in written] == []
    assert [secret for secret in SECRETS if secret in report] == []

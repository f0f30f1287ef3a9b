"""Judge the gates, and print the table of figures at the end.

A gate fails if the median of the paired ratios exceeds ``TOLERANCE`` times the limit in five
attempts, spread over 15 s: a shared machine is slow at times, a slow selector always.

``--gates`` measures only the figures that have a limit, and leaves out ``test_peers.py``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import util
from math import inf
from pathlib import Path
from shutil import copy
from time import sleep
from typing import Any, Final, TypeVar

import pytest
from attrs import define
from benchmarks.measure import NO_OP, Loop, Ratio, paired
from benchmarks.report import Figure, Report

TOLERANCE: Final = 1.15
"""The factor on every limit: half the interquartile range of a ratio is 4 to 7 %."""

WAITS: Final = (0, 1, 2, 4, 8)  # s, before each attempt

REPORT: Final = pytest.StashKey[Report]()
PUBLISHED: Final = Path(__file__).parent / "results"
RESULTS: Final = "--results"
GATES: Final = "--gates"

Detail = TypeVar("Detail")


def until_kept(most: float, measure: Callable[[], tuple[float, Detail]]) -> tuple[float, Detail]:
    """Measure up to five times, until the ratio is at most ``most``; return the last attempt."""
    for seconds in WAITS:
        sleep(seconds)
        ratio, detail = measure()
        if ratio <= most:
            break
    return ratio, detail


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(RESULTS, metavar="FILE", type=Path, help="write the figures as JSON")
    parser.addoption(GATES, action="store_true", help="measure only what has a limit")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if config.getoption(GATES) and collection_path.name == "test_peers.py" else None


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REPORT] = Report([])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    report = config.stash[REPORT]
    terminalreporter.section("ratios: medians of paired samples")
    for line in report.lines():
        terminalreporter.write_line(line)
    published = max(PUBLISHED.glob("20*.json"), default=None)
    if published is not None and report.figures:
        terminalreporter.section(f"changes since {published.name}")
        for line in report.changes(Report.read(published)):
            terminalreporter.write_line(line)
    path = config.getoption(RESULTS)
    if path is not None:
        report.write(path)


@define
class Bench:
    """Measure figures, add them to the report, and fail if a limit is exceeded."""

    report: Report
    gates_only: bool

    def keep(
        self,
        section: str,
        row: str,
        column: object,
        value: float,
        *,
        limit: float | None = None,
        goal: float | None = None,
    ) -> None:
        """Add a number that was counted, not timed, so that its limit has no tolerance."""
        passed = limit is None or value <= limit
        self.report.figures.append(
            Figure(section, row, str(column), value, limit=limit, goal=goal, passed=passed)
        )
        assert passed, f"{row}, {column}: {value:g} is above {limit:g}"

    def time(
        self,
        section: str,
        row: str,
        n: int,
        subject: Loop,
        reference: Loop = NO_OP,
        *,
        limit: float | None = None,
        goal: float | None = None,
        **how: Any,
    ) -> Ratio:
        """Time the subject against the reference; a limit has five attempts.

        A goal is the aim where the limit only protects what has been reached.
        """
        if limit is None and self.gates_only:
            pytest.skip("no gate: left out by --gates")
        most = inf if limit is None else limit * TOLERANCE

        def measure() -> tuple[float, Ratio]:
            measured = paired(subject, reference, **how)
            return measured.value, measured

        value, ratio = until_kept(most, measure)
        passed = value <= most
        self.report.figures.append(
            Figure(
                section,
                row,
                f"n={n:,}",
                ratio.value,
                spread=ratio.spread,
                nanoseconds=ratio.nanoseconds,
                limit=limit,
                goal=goal,
                passed=passed,
            )
        )
        assert passed, (
            f"{row}, n={n}: {ratio.value:.3g} ± {ratio.spread:.2g} times the reference, "
            f"{len(WAITS)} times in a row above {limit:g} x {TOLERANCE}"
        )
        return ratio


@pytest.fixture(scope="session")
def bench(pytestconfig: pytest.Config) -> Bench:
    return Bench(pytestconfig.stash[REPORT], pytestconfig.getoption(GATES))


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return the class `Outside` of `outside.pyx`, built as another program would build it."""
    folder = tmp_path_factory.mktemp("outside")
    copy(Path(__file__).with_name("outside.pyx"), folder)
    build = [sys.executable, "-m", "Cython.Build.Cythonize", "--inplace", "outside.pyx"]
    done = subprocess.run(build, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - this interpreter
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = [*folder.glob("outside.*.so"), *folder.glob("outside.*.pyd")]
    spec = util.spec_from_file_location("outside", built)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Outside  # type: ignore[no-any-return]

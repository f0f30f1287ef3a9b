"""An extension that is no part of this package cimports the schedulers and picks with them.

It is built as its author would build it: by cythonize and a C compiler, with the installed
package alone.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import threading
from array import array
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests import profiles

import uplinks
from uplinks import _wrr
from uplinks.balance import Selector

COMPILER = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
WEIGHTS = [5, 3, 1, 9, 2]

# Compiling takes longer than every test here, so only the ci profile optimizes.
FLAGS = {} if profiles.NAME == "ci" else {"CFLAGS": f"{os.environ.get('CFLAGS', '')} -O0"}


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if shutil.which(COMPILER) is None:
        pytest.skip(f"no C compiler: {COMPILER}")
    folder = tmp_path_factory.mktemp("embedding")
    shutil.copy(Path(__file__).with_name("driver.pyx"), folder)
    # Another interpreter, in another folder, finds only the installed package.
    assert uplinks.__file__ is not None
    path = str(Path(uplinks.__file__).parent.parent)
    built = subprocess.run(
        [sys.executable, "-m", "Cython.Build.Cythonize", "--inplace", "driver.pyx"],
        cwd=folder,
        env={**os.environ, **FLAGS, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    [extension] = [*folder.glob("driver.*.so"), *folder.glob("driver.*.pyd")]
    spec = importlib.util.spec_from_file_location("driver", extension)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Driver


def filled(driver: Any, k: int) -> list[int]:
    buffer = array("I", bytes(4 * k))
    assert driver.fill(buffer) == 0
    return list(buffer)


@pytest.mark.parametrize("order", ["fair", "failover", "random"])
def test_the_schedule_is_that_of_the_selector(driver: Any, order: str) -> None:
    schedulers = {
        "fair": None,
        "failover": _wrr.FailoverScheduler(),
        "random": _wrr.RandomScheduler(7),
    }
    outside = driver(WEIGHTS, schedulers[order])
    selector = Selector(list(enumerate(WEIGHTS)), scheduler=order, rng=7)

    for i, weight, up in ((0, 5, True), (3, 9, False), (2, 40, True), (3, 9, True), (1, 0, True)):
        outside.change(i, weight, up)
        selector.set_up(i, up)
        selector.set_weight(i, weight)
        assert filled(outside, 200) == selector.pick_many(200)


def test_no_eligible_index_is_a_number_below_zero(driver: Any) -> None:
    assert driver([0, 0]).fill(array("I", bytes(4))) == -1
    assert driver([]).fill(array("I", bytes(4))) == -1


class Scripted:
    """A Python scheduler whose answers are given."""

    answers: list[Any]

    def set_weight(self, index: int, weight: int) -> None: ...

    def next_index(self) -> Any:
        return self.answers.pop(0)


def test_a_failure_of_a_python_scheduler_is_minus_two(driver: Any) -> None:
    order = Scripted()
    foreign = _wrr.ForeignScheduler(order, lambda _order, answer: ValueError(answer))
    order.answers = [1, 0, "none"]
    buffer = array("I", bytes(4 * 3))

    assert driver([3, 1], foreign).fill(buffer) == -2
    assert list(buffer) == [1, 0, 0]


def test_threads_drive_schedulers_of_their_own_at_the_same_time(driver: Any) -> None:
    found: list[Counter[int]] = []

    def work() -> None:
        outside = driver(WEIGHTS)
        found.append(Counter(filled(outside, 20 * 10_000)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [{i: w * 10_000 for i, w in enumerate(WEIGHTS)}] * 4

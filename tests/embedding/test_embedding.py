"""An extension that is no part of this package cimports the scheduler, and drives it.

It is built as its author would build it: by cythonize and the C compiler, with
nothing to go by but what the installed package brings.
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
    # Its own interpreter, in its own folder: what it finds of ours is what is installed.
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


@pytest.mark.parametrize("order", ["fair", "edf"])
def test_it_is_the_same_schedule(driver: Any, order: str) -> None:
    outside = driver(order, WEIGHTS)
    selector = Selector(list(enumerate(WEIGHTS)), scheduler=order)

    for i, weight, up in ((0, 5, True), (3, 9, False), (2, 40, True), (3, 9, True), (1, 0, True)):
        outside.change(i, weight, up)
        selector.set_up(i, up)
        selector.set_weight(i, weight)
        assert filled(outside, 200) == selector.pick_many(200)


def test_nothing_eligible_is_an_index_below_zero(driver: Any) -> None:
    assert driver("fair", [0, 0]).fill(array("I", bytes(4))) == -1
    assert driver("fair", []).fill(array("I", bytes(4))) == -1


def test_each_thread_drives_its_own_scheduler_at_the_same_time(driver: Any) -> None:
    found: list[Counter[int]] = []

    def work() -> None:
        outside = driver("fair", WEIGHTS)
        found.append(Counter(filled(outside, 20 * 10_000)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [{i: w * 10_000 for i, w in enumerate(WEIGHTS)}] * 4

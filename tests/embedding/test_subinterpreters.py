"""A second interpreter of the process cannot load the selector, and says so."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: the module of interpreters is private, and differs between versions.
PROGRAM = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
from uplinks import Selector

assert Selector({"eu": 1}).pick() == "eu"
second = interpreters.create()
run = getattr(interpreters, "exec", interpreters.run_string)
try:
    failed = run(second, "from uplinks import Selector")
except interpreters.RunFailedError as error:
    failed = error
print(getattr(failed, "formatted", failed))
assert Selector({"eu": 1}).pick() == "eu"
"""
WORDS = (
    "module uplinks._wrr does not support loading in subinterpreters"
    if sys.version_info >= (3, 12)
    else "this module can only be loaded into one interpreter per process"
)


def test_a_second_interpreter_refuses_the_extension_in_a_sentence() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )

    assert ran.stdout.startswith(("ImportError: ", "<class 'ImportError'>: "))
    assert WORDS in ran.stdout

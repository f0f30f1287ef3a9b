"""What is said where an extra is missing, by an interpreter that cannot import it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from uplinks.errors import MissingExtra

WITHOUT = """
import importlib, sys
for name in {missing!r}.split(","):
    sys.modules[name] = None
try:
    importlib.import_module({module!r})
except ImportError as error:
    print(f"{{type(error).__name__}}: {{error}}")
else:
    print("imported")
"""


def imported(module: str, *, without: str) -> str:
    text = WITHOUT.format(missing=without, module=module)
    ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return ran.stdout.removesuffix("\n")


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("uplinks.testing.strategies", "hypothesis", "testing"),
        ("uplinks.testing.grpc_child", "grpc", "testing,grpc"),
    ],
)
def test_a_missing_extra_says_how_to_install_it(module: str, missing: str, extra: str) -> None:
    said = imported(module, without=missing)

    assert said == f"MissingExtra: {MissingExtra(extra)}"
    assert f"pip install 'uplinks[{extra}]'" in said


@pytest.mark.parametrize("module", ["uplinks.testing", "uplinks.testing.server", "pytest_uplinks"])
def test_nothing_else_needs_more_than_pytest(module: str) -> None:
    missing = "aiohttp,grpc,hypothesis,prometheus_client,shtab"

    assert imported(module, without=missing) == "imported"

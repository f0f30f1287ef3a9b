"""Count the instructions of hot calls with callgrind: `python -m benchmarks.instructions`.

Counts do not depend on what else the machine does, so a small change shows. Each case runs
with different numbers of calls; the difference is the cost of the calls alone. The counts
of a commit are in `results/instructions.json`; `--record` replaces them. A count may exceed its
record by 3 %. Counts of another Python or compiler are not comparable, and are only printed.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

RECORD: Final = Path(__file__).parent / "results" / "instructions.json"
TOLERANCE: Final = 1.03
FEWER, MORE = 2_000, 10_000
TOTAL: Final = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)

SELECTOR: Final = """
from uplinks import Selector
selector = Selector({f"t{i}": i % 7 + 1 for i in range(N)})
"""
STEADY: Final = SELECTOR + "selector.pick_many(200 * N)\n"
DRIVER: Final = """
from uplinks import Driver, PassiveHealthCheck
driver = Driver.of({"eu": "http://192.0.2.1", "us": "http://192.0.2.2"}, CHECK)
def call():
    with driver.lease():
        pass
"""

CASES: Final[Mapping[str, tuple[str, str]]] = {
    "no-op: [].__len__()": ("call = [].__len__", "call()"),
    "pick, steady, n=10": (STEADY.replace("N", "10") + "call = selector.pick", "call()"),
    "pick, steady, n=1,000": (STEADY.replace("N", "1000") + "call = selector.pick", "call()"),
    # Weights that are large primes: the period never ends.
    "pick, not yet periodic, n=100": (
        SELECTOR.replace("N", "100").replace("i % 7 + 1", "1_000_003 + 2 * i")
        + "call = selector.pick",
        "call()",
    ),
    "change and pick, n=100": (
        SELECTOR.replace("N", "100") + "up = True",
        "up = not up; selector.set_up('t3', up); selector.pick()",
    ),
    "pick by key, n=10": (STEADY.replace("N", "10") + "pick = selector.pick", "pick(key='k')"),
    "pick_into 1,000 indices": (
        STEADY.replace("N", "10") + "import array\nbuffer = array.array('I', bytes(4000))",
        "selector.pick_into(buffer)",
    ),
    "lease, no check": (DRIVER.replace(", CHECK", ""), "call()"),
    "lease, passive check": (
        DRIVER.replace("CHECK", "passive_health_check=PassiveHealthCheck()"),
        "call()",
    ),
}


def measure() -> dict[str, float]:
    """Return the instructions of one call, for each case."""
    parts = ["import os"]
    for setup, statement in CASES.values():
        # Locals are fast, and the adaptive interpreter has settled after the first loop.
        lines = [*setup.strip().splitlines(), f"for calls in ({FEWER}, {FEWER}, {MORE}):"]
        lines += ["    os.getppid()", "    for _ in range(calls):", f"        {statement}"]
        body = "".join(f"    {line}\n" for line in [*lines, "os.getppid()"])
        parts.append(f"def case():\n{body}\ncase()")
    phases = _phases("\n".join(parts))
    # Before, first, fewer, more: a case has four, the first of which is its setup.
    found = {}
    for number, case in enumerate(CASES):
        _, _, few, many = phases[4 * number : 4 * number + 4]
        found[case] = (many - few) / (MORE - FEWER)
    return found


def _phases(script: str) -> list[int]:
    """Return the instructions between the calls of ``getppid``."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        options = ["--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={out}"]
        ran = subprocess.run(  # noqa: S603 - this interpreter
            ["valgrind", *options, sys.executable, "-c", script],  # noqa: S607
            env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            sys.exit(f"callgrind failed:\n{ran.stderr}")
        dumps = sorted(Path(folder).glob("out.*"), key=lambda path: int(path.suffix[1:]))
        return [int(TOTAL.search(dump.read_text("utf-8"))[1]) for dump in dumps]  # type: ignore[index]  # each has one


def environment() -> dict[str, str]:
    """Return what the counts depend on."""
    return {
        "python": platform.python_version(),
        "compiler": platform.python_compiler(),
        "machine": platform.machine(),
    }


def main(arguments: list[str]) -> int:
    """Print all counts; return 1 if one exceeds its record."""
    if shutil.which("valgrind") is None:
        print("valgrind is not installed: no instructions were counted")
        return 0
    counts = measure()
    recorded = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    comparable = recorded.get("environment") == environment()
    old = recorded.get("counts", {}) if comparable else {}
    worse = [case for case, count in counts.items() if count > TOLERANCE * old.get(case, count)]
    for case, count in counts.items():
        before = f"  recorded {old[case]:8.1f}" if case in old else ""
        print(f"{case:32}{count:8.1f}{before}{'  exceeds it' if case in worse else ''}")
    if "--record" in arguments:
        rounded = {case: round(count, 1) for case, count in counts.items()}
        found = {"environment": environment(), "counts": rounded}
        RECORD.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
        return 0
    if not comparable:
        print("the record is of another Python, compiler or machine: nothing was compared")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What `uplinks check` costs, start-up included: against the parser alone, and beside a validator.

Each sample is a process of its own, and its CPU time is what the kernel says of
it when it ends. The reference is run just before and just after: it starts the
interpreter and takes the events of PyYAML's C parser from the same bytes.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from statistics import median
from typing import Any, Final

import pytest
from benchmarks.conftest import TOLERANCE, until_kept

from uplinks.schema import json_schema

SECTION: Final = "check: 1,000 files, start-up included"
FILES: Final = 1_000
SAMPLES: Final = 5
OF_THE_PARSER: Final = 5
OF_THE_VALIDATOR: Final = 0.25

PARENT: Final = """\
hub:
  providers:
    multicluster:
      children:
        child-1:
          address: https://child1.example.com:9443
"""
CHILD: Final = """\
hub:
  providers:
    multicluster: {}
  uplinkEntryPoints:
    web:
      address: ':9443'
      asDefault: true
"""
UPLINK: Final = """\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata:
  name: workload-{number:04}
  namespace: team-{team}
  annotations:
    app.kubernetes.io/name: workload-{number:04}
    app.kubernetes.io/part-of: shop
    app.kubernetes.io/managed-by: somebody
spec:
  entryPoints:
    - web
  weight: 10
  healthCheck:
    mode: http
    scheme: https
    path: /health
    interval: 10s
    unhealthyInterval: 5s
    timeout: 3s
    status: 200
    headers:
      X-Probe: uplinks-{number:04}
"""
PARSER: Final = """\
import sys
from yaml import _yaml
for name in open(sys.argv[1]).read().split():
    with open(name, "rb") as file:
        get_event = _yaml.CParser(file.read()).get_event
    while get_event() is not None:
        pass
"""

BIN: Final = Path(sys.executable).parent


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("check")
    folder = root / "fleet"
    child = folder / "children" / "child-1"
    child.mkdir(parents=True)
    (folder / "parent").mkdir()
    (folder / "parent" / "traefik.yaml").write_text(PARENT)
    (child / "traefik.yaml").write_text(CHILD)
    for number in range(FILES):
        text = UPLINK.format(number=number, team=number % 10)
        (child / f"{number:04}.yaml").write_text(text)
    (root / "parser.py").write_text(PARSER)
    (root / "names").write_text("\n".join(map(str, sorted(folder.rglob("*.yaml")))))
    return folder


def cpu(command: list[str]) -> float:
    """Run a command that must succeed: its CPU time in seconds."""
    silent = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    # An installer compiles what it installs. Here the first run does, which must be allowed to.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    child = os.posix_spawn(command[0], command, environment, file_actions=[silent])
    _, status, used = os.wait4(child, 0)
    assert status == 0, command
    return used.ru_utime + used.ru_stime


def paired(subject: list[str], reference: list[str], samples: int) -> tuple[float, float]:
    """Give the median of the paired ratios, and the subject's seconds."""
    ratios, costs = [], []
    for _ in range(samples):
        before, cost, after = (cpu(each) for each in (reference, subject, reference))
        ratios.append(2 * cost / (before + after))
        costs.append(cost)
    return median(ratios), median(costs)


def check(fleet: Path) -> list[str]:
    return [str(BIN / "uplinks"), "check", str(fleet)]


def test_it_costs_little_more_than_parsing(fleet: Path, bench: Any) -> None:
    parse = [sys.executable, str(fleet.parent / "parser.py"), str(fleet.parent / "names")]
    most = OF_THE_PARSER * TOLERANCE
    ratio, seconds = until_kept(most, lambda: paired(check(fleet), parse, SAMPLES))
    row = "of PyYAML's C events alone"
    bench.keep(SECTION, row, "seconds", seconds)
    bench.keep(SECTION, row, "ratio", ratio, limit=most, goal=OF_THE_PARSER)


def test_it_costs_a_fraction_of_a_schema_validator(fleet: Path, bench: Any) -> None:
    schema = fleet.parent / "uplink.schema.json"
    schema.write_text(json.dumps(json_schema()))
    uplinks = [str(each) for each in sorted(fleet.rglob("[0-9]*.yaml"))]
    validate = [str(BIN / "check-jsonschema"), "--schemafile", str(schema), *uplinks]
    ratio, _ = until_kept(OF_THE_VALIDATOR, lambda: paired(check(fleet), validate, 1))
    bench.keep(SECTION, "of check-jsonschema", "ratio", ratio, limit=OF_THE_VALIDATOR)

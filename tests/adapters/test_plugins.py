"""Rules of another distribution, which is really installed: pip unpacks a wheel made here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from uplinks.adapters.plugins import load_rules, modes
from uplinks.errors import UnusablePlugin

ROOT = Path(__file__).parents[2]

RULES = '''
from uplinks import Severity, rules

@rules.rule("{code}", name="no-apps", severity=Severity.WARNING,
            scope="manifests", reads=("uplinks",))
def no_apps(cluster):
    """Warn of the namespace `apps`."""
    for uplink in cluster.uplinks:
        {body}
        yield no_apps.at(uplink.origin.locate("metadata", "namespace"), "not in apps")

@rules.rule("ACME002", name="second", severity=Severity.ERROR, scope="fleet", reads=())
def second(fleet):
    """Say nothing."""
    yield from ()

every = [no_apps, second]
number = 5
'''
MODULE = "acme_rules.py"
POINTS = "acme_rules-1.0.dist-info/entry_points.txt"
UPLINK = b"""\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata: {name: api, namespace: apps}
spec: {healthCheck: {path: /, mode: carrier-pigeon}}
"""

Install = Callable[..., Path]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a wheel with some rules and let pip install it into a folder of its own."""
    folder = tmp_path_factory.mktemp("acme")
    wheel = folder / "acme_rules-1.0-py3-none-any.whl"
    about = "acme_rules-1.0.dist-info"
    files = {
        MODULE: RULES.format(code="ACME001", body="pass"),
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: acme-rules\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
        POINTS: "[uplinks.rules]\nacme = acme_rules:every\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{about}/RECORD", "".join(f"{file},,\n" for file in files))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    offline = ["--no-index", "--no-deps", "--quiet", "--target", str(folder / "site")]
    subprocess.run([*pip, *offline, str(wheel)], check=True, capture_output=True)
    return folder / "site"


@pytest.fixture
def install(installed: Path, tmp_path: Path) -> Install:
    """Give what pip has installed, with other entry points or another rule."""

    def install_(points: str, *, code: str = "ACME001", body: str = "pass") -> Path:
        site = shutil.copytree(installed, tmp_path / "site")
        (site / POINTS).write_text(points, encoding="utf-8")
        (site / MODULE).write_text(RULES.format(code=code, body=body), encoding="utf-8")
        return Path(site)

    return install_


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    path = os.pathsep.join([str(site), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-m", "uplinks", *arguments],
        input=UPLINK,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )


def test_what_pip_installs_is_found(installed: Path) -> None:
    ran = run(installed, "check", "-", "--format=json", "--select=ACME")

    assert [f["code"] for f in json.loads(ran.stdout)["findings"]] == ["ACME001"]


def test_rules_of_others_are_checked_explained_and_chosen(install: Install) -> None:
    site = install(
        "[uplinks.rules]\nacme = acme_rules:every\n"
        "[uplinks.probers]\ncarrier-pigeon = no.such:Prober\n"
    )

    ran = run(site, "check", "-", "--format=json", "--select=ACME001,UPL204")
    assert ran.stderr == b"1 uplink, 1 document: 1 warning\n"
    assert ran.returncode == 0
    assert [f["code"] for f in json.loads(ran.stdout)["findings"]] == ["ACME001"]

    assert run(site, "check", "-", "--ignore=ACME", "--fail-on=warning").returncode == 0
    assert b"ACME001: no-apps" in run(site, "explain", "acme001").stdout
    assert b"\nACME002 " in run(site, "explain").stdout
    sarif = json.loads(run(site, "check", "-", "--format=sarif").stdout)
    assert [rule["id"] for rule in sarif["runs"][0]["tool"]["driver"]["rules"]] == ["ACME001"]


@pytest.mark.parametrize(
    ("point", "code", "reason"),
    [
        ("acme_rules:no_such", "ACME001", "it raised AttributeError"),
        ("no_such_module:every", "ACME001", "it raised ModuleNotFoundError"),
        ("acme_rules:number", "ACME001", "it raised TypeError"),
        ("acme_rules:rules", "ACME001", "it raised TypeError"),
        ("acme_rules:RULE", "ACME001", "it raised AttributeError"),
        ("acme_rules:__name__", "ACME001", "it must provide rules, got str"),
        ("acme_rules:every", "UPL999", "its code UPL999 has this library's prefix UPL"),
        ("acme_rules:every", "ACME002", "its code ACME002 is taken by 'acme' of acme-rules"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_named(
    install: Install, point: str, code: str, reason: str
) -> None:
    site = install(f"[uplinks.rules]\nacme = {point}\n", code=code)

    ran = run(site, "check", "-")

    assert (ran.returncode, ran.stdout) == (2, b"")
    said = f"uplinks: error: cannot use the plug-in 'acme' of acme-rules: {reason}\n"
    assert ran.stderr.decode() == said


@pytest.mark.parametrize("ignored", [[], ["--ignore", "ACME001", "--fail-on", "never"]])
def test_a_rule_that_raises_is_named_and_the_rest_is_reported(
    install: Install, ignored: list[str]
) -> None:
    site = install("[uplinks.rules]\nacme = acme_rules:every\n", body="1 / 0")

    ran = run(site, "check", "-", "--format", "json", *ignored)

    report = json.loads(ran.stdout)
    codes = [finding["code"] for finding in report["findings"]]
    assert (ran.returncode, report["ok"]) == (2, False)
    assert codes == (["UPL204"] if ignored else ["ACME001", "UPL204"])
    assert ran.stderr.splitlines()[-1] == (
        b"uplinks: error: cannot use the plug-in ACME001: it raised ZeroDivisionError"
    )


def test_a_path_is_looked_through_and_nothing_else(install: Install) -> None:
    site = install(
        "[other]\nx = y\n[ uplinks.probers ]\n# a = b\ntcp = z:Z\n\nquic=q:Q\n[more]\nk = v\n"
    )

    assert load_rules([str(site), "/no/such"]) == ()
    assert modes([str(site), "/no/such"]) == ("quic", "tcp")
    assert (load_rules([]), modes([])) == ((), ())


def test_an_error_says_which_and_why() -> None:
    error = UnusablePlugin("'acme' of acme", "it raised OSError")

    assert (error.name, error.reason) == ("'acme' of acme", "it raised OSError")
    assert str(error) == "cannot use the plug-in 'acme' of acme: it raised OSError"

"""The demonstration runs on real sockets and must keep every bound."""

from __future__ import annotations

import re
import sys

import pytest

from uplinks.cli import main


def test_the_demonstration_keeps_every_bound(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert re.fullmatch(r"shop-web@multicluster .* web-1 60, web-2 20", lines[1])
    assert re.fullmatch(r"shop-quotes@multicluster .* quotes-1 60, quotes-2 20", lines[2])
    assert re.fullmatch(r"eu is killed +0\.\d\d s +0\.70 s +\d+  us 80", lines[7])
    assert re.fullmatch(r"eu is back +0\.\d\d s +0\.70 s +0  eu \d\d, us \d\d", lines[8])
    assert re.fullmatch(r"us has weight 9 +\d\.\d\d s +1\.15 s +0  eu \d\d, us \d\d", lines[9])
    assert lines[-1] == "Every bound was kept."


def test_without_the_extras_the_error_names_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        if name.startswith("uplinks.cli.demo."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.delattr("uplinks.cli.demo.failover", raising=False)
    assert main(["demo"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "pip install 'uplinks[serve,grpc]'" in err

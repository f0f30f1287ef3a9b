"""``uplinks child``: bad usage, and the server as a process."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.adapters.sources.api_servers import page, served, uplink

from uplinks.advertisements import PATH


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    folder = tmp_path / "eu"
    folder.mkdir()
    (folder / "traefik.yaml").write_text(
        'hub: {uplinkEntryPoints: {up: {address: ":9443", asDefault: true}}}'
    )
    (folder / "api.yaml").write_text(
        "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\n"
        "metadata: {name: api, namespace: apps}\n"
        "spec: {healthCheck: {path: /health, headers: {Authorization: S3cr3tS3cr3t}}}\n"
    )
    return folder


# --- bad usage --------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: MANIFESTS"),
        (["--listen", "9080"], "must be HOST:PORT, got '9080'"),
        (["--listen", "127.0.0.1:65536"], "must be HOST:PORT, got '127.0.0.1:65536'"),
        (["--listen", ":9080"], "must be HOST:PORT, got ':9080'"),
        (["--token-file", "a", "--token-env", "B"], "not allowed with argument --token-file"),
        (["--token-file", "no/such/file"], "cannot use the token of no/such/file: No such file"),
        (["--token-env", "NO_SUCH_NAME"], "cannot use the token of NO_SUCH_NAME: it is not set"),
        (["--tls-certificate", "a.pem"], "TLS needs --tls-certificate and --tls-key"),
        (["--client-ca", "a.pem"], "TLS needs --tls-certificate and --tls-key"),
        (
            ["--tls-certificate", "no.pem", "--tls-key", "no.key"],
            "cannot serve at 127.0.0.1:9080: cannot use certificates 'no.pem'",
        ),
        (["--listen", "0.0.0.0:0"], "0.0.0.0 is not a loopback address, so others could read"),
        (["--listen", "[::]:0"], ":: is not a loopback address, so others could read"),
        (["--listen", "eu.internal:0"], "eu.internal is not a loopback address"),
    ],
)
def test_bad_usage(run: Any, manifests: Path, arguments: list[str], message: str) -> None:
    ran = run("child", *([str(manifests)] if arguments else []), *arguments)

    assert (ran.status, ran.out) == (2, "")
    assert message in ran.err.replace("\n", " ")


def test_manifests_that_are_not_there(run: Any) -> None:
    ran = run("child", "no/such/folder")

    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "uplinks: error: no/such/folder cannot be read: no such file or folder\n"


# --- the process ------------------------------------------------------------


class Process:
    """``uplinks child`` on a free port."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "uplinks", "child", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []

    def logged(self, pattern: str) -> re.Match[str]:
        """Read the log up to a line."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if match := re.search(pattern, line):
                return match
        raise AssertionError(self.log)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End it; give the exit status and all that it wrote."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out + "".join(self.log) + err


def get(url: str, token: str = "") -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_it_serves_until_it_is_ended(manifests: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("right")
    child = Process(str(manifests), "--listen", "127.0.0.1:0", "--token-file", str(token))
    url = child.logged(r"listening on (http://127\.0\.0\.1:\d+/\S+)")[1]
    child.logged("publishing 1 uplink$")

    status, body = get(url, "right")
    assert (status, [u["metadata"]["name"] for u in json.loads(body)["uplinks"]]) == (200, ["api"])
    assert b"S3cr3tS3cr3t" in body
    assert get(url, "wrong")[0] == 401
    (manifests / "bad.yaml").write_text("a: [")
    child.logged("the manifests have errors; the last document stays$")
    assert get(url, "right") == (status, body)
    (manifests / "bad.yaml").unlink()
    child.logged("publishing 1 uplink$")
    child.process.send_signal(signal.SIGHUP)
    status, written = child.end()

    assert status == 0
    assert "S3cr3tS3cr3t" not in written
    assert "Traceback" not in written


def test_it_serves_the_uplinks_that_a_context_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    static = tmp_path / "traefik.yaml"
    static.write_text("hub: {uplinkEntryPoints: {up: {address: ':9443', asDefault: true}}}")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))

    with served(tmp_path, uplinks=page(uplink("api", weight=9))):
        child = Process(str(static), "--context", "eu", "--listen", "127.0.0.1:0")
        url = child.logged(r"listening on (http://127\.0\.0\.1:\d+/\S+)")[1]
        child.logged("publishing 1 uplink$")
        status, body = get(url)
        ended, _ = child.end()

    [offered] = json.loads(body)["uplinks"]
    assert (status, ended) == (200, 0)
    assert offered["spec"] == {"entryPoints": ["up"], "weight": 9}


def test_it_listens_elsewhere_with_authentication_in_front(manifests: Path) -> None:
    child = Process(str(manifests), "--listen", "0.0.0.0:0", "--without-authentication")
    port = child.logged(r"listening on http://0\.0\.0\.0:(\d+)/")[1]
    child.logged("publishing")

    assert get(f"http://127.0.0.1:{port}{PATH}")[0] == 200
    assert child.end(signal.SIGINT)[0] == 0


def test_a_token_in_the_environment(manifests: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHILD_TOKEN", "right")
    child = Process(str(manifests), "--listen", "127.0.0.1:0", "--token-env", "CHILD_TOKEN")
    url = child.logged(r"listening on (\S+)")[1]
    child.logged("publishing")

    assert [get(url, "right")[0], get(url)[0]] == [200, 401]
    assert child.end()[0] == 0


def test_a_certificate(manifests: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(str(chain))
    certificate.private_key_pem.write_to_path(str(key))
    tls = ("--tls-certificate", str(chain), "--tls-key", str(key), "--client-ca", str(chain))
    child = Process(str(manifests), "--listen", "127.0.0.1:0", *tls)

    assert child.logged(r"listening on (\w+)://")[1] == "https"
    assert child.end()[0] == 0

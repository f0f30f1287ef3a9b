"""A real Traefik in a process of its own: start, ask, stop.

Traefik is handed sockets that listen already, so no port is guessed and a
request that is made too early waits in the kernel's queue. What is polled has a
deadline, and passing it fails with Traefik's own log.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import pytest

LOOPBACK = "127.0.0.1"
OURS = ("file", "http")
PATIENCE = 20
"""Seconds that Traefik may take for what should take it milliseconds."""

# The first descriptor that systemd's protocol hands over is 3; these are far above any other.
_ASIDE = 200

_HAND_OVER = """
import os, sys
first, names, program, *arguments = sys.argv[1:]
names = names.split(":")
for index in range(len(names)):
    os.dup2(int(first) + index, 3 + index, inheritable=True)
os.environ |= {
    "LISTEN_PID": str(os.getpid()),
    "LISTEN_FDS": str(len(names)),
    "LISTEN_FDNAMES": ":".join(names),
}
os.execv(program, [program, *arguments])
"""


def program() -> str | None:
    """Return the path of Traefik, or ``None`` where it is not installed."""
    return shutil.which("traefik")


def listen() -> socket.socket:
    """Take a port that the kernel chooses."""
    return socket.create_server((LOOPBACK, 0), backlog=128)


def port_of(listening: socket.socket) -> int:
    port: int = listening.getsockname()[1]
    return port


class Traefik:
    """Traefik with arguments, over sockets that it gets by the names of its entry points."""

    def __init__(
        self, folder: Path, arguments: list[str], sockets: Mapping[str, socket.socket], **env: str
    ) -> None:
        self.folder = folder
        self.log = folder / "log"
        self._env = env
        self._held = contextlib.ExitStack()
        admin = self._held.enter_context(listen())
        self.admin = port_of(admin)
        self._sockets = {**sockets, "traefik": admin}
        self._arguments = [
            *arguments,
            "--api.insecure=true",
            "--log.level=INFO",
            "--log.format=json",
            f"--entryPoints.traefik.address={LOOPBACK}:{self.admin}",
            f"--providers.file.directory={folder / 'dynamic'}",
            "--providers.providersThrottleDuration=10ms",
            "--global.checkNewVersion=false",
            "--global.sendAnonymousUsage=false",
        ]

    def __enter__(self) -> Self:
        with self._held:
            self.start()
            self._held = self._held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def start(self) -> None:
        """Run it, and wait until it has read its configuration."""
        path = program()
        assert path is not None
        handed = list(self._sockets.values())
        with contextlib.ExitStack() as copies, self.log.open("ab") as log:
            fds = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, _ASIDE + i) for i, s in enumerate(handed)]
            for fd in fds:
                copies.callback(os.close, fd)
            assert fds == list(range(fds[0], fds[0] + len(fds)))
            names = ":".join(self._sockets)
            self.process = subprocess.Popen(
                [sys.executable, "-c", _HAND_OVER, str(fds[0]), names, path, *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **self._env},
                pass_fds=fds,
            )
        self._held.callback(self.stop)
        self.poll(lambda: bool(self.services()))

    def stop(self) -> None:
        """End it, and wait for its end. Its sockets go on listening, and nobody answers."""
        self.process.kill()
        self.process.wait()

    def services(self) -> dict[str, Any]:
        """Give what Traefik knows of the services of its file or HTTP provider, by name."""
        return {s["name"]: s for s in self._list("services") if s.get("provider") in OURS}

    def routers(self) -> dict[str, Any]:
        """Give what Traefik knows of the routers of its file or HTTP provider, by name."""
        return {r["name"]: r for r in self._list("routers") if r.get("provider") in OURS}

    def errors(self) -> list[str]:
        """Give the lines of the log that are errors."""
        lines = self.log.read_text("utf-8").splitlines()
        return [line for line in lines if json.loads(line)["level"] == "error"]

    def _list(self, what: str) -> list[dict[str, Any]]:
        connection = http.client.HTTPConnection(LOOPBACK, self.admin, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", f"/api/http/{what}?per_page=1000")
            response = connection.getresponse()
            # Before it has read its configuration even its own API is not found.
            ready = response.status == HTTPStatus.OK
            found: list[dict[str, Any]] = json.load(response) if ready else []
        return found

    def poll(self, reached: Callable[[], bool]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"traefik ({self.process.poll()}):\n{self.log.read_text('utf-8')}")
            time.sleep(0.02)


def ask(port: int, path: str = "/", *, tls: bool = False, **headers: str) -> tuple[int, str]:
    """Make one request on a connection of its own; give its status and its body.

    Over TLS no certificate is verified: it is the one that Traefik makes for itself.
    """
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PATIENCE)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(LOOPBACK, port, timeout=PATIENCE, context=context)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


@contextlib.contextmanager
def listening(*names: str) -> Iterator[dict[str, socket.socket]]:
    """Take a port for each name for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(listen()) for name in names}

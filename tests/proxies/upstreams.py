"""Small HTTP servers on loopback, one per target: each answers with its name.

Rules of this file:

1. The kernel chooses every port, and a port is kept until the end: a server
   that is down still listens, but answers 503 to requests and probes alike.
2. A connection carries one request, so that a proxy has nothing to prefer one
   server for but its schedule.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOOPBACK = "127.0.0.1"


class Upstream(ThreadingHTTPServer):
    """One target: its name, and whether it is up."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str) -> None:
        super().__init__((LOOPBACK, 0), _Answer)
        self.name = name
        self.up = True
        self.headers: dict[str, str] = {}  # of the latest request

    @property
    def port(self) -> int:
        return self.server_port


class _Answer(BaseHTTPRequestHandler):
    server: Upstream
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write an answer: HAProxy's check hangs up after the first

    def do_GET(self) -> None:
        self.server.headers = dict(self.headers)
        body = self.server.name.encode()
        self.send_response(HTTPStatus.OK if self.server.up else HTTPStatus.SERVICE_UNAVAILABLE)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: pytest would show every request of a failed test."""


@contextlib.contextmanager
def serving(
    names: Iterable[str], tls: ssl.SSLContext | None = None
) -> Iterator[dict[str, Upstream]]:
    """Serve each name on a port of its own for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        upstreams = {name: stack.enter_context(Upstream(name)) for name in names}
        if tls is not None:
            for upstream in upstreams.values():
                upstream.socket = tls.wrap_socket(
                    upstream.socket, server_side=True, do_handshake_on_connect=False
                )
        for upstream in upstreams.values():
            thread = threading.Thread(target=upstream.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(upstream.shutdown)
        yield upstreams

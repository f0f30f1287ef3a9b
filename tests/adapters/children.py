"""Children on the loopback, in threads, that serve, fail, and die in the middle of a body."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

SIZE = 200_000


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A body is written after its head, and would wait 40 ms for the delayed ACK of the head.
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        body = self._body()
        if self.server.child.stopped.is_set():  # a connection that was kept
            self._reset()
        elif self.path == "/health":
            self._answer(200, b"")
        else:
            self._serve_request(body)

    def _serve_request(self, body: bytes) -> None:
        child = self.server.child
        with child.lock:
            child.requests.append((self.command, self.path))
        if child.mode == "drop":
            self._reset()
        elif child.mode == "die":
            self._head(200, SIZE)
            self.wfile.write(b"x" * (SIZE // 2))
            self._reset()
        elif child.mode == "half" and len(child.requests) % 2:
            self._answer(503, b"busy")
        elif child.mode == "silent":
            child.stopped.wait()
        elif child.mode == "fail":
            self._answer(503, child.name.encode())
        elif self.path.endswith("/large"):
            self._answer(200, b"y" * SIZE)
        elif "/echo" in self.path:
            seen = {
                "method": self.command,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": body.decode(),
            }
            self._answer(200, json.dumps(seen).encode())
        else:
            self._answer(200, child.name.encode())

    do_GET = do_POST = do_PUT = do_HEAD = _serve  # noqa: N815 - http.server's names

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _head(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _answer(self, status: int, body: bytes) -> None:
        self._head(status, len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        """Close with RST, so that the client sees a lost connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def handle_one_request(self) -> None:
        with suppress(OSError, ValueError):
            super().handle_one_request()
            return
        self.close_connection = True

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *arguments: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    child: Child

    def handle_error(self, *arguments: Any) -> None:
        pass

    def shutdown_request(self, request: Any) -> None:
        with suppress(OSError):
            super().shutdown_request(request)


class Child:
    """An HTTP server: ``ok``, ``silent``, answers 503 (``fail``, ``half``), drops or dies."""

    def __init__(self, name: str, mode: str = "ok", *, tls: ssl.SSLContext | None = None) -> None:
        self.name = name
        self.mode = mode
        self.requests: list[tuple[str, str]] = []
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.child = self
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self._server.server_port}"
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Refuse connections from now on."""
        self.stopped.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

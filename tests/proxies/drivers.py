"""Real proxies, each in a process of its own: start, ask, fail a target, stop.

Rules of this file:

1. No port is guessed. nginx and HAProxy are handed a socket that listens
   already; Envoy chooses and says which. So nothing is tried twice, and a
   request made too early waits in the kernel's queue.
2. One worker each: a proxy keeps a schedule per worker, and only one is asked.
3. A proxy is asked what it believes; nobody sleeps and hopes. What is polled
   has a deadline, and passing it fails with the proxy's own log.
4. A process is ended by its own handle, whatever happened before.
"""

from __future__ import annotations

import contextlib
import csv
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from fractions import Fraction
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Any, ClassVar, Self

import pytest
from tests.proxies.upstreams import LOOPBACK, Upstream

from uplinks.model import Cluster, Services
from uplinks.render import EnvoyOptions, to_envoy, to_envoy_endpoints

EXTENSIONS = "type.googleapis.com/envoy.extensions.filters"

PATIENCE = 20
"""Seconds that a proxy may take for what should take it milliseconds."""


class Proxy(ABC):
    """A proxy in front of ``upstreams``, with these weights; they are up when it starts."""

    name: ClassVar[str]
    counts_within: ClassVar[int]
    """How far a target's count in a period may be from its weight over the gcd."""
    inexact_within: ClassVar[Fraction]
    """In what share of all periods, wherever they begin, a count may be off at all."""
    gap_within: ClassVar[Fraction]
    """How many of its fair distances W/w two picks of a target may be apart."""

    def __init__(
        self, folder: Path, weights: Mapping[str, int], upstreams: Mapping[str, Upstream]
    ) -> None:
        self.folder = folder
        self.weights = weights
        self.upstreams = upstreams
        self.log = folder / "log"
        self._held = contextlib.ExitStack()
        self._listening: list[socket.socket] = []

    @classmethod
    def program(cls) -> str | None:
        """Return the path of the program, or ``None`` where it is not installed."""
        places = [str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin"]
        return shutil.which(cls.name, path=os.pathsep.join(places))

    def __enter__(self) -> Self:
        with self._held:
            self._start()
            self._held = self._held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    @abstractmethod
    def _start(self) -> None:
        """Write the configuration, run the program and connect to it."""

    @abstractmethod
    def _believes_down(self, target: str) -> bool:
        """Say whether the proxy, by its own account, counts this target out."""

    def take_down(self, target: str) -> None:
        """Let a target fail, and wait until the proxy has noticed."""
        self.upstreams[target].up = False
        self._poll(lambda: self._believes_down(target))
        self._poll(lambda: self._spares(target))

    def _spares(self, target: str) -> bool:
        """Say whether the worker acts upon it: two periods of answers, none from the target."""
        answers = [self._ask() for _ in range(2 * sum(self.weights.values()))]
        return all(status == HTTPStatus.OK and name != target for status, name in answers)

    def picks(self, count: int) -> list[str]:
        """Make so many requests, one after the other; return who answered each."""
        answers = [self._ask() for _ in range(count)]
        failed = [answer for answer in answers if answer[0] != HTTPStatus.OK]
        if failed:
            pytest.fail(f"{self.name} answered {failed}:\n{self.log.read_text()}")
        return [name for _, name in answers]

    def _ask(self) -> tuple[int, str]:
        self.connection.request("GET", "/")
        response = self.connection.getresponse()
        return response.status, response.read().decode()

    def _run(self, *arguments: str | Path, **environment: str) -> None:
        program = self.program()
        assert program is not None
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **environment},
                pass_fds=[listening.fileno() for listening in self._listening],
            )
        self._held.callback(self._stop)

    def _stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _connect(self, port: int) -> None:
        self.connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PATIENCE)
        self._held.callback(self.connection.close)

    def _listen(self) -> socket.socket:
        listening = self._held.enter_context(socket.create_server((LOOPBACK, 0)))
        self._listening.append(listening)
        return listening

    def _poll(self, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not reached():
            ended = self.process.poll()
            late = time.monotonic() > deadline
            if ended is not None or late:
                pytest.fail(f"{self.name} (status {ended}):\n{self.log.read_text()}")
            time.sleep(0.01)


class Nginx(Proxy):
    """Smooth weighted round robin; a request that fails goes to the next and is remembered."""

    name = "nginx"
    counts_within = 0
    inexact_within = Fraction(0)
    gap_within = Fraction(2)

    CONFIGURATION = Template("""\
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events {}
http {
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream all {
$servers
    }
    server {
        listen $address;
        location / {
            proxy_pass http://all;
            proxy_next_upstream error timeout http_503;
        }
    }
}
""")

    def _start(self) -> None:
        listening = self._listen()
        port = listening.getsockname()[1]
        servers = "\n".join(
            f"server {LOOPBACK}:{self.upstreams[target].port}"
            f" weight={weight} max_fails=1 fail_timeout=1h;"
            for target, weight in self.weights.items()
        )
        path = self.folder / "nginx.conf"
        path.write_text(
            self.CONFIGURATION.substitute(servers=servers, address=f"{LOOPBACK}:{port}"),
        )
        # This is how one nginx hands its sockets to the next.
        inherited = f"{listening.fileno()};"
        self._run("-e", "stderr", "-p", self.folder, "-c", path, NGINX=inherited)
        self._connect(port)

    def _believes_down(self, target: str) -> bool:
        # No page tells it; but a target that failed a request is logged, and out for fail_timeout.
        self._ask()
        address = f"{LOOPBACK}:{self.upstreams[target].port}/"
        lines = self.log.read_text().splitlines()
        return any("temporarily disabled" in line and address in line for line in lines)


class Haproxy(Proxy):
    """Two trees that swap when one is empty: the first swap after a change leaves a seam."""

    name = "haproxy"
    counts_within = 1
    inexact_within = Fraction(1, 50)
    gap_within = Fraction(2)

    CONFIGURATION = Template("""\
global
    nbthread 1
    stats socket fd@$status
defaults
    mode http
    timeout connect 20s
    timeout client 60s
    timeout server 60s
    timeout check 20s
frontend all
    bind fd@$requests
    default_backend all
backend all
    balance roundrobin
    option httpchk GET /
    default-server check inter 100ms fall 1 rise 1
$servers
""")

    def _start(self) -> None:
        requests, status = self._listen(), self._listen()
        self.status = status.getsockname()
        servers = "\n".join(
            f"    server {target} {LOOPBACK}:{self.upstreams[target].port} weight {weight}"
            for target, weight in self.weights.items()
        )
        path = self.folder / "haproxy.cfg"
        path.write_text(
            self.CONFIGURATION.substitute(
                servers=servers, requests=requests.fileno(), status=status.fileno()
            )
        )
        self._run("-db", "-f", path)
        self._connect(requests.getsockname()[1])

    def _believes_down(self, target: str) -> bool:
        with socket.create_connection(self.status, PATIENCE) as asking:
            asking.sendall(b"show stat\n")
            rows = csv.DictReader(asking.makefile("r", encoding="ascii"))
            states = {row["svname"]: row["status"] for row in rows if row["# pxname"] == "all"}
        return states[target] == "DOWN"


class Envoy(Proxy):
    """Earliest deadline first from a random start; its deadlines are floats, so ties flip."""

    name = "envoy"
    counts_within = 1
    inexact_within = Fraction(1, 100)
    gap_within = Fraction(5, 2)

    def _start(self) -> None:
        path = self.folder / "envoy.json"
        path.write_text(json.dumps(self._configuration()))
        told = self.folder / "admin"
        self._run(
            "--config-path",
            path,
            "--admin-address-path",
            told,
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "--log-level",
            "warning",
        )
        self._poll(lambda: told.exists() and ":" in told.read_text())
        self.status = told.read_text()
        self._poll(lambda: self._asked("/server_info")["state"] == "LIVE")
        self._poll(lambda: not any(map(self._believes_down, self.weights)))
        listeners = self._asked("/listeners?format=json")["listener_statuses"]
        self._connect(listeners[0]["local_address"]["socket_address"]["port_value"])

    def _believes_down(self, target: str) -> bool:
        (cluster,) = self._asked("/clusters?format=json")["cluster_statuses"]
        port = self.upstreams[target].port
        (health,) = (
            host["health_status"]
            for host in cluster["host_statuses"]
            if host["address"]["socket_address"]["port_value"] == port
        )
        return "failed_active_health_check" in health

    def _asked(self, path: str) -> Any:
        connection = http.client.HTTPConnection(self.status, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return json.load(connection.getresponse())

    def _configuration(self) -> dict[str, object]:
        anywhere = {"socket_address": {"address": LOOPBACK, "port_value": 0}}
        hosts = [
            {
                "endpoint": {
                    "address": {
                        "socket_address": {
                            "address": LOOPBACK,
                            "port_value": self.upstreams[target].port,
                        }
                    }
                },
                "load_balancing_weight": weight,
            }
            for target, weight in self.weights.items()
        ]
        check = {
            "http_health_check": {"path": "/"},
            "timeout": "20s",
            "interval": "0.1s",
            "no_traffic_interval": "0.1s",
            "healthy_threshold": 1,
            "unhealthy_threshold": 1,
        }
        cluster = {
            "name": "all",
            "type": "STATIC",
            "lb_policy": "ROUND_ROBIN",
            "connect_timeout": "20s",
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
            "health_checks": [check],
            "load_assignment": {"cluster_name": "all", "endpoints": [{"lb_endpoints": hosts}]},
        }
        manager = {
            "@type": f"{EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "all",
            "http_filters": [
                {
                    "name": "router",
                    "typed_config": {"@type": f"{EXTENSIONS}.http.router.v3.Router"},
                }
            ],
            "route_config": {
                "virtual_hosts": [
                    {
                        "name": "all",
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "all"}}],
                    }
                ]
            },
        }
        listener = {
            "address": anywhere,
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
        }
        return {
            "admin": {"address": anywhere},
            "static_resources": {"listeners": [listener], "clusters": [cluster]},
        }


class RenderedEnvoy(Envoy):
    """Envoy, run with what is rendered of some services, on ports that the kernel chooses."""

    def __init__(
        self,
        folder: Path,
        weights: Mapping[str, int],
        upstreams: Mapping[str, Upstream],
        services: Services,
        parent: Cluster | None = None,
    ) -> None:
        super().__init__(folder, weights, upstreams)
        self.services = services
        self.parent = parent

    @property
    def port(self) -> int:
        """The port that takes the requests."""
        assert self.connection.port is not None
        return self.connection.port

    def _configuration(self) -> dict[str, object]:
        self.write_endpoints(self.services)
        anywhere = (LOOPBACK, 0)
        options = EnvoyOptions(listen=anywhere, admin=anywhere)
        return to_envoy(self.services, self.parent, options)

    def write_endpoints(self, services: Services) -> None:
        """Replace each EDS file as a whole, as `uplinks materialize --output` does."""
        folder = self.folder / "eds"
        folder.mkdir(exist_ok=True)
        for name, document in to_envoy_endpoints(services, self.parent).items():
            new = folder / f"{name}.new"
            new.write_text(json.dumps(document), "utf-8")
            new.rename(folder / name)

    def answers(self, count: int) -> Counter[tuple[int, str]]:
        """Make so many requests and count the answers."""
        return Counter(self._ask() for _ in range(count))

    def _believes_down(self, target: str) -> bool:
        port = self.upstreams[target].port
        return any(
            "failed_active_health_check" in host["health_status"]
            for cluster in self._asked("/clusters?format=json")["cluster_statuses"]
            for host in cluster.get("host_statuses", ())
            if host["address"]["socket_address"]["port_value"] == port
        )

"""A real Traefik that follows ``uplinks serve`` through its HTTP provider, under load."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Self

from tests.proxies.upstreams import Upstream, serving
from tests.traefik.driver import LOOPBACK, Traefik, ask, listening, port_of
from tests.traefik.fleets import STATIC, advertised, route, uplink, write_fleet

from uplinks.render import dump

CHECK = {"path": "/health", "interval": "200ms", "timeout": "150ms"}


@contextlib.contextmanager
def parent(fleet: Path) -> Iterator[int]:
    """Run ``uplinks serve`` over a fleet until the block ends; give its port once it is ready."""
    arguments = ["--own-provider=file", f"--listen={LOOPBACK}:0", "--drain=0s"]
    with subprocess.Popen(
        [sys.executable, "-m", "uplinks", "serve", str(fleet), *arguments],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            records = [json.loads(process.stderr.readline())]
            while records[-1]["message"] != "ready":
                records.append(json.loads(process.stderr.readline()))
            [listens] = [each for each in records if each["message"] == "listening"]
            yield listens["addresses"][0][1]
        finally:
            process.terminate()
            process.communicate()
    assert process.returncode == 0


def write_weight(fleet: Path, child: str, weight: int) -> None:
    objects = [
        STATIC,
        uplink("api", weight=weight, healthCheck=CHECK),
        advertised("api", "apps-api"),
    ]
    text = "---\n".join(map(dump, objects))
    (fleet / "children" / child / "all.yaml").write_text(text, "utf-8")


def weight_of(traefik: Traefik, name: str) -> int:
    """Return the weight that a child service has in Traefik."""
    children = traefik.services()["apps-api@http"]["weighted"]["services"]
    [weight] = [each["weight"] for each in children if each["name"] == name]
    return int(weight)


class Load:
    """Requests, one after the other, from a thread of its own."""

    def __init__(self, port: int) -> None:
        self.answers: list[tuple[int, str]] = []
        self._port = port
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            self.answers.append(ask(self._port))

    def latest(self, count: int = 20) -> Counter[tuple[int, str]]:
        """Count the latest answers."""
        return Counter(self.answers[-count:])

    def since(self, start: int) -> Counter[tuple[int, str]]:
        """Count all answers but so many of the first."""
        return Counter(self.answers[start:])


def test_traefik_follows_the_live_parent(tmp_path: Path) -> None:
    names = ("eu", "us")
    with contextlib.ExitStack() as stack:
        upstreams: dict[str, Upstream] = stack.enter_context(serving(names))
        sockets = stack.enter_context(listening("web"))
        fleet = write_fleet(
            tmp_path / "fleet",
            {name: {"address": f"http://{LOOPBACK}:{upstreams[name].port}"} for name in names},
            {name: [] for name in names},
            [route("web", "PathPrefix(`/`)", "apps-api@multicluster")],
        )
        write_weight(fleet, "eu", 3)
        write_weight(fleet, "us", 1)
        live = stack.enter_context(parent(fleet))
        folder = tmp_path / "parent"
        (folder / "dynamic").mkdir(parents=True)
        web = port_of(sockets["web"])
        arguments = [
            f"--entryPoints.web.address={LOOPBACK}:{web}",
            f"--providers.http.endpoint=http://{LOOPBACK}:{live}/traefik",
            "--providers.http.pollInterval=100ms",
        ]
        traefik = stack.enter_context(Traefik(folder, arguments, sockets))
        traefik.poll(lambda: ask(web)[0] == HTTPStatus.OK)
        eu, us = (HTTPStatus.OK, "eu"), (HTTPStatus.OK, "us")
        load = stack.enter_context(Load(web))
        traefik.poll(lambda: load.latest() == {eu: 15, us: 5})

        start = len(load.answers)
        upstreams["eu"].up = False
        traefik.poll(lambda: load.latest() == {us: 20})
        lost = load.since(start)[(HTTPStatus.SERVICE_UNAVAILABLE, "eu")]
        assert 0 < lost < len(load.answers) - start

        # Once it is known to be down no reload brings it back: the weight of another changes.
        start = len(load.answers)
        write_weight(fleet, "us", 2)
        traefik.poll(lambda: weight_of(traefik, "apps-api-us@http") == 2)
        traefik.poll(lambda: len(load.answers) > start + 200)
        assert set(load.since(start)) == {us}

        start = len(load.answers)
        upstreams["eu"].up = True
        traefik.poll(lambda: load.latest() == {eu: 12, us: 8})
        assert set(load.since(start)) == {eu, us}
        assert traefik.errors() == []

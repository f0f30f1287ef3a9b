"""Both halves on real Traefiks, from the written files: a parent and its children."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import trustme
import yaml
from tests.proxies.upstreams import serving
from tests.traefik.driver import LOOPBACK, Traefik, ask, listening, port_of
from tests.traefik.fleets import (
    advertised,
    materialize,
    route,
    uplink,
    write_fleet,
    write_own,
)

ROOT = Path(__file__).parent.parent.parent
CHECK = {"path": "/accounts/live", "interval": "250ms", "timeout": "200ms"}


def written_arguments(fleet: Path, name: str, folder: Path) -> list[str]:
    """Read a child's entry points as the command line writes them."""
    file = folder / "arguments"
    materialize(fleet, "--for-child", name, "--format=traefik-arguments", to=file)
    return file.read_text("utf-8").splitlines()


def materialize_child(fleet: Path, name: str, folder: Path) -> None:
    materialize(
        fleet,
        "--for-child",
        name,
        "--format=traefik",
        "--own-provider=file",
        to=folder / "dynamic" / "uplinks.yml",
    )


def balancer(port: int) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": f"http://{LOOPBACK}:{port}"}]}}


def test_two_uplinks_with_equal_rules_reach_their_own_backends(tmp_path: Path) -> None:
    with (
        serving(["one", "two"]) as backends,
        listening("web", "multicluster") as sockets,
    ):
        uplinks = [uplink("one", healthCheck=CHECK), uplink("two", healthCheck=CHECK)]
        routers = [advertised("one", "apps-one"), advertised("two", "apps-two")]
        address = f"http://{LOOPBACK}:{port_of(sockets['multicluster'])}"
        fleet = write_fleet(
            tmp_path / "fleet",
            {"eu": {"address": address}},
            {"eu": [*uplinks, *routers]},
            [
                route("one", "Host(`one.example.com`)", "apps-one@multicluster"),
                route("two", "Host(`two.example.com`)", "apps-two@multicluster"),
            ],
        )
        parent, child = tmp_path / "parent", tmp_path / "child"
        materialize(fleet, "--format=traefik", to=parent / "dynamic" / "uplinks.yml")
        materialize_child(fleet, "eu", child)
        own = {f"apps-{name}-80": balancer(backends[name].port) for name in backends}
        write_own(child / "dynamic", services=own)
        web = {"web": sockets["web"]}
        with (
            Traefik(
                child,
                written_arguments(fleet, "eu", child),
                {"multicluster": sockets["multicluster"]},
            ) as below,
            Traefik(
                parent, [f"--entryPoints.web.address=:{port_of(sockets['web'])}"], web
            ) as above,
        ):
            answers = Counter(
                (name, ask(port_of(sockets["web"]), Host=f"{name}.example.com"))
                for _ in range(5)
                for name in ("one", "two")
            )
            assert answers == {("one", (200, "one")): 5, ("two", (200, "two")): 5}
            # A client cannot choose the uplink: the parent sets the header.
            cheat: Any = {"Host": "one.example.com", "X-Uplink": "apps-two"}
            assert ask(port_of(sockets["web"]), **cheat) == (200, "one")
            # The child's probes name the uplink as well, and one of nobody finds the path.
            backends["two"].up = False
            above.poll(lambda: ask(port_of(sockets["web"]), Host="two.example.com")[0] == 503)
            assert ask(port_of(sockets["web"]), Host="one.example.com") == (200, "one")
            assert ask(port_of(sockets["multicluster"]), "/accounts/live")[0] in {200, 503}
            assert ask(port_of(sockets["multicluster"]), "/")[0] == HTTPStatus.NOT_FOUND
            assert above.errors() == below.errors() == []


def banking(root: Path, ports: dict[str, int], ca: Path) -> Path:
    """Copy the example; only addresses, certificates and a health check are other ones."""
    fleet = root / "fleet"
    shutil.copytree(ROOT / "examples" / "banking", fleet)
    static = fleet / "parent" / "traefik.yaml"
    hub = yaml.safe_load(static.read_text("utf-8"))
    for name, child in hub["hub"]["providers"]["multicluster"]["children"].items():
        child["address"] = f"https://{LOOPBACK}:{ports[name]}"
        child["serversTransport"] = {"rootCAs": [str(ca)], "serverName": f"{name}.example.com"}
        uplinks = fleet / "children" / name / "uplink.yaml"
        object_ = yaml.safe_load(uplinks.read_text("utf-8"))
        object_["spec"]["healthCheck"] = CHECK
        uplinks.write_text(yaml.safe_dump(object_), "utf-8")
    static.write_text(yaml.safe_dump(hub), "utf-8")
    return fleet


@contextlib.contextmanager
def children_of(
    root: Path, fleet: Path, sockets: Any, backends: Any, authority: trustme.CA
) -> Iterator[dict[str, Traefik]]:
    with contextlib.ExitStack() as stack:
        children = {}
        for name, backend in backends.items():
            folder = root / name
            materialize_child(fleet, name, folder)
            middlewares = {
                "banking-rate-limit": {"rateLimit": {"average": 0}},
                "banking-circuit-breaker": {
                    "circuitBreaker": {"expression": "NetworkErrorRatio() > 0.99"}
                },
            }
            services = {"banking-banking-service-8080": balancer(backend.port)}
            write_own(folder / "dynamic", services=services, middlewares=middlewares)
            certificate = authority.issue_cert(f"{name}.example.com")
            certificate.private_key_and_cert_chain_pem.write_to_path(folder / "child.pem")
            (folder / "dynamic" / "tls.yml").write_text(
                yaml.safe_dump(
                    {
                        "tls": {
                            "certificates": [
                                {
                                    "certFile": str(folder / "child.pem"),
                                    "keyFile": str(folder / "child.pem"),
                                }
                            ]
                        }
                    }
                ),
                "utf-8",
            )
            arguments = written_arguments(fleet, name, folder)
            child = Traefik(folder, arguments, {"multicluster": sockets[name]})
            children[name] = stack.enter_context(child)
        yield children


def test_the_banking_example_from_end_to_end(tmp_path: Path) -> None:
    names = ("child-1", "child-2")
    authority = trustme.CA()
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    with serving(names) as backends, listening("websecure", *names) as sockets:
        fleet = banking(tmp_path, {n: port_of(sockets[n]) for n in names}, ca)
        parent = tmp_path / "parent"
        materialize(
            fleet,
            "--format=traefik",
            "--own-provider=file",
            to=parent / "dynamic" / "uplinks.yml",
        )
        strip = {"stripPrefix": {"prefixes": ["/banking"]}}
        write_own(parent / "dynamic", middlewares={"apps-strip-banking-prefix": strip})
        web = port_of(sockets["websecure"])
        arguments = [f"--entryPoints.websecure.address=:{web}"]

        def answers(path: str = "/banking/accounts") -> Counter[tuple[int, str]]:
            return Counter(ask_tls(web, path) for _ in range(10))

        with (
            children_of(tmp_path, fleet, sockets, backends, authority) as children,
            Traefik(parent, arguments, {"websecure": sockets["websecure"]}) as above,
        ):
            above.poll(lambda: answers() == {(200, "child-1"): 5, (200, "child-2"): 5})
            # A parent that names no uplink, such as a Python service, is served too.
            assert ask_child(sockets["child-1"]) == (200, "child-1")
            assert set(answers("/banking/other")) == {(404, "404 page not found\n")}
            assert set(answers("/other")) == {(404, "404 page not found\n")}

            children["child-1"].stop()
            above.poll(lambda: answers() == {(200, "child-2"): 10})
            children["child-1"].start()
            above.poll(lambda: answers() == {(200, "child-1"): 5, (200, "child-2"): 5})

            assert above.errors() == []
            assert [child.errors() for child in children.values()] == [[], []]


def ask_child(listening: socket.socket) -> tuple[int, str]:
    return ask(port_of(listening), "/accounts", tls=True)


def ask_tls(port: int, path: str) -> tuple[int, str]:
    return ask(port, path, tls=True, Host="api.example.com")

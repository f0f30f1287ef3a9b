"""The client adapters against real servers: one behaviour for all libraries."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import Any, Self

import aiohttp
import httpx
import httpx2
import pytest
import requests
from tests.adapters.children import SIZE, Child

from uplinks import Driver, HealthCheck, HealthPolicy, NoEligibleTarget, PassiveHealthCheck
from uplinks.adapters.aiohttp import UplinksMiddleware
from uplinks.adapters.httpx import UplinksTransport as HttpxTransport
from uplinks.adapters.httpx2 import AsyncUplinksTransport, UplinksTransport
from uplinks.adapters.requests import UplinksAdapter
from uplinks.errors import MissingExtra
from uplinks.health import RetryBudget

Answer = tuple[int, bytes]
C = "default-c@multicluster"
PASSIVE = PassiveHealthCheck(failure_window="1m", max_failed_attempts=3)


class HttpxClient:
    """A blocking client of httpx2 or httpx."""

    library: Any = httpx2
    transport: Any = UplinksTransport

    def __init__(self, driver: Driver, **options: Any) -> None:
        self._client = self.library.Client(
            transport=self.transport(driver, **options), base_url="http://any"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        answer = self._client.request(method, path, content=body, headers=headers)
        return answer.status_code, answer.content

    def chunked(self, chunks: list[bytes]) -> Any:
        return iter(chunks)


class OldHttpxClient(HttpxClient):
    library = httpx
    transport = HttpxTransport


class RequestsClient:
    def __init__(self, driver: Driver, **options: Any) -> None:
        self._session = requests.Session()
        self._session.mount("http://any/", UplinksAdapter(driver, **options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.close()

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        with self._session.request(method, f"http://any{path}", data=body, headers=headers) as a:
            return a.status_code, a.content

    def chunked(self, chunks: list[bytes]) -> Any:
        return iter(chunks)


class _AsyncClient:
    """Runs an asynchronous client in a loop of its own."""

    def __init__(self, driver: Driver, **options: Any) -> None:
        self._runner = asyncio.Runner()
        try:
            self._client = self._runner.run(self._open(driver, options))
        except BaseException:
            self._runner.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._runner.run(self._close())
        self._runner.close()

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return self._runner.run(self._request(method, path, body, headers))

    def chunked(self, chunks: list[bytes]) -> Any:
        async def iterate() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        return iterate()

    async def _open(self, driver: Driver, options: dict[str, Any]) -> Any: ...
    async def _close(self) -> None: ...
    async def _request(self, method: str, path: str, body: Any, headers: Any) -> Answer:
        raise NotImplementedError


class AsyncHttpxClient(_AsyncClient):
    async def _open(self, driver: Driver, options: dict[str, Any]) -> Any:
        transport = AsyncUplinksTransport(driver, **options)
        return httpx2.AsyncClient(transport=transport, base_url="http://any")

    async def _close(self) -> None:
        await self._client.aclose()

    async def _request(self, method: str, path: str, body: Any, headers: Any) -> Answer:
        answer = await self._client.request(method, path, content=body, headers=headers)
        return answer.status_code, answer.content


class AiohttpClient(_AsyncClient):
    async def _open(self, driver: Driver, options: dict[str, Any]) -> Any:
        return aiohttp.ClientSession(middlewares=[UplinksMiddleware(driver, **options)])

    async def _close(self) -> None:
        await self._client.close()

    async def _request(self, method: str, path: str, body: Any, headers: Any) -> Answer:
        from yarl import URL

        url = URL(f"http://any{path}", encoded=True)
        async with self._client.request(method, url, data=body, headers=headers) as answer:
            return answer.status, await answer.read()


CLIENTS = [HttpxClient, OldHttpxClient, RequestsClient, AsyncHttpxClient, AiohttpClient]
LOST = (
    aiohttp.ClientError,
    httpx.TransportError,
    httpx2.TransportError,
    requests.RequestException,
)


@pytest.fixture(params=CLIENTS, ids=lambda client: client.__name__)
def client(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def children() -> Iterator[Callable[..., dict[str, Child]]]:
    with ExitStack() as stack:

        def start(**modes: str) -> dict[str, Child]:
            return {n: stack.enter_context(Child(n, mode)) for n, mode in modes.items()}

        yield start


def driver_of(children: dict[str, Child], path: str = "", **options: Any) -> Driver:
    return Driver.of({name: child.url + path for name, child in children.items()}, **options)


def test_no_request_fails_while_one_child_is_gone_and_one_fails_half_of_its_requests(
    client: Any, children: Any
) -> None:
    started = children(a="ok", b="half", c="ok")
    started["c"].stop()
    driver = driver_of(started, passive_health_check=PASSIVE)

    with client(driver) as session:
        answers = Counter(session.request("GET", "/orders") for _ in range(60))

    assert {status for status, _ in answers} == {200}
    assert {body for _, body in answers} == {b"a", b"b"}
    assert not driver.parent.is_up("default-c@multicluster")
    assert [driver.parent.in_flight(name) for name in started] == [0, 0, 0]


def test_five_lines_lose_no_request_while_a_child_is_killed_and_one_fails_half_of_them(
    client: Any, children: Any
) -> None:
    started = children(a="ok", b="half", c="ok")
    check = HealthCheck(path="/health", interval="20ms", timeout="1s")
    driver = driver_of(started, health_check=check)
    with driver.in_thread(), client(driver) as session:
        assert driver.wait_ready(wait="10s")
        answers = [session.request("GET", "/orders")[0] for _ in range(12)]
        started["c"].stop()
        answers += [session.request("GET", "/orders")[0] for _ in range(30)]
        assert driver.wait_until(lambda: not driver.parent.is_up(C), wait="10s")
        before = [len(started[name].requests) for name in "ab"]
        answers += [session.request("GET", "/orders")[0] for _ in range(20)]
        sent = [len(started[name].requests) - n for name, n in zip("ab", before, strict=True)]

    assert answers == [200] * 62
    # Of 20 requests each child gets 10, and `a` the 5 that `b` has failed: all are exact.
    assert sent == [15, 10]


def test_no_retry_of_a_request_that_was_not_sent_is_charged(client: Any, children: Any) -> None:
    started = children(a="ok", b="ok")
    started["a"].stop()
    policy = HealthPolicy(retry_budget=RetryBudget(percent=0, minimum=0))

    with client(driver_of(started, policy=policy)) as session:
        assert [session.request("GET", "/") for _ in range(10)] == [(200, b"b")] * 10


def test_shares_are_exact_among_children_that_are_up(client: Any, children: Any) -> None:
    started = children(a="ok", b="ok", c="ok")
    urls = {
        name: (child.url, weight)
        for (name, child), weight in zip(started.items(), (3, 2, 1), strict=True)
    }

    with client(Driver.of(urls)) as session:
        for _ in range(60):
            session.request("GET", "/")

    assert [len(child.requests) for child in started.values()] == [30, 20, 10]


def test_method_path_query_headers_and_body_are_kept(client: Any, children: Any) -> None:
    started = children(a="ok")
    target = "/echo/a%2Fb/%3F?id=7&name=%20x"
    with client(driver_of(started, "/base/"), uplink_header="X-Uplink") as session:
        status, body = session.request("PUT", target, b"payload", **{"X-Key": "1"})

    seen = json.loads(body)
    assert (status, seen["method"], seen["path"], seen["body"]) == (
        200,
        "PUT",
        f"/base{target}",
        "payload",
    )
    assert seen["headers"]["x-key"] == "1"
    assert seen["headers"]["host"] == started["a"].url.removeprefix("http://")
    assert seen["headers"]["x-uplink"] == "default"


def test_the_host_of_the_request_may_be_kept(client: Any, children: Any) -> None:
    with client(driver_of(children(a="ok")), host="request") as session:
        _, body = session.request("GET", "/echo")

    assert json.loads(body)["headers"]["host"] == "any"


def test_a_streamed_body_arrives_and_is_sent_once(client: Any, children: Any) -> None:
    started = children(a="ok")
    with client(driver_of(started)) as session:
        _, body = session.request("PUT", "/echo", session.chunked([b"one", b"two"]))
    assert json.loads(body)["body"] == "onetwo"

    failing = children(a="fail", b="fail")
    with client(driver_of(failing)) as session:
        status, _ = session.request("PUT", "/", session.chunked([b"one", b"two"]))
    assert status == 503
    assert sum(len(child.requests) for child in failing.values()) == 1


@pytest.mark.parametrize(("method", "requests_sent"), [("GET", 3), ("PUT", 3), ("POST", 1)])
def test_only_an_idempotent_request_is_repeated_after_a_failing_status(
    client: Any, children: Any, method: str, requests_sent: int
) -> None:
    started = children(a="fail", b="fail", c="fail")
    with client(driver_of(started)) as session:
        status, _ = session.request(method, "/", b"" if method == "GET" else b"x")

    assert status == 503
    assert sum(len(child.requests) for child in started.values()) == requests_sent


def test_what_could_not_be_sent_is_repeated_whatever_its_method(client: Any, children: Any) -> None:
    started = children(a="ok", b="ok")
    started["a"].stop()

    with client(driver_of(started)) as session:
        answers = [session.request("POST", "/", b"x") for _ in range(6)]

    assert answers == [(200, b"b")] * 6


def test_a_connection_lost_before_the_answer_is_a_failure(client: Any, children: Any) -> None:
    started = children(a="drop", b="ok")
    driver = driver_of(started, passive_health_check=PassiveHealthCheck(max_failed_attempts=1))
    with client(driver) as session:
        answers = [session.request("GET", "/") for _ in range(4)]
    assert answers == [(200, b"b")] * 4
    assert not driver.parent.is_up("default-a@multicluster")

    with client(driver_of({"a": started["a"]})) as session, pytest.raises(LOST):
        session.request("POST", "/", b"x")


def test_a_child_that_dies_in_the_middle_of_a_body_has_failed(client: Any, children: Any) -> None:
    started = children(a="die", b="ok")
    driver = driver_of(started, passive_health_check=PassiveHealthCheck(max_failed_attempts=1))
    lost, answers = 0, []
    with client(driver) as session:
        for _ in range(4):
            try:
                answers.append(session.request("GET", "/large"))
            except LOST:
                lost += 1

    assert lost == 1  # part of the answer had been passed on: it is not repeated
    assert answers == [(200, b"y" * SIZE)] * 3
    assert not driver.parent.is_up("default-a@multicluster")
    assert driver.parent.in_flight("a") == driver.parent.in_flight("b") == 0


def test_a_head_request_has_no_body_and_succeeds(client: Any, children: Any) -> None:
    started = children(a="ok")
    driver = driver_of(started, passive_health_check=PassiveHealthCheck(max_failed_attempts=1))
    with client(driver) as session:
        assert session.request("HEAD", "/") == (200, b"")
    assert driver.parent.is_up("default-a@multicluster")


def test_without_a_child_that_is_up_no_request_is_sent(client: Any, children: Any) -> None:
    driver = driver_of(children(a="ok"))
    driver.set_up("a", False)

    with client(driver) as session, pytest.raises(NoEligibleTarget):
        session.request("GET", "/")


def test_a_wrong_argument_is_refused(client: Any) -> None:
    with pytest.raises(TypeError, match="driver must be a Driver, got str"):
        client("https://eu")
    with pytest.raises(ValueError, match="host must be 'child' or 'request', got 'mine'"):
        client(Driver.of({}), host="mine")
    for retries in ("2", -1, True):
        with pytest.raises(ValueError, match="retries must be an integer of at least 0, got "):
            client(Driver.of({}), retries=retries)
    for name in ("X Y", "X\r\nY: 1", ""):
        with pytest.raises(ValueError, match="uplink_header must be the name of a header, got "):
            client(Driver.of({}), uplink_header=name)


def test_an_answer_is_streamed_and_its_lease_lasts_as_long(children: Any) -> None:
    driver = driver_of(children(a="ok"))
    with httpx2.Client(transport=UplinksTransport(driver), base_url="http://any") as session:
        with session.stream("GET", "/large") as answer:
            chunks = answer.iter_raw(1000)
            next(chunks)
            assert driver.parent.in_flight("a") == 1
        assert driver.parent.in_flight("a") == 0


@pytest.mark.parametrize("name", ["aiohttp", "httpx", "httpx2", "requests"])
def test_without_the_library_the_error_names_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"uplinks.adapters.{name}")

    extra = {"aiohttp": "http"}.get(name, name)
    with pytest.raises(MissingExtra, match=rf"pip install 'uplinks\[{extra}\]'"):
        import_module(f"uplinks.adapters.{name}")

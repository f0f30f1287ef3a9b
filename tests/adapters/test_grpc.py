"""gRPC channels over children: real servers that fail, die, and want certificates."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
import trustme

from uplinks import Driver, NoEligibleTarget, PassiveHealthCheck
from uplinks import model as m
from uplinks.adapters.grpc import AsyncUplinksChannel, UplinksChannel
from uplinks.errors import MissingExtra

GET, WATCH, SUM, CHAT = "/shop.Orders/Get", "/shop.Orders/Watch", "/shop.Orders/Sum", "/a.B/Chat"
AUTHORITY = trustme.CA()
NAMED = AUTHORITY.issue_cert("child.example.com")
ONE_FAILURE = PassiveHealthCheck(max_failed_attempts=1)
Code = grpc.StatusCode


class Child(grpc.GenericRpcHandler):  # type: ignore[misc,unused-ignore]
    """A gRPC server in threads. ``mode``: ok, half, hang, broken, or the name of a status."""

    def __init__(self, name: str, mode: str = "ok", credentials: Any = None) -> None:
        self.name = name
        self.mode = mode
        self.calls: list[str] = []
        self.metadata: list[dict[str, Any]] = []
        self.asked = threading.Event()
        self.stopped = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(4), handlers=[self])
        if credentials is None:
            port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.url = f"{'http' if credentials is None else 'https'}://127.0.0.1:{port}"
        self._server.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Drop all connections, and refuse others."""
        stopping = self._server.stop(None)
        self.stopped.set()
        stopping.wait()

    def service(self, handler_call_details: Any) -> Any:
        self.calls.append(handler_call_details.method)
        self.asked.set()
        self.metadata.append(dict(handler_call_details.invocation_metadata))
        return {
            GET: grpc.unary_unary_rpc_method_handler(lambda request, c: self._answer(c) + request),
            WATCH: grpc.unary_stream_rpc_method_handler(self._watch),
            SUM: grpc.stream_unary_rpc_method_handler(
                lambda requests, c: self._answer(c) + b"".join(requests)
            ),
            CHAT: grpc.stream_stream_rpc_method_handler(
                lambda requests, c: (self._answer(c) + each for each in requests)
            ),
        }.get(handler_call_details.method)

    def _answer(self, context: Any) -> bytes:
        if self.mode == "hang":
            self.stopped.wait()
        if self.mode in Code.__members__:
            context.abort(Code[self.mode], "as the test wants")
        if self.mode == "half" and len(self.calls) % 2:
            context.abort(Code.UNAVAILABLE, "busy")
        return self.name.encode()

    def _watch(self, request: bytes, context: Any) -> Iterator[bytes]:
        yield self._answer(context) + request
        if self.mode == "broken":
            context.abort(Code.UNAVAILABLE, "as the test wants")
        yield b"end"


class Blocking:
    """The blocking channel."""

    def __init__(self, driver: Driver, **options: Any) -> None:
        self.channel = UplinksChannel(driver, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.channel.close()

    def get(self, request: bytes = b"", **options: Any) -> Any:
        return self.channel.unary_unary(GET)(request, **options)

    def watch(self, request: bytes = b"") -> tuple[list[bytes], Any]:
        seen: list[bytes] = []
        try:
            seen.extend(self.channel.unary_stream(WATCH)(request))
        except grpc.RpcError as problem:
            return seen, problem.code()
        return seen, None

    def sum(self, *requests: bytes) -> Any:
        return self.channel.stream_unary(SUM)(iter(requests))

    def chat(self, *requests: bytes) -> list[bytes]:
        return list(self.channel.stream_stream(CHAT)(iter(requests)))


class Asynchronous:
    """The asynchronous channel, in a loop of its own."""

    def __init__(self, driver: Driver, **options: Any) -> None:
        self._runner = asyncio.Runner()
        try:
            self.channel = self._runner.run(self._open(driver, options))
        except BaseException:
            self._runner.close()
            raise

    async def _open(self, driver: Driver, options: Any) -> AsyncUplinksChannel:
        return AsyncUplinksChannel(driver, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._runner.run(self.channel.close())
        self._runner.close()

    def get(self, request: bytes = b"", **options: Any) -> Any:
        return self._runner.run(self.channel.unary_unary(GET)(request, **options))

    def watch(self, request: bytes = b"") -> tuple[list[bytes], Any]:
        async def collect() -> tuple[list[bytes], Any]:
            seen: list[bytes] = []
            try:
                async for answer in self.channel.unary_stream(WATCH)(request):
                    seen.append(answer)  # noqa: PERF401 - those before a failure count
            except grpc.RpcError as problem:
                return seen, problem.code()
            return seen, None

        return self._runner.run(collect())

    def sum(self, *requests: bytes) -> Any:
        return self._runner.run(self.channel.stream_unary(SUM)(_iterate(requests)))

    def chat(self, *requests: bytes) -> list[bytes]:
        async def collect() -> list[bytes]:
            answers = self.channel.stream_stream(CHAT)(_iterate(requests))
            return [answer async for answer in answers]

        return self._runner.run(collect())


async def _iterate(requests: tuple[bytes, ...]) -> Any:
    for request in requests:
        yield request


@pytest.fixture(params=[Blocking, Asynchronous], ids=lambda channel: channel.__name__)
def channel(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def start() -> Iterator[Callable[..., dict[str, Child]]]:
    with ExitStack() as stack:

        def begin(credentials: Any = None, **modes: str) -> dict[str, Child]:
            return {
                n: stack.enter_context(Child(n, mode, credentials)) for n, mode in modes.items()
            }

        yield begin


def driver_of(children: dict[str, Child], **options: Any) -> Driver:
    return Driver.of({name: child.url for name, child in children.items()}, **options)


def test_no_call_fails_while_one_child_is_gone_and_one_fails_half_of_its_calls(
    channel: Any, start: Any
) -> None:
    children = start(a="ok", b="half", c="ok")
    children["c"].stop()
    driver = driver_of(children, passive_health_check=PassiveHealthCheck("1m", 3))

    with channel(driver, idempotent={GET}) as calls:
        answers = Counter(calls.get(b"!") for _ in range(40))

    assert set(answers) == {b"a!", b"b!"}
    assert not driver.parent.is_up("default-c@multicluster")
    assert [driver.parent.in_flight(name) for name in children] == [0, 0, 0]


def test_shares_are_exact_among_children_that_are_up(channel: Any, start: Any) -> None:
    children = start(a="ok", b="ok", c="ok")
    pairs = zip(children.items(), (3, 2, 1), strict=True)
    driver = Driver.of({name: (child.url, weight) for (name, child), weight in pairs})

    with channel(driver, uplink_header="X-Uplink") as calls:
        for _ in range(30):
            calls.get()

    assert [len(child.calls) for child in children.values()] == [15, 10, 5]
    assert {each["x-uplink"] for child in children.values() for each in child.metadata} == {
        "default"
    }


@pytest.mark.parametrize(
    ("idempotent", "sent"), [((), 1), ({GET}, 3), (True, 3), ({"/shop.Orders/Put"}, 1)]
)
def test_only_an_idempotent_call_is_repeated_after_it_was_sent(
    channel: Any, start: Any, idempotent: Any, sent: int
) -> None:
    children = start(a="UNAVAILABLE", b="UNAVAILABLE", c="UNAVAILABLE")

    with (
        channel(driver_of(children), idempotent=idempotent) as calls,
        pytest.raises(grpc.RpcError) as raised,
    ):
        calls.get()

    assert raised.value.code() is Code.UNAVAILABLE
    assert sum(len(child.calls) for child in children.values()) == sent


def test_a_call_that_could_not_be_sent_is_repeated(channel: Any, start: Any) -> None:
    children = start(a="ok", b="ok")
    children["a"].stop()

    with channel(driver_of(children)) as calls:
        assert [calls.get() for _ in range(4)] == [b"b"] * 4


def test_a_call_in_flight_on_a_child_that_dies_is_repeated(channel: Any, start: Any) -> None:
    children = start(a="hang", b="ok")
    driver = driver_of(children, passive_health_check=ONE_FAILURE)

    def kill() -> None:
        children["a"].asked.wait()
        children["a"].stop()

    killer = threading.Thread(target=kill)
    killer.start()
    with channel(driver, idempotent=True) as calls:
        assert [calls.get() for _ in range(2)] == [b"b"] * 2
    killer.join()
    assert not driver.parent.is_up("default-a@multicluster")


@pytest.mark.parametrize(("code", "up"), [("NOT_FOUND", True), ("INTERNAL", False)])
def test_the_status_decides_whether_a_child_has_failed(
    channel: Any, start: Any, code: str, *, up: bool
) -> None:
    driver = driver_of(start(a=code), passive_health_check=ONE_FAILURE)

    with channel(driver, idempotent=True) as calls, pytest.raises(grpc.RpcError) as raised:
        calls.get()

    assert raised.value.code() is Code[code]
    assert driver.parent.is_up("default-a@multicluster") is up


def test_a_stream_is_repeated_before_its_first_message_only(channel: Any, start: Any) -> None:
    children = start(a="UNAVAILABLE", b="ok")
    driver = driver_of(children, passive_health_check=ONE_FAILURE)
    with channel(driver, idempotent=True) as calls:
        assert [calls.watch(b"!") for _ in range(3)] == [([b"b!", b"end"], None)] * 3
    assert not driver.parent.is_up("default-a@multicluster")

    broken = driver_of(start(a="broken"), passive_health_check=ONE_FAILURE)
    with channel(broken, idempotent=True) as calls:
        assert calls.watch() == ([b"a"], Code.UNAVAILABLE)
    assert not broken.parent.is_up("default-a@multicluster")
    assert broken.parent.in_flight("a") == 0


def test_streams_of_requests_are_sent_once(channel: Any, start: Any) -> None:
    children = start(a="ok")
    with channel(driver_of(children), idempotent=True) as calls:
        assert calls.sum(b"1", b"2") == b"a12"
        assert calls.chat(b"1", b"2") == [b"a1", b"a2"]

    failing = start(a="UNAVAILABLE", b="UNAVAILABLE")
    with channel(driver_of(failing), idempotent=True) as calls, pytest.raises(grpc.RpcError):
        calls.sum(b"1")
    assert sum(len(child.calls) for child in failing.values()) == 1


def test_a_time_out_is_that_of_all_attempts(channel: Any, start: Any) -> None:
    children = start(a="hang", b="hang")
    driver = driver_of(children, passive_health_check=ONE_FAILURE)

    with channel(driver, idempotent=True) as calls, pytest.raises(grpc.RpcError) as raised:
        calls.get(timeout=0.05)

    assert raised.value.code() is Code.DEADLINE_EXCEEDED
    assert sum(len(child.calls) for child in children.values()) <= 1
    assert sorted(driver.parent.is_up(f"default-{n}@multicluster") for n in "ab") == [False, True]


def server_credentials(*, mutual: bool) -> Any:
    return grpc.ssl_server_credentials(
        [(NAMED.private_key_pem.bytes(), NAMED.cert_chain_pems[0].bytes())],
        root_certificates=AUTHORITY.cert_pem.bytes() if mutual else None,
        require_client_auth=mutual,
    )


def test_a_child_with_certificates_of_its_own(channel: Any, start: Any, tmp_path: Path) -> None:
    shown = AUTHORITY.issue_cert("parent.example.com")
    shown.private_key_pem.write_to_path(tmp_path / "client.key")
    shown.cert_chain_pems[0].write_to_path(tmp_path / "client.crt")
    child = start(server_credentials(mutual=True), a="ok")["a"]
    certificate = m.ClientCertificate(str(tmp_path / "client.crt"), str(tmp_path / "client.key"))
    transport = m.ServersTransport(
        "child.example.com",
        root_cas=[AUTHORITY.cert_pem.bytes().decode()],
        certificates=[certificate],
    )

    with channel(Driver.of({"a": m.Child(child.url, servers_transport=transport)})) as calls:
        assert calls.get() == b"a"
    with channel(Driver.of({"a": child.url})) as calls, pytest.raises(grpc.RpcError) as raised:
        calls.get()
    assert raised.value.code() is Code.UNAVAILABLE


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (
            m.Child("https://a:1", servers_transport=m.ServersTransport(insecure_skip_verify=True)),
            "gRPC cannot leave certificates unverified; set rootCAs",
        ),
        ("http://a:1/base", "invalid address: it has a path, query or fragment"),
    ],
)
def test_a_child_that_no_channel_can_reach_is_left(
    channel: Any, start: Any, address: Any, reason: str
) -> None:
    good = start(b="ok")["b"]
    driver = Driver.of({"a": address, "b": good.url}, passive_health_check=ONE_FAILURE)

    with channel(driver) as calls:
        assert [calls.get() for _ in range(3)] == [b"b"] * 3
    with channel(Driver.of({"a": address})) as calls, pytest.raises(grpc.RpcError) as raised:
        calls.get()
    assert raised.value.code() is Code.UNAVAILABLE
    assert reason in raised.value.details()


def test_without_a_child_that_is_up_no_call_is_made(channel: Any, start: Any) -> None:
    driver = driver_of(start(a="ok"))
    driver.set_up("a", False)

    with channel(driver) as calls, pytest.raises(NoEligibleTarget):
        calls.get()


def test_a_wrong_argument_is_refused(channel: Any) -> None:
    with pytest.raises(TypeError, match="driver must be a Driver, got str"):
        channel("https://eu")
    with pytest.raises(TypeError, match="collection of method names, got str"):
        channel(Driver.of({}), idempotent=GET)


def test_a_stub_and_an_interceptor_use_the_channel_as_any_other(start: Any) -> None:
    class Stub:
        def __init__(self, channel: grpc.Channel) -> None:
            self.get = channel.unary_unary(
                GET,
                request_serializer=str.encode,
                response_deserializer=bytes.decode,
                _registered_method=True,
            )

    class Counting(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc,unused-ignore]
        calls = 0

        def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            self.calls += 1
            return continuation(details, request)

    driver, counting = driver_of(start(a="ok")), Counting()
    with UplinksChannel(driver) as channel:
        assert Stub(channel).get("!", 5.0) == "a!"
        answer, call = Stub(channel).get.with_call("!")
        assert (answer, call.code()) == ("a!", Code.OK)
        assert Stub(grpc.intercept_channel(channel, counting)).get("?") == "a?"
    assert counting.calls == 1
    assert driver.parent.in_flight("a") == 0


def test_a_future_ends_its_lease(start: Any) -> None:
    driver = driver_of(start(a="ok", b="INTERNAL"), passive_health_check=ONE_FAILURE)
    ended: list[bool] = []
    with UplinksChannel(driver, idempotent=True) as channel:
        futures = [channel.unary_unary(GET).future(b"") for _ in range(2)]
        codes = sorted(future.code().name for future in futures)
        sums = channel.stream_unary(SUM).future(iter([b"1"]))
        ended.append(sums.result() == b"a1")

    assert (codes, ended) == (["INTERNAL", "OK"], [True])
    assert driver.wait_until(lambda: not driver.parent.is_up("default-b@multicluster"), "10s")


def test_a_cancelled_stream_says_nothing_about_its_child(start: Any) -> None:
    driver = driver_of(start(a="ok"), passive_health_check=ONE_FAILURE)
    with UplinksChannel(driver) as channel:
        answers = channel.unary_stream(WATCH)(b"")
        assert next(answers) == b"a"
        assert driver.parent.in_flight("a") == 1
        answers.cancel()
        assert driver.parent.in_flight("a") == 0
        assert answers.code() is Code.CANCELLED
    assert driver.parent.is_up("default-a@multicluster")


def test_what_belongs_to_one_channel_is_refused() -> None:
    blocking = UplinksChannel(Driver.of({}))
    with pytest.raises(NotImplementedError, match="events"):
        blocking.subscribe(print)
    blocking.unsubscribe(print)

    async def main() -> None:
        async with AsyncUplinksChannel(Driver.of({})) as channel:
            with pytest.raises(NotImplementedError, match="state"):
                channel.get_state()
            with pytest.raises(NotImplementedError, match="wait_until"):
                await channel.wait_for_state_change(None)
            with pytest.raises(NotImplementedError, match="ready"):
                await channel.channel_ready()

    asyncio.run(main())


def test_without_grpcio_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.delitem(sys.modules, "uplinks.adapters.grpc")

    with pytest.raises(MissingExtra, match=r"pip install 'uplinks\[grpc\]'"):
        import_module("uplinks.adapters.grpc")

"""The client adapters honour a child's ``serversTransport``, on real TLS servers."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
from tests.adapters.children import SIZE, Child
from tests.adapters.credentials import AUTHORITY, OTHER, write_credentials
from tests.adapters.credentials import CHILD as NAMED
from tests.adapters.test_clients import CLIENTS, LOST

from uplinks import Driver, PassiveHealthCheck
from uplinks import model as m
from uplinks.adapters.httpx2 import UplinksTransport

LOCAL = AUTHORITY.issue_cert("127.0.0.1")
ONE_FAILURE = PassiveHealthCheck(max_failed_attempts=1)

Start = Callable[..., Child]


def server_context(certificate: trustme.LeafCert, *, mutual: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if mutual:
        AUTHORITY.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture(params=CLIENTS, ids=lambda client: client.__name__)
def client(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(name: str, mode: str = "ok", **options: Any) -> Child:
            return stack.enter_context(Child(name, mode, **options))

        yield begin


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_credentials(tmp_path)


def trusting(folder: Path, **fields: Any) -> m.ServersTransport:
    return m.ServersTransport(root_cas=[str(folder / "ca.pem")], **fields)


def certificate(folder: Path) -> m.ClientCertificate:
    return m.ClientCertificate(str(folder / "client.crt"), str(folder / "client.key"))


def driver_of(
    check: PassiveHealthCheck | None = None, **children: tuple[Child, m.ServersTransport | None]
) -> Driver:
    return Driver.of(
        {
            name: m.Child(child.url, servers_transport=transport)
            for name, (child, transport) in children.items()
        },
        passive_health_check=check,
    )


def test_each_child_has_authorities_and_a_name_of_its_own(
    client: Any, start: Start, folder: Path
) -> None:
    local = start("local", tls=server_context(LOCAL))
    named = start("named", tls=server_context(NAMED))
    plain = start("plain")
    driver = driver_of(
        local=(local, trusting(folder)),
        named=(named, trusting(folder, server_name="child.example.com")),
        plain=(plain, None),
    )

    with client(driver) as session:
        answers = [session.request("GET", "/") for _ in range(6)]

    assert sorted(answers) == [(200, n) for n in (b"local", b"named", b"plain") for _ in range(2)]


def test_a_child_that_wants_a_client_certificate(client: Any, start: Start, folder: Path) -> None:
    child = start("a", tls=server_context(LOCAL, mutual=True))
    shown = trusting(folder, certificates=[certificate(folder)])

    with client(driver_of(a=(child, shown))) as session:
        assert session.request("PUT", "/echo", b"payload")[0] == 200
    refused = (*LOST, ssl.SSLError)  # httpx2 passes an alert after the handshake on as it is
    with client(driver_of(a=(child, trusting(folder)))) as session, pytest.raises(refused):
        session.request("GET", "/")


@pytest.mark.parametrize("fields", [{}, {"server_name": "other.example.com"}, {"other": True}])
def test_a_certificate_that_does_not_fit_is_refused(
    client: Any, start: Start, folder: Path, fields: dict[str, Any]
) -> None:
    child = start("a", tls=server_context(NAMED))
    transport = trusting(folder, **fields) if "other" not in fields else None
    transport = transport or m.ServersTransport(
        "child.example.com", root_cas=[str(folder / "other.pem")]
    )

    with client(driver_of(a=(child, transport))) as session, pytest.raises(LOST):
        session.request("GET", "/")
    assert child.requests == []


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # urllib3 says so each time
def test_nothing_is_verified_for_one_child_alone(client: Any, start: Start) -> None:
    insecure = start("insecure", tls=server_context(NAMED))
    verified = start("verified", tls=server_context(NAMED))
    driver = driver_of(
        insecure=(insecure, m.ServersTransport(insecure_skip_verify=True)),
        verified=(verified, m.ServersTransport()),
    )

    with client(driver) as session:
        answers = [session.request("GET", "/") for _ in range(4)]

    assert answers == [(200, b"insecure")] * 4
    assert verified.requests == []


def test_a_transport_that_cannot_be_used_is_a_failure_of_its_child(
    client: Any, start: Start, folder: Path
) -> None:
    good = start("b", tls=server_context(LOCAL))
    broken = start("a", tls=server_context(LOCAL))
    missing = m.ServersTransport(root_cas=[str(folder / "missing.pem")])
    driver = driver_of(ONE_FAILURE, a=(broken, missing), b=(good, trusting(folder)))

    with client(driver) as session:
        answers = [session.request("POST", "/", b"x") for _ in range(4)]
    assert answers == [(200, b"b")] * 4
    assert not driver.parent.is_up("default-a@multicluster")

    with (
        client(driver_of(a=(broken, missing))) as session,
        pytest.raises(LOST, match="a file of rootCAs cannot be read"),
    ):
        session.request("GET", "/")


def test_renewed_authorities_are_used(client: Any, start: Start, folder: Path) -> None:
    child = start("a", tls=server_context(LOCAL))
    OTHER.cert_pem.write_to_path(folder / "ca.pem")
    driver = Driver.of({"a": m.Child(child.url, servers_transport=trusting(folder))})

    with client(driver) as session:
        with pytest.raises(LOST):
            session.request("GET", "/")
        AUTHORITY.cert_pem.write_to_path(folder / "ca.pem", append=True)
        assert session.request("GET", "/") == (200, b"a")


def test_a_child_that_does_not_answer_in_time_is_left(client: Any, start: Start) -> None:
    silent, good = start("a", "silent"), start("b")
    timeouts = m.ForwardingTimeouts(dial_timeout=10**7, response_header_timeout=5 * 10**7)
    impatient = m.ServersTransport(forwarding_timeouts=timeouts)
    driver = driver_of(ONE_FAILURE, a=(silent, impatient), b=(good, None))

    with client(driver) as session:
        assert [session.request("GET", "/") for _ in range(3)] == [(200, b"b")] * 3
    assert not driver.parent.is_up("default-a@multicluster")
    assert len(silent.requests) == 1


def test_the_body_of_an_answer_may_take_longer(client: Any, start: Start) -> None:
    child = start("a")
    timeouts = m.ForwardingTimeouts(response_header_timeout=60 * 10**9)
    driver = driver_of(a=(child, m.ServersTransport(forwarding_timeouts=timeouts)))

    with client(driver, uplink_header="X-Uplink") as session:
        assert session.request("GET", "/large") == (200, b"y" * SIZE)
        _, body = session.request("GET", "/echo")
    assert json.loads(body)["headers"]["x-uplink"] == "default"


def test_a_transport_of_the_callers_decides_itself(start: Start, folder: Path) -> None:
    child = start("a", tls=server_context(LOCAL))
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    other = m.ServersTransport(root_cas=[str(folder / "other.pem")])
    inner = httpx2.HTTPTransport(verify=context)

    transport = UplinksTransport(driver_of(a=(child, other)), transport=inner)
    with httpx2.Client(transport=transport, base_url="http://any") as session:
        assert session.get("/").content == b"a"

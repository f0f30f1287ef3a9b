"""Which requests count against a child, with the exceptions of real client libraries."""

from __future__ import annotations

import socket
import ssl
import urllib.error
from email.message import Message
from typing import Any

import aiohttp
import grpc
import httpx2
import pytest
import requests
from fastapi import HTTPException
from grpc import aio
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from uplinks.health import FailureClassifier, HealthPolicy

CLASSIFIER = FailureClassifier()
REQUEST = httpx2.Request("GET", "http://eu")
INFO = aiohttp.RequestInfo(URL("http://eu"), "GET", CIMultiDictProxy(CIMultiDict()))


def httpx_status(status: int) -> httpx2.HTTPStatusError:
    return httpx2.HTTPStatusError("", request=REQUEST, response=httpx2.Response(status))


def requests_status(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(response=response)


def grpc_status(code: grpc.StatusCode) -> aio.AioRpcError:
    return aio.AioRpcError(code, aio.Metadata(), aio.Metadata())


@pytest.mark.parametrize(
    "problem",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        socket.gaierror(),
        ssl.SSLError(),
        urllib.error.URLError("no route"),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError(),
        aiohttp.ClientResponseError(INFO, (), status=502),
        httpx2.ConnectError(""),
        httpx2.ReadTimeout(""),
        httpx2.RemoteProtocolError(""),
        httpx_status(500),
        requests.ConnectionError(),
        requests.ReadTimeout(),
        requests.exceptions.ChunkedEncodingError(),
        requests_status(503),
        HTTPException(504),
        grpc_status(grpc.StatusCode.UNAVAILABLE),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_lost_connections_time_outs_and_server_errors_are_failures(problem: BaseException) -> None:
    assert CLASSIFIER.is_failure(problem) is True


@pytest.mark.parametrize(
    "problem",
    [
        aiohttp.ClientResponseError(INFO, (), status=404),
        httpx_status(404),
        requests_status(400),
        HTTPException(404),
        urllib.error.HTTPError("http://eu", 404, "", Message(), None),
        grpc_status(grpc.StatusCode.NOT_FOUND),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_a_refusal_of_the_child_is_a_success(problem: BaseException) -> None:
    assert CLASSIFIER.is_failure(problem) is False


@pytest.mark.parametrize(
    "problem", [ValueError(), FileNotFoundError(), KeyError("x"), aiohttp.InvalidURL("x")]
)
def test_another_exception_says_nothing(problem: BaseException) -> None:
    assert CLASSIFIER.is_failure(problem) is None


@pytest.mark.parametrize(("status", "failed"), [(200, False), (499, False), (500, True)])
def test_statuses_from_500_on_are_failures(status: int, failed: bool) -> None:  # noqa: FBT001 - a case
    assert CLASSIFIER.is_failure(status) is failed
    assert CLASSIFIER.lowest == 500


def test_what_is_a_failure_can_be_set() -> None:
    class Busy(Exception):
        pass

    class VeryBusy(Busy):
        pass

    classifier = FailureClassifier(
        statuses=[429, (502, 504)], exceptions=[Busy], grpc_codes=["NOT_FOUND"]
    )

    assert [s for s in range(400, 600) if classifier.is_failure(s)] == [429, 502, 503, 504]
    assert classifier.is_failure(VeryBusy()) is True
    assert classifier.is_failure(TimeoutError()) is None
    assert classifier.is_failure(grpc_status(grpc.StatusCode.NOT_FOUND)) is True
    assert classifier.lowest == 429
    assert FailureClassifier(statuses=()).lowest > 599


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"statuses": ["503"]}, "statuses must be integers or ranges like"),
        ({"statuses": [(599, 500)]}, "statuses must be integers or ranges like"),
        ({"exceptions": [503]}, "exceptions must be exception classes or dotted names"),
        ({"statuses": 503}, "statuses must be a list, got 503"),
        ({"exceptions": OSError}, "exceptions must be a list, got <class 'OSError'>"),
        ({"grpc_codes": "UNAVAILABLE"}, "grpc_codes must be a list, got 'UNAVAILABLE'"),
    ],
)
def test_a_wrong_classifier_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        FailureClassifier(**fields)
    with pytest.raises(TypeError):
        HealthPolicy(failures="5xx")  # type: ignore[arg-type]


def test_a_reason_has_no_message() -> None:
    problems = (TimeoutError("s3cret"), httpx_status(503), 502)

    assert [CLASSIFIER.reason(problem) for problem in problems] == [
        "TimeoutError",
        "status 503",
        "status 502",
    ]
    assert CLASSIFIER.reason(grpc_status(grpc.StatusCode.UNKNOWN)) == "gRPC status UNKNOWN"

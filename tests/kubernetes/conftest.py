"""One API server for all tests, and a second one for those of a whole fleet.

Without Go the tests are skipped. With the environment variable ``UPLINKS_KUBERNETES=required``, as
`make test-kubernetes` sets it where it finds Go, they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from tests.kubernetes.server import UPLINKS, ApiServer, build

from uplinks.schema import custom_resource_definition


@pytest.fixture(scope="session")
def program() -> str:
    if shutil.which("go") is None:
        why = "go is not installed: Go 1.25 or newer builds the API server"
        if os.environ.get("UPLINKS_KUBERNETES") == "required":
            pytest.fail(why)
        pytest.skip(why)
    return build()


@pytest.fixture(scope="session")
def servers(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ApiServer]]:
    eu, us = (ApiServer(program, tmp_path_factory.mktemp(name)) for name in ("eu", "us"))
    with eu, us:
        for server in (eu, us):
            server.define(custom_resource_definition())
        yield [eu, us]


@pytest.fixture
def server(servers: list[ApiServer]) -> ApiServer:
    """Return the first server, without any uplink."""
    return without_uplinks(servers[0])


@pytest.fixture
def other(servers: list[ApiServer]) -> ApiServer:
    return without_uplinks(servers[1])


def without_uplinks(server: ApiServer) -> ApiServer:
    """Delete all uplinks; define them again where a test has deleted that."""
    if server.call("DELETE", UPLINKS)[0] != 200:
        server.define(custom_resource_definition())
    return server

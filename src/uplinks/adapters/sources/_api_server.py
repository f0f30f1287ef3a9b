"""List and watch the objects of a Kubernetes API server: ``pip install 'uplinks[kubernetes]'``.

lightkube reads the kubeconfig and brings credentials and certificates; the requests are made here,
because its watch has no bookmarks and waits for ever on a connection that is half open.

Rules of this file:

1. Only lists and watches, never anything but GET.
2. Every request ends: a list within `LIST_SECONDS`, a watch within `WATCH_SECONDS` and a little.
   An answer or an event of more than `MOST_BYTES` is refused, and no redirect is followed.
3. Whatever goes wrong is an `ApiError`. Its reason is one line without credentials.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from attrs import field, frozen

from uplinks.errors import MissingExtra, join_names

try:
    import httpx2
    import msgspec
    from lightkube import ConfigError, KubeConfig, SingleConfig
    from lightkube.config.client_adapter import AsyncClient, ConnectionParams
    from lightkube.config.kubeconfig import SERVICE_ACCOUNT
    from lightkube.config.models import NameValue, User
except ImportError as error:
    raise MissingExtra("kubernetes") from error

__all__ = [
    "FORBIDDEN",
    "GONE",
    "IN_CLUSTER",
    "NOT_FOUND",
    "ApiError",
    "Connection",
    "connect",
]

IN_CLUSTER: Final = "in-cluster"
"""The name of the context that stands for the service account of the pod."""

NO_ANSWER: Final = 0
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
GONE: Final = 410

MOST_BYTES: Final = 64 * 2**20
MOST_REASON: Final = 300
PAGE_OBJECTS: Final = 500
CONNECT_SECONDS: Final = 10
LIST_SECONDS: Final = 60
WATCH_SECONDS: Final = 60


class ApiError(Exception):
    """An API server refused a request, or did not answer.

    ``status`` is that of HTTP, 0 without an answer; ``reason`` is one line.

    >>> str(ApiError(403, "not allowed"))
    'not allowed'
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = " ".join(reason.split())[:MOST_REASON]
        super().__init__(self.reason)


@asynccontextmanager
async def connect(context: str) -> AsyncIterator[Connection]:
    """Open the API server of a context of the kubeconfig, or the one around this pod.

    ``context`` may be `IN_CLUSTER`. The kubeconfig is ``$KUBECONFIG``, one or several files, or
    ``~/.kube/config``; it is read anew each time, since it may have new credentials.

    Raises: `ApiError` for a context that cannot be used.
    """
    config = _config_of(context)
    try:
        client = AsyncClient(config, ConnectionParams(timeout=httpx2.Timeout(CONNECT_SECONDS)))
    except Exception as error:  # noqa: BLE001 - as for the kubeconfig
        reason = f"the certificates of context {context} cannot be used: {type(error).__name__}"
        raise ApiError(NO_ANSWER, reason) from None
    async with client:
        yield Connection(context, client)


@frozen
class Connection:
    """An open API server."""

    context: str
    _client: httpx2.AsyncClient = field(repr=False)

    async def pages(self, path: str) -> AsyncIterator[tuple[list[Any], str]]:
        """List the objects at a path, page by page, each with the version of the list.

        Raises: `ApiError`; with `GONE` when the list has to begin again.
        """
        params = {"limit": str(PAGE_OBJECTS)}
        while True:
            page = await self._list(path, params)
            try:
                items, version = page["items"], page["metadata"]["resourceVersion"]
                following = page["metadata"].get("continue")
            except (KeyError, TypeError, AttributeError):
                raise ApiError(NO_ANSWER, "the answer is not a list of objects") from None
            if not (isinstance(items, list) and isinstance(version, str)):
                raise ApiError(NO_ANSWER, "the answer is not a list of objects")
            yield items, version
            if not following:
                return
            params["continue"] = str(following)

    async def watch(
        self,
        path: str,
        version: str,
        opened: Callable[[], None],
        take: Callable[[str, Any], None],
    ) -> None:
        """Pass each change of the objects at a path since a version to ``take``, in order.

        ``take`` gets the kind of the event (ADDED, MODIFIED, DELETED, BOOKMARK) and the object.
        Returns when the server ends the watch, as it does about once a minute.

        Raises: `ApiError`; with `GONE` when the version is too old.
        """
        params = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        silence = WATCH_SECONDS + CONNECT_SECONDS
        async with self._answer(path, params, silence) as answer:
            opened()
            rest = bytearray()
            async for part in answer.aiter_bytes():
                rest += part
                if len(rest) > MOST_BYTES:
                    raise ApiError(NO_ANSWER, f"an event has more than {MOST_BYTES} bytes")
                if b"\n" in part:
                    *lines, rest = rest.split(b"\n")
                    for line in lines:
                        take(*_event(line))

    async def _list(self, path: str, params: dict[str, str]) -> Any:
        try:
            async with asyncio.timeout(LIST_SECONDS):
                async with self._answer(path, params, CONNECT_SECONDS) as answer:
                    return _decoded(await _body(answer, MOST_BYTES))
        except TimeoutError:
            raise ApiError(NO_ANSWER, f"no complete answer within {LIST_SECONDS} s") from None

    @asynccontextmanager
    async def _answer(
        self, path: str, params: dict[str, str], silence: float
    ) -> AsyncIterator[httpx2.Response]:
        """Make a request; the answer has status 200, and may be silent for so many seconds."""
        timeout = httpx2.Timeout(CONNECT_SECONDS, read=silence)
        try:
            async with self._client.stream("GET", path, params=params, timeout=timeout) as answer:
                if answer.status_code != httpx2.codes.OK:
                    raise ApiError(answer.status_code, await _refusal(answer))
                yield answer
        except ConfigError:
            # Its message may have the output of a command that prints credentials.
            reason = f"there are no credentials for context {self.context}: a token file is missing"
            raise ApiError(NO_ANSWER, f"{reason}, or the command of its user failed") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            name = type(error).__name__
            raise ApiError(NO_ANSWER, f"{name}: {error}" if str(error) else name) from None


# --- answers ----------------------------------------------------------------


async def _body(answer: httpx2.Response, most: int) -> bytearray:
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > most:
            raise ApiError(NO_ANSWER, f"the answer has more than {most} bytes")
    return body


def _decoded(data: bytes | bytearray) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise ApiError(NO_ANSWER, "the answer is not JSON") from None


def _event(line: bytearray) -> tuple[str, Any]:
    """Read one line of a watch. Raises `ApiError` for an event that is an error."""
    event = _decoded(line)
    if not isinstance(event, dict) or not isinstance(event.get("object"), dict):
        raise ApiError(NO_ANSWER, "the answer is not a watch")
    kind, subject = str(event.get("type")), event["object"]
    if kind == "ERROR":
        code = subject.get("code")
        status = code if isinstance(code, int) else NO_ANSWER
        raise ApiError(status, f"the watch ended: {subject.get('message')}")
    return kind, subject


async def _refusal(answer: httpx2.Response) -> str:
    """Say why a request was refused, in the words of the API server if it has any."""
    try:
        message = _decoded(await _body(answer, MOST_REASON * 100)).get("message")
    except (ApiError, AttributeError):
        message = None
    if isinstance(message, str) and message:
        return message
    return f"the answer is {answer.status_code} {answer.reason_phrase}".rstrip()


# --- the kubeconfig ---------------------------------------------------------


def _config_of(context: str) -> SingleConfig:
    try:
        config = _in_cluster() if context == IN_CLUSTER else _from_files(context)
    except ApiError:
        raise
    except Exception as error:  # noqa: BLE001 - a kubeconfig may be anything, and so may be the error
        reason = f"context {context} cannot be read from the kubeconfig: {type(error).__name__}"
        raise ApiError(NO_ANSWER, reason) from None
    return config._replace(user=_usable(config.user or User()))


def _in_cluster() -> SingleConfig:
    try:
        config = KubeConfig.from_service_account(SERVICE_ACCOUNT).get()
    except (ConfigError, KeyError):
        reason = "no service account: this process does not run in a pod that has one"
        raise ApiError(NO_ANSWER, reason) from None
    assert config is not None  # noqa: S101 - it has one context
    return config


def _from_files(context: str) -> SingleConfig:
    named = os.environ.get("KUBECONFIG") or os.path.join("~", ".kube", "config")  # noqa: PTH118
    files = [os.path.expanduser(each) for each in named.split(os.pathsep) if each]  # noqa: PTH111
    known: list[str] = []
    for file in files:
        if os.path.isfile(file):  # noqa: PTH113 - kubectl, too, reads those that are there
            kubeconfig = KubeConfig.from_file(file)
            if context in kubeconfig.contexts:
                config = kubeconfig.get(context)
                assert config is not None  # noqa: S101 - the context is there
                return config
            known += kubeconfig.contexts
    there = f"the contexts are {join_names(known)}" if known else "it has no contexts"
    raise ApiError(NO_ANSWER, f"no context {context} in the kubeconfig; {there}")


_EXEC_GROUP: Final = "client.authentication.k8s.io"


def _usable(user: User) -> User:
    """Let lightkube run a credential command of version v1, which it does not know.

    The answers of both versions have the token at the same place.
    """
    command = user.exec
    if command is None or command.apiVersion != f"{_EXEC_GROUP}/v1":
        return user
    info = {
        "apiVersion": command.apiVersion,
        "kind": "ExecCredential",
        "spec": {"interactive": False},
    }
    told = NameValue("KUBERNETES_EXEC_INFO", json.dumps(info))
    env = [*(command.env or ()), told]
    older = msgspec.structs.replace(command, apiVersion=f"{_EXEC_GROUP}/v1beta1", env=env)
    return msgspec.structs.replace(user, exec=older)

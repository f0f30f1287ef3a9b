"""A reverse proxy in FastAPI: forward each request to a child that is up."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import httpx2
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from uplinks import Driver, NoEligibleTarget, Parent
from uplinks.adapters.files import load_fleet
from uplinks.adapters.httpx2 import AsyncUplinksTransport

METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te"}
HOP_BY_HOP |= {b"trailer", b"transfer-encoding", b"upgrade", b"host"}


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    pairs = [(name.lower(), value) for name, value in headers]
    named = {n.strip().lower() for k, v in pairs if k == b"connection" for n in v.split(b",")}
    return [(name, value) for name, value in pairs if name not in HOP_BY_HOP | named]


def application(fleet: str, service: str) -> FastAPI:
    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        app.state.driver = driver = Driver(Parent.from_fleet(load_fleet(fleet)))
        transport = AsyncUplinksTransport(driver, service)
        async with driver, httpx2.AsyncClient(transport=transport) as app.state.client:
            yield

    app = FastAPI(lifespan=life)

    @app.api_route("/{path:path}", methods=METHODS)
    async def forward(path: str, request: Request) -> StreamingResponse:
        if "upgrade" in request.headers:
            raise HTTPException(501, "upgrades are not forwarded")
        has_body = {"content-length", "transfer-encoding"} & set(request.headers)
        target = request.scope.get("raw_path", f"/{path}".encode())
        query = request.scope["query_string"]
        client: httpx2.AsyncClient = request.app.state.client
        forwarded = httpx2.Request(
            request.method,
            httpx2.URL("http://child").copy_with(raw_path=target + (query and b"?" + query)),
            headers=end_to_end(request.headers.raw),
            content=request.stream() if has_body else None,
        )
        try:
            answer = await client.send(forwarded, stream=True)
        except NoEligibleTarget:
            raise HTTPException(503, "no child is up") from None
        except httpx2.TimeoutException:
            raise HTTPException(504, "no child answered in time") from None
        except httpx2.TransportError:
            raise HTTPException(502, "the child's answer is unusable") from None
        response = StreamingResponse(
            answer.aiter_raw(), answer.status_code, background=BackgroundTask(answer.aclose)
        )
        response.raw_headers = end_to_end(answer.headers.raw)
        return response

    return app

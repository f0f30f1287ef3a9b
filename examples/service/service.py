"""A reverse proxy: forward each request to a child that is up, and repeat it if that is safe."""

from collections.abc import AsyncIterator, Mapping

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from uplinks import Driver, NoEligibleTarget, Parent
from uplinks.adapters.aiohttp import UplinksMiddleware
from uplinks.adapters.files import load_fleet

SESSION = web.AppKey("session", aiohttp.ClientSession)
HOP_BY_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te"}
HOP_BY_HOP |= {"trailer", "transfer-encoding", "upgrade", "host"}


def end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    kept = ((n, v) for n, v in headers.items() if n.lower() not in HOP_BY_HOP | named)
    return CIMultiDict(kept)


def application(fleet: str, service: str) -> web.Application:
    driver = Driver(Parent.from_fleet(load_fleet(fleet)))

    async def life(app: web.Application) -> AsyncIterator[None]:
        session = aiohttp.ClientSession(
            middlewares=[UplinksMiddleware(driver, service)],
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        )
        async with driver, session as app[SESSION]:
            yield

    async def forward(request: web.Request) -> web.StreamResponse:
        if "Upgrade" in request.headers:
            raise web.HTTPNotImplemented(text="upgrades are not forwarded")
        try:
            answer = await request.app[SESSION].request(
                request.method,
                URL(f"http://child{request.raw_path}", encoded=True),
                headers=end_to_end(request.headers),
                data=request.content if request.can_read_body else None,
                allow_redirects=False,
            )
        except NoEligibleTarget:
            raise web.HTTPServiceUnavailable(text="no child is up") from None
        except TimeoutError:
            raise web.HTTPGatewayTimeout(text="no child answered in time") from None
        except aiohttp.ClientError:
            raise web.HTTPBadGateway(text="the child's answer is unusable") from None
        async with answer:
            response = web.StreamResponse(status=answer.status, headers=end_to_end(answer.headers))
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    app = web.Application()
    app.cleanup_ctx.append(life)
    app.router.add_route("*", "/{path:.*}", forward)
    return app

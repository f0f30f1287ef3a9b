"""Forward each request to a child that is up."""

from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

from uplinks import Parent
from uplinks.adapters.driver import Driver
from uplinks.adapters.files import load_fleet

SESSION = web.AppKey("session", aiohttp.ClientSession)


def application(fleet: str, service: str) -> web.Application:
    driver = Driver(Parent.from_fleet(load_fleet(fleet)))

    async def life(app: web.Application) -> AsyncIterator[None]:
        async with driver, aiohttp.ClientSession() as app[SESSION]:
            yield

    async def forward(request: web.Request) -> web.Response:
        with driver.lease(service) as child:
            async with request.app[SESSION].get(f"{child.url}{request.path}") as answer:
                return web.Response(body=await answer.read(), status=answer.status)

    app = web.Application()
    app.cleanup_ctx.append(life)
    app.router.add_get("/{path:.*}", forward)
    return app

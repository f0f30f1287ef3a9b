"""Answer each request with what a child that is up says: in FastAPI."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import aiohttp
from fastapi import Depends, FastAPI, HTTPException, Request, Response

from uplinks import NoEligibleTarget, Parent
from uplinks.adapters.driver import Driver
from uplinks.adapters.files import load_fleet


def the_driver(request: Request) -> Driver:
    driver: Driver = request.app.state.driver
    return driver


def application(fleet: str, service: str) -> FastAPI:
    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        app.state.driver = Driver(Parent.from_fleet(load_fleet(fleet)))
        async with app.state.driver, aiohttp.ClientSession() as app.state.session:
            yield

    app = FastAPI(lifespan=life)

    @app.get("/{path:path}")
    async def forward(
        path: str, request: Request, driver: Annotated[Driver, Depends(the_driver)]
    ) -> Response:
        try:
            # An exception within the block counts against the child.
            with driver.lease(service) as child:
                async with request.app.state.session.get(f"{child.url}/{path}") as answer:
                    return Response(await answer.read(), answer.status)
        except NoEligibleTarget:
            raise HTTPException(503, "no child is up") from None

    return app

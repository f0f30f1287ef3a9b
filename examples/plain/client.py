"""Five lines to a client that avoids failing children: no manifests, no Traefik."""

import httpx2

from uplinks import Driver, HealthCheck
from uplinks.adapters.httpx2 import AsyncUplinksTransport

CHECK = HealthCheck(path="/health", interval="5s", timeout="1s")


async def orders(eu: str, us: str) -> list[bytes]:
    driver = Driver.of({"eu": (eu, 3), "us": us}, health_check=CHECK)
    transport = AsyncUplinksTransport(driver)
    async with driver, httpx2.AsyncClient(transport=transport, base_url="http://any") as client:
        answers = [await client.get("/orders") for _ in range(4)]
    return [answer.content for answer in answers]

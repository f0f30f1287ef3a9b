"""What `uplinks.simulate` predicts, beside what a real Traefik does with the written file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.proxies.children import listening, replay
from tests.proxies.prediction import COMPOSED, FLAT
from tests.traefik.driver import LOOPBACK, Traefik, port_of
from tests.traefik.driver import listening as sockets_of

from uplinks.parent import Parent
from uplinks.render import dump, to_traefik
from uplinks.simulate import simulate

CASES = {**FLAT, **COMPOSED}


@pytest.mark.parametrize("name", CASES)
def test_traefik_loses_what_is_predicted(name: str, tmp_path: Path) -> None:
    case = CASES[name]

    async def main() -> None:
        async with listening(case.weights) as children:
            scenario = case.scenario(children, engine="traefik-file")
            fleet = scenario.fleet
            services = Parent.from_fleet(fleet, strict=False).services
            (tmp_path / "dynamic").mkdir()
            written = dump(to_traefik(services, fleet.parent))
            (tmp_path / "dynamic" / "uplinks.yml").write_text(written, "utf-8")
            with sockets_of("web") as sockets:
                port = port_of(sockets["web"])
                arguments = [f"--entryPoints.web.address={LOOPBACK}:{port}"]
                traefik = Traefik(tmp_path, arguments, sockets)
                await asyncio.to_thread(traefik.__enter__)
                try:
                    answers = await replay(scenario, children, port)
                    assert traefik.errors() == []
                finally:
                    await asyncio.to_thread(traefik.__exit__)
        case.check(answers, simulate(scenario))

    asyncio.run(main())

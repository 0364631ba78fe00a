"""One connection's life over a scripted engine and a socket of two queues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from streaming.connection import serve
from streaming.errors import Unauthorized
from streaming.hub import Hub
from streaming.limits import Limits
from streaming.protocol import (
    Accepted,
    Ack,
    Hello,
    Params,
    PictureEdit,
    PictureFrame,
    Welcome,
)
from tests.scripted import ScriptedEngine, Wire, picture


@dataclass
class House:
    """A hub over a scripted engine, and the connections that a test opened."""

    engine: ScriptedEngine
    hub: Hub
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def connect(self, token: str | None = None) -> Wire:
        def authorize(given: str | None) -> None:
            if token is not None and given != token:
                raise Unauthorized("a token is needed")

        wire = Wire()
        self.tasks.append(asyncio.create_task(serve(wire, self.hub, authorize=authorize)))
        return wire

    async def enter(self, hello: Hello | None = None) -> tuple[Wire, Welcome]:
        wire = self.connect()
        wire.say(hello or Hello(1, "c"))
        return wire, await wire.expect(Welcome)


@asynccontextmanager
async def a_house(limits: Limits | None = None, started: bool = True) -> AsyncIterator[House]:
    engine = ScriptedEngine()
    hub = Hub(engine.post, limits=limits)
    if started:
        engine.start(hub)
    house = House(engine, hub)
    try:
        yield house
    finally:
        for task in house.tasks:
            task.cancel()
        await asyncio.gather(*house.tasks, return_exceptions=True)
        hub.encoder.close()


async def test_an_edit_becomes_a_request_and_its_picture_comes_back() -> None:
    async with a_house() as house:
        wire, welcome = await house.enter()
        assert welcome.params == {"prompt": "", "seed": 0, "strength": 0.5}
        wire.say(Params(1, {"seed": 7}))
        assert await wire.expect(Accepted) == Accepted(1, 1, 1, 0)
        assert house.engine.wanted(welcome.session)
        house.engine.make(house.engine.requests[-1], step=1)
        preview = await wire.expect(PictureFrame)
        assert (preview.revision, preview.step, preview.final) == (1, 1, False)
        wire.say(Ack(preview.sequence))
        house.engine.make(house.engine.requests[-1])
        final = await wire.expect(PictureFrame)
        assert (final.sequence, final.final, final.format) == (2, True, "jpeg")


async def test_a_canvas_and_a_tile_reach_the_request() -> None:
    async with a_house() as house:
        wire, _ = await house.enter()
        wire.say(PictureEdit(1, 0, 0, 0, False, picture((1, 2, 3))))
        wire.say(PictureEdit(2, 0, 10, 20, True, picture((9, 9, 9), (4, 4))))
        await wire.expect(Accepted)
        assert (await wire.expect(Accepted)).revision == 2
        canvas = house.engine.requests[-1].inputs["canvas"]
        assert canvas[0, 0].tolist() == [1, 2, 3]
        assert canvas[20, 10].tolist() == [9, 9, 9]
        assert canvas[19, 10].tolist() == [1, 2, 3]

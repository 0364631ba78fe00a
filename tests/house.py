"""A hub over a scripted engine, with connections that a test opens and counts of what happened.

Role: what the tests of the gateway share. Invariants: leaving `a_house` ends every connection.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import pytest

from models.base import Payload
from streaming.codecs import Encoder, Encoding
from streaming.connection import serve
from streaming.delivery import Delivery
from streaming.errors import Unauthorized
from streaming.hub import Hub
from streaming.limits import Limits
from streaming.messages import Failed
from streaming.observe import Observer, PictureSent
from streaming.protocol import (
    Format,
    Hello,
    PictureFrame,
    Status,
    Welcome,
)
from tests.scripted import ScriptedEngine, Wire

WIRES: list[type[Wire]] = [Wire]
"""The last is what connections are made of; the fixture `both_wires` puts others there."""


class Counts(Observer):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.drops: Counter[str] = Counter()
        self.edits: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.sent: list[PictureSent] = []
        self.came = 0
        self.left: list[str] = []
        self.ended: list[tuple[str, int]] = []

    def dropped(self, reason: str, count: int = 1) -> None:
        self.drops[reason] += count

    def connected(self) -> None:
        self.came += 1

    def edit(self, kind: str) -> None:
        self.edits[kind] += 1

    def refused(self, code: str) -> None:
        self.refusals[code] += 1

    def picture_sent(self, sent: PictureSent) -> None:
        self.sent.append(sent)

    def disconnected(self, reason: str) -> None:
        self.left.append(reason)

    def session_ended(self, session: str, reason: str, seconds: float, pictures: int) -> None:
        self.ended.append((reason, pictures))


class CountingEncoder(Encoder):
    """Counts what it encodes; `hold()` keeps all work from beginning until `go()`."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.encoded: list[tuple[Format, int]] = []
        self._gate = threading.Event()
        self._gate.set()

    def submit(self, payload: Payload, format: Format, quality: int) -> asyncio.Future[Encoding]:
        self.encoded.append((format, quality))
        return super().submit(payload, format, quality)

    def hold(self) -> None:
        self._gate.clear()
        for pool in (self._pool, self._others):
            pool.submit(self._gate.wait)

    def go(self) -> None:
        self._gate.set()

    def close(self) -> None:
        self.go()
        super().close()


@dataclass
class House:
    """A hub over a scripted engine, and the connections that a test opened."""

    engine: ScriptedEngine
    hub: Hub
    counts: Counts
    encoder: CountingEncoder
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)

    def connect(self, token: str | None = None) -> Wire:
        def authorize(given: str | None) -> None:
            if token is not None and given != token:
                raise Unauthorized("a token is needed")

        wire = WIRES[-1]()
        self.wires.append(wire)
        self.tasks.append(asyncio.create_task(serve(wire, self.hub, authorize=authorize)))
        return wire

    async def enter(self, hello: Hello | None = None) -> tuple[Wire, Welcome]:
        wire = self.connect()
        wire.say(hello or Hello(1, "c"))
        return wire, await wire.expect(Welcome)

    async def over(self, index: int = 0) -> tuple[int, str] | None:
        """Wait until a connection has ended; how it was closed."""
        await self.tasks[index]
        return self.wires[index].closed

    async def shown(self, wire: Wire, step: int = 2) -> PictureFrame:
        """Make the newest request's picture and wait until `wire` has it."""
        self.engine.make(self.engine.requests[-1], step)
        return await wire.expect(PictureFrame)


@asynccontextmanager
async def a_house(limits: Limits | None = None, started: bool = True) -> AsyncIterator[House]:
    engine, counts, encoder = ScriptedEngine(), Counts(), CountingEncoder()
    hub = Hub(engine.post, limits=limits, observer=counts, encoder=encoder)
    if started:
        engine.start(hub)
    house = House(engine, hub, counts, encoder)
    try:
        yield house
    finally:
        for task in house.tasks:
            task.cancel()
        await asyncio.gather(*house.tasks, return_exceptions=True)
        hub.encoder.close()


class Eye:
    """A viewer that wants whatever it can get, and remembers it."""

    watching, previews, room = True, True, True

    def __init__(self) -> None:
        self.got: list[Delivery] = []

    def offer(self, delivery: Delivery) -> bool:
        self.got.append(delivery)
        return True

    def changed(self) -> None: ...
    def failed(self, failed: Failed) -> None: ...
    def status(self, status: Status) -> None: ...
    def drain(self) -> None: ...
    def end(self) -> None: ...


@contextmanager
def as_they_are(wanted: bool = True) -> Iterator[None]:
    """Small canvases are flat enough to be packed on the spot; here (if `wanted`) nothing is."""
    with pytest.MonkeyPatch.context() as patch:
        if wanted:
            patch.setattr("streaming.history.pack_quickly", lambda part: None)
        yield


class Now:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def a_hub(limits: Limits | None = None, ready: bool = True) -> tuple[Hub, ScriptedEngine, Now]:
    engine, now = ScriptedEngine(), Now()
    hub = Hub(engine.post, limits=limits, clock=now)
    engine.hub = hub
    if ready:
        engine.start(hub)
    return hub, engine, now

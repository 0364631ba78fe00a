"""The headless users: their socket, their line, their drawings and their bookkeeping."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest
from PIL import Image
from websockets.asyncio.server import ServerConnection, serve

from loadtests.drawings import drawing, names
from loadtests.relay import relay
from loadtests.scenario import Scenario
from loadtests.users import Arrival, Log
from loadtests.wire import Refused, Wire, connect
from streaming.protocol import StageTimes
from tests.serving import serving

Handler = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    server = await serve(handler, "127.0.0.1", 0, compression=None, max_size=2**22)
    async with server:
        yield next(iter(server.sockets)).getsockname()[1]


class Inbox:
    """What a wire got, and a wait for the n-th message."""

    def __init__(self) -> None:
        self.messages: list[tuple[bool, bytes]] = []
        self.news = asyncio.Event()

    def __call__(self, binary: bool, data: bytes, at: float) -> None:
        self.messages.append((binary, data))
        self.news.set()

    async def until(self, count: int) -> list[tuple[bool, bytes]]:
        async with asyncio.timeout(10):
            while len(self.messages) < count:
                self.news.clear()
                await self.news.wait()
        return self.messages


async def echo(socket: ServerConnection) -> None:
    async for message in socket:
        await socket.send(message)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1_000_000])
async def test_the_wire_carries_messages_of_every_length_both_ways(size: int) -> None:
    inbox = Inbox()
    async with listening(echo) as port:
        wire = await connect(f"ws://127.0.0.1:{port}/", inbox)
        wire.send(b"\xff" * size)
        wire.send("é" * (size // 2))
        assert await inbox.until(2) == [
            (True, b"\xff" * size),
            (False, ("é" * (size // 2)).encode()),
        ]
        await wire.close()
        assert wire.closed.result() == 1000


async def test_the_wire_joins_fragments_and_answers_pings() -> None:
    async def handler(socket: ServerConnection) -> None:
        await (await socket.ping())
        await socket.send([b"one ", b"picture ", b"in parts"])
        await socket.wait_closed()

    inbox = Inbox()
    async with listening(handler) as port:
        wire = await connect(f"ws://127.0.0.1:{port}/", inbox)
        assert await inbox.until(1) == [(True, b"one picture in parts")]
        await wire.close()


async def test_the_wire_tells_how_it_ended() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.close(1012, "away")

    async with listening(handler) as port:
        wire = await connect(f"ws://127.0.0.1:{port}/", Inbox())
        assert await wire.closed == 1012


async def test_a_refused_upgrade_says_so() -> None:
    with serving() as server, pytest.raises(Refused) as refused:
        await connect(server.socket_url.replace("/v1/session", "/nowhere"), Inbox())
    assert refused.value.status in (403, 404)


async def test_a_thin_line_lets_through_what_it_should_and_stops() -> None:
    size, rate = 20_000, 200_000.0

    async def handler(socket: ServerConnection) -> None:
        for _ in range(8):
            await socket.send(bytes(size))
        await socket.wait_closed()

    inbox = Inbox()
    async with listening(handler) as port, relay("127.0.0.1", port, 1e9) as line:
        line.rate = rate
        start = time.perf_counter()
        wire = await connect(f"ws://127.0.0.1:{line.port}/", inbox)
        await inbox.until(5)
        assert time.perf_counter() - start >= 0.9 * 5 * size / rate
        line.rate = 0.0
        before = len(inbox.messages)
        await asyncio.sleep(0.3)  # at the rate before, three more would have come
        assert len(inbox.messages) <= before + 1
        line.rate = 1e9
        await inbox.until(8)
        await wire.close()


def test_a_line_to_nowhere_just_closes() -> None:
    async def go() -> Wire:
        async with relay("127.0.0.1", 9, 1e6) as line:
            return await connect(f"ws://127.0.0.1:{line.port}/", Inbox())

    with pytest.raises(OSError, match=r".*"):
        asyncio.run(go())


@pytest.mark.parametrize("name", names())
def test_the_tiles_of_a_drawing_make_its_canvases(name: str) -> None:
    made = drawing(name)
    canvas = np.full_like(made.canvases[0], 255)
    for tile, png, expected in zip(made.tiles, made.pngs, made.canvases, strict=True):
        before = canvas.copy()
        pixels = np.array(Image.open(io.BytesIO(tile.data)))
        canvas[tile.y : tile.y + len(pixels), tile.x : tile.x + pixels.shape[1]] = pixels
        assert not np.array_equal(canvas, before), "an edit that changes nothing makes no revision"
        assert np.array_equal(canvas, expected)
        assert np.array_equal(np.array(Image.open(io.BytesIO(png))), expected)


def arrival(at: float, revision: int) -> Arrival:
    return Arrival(at, revision, 1, False, 0, 0.0, 0.0, StageTimes())


def test_an_overtaken_edit_waits_for_the_picture_of_a_later_one() -> None:
    log = Log(
        sent={1: 1.0, 2: 1.1, 3: 1.2, 4: 9.0},
        accepted={1: 11, 2: 12, 3: 13, 4: 14},
        pictures=[arrival(1.5, 11), arrival(1.7, 13), arrival(1.8, 13)],
    )
    assert log.latencies() == pytest.approx([500, 600, 500])
    assert log.latencies(shown=True) == pytest.approx([500, 500])
    assert log.latencies(since=1.05) == pytest.approx([600, 500])
    assert [picture.at for picture in log.between(1.5, 1.8)] == [1.5, 1.7]


async def test_users_draw_on_a_real_server_and_say_how_it_goes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with serving("--model", "fake", "--model-option", "step_ms=2") as server:
        server.wait_ready()
        await Scenario(server.socket_url, 2, 40.0, 1.2, steps=2, slow=1, read_rate=1e6).run()
    told = capsys.readouterr().out
    assert "2 users connected" in told
    assert "pictures/s" in told
    assert "98 edits" in told  # two of them set the steps
    assert "edit to first picture p50" in told

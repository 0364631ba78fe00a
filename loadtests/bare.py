"""Bare peers: the same work with nothing around it.

Role: (1) a process that holds the model and runs `begin`, `step`, `decode` and the JPEG encoder one
after the other on one thread, as told line by line on stdin; (2) a bare `websockets` server that
sends encoded pictures to whoever has a credit. They are the denominators of the report.

Invariants: the model is built as the server builds it, its requests are the strokes that the users
draw, its encoder is the server's. The bare server speaks just enough of the protocol for the same
users to be its clients; it ignores their edits.

It does not know: the engine, sessions, scheduling.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import cycle

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray
from websockets.asyncio.server import ServerConnection, serve as listen
from websockets.exceptions import ConnectionClosed

from loadtests.drawings import drawing_of
from models.base import Model, Picture, Request, State
from server.registry import builders
from server.settings import Settings
from streaming import codecs, protocol
from streaming.protocol import HistoryInfo, ModelInfo, PictureFrame, StageTimes

QUALITY = 80


class Order(msgspec.Struct, frozen=True):
    """A line on stdin: the loop for `seconds`, or (`count` > 0) single first pictures with `rest`
    seconds between them."""

    seconds: float = 0.0
    count: int = 0
    rest: float = 0.0
    steps: int = 1
    encode: bool = True


class Loop:
    """The model alone, on this thread."""

    def __init__(self, model: Model, steps: int = 1) -> None:
        self.model = model
        self.previous: State | None = None
        self.requests = self._requests(drawing_of(0).canvases)
        self.steps = steps

    def _requests(self, canvases: Sequence[NDArray[np.uint8]]) -> Iterator[Request]:
        defaults = self.model.spec.defaults()
        for number, canvas in enumerate(cycle(canvases), 1):
            params = {**defaults, "steps": self.steps}
            yield Request("bare", self.model.spec.name, number, number, params, {"canvas": canvas})

    def begin(self) -> State:
        """A row for the next request; the last one is closed."""
        (state,) = self.model.begin([next(self.requests)], [self.previous])
        if self.previous is not None:
            self.previous.close()
        self.previous = state
        return state

    def show(self, state: State, encode: bool = True) -> None:
        """Decode the row and, unless the device did, encode it."""
        (payload,) = self.model.decode([state])
        if encode and isinstance(payload, Picture):
            codecs.encode_pixels(payload.pixels, "jpeg", QUALITY)

    def run(self, order: Order) -> dict[str, object]:
        """Pictures and the seconds that they took."""
        self.steps, pictures = order.steps, 0
        start = time.perf_counter()
        while time.perf_counter() - start < order.seconds:
            state = self.begin()
            for _ in range(order.steps):
                self.model.step([state])
            self.show(state, order.encode)
            pictures += 1
        return {"pictures": pictures, "seconds": time.perf_counter() - start}

    def firsts(self, order: Order) -> dict[str, object]:
        """Milliseconds of the first step, decode and encode of single jobs; `begin` and the steps
        after the first are done but not counted."""
        self.steps, times = order.steps, []
        for _ in range(order.count):
            time.sleep(order.rest)
            state = self.begin()
            start = time.perf_counter()
            self.model.step([state])
            self.show(state, order.encode)
            times.append((time.perf_counter() - start) * 1000)
            for _ in range(order.steps - 1):
                self.model.step([state])
        return {"ms": times}


def loop(model: str, options: Sequence[str]) -> None:
    """Build the model, say that it is ready, do what each line says."""
    settings = Settings(model=(model,), model_option=tuple(options))
    built = builders(settings)[model]()
    built.load(lambda stage, fraction: None)
    bare = Loop(built)
    bare.run(Order(seconds=0.2))  # what is made at the first use is made
    _say({"ready": True})
    for line in sys.stdin:
        order = msgspec.json.decode(line, type=Order)
        _say(bare.firsts(order) if order.count else bare.run(order))


def _say(line: dict[str, object]) -> None:
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()


class Feeder:
    """The bare server's handler: a picture for every credit."""

    def __init__(self, size: int, steps: int) -> None:
        self.data, self.steps = os.urandom(size), steps

    async def __call__(self, socket: ServerConnection) -> None:
        hello = protocol.decode_client_text(await socket.recv())
        assert isinstance(hello, protocol.Hello)
        await socket.send(protocol.encode_text(_welcome()))
        sequence = 0
        try:
            while sequence < hello.credits:
                sequence += 1
                await socket.send(self._picture(sequence))
            async for message in socket:
                if isinstance(message, bytes):
                    continue
                told = protocol.decode_client_text(message)
                if isinstance(told, protocol.Ping):
                    now = time.perf_counter() * 1000
                    await socket.send(protocol.encode_text(protocol.Pong(told.at, now)))
                elif isinstance(told, protocol.Params):
                    await socket.send(protocol.encode_text(protocol.Accepted(told.id, 1, 1, 0)))
                elif isinstance(told, protocol.Ack):
                    sequence += 1
                    await socket.send(self._picture(sequence))
        except ConnectionClosed:
            return

    def _picture(self, sequence: int) -> bytes:
        revision, step = (each + 1 for each in divmod(sequence - 1, self.steps))
        return protocol.encode_picture(
            PictureFrame(
                0, step, self.steps, sequence, revision, revision, 256, 256, 0, 0.0, 0.0,
                StageTimes(), "jpeg", step == self.steps, False, self.data,
            )
        )  # fmt: skip


def _welcome() -> protocol.Welcome:
    model = ModelInfo("bare", "Bare", (), (), ())
    history = HistoryInfo(0, 0)
    return protocol.Welcome(1, "bare", "bare", False, 0, 0, {}, False, history, model, 0.0, 2**22)


async def feed(port: int, size: int, steps: int) -> None:
    """Serve pictures of `size` bytes until the process is ended."""
    server = await listen(Feeder(size, steps), "127.0.0.1", port, compression=None)
    async with server:
        await server.serve_forever()


def main() -> None:
    """`python -m loadtests.bare loop|feed`: started by the figures, not by people."""
    parser = argparse.ArgumentParser(prog="loadtests.bare", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    looping = commands.add_parser("loop", help="the model alone, told by lines on stdin")
    looping.add_argument("--model", default="fake")
    looping.add_argument("--option", action="append", default=[])
    feeding = commands.add_parser("feed", help="a bare websockets server")
    feeding.add_argument("--port", type=int, required=True)
    feeding.add_argument("--size", type=int, default=65536)
    feeding.add_argument("--steps", type=int, default=8)
    arguments = parser.parse_args()
    if arguments.command == "loop":
        loop(arguments.model, arguments.option)
    else:
        asyncio.run(feed(arguments.port, arguments.size, arguments.steps))


if __name__ == "__main__":
    main()

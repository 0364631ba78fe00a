"""What the gateway's tests play with: an engine that obeys, and a socket of two queues.

Role: deterministic doubles of both of the gateway's neighbours. Invariants: nothing here waits for
time; `until` waits for the thing itself.
"""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from PIL import Image

from models.base import (
    InputSpec,
    ModelSpec,
    Output,
    Parameter,
    Payload,
    Picture,
    Request,
    Timings,
    Track,
)
from streaming.hub import Hub
from streaming.messages import Forget, FromEngine, Loaded, Outputs, Ready, Submit, ToEngine, Want
from streaming.protocol import (
    CanvasState,
    ClientMessage,
    PictureEdit,
    PictureFrame,
    ServerMessage,
    decode_server_binary,
    decode_server_text,
    encode_picture_edit,
    encode_text,
)
from streaming.transport import Disconnected, Take

SIZE = 64
SPEC = ModelSpec(
    "toy",
    "Toy",
    (Track("picture", "picture", SIZE, SIZE),),
    (
        Parameter("prompt", "string", "", max_length=2000),
        Parameter("seed", "integer", 0, minimum=0, maximum=2**31),
        Parameter("strength", "number", 0.5, minimum=0, maximum=1),
    ),
    (InputSpec("canvas", SIZE, SIZE, (250, 240, 230)),),
)

Received = ServerMessage | PictureFrame | CanvasState
M = TypeVar("M")


def picture(
    color: tuple[int, ...] = (10, 20, 30),
    size: tuple[int, int] = (SIZE, SIZE),
    format: str = "PNG",
) -> bytes:
    """An encoded picture of one colour; four numbers are RGBA."""
    out = io.BytesIO()
    Image.new("RGBA" if len(color) == 4 else "RGB", size, color).save(out, format)
    return out.getvalue()


async def until(condition: Callable[[], object]) -> None:
    """Give the loop turns until `condition` holds; the test's own timeout bounds it."""
    while not condition():  # noqa: ASYNC110 (the condition is anything, there is no event)
        await asyncio.sleep(0.001)


class ScriptedEngine:
    """Takes the gateway's messages and makes exactly the outputs that a test asks for."""

    def __init__(self) -> None:
        self.posted: list[ToEngine] = []
        self.made: Counter[str] = Counter()
        self.hub: Hub | None = None

    def post(self, message: ToEngine) -> None:
        self.posted.append(message)

    def start(self, hub: Hub, ready: bool = True) -> None:
        self.hub = hub
        self.say(Loaded((SPEC,)))
        if ready:
            self.say(Ready())

    def say(self, message: FromEngine) -> None:
        assert self.hub is not None
        self.hub.receive(message)

    @property
    def requests(self) -> list[Request]:
        return [m.request for m in self.posted if isinstance(m, Submit)]

    def wants(self, session: str) -> list[tuple[int, bool]]:
        """Every demand that was posted for a session, in order."""
        return [
            (m.pictures, m.previews)
            for m in self.posted
            if isinstance(m, Want) and m.session == session
        ]

    def wanted(self, session: str) -> bool:
        """Whether another picture may be made now."""
        return bool(self.wants(session)) and self.wants(session)[-1][0] > self.made[session]

    @property
    def forgotten(self) -> list[str]:
        return [m.session for m in self.posted if isinstance(m, Forget)]

    def make(
        self, request: Request, step: int = 2, steps: int = 2, payload: Payload | None = None
    ) -> Output:
        """Make and deliver one output of `request`; its colour tells the revision and step."""
        color = (request.revision % 256, step, 77)
        pixels = np.full((SIZE, SIZE, 3), color, np.uint8)
        output = Output(
            request.session, 0, request.job, request.revision, step, steps, step == steps,
            request.revision * 1000, payload or Picture(pixels), Timings(1.0, 2.0, 3.0, 4.0),
        )  # fmt: skip
        self.made[request.session] += 1
        self.say(Outputs((output,)))
        return output


def encoded(message: ClientMessage | PictureEdit | str | bytes) -> str | bytes:
    """A client's message as a frame; frames stay as they are."""
    if isinstance(message, str | bytes):
        return message
    return (
        encode_picture_edit(message) if isinstance(message, PictureEdit) else encode_text(message)
    )


class Wire:
    """A `Transport` of two queues; the test is the client. `stall()` makes it a client that doesn't
    read: sends then wait for ever."""

    def __init__(self) -> None:
        self._in: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._out: asyncio.Queue[Received] = asyncio.Queue()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._gone = False
        self.got: list[Received] = []
        self.closed: tuple[int, str] | None = None

    # --- the server's side

    async def receive(self) -> str | bytes:
        frame = await self._in.get()
        if frame is None:
            raise Disconnected
        return frame

    async def send(self, data: str | bytes) -> None:
        if self._gone:
            raise Disconnected
        await self._flowing.wait()
        self._deliver(data)

    def _deliver(self, data: str | bytes) -> None:
        if isinstance(data, str):
            self._out.put_nowait(decode_server_text(data))
        else:
            self._out.put_nowait(decode_server_binary(data))

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    # --- the client's side

    def say(self, message: ClientMessage | PictureEdit | str | bytes) -> None:
        self._in.put_nowait(encoded(message))

    async def hear(self) -> Received:
        """The next frame."""
        frame = await self._out.get()
        self.got.append(frame)
        return frame

    async def expect(self, kind: type[M]) -> M:
        """The next frame of that kind; others on the way stay in `got`."""
        while True:
            frame = await self.hear()
            if isinstance(frame, kind):
                return frame

    @property
    def waiting(self) -> int:
        """Frames that were sent and not heard yet."""
        return self._out.qsize()

    def leave(self) -> None:
        """Vanish: both directions fail from now on."""
        self._gone = True
        self._flowing.set()
        self._in.put_nowait(None)

    def stall(self) -> None:
        self._flowing.clear()


class PromptWire(Wire):
    """The same as a `PromptTransport` and `PromptSource`: takes and gives what it can at once.
    `handled`: how many frames were taken on the spot."""

    def __init__(self) -> None:
        super().__init__()
        self.handled = 0
        self._take: Take | None = None

    def listen(self, take: Take) -> None:
        self._take = take

    def say(self, message: ClientMessage | PictureEdit | str | bytes) -> None:
        frame = encoded(message)
        if self._take is not None and self._in.empty() and self._take(frame):
            self.handled += 1
        else:
            super().say(frame)

    def send_now(self, data: str | bytes, rest: bytes = b"") -> bool:
        if self._gone or not self._flowing.is_set():
            return False
        self._deliver(data + rest if isinstance(data, bytes) else data)
        return True

"""A client for tests that speaks the wire protocol frame by frame, and can speak it wrongly.

Role: what `streaming.client` hides is open here: raw frames out, every frame in, in order.

It does not know: the server's inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from PIL import Image
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from streaming.protocol import (
    VERSION,
    Accepted,
    Ack,
    Error,
    Hello,
    Message,
    Params,
    ParamValue,
    PictureEdit,
    PictureFrame,
    ServerFrame,
    Welcome,
    decode_server_binary,
    decode_server_text,
    encode_picture_edit,
    encode_text,
)

SECONDS = 60.0
F = TypeVar("F")


class Pen:
    """One connection. `welcome` is set once it said hello; every picture is acknowledged."""

    def __init__(self, url: str, **options: Any) -> None:
        self._options = {"compression": None, "proxy": None, "max_size": None, **options}
        self._url = url
        self._ids = 0
        self.acknowledge = True
        self.socket: ClientConnection
        self.welcome: Welcome

    async def __aenter__(self) -> Self:
        self.socket = await connect(self._url, **self._options)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.socket.close()

    async def hello(self, **fields: Any) -> Welcome:
        """Say hello and wait for the welcome."""
        await self.tell(Hello(**{"version": VERSION, "client": "pen", **fields}))
        self.welcome = await self.wait_for(Welcome)
        return self.welcome

    async def tell(self, message: Message) -> None:
        """Send a message."""
        await self.socket.send(encode_text(message))

    async def params(self, **values: ParamValue) -> int:
        """Send a parameter edit; its id."""
        self._ids += 1
        await self.tell(Params(self._ids, values))
        return self._ids

    async def canvas(self, data: bytes, tile: tuple[int, int] | None = None) -> int:
        """Send a canvas, or a tile of it at x, y; the edit's id."""
        self._ids += 1
        x, y = tile or (0, 0)
        edit = PictureEdit(self._ids, 0, x, y, tile is not None, data)
        await self.socket.send(encode_picture_edit(edit))
        return self._ids

    async def receive(self) -> ServerFrame:
        """The next frame; pictures are acknowledged."""
        data = await self.socket.recv()
        if isinstance(data, str):
            return decode_server_text(data)
        frame = decode_server_binary(data)
        if isinstance(frame, PictureFrame) and self.acknowledge:
            await self.tell(Ack(frame.sequence))
        return frame

    async def wait_for(self, kind: type[F], that: Callable[[F], bool] = lambda frame: True) -> F:
        """The next frame of `kind` for which `that` holds; others are let go."""
        async with asyncio.timeout(SECONDS):
            while True:
                frame = await self.receive()
                if isinstance(frame, kind) and that(frame):
                    return frame

    async def error(self) -> Error:
        """The next error."""
        return await self.wait_for(Error)

    async def accepted(self, id: int) -> Accepted:
        """The answer to the edit `id`."""
        return await self.wait_for(Accepted, lambda answer: answer.id == id)

    async def final(self, revision: int = 0) -> PictureFrame:
        """The next final picture that answers at least `revision`."""
        return await self.wait_for(
            PictureFrame, lambda frame: frame.final and frame.revision >= revision
        )

    async def closed(self) -> tuple[int | None, str]:
        """Read until the close; its code and reason."""
        async with asyncio.timeout(SECONDS):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.socket.recv()
            await self.socket.wait_closed()
        return self.socket.close_code, self.socket.close_reason or ""


@contextlib.asynccontextmanager
async def drawing(url: str, **hello: Any) -> AsyncIterator[Pen]:
    """A pen that said hello."""
    async with Pen(url) as pen:
        await pen.hello(**hello)
        yield pen


def picture(
    width: int = 256, height: int = 256, color: str = "steelblue", format: str = "png", **save: Any
) -> bytes:
    """A plain encoded picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), color).save(buffer, format, **save)
    return buffer.getvalue()

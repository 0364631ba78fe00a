"""One connection of the client: hello out, then frames both ways until it closes.

Role: the only module of the client that touches a socket. Invariants: everything that is sent goes
through one queue, in order; when it returns or raises, nothing of the connection is left.
It does not know: what the frames mean.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from streaming.errors import BadMessage, RiverrunError, Unauthorized
from streaming.protocol import (
    Hello,
    ServerFrame,
    decode_server_binary,
    decode_server_text,
    encode_text,
)

MAX_BYTES = 64 << 20


class Hop(Exception):
    """Raised by `hear`: leave this connection now, in order."""


async def converse(
    url: str,
    hello: Hello,
    outgoing: asyncio.Queue[str | bytes],
    hear: Callable[[ServerFrame], None],
) -> int:
    """Connect, say `hello`, send what is put into `outgoing`, call `hear` for each frame. Returns
    the close code; raises OSError, TimeoutError, `WebSocketException` where there is no connection,
    `Unauthorized` where the server wants a token, `BadMessage` for a frame it doesn't know."""
    headers = {"Authorization": f"Bearer {hello.token}"} if hello.token else None
    try:
        async with connect(
            url, compression=None, max_size=MAX_BYTES, additional_headers=headers
        ) as socket:
            await _exchange(socket, hello, outgoing, hear)
        return socket.close_code or 1006
    except InvalidStatus as error:
        raise refusal(error) from error


async def _exchange(
    socket: ClientConnection,
    hello: Hello,
    outgoing: asyncio.Queue[str | bytes],
    hear: Callable[[ServerFrame], None],
) -> None:
    sender = asyncio.create_task(_send(socket, hello, outgoing))
    try:
        while True:
            hear(_decoded(await socket.recv()))
    except (ConnectionClosed, Hop):
        pass
    finally:
        sender.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
            await sender


async def _send(
    socket: ClientConnection, hello: Hello, outgoing: asyncio.Queue[str | bytes]
) -> None:
    await socket.send(encode_text(hello))
    while True:
        await socket.send(await outgoing.get())


def _decoded(frame: str | bytes) -> ServerFrame:
    return decode_server_text(frame) if isinstance(frame, str) else decode_server_binary(frame)


def refusal(error: InvalidStatus) -> Exception:
    """Why a server answered the upgrade with an HTTP status instead."""
    status = error.response.status_code
    if status in (401, 403):
        return Unauthorized(f"the server refused the connection with status {status}")
    if status in (400, 404, 405, 426):
        return BadMessage(f"there is no session socket here: status {status}")
    made = RiverrunError(f"the server answered with status {status}")
    made.retryable = True  # type: ignore[misc]
    return made

"""A real WebSocket server in this process, over a scripted engine: what the client's tests call on.

Role: sockets that the client can reach and a test can cut. It does not know: the client.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.server import Server as SocketServer, ServerConnection, serve as listen
from websockets.exceptions import ConnectionClosed

from streaming.connection import serve
from streaming.errors import Unauthorized
from streaming.hub import Hub
from streaming.transport import Disconnected
from tests.scripted import ScriptedEngine


class Socket:
    """A websockets connection as a `Transport`."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket

    async def receive(self) -> str | bytes:
        try:
            return await self.socket.recv()
        except ConnectionClosed:
            raise Disconnected from None

    async def send(self, data: str | bytes) -> None:
        try:
            await self.socket.send(data)
        except ConnectionClosed:
            raise Disconnected from None

    async def close(self, code: int, reason: str) -> None:
        await self.socket.close(code, reason)


class Place:
    """A server on a port of its own; `restart` forgets everything but the port."""

    def __init__(self, token: str | None = None) -> None:
        self.token = token
        self.port = 0
        self._new()

    def _new(self) -> None:
        self.engine = ScriptedEngine()
        self.hub = Hub(self.engine.post)
        self.engine.start(self.hub)
        self.sockets: list[ServerConnection] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def authorize(self, token: str | None) -> None:
        if self.token is not None and token != self.token:
            raise Unauthorized("this server asks for a token")

    async def _handle(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        await serve(Socket(socket), self.hub, authorize=self.authorize)

    async def start(self) -> None:
        self.server: SocketServer = await listen(
            self._handle, "127.0.0.1", self.port, compression=None
        )
        self.port = next(iter(self.server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        self.server.close()
        await self.server.wait_closed()
        self.hub.encoder.close()

    async def restart(self) -> None:
        await self.stop()
        self._new()
        await self.start()

    def cut(self) -> None:
        """Break every connection the hard way."""
        for socket in self.sockets:
            socket.transport.abort()
        self.sockets.clear()

    def paint(self) -> None:
        """Make the final picture of the newest request."""
        self.engine.make(self.engine.requests[-1])


@asynccontextmanager
async def a_place(token: str | None = None) -> AsyncIterator[Place]:
    place = Place(token)
    await place.start()
    try:
        yield place
    finally:
        await place.stop()

"""`/v1/session`: the adaptor between a WebSocket and `streaming.connection.serve`.

Role: moves frames, nothing else. Host and Origin were checked before (see `server.security`); size
limits, pings and deadlines on the wire are the protocol class's (see `server.guards`).

Invariants: `receive` and `send` raise `Disconnected` once the peer is gone.

It does not know: what the frames mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from server.guards import LISTEN, SEND_NOW
from server.security import Gate, bearer
from streaming.connection import serve
from streaming.hub import Hub
from streaming.transport import Disconnected, Take

TURN = 16
"""Messages of one burst that are taken before everybody else has a turn: one packet can hold
thousands, and taking what is there already doesn't wait by itself."""

SendNow = Callable[[str | bytes, bytes], bool]
Listen = Callable[[Take], None]


class Socket:
    """One accepted WebSocket as a `streaming.transport.Transport`."""

    __slots__ = ("_closed", "_listen", "_now", "_receive", "_received", "_send")

    def __init__(
        self,
        receive: Receive,
        send: Send,
        now: SendNow | None = None,
        listen: Listen | None = None,
    ) -> None:
        self._receive = receive
        self._send = send
        self._now = now
        self._listen = listen
        self._closed = False
        self._received = 0

    def send_now(self, data: str | bytes, rest: bytes = b"") -> bool:
        """Send one frame if that needs no waiting; False where it wasn't sent."""
        return self._now is not None and not self._closed and self._now(data, rest)

    def listen(self, take: Take) -> None:
        """Offer frames to `take` as they come, where the server's protocol can do that."""
        if self._listen is not None:
            self._listen(take)

    async def receive(self) -> str | bytes:
        """The next frame; raises `Disconnected`."""
        if self._closed:
            raise Disconnected
        self._received += 1
        if self._received % TURN == 0:
            await asyncio.sleep(0)
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._closed = True
            raise Disconnected
        text = message.get("text")
        if isinstance(text, str):
            return text
        data: bytes = message["bytes"]
        return data

    async def send(self, data: str | bytes) -> None:
        """Send one frame; waits while the peer doesn't read; raises `Disconnected`."""
        if self._closed:
            raise Disconnected
        kind = "text" if isinstance(data, str) else "bytes"
        try:
            await self._send({"type": "websocket.send", kind: data})
        except OSError:
            self._closed = True
            raise Disconnected from None

    async def close(self, code: int, reason: str) -> None:
        """Close with `code`; harmless when the peer is gone."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except OSError:
            return


class SessionSocket:
    """The ASGI application behind the path: accepts, and gives the socket to the runtime."""

    def __init__(self, hub: Hub, gate: Gate) -> None:
        self._hub = hub
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        header = bearer(Headers(scope=scope))

        def authorize(token: str | None) -> None:
            self._gate.check_token(token if token is not None else header)

        connect = await receive()
        assert connect["type"] == "websocket.connect"
        try:
            await send({"type": "websocket.accept"})
        except OSError:
            return
        prompt = scope["extensions"]
        socket = Socket(receive, send, prompt.get(SEND_NOW), prompt.get(LISTEN))
        await serve(socket, self._hub, authorize=authorize)

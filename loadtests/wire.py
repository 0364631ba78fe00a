"""A WebSocket client that costs next to nothing, so that two cores measure the server.

Role: the opening handshake (RFC 6455), frames both ways, pongs, close; each whole message goes to
a callback together with the moment at which its last byte had arrived.

Invariants: no message is decoded here; nothing is queued in this process; the masking key is zero
(the RFC asks for a random one against proxies that cache; here there is none, and unmasking costs
the server the same).

It does not know: the protocol spoken over it, pictures.
"""

from __future__ import annotations

import asyncio
import base64
import os
import struct
import time
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
ROOM = 16 * 1024
"""Bytes of a connection's buffer at first: a thousand idle ones take little."""
OnMessage = Callable[[bool, bytes, float], None]
"""`on_message(binary, data, arrived)`; `arrived` in seconds of `time.perf_counter`."""


class Refused(RuntimeError):
    """The server answered the upgrade with something else than 101; `status` is its status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answered {status} to the upgrade")
        self.status = status


class Wire(asyncio.BufferedProtocol):
    """One connection. `closed` becomes the close code (1006 where the line just broke). What comes
    is received into one buffer and copied once, into the message."""

    def __init__(self, on_message: OnMessage) -> None:
        loop = asyncio.get_running_loop()
        self.on_message = on_message
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[int] = loop.create_future()
        self._transport: asyncio.Transport
        self._buffer = bytearray(ROOM)
        self._begin = self._end = 0  # of what came and wasn't taken
        self._parts = b""
        self._binary = False
        self._upgraded = False

    # --- what the owner calls -------------------------------------------------------------------

    def send(self, message: str | bytes) -> None:
        """Hand a whole message to the socket."""
        if isinstance(message, str):
            self._send(TEXT, message.encode())
        else:
            self._send(BINARY, message)

    async def close(self, code: int = 1000) -> None:
        """Say goodbye and wait for the answer, two seconds at most."""
        if not self.closed.done():
            self._send(CLOSE, struct.pack(">H", code))
            await asyncio.wait([self.closed], timeout=2.0)
        self._transport.abort()

    def abort(self) -> None:
        """Vanish: no close frame."""
        self._transport.abort()

    # --- what the loop calls --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._begin == self._end:
            self._begin = self._end = 0
        if len(self._buffer) - self._end < ROOM // 2:
            self._make_room()
        return memoryview(self._buffer)[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        self._end += nbytes
        if not self._upgraded and not self._upgrade():
            return
        while self._frame():
            pass

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionResetError("closed before it was open"))
        if not self.closed.done():
            self.closed.set_result(1006)

    # --- inside ---------------------------------------------------------------------------------

    def request(self, host: str, path: str) -> None:
        """Send the upgrade."""
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def _make_room(self) -> None:
        """Move what waits to the front; a buffer that it fills by half is doubled."""
        waiting = self._buffer[self._begin : self._end]
        if len(waiting) > len(self._buffer) // 2:
            self._buffer = bytearray(2 * len(self._buffer))
        self._buffer[: len(waiting)] = waiting
        self._begin, self._end = 0, len(waiting)

    def _upgrade(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n", 0, self._end)
        if end < 0:
            return False
        status = int(self._buffer[:end].split(b" ", 2)[1])
        self._begin = end + 4
        self._upgraded = True
        if not self.opened.done():
            if status == 101:
                self.opened.set_result(None)
            else:
                self.opened.set_exception(Refused(status))
        return status == 101

    def _frame(self) -> bool:
        """Take one frame out of the buffer, if it is whole."""
        buffer, begin, there = self._buffer, self._begin, self._end - self._begin
        if there < 2:
            return False
        size, start = buffer[begin + 1], 2
        if size == 126:
            size, start = int.from_bytes(buffer[begin + 2 : begin + 4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(buffer[begin + 2 : begin + 10], "big"), 10
        if there < start + size:
            return False
        first = buffer[begin]
        self._begin = begin + start + size
        payload = bytes(memoryview(buffer)[begin + start : self._begin])
        self._take(first & 15, bool(first & 128), payload)
        return True

    def _take(self, opcode: int, final: bool, payload: bytes) -> None:
        if opcode == PING:
            self._send(PONG, payload)
        elif opcode == CLOSE:
            code = int.from_bytes(payload[:2], "big") if payload else 1005
            if not self.closed.done():
                self.closed.set_result(code)
                self._send(CLOSE, payload[:2])
            self._transport.close()
        elif opcode != PONG:
            if opcode in (TEXT, BINARY):
                self._binary = opcode == BINARY
            if final and not self._parts:
                self.on_message(self._binary, payload, time.perf_counter())
                return
            self._parts += payload
            if final:
                whole, self._parts = self._parts, b""
                self.on_message(self._binary, whole, time.perf_counter())

    def _send(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            head = struct.pack(">BBI", 128 | opcode, 128 | size, 0)
        elif size < 65536:
            head = struct.pack(">BBHI", 128 | opcode, 254, size, 0)
        else:
            head = struct.pack(">BBQI", 128 | opcode, 255, size, 0)
        self._transport.write(head + payload)


async def connect(url: str, on_message: OnMessage, *, host: str = "") -> Wire:
    """Open a WebSocket at a ws:// url; `host` goes into the Host header where a relay stands
    between. Raises `OSError`, `Refused`, `TimeoutError`."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    async with asyncio.timeout(10.0):
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(lambda: Wire(on_message), parts.hostname, parts.port)
        wire.request(host or parts.netloc, parts.path or "/")
        await wire.opened
    return wire

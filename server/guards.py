"""The web server's two protocols, with the patience that they lack.

Role: closes what would otherwise be held for ever: a connection that says nothing or half a head,
a peer that stops reading while bytes wait for it, a close that is never answered. `close()` of a
transport waits until its bytes are gone, so the last resort is always a reset (`drop`).

Invariants: every wait for the peer on this level ends after `patience` seconds; what is kept of a
head, of waiting requests and of a message's pieces has an end.

It does not know: ASGI applications, sessions. Pings are uvicorn's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from struct import pack
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from streaming.transport import Take

SEND_NOW = "riverrun.send_now"
"""The ASGI extension under which a connection offers `send_now`."""
LISTEN = "riverrun.listen"
"""The ASGI extension under which a connection offers `listen`."""
BURST = 16
"""Messages of one packet that are handed over on the spot: a packet can hold thousands."""
TEXT, BINARY = 0x81, 0x82
"""First byte of a frame that is a whole message: FIN and the opcode."""
MAX_FRAGMENTS, FRAGMENT_BYTES = 1024, 1024
"""A message may come in so many pieces, and one more for each so many bytes of the longest message:
uvicorn keeps all pieces, and empty ones never reach the limit of bytes."""
QUIET_SECONDS = 0.25
"""So long after its last byte a peer whose message was refused is done with it."""
MAX_HEAD_BYTES = 64 * 1024
MAX_PIPELINE = 64
"""Requests that may wait for the one before; uvicorn would read and keep any number of them."""


class Patience:
    """One deadline: `start` it, `stop` it, or the transport is dropped."""

    __slots__ = ("_seconds", "_timer", "_transport")

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self.stop()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._seconds, drop, self._transport)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def drop(transport: asyncio.Transport) -> None:
    """End a connection now, by a reset: after a plain close the kernel would keep megabytes for a
    peer that doesn't read them."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError, ValueError):  # it may be closed already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class PatientHttp(HttpToolsProtocol):
    """HTTP/1.1: a head must come whole and soon and must end; what is answered must be read."""

    hello_seconds: ClassVar[float] = 10.0
    send_seconds: ClassVar[float] = 10.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._answered: RequestResponseCycle | None = None
        self._head_bytes = 0
        self._head: Patience | None = Patience(transport, self.hello_seconds)
        self._reading = Patience(transport, self.send_seconds)
        self._head.start()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_done()
        self._reading.stop()
        if self._answered is not None:
            self._answered.disconnected = True
            self._answered.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self._head
        super().data_received(data)
        if len(self.pipeline) > MAX_PIPELINE:
            drop(self.transport)
        if self._head is None or self._head is not before:
            return  # what came was a head's end, a body, or the next head's beginning
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
                                 b"connection: close\r\ncontent-length: 0\r\n\r\n")  # fmt: skip
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head is None:
            self._head = Patience(self.transport, self.hello_seconds)
            self._head.start()

    def on_headers_complete(self) -> None:
        self._head_done()
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # Of several requests in one packet uvicorn would tell only the last that the peer is gone.
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def _head_done(self) -> None:
        self._head_bytes = 0
        if self._head is not None:
            self._head.stop()
            self._head = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading.start()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reading.stop()


class PatientWebSocket(WebSocketsSansIOProtocol):
    """WebSocket: for failed handshakes, pings and closes without answer, peers that don't read,
    messages that never end."""

    hello_seconds: ClassVar[float] = 10.0
    send_seconds: ClassVar[float] = 10.0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._opening = Patience(transport, self.hello_seconds)
        self._reading = Patience(transport, self.send_seconds)
        self._closing = Patience(transport, self.send_seconds)
        self._opening.start()
        self._take: Take | None = None
        self._burst = 0
        self._quiet: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._take = None
        if self._quiet is not None:
            self._quiet.cancel()
        for patience in (self._opening, self._reading, self._closing):
            patience.stop()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading.start()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reading.stop()

    async def send(self, message: Any) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            self._opening.stop()
        elif kind == "websocket.close" and not self.disconnected:
            self._closing.start()
        elif kind == "websocket.send":
            await self.writable.wait()
            if self.close_sent:  # by a ping without answer, while this waited
                raise ClientDisconnected
        await super().send(message)
        if kind == "websocket.http.response.body" and self.close_sent:
            # A refusal is a complete answer too; uvicorn would log it as an error.
            self.handshake_complete = True

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.tasks:  # the application was started; it begins to run later
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[SEND_NOW] = self.send_now
            extensions[LISTEN] = self.listen

    def handle_cont(self, event: Any) -> None:
        if self.close_sent:
            return
        if len(self.frames) < MAX_FRAGMENTS + self.config.ws_max_size // FRAGMENT_BYTES:
            super().handle_cont(event)
            return
        self.frames = []
        self.conn.fail(1009, "too many fragments")
        self.handle_parser_exception()

    def listen(self, take: Take) -> None:
        """Offer each message to `take` in the turn that brings it, unless others wait before it:
        uvicorn's queue, its pause and resume of reading and a task's step cost several times what
        an acknowledgement does."""
        self._take = take

    def data_received(self, data: bytes) -> None:
        if self._quiet is not None:
            self._linger()
            return
        self._burst = BURST
        super().data_received(data)

    def send_receive_event_to_app(self) -> None:
        if self._taken():
            self.frames = []
        else:
            super().send_receive_event_to_app()

    def _taken(self) -> bool:
        """Whether the message that is there was handled on the spot."""
        take, text = self._take, self.curr_msg_data_type == "text"
        if take is None or not text or self._burst <= 0 or len(self.frames) != 1:
            return False
        self._burst -= 1
        if self.close_sent or not self.queue.empty():
            return False
        try:
            frame = self.frames[0].decode()
        except UnicodeDecodeError:
            return False  # answered the long way
        return take(frame)

    def send_now(self, data: str | bytes, rest: bytes) -> bool:
        """Send a whole message if that needs no waiting: its header, `data`, and (for bytes) `rest`
        as it is, for the transport to write together. False where it must be sent the long way,
        which takes two tasks' steps and copies of 64 kB: more than all the rest of sending a
        picture. RFC 6455, 5.2; a server doesn't mask, and no extension is on."""
        plain = self.handshake_complete and not self.close_sent and self.conn.state is State.OPEN
        if not plain or self.disconnected or not self.writable.is_set():
            return False
        first, payload = (TEXT, data.encode()) if isinstance(data, str) else (BINARY, data)
        size = len(payload) + len(rest)
        if size < 126:
            head = bytes((first, size))
        elif size < 65536:
            head = pack(">BBH", first, 126, size)
        else:
            head = pack(">BBQ", first, 127, size)
        self.transport.writelines((head + payload, rest) if rest else (head, payload))
        return True

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._closing.start()

    def handle_parser_exception(self) -> None:
        """Say why, read on without looking until the peer is done with what it was saying, and only
        then end: closing a socket that holds unread bytes resets it, and the peer, in the middle of
        its message, would see that before the close frame."""
        close = self.conn.close_sent
        assert close is not None
        self.close_sent = True
        disconnect = {"type": "websocket.disconnect", "code": close.code, "reason": close.reason}
        self.queue.put_nowait(disconnect)  # type: ignore[arg-type]
        # uvicorn's own close would come when the application is done, unless a timer is set.
        self.close_timer = self.loop.call_later(self.send_seconds, drop, self.transport)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.resume_reading()
        self._linger()

    def _linger(self) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
        self._quiet = self.loop.call_later(QUIET_SECONDS, self._end)

    def _end(self) -> None:
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():  # what comes even now is read; the peer closes
            self.transport.write_eof()
        else:
            self.transport.close()

    def shutdown(self) -> None:
        super().shutdown()
        self._closing.start()


def protocols(
    hello_seconds: float, send_seconds: float
) -> tuple[type[PatientHttp], type[PatientWebSocket]]:
    """The two protocol classes with these deadlines, as uvicorn wants them."""
    patience = {"hello_seconds": hello_seconds, "send_seconds": send_seconds}
    http = type("PatientHttp", (PatientHttp,), dict(patience))
    socket = type("PatientWebSocket", (PatientWebSocket,), dict(patience))
    return http, socket

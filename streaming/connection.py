"""One connection's whole life: hello, edits in, pictures out, and a clean end whatever happens.

Role: the protocol's state machine over a `Transport`. A reader that never waits for a model, and a
writer (`writer.py`) that never sends a picture without a credit.

Invariants:
- `TABLE` names every message that is legal in each phase; everything else is the client's error.
- A malformed message or a refused edit is answered and costs nothing else; errors with a close code
  end the connection; nothing a client does raises out of `serve`.
- After `serve` nothing is left: no task, no viewer, no demand.

It does not know: HTTP, which socket carries it, the engine.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Any

from streaming.codecs import check_picture, decode_picture
from streaming.describe import model_info
from streaming.errors import (
    BadEdit,
    BadMessage,
    HelloExpected,
    RiverrunError,
    UnsupportedVersion,
)
from streaming.hosting import Hosted
from streaming.hub import Hub
from streaming.protocol import (
    VERSION,
    Ack,
    Clear,
    ClientFrame,
    Demand,
    End,
    Error,
    Hello,
    Params,
    PictureEdit,
    Ping,
    Pong,
    Redo,
    Undo,
    Welcome,
    decode_client_binary,
    decode_client_text,
    edit_id,
    encode_text,
    error_message,
)
from streaming.session import Edit, Painted, Session
from streaming.transport import Disconnected, PromptSource, Transport
from streaming.writer import Leave, Writer

__all__ = ["Disconnected", "Transport", "serve"]

log = logging.getLogger("riverrun.connection")

INLINE_PIXELS = 64 * 64
"""A picture of at most so many pixels is decoded on the spot: cheaper than a thread's hand-over."""
INLINE_BYTES = 4 * INLINE_PIXELS
"""And of at most so many bytes, about as many as its pixels have: more can't be an ordinary one."""

Authorize = Callable[[str | None], None]


class Phase(Enum):
    """Where a connection is in its life."""

    AWAITING_HELLO = auto()
    WAITING_MODEL = auto()
    OPEN = auto()
    CLOSED = auto()

    __hash__ = object.__hash__  # an enum's own is Python code, and `TABLE` is asked for every frame


class TooLarge(BadMessage):
    """A message over the limit."""

    close = 1009


class TooManyBad(BadMessage):
    """A client that speaks something else."""

    close = 4400


class TooEarly(RiverrunError):
    """An edit before `welcome`: there is no session yet that it could be part of."""

    code = "not_ready"
    retryable = True
    remedy = "Wait for welcome, then send the edit again."


async def serve(transport: Transport, hub: Hub, *, authorize: Authorize) -> None:
    """Serve one connection until it is over. `authorize` gets hello's token and raises
    `Unauthorized`. Raises nothing for a client's fault; closes the transport itself."""
    connection = _Connection(transport, hub, authorize)
    reason = "left"
    hub.observer.connected()
    try:
        await connection.run()
    except* Disconnected:
        pass
    except* Exception as group:
        reason = await _farewell(transport, hub, _cause(group))
    finally:
        connection.leave()
        hub.observer.disconnected(reason)


def _cause(group: BaseExceptionGroup[Any]) -> BaseException:
    """The first real error of a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _farewell(transport: Transport, hub: Hub, error: BaseException) -> str:
    """Say why and close; gives up where the client doesn't listen. Returns the reason's code."""
    if isinstance(error, Leave):
        notice, code, close = None, error.reason, error.close
    elif isinstance(error, RiverrunError):
        notice, code, close = error_message(error), error.code, error.close or 1011
        hub.observer.refused(code)
    else:
        log.error("a connection failed", exc_info=error)
        notice, code, close = Error("internal", "the server failed here"), "internal", 1011
    try:
        async with asyncio.timeout(hub.limits.close_seconds):
            if notice is not None:
                await transport.send(encode_text(notice))
            await transport.close(close, code)
    except (Disconnected, TimeoutError):
        pass
    return code


class _Connection:
    """The reader's side, and what both sides share."""

    def __init__(self, transport: Transport, hub: Hub, authorize: Authorize) -> None:
        self._transport = transport
        self._hub = hub
        self._authorize = authorize
        self._phase = Phase.AWAITING_HELLO
        self._hello = Hello(VERSION)
        self._bad = 0
        self._hosted: Hosted | None = None
        self._writer = Writer(transport, hub)
        self._tasks = asyncio.TaskGroup()
        self._received = 0.0
        self._busy = False

    async def run(self) -> None:
        """Read and write until either ends, with an exception in every case."""
        async with self._tasks:
            self._tasks.create_task(self._read())
            self._tasks.create_task(self._writer.run())

    def leave(self) -> None:
        """Take every trace of this connection out of the hub."""
        self._phase = Phase.CLOSED
        self._writer.close()
        self._hub.leave(self._writer)
        if self._hosted is not None:
            self._hosted.detach(self._writer)

    # --- reading --------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(self._hub.limits.hello_seconds):
                while self._phase is Phase.AWAITING_HELLO:
                    await self._take(await self._transport.receive())
        except TimeoutError:
            raise HelloExpected("no hello came in time") from None
        if isinstance(self._transport, PromptSource):
            self._transport.listen(self._take_now)
        while True:
            await self._take(await self._transport.receive())

    def _take_now(self, frame: str | bytes) -> bool:
        """Handle a text frame on the spot if nothing is before it and nothing is wrong with it.
        What is refused is read again by `_take`, which answers: refusing twice changes nothing."""
        if self._busy or self._phase is not Phase.OPEN or not isinstance(frame, str):
            return False
        self._received = self._hub.clock()
        try:
            message = self._decode(frame)
            self._handler(message)(self, message)
        except RiverrunError:
            return False
        except Exception as error:  # the connection's edge: `serve` says farewell
            self._writer.fail(error)
        self._bad = 0
        return True

    async def _take(self, frame: str | bytes) -> None:
        """Handle one frame; what is wrong with it is answered, or ends the connection."""
        self._busy = True
        try:
            await self._take_in_turn(frame)
        finally:
            self._busy = False

    async def _take_in_turn(self, frame: str | bytes) -> None:
        self._received = self._hub.clock()
        message = None
        try:
            message = self._decode(frame)
            await self._handle(message)
            self._bad = 0
        except RiverrunError as error:
            if error.close is not None:
                raise
            self._refuse(error, edit_id(frame) if message is None else _id(message))

    def _decode(self, frame: str | bytes) -> ClientFrame:
        limit = self._hub.limits.max_message_bytes
        if len(frame) > limit:
            raise TooLarge(f"a message of {len(frame)} bytes, at most {limit} are taken")
        if isinstance(frame, str):
            return decode_client_text(frame)
        return decode_client_binary(frame)

    async def _handle(self, message: ClientFrame) -> None:
        waiting = self._handler(message)(self, message)
        if waiting is not None:
            await waiting

    def _handler(self, message: ClientFrame) -> Handler:
        handler = TABLE.get((self._phase, type(message)))
        if handler is None:
            if self._phase is Phase.AWAITING_HELLO:
                raise HelloExpected("the first message must be hello")
            if self._phase is Phase.WAITING_MODEL and _id(message) is not None:
                raise TooEarly("the session isn't open yet: no edit can come before welcome")
            raise BadMessage(f"{type(message).__name__} isn't expected here")
        return handler

    def _refuse(self, error: RiverrunError, id: int | None) -> None:
        self._hub.observer.refused(error.code)
        if isinstance(error, BadMessage):
            self._bad += 1
            if self._bad >= self._hub.limits.bad_messages:
                raise TooManyBad(f"{self._bad} messages in a row weren't of this protocol")
        self._writer.reply(error_message(error, id=id))

    # --- the table's handlers -------------------------------------------------------------------

    def _on_hello(self, hello: Hello) -> None:
        if hello.version != VERSION:
            raise UnsupportedVersion(f"version {hello.version} isn't spoken here, {VERSION} is")
        self._authorize(hello.token)
        self._hello = hello
        self._phase = Phase.WAITING_MODEL
        self._writer.greet(hello)
        self._hub.join(self._writer)
        if self._hub.known_specs or hello.session is not None:
            self._open()
        else:
            self._tasks.create_task(self._open_later())

    async def _open_later(self) -> None:
        await self._hub.specs()
        self._open()

    def _open(self) -> None:
        hub, hello = self._hub, self._hello
        resumed = hello.session is not None
        if hello.session is not None:
            session = hub.resume(hello.session, hello.secret or "")
        else:
            session = hub.open(hello.model)
        self._hosted = hosted = hub.attach(session, self._writer)
        self._writer.reply(
            Welcome(
                VERSION, session.id, session.secret, resumed, session.revision,
                session.last_edit(hello.client), session.params, session.canvas is not None,
                session.history, model_info(session.spec), hub.limits.keep_seconds,
                hub.limits.max_message_bytes,
            )
        )  # fmt: skip
        self._writer.show(hosted)
        self._phase = Phase.OPEN

    def _on_edit(self, edit: Params | Clear | Undo | Redo) -> None:
        if not self._answered(edit.id):
            passing = isinstance(edit, Params) and edit.passing
            self._apply(edit, "passing" if passing else type(edit).__name__.lower())

    async def _on_picture(self, edit: PictureEdit) -> None:
        if self._answered(edit.id):
            return
        try:
            painted = await self._decoded(edit)
        except BadEdit as error:
            self._session().refuse(edit.id, error, self._hello.client)
            raise
        self._apply(painted, "tile" if edit.tile else "canvas")

    async def _decoded(self, edit: PictureEdit) -> Painted:
        spec = self._session().canvas_spec()
        header = check_picture(
            edit.data, spec, x=edit.x, y=edit.y, tile=edit.tile,
            max_pixels=self._hub.limits.max_picture_pixels,
        )  # fmt: skip
        small = header.width * header.height <= INLINE_PIXELS
        if small and len(edit.data) <= INLINE_BYTES:
            pixels = decode_picture(edit.data, header, spec.background)
        else:
            pixels = await self._hub.encoder.run(
                lambda: decode_picture(edit.data, header, spec.background)
            )
        return Painted(edit.id, edit.group, edit.x, edit.y, edit.tile, pixels)

    def _answered(self, id: int) -> bool:
        """Whether this edit was answered before: then it is answered again, and that is all."""
        again = self._session().answered(id, self._hello.client)
        if again is not None:
            self._writer.reply(again)
        return again is not None

    def _apply(self, edit: Edit, kind: str) -> None:
        assert self._hosted is not None
        accepted = self._hosted.edit(edit, self._hello.client, self._received, self._writer)
        self._hub.observer.edit(kind)
        self._writer.reply(accepted)

    def _on_demand(self, demand: Demand) -> None:
        self._writer.demand(demand)

    def _on_ack(self, ack: Ack) -> None:
        self._writer.ack(ack.sequence)

    def _on_ping(self, ping: Ping) -> None:
        self._writer.reply(Pong(ping.at, self._received * 1000))

    def _on_end(self, end: End) -> None:
        assert self._hosted is not None
        self._hub.end(self._hosted.session, "ended")

    def _session(self) -> Session:
        assert self._hosted is not None
        return self._hosted.session


def _id(message: ClientFrame) -> int | None:
    """The edit id of a message that is an edit."""
    return getattr(message, "id", None)


Handler = Callable[[_Connection, Any], Awaitable[None] | None]

TABLE: dict[tuple[Phase, type], Handler] = {
    (Phase.AWAITING_HELLO, Hello): _Connection._on_hello,
    (Phase.WAITING_MODEL, Demand): _Connection._on_demand,
    (Phase.WAITING_MODEL, Ping): _Connection._on_ping,
    (Phase.OPEN, Params): _Connection._on_edit,
    (Phase.OPEN, Clear): _Connection._on_edit,
    (Phase.OPEN, Undo): _Connection._on_edit,
    (Phase.OPEN, Redo): _Connection._on_edit,
    (Phase.OPEN, PictureEdit): _Connection._on_picture,
    (Phase.OPEN, Demand): _Connection._on_demand,
    (Phase.OPEN, Ack): _Connection._on_ack,
    (Phase.OPEN, Ping): _Connection._on_ping,
    (Phase.OPEN, End): _Connection._on_end,
}

"""The Python client: a session that draws, watches, and heals by itself.

    async with connect("http://localhost:8000") as session:
        await session.edit(prompt="sunset, winter", seed=7)
        async for frame in session.frames():
            frame.image().save("painting.png")

Role: one `ClientSession` over as many connections as it takes. A lost one is made again, with
growing pauses; edits that weren't accepted are sent again; a server that forgot the session gets
its parameters and canvas anew.

Invariants:
- The consumer's pace is the server's: a frame is acknowledged when the next one is asked for.
- Frames never go back: one older than what was given out is dropped.
- Everything runs in one task, which ends with the context manager.

It does not know: models, the server's own types; it needs neither torch nor a GPU.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets as words
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import msgspec
import numpy as np
from websockets.exceptions import WebSocketException

from streaming.client_frames import Frame, Frames
from streaming.client_inputs import (
    Drawing,
    address,
    checked,
    corner,
    encoded,
    gesture,
    typed_error,
)
from streaming.client_link import Hop, converse
from streaming.client_memory import Edit, Memory, wire
from streaming.errors import BadMessage, RiverrunError, UnknownSession, WrongSecret
from streaming.protocol import (
    VERSION,
    Accepted,
    Ack,
    CanvasState,
    Clear,
    Demand,
    DrainingNotice,
    End,
    Ended,
    Error,
    Format,
    Hello,
    HistoryInfo,
    ModelInfo,
    Moved,
    Params,
    ParamValue,
    PictureEdit,
    PictureFrame,
    Redo,
    ServerFrame,
    State,
    Status,
    Undo,
    Welcome,
    encode_text,
)

__all__ = ["ClientSession", "Frame", "connect"]

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0


class ClientSession:
    """Made by `connect`. Its errors are those of `streaming.errors`."""

    def __init__(self, url: str, hello: Hello) -> None:
        self._url = address(url)
        self._hello = hello
        self._memory = Memory(hello.session, hello.secret)
        self._frames = Frames()
        self._outgoing: asyncio.Queue[str | bytes] | None = None
        self._greeted = hello  # as it was sent: its welcome may come long after it
        self._told: RiverrunError | None = None
        self._pause = FIRST_PAUSE
        self._over = False
        self._ended = asyncio.Event()
        self._groups = 2**31
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.status = Status("warming", "connecting")

    # --- what is known --------------------------------------------------------------------------

    @property
    def params(self) -> dict[str, ParamValue]:
        """Every parameter's value, as last accepted."""
        return dict(self._memory.params)

    @property
    def revision(self) -> int:
        """The newest revision that the server told of."""
        return self._memory.revision

    @property
    def history(self) -> HistoryInfo:
        """How much can be undone and redone."""
        return self._memory.history

    @property
    def canvas(self) -> bytes | None:
        """The canvas as last accepted, encoded, or None: the model decides."""
        return self._memory.canvas

    @property
    def model(self) -> ModelInfo:
        """The model: its parameters, canvas size, palette and vocabulary."""
        assert self._memory.model is not None
        return self._memory.model

    @property
    def session(self) -> str:
        """The session's id; `secret` and it bring anybody back to it."""
        return self._memory.session or ""

    @property
    def secret(self) -> str:
        """The session's secret."""
        return self._memory.secret or ""

    @property
    def connected(self) -> bool:
        """Whether there is a connection right now."""
        return self._outgoing is not None

    # --- edits ----------------------------------------------------------------------------------

    async def edit(
        self,
        *,
        canvas: Drawing | None = None,
        tile: tuple[int, int, Drawing] | None = None,
        group: int = 0,
        passing: bool = False,
        **params: ParamValue | np.generic,
    ) -> int:
        """Change parameters, the canvas, or a part of it at (x, y, picture); the revision that
        the server made of it. Edits with one `group` are undone together, and so is one call.
        `passing`: the parameters hold until the next edit, which begins from what was before, and
        undo knows nothing of them.

        Raises the server's `BadEdit` (`BadPicture`, `WrongSize`) for what it refuses, and the same
        before anything is sent for what can't be on the wire: `nan`, `None`, lists. While the
        connection is lost it waits: what isn't accepted is sent again.
        """
        values, group = checked(params), gesture(group)
        pictures: list[tuple[int, int, bool, bytes]] = []
        if canvas is not None:
            pictures.append((0, 0, False, await asyncio.to_thread(encoded, canvas)))
        if tile is not None:
            x, y = corner(tile[0], tile[1])
            pictures.append((x, y, True, await asyncio.to_thread(encoded, tile[2])))
        if not pictures and not values:
            raise ValueError("an edit that changes nothing: give parameters, a canvas or a tile")
        if pictures and passing:
            raise ValueError("only parameters can be passing")
        group = group or self._new_group()
        edits: list[Edit] = [PictureEdit(self._id(), group, *p) for p in pictures]
        if values:
            edits.append(Params(self._id(), values, group, passing))
        return max(await asyncio.gather(*self._send(*edits)))

    async def clear(self, group: int = 0) -> int:
        """Take the canvas away; the revision."""
        return await self._send(Clear(self._id(), gesture(group)))[0]

    async def undo(self) -> int:
        """Take back the newest gesture; the revision. Raises `NothingToUndo`."""
        return await self._send(Undo(self._id()))[0]

    async def redo(self) -> int:
        """Do again what was undone; the revision. Raises `NothingToUndo`."""
        return await self._send(Redo(self._id()))[0]

    def demand(self, pictures: bool, previews: bool = True) -> None:
        """What is wanted from now on; nothing is rendered for who wants nothing."""
        self._hello = msgspec.structs.replace(self._hello, pictures=pictures, previews=previews)
        self._say(encode_text(Demand(pictures, previews)))

    def frames(self) -> Frames:
        """The pictures as they come, newest first and never an older one: `async for`.

        Ends when the session does. Raises `JobFailed` for a job that the model failed; the
        session goes on, and so may the loop.
        """
        return self._frames

    async def close(self, *, keep: bool) -> None:
        """End the session, or (`keep`) only the connection to it."""
        if not keep and self._outgoing is not None:
            self._say(encode_text(End()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    await self._ended.wait()
        self._finish(None)

    def _id(self) -> int:
        return self._memory.next_id()

    def _new_group(self) -> int:
        self._groups += 1
        return self._groups

    def _send(self, *edits: Edit) -> list[asyncio.Future[int]]:
        """Send edits, now or as soon as there is a connection; the revision of each."""
        loop = asyncio.get_running_loop()
        frames = [wire(edit) for edit in edits]  # one that can't be written is never pending
        answers: list[asyncio.Future[int]] = [loop.create_future() for _ in edits]
        for edit, frame, answer in zip(edits, frames, answers, strict=True):
            if self._over:
                answer.set_exception(UnknownSession("the session is over"))
            else:
                self._memory.add(edit, answer)
                self._say(frame)
        return answers

    def _say(self, frame: str | bytes) -> None:
        if self._outgoing is not None:
            self._outgoing.put_nowait(frame)

    # --- the task behind it ---------------------------------------------------------------------

    async def run(self) -> None:
        """Connect, and connect again, until the session is over. `connect` runs this."""
        while not self._over:
            self._told = None
            try:
                code, lost = await self._connection(), None
            except (OSError, TimeoutError, WebSocketException, RiverrunError) as error:
                code, lost = 1006, error
            self._outgoing = None
            self._judge(code, lost)
            if not self._over:
                await self._rest()

    async def _connection(self) -> int:
        outgoing: asyncio.Queue[str | bytes] = asyncio.Queue()

        def hear(frame: ServerFrame) -> None:
            self._hear(frame, outgoing)

        self._greeted = self._greeting()
        return await converse(self._url, self._greeted, outgoing, hear)

    def _greeting(self) -> Hello:
        memory = self._memory
        return msgspec.structs.replace(self._hello, session=memory.session, secret=memory.secret)

    def _judge(self, code: int, lost: Exception | None) -> None:
        """The connection is gone: is the session over, gone as well, or only to be resumed?"""
        told = self._told if code == 1009 or code >= 1013 else None
        if not self.opened.done():
            self._finish(self._told or lost or ConnectionError(f"closed with {code}"))
        elif self._ended.is_set():
            self._finish(None)
        elif isinstance(told, UnknownSession | WrongSecret) and self._memory.session:
            self._memory.forget()
            self._pause = 0.0
        elif _final(told or lost):
            self._finish(told or lost)

    async def _rest(self) -> None:
        """A pause before the next try: longer each time, and never the same for two clients."""
        self.status = Status("busy", "reconnecting")
        pause, self._pause = self._pause, min(max(self._pause, FIRST_PAUSE) * 2, LONGEST_PAUSE)
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))

    def stopped(self, task: asyncio.Task[None]) -> None:
        """The task behind it ended: nobody waits for it in vain."""
        self._finish(None if task.cancelled() else cast(Exception | None, task.exception()))

    def _finish(self, error: Exception | None) -> None:
        if self._over:
            return
        self._over = True
        self._frames.finish(error or StopAsyncIteration())
        self._memory.fail(error or UnknownSession("the session is over"))
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionError("closed before it opened"))

    def _hear(self, frame: ServerFrame, outgoing: asyncio.Queue[str | bytes]) -> None:
        self._told = None  # only the very last message says why a connection is closed
        match frame:
            case Welcome():
                self._welcome(frame, outgoing)
            case PictureFrame():
                self._frames.put(frame)
            case Accepted():
                self._memory.accepted(frame)
            case State():
                self._memory.state(frame)
            case CanvasState():
                self._memory.canvas_state(frame)
            case Error():
                self._refused(frame)
            case Status():
                self.status = frame
            case DrainingNotice():
                self._pause = frame.retry_seconds
            case Moved():
                self._url, self._pause = address(frame.url), 0.0
                raise Hop
            case Ended():
                self._ended.set()

    def _welcome(self, welcome: Welcome, outgoing: asyncio.Queue[str | bytes]) -> None:
        """From now on edits go out, those first that weren't answered."""
        fresh = welcome.session != self._memory.session
        self._memory.welcome(welcome)
        self._frames.renew(lambda n: outgoing.put_nowait(encode_text(Ack(n))), fresh=fresh)
        hello = self._hello
        if (hello.pictures, hello.previews) != (self._greeted.pictures, self._greeted.previews):
            outgoing.put_nowait(encode_text(Demand(hello.pictures, hello.previews)))
        for edit in self._memory.unanswered():
            outgoing.put_nowait(edit)
        self._outgoing = outgoing
        self._pause = FIRST_PAUSE
        if self.status.stage in ("connecting", "reconnecting"):
            self.status = Status("ready")
        if not self.opened.done():
            self.opened.set_result(None)

    def _refused(self, message: Error) -> None:
        error = typed_error(message)
        if message.id is not None:
            self._memory.refused(message.id, error)
        elif message.revision is not None:
            self._frames.fail(error)
        else:
            self._told = error
            if isinstance(error, BadMessage) and self._outgoing is not None:
                self._memory.oldest_refused(error)


def _final(error: Exception | None) -> bool:
    """Whether trying again can't help: the server said so, and not of a failure of its own."""
    typed = isinstance(error, RiverrunError)
    return typed and not error.retryable and error.code != RiverrunError.code  # type: ignore[union-attr]


@asynccontextmanager
async def connect(
    url: str,
    *,
    token: str | None = None,
    model: str | None = None,
    session: str | None = None,
    secret: str | None = None,
    pictures: bool = True,
    previews: bool = True,
    credits: int = 2,
    format: Format = "jpeg",
    quality: int = 80,
    keep: bool | None = None,
) -> AsyncIterator[ClientSession]:
    """A session on the server at `url`, or the one that `session` and `secret` name.

    Raises OSError where nobody listens, and the server's own error where it refuses. When the
    block ends the session does too, unless `keep` (the default for one that was there before).
    """
    hello = Hello(
        VERSION, words.token_hex(8), session, secret, model, token, credits, format, quality,
        pictures, previews,
    )  # fmt: skip
    client = ClientSession(url, hello)
    task = asyncio.create_task(client.run())
    task.add_done_callback(client.stopped)
    try:
        await client.opened
        yield client
    finally:
        await client.close(keep=session is not None if keep is None else keep)
        task.cancel()
        await asyncio.wait([task])

"""Headless users: they draw, they acknowledge, they write down what came and when.

Role: one `User` is one connection of the protocol. How it draws is one of its verbs: at a fixed
rate, one edit at a time, or an edit for each picture of a certain step. `Log` holds what happened
and answers the questions that the figures ask.

Invariants: a picture is acknowledged when its last byte has arrived, before anything is counted;
nothing is analysed while the clock runs; times are seconds of `time.perf_counter`.

It does not know: which server it talks to, goals, models.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal

from loadtests.drawings import Drawing
from loadtests.wire import Wire, connect
from streaming import protocol
from streaming.protocol import PictureEdit, PictureFrame, StageTimes

PATIENCE = 60.0
"""Seconds that a user waits for an answer before the run is called broken."""

EditKind = Literal["strokes", "seed"]


class Refusal(RuntimeError):
    """The server sent an error message that the scenario didn't expect."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A picture, without its bytes: `at` when its last byte had arrived."""

    at: float
    revision: int
    step: int
    final: bool
    size: int
    received: float
    sent: float
    times: StageTimes


@dataclass(slots=True)
class Log:
    """What one user did and saw. `sent` and `accepted` by edit id."""

    sent: dict[int, float] = field(default_factory=dict)
    accepted: dict[int, int] = field(default_factory=dict)
    pictures: list[Arrival] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def between(self, start: float, end: float) -> list[Arrival]:
        """The pictures that arrived in this time."""
        return [picture for picture in self.pictures if start <= picture.at < end]

    def latencies(self, *, shown: bool = False, since: float = 0.0) -> list[float]:
        """Milliseconds from each edit to the first picture of its revision or a later one; with
        `shown` only of edits whose own revision was shown. Edits without an answer don't count:
        a scenario ends by waiting for its last answer (`User.settle`)."""
        newest = list(accumulate((picture.revision for picture in self.pictures), max))
        found = []
        for edit, revision in self.accepted.items():
            place = bisect_left(newest, revision)
            if self.sent[edit] < since or place == len(newest):
                continue
            if not shown or self.pictures[place].revision == revision:
                found.append((self.pictures[place].at - self.sent[edit]) * 1000)
        return found


class User:
    """One connection. `previews` false asks for finals only; `pictures` false for none."""

    def __init__(
        self,
        drawing: Drawing,
        *,
        edits: EditKind = "strokes",
        params: dict[str, protocol.ParamValue] | None = None,
        credits: int = 2,
        pictures: bool = True,
        previews: bool = True,
    ) -> None:
        self.log = Log()
        self.drawing, self.edits, self.params = drawing, edits, params or {}
        self.hello = protocol.Hello(
            protocol.VERSION, "loadtests", credits=credits, pictures=pictures, previews=previews
        )
        self.on_picture: Callable[[PictureFrame], None] = lambda frame: None
        self.offset_ms = 0.0
        self.welcome: protocol.Welcome | None = None
        self._wire: Wire
        self._news = asyncio.Event()
        self._next = 1
        self._drawn = 0
        self._base = 0
        self._shown = 0
        self._finished = 0
        self._pong: protocol.Pong | None = None

    # --- life -----------------------------------------------------------------------------------

    async def connect(self, url: str, *, host: str = "") -> User:
        """Say hello, wait for the welcome, set the parameters, learn the server's clock."""
        self._wire = await connect(url, self._message, host=host)
        self._wire.send(protocol.encode_text(self.hello))
        await self.until(lambda: self.welcome is not None)
        assert self.welcome is not None
        revision = self.welcome.revision
        if self.params:
            edit = self._edit(protocol.encode_text(protocol.Params(self._next, self.params)))
            await self.until(lambda: edit in self.log.accepted)
            revision = self.log.accepted[edit]
        self._base = revision - (self._next - 1)
        await self._synchronise()
        return self

    async def close(self, *, end: bool = True) -> None:
        """Leave; with `end` the session ends as well."""
        if end and not self._wire.closed.done():
            self._wire.send(protocol.encode_text(protocol.End()))
        await self._wire.close()

    def vanish(self) -> None:
        """Leave without a word."""
        self._wire.abort()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what messages bring, `PATIENCE` at most; raises `TimeoutError`, `Refusal`,
        `ConnectionError`."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                if self._wire.closed.done():
                    raise ConnectionResetError(f"closed with {self._wire.closed.result()}")
                self._news.clear()
                await self._news.wait()
                if self.log.errors:
                    raise Refusal(self.log.errors[0])

    async def settle(self) -> None:
        """Wait until the newest edit has its final picture."""
        newest = self._base + self._next - 1
        await self.until(lambda: self._finished >= newest and not self._unanswered)

    @property
    def _unanswered(self) -> bool:
        return len(self.log.accepted) < len(self.log.sent)

    def forget(self) -> Log:
        """Begin a new log; the old one."""
        old, self.log = self.log, Log()
        return old

    # --- verbs ----------------------------------------------------------------------------------

    def edit(self) -> int:
        """Send the next edit of the drawing, which is cleared at its end and begun again; return
        its id. Each of these edits changes something, so each makes one revision."""
        edit = self._next
        if self.edits == "seed":
            return self._edit(protocol.encode_text(protocol.Params(edit, {"seed": edit})))
        turn, place = divmod(self._drawn, len(self.drawing.tiles) + 1)
        self._drawn += 1
        if place == len(self.drawing.tiles):
            return self._edit(protocol.encode_text(protocol.Clear(edit)))
        tile = self.drawing.tiles[place]
        group = turn * 1000 + tile.stroke
        return self._edit(
            protocol.encode_picture_edit(PictureEdit(edit, group, tile.x, tile.y, True, tile.data))
        )

    def whole_canvas(self) -> int:
        """Send the finished drawing as one canvas; return the edit's id."""
        edit = PictureEdit(self._next, 0, 0, 0, False, self.drawing.pngs[-1])
        return self._edit(protocol.encode_picture_edit(edit))

    async def draw(self, rate: float, seconds: float) -> None:
        """`rate` edits/s, whatever the server does; late ones aren't left out."""
        start = time.perf_counter()
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
            self.edit()

    async def one_by_one(self, count: int, rest: float) -> None:
        """`count` single edits, each `rest` seconds after the final of the last."""
        for _ in range(count):
            finals = self.finals
            self.edit()
            await self.until(lambda before=finals: self.finals > before)  # type: ignore[misc]
            await asyncio.sleep(rest)

    async def on_step(self, step: int, seconds: float) -> None:
        """Send the next edit whenever the newest one's picture of this step (or a later one, where
        that one was left out) arrives."""

        def answer(frame: PictureFrame) -> None:
            if frame.step >= step and frame.revision >= self._base + self._next - 1:
                self.edit()

        self.on_picture = answer
        self.edit()
        await asyncio.sleep(seconds)
        self.on_picture = lambda frame: None

    @property
    def finals(self) -> int:
        """How many final pictures have come."""
        return sum(picture.final for picture in self.log.pictures)

    # --- inside ---------------------------------------------------------------------------------

    def _edit(self, message: str | bytes) -> int:
        edit = self._next
        self._next += 1
        self.log.sent[edit] = time.perf_counter()
        self._wire.send(message)
        return edit

    def _message(self, binary: bool, data: bytes, at: float) -> None:
        if binary:
            self._picture(data, at)
        else:
            self._text(protocol.decode_server_text(data))
        self._news.set()

    def _picture(self, data: bytes, at: float) -> None:
        frame = protocol.decode_server_binary(data)
        if not isinstance(frame, PictureFrame):
            return
        self._wire.send(f'{{"type":"ack","sequence":{frame.sequence}}}')
        self._shown = max(self._shown, frame.revision)
        if frame.final:
            self._finished = max(self._finished, frame.revision)
        self.log.pictures.append(_arrival(frame, at))
        self.on_picture(frame)

    def _text(self, message: protocol.ServerMessage) -> None:
        if isinstance(message, protocol.Accepted):
            self.log.accepted[message.id] = message.revision
        elif isinstance(message, protocol.Error):
            self.log.errors.append(f"{message.code}: {message.message}")
        elif isinstance(message, protocol.Welcome):
            self.welcome = message
        elif isinstance(message, protocol.Pong):
            self._pong = message

    async def _synchronise(self) -> None:
        """The server's clock minus ours, in ms, from the fastest of five pings."""
        best = float("inf")
        for _ in range(5):
            self._pong = None
            sent = time.perf_counter()
            self._wire.send(protocol.encode_text(protocol.Ping(sent)))
            await self.until(lambda: self._pong is not None)
            trip = time.perf_counter() - sent
            if trip < best and self._pong is not None:
                best, self.offset_ms = trip, self._pong.server - (sent + trip / 2) * 1000


def _arrival(frame: PictureFrame, at: float) -> Arrival:
    return Arrival(
        at, frame.revision, frame.step, frame.final, len(frame.data),
        frame.received, frame.sent, frame.times,
    )  # fmt: skip

"""The writing half of a connection: replies first, then a picture if there is a credit for it.

Role: a session's viewer and the only task that sends. Waits for a credit, *then* takes the newest
picture, *then* has it encoded, then sends: whatever is sent was the newest when it could be.

Invariants:
- Replies wait in a bounded queue; who doesn't read them is closed as too slow, and a send that
  takes longer than the limit as well.
- At most one picture is being encoded; replies go out meanwhile.
- State and canvas are snapshots of one revision: told as they are when there is time for them, not
  once an edit, and made anew where an `accepted` went out before them that they don't know of.

It does not know: what the client says, how a socket works.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque

from msgspec import Struct

from streaming.codecs import Encoding
from streaming.delivery import Delivery
from streaming.errors import JobFailed, TooSlow
from streaming.hosting import Hosted
from streaming.hub import Hub
from streaming.messages import Failed
from streaming.observe import PictureSent
from streaming.outbox import Credits, Latest
from streaming.protocol import (
    Accepted,
    CanvasState,
    Demand,
    DrainingNotice,
    Ended,
    Error,
    Hello,
    PictureFrame,
    ServerMessage,
    Status,
    encode_canvas_state,
    encode_picture,
    encode_text,
    error_message,
    picture_header,
)
from streaming.transport import PromptTransport, Transport

SNAPSHOTS = 3
"""How often a canvas is encoded for one state before an overtaken one is told: a client that paints
faster than that would otherwise never hear of what others do."""
OVERTAKEN_SECONDS = 1.0
"""The pause after such a state: what is new in the next one is mostly the client's own work."""


class Leave(Exception):
    """The connection ends in order: with this WebSocket close code, for this reason."""

    def __init__(self, close: int, reason: str) -> None:
        super().__init__(reason)
        self.close = close
        self.reason = reason


class _Chosen(Struct):
    """A picture that a credit was taken for at `taken`; sent as soon as it has its `encoding`."""

    delivery: Delivery
    sequence: int
    taken: float
    encoding: Encoding | None


class Writer:
    """A `Viewer`. Its other methods are called by the reader of the same connection."""

    def __init__(self, transport: Transport, hub: Hub) -> None:
        self._transport = transport
        self._prompt = transport if isinstance(transport, PromptTransport) else None
        self._hub = hub
        self._wake = asyncio.Event()
        self._replies: deque[str | bytes] = deque()
        self._fate: Exception | None = None
        self._hosted: Hosted | None = None
        self._hello = Hello(1)
        self._credits = Credits(1)
        self._latest: Latest[Delivery] = Latest()
        self._chosen: _Chosen | None = None
        self._newest = (-1, 0, 0)
        self._last_sent: float | None = None
        self._deadline: asyncio.Timeout | None = None
        self._leave_by = math.inf  # when the last send is given up, on the loop's clock
        self._dirty = False
        self._sharing = False
        self._shared = -1e9
        self._accepted = 0  # the newest revision that this client was told of an edit of its own
        self._timer: asyncio.TimerHandle | None = None
        self.watching = False
        self.previews = False

    # --- what the reader says -------------------------------------------------------------------

    def greet(self, hello: Hello) -> None:
        """How this client wants its pictures."""
        self._hello = hello
        self._credits = Credits(hello.credits)
        self.watching, self.previews = hello.pictures, hello.previews

    def show(self, hosted: Hosted) -> None:
        """The session is this one: its canvas and newest picture go out."""
        self._hosted = hosted
        if hosted.session.canvas is not None:
            self._share(welcomed=hosted.session.revision)
        self._catch_up()
        hosted.update()

    def demand(self, demand: Demand) -> None:
        """What the client wants from now on."""
        self.watching, self.previews = demand.pictures, demand.previews
        if self._hosted is not None:
            self._catch_up()
            self._hosted.update()

    def ack(self, sequence: int) -> None:
        """A picture was shown; raises `BadMessage` for one that was never sent."""
        self._credits.ack(sequence)
        if self._deadline is None and self._choose():
            self._push()
        if self._hosted is not None:
            self._hosted.update()

    def reply(self, message: ServerMessage) -> None:
        """Queue a control message."""
        if isinstance(message, Accepted):
            self._accepted = max(self._accepted, message.revision)
        self._queue(encode_text(message))

    def close(self) -> None:
        """Nothing is sent any more."""
        self.watching = False
        if self._timer is not None:
            self._timer.cancel()
        self._hosted = self._chosen = None
        self._latest.take()
        self._replies.clear()

    # --- what the session says (a `Viewer`) -----------------------------------------------------

    @property
    def room(self) -> int:
        """Credits that are free, and none while a picture waits: who is stuck asks for nothing."""
        return 0 if self._latest else self._credits.free

    def offer(self, delivery: Delivery) -> bool:
        """Take a newer picture, in place of one that wasn't sent yet."""
        if not self.watching or not (self.previews or delivery.output.final):
            return False
        self._newest = delivery.order
        if self._latest.put(delivery) is not None:
            self._hub.observer.dropped("replaced")
        # At once, so that the demand for the next picture never lapses.
        if self._deadline is None and self._choose():
            self._push()
        return True

    def changed(self) -> None:
        """Tell the session's state when there is time."""
        self._dirty = True
        self._wake.set()

    def failed(self, failed: Failed) -> None:
        """Tell that a job failed."""
        code, text = failed.code, failed.message
        self.reply(Error(code, text, "", failed.retryable, None, failed.revision))

    def status(self, status: Status) -> None:
        """Tell how the server is."""
        self.reply(status)

    def drain(self) -> None:
        """Say where to come back, and leave."""
        if self._hosted is not None:
            session, retry = self._hosted.session, self._hub.limits.retry_seconds
            self.reply(DrainingNotice(session.id, session.secret, retry))
        self._end(Leave(1012, "draining"), self._hub.limits.close_seconds)

    def end(self) -> None:
        """Say that the session is over, and leave."""
        self.reply(Ended())
        self._end(Leave(1000, "ended"), self._hub.limits.close_seconds)

    def fail(self, error: Exception) -> None:
        """The connection ends because of `error`."""
        self._end(error, 0.0)

    @property
    def _clear(self) -> bool:
        """Nothing waits before what is sent now."""
        return self._deadline is None and not self._replies and self._fate is None

    # --- writing --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send what there is, for ever; raises `Disconnected`, `TooSlow` or `Leave`."""
        while True:
            self._wake.clear()
            await self._flush()
            if self._fate is not None:
                raise self._fate
            self._share_state()
            await self._advance()
            await self._wake.wait()

    async def _flush(self) -> None:
        while self._replies and not isinstance(self._fate, TooSlow):
            await self._send(self._replies.popleft())

    async def _advance(self) -> None:
        """Choose a picture if one may be sent, and send the chosen one if it is encoded."""
        if self._choose() and self._hosted is not None:
            self._hosted.update()
        chosen = self._chosen
        if chosen is not None and chosen.encoding is not None:
            self._chosen = None
            self._wake.set()
            await self._send_picture(chosen, chosen.encoding)

    def _choose(self) -> bool:
        """Choose the newest picture if one may be sent; whether the demand has changed by it, of
        which the caller tells."""
        if self._chosen is not None or self._credits.free <= 0 or self._hosted is None:
            return False
        delivery = self._latest.take()
        if delivery is None:
            return False
        sequence, taken, hello = self._credits.take(), self._hub.clock(), self._hello
        self._chosen = _Chosen(delivery, sequence, taken, delivery.came)
        if delivery.came is None:
            future = delivery.encoding(self._hub.encoder, hello.format, hello.quality)
            future.add_done_callback(self._encoded)
        return True

    def _encoded(self, future: asyncio.Future[Encoding]) -> None:
        """The chosen picture is encoded, or can't be."""
        if self._hosted is None or self._chosen is None or future.cancelled():
            return
        try:
            self._chosen.encoding = future.result()
        except JobFailed as error:
            self._chosen = None
            self._credits.untake()
            self.reply(error_message(error))
            self._hosted.update()
            self._wake.set()
        except Exception as error:  # the connection's edge: it ends, and the client comes back
            self.fail(error)
        else:
            self._push()

    def _push(self) -> None:
        """Send the chosen picture on the spot if it is encoded, nothing waits before it and the
        socket takes it; else the task is woken. A task's turn would cost as much as the sending."""
        chosen = self._chosen
        if self._hosted is None or chosen is None or chosen.encoding is None:
            return
        if self._prompt is None or not self._clear:
            self._wake.set()
            return
        sent = self._hub.clock()
        frame = chosen.delivery.frame(chosen.encoding, chosen.sequence, chosen.taken, sent)
        if not self._prompt.send_now(picture_header(frame), frame.data):
            self._wake.set()
            return
        self._chosen = None
        self._note(self._hosted, chosen.delivery, frame, sent)
        if self._choose():
            self._hosted.update()
            self._wake.set()

    async def _send_picture(self, chosen: _Chosen, encoding: Encoding) -> None:
        sent = self._hub.clock()
        frame = chosen.delivery.frame(encoding, chosen.sequence, chosen.taken, sent)
        await self._send(encode_picture(frame))
        if self._hosted is not None:
            self._note(self._hosted, chosen.delivery, frame, sent)

    def _note(self, hosted: Hosted, delivery: Delivery, frame: PictureFrame, sent: float) -> None:
        """This picture went out."""
        last, self._last_sent = self._last_sent, sent
        if not delivery.replay:
            interval = None if last is None else (sent - last) * 1000
            self._hub.observer.picture_sent(
                PictureSent(
                    hosted.session.id, frame.revision, hosted.pictures == 0, frame.final,
                    frame.sent - frame.received, interval, len(frame.data), frame.times,
                )
            )  # fmt: skip
        hosted.sent(delivery)

    async def _send(self, data: str | bytes) -> None:
        if self._prompt is not None and self._prompt.send_now(data):
            return
        loop = asyncio.get_running_loop()
        deadline = min(loop.time() + self._hub.limits.send_seconds, self._leave_by)
        try:
            async with asyncio.timeout_at(deadline) as self._deadline:
                await self._transport.send(data)
        except TimeoutError:
            slow = TooSlow("the client doesn't read what it is sent")
            raise self._fate or slow from None
        finally:
            self._deadline = None

    # --- snapshots ------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Offer the newest final picture to a client that hasn't had it."""
        assert self._hosted is not None
        final = self._hosted.newest_final()
        if final is not None and final.order > self._newest:
            self.offer(final)

    def _share_state(self) -> None:
        """Tell the state if it changed, the last was sent, and some time went by."""
        if not self._dirty or self._sharing or self._hosted is None:
            return
        loop, limits = asyncio.get_running_loop(), self._hub.limits
        due = self._shared + limits.state_seconds
        if loop.time() < due:
            if self._timer is None:
                self._timer = loop.call_at(due, self._due)
            return
        self._dirty, self._shared = False, loop.time()
        self._share()

    def _due(self) -> None:
        self._timer = None
        self._wake.set()

    def _share(self, welcomed: int = -1, tries: int = SNAPSHOTS) -> None:
        """Queue the state and its canvas, together, when that is encoded; without the state where
        that is of the revision `welcomed`, which the client was told."""
        assert self._hosted is not None
        session, picture = self._hosted.session, self._hosted.canvas_picture()
        canvas, state = session.canvas, session.state()
        if picture is None:
            self._dirty = False
            self.reply(state)
            return

        def encoded(future: asyncio.Future[Encoding]) -> None:
            self._sharing = False
            self._wake.set()  # for what changed meanwhile
            if self._hosted is None or future.cancelled() or future.exception() is not None:
                return
            current = session.canvas is canvas
            overtaken = not current and state.revision < self._accepted
            if overtaken and tries > 1:
                self._share(welcomed, tries - 1)
                return
            if overtaken:
                self._shared = asyncio.get_running_loop().time() + OVERTAKEN_SECONDS
            self._dirty = not current
            told, png = session.state() if current else state, future.result()
            if told.revision != welcomed:
                self.reply(told)
            self._queue(encode_canvas_state(CanvasState(told.revision, png.format, png.data)))

        self._sharing = True
        picture.add_done_callback(encoded)

    def _queue(self, data: str | bytes | None) -> None:
        if data is None or self._fate is not None:
            return
        if self._prompt is not None and self._clear and self._prompt.send_now(data):
            return
        self._replies.append(data)
        if len(self._replies) > self._hub.limits.reply_queue:
            self._replies.clear()
            self._end(TooSlow("the client doesn't read its replies"), 0.0)
        self._wake.set()

    def _end(self, fate: Exception, within: float) -> None:
        """Leave because of `fate`; a send that is stuck, or gets stuck, is given up `within` s."""
        if self._fate is None:
            self._fate = fate
        self._wake.set()
        self._leave_by = min(self._leave_by, asyncio.get_running_loop().time() + within)
        stuck = self._deadline
        if stuck is not None and not stuck.expired():
            stuck.reschedule(min(self._leave_by, stuck.when() or self._leave_by))

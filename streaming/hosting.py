"""A session as the gateway hosts it: who watches, what they want, what was delivered.

Role: between one `Session` and everything that moves: it submits requests, posts demand on change,
hands outputs to the viewers, and keeps the newest final picture for whoever comes back.

Invariants:
- A request goes out for every revision while somebody watches, and for the newest one as soon as
  somebody does; `Submit` goes before the `Want` that needs it.
- As many pictures are wanted as a viewer who demands them has room for: no credit, no step.
- What is older than what was delivered is dropped; nothing is delivered after the end, and
  nothing but the `Forget` is posted.

It does not know: sockets, the wire, other sessions.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from models.base import Encoded, Output, Picture
from streaming.canvas import Canvas
from streaming.clock import Clock
from streaming.codecs import Encoder, Encoding
from streaming.delivery import Delivery
from streaming.messages import Failed, Forget, Submit, ToEngine, Want
from streaming.observe import Observer
from streaming.protocol import Accepted, Redo, Status, Undo
from streaming.session import Edit, Session

Post = Callable[[ToEngine], None]


class Viewer(Protocol):
    """Whoever looks at a session: a connection, or a single request over HTTP.

    `watching`: it demands pictures; `room`: how many it could take now (free credits).
    """

    @property
    def watching(self) -> bool: ...
    @property
    def previews(self) -> bool: ...
    @property
    def room(self) -> int: ...
    def offer(self, delivery: Delivery) -> bool:
        """Here is a newer picture; False where it isn't wanted."""
        ...

    def changed(self) -> None:
        """The session's state is not what this viewer knows."""
        ...

    def failed(self, failed: Failed) -> None:
        """A job of the session failed."""
        ...

    def status(self, status: Status) -> None:
        """The server's state changed."""
        ...

    def drain(self) -> None:
        """The server is going away: leave."""
        ...

    def end(self) -> None:
        """The session is over: leave."""
        ...


class Hosted:
    """One session and its viewers. `touched`: the clock at the last edit, picture or viewer.
    `claimed`: somebody has watched it. `ended`: the engine forgets it and is told nothing more."""

    def __init__(
        self, session: Session, post: Post, clock: Clock, observer: Observer, encoder: Encoder
    ) -> None:
        self.session = session
        self.viewers: set[Viewer] = set()
        self.opened = self.touched = clock()
        self.pictures = 0
        self.final: Delivery | None = None
        self.resting = True
        self.claimed = False
        self.ended = False
        self._post = post
        self._clock = clock
        self._observer = observer
        self._encoder = encoder
        self._submitted = 0
        self._failed = 0
        self._lost = -1  # the revision that was in the making when the engine died
        self._wanted = (0, False)
        self._outputs = 0
        self._canvas: tuple[Canvas, asyncio.Future[Encoding]] | None = None
        self._received: deque[tuple[int, float]] = deque(maxlen=256)
        self._delivered: dict[int, tuple[int, int, int]] = {}

    def attach(self, viewer: Viewer) -> None:
        """`viewer` watches from now on."""
        self.viewers.add(viewer)
        self.claimed = True
        self.touched = self._clock()
        self.update()

    def detach(self, viewer: Viewer) -> None:
        """`viewer` is gone; harmless when it never was there."""
        self.viewers.discard(viewer)
        self.touched = self._clock()
        self.update()

    def edit(self, edit: Edit, client: str, received: float, by: Viewer | None) -> Accepted:
        """Apply an edit that arrived at `received`; raises `BadEdit`. Other viewers are told, and
        `by` itself where it can't know the outcome."""
        before = self.session.revision
        accepted = self.session.apply(edit, client)
        if accepted.revision > before:
            self._woken()
            for viewer in self.viewers:
                if viewer is not by or isinstance(edit, Undo | Redo):
                    viewer.changed()
        elif self._failed == self.session.revision:
            self._failed = self._submitted = 0  # the same again after a failure: try again
        self.update(received)
        return accepted

    def begin(self, received: float) -> None:
        """Submit the session as it is, touched or not: for whoever wants one picture of it."""
        if not self.ended:
            self._submit(received)
            self.update(received)

    def update(self, received: float | None = None) -> None:
        """Tell the engine what changed: a request nobody submitted yet, then the demand.

        `received`: when the newest edit arrived; now, where nobody watched when it did.
        """
        if self.ended:
            return
        watched = previews = False
        room = 0
        for viewer in self.viewers:
            if viewer.watching:
                watched, space = True, viewer.room
                previews = previews or (space > 0 and viewer.previews)
                room = space if space > room else room
        if watched and self._submitted < self.session.revision:
            self._submit(self._clock() if received is None else received)
        if not room and self._wanted[0] <= self._outputs:
            return  # nothing is wanted, as the engine knows
        wanted = (self._outputs + room, previews)
        if wanted != self._wanted:
            self._wanted = wanted
            self._post(Want(self.session.id, *wanted))

    def deliver(self, output: Output) -> None:
        """An output came from the engine."""
        self._outputs += 1
        delivery = Delivery(output, self._received_of(output.revision), self._clock())
        newest = self._delivered.get(output.track)
        if newest is not None and delivery.order <= newest:
            self._observer.dropped("stale")
            self.update()  # it used up a part of what was asked for
            return
        self._delivered[output.track] = delivery.order
        self._woken()
        if output.final:
            self.final = delivery
        taken = [viewer.offer(delivery) for viewer in self.viewers]
        if not any(taken):
            self._observer.dropped("unwatched")
        self.update()

    def fail(self, failed: Failed) -> None:
        """A job failed: everybody who watches is told, the session goes on."""
        self._failed = failed.revision
        for viewer in self.viewers:
            viewer.failed(failed)

    def lost(self) -> None:
        """The engine died and has forgotten everything. What was in the making is asked for again,
        once: what it dies of twice may be the reason. What was shown whole, or failed, isn't."""
        self._outputs, self._wanted = 0, (0, False)
        shown = -1 if self.final is None else self.final.output.revision
        asked, self._lost = self._lost, -1
        if self._received and max(shown, self._failed) < self._submitted:
            if asked == self._submitted:
                why = "the engine died twice while it made this"
                self.fail(Failed(self.session.id, 0, asked, "engine_lost", why, False))
            elif any(viewer.watching for viewer in self.viewers):
                self._lost = self._submitted
                self._submit(self._received[-1][1])
            else:
                self._submitted = 0  # whoever watches next asks
        self.update()

    def sent(self, delivery: Delivery) -> None:
        """A viewer was sent this; of the newest final only the encoded bytes are kept on."""
        self.pictures += 1
        if delivery is self.final and not isinstance(delivery.output.payload, Encoded):
            self.final = delivery.as_replay()

    def newest_final(self) -> Delivery | None:
        """The newest final picture, as a replay."""
        return self.final.as_replay() if self.final else None

    def canvas_picture(self) -> asyncio.Future[Encoding] | None:
        """The canvas as PNG, encoded once however many ask; None where there is none."""
        canvas = self.session.canvas
        if canvas is None:
            return None
        if self._canvas is None or self._canvas[0] is not canvas:
            self._woken()
            picture = Picture(canvas.pixels)
            self._canvas = (canvas, self._encoder.submit(picture, "png", 100))
        return self._canvas[1]

    def end(self) -> None:
        """The session is over: viewers leave, the engine forgets."""
        self.ended = True
        for viewer in list(self.viewers):
            viewer.end()
        self.viewers.clear()
        self._post(Forget(self.session.id))

    async def rest(self) -> None:
        """Compress what is held, in a thread, piece by piece, so that others' pictures get in
        between; work wakes it again."""
        self.resting = True
        self._canvas = None
        for patch in self.session.settle():
            self.session.hold(patch, await self._encoder.run(patch.packed))
        await self._encoder.run(self.session.rest)
        final = self.final
        if final is not None and not isinstance(final.output.payload, Encoded):
            await asyncio.wait([final.encoding(self._encoder, "jpeg", 90)])
            if self.final is final:
                self.final = final.as_replay()

    def _woken(self) -> None:
        self.touched = self._clock()
        self.resting = False

    def _submit(self, received: float) -> None:
        request = self.session.snapshot()
        self._submitted = request.revision
        self._received.append((request.revision, received))
        self._post(Submit(request, received, self.session.passing))

    def _received_of(self, revision: int) -> float:
        """When the edit of `revision` came; all older ones are forgotten."""
        while len(self._received) > 1 and self._received[0][0] < revision:
            self._received.popleft()
        return self._received[0][1] if self._received else self._clock()

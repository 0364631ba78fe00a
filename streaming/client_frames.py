"""The newest picture for a consumer, and the acknowledgements that set the server's pace.

Role: one slot between a socket and `async for`. Invariants: a frame older than what was given out
is dropped; what was received is acknowledged when the consumer asks for the next frame, never
before, and only on the connection that it came by. It does not know: sockets, edits.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable

from PIL import Image

from streaming.protocol import PictureFrame


class Frame(PictureFrame, frozen=True):
    """A picture as it came: see `streaming.protocol.PictureFrame` for its fields."""

    def __repr__(self) -> str:
        """Without the picture's bytes, which would be all that one sees."""
        what = "final" if self.final else f"step {self.step} of {self.steps}"
        size = f"{self.width}×{self.height}, {len(self.data)} bytes"
        return f"<Frame revision {self.revision}, {what}, {self.format} {size}>"

    def image(self) -> Image.Image:
        """The decoded picture."""
        return Image.open(io.BytesIO(self.data))

    @property
    def order(self) -> tuple[int, int, int]:
        """Grows from older to newer pictures of one session."""
        return self.revision, self.job, self.step


class Frames:
    """An endless async iterator; it ends when the session does, and raises what went wrong. A
    failed job (`JobFailed`) may be followed by more: iterate again."""

    def __init__(self) -> None:
        self.dropped = 0
        self._slot: Frame | None = None
        self._newest = (-1, 0, 0)
        self._ack: Callable[[int], None] = lambda _: None
        self._received = 0
        self._acked = 0
        self._asking = False
        self._changed = asyncio.Event()
        self._error: BaseException | None = None
        self._over: BaseException | None = None

    def __aiter__(self) -> Frames:
        return self

    async def __anext__(self) -> Frame:
        self._asking = True
        try:
            while self._slot is None:
                self._acknowledge()
                self._raise()
                self._changed.clear()
                await self._changed.wait()
        finally:
            self._asking = False
        self._acknowledge()
        frame, self._slot = self._slot, None
        return frame

    def renew(self, ack: Callable[[int], None], *, fresh: bool) -> None:
        """A new connection, which counts its frames anew; `fresh`: of a new session as well."""
        self._ack, self._received, self._acked = ack, 0, 0
        if fresh:
            self._slot, self._newest = None, (-1, 0, 0)

    def put(self, picture: PictureFrame) -> None:
        """A picture came."""
        frame = Frame(*(getattr(picture, name) for name in picture.__struct_fields__))
        self._received = frame.sequence
        if frame.order <= self._newest:
            self.dropped += 1
        else:
            self.dropped += self._slot is not None
            self._slot, self._newest = frame, frame.order
        self._wake()
        if self._asking and self._slot is None:
            self._acknowledge()

    def fail(self, error: BaseException) -> None:
        """A job failed: raised once."""
        self._error = error
        self._wake()

    def finish(self, error: BaseException) -> None:
        """Nothing more will come: `error` (or `StopAsyncIteration`) is raised from now on."""
        self._over = error
        self._wake()

    def _wake(self) -> None:
        self._changed.set()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error
        if self._over is not None:
            raise self._over

    def _acknowledge(self) -> None:
        """Give back the credits of all but the frame that waits to be taken."""
        waits = self._slot is not None and self._slot.sequence == self._received
        shown = self._received - waits
        if shown > self._acked:
            self._acked = shown
            self._ack(shown)

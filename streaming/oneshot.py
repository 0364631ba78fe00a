"""One job without a socket: a session that lives for one picture.

Role: what `POST /v1/generate` needs: the same sessions, requests and encodings as a connection,
pulled by an async generator. Invariants: the session ends with the generator, however it ends.
It does not know: HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING

from models.base import Value
from streaming.codecs import check_picture, decode_picture
from streaming.delivery import Delivery
from streaming.errors import JobFailed, ModelFailed, NotReady, RiverrunError, UnknownSession
from streaming.hosting import Hosted
from streaming.messages import Failed
from streaming.outbox import Latest
from streaming.protocol import Format, Params, PictureFrame, Status
from streaming.session import Painted

if TYPE_CHECKING:
    from streaming.hub import Hub


AHEAD = 2
"""Pictures that may be made before the first of them was looked at."""


class _Gatherer:
    """The only viewer of such a session: it wants pictures until the final one. It watches from
    the moment that the session is complete, so that one request is made of all its edits."""

    def __init__(self, previews: bool) -> None:
        self.watching = False
        self.previews = previews
        self.room = AHEAD
        self.arrived = asyncio.Event()
        self.latest: Latest[Delivery] = Latest()
        self.error: RiverrunError | None = None

    def offer(self, delivery: Delivery) -> bool:
        if not (self.previews or delivery.output.final):
            return False
        if delivery.output.final:
            self.room = 0
        self.latest.put(delivery)
        self.arrived.set()
        return True

    def changed(self) -> None: ...

    def failed(self, failed: Failed) -> None:
        self._fail(JobFailed(failed.message, code=failed.code, retryable=failed.retryable))

    def status(self, status: Status) -> None:
        if status.state == "failed":
            self._fail(ModelFailed(f"the model failed: {status.message}"))

    def drain(self) -> None:
        """One picture may still be finished."""

    def end(self) -> None:
        self._fail(UnknownSession("the session ended"))

    def _fail(self, error: RiverrunError) -> None:
        self.error = error
        self.arrived.set()

    async def next(self) -> Delivery:
        """The newest picture that wasn't taken; raises what went wrong."""
        while True:
            if (delivery := self.latest.take()) is not None:
                return delivery
            if self.error is not None:
                raise self.error
            self.arrived.clear()
            await self.arrived.wait()


async def generate(
    hub: Hub,
    model: str | None,
    params: Mapping[str, Value],
    canvas: bytes | None,
    format: Format,
    quality: int,
    previews: bool,
) -> AsyncGenerator[PictureFrame, None]:
    """See `Hub.generate`."""
    received = hub.clock()
    if hub.readiness.state == "warming":
        raise NotReady("the model isn't warm yet")
    session = hub.open(model)
    viewer = _Gatherer(previews)
    try:
        hub.join(viewer)
        hosted = hub.attach(session, viewer)  # first: what is watched neither expires nor gives way
        await _prepare(hub, hosted, params, canvas, received)
        viewer.watching = True
        hosted.begin(received)
        sequence, final = 0, False
        while not final:
            delivery = await viewer.next()
            sequence, final = sequence + 1, delivery.output.final
            yield await _frame(hub, hosted, delivery, format, quality, sequence)
    finally:
        hub.leave(viewer)
        hub.end(session, "generated")


async def _prepare(
    hub: Hub, hosted: Hosted, params: Mapping[str, Value], canvas: bytes | None, received: float
) -> None:
    """Apply the edits that make the session what was asked for."""
    if canvas is not None:
        spec = hosted.session.canvas_spec()
        header = check_picture(canvas, spec, max_pixels=hub.limits.max_picture_pixels)
        pixels = await hub.encoder.run(lambda: decode_picture(canvas, header, spec.background))
        hosted.edit(Painted(1, 0, 0, 0, False, pixels), "", received, None)
    hosted.edit(Params(2, dict(params)), "", received, None)


async def _frame(
    hub: Hub, hosted: Hosted, delivery: Delivery, format: Format, quality: int, sequence: int
) -> PictureFrame:
    taken = hub.clock()
    encoding = await asyncio.shield(delivery.encoding(hub.encoder, format, quality))
    hosted.sent(delivery)
    return delivery.frame(encoding, sequence, taken, hub.clock())

"""One output on its way to whoever watches: encoded once per format, however many they are.

Role: an `Output`, when the edit behind it arrived, when it came from the engine, and its encodings
(`came`: the one that the device made, if it did).
Invariants: the encoding of one format and quality is begun once; a watcher that leaves doesn't take
it away from the others. It does not know: sessions, credits, sockets.
"""

from __future__ import annotations

import asyncio

from models.base import Encoded, Output
from streaming.codecs import Encoder, Encoding, as_it_came
from streaming.protocol import Format, PictureFrame, StageTimes


class Delivery:
    """`received`, `arrived`: seconds, when the newest edit in it came in, and when it came out.
    `order` grows from older to newer pictures of one session."""

    __slots__ = ("_encodings", "arrived", "came", "order", "output", "received", "replay")

    def __init__(
        self, output: Output, received: float, arrived: float, replay: bool = False
    ) -> None:
        self.output = output
        self.order = (output.revision, output.job, output.step)
        self.came = as_it_came(output.payload)
        self.received = received
        self.arrived = arrived
        self.replay = replay
        self._encodings: dict[tuple[Format, int], asyncio.Future[Encoding]] = {}

    def encoding(self, encoder: Encoder, format: Format, quality: int) -> asyncio.Future[Encoding]:
        """This output encoded; begun by whoever asks first. Don't cancel it: others may wait."""
        key = (format, 0 if format == "png" else quality)
        if key not in self._encodings:
            future = encoder.submit(self.output.payload, format, quality)
            if not future.done():
                future.add_done_callback(_seen)
            self._encodings[key] = future
        return self._encodings[key]

    def as_replay(self) -> Delivery:
        """The same for a client that comes back: encoded, without pixels, where that was done."""
        output = self.output
        for future in self._encodings.values():
            if future.done() and not future.cancelled() and not future.exception():
                done = future.result()
                encoded = Encoded(done.data, done.format, done.width, done.height)
                output = output._replace(payload=encoded)
                break
        return Delivery(output, self.received, self.arrived, replay=True)

    def frame(self, encoding: Encoding, sequence: int, taken: float, sent: float) -> PictureFrame:
        """The picture as it is sent. `taken`, `sent`: the clock's seconds when a credit let it be
        chosen, and when it's handed over."""
        output, timings = self.output, self.output.timings
        wait = 0.0 if self.replay else (taken - self.arrived) * 1000
        times = StageTimes(
            timings.queue, timings.begin, timings.step, timings.decode, wait, encoding.ms
        )
        return PictureFrame(
            output.track, output.step, output.steps, sequence, output.revision, output.job,
            encoding.width, encoding.height, output.pts, self.received * 1000, sent * 1000, times,
            encoding.format, output.final, self.replay, encoding.data,
        )  # fmt: skip


def _seen(future: asyncio.Future[Encoding]) -> None:
    """A failure that nobody waits for any more needs no warning."""
    if not future.cancelled():
        future.exception()

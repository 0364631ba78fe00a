"""The seam between two processes: the messages of `streaming.messages` as bytes, and back.

Role: `Packer` makes one frame of a batch of messages; their pixels and encoded pictures go through
a `Ring`, or inside the frame where that is full. `Unpacker` reads frames as they come and gives the
messages out in order.

Invariants: what comes out equals what went in, arrays are read-only; a canvas that crossed for a
session lately isn't copied again (both ends remember the same few); a frame that isn't one raises
`SeamBroken`, and nothing but the messages' own types is ever made of it.

It does not know: how frames and memory get across, who is at the other end.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.base import Encoded, ModelSpec, Output, Payload, Picture, Request, Samples, Timings
from streaming.messages import (
    Broken,
    Failed,
    Forget,
    FromEngine,
    Loaded,
    Lost,
    Outputs,
    Ready,
    Stop,
    Stopped,
    Submit,
    Ticked,
    ToEngine,
    Want,
    Warming,
)
from streaming.ring import Ring

Message = ToEngine | FromEngine
Pixels = NDArray[np.uint8]
M = TypeVar("M", ToEngine, FromEngine)
T = TypeVar("T")

LENGTH = 4
"""Bytes of a frame's length, big-endian."""
LATELY = 64
"""Canvases that both ends remember, the latest of any session."""

TO_ENGINE: tuple[type[ToEngine], ...] = (Submit, Want, Forget, Stop)
FROM_ENGINE: tuple[type[FromEngine], ...] = (
    Loaded, Warming, Ready, Outputs, Failed, Ticked, Lost, Broken, Stopped,
)  # fmt: skip
_KINDS: tuple[type[Any], ...] = (*TO_ENGINE, *FROM_ENGINE)
_NUMBER = {kind: number for number, kind in enumerate(_KINDS)}
_PLAIN: dict[type[Any], tuple[Callable[[Any], Any], ...]] = {
    kind: tuple(attrgetter(field.name) for field in fields(kind))
    for kind in _KINDS
    if kind not in (Submit, Loaded, Outputs)
}


class SeamBroken(Exception):
    """What came isn't what the other end sends."""


class _Lately(Generic[T]):
    """What crossed last, by session and name of the input."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], T] = OrderedDict()

    def get(self, key: tuple[str, str]) -> T | None:
        return self._kept.get(key)

    def keep(self, key: tuple[str, str], item: T) -> None:
        self._kept[key] = item
        self._kept.move_to_end(key)
        if len(self._kept) > LATELY:
            self._kept.popitem(last=False)

    def forget(self, session: str) -> None:
        for key in [key for key in self._kept if key[0] == session]:
            del self._kept[key]


class Packer:
    """Messages to bytes; what is large goes into `ring`."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._lately: _Lately[weakref.ref[Pixels]] = _Lately()  # a session at rest lets go of its
        self._encoder = msgspec.msgpack.Encoder()

    def pack(self, messages: Sequence[Message]) -> bytes:
        """One frame of these messages, its length first."""
        body = self._encoder.encode([self._message(message) for message in messages])
        return len(body).to_bytes(LENGTH, "big") + body

    def _message(self, message: Message) -> list[Any]:
        kind = type(message)
        packed: list[Any] = [_NUMBER[kind]]
        if isinstance(message, Outputs):
            packed.extend(self._output(output) for output in message.outputs)
        elif isinstance(message, Submit):
            packed += self._submit(message)
        elif isinstance(message, Loaded):
            packed.extend(message.specs)
        else:
            packed.extend(get(message) for get in _PLAIN[kind])
            if isinstance(message, Forget):
                self._lately.forget(message.session)
        return packed

    def _output(self, output: Output) -> tuple[Any, ...]:
        o, times = output, output.timings
        return (
            o.session, o.track, o.job, o.revision, o.step, o.steps, o.final, o.pts,
            times.queue, times.begin, times.step, times.decode, self._payload(o.payload),
        )  # fmt: skip

    def _payload(self, payload: Payload) -> tuple[Any, ...]:
        if isinstance(payload, Picture):
            return ("picture", *self._blob(payload.pixels), payload.pixels.shape)
        if isinstance(payload, Encoded):
            blob = self._blob(np.frombuffer(payload.data, np.uint8))
            return ("encoded", *blob, payload.format, payload.width, payload.height)
        samples = np.ascontiguousarray(payload.samples, np.float32)
        blob = self._blob(samples.reshape(-1).view(np.uint8))
        return ("samples", *blob, samples.shape, payload.rate)

    def _submit(self, submit: Submit) -> list[Any]:
        r = submit.request
        inputs = {name: self._input(r.session, name, each) for name, each in r.inputs.items()}
        whose = [r.session, r.model, r.job, r.revision]
        return [*whose, r.params, inputs, submit.received, submit.passing]

    def _input(self, session: str, name: str, pixels: Pixels) -> tuple[Any, ...] | None:
        """An input, or None for the very array that crossed last."""
        last = self._lately.get((session, name))
        same = last is not None and last() is pixels
        self._lately.keep((session, name), weakref.ref(pixels))
        return None if same else (*self._blob(pixels), pixels.shape)

    def _blob(self, data: Pixels) -> tuple[int, int | bytes]:
        """(size, position in the ring), or (size, the bytes) where it has no room."""
        position = self._ring.put(data) if data.nbytes else None
        return data.nbytes, data.tobytes() if position is None else position


class Unpacker(Generic[M]):
    """Bytes to messages of these kinds (`TO_ENGINE`, `FROM_ENGINE`); what is large comes out of
    `ring`."""

    def __init__(self, ring: Ring, kinds: Sequence[type[M]]) -> None:
        self._ring = ring
        self._kinds: dict[int, type[Any]] = {_NUMBER[kind]: kind for kind in kinds}
        self._lately: _Lately[Pixels] = _Lately()
        self._decoder = msgspec.msgpack.Decoder()
        self._rest = b""
        self._last: tuple[int, int] | None = None

    def feed(self, data: bytes) -> list[M]:
        """All messages that are whole now; raises `SeamBroken`."""
        if self._rest:
            data = self._rest + data
        messages: list[M] = []
        begin, size = 0, len(data)
        try:
            while (first := begin + LENGTH) <= size:
                end = first + int.from_bytes(data[begin:first], "big")
                if end > size:
                    break
                self._frame(data[first:end], messages)
                begin = end
        except (msgspec.MsgspecError, ValueError, TypeError, IndexError, KeyError) as error:
            raise SeamBroken(f"{type(error).__name__}: {error}") from error
        self._rest = data[begin:]
        return messages

    def _frame(self, body: bytes, messages: list[M]) -> None:
        for number, *rest in self._decoder.decode(body):
            messages.append(self._message(self._kinds[number], rest))
        if self._last is not None:
            self._ring.free(*self._last)
            self._last = None

    def _message(self, kind: type[Any], rest: list[Any]) -> Any:
        if kind is Outputs:
            return Outputs(tuple([self._output(*each) for each in rest]))
        if kind is Submit:
            return self._submit(*rest)
        if kind is Loaded:
            return Loaded(tuple(msgspec.convert(rest, list[ModelSpec])))
        if kind is Forget:
            self._lately.forget(rest[0])
        return kind(*rest)

    def _output(
        self, session: str, track: int, job: int, revision: int, step: int, steps: int, final: bool,
        pts: int, queue: float, begin: float, stepped: float, decode: float, payload: list[Any],
    ) -> Output:  # fmt: skip
        times = Timings(queue, begin, stepped, decode)
        made = self._payload(*payload)
        return Output(session, track, job, revision, step, steps, final, pts, made, times)

    def _payload(self, kind: str, size: int, where: int | bytes, *rest: Any) -> Payload:
        data = self._bytes(size, where)
        if kind == "picture":
            return Picture(np.frombuffer(data, np.uint8).reshape(rest[0]))
        if kind == "encoded":
            return Encoded(data, *rest)
        return Samples(np.frombuffer(data, np.float32).reshape(rest[0]), rest[1])

    def _submit(
        self, session: str, model: str, job: int, revision: int,
        params: dict[str, Any], inputs: dict[str, Any], received: float, passing: bool,
    ) -> Submit:  # fmt: skip
        arrays = {name: self._input(session, name, each) for name, each in inputs.items()}
        return Submit(Request(session, model, job, revision, params, arrays), received, passing)

    def _input(self, session: str, name: str, each: list[Any] | None) -> Pixels:
        key = (session, name)
        if each is None:
            pixels = self._lately.get(key)
            if pixels is None:
                raise ValueError(f"no {name} of {session} came lately")
        else:
            size, where, shape = each
            pixels = np.frombuffer(self._bytes(size, where), np.uint8).reshape(shape)
        self._lately.keep(key, pixels)
        return pixels

    def _bytes(self, size: int, where: int | bytes) -> bytes:
        if isinstance(where, bytes):
            return where
        self._last = (where, size)
        return self._ring.take(where, size)

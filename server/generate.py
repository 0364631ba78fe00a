"""`POST /v1/generate`: one picture, without a session that the client would have to keep.

Role: translates a JSON request into parameters of the model's own spec, and the frames that come
back into a picture's bytes or into server-sent events.

Invariants: a client that goes away ends its job; nothing of the request is kept. One task runs the
whole generation, and closes it.

It does not know: how pictures are made or encoded.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import orjson
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from models.base import SIZE, ModelError, ModelSpec, Value
from server.http import House, parse_body, read_body
from server.problems import as_riverrun, body_of, problem
from server.security import bearer
from streaming.errors import (
    BadEdit,
    BadPicture,
    JobFailed,
    RiverrunError,
    UnknownModel,
    WrongSize,
)
from streaming.protocol import Format, ParamValue, PictureFrame, StageTimes

Frames = AsyncGenerator[PictureFrame, None]

QUALITY = 90
PARAMETERS = ("prompt", "negative_prompt", "seed", "steps", "strength")
STAGES = ("queue", "begin", "step", "decode", "wait", "encode")


class GenerateRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What to make. Everything may be left out but the prompt or the canvas; what the model has no
    such parameter for is refused. `canvas` is a data: URI of a PNG, JPEG or WebP picture; `params`
    holds what else the model takes, by name. `width` and `height` are one of the model's sizes (the
    choices of its parameter `size`, where it has one; the smallest where nothing is said)."""

    prompt: str | None = None
    negative_prompt: str | None = None
    canvas: str | None = None
    seed: int | None = None
    steps: int | None = None
    strength: float | None = None
    params: dict[str, ParamValue] = msgspec.field(default_factory=dict)
    width: int | None = None
    height: int | None = None
    format: Format = "png"
    model: Annotated[str, Meta(max_length=200)] | None = None
    stream: bool = False


class PictureEvent(Struct, frozen=True):
    """One server-sent event, `preview` or `final`: `picture` is base64."""

    step: int
    steps: int
    revision: int
    width: int
    height: int
    format: Format
    seed: int | None
    model: str
    times: StageTimes
    picture: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A checked request: the parameters as the model knows them, the canvas's bytes."""

    model: str
    params: dict[str, ParamValue]
    canvas: bytes | None
    seed: int | None
    format: Format
    stream: bool


class Generate:
    """The handler of one house."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def handle(self, request: Request) -> Any:
        self._house.gate.check_token(bearer(request.headers))
        body: GenerateRequest = parse_body(await read_body(request, self._house), GenerateRequest)
        wish = read_wish(body, self._house.hub.served())
        return Answer(wish, lambda: self._frames(wish), self._house.metrics.refused)

    def _frames(self, wish: Wish) -> Frames:
        return self._house.hub.generate(
            model=wish.model,
            params=wish.params,
            canvas=wish.canvas,
            format=wish.format,
            quality=QUALITY,
            previews=wish.stream,
        )


def read_wish(body: GenerateRequest, specs: tuple[ModelSpec, ...]) -> Wish:
    """Check `body` against the model it asks for; raises typed errors, `InvalidParameter` too."""
    spec = _find(body.model, specs)
    if body.prompt is None and body.canvas is None:
        raise BadEdit("give a prompt, a canvas, or both")
    given = {name: getattr(body, name) for name in PARAMETERS}
    named = {name: value for name, value in given.items() if value is not None}
    params = spec.check({**body.params, **named})
    params |= spec.check(_size(body, spec, params.get(SIZE)))
    canvas = _canvas(body.canvas) if body.canvas is not None else None
    seed = params.get("seed", spec.defaults().get("seed"))
    return Wish(
        spec.name,
        params,
        canvas,
        seed if isinstance(seed, int) else None,
        body.format,
        body.stream,
    )


def _find(name: str | None, specs: tuple[ModelSpec, ...]) -> ModelSpec:
    for spec in specs:
        if name in (None, spec.name):
            return spec
    raise UnknownModel(
        f"there is no model {name!r}", remedy=f"There are {', '.join(s.name for s in specs)}."
    )


def _size(body: GenerateRequest, spec: ModelSpec, size: Value | None) -> dict[str, int]:
    """`width` and `height` as parameters, where the model has them; else as the one of its sizes
    that they mean, which must be `size` where that was said; else they must be its own."""
    given = {"width": body.width, "height": body.height}
    known = {parameter.name for parameter in spec.parameters}
    asked = {name: value for name, value in given.items() if value is not None}
    rest = {name: value for name, value in asked.items() if name not in known}
    found = {name: value for name, value in asked.items() if name in known}
    if not rest:
        return found
    track = next(track for track in spec.tracks if track.medium == "picture")
    own, sizes = {"width": track.width, "height": track.height}, spec.sizes()
    for choice in sizes:
        if size in (None, choice) and _are(rest, own, (choice, sizes[0])):
            return {**found, SIZE: choice}
    if not sizes and _are(rest, own, (1, 1)):
        return found
    name, value = next(iter(rest.items()))
    makes = [f"{track.width * s // sizes[0]}×{track.height * s // sizes[0]}" for s in sizes]
    made = " or ".join(makes) or f"{track.width}×{track.height}"
    raise WrongSize(f"{name}: {value}, but {spec.name} makes {made}")


def _are(asked: Mapping[str, int], own: Mapping[str, int], ratio: tuple[int, int]) -> bool:
    return all(value * ratio[1] == own[name] * ratio[0] for name, value in asked.items())


def _canvas(uri: str) -> bytes:
    head, comma, data = uri.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise BadPicture("canvas: not a data:image/…;base64,… URI")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadPicture(f"canvas: not base64: {error}") from None


class Answer:
    """The ASGI response that runs the generation while it watches whether the client is there.

    `failed` is told the code of what went wrong."""

    def __init__(
        self, wish: Wish, frames: Callable[[], Frames], failed: Callable[[str], None]
    ) -> None:
        self._wish = wish
        self._frames = frames
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        run = self._stream(send) if self._wish.stream else self._single(scope, receive, send)
        await while_connected(receive, run)

    async def _single(self, scope: Scope, receive: Receive, send: Send) -> None:
        response: Response | None = None
        try:
            async with contextlib.aclosing(self._frames()) as frames:
                async for frame in frames:
                    if frame.final:
                        response = picture_response(self._wish, frame)
        except (RiverrunError, ModelError) as error:
            self._failed(error.code)
            response = problem(error)
        if response is None:
            response = problem(_nothing())
        await response(scope, receive, send)

    async def _stream(self, send: Send) -> None:
        async with contextlib.aclosing(self._frames()) as frames:
            try:
                first = await anext(frames, None)
                if first is None:
                    raise _nothing()
            except (RiverrunError, ModelError) as error:
                self._failed(error.code)
                await send_response(problem(error), send)
                return
            await send(_EVENTS_HEAD)
            await _send_chunk(send, picture_event(self._wish, first))
            try:
                async for frame in frames:
                    await _send_chunk(send, picture_event(self._wish, frame))
            except (RiverrunError, ModelError) as error:
                self._failed(error.code)
                await _send_chunk(send, event_text("error", body_of(as_riverrun(error))))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


_EVENTS_HEAD = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream; charset=utf-8")],
}


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Run `work`; cancel it when the client goes away."""
    running = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({running, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    finally:
        for task in (running, watching):
            task.cancel()
        await asyncio.gather(running, watching, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def send_response(response: Response, send: Send) -> None:
    """Send a complete response by hand."""
    headers = response.raw_headers
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": False})


async def _send_chunk(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


def picture_response(wish: Wish, frame: PictureFrame) -> Response:
    """The picture's bytes, with what made them in the headers."""
    timing = ", ".join(f"{stage};dur={getattr(frame.times, stage):.2f}" for stage in STAGES)
    headers = {
        "X-Riverrun-Model": wish.model,
        "X-Riverrun-Revision": str(frame.revision),
        "X-Riverrun-Steps": str(frame.steps),
        "Server-Timing": timing,
    }
    if wish.seed is not None:
        headers["X-Riverrun-Seed"] = str(wish.seed)
    return Response(frame.data, headers=headers, media_type=f"image/{frame.format}")


def picture_event(wish: Wish, frame: PictureFrame) -> bytes:
    """A frame as a server-sent event."""
    told = PictureEvent(
        frame.step,
        frame.steps,
        frame.revision,
        frame.width,
        frame.height,
        frame.format,
        wish.seed,
        wish.model,
        frame.times,
        base64.b64encode(frame.data).decode(),
    )
    return event_text("final" if frame.final else "preview", told)


def event_text(name: str, body: Struct) -> bytes:
    """One server-sent event."""
    return f"event: {name}\ndata: ".encode() + orjson.dumps(msgspec.to_builtins(body)) + b"\n\n"


def _nothing() -> RiverrunError:
    return JobFailed("the model gave no picture", code="model_error", retryable=True)

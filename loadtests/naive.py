"""The server that people write first, as a peer to compare with.

Role: one WebSocket handler; a message is JSON with the prompt and the whole canvas in base64; a
lock around the whole pipeline's call; the answer is the finished picture in base64; first in, first
out. The model, its steps and the JPEG quality are those of the real server.

It is written as well as that design allows: the pipeline runs in a thread, so that the loop lives,
and the picture is a JPEG.

It does not know: revisions, credits, previews, batches. That is the point.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from loadtests.drawings import Drawing
from loadtests.wire import connect
from models.base import Model, Picture, Request
from server.registry import builders
from server.settings import Settings
from streaming.codecs import encode_pixels

PATH = "/paint"


class Pipeline:
    """A model behind one call, as pipelines are: a request in, a finished picture out."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def __call__(self, body: dict[str, Any]) -> bytes:
        canvas = np.array(Image.open(io.BytesIO(base64.b64decode(body["canvas"]))).convert("RGB"))
        params = {**self.model.spec.defaults(), **self.model.spec.check(body["params"])}
        request = Request("naive", self.model.spec.name, 1, 1, params, {"canvas": canvas})
        (state,) = self.model.begin([request], [None])
        for _ in range(state.steps):
            self.model.step([state])
        (payload,) = self.model.decode([state])
        state.close()
        return _jpeg(payload)


def _jpeg(payload: object) -> bytes:
    assert isinstance(payload, Picture)
    return encode_pixels(payload.pixels, "jpeg", 80)


def create_app(model: Model) -> Starlette:
    """The whole server."""
    pipeline, lock = Pipeline(model), asyncio.Lock()

    async def paint(socket: WebSocket) -> None:
        await socket.accept()
        try:
            while True:
                body = json.loads(await socket.receive_text())
                async with lock:
                    picture = await asyncio.to_thread(pipeline, body)
                answer = {"id": body["id"], "image": base64.b64encode(picture).decode()}
                await socket.send_text(json.dumps(answer))
        except WebSocketDisconnect:
            return

    async def ready(_: object) -> PlainTextResponse:
        return PlainTextResponse("ready")

    return Starlette(routes=[WebSocketRoute(PATH, paint), Route("/readyz", ready)])


def run(model: str, options: Sequence[str], port: int) -> None:
    """Load the model as the real server does, and serve."""
    import uvicorn

    settings = Settings(model=(model,), model_option=tuple(options))
    built = builders(settings)[model]()
    built.load(lambda stage, fraction: None)
    uvicorn.run(create_app(built), host="127.0.0.1", port=port, log_level="warning")


class NaiveUser:
    """A client of it: waits for each answer, then sends its newest canvas. It draws at `rate`
    edits/s; `latencies` are milliseconds from sending to the whole answer."""

    def __init__(self, drawing: Drawing, params: dict[str, Any]) -> None:
        self.params = params
        self.latencies: list[float] = []
        self._bodies = [base64.b64encode(png).decode() for png in drawing.pngs]
        self._answer = asyncio.Event()

    async def draw(self, url: str, rate: float, seconds: float) -> None:
        """Draw for so long, then wait for the last answer."""
        wire = await connect(url, self._message)
        start = time.perf_counter()
        sent_points, number = -1, 0
        while (now := time.perf_counter()) < start + seconds:
            points = int((now - start) * rate)
            if points == sent_points:
                await asyncio.sleep(start + (points + 1) / rate - now)
                continue
            sent_points, number = points, number + 1
            body = {"id": number, "params": {"prompt": "", **self.params}}
            body["canvas"] = self._bodies[points % len(self._bodies)]
            self._answer.clear()
            text, sent = json.dumps(body), time.perf_counter()
            wire.send(text)
            await asyncio.wait_for(self._answer.wait(), 60.0)
            self.latencies.append((self._at - sent) * 1000)
        await wire.close()

    def _message(self, binary: bool, data: bytes, at: float) -> None:
        self._at = at
        self._answer.set()

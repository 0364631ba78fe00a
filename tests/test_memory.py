"""What an idle session holds in the gateway, connection included, socket not."""

from __future__ import annotations

import gc
import io
import tracemalloc

import numpy as np
from PIL import Image

from models.base import InputSpec, ModelSpec, Picture, Track
from streaming.limits import Limits
from streaming.messages import (
    Loaded,
    Ready,
)
from streaming.protocol import (
    Accepted,
    Hello,
    Params,
    PictureEdit,
    PictureFrame,
    Welcome,
)
from tests.house import a_house
from tests.scripted import SPEC, ScriptedEngine, Wire

BIG = ModelSpec(
    "big",
    "Big",
    (Track("picture", "picture", 256, 256),),
    SPEC.parameters,
    (InputSpec("canvas", 256, 256),),
)


def landscape(seed: int) -> bytes:
    """A canvas as a hand draws it: flat regions with curved borders."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:256, 0:256]
    pixels = np.full((256, 256, 3), 255, np.uint8)
    for level in (60, 120, 180):
        hills = level + 20 * np.sin(x / rng.uniform(15, 40) + rng.uniform(0, 6))
        pixels[y > hills] = rng.integers(0, 256, 3)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


async def bytes_a_session(count: int, with_canvas: bool) -> float:
    """Kilobytes that each idle session and its connection hold in this process."""
    limits = Limits(rest_seconds=0.0, max_sessions=count)
    async with a_house(limits, started=False) as house:
        house.engine.hub = house.hub
        house.engine.say(Loaded((BIG,)))
        house.engine.say(Ready())
        canvases = [landscape(seed) for seed in range(8)] if with_canvas else []
        await settle(house.engine, await house.enter(Hello(1, "first")), canvases, 0)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1, count):
            entered = await house.enter(Hello(1, f"client-{number}"))
            await settle(house.engine, entered, canvases, number)
            if number % 20 == 0:
                await house.hub.rest()
        await house.hub.rest()
        gc.collect()
        used = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        return used / (count - 1) / 1000


async def settle(
    engine: ScriptedEngine, entered: tuple[Wire, Welcome], canvases: list[bytes], number: int
) -> None:
    wire, _ = entered
    wire.say(Params(1, {"prompt": "a hill, a lake and a sun", "seed": number + 1}))
    await wire.expect(Accepted)
    if canvases:
        wire.say(PictureEdit(2, 0, 0, 0, False, canvases[number % len(canvases)]))
        await wire.expect(Accepted)
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        request = engine.requests[-1]
        engine.make(request, payload=Picture(np.kron(pixels, np.ones((16, 16, 1), np.uint8))))
        await wire.expect(PictureFrame)
    wire.got.clear()
    engine.posted.clear()


async def test_an_idle_session_is_small() -> None:
    assert await bytes_a_session(200, with_canvas=False) < 30


async def test_an_idle_session_with_a_canvas_and_a_picture_is_small() -> None:
    assert await bytes_a_session(100, with_canvas=True) < 60

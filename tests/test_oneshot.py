"""One picture without a socket: it comes, it fails, it is given up, and leaves nothing."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from streaming.errors import (
    BadEdit,
    BadPicture,
    JobFailed,
    NotReady,
    UnknownModel,
)
from streaming.hub import Hub
from streaming.messages import (
    Broken,
    Failed,
    Loaded,
)
from streaming.protocol import (
    PictureFrame,
)
from tests.house import a_hub
from tests.scripted import SPEC, picture, until


async def collect(hub: Hub, **options: object) -> list[PictureFrame]:
    return [frame async for frame in hub.generate(**options)]  # type: ignore[arg-type]


async def test_one_picture_without_a_socket() -> None:
    hub, engine, _ = a_hub()
    task = asyncio.create_task(collect(hub, params={"seed": 5}, canvas=picture((1, 2, 3))))
    await until(lambda: engine.requests)
    request = engine.requests[0]
    assert request.params["seed"] == 5
    assert request.inputs["canvas"][0, 0].tolist() == [1, 2, 3]
    assert len(engine.requests) == 1
    assert engine.wants(request.session) == [(2, False)]
    engine.make(request, step=1)
    engine.make(request)
    (frame,) = await task
    assert (frame.final, frame.format, frame.width) == (True, "png", 64)
    assert engine.forgotten == [request.session]
    assert (hub.session_count, hub.connection_count) == (0, 0)


async def test_previews_come_if_asked_for() -> None:
    hub, engine, _ = a_hub()
    stream = hub.generate(params={}, previews=True, format="jpeg")
    async with aclosing(stream):
        first = asyncio.create_task(anext(stream))
        await until(lambda: engine.requests)
        assert engine.wants(engine.requests[0].session) == [(2, True)]
        engine.make(engine.requests[0], step=1)
        frame = await first
        assert (frame.step, frame.final, frame.sequence) == (1, False, 1)
        engine.make(engine.requests[0])
        frame = await anext(stream)
        assert (frame.final, frame.sequence, frame.format) == (True, 2, "jpeg")
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_who_gives_up_leaves_nothing() -> None:
    hub, engine, _ = a_hub()
    task = asyncio.create_task(collect(hub))
    await until(lambda: engine.requests)
    task.cancel()
    await asyncio.wait([task])
    assert len(engine.forgotten) == 1
    assert (hub.session_count, hub.connection_count) == (0, 0)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"model": "other"}, UnknownModel),
        ({"params": {"seed": -1}}, BadEdit),
        ({"params": {"hue": 1}}, BadEdit),
        ({"canvas": b"no picture"}, BadPicture),
        ({"canvas": picture()[:80]}, BadPicture),
    ],
)
async def test_what_is_wrong_with_a_request_is_raised(
    options: dict[str, object], error: type[Exception]
) -> None:
    hub, engine, _ = a_hub()
    with pytest.raises(error):
        await collect(hub, **options)
    assert hub.session_count == 0
    assert engine.requests == []


async def test_a_picture_that_fails_raises_the_models_error() -> None:
    hub, engine, _ = a_hub()
    task = asyncio.create_task(collect(hub))
    await until(lambda: engine.requests)
    engine.say(Failed(engine.requests[0].session, 1, 0, "resource_exhausted", "no room", True))
    with pytest.raises(JobFailed, match="no room") as caught:
        await task
    assert caught.value.retryable
    assert hub.session_count == 0


async def test_an_engine_that_breaks_fails_the_picture() -> None:
    hub, engine, _ = a_hub()
    task = asyncio.create_task(collect(hub))
    await until(lambda: engine.requests)
    engine.say(Broken("the device fell out"))
    with pytest.raises(NotReady, match="fell out"):
        await task


async def test_no_picture_before_the_model_is_warm() -> None:
    hub, engine, _ = a_hub(ready=False)
    engine.say(Loaded((SPEC,)))
    with pytest.raises(NotReady):
        await collect(hub)

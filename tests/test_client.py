"""The Python client against a real WebSocket server in this process, over a scripted engine."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from PIL import Image

from streaming.client import ClientSession, connect
from streaming.client_inputs import address, encoded, typed_error
from streaming.errors import (
    BadEdit,
    BadPicture,
    JobFailed,
    NothingToUndo,
    Unauthorized,
    UnknownModel,
    UnknownSession,
    WrongSecret,
    WrongSize,
)
from streaming.messages import Failed
from streaming.protocol import Error, Hello, Moved, PictureFrame, encode_text
from tests.place import a_place
from tests.scripted import SIZE, picture, until


async def test_edits_are_accepted_and_pictures_come() -> None:
    async with a_place() as place, connect(place.url) as session:
        assert await session.edit(prompt="a hill", seed=7) == 1
        assert session.params["prompt"] == "a hill"
        place.paint()
        frame = await anext(session.frames())
        assert isinstance(frame, PictureFrame)
        assert (frame.revision, frame.final) == (1, True)
        assert frame.image().size == (SIZE, SIZE)


async def test_a_canvas_may_be_bytes_a_path_an_image_or_an_array(tmp_path: object) -> None:
    async with a_place() as place, connect(place.url) as session:
        path = f"{tmp_path}/canvas.png"
        Image.new("RGB", (SIZE, SIZE), (1, 2, 3)).save(path)
        for drawing, color in (
            (picture((9, 8, 7)), [9, 8, 7]),
            (path, [1, 2, 3]),
            (Image.new("RGB", (SIZE, SIZE), (4, 5, 6)), [4, 5, 6]),
            (np.full((SIZE, SIZE, 3), 200, np.uint8), [200, 200, 200]),
        ):
            await session.edit(canvas=drawing)
            assert place.engine.requests[-1].inputs["canvas"][5, 5].tolist() == color
        await session.edit(tile=(8, 8, np.zeros((4, 4, 3), np.uint8)))
        assert place.engine.requests[-1].inputs["canvas"][9, 9].tolist() == [0, 0, 0]


async def test_one_call_is_one_gesture() -> None:
    async with a_place() as place, connect(place.url) as session:
        await session.edit(canvas=picture(), seed=3)
        assert session.history.undo == 1
        await session.undo()
        await until(lambda: session.params["seed"] == 0)
        assert session.canvas is None
        assert "canvas" not in place.engine.requests[-1].inputs
        await session.redo()
        await until(lambda: session.canvas is not None and session.params["seed"] == 3)
        await session.clear()
        assert session.canvas is None


async def test_what_passes_is_no_gesture_and_not_remembered() -> None:
    async with a_place() as place, connect(place.url) as session:
        await session.edit(prompt="a hill")
        assert await session.edit(seed=9, passing=True) == 2
        assert place.engine.requests[-1].params["seed"] == 9
        assert (session.params["seed"], session.history.undo) == (0, 1)
        assert await session.edit(prompt="fog") == 3
        assert place.engine.requests[-1].params["seed"] == 0
        with pytest.raises(ValueError, match="only parameters"):
            await session.edit(canvas=picture(), seed=9, passing=True)


async def test_what_the_server_refuses_is_raised_as_it_was() -> None:
    async with a_place() as place, connect(place.url) as session:
        with pytest.raises(BadEdit, match="seed"):
            await session.edit(seed=-1)
        with pytest.raises(WrongSize):
            await session.edit(canvas=picture(size=(8, 8)))
        with pytest.raises(BadPicture):
            await session.edit(canvas=b"no picture")
        with pytest.raises(NothingToUndo):
            await session.undo()
        with pytest.raises(ValueError, match="changes nothing"):
            await session.edit()
        assert await session.edit(seed=1) == 1


async def test_a_failed_job_is_raised_and_the_session_goes_on() -> None:
    async with a_place() as place, connect(place.url) as session:
        await session.edit(seed=1)
        place.engine.say(Failed(session.session, 1, 1, "resource_exhausted", "no room", True))
        with pytest.raises(JobFailed, match="no room") as caught:
            await anext(session.frames())
        assert (caught.value.code, caught.value.retryable) == ("resource_exhausted", True)
        await session.edit(seed=2)
        place.paint()
        assert (await anext(session.frames())).revision == 2


async def test_a_consumer_that_pauses_holds_the_server_back() -> None:
    async with a_place() as place, connect(place.url, credits=1) as session:
        frames = session.frames()
        await session.edit(seed=1)
        place.paint()
        await anext(frames)
        await session.edit(seed=2)
        assert not place.engine.wanted(session.session)
        asking = asyncio.create_task(anext(frames))
        await until(lambda: place.engine.wanted(session.session))
        place.paint()
        assert (await asking).revision == 2


async def test_a_lost_connection_is_made_again_and_nothing_is_lost_or_doubled() -> None:
    async with a_place() as place, connect(place.url) as session:
        await session.edit(seed=1)
        place.paint()
        assert (await anext(session.frames())).revision == 1
        before = session.session
        place.cut()
        assert await session.edit(seed=2) == 2
        assert session.session == before
        place.paint()
        assert (await anext(session.frames())).revision == 2


async def test_an_edit_that_waits_for_a_server_is_sent_when_it_is_back() -> None:
    async with a_place() as place, connect(place.url) as session:
        await session.edit(prompt="kept", canvas=picture((5, 6, 7)))
        await session.edit(tile=(0, 0, picture((1, 1, 1), (4, 4))))
        former = session.session
        await place.stop()
        await until(lambda: not session.connected)
        waiting = asyncio.create_task(session.edit(seed=9))
        await until(lambda: session._memory.pending)
        place._new()
        await place.start()
        await waiting
        assert session.session != former
        request = place.engine.requests[-1]
        assert (request.params["prompt"], request.params["seed"]) == ("kept", 9)
        assert request.inputs["canvas"][32, 32].tolist() == [5, 6, 7]
        assert request.inputs["canvas"][2, 2].tolist() == [1, 1, 1]
        place.paint()
        frame = await anext(session.frames())
        assert frame.revision == request.revision


async def test_what_is_wanted_before_the_welcome_is_told_with_it() -> None:
    async with a_place() as place, connect(place.url, pictures=False) as session:
        greeting = session._greeting

        def then_wanted() -> Hello:
            hello = greeting()
            session.demand(True)
            return hello

        session._greeting = then_wanted  # type: ignore[method-assign]
        place.cut()
        await until(lambda: not session.connected)
        assert await session.edit(seed=2) == 1
        await until(lambda: place.engine.requests)
        place.paint()
        assert (await anext(session.frames())).revision == 1


async def test_draining_is_obeyed() -> None:
    async with a_place() as place, connect(place.url) as session:
        await session.edit(seed=4)
        await place.hub.drain(5)
        await until(lambda: not session.connected)
        await place.restart()
        await session.edit(strength=0.25)
        assert place.engine.requests[-1].params["seed"] == 4


async def test_moved_is_obeyed() -> None:
    async with a_place() as place, a_place() as other, connect(place.url) as session:
        await session.edit(seed=4)
        await place.sockets[0].send(encode_text(Moved(other.url)))
        await until(lambda: other.engine.requests)
        await session.edit(strength=0.25)
        assert other.engine.requests[-1].params["seed"] == 4


async def test_the_first_connection_raises_what_is_wrong() -> None:
    async with a_place(token="open sesame") as place:
        with pytest.raises(Unauthorized):
            await _open(place.url)
        with pytest.raises(UnknownModel):
            await _open(place.url, token="open sesame", model="other")
        with pytest.raises(UnknownSession):
            await _open(place.url, token="open sesame", session="none", secret="none")
        async with connect(place.url, token="open sesame") as session:
            with pytest.raises(WrongSecret):
                await _open(place.url, token="open sesame", session=session.session, secret="none")
        url = place.url
    with pytest.raises(ConnectionRefusedError):
        await _open(url)


async def _open(url: str, **options: str) -> None:
    async with connect(url, **options):  # type: ignore[arg-type]
        pass


async def test_a_server_that_refuses_for_good_ends_the_session() -> None:
    async with a_place() as place, connect(place.url) as session:
        await place.stop()
        await until(lambda: not session.connected)
        waiting = asyncio.create_task(session.edit(seed=9))
        place.token = "new"
        place._new()
        await place.start()
        with pytest.raises(Unauthorized):
            await waiting
        with pytest.raises(Unauthorized):
            await anext(session.frames())


async def test_the_session_ends_with_the_block_unless_it_is_kept() -> None:
    async with a_place() as place:
        async with connect(place.url) as session:
            await session.edit(seed=4)
        assert place.hub.session_count == 0
        async with connect(place.url, keep=True) as session:
            await session.edit(seed=5)
            place.paint()
            name, secret = session.session, session.secret
        assert place.hub.session_count == 1
        async with connect(place.url, session=name, secret=secret) as session:
            assert session.params["seed"] == 5
            frame = await anext(session.frames())
            assert (frame.replay, frame.revision) == (True, 1)
        assert place.hub.session_count == 1


async def test_the_frames_end_with_the_session() -> None:
    async with a_place() as place, connect(place.url) as session:
        hosted = place.hub.hosted(session.session)
        place.hub.end(hosted.session, "gone")
        assert [frame async for frame in session.frames()] == []
        with pytest.raises(UnknownSession):
            await session.edit(seed=1)


async def test_two_clients_share_a_session() -> None:
    async with a_place() as place, connect(place.url) as one:
        two_options = {"session": one.session, "secret": one.secret}
        async with connect(place.url, **two_options) as two:  # type: ignore[arg-type]
            await one.edit(seed=5, canvas=picture((3, 3, 3)))
            await until(lambda: two.params["seed"] == 5 and two.canvas is not None)
            place.paint()
            assert (await anext(one.frames())).revision == (await anext(two.frames())).revision
            await two.edit(seed=6)
            await until(lambda: one.params["seed"] == 6)


def test_addresses() -> None:
    assert address("http://host:1") == "ws://host:1/v1/session"
    assert address("https://host/") == "wss://host/v1/session"
    assert address("localhost:8000") == "ws://localhost:8000/v1/session"
    assert address("ws://host/else?token=1") == "ws://host/else?token=1"
    with pytest.raises(ValueError, match="not an address"):
        address("ftp://host")


def test_errors_keep_their_type() -> None:
    assert isinstance(typed_error(Error("bad_picture", "no")), BadPicture)
    assert type(typed_error(Error("invalid_parameter", "no"))) is BadEdit
    unknown = typed_error(Error("of_tomorrow", "no", "try", True))
    assert (unknown.code, unknown.remedy, unknown.retryable) == ("of_tomorrow", "try", True)


def test_what_is_encoded_stays_as_it_is() -> None:
    assert encoded(b"bytes") == b"bytes"


async def test_nothing_runs_on_after_the_block() -> None:
    async with a_place() as place:
        before = len(asyncio.all_tasks())
        async with connect(place.url) as session:
            await session.edit(seed=4)
            assert isinstance(session, ClientSession)
        await until(lambda: len(asyncio.all_tasks()) <= before)

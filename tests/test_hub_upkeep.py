"""What the hub does by itself: sessions that are left expire, make room, rest and are cut."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from models.base import Encoded
from streaming import canvas as canvases
from streaming.errors import Busy, UnknownSession
from streaming.hosting import Hosted
from streaming.hub import Hub
from streaming.limits import Limits
from streaming.messages import Forget, Submit, ToEngine, Want
from streaming.protocol import Accepted, Hello, Params, PictureEdit
from streaming.session import Painted, Session
from tests.house import CountingEncoder, Counts, Eye, Now, a_house, a_hub
from tests.scripted import SIZE, ScriptedEngine, picture, until

# --- expiry -------------------------------------------------------------------------------------


async def test_a_session_outlives_its_connection_by_the_time_that_is_set() -> None:
    async with a_house(Limits(keep_seconds=100, unclaimed_seconds=10)) as house:
        now = Now()
        house.hub.clock = now
        wire, welcome = await house.enter()
        house.hub.hosted(welcome.session)._clock = now
        wire.say(Params(1, {"seed": 1}))
        await wire.expect(Accepted)
        now.seconds += 1000
        house.hub.expire()
        assert house.hub.session_count == 1  # somebody watches
        wire.leave()
        await house.over()
        now.seconds += 99
        house.hub.expire()
        assert house.hub.session_count == 1
        now.seconds += 2
        house.hub.expire()
        assert house.hub.session_count == 0
        assert house.engine.forgotten == [welcome.session]
        assert house.counts.ended == [("expired", 0)]


def test_what_nobody_has_claimed_is_kept_long_enough_to_connect() -> None:
    hub, _, now = a_hub(Limits(keep_seconds=0, unclaimed_seconds=10))
    opened, left = hub.open(), hub.open()
    eye = Eye()
    hub.attach(left, eye)
    hub.hosted(left.id).detach(eye)
    now.seconds += 1
    hub.expire()
    assert hub.hosted(opened.id)
    with pytest.raises(UnknownSession):
        hub.hosted(left.id)
    now.seconds += 10
    hub.expire()
    assert hub.session_count == 0


def test_what_was_never_edited_is_not_kept_as_long() -> None:
    hub, _, now = a_hub(Limits(keep_seconds=100, unclaimed_seconds=10))
    for edits in (0, 1):
        hosted, eye = hub.hosted(hub.open().id), Eye()
        hosted.attach(eye)
        if edits:
            hosted.edit(Params(1, {"seed": 1}), "", now.seconds, eye)
        hosted.detach(eye)
    now.seconds += 11
    hub.expire()
    assert hub.session_count == 1
    now.seconds += 90
    hub.expire()
    assert hub.session_count == 0


async def test_the_expiry_runs_by_itself() -> None:
    hub, _, now = a_hub(Limits(rest_seconds=0.001))
    hub.open()
    now.seconds += 10_000
    task = asyncio.create_task(hub.run())
    await until(lambda: hub.session_count == 0)
    task.cancel()
    await asyncio.wait([task])


# --- a full house -------------------------------------------------------------------------------


def left_behind(hub: Hub, now: Now) -> Session:
    """A session with an edit, whose client has gone."""
    session, eye = hub.open(), Eye()
    hub.attach(session, eye).edit(Params(1, {"seed": 1}), "", now.seconds, eye)
    hub.hosted(session.id).detach(eye)
    now.seconds += 1
    return session


def test_who_left_longest_ago_makes_room_for_a_newcomer() -> None:
    hub, engine, now = a_hub(Limits(max_sessions=3))
    counts = hub.observer = Counts()
    watched = hub.open()
    hub.attach(watched, Eye())
    first, second = left_behind(hub, now), left_behind(hub, now)
    hub.hosted(first.id).attach(eye := Eye())
    hub.hosted(first.id).detach(eye)  # came back meanwhile: now the other was left longer
    hub.open()
    assert engine.forgotten == [second.id]
    assert counts.ended == [("displaced", 0)]
    assert {watched.id, first.id} <= hub._sessions.keys()


def test_those_whose_time_is_over_go_before_one_is_displaced() -> None:
    hub, _, now = a_hub(Limits(max_sessions=2, keep_seconds=10))
    counts = hub.observer = Counts()
    left_behind(hub, now)
    left_behind(hub, now)
    now.seconds += 100
    hub.open()
    assert counts.ended == [("expired", 0), ("expired", 0)]


def test_a_house_in_which_all_are_watched_is_busy() -> None:
    hub, _, _ = a_hub(Limits(max_sessions=2))
    for _ in range(2):
        hub.attach(hub.open(), Eye())
    with pytest.raises(Busy, match="watched"):
        hub.open()
    assert hub.session_count == 2


async def test_a_picture_without_a_socket_is_no_room_for_others() -> None:
    hub, engine, _ = a_hub(Limits(max_sessions=1))
    task = asyncio.create_task(anext(hub.generate()))
    await until(lambda: engine.requests)
    with pytest.raises(Busy):
        hub.open()
    engine.make(engine.requests[0])
    assert (await task).final


# --- nothing after the end ----------------------------------------------------------------------


def nothing_after_the_end(posted: list[ToEngine]) -> bool:
    over: set[str] = set()
    for message in posted:
        if isinstance(message, Submit) and message.request.session in over:
            return False
        if isinstance(message, Want | Forget) and message.session in over:
            return False
        if isinstance(message, Forget):
            over.add(message.session)
    return True


deeds = ["open", "attach", "detach", "edit", "begin", "make", "update", "end"]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.sampled_from([*deeds, "pass"]), st.integers(0, 2)), max_size=60))
def test_the_engine_hears_nothing_of_a_session_that_is_over(steps: list[tuple[str, int]]) -> None:
    hub, engine, now = a_hub(Limits(max_sessions=2, keep_seconds=2, unclaimed_seconds=3))
    everybody = [hub.hosted(hub.open().id)]
    for number, (deed, which) in enumerate(steps, 1):
        if deed == "open":
            with suppress(Busy):
                everybody.append(hub.hosted(hub.open().id))
        elif deed == "pass":
            now.seconds += which
            hub.expire()
        elif which < len(everybody):
            do(hub, engine, everybody[-1 - which], deed, number)
        assert nothing_after_the_end(engine.posted)


def do(hub: Hub, engine: ScriptedEngine, hosted: Hosted, deed: str, number: int) -> None:
    """Also to a session that is over: a connection may still hold it."""
    viewer = next(iter(hosted.viewers), Eye())
    if deed == "attach" and not hosted.ended:
        hosted.attach(viewer)
    elif deed == "detach":
        hosted.detach(viewer)
    elif deed == "edit":
        hosted.edit(Params(number, {"seed": number}), "", 0.0, viewer)
    elif deed == "begin":
        hosted.begin(0.0)
    elif deed == "update":
        hosted.update()
    elif deed == "make" and engine.requests:
        engine.make(engine.requests[-1])
    elif deed == "end":
        hub.end(hosted.session, "ended")


async def test_a_canvas_may_take_long_to_decode_however_short_sessions_are_kept() -> None:
    hub, engine, now = a_hub(Limits(keep_seconds=0, unclaimed_seconds=0))
    encoder = hub.encoder = CountingEncoder()
    encoder.hold()
    task = asyncio.create_task(anext(hub.generate(canvas=picture((1, 2, 3)))))
    await until(lambda: hub.session_count)
    now.seconds += 1000
    hub.expire()
    assert hub.session_count == 1
    encoder.go()
    await until(lambda: engine.requests)
    engine.make(engine.requests[0])
    assert (await task).final
    encoder.close()


async def test_a_session_that_is_ended_while_its_canvas_is_decoded_asks_for_nothing() -> None:
    hub, engine, _ = a_hub()
    encoder = hub.encoder = CountingEncoder()
    encoder.hold()
    task = asyncio.create_task(anext(hub.generate(canvas=picture((1, 2, 3)))))
    await until(lambda: hub.session_count)
    hub.end(next(iter(hub._sessions.values())).session, "deleted")
    encoder.go()
    with pytest.raises(UnknownSession):
        await task
    assert [type(message) for message in engine.posted] == [Forget]
    encoder.close()


# --- rest, and what fails -----------------------------------------------------------------------


async def test_a_session_that_rests_keeps_bytes_and_no_pixels() -> None:
    async with a_house(Limits(rest_seconds=0.0)) as house:
        wire, welcome = await house.enter(Hello(1, pictures=False))
        wire.say(PictureEdit(1, 0, 0, 0, False, picture((1, 2, 3))))
        await wire.expect(Accepted)
        hosted = house.hub.hosted(welcome.session)
        house.engine.make(hosted.session.snapshot())
        assert hosted.final is not None
        assert not isinstance(hosted.final.output.payload, Encoded)
        await until(lambda: house.hub.clock() > hosted.touched)
        await house.hub.rest()
        assert hosted.session.canvas is not None
        assert hosted.session.canvas.resting
        assert isinstance(hosted.final.output.payload, Encoded)
        wire.say(PictureEdit(2, 0, 0, 0, True, picture((9, 9, 9), (4, 4))))
        await wire.expect(Accepted)
        assert (hosted.session.canvas.pixels[8, 8] == [1, 2, 3]).all()


def painted(hosted: Hosted, ids: range) -> None:
    """Canvases of noise of four values: they shrink, but neither quickly nor much."""
    rng = np.random.default_rng(5)
    for id in ids:
        pixels = rng.integers(0, 4, (SIZE, SIZE, 3), dtype=np.uint8)
        hosted.edit(Painted(id, 0, 0, 0, False, pixels), "", 0.0, None)


async def test_what_rests_is_compressed_off_the_loop_while_the_work_may_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: set[threading.Thread] = set()

    def pack(pixels: canvases.Pixels) -> bytes:
        threads.add(threading.current_thread())
        return canvases.pack(pixels)

    monkeypatch.setattr("streaming.history.pack", pack)
    monkeypatch.setattr("streaming.history.pack_quickly", lambda part: None)
    hub, _, _ = a_hub()
    encoder = hub.encoder = CountingEncoder()
    hosted = hub.hosted(hub.open().id)
    hosted._encoder = encoder
    painted(hosted, range(1, 9))
    size = hosted.session.history_bytes
    encoder.hold()
    resting = asyncio.create_task(hub.rest())
    await until(lambda: hosted.resting)
    painted(hosted, range(9, 11))
    encoder.go()
    await resting
    assert threads
    assert threading.current_thread() not in threads
    assert hosted.session.history_bytes < size
    assert not hosted.resting
    assert hosted.session.history.undo == 10
    encoder.close()


async def test_one_session_that_cannot_be_compressed_keeps_no_other_from_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hub, _, _ = a_hub()
    hosted = [hub.hosted(hub.open().id) for _ in range(3)]
    for one in hosted:
        painted(one, range(1, 2))

    def failing() -> None:
        raise MemoryError("no room to compress")

    hosted[1].session.rest = failing  # type: ignore[method-assign]
    await hub.rest()
    canvas = [one.session.canvas for one in hosted]
    assert [c.resting for c in canvas if c] == [True, False, True]
    assert f"session {hosted[1].session.id} couldn't be compressed" in caplog.text
    assert "no room to compress" in caplog.text
    caplog.clear()
    await hub.rest()  # it isn't tried again until somebody works on it
    assert caplog.text == ""
    hub.encoder.close()


@pytest.mark.parametrize("failing", ["expire", "rest", "trim"])
async def test_a_round_that_fails_is_logged_and_the_next_one_comes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failing: str
) -> None:
    hub, _, _ = a_hub(Limits(rest_seconds=0.001))
    done: list[str] = []

    def noting(name: str) -> Callable[[], None]:
        def work() -> None:
            done.append(name)
            if name == failing:
                raise RuntimeError(f"{name} failed")

        return work

    async def rest() -> None:
        noting("rest")()

    monkeypatch.setattr(hub, "expire", noting("expire"))
    monkeypatch.setattr(hub, "rest", rest)
    monkeypatch.setattr(hub, "trim", noting("trim"))
    task = asyncio.create_task(hub.run())
    await until(lambda: len(done) >= 6)
    task.cancel()
    await asyncio.wait([task])
    assert done[:6] == ["expire", "rest", "trim"] * 2
    assert f"{failing} failed" in caplog.text


def test_histories_are_bounded_together_and_the_idle_are_cut_first() -> None:
    hub, _, now = a_hub(Limits(all_history_bytes=20_000))
    hosted = [hub.hosted(hub.open().id) for _ in range(3)]
    for id in range(1, 20):
        for one in hosted:
            now.seconds += 1
            one.edit(Params(id, {"seed": id}), "", now.seconds, None)
    before = [one.session.history_bytes for one in hosted]
    hub.trim()
    after = [one.session.history_bytes for one in hosted]
    assert sum(before) > 20_000 >= sum(after) > 18_000
    assert after[2] == before[2]
    assert (hosted[0].session.history.truncated, hosted[0].session.history.undo) == (True, 0)
    assert not hosted[2].session.history.truncated


# --- the end ------------------------------------------------------------------------------------


async def test_a_gateway_that_ends_ends_its_sessions_and_encodes_no_more() -> None:
    async with a_house() as house:
        house.encoder.hold()
        waiting = asyncio.create_task(house.encoder.run(picture))
        _, welcome = await house.enter()
        left = house.hub.open()
        house.hub.close()
        assert house.counts.ended == [("drained", 0)] * 2
        assert house.engine.forgotten == [welcome.session, left.id]
        await asyncio.wait([waiting], timeout=10)
        assert waiting.cancelled()
        with pytest.raises(RuntimeError, match="shutdown"):
            await house.encoder.run(picture)

"""One connection's life: what is refused, how it ends, and that nothing is left of it."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from streaming.canvas import Pixels
from streaming.codecs import decode_picture
from streaming.headers import PictureHeader
from streaming.limits import Limits
from streaming.messages import Broken, Loaded, Ready, Warming
from streaming.protocol import (
    Accepted,
    DrainingNotice,
    Error,
    Hello,
    Params,
    ParamValue,
    PictureEdit,
    Ping,
    Pong,
    Redo,
    Status,
    Undo,
    Welcome,
)
from tests import crafted
from tests.house import House, a_house
from tests.scripted import SPEC, picture, until

pytestmark = pytest.mark.usefixtures("both_wires")


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        "no json",
        "[]",
        '{"type":"unknown"}',
        '{"type":"params","id":1,"params":{},"more":1}',
        '{"type":"params","id":"1","params":{}}',
        '{"type":"params","id":0,"params":{}}',
        '{"type":"params","id":1,"params":{"seed":NaN}}',
        '{"type":"params","id":1,"params":{"seed":[1]}}',
        '{"type":"hello","version":1}',
        '{"type":"ack","sequence":1}',
        "",
        b"",
        b"\x02\x01" + bytes(20),
        b"\x01\x09" + bytes(20),
    ],
)
async def test_a_malformed_message_is_answered_and_nothing_else(bad: str | bytes) -> None:
    async with a_house() as house:
        wire, _ = await house.enter()
        wire.say(bad)
        assert (await wire.expect(Error)).code == "bad_message"
        wire.say(Params(1, {"seed": 1}))
        assert (await wire.expect(Accepted)).revision == 1


async def test_who_speaks_something_else_is_sent_away() -> None:
    async with a_house(Limits(bad_messages=3)) as house:
        wire, _ = await house.enter()
        wire.say("nonsense")
        wire.say("nonsense")
        wire.say(Ping(1.0))  # a good message begins the count anew
        for _ in range(3):
            wire.say("nonsense")
        assert await house.over() == (4400, "bad_message")
        assert house.hub.connection_count == 0


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"seed": -1}, "the least is 0"),
        ({"seed": 1.5}, "whole number"),
        ({"seed": "1"}, "must be a"),
        ({"hue": 1}, "no such parameter"),
        ({"prompt": "x" * 1_000_000}, "at most 2000 fit"),
    ],
)
async def test_a_bad_value_is_refused_by_name(params: dict[str, ParamValue], says: str) -> None:
    async with a_house() as house:
        wire, _ = await house.enter()
        wire.say(Params(4, params))
        error = await wire.expect(Error)
        assert (error.code, error.id) == ("invalid_parameter", 4)
        assert says in error.message
        assert len(error.message) < 500
        assert house.engine.requests == []


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (PictureEdit(1, 0, 0, 0, False, b"not a picture"), "bad_picture"),
        (PictureEdit(1, 0, 0, 0, False, picture()[:90]), "bad_picture"),
        (PictureEdit(1, 0, 0, 0, False, picture(size=(32, 32))), "wrong_size"),
        (PictureEdit(1, 0, 60, 0, True, picture(size=(8, 8))), "wrong_size"),
        (Undo(1), "nothing_to_undo"),
        (Redo(1), "nothing_to_undo"),
    ],
)
async def test_a_refused_edit_is_named_and_refused_again(
    edit: PictureEdit | Undo | Redo, code: str
) -> None:
    async with a_house() as house:
        wire, _ = await house.enter()
        for _ in range(2):
            wire.say(edit)
            error = await wire.expect(Error)
            assert (error.code, error.id) == (code, 1)
        assert house.engine.requests == []
        wire.say(Params(2, {"seed": 1}))
        assert await wire.expect(Accepted) == Accepted(2, 1, 1, 0)


async def test_a_picture_is_decoded_on_the_spot_only_if_its_file_is_small_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_the_spot: list[bool] = []

    def noting(data: bytes, header: PictureHeader, background: tuple[int, int, int]) -> Pixels:
        on_the_spot.append(threading.current_thread() is threading.main_thread())
        return decode_picture(data, header, background)

    monkeypatch.setattr("streaming.connection.decode_picture", noting)
    small = picture()
    long = small[:33] + crafted.chunk(b"teXt", bytes(20_000)) + small[33:]
    async with a_house() as house:
        wire, _ = await house.enter()
        for id, data in enumerate((small, long), 1):
            wire.say(PictureEdit(id, 0, 0, 0, False, data))
            await wire.expect(Accepted)
    assert on_the_spot == [True, False]


async def test_a_message_over_the_limit_closes() -> None:
    async with a_house(Limits(max_message_bytes=1000)) as house:
        wire, _ = await house.enter()
        wire.say(bytes(1001))
        assert await house.over() == (1009, "bad_message")


@pytest.mark.parametrize(
    ("first", "close", "code"),
    [
        (Params(1, {}), 4400, "hello_expected"),
        (Hello(2), 4400, "unsupported_version"),
        (Hello(1, model="other"), 4404, "unknown_model"),
        (Hello(1, session="none", secret="none"), 4404, "unknown_session"),
        (Hello(1, session="none"), 4404, "unknown_session"),
    ],
)
async def test_a_wrong_first_message_closes(first: Hello | Params, close: int, code: str) -> None:
    async with a_house() as house:
        wire = house.connect()
        wire.say(first)
        assert (await wire.expect(Error)).code == code
        assert await house.over() == (close, code)
        assert house.hub.session_count == 0


async def test_who_says_nothing_is_closed() -> None:
    async with a_house(Limits(hello_seconds=0.02)) as house:
        wire = house.connect()
        assert (await wire.expect(Error)).code == "hello_expected"
        assert await house.over() == (4400, "hello_expected")


async def test_who_only_babbles_before_hello_is_closed_as_well() -> None:
    async with a_house(Limits(hello_seconds=0.02)) as house:
        wire = house.connect()
        wire.say("nonsense")
        assert (await wire.expect(Error)).code == "bad_message"
        assert await house.over() == (4400, "hello_expected")


async def test_the_token_is_asked_for() -> None:
    async with a_house() as house:
        wire = house.connect(token="right")
        wire.say(Hello(1, token="wrong"))
        assert (await wire.expect(Error)).code == "unauthorized"
        assert await house.over() == (4401, "unauthorized")
        wire = house.connect(token="right")
        wire.say(Hello(1, token="right"))
        await wire.expect(Welcome)


async def test_a_wrong_secret_is_refused() -> None:
    async with a_house() as house:
        _, welcome = await house.enter()
        for secret in ("", welcome.secret[:-1], "ü" * 30, None):
            wire = house.connect()
            wire.say(Hello(1, session=welcome.session, secret=secret))
            assert (await wire.expect(Error)).code == "wrong_secret"
            assert await house.over(-1) == (4403, "wrong_secret")


# --- warming, failing, going --------------------------------------------------------------------


async def test_before_the_model_is_known_there_is_status_and_then_the_welcome() -> None:
    async with a_house(started=False) as house:
        wire = house.connect()
        house.engine.hub = house.hub
        wire.say(Hello(1))
        assert (await wire.expect(Status)).state == "warming"
        house.engine.say(Warming("loading weights", 0.5, 3.0))
        status = await wire.expect(Status)
        assert (status.stage, status.fraction) == ("loading weights", 0.5)
        wire.say(Params(1, {"seed": 1}))
        assert (await wire.expect(Error)).id == 1
        wire.say(Ping(1.0))
        await wire.expect(Pong)
        house.engine.say(Loaded((SPEC,)))
        await wire.expect(Welcome)
        wire.say(Params(1, {"seed": 1}))
        await wire.expect(Accepted)
        house.engine.say(Ready())
        assert (await wire.expect(Status)).state == "ready"


async def test_a_model_that_does_not_load_is_told() -> None:
    async with a_house(started=False) as house:
        wire = house.connect()
        house.engine.hub = house.hub
        wire.say(Hello(1))
        await wire.expect(Status)
        house.engine.say(Broken("no such file"))
        assert (await wire.expect(Status)).state == "failed"
        assert "no such file" in (await wire.expect(Error)).message
        assert await house.over() == (1013, "not_ready")


async def test_a_drain_says_where_to_come_back() -> None:
    async with a_house() as house:
        wire, welcome = await house.enter()
        silent = house.connect()
        await house.hub.drain(5)
        notice = await wire.expect(DrainingNotice)
        assert (notice.session, notice.secret) == (welcome.session, welcome.secret)
        assert await house.over() == (1012, "draining")
        silent.say(Hello(1))
        assert (await silent.expect(Error)).code == "draining"
        assert await house.over(1) == (1012, "draining")


async def test_a_fault_of_ours_closes_one_connection_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_house() as house:
        wire, welcome = await house.enter()
        session = house.hub.hosted(welcome.session).session
        monkeypatch.setattr(session, "apply", lambda *_: 1 / 0)
        wire.say(Params(1, {"seed": 1}))
        assert (await wire.expect(Error)).code == "internal"
        assert await house.over() == (1011, "internal")
        assert "ZeroDivisionError" in caplog.text
        assert house.hub.connection_count == 0
        await house.enter()


# --- clients that stop, stall and vanish --------------------------------------------------------


async def test_who_does_not_read_is_closed_after_a_while() -> None:
    async with a_house(Limits(send_seconds=0.02, close_seconds=0.02)) as house:
        wire, welcome = await house.enter()
        wire.stall()
        wire.say(Ping(1.0))
        await house.over()
        assert house.counts.left == ["too_slow"]
        assert not house.engine.wanted(welcome.session)


async def test_replies_that_pile_up_close_the_connection() -> None:
    limits = Limits(send_seconds=1000, close_seconds=0.02, reply_queue=5)
    async with a_house(limits) as house:
        wire, _ = await house.enter()
        wire.stall()
        for _ in range(20):
            wire.say(Ping(1.0))
        await house.over()
        assert house.counts.left == ["too_slow"]


@pytest.mark.parametrize("how", ["drained", "ended"])
async def test_a_stuck_client_is_left_behind(how: str) -> None:
    async with a_house(Limits(send_seconds=1000, close_seconds=0.02)) as house:
        wire, welcome = await house.enter()
        wire.stall()
        wire.say(Ping(1.0))
        await until(lambda: not wire._in.qsize())
        if how == "drained":
            await house.hub.drain(1000)
        else:
            house.hub.end(house.hub.hosted(welcome.session).session, "gone")
        await house.over()
        assert house.counts.left == ["draining" if how == "drained" else "ended"]


async def test_a_client_that_stops_reading_costs_the_engine_nothing() -> None:
    async with a_house() as house:
        wire, welcome = await house.enter()
        wire.say(Params(1, {"seed": 1}))
        await wire.expect(Accepted)
        wire.stall()
        made = 0
        for revision in range(2, 20):
            wire.say(Params(revision, {"seed": revision}))
            await until(partial(submitted, house, revision))
            if house.engine.wanted(welcome.session):
                house.engine.make(house.engine.requests[-1])
                made += 1
        assert 1 <= made <= 3
        wire.leave()
        await house.over()


def submitted(house: House, revision: int) -> bool:
    return house.engine.requests[-1].revision == revision


STAGES = ["silent", "warming", "open", "decoding", "encoding", "sending", "sharing"]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("how", ["leaves", "cancelled"])
async def test_nothing_is_left_of_who_vanishes(stage: str, how: str) -> None:
    tasks = len(asyncio.all_tasks())
    async with a_house(started=stage not in ("silent", "warming")) as house:
        session = await bring_to(house, stage)
        if how == "leaves":
            house.wires[0].leave()
        else:
            house.tasks[0].cancel()
        await asyncio.wait(house.tasks)
        house.encoder.go()
        assert len(asyncio.all_tasks()) == tasks
        assert house.hub.connection_count == 0
        assert house.counts.left == ["left"]
        if session is not None:
            assert not house.engine.wanted(session)
            assert house.hub.hosted(session).viewers == set()
            assert house.hub.session_count == 1


async def bring_to(house: House, stage: str) -> str | None:
    """A connection in the middle of something; its session."""
    if stage == "silent":
        house.connect()
        await until(lambda: house.counts.came)
        return None
    if stage == "warming":
        house.connect().say(Hello(1))
        await until(lambda: house.hub.connection_count)
        return None
    wire, welcome = await house.enter()
    wire.say(Params(1, {"seed": 1}))
    await wire.expect(Accepted)
    canvas = PictureEdit(2, 0, 0, 0, False, picture())
    if stage == "decoding":
        house.encoder.hold()
        wire.say(PictureEdit(2, 0, 0, 0, False, picture()))
        await until(lambda: not wire._in.qsize())
    elif stage == "encoding":
        house.encoder.hold()
        house.engine.make(house.engine.requests[-1])
        await until(lambda: house.encoder.encoded)
    elif stage == "sending":
        wire.stall()
        house.engine.make(house.engine.requests[-1])
        await until(lambda: house.encoder.encoded)
    elif stage == "sharing":
        wire.say(canvas)
        await wire.expect(Accepted)
        house.encoder.hold()
        house.hub.hosted(welcome.session)._canvas = None
        wire.say(Params(3, {"seed": 2}))
        wire.say(Undo(4))
        await until(lambda: house.encoder.encoded)
    return welcome.session

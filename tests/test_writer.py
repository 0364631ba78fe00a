"""Pictures on their way to one client: credits, demand, the newest first."""

from __future__ import annotations

import numpy as np
import pytest

from models.base import Encoded, Payload, Samples
from streaming.limits import Limits
from streaming.messages import Failed, Submit
from streaming.protocol import (
    Accepted,
    Ack,
    Demand,
    Error,
    Hello,
    Params,
    PictureEdit,
    PictureFrame,
    Ping,
    Pong,
)
from tests.house import a_house
from tests.scripted import picture, until

pytestmark = pytest.mark.usefixtures("both_wires")


async def test_an_edit_becomes_a_request_and_its_picture_comes_back() -> None:
    async with a_house() as house:
        wire, welcome = await house.enter()
        assert welcome.params == {"prompt": "", "seed": 0, "strength": 0.5}
        wire.say(Params(1, {"seed": 7}))
        assert await wire.expect(Accepted) == Accepted(1, 1, 1, 0)
        assert house.engine.wanted(welcome.session)
        house.engine.make(house.engine.requests[-1], step=1)
        preview = await wire.expect(PictureFrame)
        assert (preview.revision, preview.step, preview.final) == (1, 1, False)
        wire.say(Ack(preview.sequence))
        house.engine.make(house.engine.requests[-1])
        final = await wire.expect(PictureFrame)
        assert (final.sequence, final.final, final.format) == (2, True, "jpeg")


async def test_a_canvas_and_a_tile_reach_the_request() -> None:
    async with a_house() as house:
        wire, _ = await house.enter()
        wire.say(PictureEdit(1, 0, 0, 0, False, picture((1, 2, 3))))
        wire.say(PictureEdit(2, 0, 10, 20, True, picture((9, 9, 9), (4, 4))))
        await wire.expect(Accepted)
        assert (await wire.expect(Accepted)).revision == 2
        canvas = house.engine.requests[-1].inputs["canvas"]
        assert canvas[0, 0].tolist() == [1, 2, 3]
        assert canvas[20, 10].tolist() == [9, 9, 9]
        assert canvas[19, 10].tolist() == [1, 2, 3]


# --- credits and demand -------------------------------------------------------------------------


async def test_nothing_is_sent_without_a_credit_and_then_the_newest() -> None:
    async with a_house() as house:
        wire, welcome = await house.enter(Hello(1, credits=2))
        for revision in range(1, 7):
            wire.say(Params(revision, {"seed": revision}))
            await wire.expect(Accepted)
            house.engine.make(house.engine.requests[-1])
            if revision <= 2:
                assert (await wire.expect(PictureFrame)).revision == revision
        assert not house.engine.wanted(welcome.session)
        assert house.encoder.encoded == [("jpeg", 80)] * 2  # what isn't sent isn't encoded
        wire.say(Ack(1))
        frame = await wire.expect(PictureFrame)
        assert (frame.sequence, frame.revision) == (3, 6)
        assert house.counts.drops["replaced"] == 3
        wire.say(Ack(3))
        await until(lambda: house.engine.wanted(welcome.session))


async def test_one_credit_is_one_picture() -> None:
    async with a_house() as house:
        wire, welcome = await house.enter(Hello(1, credits=1))
        wire.say(Params(1, {"seed": 1}))
        await wire.expect(Accepted)
        assert house.engine.wanted(welcome.session)
        frame = await house.shown(wire)
        assert not house.engine.wanted(welcome.session)
        wire.say(Ack(frame.sequence))
        await until(lambda: house.engine.wanted(welcome.session))


async def test_the_demand_does_not_lapse_with_each_picture() -> None:
    async with a_house() as house:
        wire, welcome = await house.enter()
        for revision in range(1, 10):
            wire.say(Params(revision, {"seed": revision}))
            await wire.expect(Accepted)
            wire.say(Ack((await house.shown(wire)).sequence))
            wire.say(Ping(1.0))
            await wire.expect(Pong)
            assert house.engine.wanted(welcome.session)
        assert house.engine.wants(welcome.session) == [(2 + n, True) for n in range(10)]


async def test_a_stale_picture_uses_up_no_demand() -> None:
    async with a_house() as house:
        wire, welcome = await house.enter(Hello(1, credits=1))
        wire.say(Params(1, {"seed": 1}))
        await wire.expect(Accepted)
        wire.say(Ack((await house.shown(wire)).sequence))
        await until(lambda: house.engine.wanted(welcome.session))
        house.engine.make(house.engine.requests[-1], step=1)
        assert house.engine.wanted(welcome.session)


async def test_demand_is_posted_on_change_only() -> None:
    async with a_house() as house:
        wire, welcome = await house.enter()
        for _ in range(3):
            wire.say(Demand(True, True))
        wire.say(Demand(True, False))
        wire.say(Demand(False, True))
        wire.say(Demand(False, False))
        wire.say(Demand(True, True))
        wire.say(Ping(1.0))
        await wire.expect(Pong)
        assert house.engine.wants(welcome.session) == [
            (2, True),
            (2, False),
            (0, False),
            (2, True),
        ]


async def test_nothing_is_asked_for_a_hidden_tab_until_it_shows() -> None:
    async with a_house() as house:
        wire, welcome = await house.enter(Hello(1, pictures=False))
        for revision in (1, 2, 3):
            wire.say(Params(revision, {"seed": revision}))
            await wire.expect(Accepted)
        assert house.engine.posted == []
        wire.say(Demand(True))
        await until(lambda: house.engine.wanted(welcome.session))
        assert [request.revision for request in house.engine.requests] == [3]
        assert isinstance(house.engine.posted[0], Submit)
        assert (await house.shown(wire)).revision == 3


async def test_an_untouched_session_is_not_painted() -> None:
    async with a_house() as house:
        await house.enter()
        assert house.engine.requests == []


async def test_previews_are_not_sent_to_who_does_not_want_them() -> None:
    async with a_house() as house:
        wire, _ = await house.enter(Hello(1, previews=False))
        wire.say(Params(1, {"seed": 1}))
        await wire.expect(Accepted)
        house.engine.make(house.engine.requests[-1], step=1)
        assert (await house.shown(wire)).final


async def test_older_pictures_than_the_newest_are_dropped() -> None:
    async with a_house() as house:
        wire, _ = await house.enter()
        for revision in (1, 2):
            wire.say(Params(revision, {"seed": revision}))
            await wire.expect(Accepted)
        old, new = house.engine.requests
        house.engine.make(new)
        house.engine.make(old)
        house.engine.make(new, step=1)
        assert (await wire.expect(PictureFrame)).revision == 2
        assert house.counts.drops["stale"] == 2
        wire.say(Ping(1.0))
        await wire.expect(Pong)
        assert wire.waiting == 0


async def test_a_picture_says_where_its_time_went() -> None:
    async with a_house() as house:
        wire, _ = await house.enter(Hello(1, format="webp", quality=50))
        before = house.hub.clock() * 1000
        wire.say(Params(1, {"seed": 1}))
        await wire.expect(Accepted)
        frame = await house.shown(wire)
        assert before <= frame.received <= frame.sent <= house.hub.clock() * 1000
        times = frame.times
        assert (times.queue, times.begin, times.step, times.decode) == (1, 2, 3, 4)
        assert times.encode > 0
        assert times.wait >= 0
        assert (frame.format, frame.width, frame.height) == ("webp", 64, 64)
        assert house.encoder.encoded == [("webp", 50)]
        await until(lambda: house.counts.sent)
        sent = house.counts.sent[0]
        assert (sent.revision, sent.first, sent.interval_ms) == (1, True, None)
        assert sent.edit_to_frame_ms == frame.sent - frame.received
        assert sent.bytes == len(frame.data)
        wire.say(Params(2, {"seed": 2}))
        await wire.expect(Accepted)
        await house.shown(wire)
        await until(lambda: len(house.counts.sent) == 2)
        assert not house.counts.sent[1].first
        assert house.counts.sent[1].interval_ms


async def test_replies_do_not_wait_for_an_encoding() -> None:
    async with a_house() as house:
        wire, _ = await house.enter()
        wire.say(Params(1, {"seed": 1}))
        await wire.expect(Accepted)
        house.encoder.hold()
        house.engine.make(house.engine.requests[-1])
        await until(lambda: house.encoder.encoded)
        wire.say(Ping(5.0))
        assert (await wire.expect(Pong)).at == 5.0
        house.encoder.go()
        assert (await wire.expect(PictureFrame)).revision == 1


async def test_what_is_encoded_already_is_sent_as_it_is() -> None:
    async with a_house() as house:
        wire, _ = await house.enter()
        wire.say(Params(1, {"seed": 1}))
        await wire.expect(Accepted)
        payload = Encoded(b"bytes of a device", "webp", 64, 64)
        house.engine.make(house.engine.requests[-1], payload=payload)
        frame = await wire.expect(PictureFrame)
        assert (frame.format, frame.data) == ("webp", b"bytes of a device")


@pytest.mark.parametrize(
    "nothing",
    [Samples(np.zeros((1, 4), np.float32), 16000), Encoded(b"of no known format", "h264", 64, 64)],
)
async def test_an_output_that_is_no_picture_costs_its_job_and_no_credit(nothing: Payload) -> None:
    async with a_house() as house:
        wire, welcome = await house.enter(Hello(1, credits=1))
        wire.say(Params(1, {"seed": 1}))
        await wire.expect(Accepted)
        house.engine.make(house.engine.requests[-1], payload=nothing)
        assert (await wire.expect(Error)).code == "bad_output"
        await until(lambda: house.engine.wanted(welcome.session))
        wire.say(Params(2, {"seed": 2}))
        await wire.expect(Accepted)
        assert (await house.shown(wire)).sequence == 1


async def test_a_failed_job_is_told_and_tried_again_on_request() -> None:
    async with a_house() as house:
        wire, welcome = await house.enter()
        wire.say(Params(1, {"seed": 1}))
        await wire.expect(Accepted)
        house.engine.say(Failed(welcome.session, 1, 1, "bad_output", "it made NaN", True))
        error = await wire.expect(Error)
        assert (error.code, error.revision, error.retryable) == ("bad_output", 1, True)
        wire.say(Params(2, {"seed": 1}))
        assert (await wire.expect(Accepted)).revision == 1
        assert [r.revision for r in house.engine.requests] == [1, 1]
        assert (await house.shown(wire)).revision == 1


async def test_a_burst_is_accepted_edit_by_edit() -> None:
    async with a_house(Limits(reply_queue=2000)) as house:
        wire, _ = await house.enter()
        for id in range(1, 1001):
            wire.say(Params(id, {"seed": id}))
        accepted = [await wire.expect(Accepted) for _ in range(1000)]
        assert [a.revision for a in accepted] == list(range(1, 1001))
        assert (await house.shown(wire)).revision == 1000


async def test_an_edit_sent_again_is_accepted_again_and_counted_once() -> None:
    async with a_house() as house:
        wire, _ = await house.enter()
        edit = PictureEdit(1, 0, 0, 0, False, picture())
        for _ in range(2):
            wire.say(edit)
            assert await wire.expect(Accepted) == Accepted(1, 1, 1, 0)
        assert house.counts.edits == {"canvas": 1}
        assert len(house.engine.requests) == 1

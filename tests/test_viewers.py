"""A session's state for who looks at it: after undo, for a second viewer, on coming back."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from models.base import Encoded
from streaming.limits import Limits
from streaming.messages import Forget, Submit
from streaming.protocol import (
    Accepted,
    Ack,
    CanvasState,
    Demand,
    End,
    Ended,
    Error,
    Hello,
    HistoryInfo,
    Params,
    ParamValue,
    PictureEdit,
    PictureFrame,
    Ping,
    Pong,
    Redo,
    State,
    Undo,
)
from tests.house import a_house
from tests.scripted import picture, until

pytestmark = pytest.mark.usefixtures("both_wires")


# --- state, and several who look ----------------------------------------------------------------


async def test_after_undo_the_state_and_the_canvas_follow() -> None:
    async with a_house() as house:
        wire, _ = await house.enter()
        wire.say(PictureEdit(1, 0, 0, 0, False, picture((1, 2, 3))))
        wire.say(PictureEdit(2, 0, 0, 0, False, picture((4, 5, 6))))
        wire.say(Undo(3))
        for _ in range(3):
            accepted = await wire.expect(Accepted)
        state, canvas = await wire.expect(State), await wire.expect(CanvasState)
        assert state == State(3, accepted_params(), True, HistoryInfo(1, 1))
        assert (accepted.revision, canvas.revision, canvas.format) == (3, 3, "png")
        pixels = np.asarray(Image.open(io.BytesIO(canvas.data)))
        assert pixels[0, 0].tolist() == [1, 2, 3]
        wire.say(Undo(4))
        assert (await wire.expect(State)).canvas is False
        wire.say(Redo(5))
        assert (await wire.expect(State)).canvas is True
        assert (await wire.expect(CanvasState)).revision == 5


def accepted_params() -> dict[str, ParamValue]:
    return {"prompt": "", "seed": 0, "strength": 0.5}


async def test_what_passes_is_told_as_a_revision_without_its_values() -> None:
    async with a_house() as house:
        one, welcome = await house.enter(Hello(1, "one"))
        two, _ = await house.enter(Hello(1, "two", welcome.session, welcome.secret))
        one.say(Params(1, {"seed": 5}, passing=True))
        assert await one.expect(Accepted) == Accepted(1, 1, 0, 0)
        assert await two.expect(State) == State(1, accepted_params(), False, HistoryInfo(0, 0))
        two.say(Params(1, {"prompt": "fog"}))  # whoever edits next ends it
        await until(lambda: len(house.engine.requests) == 2)
        assert [r.params["seed"] for r in house.engine.requests] == [5, 0]
        assert [m.passing for m in house.engine.posted if isinstance(m, Submit)] == [True, False]


async def test_one_edits_and_the_other_is_told() -> None:
    async with a_house() as house:
        one, welcome = await house.enter(Hello(1, "one"))
        back = Hello(1, "two", welcome.session, welcome.secret)
        two, seen = await house.enter(back)
        assert seen.resumed
        one.say(PictureEdit(1, 0, 0, 0, False, picture()))
        one.say(Params(2, {"seed": 5}))
        await until(lambda: house.hub.hosted(welcome.session).session.revision == 2)
        while (state := await two.expect(State)).revision < 2:
            await two.expect(CanvasState)
        assert (state.params["seed"], state.canvas) == (5, True)
        assert (await two.expect(CanvasState)).revision == 2
        two.say(Params(1, {"seed": 6}))
        assert (await one.expect(State)).params["seed"] == 6


async def test_a_burst_of_edits_is_told_as_a_few_states() -> None:
    async with a_house(Limits(state_seconds=1000)) as house:
        one, welcome = await house.enter(Hello(1, "one"))
        two, _ = await house.enter(Hello(1, "two", welcome.session, welcome.secret))
        one.say(Params(1, {"seed": 1}))
        assert (await two.expect(State)).revision == 1
        two.got.clear()
        for revision in range(2, 30):
            one.say(Params(revision, {"seed": revision}))
            await one.expect(Accepted)
        two.say(Ping(1.0))
        await two.expect(Pong)
        assert [type(frame) for frame in two.got] == [Pong]


async def test_the_last_state_of_a_burst_is_always_told() -> None:
    async with a_house(Limits(state_seconds=0.01)) as house:
        one, welcome = await house.enter(Hello(1, "one"))
        two, _ = await house.enter(Hello(1, "two", welcome.session, welcome.secret))
        for revision in range(1, 30):
            one.say(Params(revision, {"seed": revision}))
        while (await two.expect(State)).revision < 29:
            pass


async def test_a_picture_that_was_seen_is_not_shown_again() -> None:
    async with a_house() as house:
        wire, welcome = await house.enter()
        wire.say(Params(1, {"seed": 1}))
        await wire.expect(Accepted)
        wire.say(Ack((await house.shown(wire)).sequence))
        wire.say(Demand(False))
        wire.say(Demand(True))
        wire.say(Ping(1.0))
        await wire.expect(Pong)
        assert wire.waiting == 0
        wire.say(Demand(False))
        await until(lambda: not house.engine.wanted(welcome.session))
        request = house.engine.requests[-1]
        house.engine.make(replace(request, job=2))
        wire.say(Demand(True))
        frame = await wire.expect(PictureFrame)
        assert (frame.job, frame.replay) == (2, True)


async def test_both_see_one_encoding_and_the_slow_one_costs_the_other_nothing() -> None:
    async with a_house() as house:
        one, welcome = await house.enter(Hello(1, "one"))
        two, _ = await house.enter(Hello(1, "two", welcome.session, welcome.secret))
        for revision in range(1, 6):
            one.say(Params(revision, {"seed": revision}))
            await one.expect(Accepted)
            frame = await house.shown(one)
            assert frame.revision == revision
            one.say(Ack(frame.sequence))
            await until(lambda: house.engine.wanted(welcome.session))
        frames = [await two.expect(PictureFrame) for _ in range(2)]
        assert [frame.revision for frame in frames] == [1, 2]
        assert house.encoder.encoded.count(("jpeg", 80)) == 5
        two.say(Ack(2))
        assert (await two.expect(PictureFrame)).revision == 5
        assert house.encoder.encoded.count(("jpeg", 80)) == 5


async def test_too_many_viewers_are_refused() -> None:
    async with a_house(Limits(max_viewers=1)) as house:
        _, welcome = await house.enter()
        wire = house.connect()
        wire.say(Hello(1, session=welcome.session, secret=welcome.secret))
        assert (await wire.expect(Error)).code == "busy"
        assert await house.over(1) == (1013, "busy")


async def test_who_comes_back_gets_everything_and_nothing_is_made_again() -> None:
    async with a_house() as house:
        wire, welcome = await house.enter(Hello(1, "tab"))
        wire.say(PictureEdit(1, 0, 0, 0, False, picture((1, 2, 3))))
        wire.say(Params(2, {"seed": 5}))
        await wire.expect(Accepted)
        await wire.expect(Accepted)
        final = await house.shown(wire)
        kept = house.hub.hosted(welcome.session)
        await until(lambda: kept.pictures)
        assert kept.final is not None
        assert isinstance(kept.final.output.payload, Encoded)  # no pixels once it was sent
        wire.leave()
        await house.over()
        assert not house.engine.wanted(welcome.session)
        await house.hub.rest()
        posted = len(house.engine.requests)
        hello = Hello(1, "tab", welcome.session, welcome.secret)
        back, again = await house.enter(hello)
        assert (again.resumed, again.revision, again.last_edit) == (True, 2, 2)
        assert (again.params["seed"], again.canvas) == (5, True)
        frames = [await back.hear(), await back.hear()]
        canvas = next(f for f in frames if isinstance(f, CanvasState))
        replay = next(f for f in frames if isinstance(f, PictureFrame))
        assert canvas.revision == 2
        assert (replay.replay, replay.final, replay.revision) == (True, True, 2)
        assert (replay.sequence, replay.data) == (1, final.data)
        assert len(house.engine.requests) == posted
        assert house.engine.wanted(welcome.session)
        assert len(house.counts.sent) == 1  # a replay is no picture that was made


async def test_the_end_is_told_to_everybody_and_nothing_is_kept() -> None:
    async with a_house() as house:
        one, welcome = await house.enter(Hello(1, "one"))
        two, _ = await house.enter(Hello(1, "two", welcome.session, welcome.secret))
        one.say(End())
        await one.expect(Ended)
        await two.expect(Ended)
        assert await house.over(0) == (1000, "ended")
        assert await house.over(1) == (1000, "ended")
        assert house.engine.forgotten == [welcome.session]
        assert house.engine.posted[-1] == Forget(welcome.session)
        assert house.hub.session_count == 0
        assert house.counts.ended == [("ended", 0)]

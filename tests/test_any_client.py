"""Whatever a client says, in whatever order: typed answers, in order, never a fault of ours."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from models.base import Encoded
from streaming.limits import Limits
from streaming.protocol import (
    Accepted,
    Ack,
    CanvasState,
    Clear,
    Demand,
    End,
    Error,
    Hello,
    Params,
    PictureEdit,
    PictureFrame,
    Ping,
    Pong,
    Redo,
    Undo,
    Welcome,
    encode_picture_edit,
    encode_text,
)
from tests.house import House, a_house
from tests.scripted import Wire, picture, until

CANVAS, TILE = picture((1, 2, 3)), picture((9, 9, 9), (8, 8))
ids = st.integers(1, 12)
frames = st.one_of(
    st.builds(Params, ids, st.dictionaries(st.sampled_from(["seed", "hue"]), st.integers(-1, 5))),
    st.builds(Clear, ids, st.integers(0, 2)),
    st.builds(Undo, ids),
    st.builds(Redo, ids),
    st.builds(Demand, st.booleans(), st.booleans()),
    st.builds(Ack, st.integers(0, 6)),
    st.builds(Ping, st.floats(0, 9)),
    st.builds(Hello, st.integers(1, 2)),
    st.builds(End),
    st.builds(PictureEdit, ids, st.integers(0, 2), st.just(0), st.just(0), st.just(False),
              st.sampled_from([CANVAS, CANVAS[:60], TILE])),
    st.builds(PictureEdit, ids, st.integers(0, 2), st.integers(0, 60), st.integers(0, 60),
              st.just(True), st.just(TILE)),
    st.binary(max_size=40),
    st.text(max_size=20),
)  # fmt: skip
steps = st.one_of(frames, st.sampled_from(["paint", "preview"]))

ORDERLY = {"left", "ended", "bad_message", "hello_expected", "unsupported_version"}


def say(wire: Wire, frame: object) -> None:
    if isinstance(frame, PictureEdit):
        wire.say(encode_picture_edit(frame))
    elif isinstance(frame, str | bytes):
        wire.say(frame)
    elif isinstance(frame, msgspec.Struct):
        wire.say(encode_text(frame))  # type: ignore[arg-type]


async def live(house: House, begins: bool, deeds: list[object]) -> list[object]:
    """Play all deeds to one connection, then leave; what it heard."""
    wire = house.connect()
    if begins:
        wire.say(Hello(1, "c"))
    for deed in deeds:
        if deed in ("paint", "preview") and house.engine.requests:
            payload = Encoded(b"picture", "jpeg", 64, 64)
            house.engine.make(house.engine.requests[-1], 1 + (deed == "paint"), payload=payload)
        else:
            say(wire, deed)
        await asyncio.sleep(0)
    await until(lambda: not wire._in.qsize() or house.tasks[0].done())
    wire.leave()
    await house.over()
    return [await wire.hear() for _ in range(wire.waiting)]


@settings(deadline=None, max_examples=100)
@given(st.booleans(), st.lists(steps, max_size=25))
def test_any_sequence_is_answered_in_order(begins: bool, deeds: list[object]) -> None:
    async def play() -> None:
        async with a_house(Limits(bad_messages=8)) as house:
            heard = await live(house, begins, deeds)
            assert set(house.counts.left) <= ORDERLY
            assert not any(isinstance(f, Error) and f.code == "internal" for f in heard)
            in_order(heard)
            assert house.hub.connection_count == 0
            seen = {request.session for request in house.engine.requests}
            kept = seen - set(house.engine.forgotten)
            assert not any(house.engine.wanted(session) for session in kept)

    asyncio.run(play())


def in_order(heard: list[object]) -> None:
    """The welcome comes before all else of a session; pictures count up and never go back."""
    kinds = [type(frame) for frame in heard]
    if Welcome in kinds:
        before = kinds[: kinds.index(Welcome)]
        assert not {Accepted, PictureFrame, CanvasState, Pong} & set(before)
    pictures = [frame for frame in heard if isinstance(frame, PictureFrame)]
    assert [p.sequence for p in pictures] == list(range(1, len(pictures) + 1))
    orders = [(p.revision, p.job, p.step) for p in pictures]
    assert orders == sorted(orders)


@pytest.mark.parametrize("deed", ["paint", "preview"])
async def test_the_play_paints(deed: str) -> None:
    async with a_house() as house:
        heard = await live(house, True, [Params(1, {"seed": 1}), *[Ping(1.0)] * 9, deed])
        assert [type(f) for f in heard if not isinstance(f, Pong)] == [
            Welcome,
            Accepted,
            PictureFrame,
        ]

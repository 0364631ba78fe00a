"""Frames that are handled in the turn that brought them: which, in what order, and what fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from streaming.protocol import Accepted, Ack, Error, Hello, Params, PictureEdit, Ping, Pong
from tests import house as houses
from tests.house import House, a_house
from tests.scripted import PromptWire, picture


@pytest.fixture(autouse=True)
def prompt_wires() -> Iterator[None]:
    houses.WIRES.append(PromptWire)
    yield
    houses.WIRES.pop()


async def enter(house: House) -> PromptWire:
    wire, _ = await house.enter(Hello(1, "c"))
    assert isinstance(wire, PromptWire)
    wire.say(Ping(1.0))  # the reader listens by the time it answers
    await wire.expect(Pong)
    return wire


async def test_control_messages_are_taken_on_the_spot() -> None:
    async with a_house() as house:
        wire = await enter(house)
        before = wire.handled
        wire.say(Params(1, {"seed": 5}))
        assert house.engine.requests[-1].params["seed"] == 5, "without a task's turn"
        frame = await house.shown(wire)
        wire.say(Ack(frame.sequence))
        assert wire.handled == before + 2


async def test_what_is_refused_is_answered_once() -> None:
    async with a_house() as house:
        wire = await enter(house)
        for bad in (Params(1, {"seed": -1}), Ack(99), "no json"):
            wire.say(bad)
            assert isinstance(await wire.hear(), Accepted | Error)
        wire.say(Params(2, {"seed": 2}))
        assert (await wire.expect(Accepted)).id == 2
        assert [type(m) for m in wire.got].count(Error) == 3
        assert sum(house.counts.refusals.values()) == 3


async def test_nothing_overtakes_a_picture_that_is_being_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streaming.connection.INLINE_PIXELS", 0)
    async with a_house() as house:
        wire = await enter(house)
        house.encoder.hold()
        wire.say(PictureEdit(1, 0, 0, 0, False, picture()))
        await asyncio.sleep(0)  # the reader takes it
        wire.say(Params(2, {"seed": 3}))
        wire.say(Params(3, {"seed": 4}))
        house.encoder.go()
        assert [(await wire.expect(Accepted)).id for _ in range(3)] == [1, 2, 3]


async def test_a_fault_of_ours_ends_the_connection_with_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    async with a_house() as house:
        wire = await enter(house)
        monkeypatch.setattr("streaming.writer.Writer.ack", broken)
        wire.say(Ack(0))
        assert (await wire.expect(Error)).code == "internal"
        assert await house.over() == (1011, "internal")

"""State and canvas are of one revision, and never go back behind what a client was told."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from models.base import Payload, Picture
from streaming import writer
from streaming.codecs import Encoding, encode_pixels
from streaming.limits import Limits
from streaming.protocol import (
    Accepted,
    CanvasState,
    Clear,
    Format,
    Hello,
    Params,
    PictureEdit,
    Ping,
    Pong,
    State,
    Undo,
)
from tests.house import House, a_house
from tests.scripted import SIZE, Wire, picture, until

pytestmark = pytest.mark.usefixtures("both_wires")

SOON = Limits(state_seconds=0.0)


@dataclass
class Slowly:
    """Canvases are encoded when the test says so: `asked` waits, `done` are through."""

    asked: list[tuple[Picture, asyncio.Future[Encoding]]] = field(default_factory=list)
    done: int = 0

    def submit(self, payload: Payload, format: Format, _: int) -> asyncio.Future[Encoding]:
        assert isinstance(payload, Picture)
        assert format == "png"
        future: asyncio.Future[Encoding] = asyncio.get_running_loop().create_future()
        self.asked.append((payload, future))
        return future

    async def finish(self) -> None:
        """Encode the canvas that is asked for next."""
        await until(lambda: len(self.asked) > self.done)
        payload, future = self.asked[self.done]
        self.done += 1
        data = encode_pixels(payload.pixels, "png", 100)
        future.set_result(Encoding(data, "png", SIZE, SIZE, 0.0))


def slowly(house: House, monkeypatch: pytest.MonkeyPatch) -> Slowly:
    codec = Slowly()
    monkeypatch.setattr(house.encoder, "submit", codec.submit)
    return codec


def canvas(id: int, level: int) -> PictureEdit:
    return PictureEdit(id, 0, 0, 0, False, picture((level, level, level)))


def tile(id: int, level: int) -> PictureEdit:
    return PictureEdit(id, 0, 8, 8, True, picture((level, level, level), (4, 4)))


def levels(state: CanvasState) -> tuple[int, int]:
    """What is at the corner, and under the tile."""
    pixels = np.asarray(Image.open(io.BytesIO(state.data)))
    return int(pixels[0, 0, 0]), int(pixels[9, 9, 0])


async def accepted(wire: Wire, *edits: PictureEdit | Params | Undo | Clear) -> int:
    """Say the edits; the revision of the last."""
    for edit in edits:
        wire.say(edit)
        revision = (await wire.expect(Accepted)).revision
    return revision


async def snapshot(wire: Wire) -> tuple[State, CanvasState]:
    return await wire.expect(State), await wire.expect(CanvasState)


async def silent(wire: Wire) -> None:
    """Nothing but the answer to a ping comes."""
    wire.got.clear()
    wire.say(Ping(1.0))
    await wire.expect(Pong)
    assert len(wire.got) == 1


async def test_a_state_that_was_overtaken_by_a_canvas_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_house(SOON) as house:
        codec = slowly(house, monkeypatch)
        wire, _ = await house.enter()
        assert await accepted(wire, canvas(1, 10), canvas(2, 20), Undo(3)) == 3
        await until(lambda: codec.asked)
        assert await accepted(wire, Params(4, {"seed": 4}), tile(5, 99)) == 5
        await codec.finish()
        await silent(wire)
        await codec.finish()
        state, seen = await snapshot(wire)
        assert (state.revision, state.params["seed"]) == (5, 4)
        assert (seen.revision, levels(seen)) == (5, (10, 99))
        await silent(wire)


async def test_a_state_is_as_it_is_when_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_house(SOON) as house:
        codec = slowly(house, monkeypatch)
        wire, _ = await house.enter()
        await accepted(wire, canvas(1, 10), canvas(2, 20), Undo(3))
        await until(lambda: codec.asked)
        assert await accepted(wire, Params(4, {"seed": 4})) == 4
        await codec.finish()
        state, seen = await snapshot(wire)
        assert (state.revision, state.params["seed"], seen.revision) == (4, 4, 4)
        assert len(codec.asked) == 1  # the canvas was still this one
        await silent(wire)


async def test_who_paints_without_a_pause_hears_of_the_others_nevertheless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "OVERTAKEN_SECONDS", 0.0)
    async with a_house(SOON) as house:
        codec = slowly(house, monkeypatch)
        painter, welcome = await house.enter(Hello(1, "painter"))
        await accepted(painter, canvas(1, 10), canvas(2, 20))
        other, _ = await house.enter(Hello(1, "other", welcome.session, welcome.secret))
        await codec.finish()
        await other.expect(CanvasState)
        await accepted(other, Undo(1))
        other.leave()
        await house.over(1)
        for level in range(1, 1 + writer.SNAPSHOTS):
            revision = await accepted(painter, tile(2 + level, level))
            await codec.finish()
        state, seen = await snapshot(painter)
        assert state.revision == seen.revision == revision - 1
        assert levels(seen) == (10, writer.SNAPSHOTS - 1)  # of this revision, and no other
        await codec.finish()
        state, seen = await snapshot(painter)
        assert state.revision == seen.revision == revision
        assert levels(seen) == (10, writer.SNAPSHOTS)
        await silent(painter)


async def test_who_only_looks_on_is_told_each_snapshot_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_house(SOON) as house:
        codec = slowly(house, monkeypatch)
        painter, welcome = await house.enter(Hello(1, "painter"))
        other, _ = await house.enter(Hello(1, "other", welcome.session, welcome.secret))
        await accepted(painter, canvas(1, 10))
        await until(lambda: codec.asked)
        await accepted(painter, canvas(2, 20), Params(3, {"seed": 3}))
        for revision, level, seed in ((1, 10, 0), (3, 20, 3)):
            await codec.finish()
            state, seen = await snapshot(other)
            assert (state.revision, state.params["seed"]) == (revision, seed)
            assert (seen.revision, levels(seen)) == (revision, (level, level))
        await silent(other)


@pytest.mark.parametrize("edit", [tile(2, 99), Clear(2), Params(2, {"seed": 2})])
async def test_the_canvas_of_a_welcome_is_not_older_than_what_was_accepted_since(
    monkeypatch: pytest.MonkeyPatch, edit: PictureEdit | Clear | Params
) -> None:
    async with a_house(SOON) as house:
        wire, welcome = await house.enter(Hello(1, "c"))
        await accepted(wire, canvas(1, 10))
        codec = slowly(house, monkeypatch)
        back, again = await house.enter(Hello(1, "c", welcome.session, welcome.secret))
        assert (again.revision, again.canvas) == (1, True)
        assert await accepted(back, edit) == 2
        await codec.finish()
        if isinstance(edit, PictureEdit):
            await codec.finish()
        state = await back.expect(State)
        assert (state.revision, state.canvas) == (2, not isinstance(edit, Clear))
        if state.canvas:
            seen = await back.expect(CanvasState)
            under = 99 if isinstance(edit, PictureEdit) else 10
            assert (seen.revision, levels(seen)) == (2, (10, under))


async def test_a_welcome_is_followed_by_its_canvas_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_house(SOON) as house:
        wire, welcome = await house.enter(Hello(1, "c"))
        await accepted(wire, canvas(1, 10))
        codec = slowly(house, monkeypatch)
        back, _ = await house.enter(Hello(1, "c", welcome.session, welcome.secret))
        await codec.finish()
        seen = await back.hear()
        assert isinstance(seen, CanvasState)
        assert seen.revision == 1
        await silent(back)

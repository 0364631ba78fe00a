"""What the client remembers: nothing is lost, sent twice, or taken back by what is older."""

from __future__ import annotations

import asyncio
import io

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from streaming.client_inputs import with_tile
from streaming.client_memory import TILES, Edit, Memory
from streaming.errors import BadEdit
from streaming.protocol import (
    Accepted,
    CanvasState,
    Clear,
    HistoryInfo,
    InputInfo,
    ModelInfo,
    Params,
    ParamValue,
    PictureEdit,
    State,
    Undo,
    Welcome,
    decode_client_text,
)
from tests.scripted import picture


def welcome(session: str, canvas: bool = False) -> Welcome:
    model = ModelInfo("toy", "Toy", (), (InputInfo("canvas", 8, 8, (255, 255, 255)),), ())
    info = HistoryInfo(0, 0)
    return Welcome(
        1, session, "secret", False, 0, 0, {"seed": 0}, canvas, info, model, 600, 1 << 20
    )


async def test_an_answered_edit_is_not_sent_again() -> None:
    memory = Memory(None, None)
    memory.welcome(welcome("one"))
    loop = asyncio.get_running_loop()
    good, bad, open_ = (loop.create_future() for _ in range(3))
    for answer in (good, bad, open_):
        memory.add(Params(memory.next_id(), {"seed": 1}), answer)
    memory.accepted(Accepted(1, 1, 1, 0))
    memory.refused(2, BadEdit("no"))
    assert good.result() == 1
    with pytest.raises(BadEdit):
        bad.result()
    (frame,) = memory.unanswered()
    assert decode_client_text(frame) == Params(3, {"seed": 1})
    assert not open_.done()


async def test_a_forgotten_session_is_given_its_state_before_what_is_pending() -> None:
    memory = Memory(None, None)
    memory.welcome(welcome("one"))
    memory.add(Params(memory.next_id(), {"seed": 5}), None)
    memory.accepted(Accepted(1, 1, 1, 0))
    memory.add(PictureEdit(memory.next_id(), 0, 0, 0, False, picture(size=(8, 8))), None)
    memory.accepted(Accepted(2, 2, 2, 0))
    memory.add(Params(memory.next_id(), {"seed": 6}), None)
    memory.forget()
    memory.welcome(welcome("two"))
    edits = [p.edit for p in memory.pending.values()]
    assert [type(e) for e in edits] == [Params, PictureEdit, Params]
    assert [e.id for e in edits] == [4, 5, 6]
    assert edits[0] == Params(4, {"seed": 5})


def test_many_tiles_are_laid_on_the_canvas() -> None:
    memory = Memory(None, None)
    memory.welcome(welcome("one"))
    for number in range(TILES + 5):
        tile = PictureEdit(memory.next_id(), 0, number % 7, 3, True, picture(size=(1, 1)))
        memory.add(tile, None)
        memory.accepted(Accepted(tile.id, tile.id, 1, 0))
    assert len(memory._tiles) < TILES
    canvas = memory.canvas
    assert canvas is not None
    assert with_tile(canvas, (8, 8), 0, 0, picture(size=(1, 1))) != canvas


# --- nothing goes back --------------------------------------------------------------------------


def entered(canvas: bytes | None = None) -> Memory:
    """A memory of a session at revision 10."""
    memory = Memory(None, None)
    memory.welcome(replace(welcome("one", canvas is not None), revision=10))
    if canvas is not None:
        memory.canvas_state(CanvasState(10, "png", canvas))
    return memory


def accept(memory: Memory, revision: int, edit: Edit) -> None:
    edit = replace(edit, id=memory.next_id())
    memory.add(edit, None)
    memory.accepted(Accepted(edit.id, revision, revision, 0))


def state(revision: int, canvas: bool = False, **params: ParamValue) -> State:
    return State(revision, params, canvas, HistoryInfo(revision, 0))


def painted(level: int) -> bytes:
    return picture((level, level, level), (8, 8))


def canvas(level: int) -> PictureEdit:
    return PictureEdit(0, 0, 0, 0, False, painted(level))


def tile(level: int) -> PictureEdit:
    return PictureEdit(0, 0, 2, 2, True, picture((level, level, level), (1, 1)))


def levels(memory: Memory) -> tuple[int, int]:
    """What is at the canvas's corner, and under the tile."""
    assert memory.canvas is not None
    pixels = np.asarray(Image.open(io.BytesIO(memory.canvas)).convert("RGB"))
    return int(pixels[0, 0, 0]), int(pixels[2, 2, 0])


def test_what_was_accepted_since_stays_on_top_of_an_overtaken_state() -> None:
    memory = entered()
    accept(memory, 12, Params(0, {"seed": 12}))
    memory.state(state(11, seed=5, prompt="theirs"))
    assert memory.params == {"seed": 12, "prompt": "theirs"}
    assert (memory.revision, memory.history.undo) == (12, 12)
    memory.state(state(13, seed=6, prompt="theirs"))
    assert memory.params == {"seed": 6, "prompt": "theirs"}
    assert (memory.revision, memory.history.undo) == (13, 13)


def test_a_rebuilt_session_gets_what_was_accepted_after_an_overtaken_state() -> None:
    memory = entered(painted(10))
    accept(memory, 12, Params(0, {"seed": 12}))
    accept(memory, 13, tile(13))
    memory.state(state(11, True, seed=5))
    memory.canvas_state(CanvasState(11, "png", painted(11)))
    memory.forget()
    memory.welcome(welcome("two"))
    params, drawing = (p.edit for p in memory.pending.values())
    assert isinstance(params, Params)
    assert params.params["seed"] == 12
    assert isinstance(drawing, PictureEdit)
    assert levels(memory) == (11, 13)
    accept(memory, 1, canvas(1))  # the new session counts from the beginning
    memory.state(state(2, seed=2))
    assert (memory.revision, memory.params["seed"], memory.canvas) == (2, 2, None)


def test_a_state_that_is_older_than_another_changes_nothing() -> None:
    memory = entered()
    memory.state(state(12, seed=12))
    memory.state(state(11, seed=11))
    assert (memory.revision, memory.params) == (12, {"seed": 12})
    accept(memory, 13, canvas(13))
    memory.state(state(12, seed=12))
    assert levels(memory) == (13, 13)  # there was no canvas then


def test_tiles_that_are_newer_than_a_canvas_stay_on_it() -> None:
    memory = entered(painted(10))
    for revision in (11, 13):
        accept(memory, revision, tile(revision))
    memory.canvas_state(CanvasState(12, "png", painted(12)))
    assert levels(memory) == (12, 13)
    memory.canvas_state(CanvasState(12, "png", painted(12)))  # the tile is part of it by now
    assert levels(memory) == (12, 13)
    memory.canvas_state(CanvasState(14, "png", painted(14)))
    assert levels(memory) == (14, 14)


@pytest.mark.parametrize("edit", [canvas(12), Clear(0)])
def test_a_canvas_that_is_older_than_a_whole_one_of_ones_own_changes_nothing(edit: Edit) -> None:
    memory = entered(painted(10))
    accept(memory, 12, edit)
    memory.canvas_state(CanvasState(11, "png", painted(11)))
    assert memory.canvas == (painted(12) if isinstance(edit, PictureEdit) else None)


@pytest.mark.parametrize("edit", [Params(0, {"seed": 7}), canvas(7), tile(7), Clear(0)])
def test_an_edit_that_a_snapshot_contains_is_not_applied_again(edit: Edit) -> None:
    """Its answer was lost with the connection, and another client edited before it came again."""
    memory = entered(painted(10))
    memory.state(state(10, True, seed=10))
    accept(memory, 7, edit)
    assert memory.params["seed"] == 10
    assert levels(memory) == (10, 10)
    assert not memory.pending
    assert memory.revision == 10


def test_undo_changes_nothing_until_its_state_comes() -> None:
    memory = entered(painted(10))
    accept(memory, 11, Params(0, {"seed": 11}))
    accept(memory, 12, Undo(0))
    assert memory.params["seed"] == 11
    memory.state(state(12, True, seed=0))
    assert memory.params["seed"] == 0


async def test_a_refusal_without_a_name_is_of_the_oldest_edit() -> None:
    memory = entered()
    memory.oldest_refused(BadEdit("nobody waits"))
    loop = asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()
    for answer in (first, second):
        memory.add(Params(memory.next_id(), {"seed": 1}), answer)
    memory.oldest_refused(BadEdit("no"))
    assert isinstance(first.exception(), BadEdit)
    assert not second.done()

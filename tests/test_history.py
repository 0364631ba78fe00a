"""Undo and redo by patches: the way back is exact, joined by gesture, and bounded in bytes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings, strategies as st

from models.base import InputSpec
from streaming.canvas import Canvas, changed_box, pack, unpack
from streaming.history import MERGE, Content, History, patched, way_back

SPEC = InputSpec("canvas", 8, 6, (255, 255, 255))
RNG = np.random.default_rng(7)


def noise(height: int = 6, width: int = 8) -> Canvas:
    return Canvas(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8))


def same(one: Content, other: Content) -> bool:
    if one.params != other.params or (one.canvas is None) != (other.canvas is None):
        return False
    if one.canvas is None or other.canvas is None:
        return True
    return bool((one.canvas.pixels == other.canvas.pixels).all())


contents = st.builds(
    lambda seed, kind: Content(
        {"seed": seed}, None if kind < 0 else Canvas(np.full((6, 8, 3), kind, np.uint8))
    ),
    st.integers(0, 3),
    st.integers(-1, 3),
)


@settings(deadline=None)
@given(contents, contents)
def test_a_patch_is_the_way_back(one: Content, other: Content) -> None:
    assert same(patched(other, [way_back(one, other)]), one)


@settings(deadline=None)
@given(st.lists(st.tuples(contents, st.sampled_from([None, 1, 2])), min_size=1, max_size=30))
def test_undo_all_then_redo_all_is_where_we_were(edits: list[tuple[Content, int | None]]) -> None:
    history, start = History(1 << 20), Content({"seed": 0}, None)
    now = start
    for after, key in edits:
        history.record(now, after, key)
        now = after
    end, gestures = now, history.undoable
    back = now
    while (earlier := history.undo(back)) is not None:
        back = earlier
    assert same(back, start)
    assert (history.undoable, history.redoable) == (0, gestures)
    while (later := history.redo(back)) is not None:
        back = later
    assert same(back, end)
    assert (history.undoable, history.redoable) == (gestures, 0)


@settings(deadline=None)
@given(
    st.integers(800, 20_000),
    st.lists(st.sampled_from(["edit", "join", "undo", "redo"]), max_size=120),
)
def test_the_bytes_stay_in_bounds_and_are_counted_right(limit: int, steps: list[str]) -> None:
    history, now = History(limit), Content({"text": ""}, None)
    for number, step in enumerate(steps):
        if step in ("edit", "join"):
            after = Content({"text": "x" * number}, noise(30, 30))
            history.record(now, after, "stroke" if step == "join" else None)
            now = after
        else:
            now = (history.undo(now) if step == "undo" else history.redo(now)) or now
        assert history.nbytes <= limit
        kept = [*history._undo, *history._redo]
        assert history.nbytes == sum(gesture.nbytes for gesture in kept)


def test_the_oldest_go_first_and_it_says_so() -> None:
    history = History(20_000)
    now = Content({}, noise(32, 32))
    for _ in range(20):
        after = Content({}, noise(32, 32))
        history.record(now, after, None)
        now = after
    assert history.truncated
    assert 0 < history.undoable < 20
    newest = history.undoable
    while history.undo(now) is not None:
        newest -= 1
    assert newest == 0


def test_a_long_stroke_stays_one_small_gesture() -> None:
    history, start = History(1 << 20), Content({}, Canvas.blank(InputSpec("canvas", 64, 64)))
    now = start
    for step in range(5 * MERGE):
        assert now.canvas
        after = Content({}, now.canvas.painted(step % 60, 30, noise(4, 4).pixels))
        history.record(now, after, "stroke")
        now = after
    assert history.undoable == 1
    assert len(history._undo[0].patches) <= MERGE
    back = history.undo(now)
    assert back is not None
    assert same(back, start)


def test_a_finished_stroke_costs_as_much_as_one_edit() -> None:
    history, start = History(1 << 20), Content({}, Canvas.blank(InputSpec("canvas", 64, 64)))
    now, sizes = start, []
    for key in ("one", "two"):
        for step in range(30):
            assert now.canvas
            tile = np.full((4, 4, 3), step, np.uint8)
            after = Content({}, now.canvas.painted(step, 30, tile))
            history.record(now, after, key, (30, 34, step, step + 4))
            now = after
        sizes.append(history.nbytes)
    assert sizes[1] - sizes[0] < 1500 < 15_000 < sizes[0]
    history.settle(now)
    assert history.nbytes < 3000
    for _ in range(2):
        back = history.undo(now)
        assert back is not None
        now = back
    assert same(now, start)


def test_a_small_change_of_a_large_canvas_costs_little() -> None:
    canvas = Canvas(RNG.integers(0, 256, (256, 256, 3), dtype=np.uint8))
    changed = canvas.painted(100, 50, np.zeros((8, 8, 3), np.uint8))
    assert len(way_back(Content({}, canvas), Content({}, changed)).data) < 300


def test_nothing_joins_a_gesture_that_was_redone() -> None:
    history = History(1 << 20)
    contents = [Content({"seed": n}, None) for n in range(4)]
    history.record(contents[0], contents[1], "stroke")
    back = history.undo(contents[1])
    assert back is not None
    assert same(back, contents[0])
    assert history.redo(back) is not None
    history.record(contents[1], contents[2], "stroke")
    assert history.undoable == 2


def test_a_new_edit_forgets_what_could_be_redone() -> None:
    history = History(1 << 20)
    history.record(Content({"seed": 0}, None), Content({"seed": 1}, None), None)
    history.undo(Content({"seed": 1}, None))
    history.record(Content({"seed": 0}, None), Content({"seed": 2}, None), None)
    assert (history.undoable, history.redoable) == (1, 0)


def test_a_canvas_rests_and_wakes_the_same() -> None:
    canvas = noise(64, 64)
    before = canvas.pixels
    canvas.rest()
    assert canvas.resting
    assert (canvas.pixels == before).all()
    assert not canvas.resting
    assert not canvas.pixels.flags.writeable


def test_the_box_around_a_change_is_tight() -> None:
    old = np.zeros((10, 12, 3), np.uint8)
    new = old.copy()
    new[2, 3, 1] = new[6, 9, 0] = 1
    assert changed_box(old, new) == (2, 7, 3, 10)
    assert changed_box(old, old) is None
    assert (unpack(pack(new[2:7, 3:10]), (5, 7, 3)) == new[2:7, 3:10]).all()


def test_a_canvas_keeps_no_claim_on_what_it_was_made_of() -> None:
    whole = np.zeros((8, 8, 3), np.uint8)
    canvas = Canvas(whole[2:4, 2:4])
    whole[:] = 9
    assert not canvas.pixels.any()

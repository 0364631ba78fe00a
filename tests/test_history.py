"""Undo and redo by patches: the way back is exact, joined by gesture, and bounded in bytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from models.base import InputSpec
from streaming.canvas import QUICK, Box, Canvas, changed_box, joined, pack, pack_quickly, unpack
from streaming.history import Content, History, Patch, patched, way_back
from tests.house import as_they_are

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
    assert same(patched(other, way_back(one, other)), one)


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


deeds = ["edit", "join", "tile", "undo", "redo", "settle", "pack", "hold"]


@settings(deadline=None)
@given(
    st.integers(800, 20_000),
    st.lists(st.sampled_from(deeds), max_size=120),
    st.booleans(),
)
def test_the_bytes_stay_in_bounds_and_are_counted_right(
    limit: int, steps: list[str], flat: bool
) -> None:
    history, now = History(limit), Content({"text": ""}, None)
    packing: list[tuple[Patch, Patch]] = []
    undo: list[Content] = []
    redo: list[Content] = []
    with as_they_are(not flat):
        for number, step in enumerate(steps):
            if step in ("edit", "join", "tile"):
                after, within = edited(now, number, step)
                joins = step != "edit" and history.undoable and history._undo[-1].key == "stroke"
                undo += [] if joins else [now]
                redo.clear()
                history.record(now, after, None if step == "edit" else "stroke", within)
                now = after
            elif step == "undo" and (then := history.undo(now)) is not None:
                redo.append(now)
                assert same(then, undo.pop())
                now = then
            elif step == "redo" and (then := history.redo(now)) is not None:
                undo.append(now)
                assert same(then, redo.pop())
                now = then
            elif step == "settle":
                history.settle(now)
            elif step == "pack":
                packing += [(raw, raw.packed()) for raw in history.raw()]
            elif step == "hold":
                for raw, packed in packing:
                    history.packed(raw, packed)
            assert history.nbytes <= limit
            assert history.nbytes == held(history, now)


def edited(now: Content, number: int, step: str) -> tuple[Content, Box | None]:
    if step == "tile" and now.canvas is not None:
        x, y = RNG.integers(0, 26, 2)
        tiled = now.canvas.painted(x, y, noise(4, 4).pixels)
        return Content({**now.params}, tiled), (y, y + 4, x, x + 4)
    return Content({"text": "x" * number}, noise(30, 30)), None


def held(history: History, now: Content) -> int:
    """What the gestures really hold, or a little more."""
    total = 0
    for gesture in (*history._undo, *history._redo):
        way, least = gesture.way, 0
        if isinstance(way, Patch):
            least = len(way.data) if isinstance(way.data, bytes) else way.data.nbytes
        elif way.canvas is not None and way.canvas is not now.canvas:
            least = way.canvas.pixels.nbytes
        assert least < gesture.nbytes <= least + 1000
        total += gesture.nbytes
    return total


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


def test_a_long_stroke_is_one_small_gesture_and_never_loses_its_beginning() -> None:
    history, start = History(20_000), Content({}, Canvas.blank(InputSpec("canvas", 64, 64)))
    now = start
    for step in range(300):  # together they are more than the limit
        assert now.canvas
        x = step % 50
        after = Content({}, now.canvas.painted(x, 30, noise(14, 14).pixels))
        history.record(now, after, "stroke", (30, 44, x, x + 14))
        now = after
    assert (history.undoable, history.truncated) == (1, False)
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
    assert sizes[1] - sizes[0] < 1500 < 12_000 < sizes[0]
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


# --- pixels that aren't flat: they are left as they are until somebody has time -----------------


def coarse(size: int = 256) -> Canvas:
    """Noise of four values: it shrinks, but neither quickly nor much."""
    return Canvas(RNG.integers(0, 4, (size, size, 3), dtype=np.uint8))


def painting(history: History, count: int, made: Callable[[], Canvas] = coarse) -> list[Content]:
    """So many whole canvases, each a gesture of its own; what there was after each."""
    contents = [Content({}, made())]
    for _ in range(count):
        contents.append(Content({}, made()))
        history.record(contents[-2], contents[-1], None)
    return contents


def test_noise_is_not_compressed_on_the_spot(monkeypatch: pytest.MonkeyPatch) -> None:
    fed, real = 0, zlib.compressobj

    class Counting:
        def __init__(self, level: int) -> None:
            self.real = real(level)

        def compress(self, data: memoryview) -> bytes:
            nonlocal fed
            fed += len(data)
            return self.real.compress(data)

    monkeypatch.setattr(zlib, "compressobj", Counting)
    monkeypatch.setattr("streaming.history.pack", lambda pixels: pytest.fail("packed at once"))
    history = History(8 << 20)
    contents = painting(history, 4, lambda: noise(256, 256))
    history.settle(contents[-1])
    back = history.undo(contents[-1])
    assert back is not None
    assert same(back, contents[-2])
    assert 0 < fed <= 5 * 3 * QUICK  # four, and what was undone
    assert len(history.raw()) == 4
    assert history.nbytes > 4 * 256 * 256 * 3


def test_what_is_flat_is_small_at_once() -> None:
    history, now = History(8 << 20), Content({}, Canvas.blank(InputSpec("canvas", 512, 512)))
    after = Content({}, Canvas(np.zeros((512, 512, 3), np.uint8)))
    history.record(now, after, None)
    history.settle(after)
    assert history.raw() == []
    assert history.nbytes < 10_000


def test_what_was_left_as_it_is_can_be_packed_while_the_work_goes_on() -> None:
    history = History(8 << 20)
    contents = painting(history, 4)
    raw, size = history.raw(), history.nbytes
    now = history.undo(contents[-1])
    assert now is not None
    for patch in raw:
        history.packed(patch, patch.packed())
        history.packed(patch, patch.packed())  # twice is harmless
    assert history.nbytes < size * 2 / 3
    for earlier in reversed(contents[:3]):
        now = history.undo(now)
        assert now is not None
        assert same(now, earlier)


def test_a_gesture_too_large_as_it_is_is_kept_packed() -> None:
    history = History(100_000)
    contents = painting(history, 1)
    assert (history.undoable, history.truncated) == (1, False)
    back = history.undo(contents[1])
    assert back is not None
    assert same(back, contents[0])
    assert history.redo(back) is not None
    assert not history.truncated


def test_noise_that_grows_by_being_packed_stays_in_bounds() -> None:
    history = History(1 << 20)
    contents = painting(history, 2, lambda: noise(256, 256))
    history.settle(contents[-1])
    history._limit = history.nbytes
    for patch in history.raw():
        history.packed(patch, patch.packed())
    assert (history.undoable, history.truncated) == (1, True)
    assert history.nbytes <= history._limit


def test_undoing_what_was_packed_loses_nothing_of_it() -> None:
    history = History(600_000)  # room for three as they are, for nine packed
    contents = painting(history, 0)
    for _ in range(6):
        contents.append(Content({}, coarse()))
        history.record(contents[-2], contents[-1], None)
        history.settle(contents[-1])
        for patch in history.raw():
            history.packed(patch, patch.packed())
    now = contents[-1]
    for way, expected in ((history.undo, contents[-2::-1]), (history.redo, contents[1:])):
        for content in expected:
            then = way(now)
            assert then is not None
            assert same(then, content)
            now = then
    assert not history.truncated


def test_the_smaller_of_two_results_is_the_same() -> None:
    flat, coarse_pixels = np.zeros((64, 64, 3), np.uint8), coarse().pixels
    packed = pack_quickly(flat[8:40, 3:60])
    assert packed is not None
    assert (unpack(packed, (32, 57, 3)) == 0).all()
    assert pack_quickly(coarse_pixels) is None
    assert (unpack(pack(coarse_pixels), coarse_pixels.shape) == coarse_pixels).all()


def test_the_box_around_two() -> None:
    assert joined((1, 3, 5, 6), (2, 9, 0, 2)) == (1, 9, 0, 6)
    assert joined((0, 0, 0, 0), (2, 9, 4, 5)) == (2, 9, 4, 5)


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

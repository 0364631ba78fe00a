"""The painter: scenes that are whole, repeatable, and drawn on canvases as hands draw them."""

from __future__ import annotations

import numpy as np
import pytest

from models.scenes.captions import caption
from models.scenes.painter import paint_scene, redraw
from models.scenes.palette import MATERIALS, PALETTE, STRANGERS, UNPAINTED, VOCABULARY
from models.scenes.sketch import BARE, COLOURS, sketch

SIZE = 96
WORDINGS = {wording for group in VOCABULARY.values() for many in group.values() for wording in many}


def colours_of(picture: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in np.unique(picture.reshape(-1, 3), axis=0).tolist()}


def test_a_seed_is_one_scene_and_another_seed_another() -> None:
    first, again, other = paint_scene(5, SIZE), paint_scene(5, SIZE), paint_scene(6, SIZE)
    assert np.array_equal(first.painting, again.painting)
    assert np.array_equal(first.canvas, again.canvas)
    assert first.caption == again.caption
    assert not np.array_equal(first.painting, other.painting)


def test_canvases_hold_palette_colours_and_bare_paper_only() -> None:
    allowed = {*PALETTE.values(), UNPAINTED}
    for seed in range(20):
        scene = paint_scene(seed, SIZE)
        assert colours_of(scene.canvas) <= allowed
        assert scene.canvas.shape == scene.painting.shape == (SIZE, SIZE, 3)
        assert scene.labels.max() < len(MATERIALS)


def test_colours_are_far_enough_apart_to_be_told() -> None:
    table = COLOURS.astype(int)
    gaps = [np.abs(a - b).max() for i, a in enumerate(table) for b in table[:i]]
    assert min(gaps) >= 30


def test_every_material_turns_up_and_can_be_drawn() -> None:
    found: set[str] = set()
    for seed in range(60):
        found |= set(paint_scene(seed, SIZE).materials)
    assert found == set(MATERIALS)


def test_words_decide_the_light_and_leave_the_layout() -> None:
    day = paint_scene(3, SIZE, {"time": "day", "season": "summer", "weather": "clear"})
    night = paint_scene(3, SIZE, {"time": "night", "season": "summer", "weather": "clear"})
    assert day.painting.mean() > night.painting.mean() + 40
    assert day.words["time"] == "day"
    winter = paint_scene(9, SIZE, {"time": "day", "season": "winter", "weather": "clear"})
    autumn = paint_scene(9, SIZE, {"time": "day", "season": "autumn", "weather": "clear"})
    assert np.abs(winter.painting.astype(int) - autumn.painting).mean() > 5


def test_paintings_are_lit_pictures_not_flat_canvases() -> None:
    for seed in range(5):
        scene = paint_scene(seed, SIZE)
        assert len(colours_of(scene.painting)) > 200


@pytest.mark.parametrize(("kind", "least", "most"), [("bare", 1, 1), ("whole", 0, 0)])
def test_how_much_is_left_bare(kind: str, least: float, most: float) -> None:
    labels = paint_scene(2, SIZE).labels
    bare = float((sketch(np.random.default_rng(0), labels, kind) == BARE).mean())
    assert least <= bare <= most


def test_partial_canvases_keep_what_they_show() -> None:
    labels = paint_scene(2, SIZE).labels
    shares = []
    for seed in range(30):
        drawn = sketch(np.random.default_rng(seed), labels, "patchy")
        painted = drawn != BARE
        shares.append(painted.mean())
        if painted.mean() > 0.2:
            assert (drawn == labels)[painted].mean() > 0.8
    assert 0.2 < np.mean(shares) < 0.8


def test_about_one_canvas_in_seven_is_blank() -> None:
    labels = paint_scene(4, SIZE).labels
    rng = np.random.default_rng(1)
    blank = [bool((sketch(rng, labels) == BARE).all()) for _ in range(400)]
    assert 0.10 < np.mean(blank) < 0.22


def test_a_caption_never_names_another_time_or_season() -> None:
    words = {"time": "night", "season": "winter", "weather": "fog"}
    wrong = WORDINGS - {w for g, word in words.items() for w in VOCABULARY[g][word]}
    rng = np.random.default_rng(0)
    texts = [caption(rng, words, ["snow", "tree"]) for _ in range(200)]
    for text in texts:
        parts = text.split(", ")
        assert not [part for part in parts if part in wrong]
    assert len(set(texts)) > 100
    assert any("night" in t or "midnight" in t for t in texts)
    assert any(word in text.split() for text in texts for word in STRANGERS)


def test_redrawing_keeps_the_painting() -> None:
    scene = paint_scene(7, SIZE)
    again = redraw(scene, 1, "bare")
    assert again.painting is scene.painting
    assert colours_of(again.canvas) == {UNPAINTED}

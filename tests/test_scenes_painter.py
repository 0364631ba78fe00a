"""The painter: scenes that are whole, repeatable, and drawn on canvases as hands draw them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.scenes.board import SQUARES, Board
from models.scenes.captions import caption
from models.scenes.chance import tile
from models.scenes.completion import EDGE
from models.scenes.light import Light
from models.scenes.painter import paint_scene, redraw
from models.scenes.palette import MATERIALS, PALETTE, STRANGERS, UNPAINTED, VOCABULARY
from models.scenes.rain import TILE, paint_rain
from models.scenes.sketch import BARE, COLOURS, KINDS, OFF, colour, sketch

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


def test_canvases_hold_palette_colours_or_nearly_and_bare_paper() -> None:
    table, exact = COLOURS.astype(int), 0
    for seed in range(24):
        scene = paint_scene(seed, SIZE)
        near = np.abs(scene.canvas[:, :, None].astype(int) - table).max(-1).min(-1)
        assert (near <= OFF).mean() > 0.7, "more than soft edges is off the palette"
        exact += int(near.max() == 0)
        assert scene.canvas.shape == scene.painting.shape == (SIZE, SIZE, 3)
        assert scene.labels.max() < len(MATERIALS)
    assert 4 <= exact <= 20, "some canvases are in pure colours, some are not"


def test_a_canvas_without_chance_is_in_pure_colours() -> None:
    labels = paint_scene(1, SIZE).labels
    assert colours_of(colour(labels)) <= {*PALETTE.values(), UNPAINTED}


def test_bare_paper_is_exactly_white_however_colours_are_off() -> None:
    bare = np.full((SIZE, SIZE), BARE, np.uint8)
    for seed in range(8):
        assert colours_of(colour(bare, np.random.default_rng(seed))) == {UNPAINTED}


def test_colours_are_far_enough_apart_to_be_told() -> None:
    table = COLOURS.astype(int)
    gaps = [np.abs(a - b).max() for i, a in enumerate(table) for b in table[:i]]
    assert min(gaps) >= 30


def test_every_material_turns_up_and_can_be_drawn() -> None:
    found: set[str] = set()
    for seed in range(60):
        found |= set(paint_scene(seed, SIZE).materials)
    assert found == set(MATERIALS)


def test_words_decide_the_light() -> None:
    plain = {"weather": "clear", "style": "clean"}
    for seed in (3, 9, 12):
        day = paint_scene(seed, SIZE, {"time": "day", "season": "summer"} | plain)
        night = paint_scene(seed, SIZE, {"time": "night", "season": "summer"} | plain)
        assert day.painting.mean() > night.painting.mean() + 40
        assert day.words["time"] == "day"
        winter = paint_scene(seed, SIZE, {"time": "day", "season": "winter"} | plain)
        autumn = paint_scene(seed, SIZE, {"time": "day", "season": "autumn"} | plain)
        assert difference(winter.painting, autumn.painting) > 5


def difference(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first.astype(int) - second).mean())


@pytest.mark.parametrize("weather", ["fog", "rain", "storm"])
def test_every_weather_looks_like_itself(weather: str) -> None:
    day = {"time": "day", "season": "summer", "style": "clean"}
    for seed in (3, 9, 14):
        clear = paint_scene(seed, SIZE, day | {"weather": "clear"}).painting
        other = paint_scene(seed, SIZE, day | {"weather": weather}).painting
        assert difference(clear, other) > 12
        assert colourful(clear) > colourful(other) + 5


def colourful(picture: np.ndarray) -> float:
    return float(np.ptp(picture.astype(int), axis=-1).mean())


def test_styles_differ_and_show_the_same_scene() -> None:
    words = {"time": "day", "season": "summer", "weather": "clear"}
    for seed in (2, 5, 31):
        scenes = {s: paint_scene(seed, 128, words | {"style": s}) for s in VOCABULARY["style"]}
        clean = scenes.pop("clean")
        for scene in scenes.values():
            assert np.array_equal(scene.labels, clean.labels)
            assert np.array_equal(scene.canvas, clean.canvas)
            assert difference(scene.painting, clean.painting) > 3
            assert alike(scene.painting, clean.painting) > 0.6


def alike(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of two pictures' greys, at thumbnail size."""
    thumbs = [
        cv2.resize(p, (24, 24), interpolation=cv2.INTER_AREA).mean(-1) for p in (first, second)
    ]
    return float(np.corrcoef(thumbs[0].ravel(), thumbs[1].ravel())[0, 1])


def test_pixel_art_is_a_coarse_grid_of_few_colours() -> None:
    picture = paint_scene(4, 256, {"style": "pixel art"}).painting
    assert len(colours_of(picture)) <= 48
    blocks = picture.reshape(64, 4, 64, 4, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()


@pytest.mark.parametrize(
    ("style", "most"), [("clean", 3), ("watercolour", 4), ("oil", 7), ("ink", 12), ("pixel art", 8)]
)
def test_a_larger_picture_is_the_same_scene_only_finer(style: str, most: float) -> None:
    for seed in range(4):
        small = paint_scene(seed, 256, {"style": style})
        large = paint_scene(seed, 512, {"style": style})
        shrunk = cv2.resize(large.painting, (256, 256), interpolation=cv2.INTER_AREA)
        assert difference(shrunk, small.painting) < most
        assert alike(shrunk, small.painting) > 0.98
        assert small.words == large.words
        assert (large.labels[::2, ::2] == small.labels).mean() > 0.97


@pytest.mark.parametrize("group", ["time", "season", "weather", "style"])
def test_no_word_moves_anything(group: str) -> None:
    for seed in range(12):
        first, *others = [paint_scene(seed, SIZE, {group: word}) for word in VOCABULARY[group]]
        for other in others:
            assert np.array_equal(first.labels, other.labels)
            assert np.array_equal(first.canvas, other.canvas)
            assert not np.array_equal(first.painting, other.painting)


def test_no_seed_fails() -> None:
    for seed in range(1000, 1250):
        scene = paint_scene(seed, 48)
        assert len(scene.materials) >= 2
        assert scene.painting.std() > 2


def test_scenes_are_of_many_kinds() -> None:
    thumbs = [cv2.resize(paint_scene(s, SIZE).labels, (12, 12)) for s in range(30)]
    apart = [(a != b).mean() for i, a in enumerate(thumbs) for b in thumbs[:i]]
    assert np.mean(apart) > 0.3
    assert min(apart) > 0.02


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


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_canvas_is_labels_of_the_scene_or_bare(kind: str) -> None:
    labels = paint_scene(31, SIZE).labels
    for seed in range(6):
        drawn = sketch(np.random.default_rng(seed), labels, kind)
        assert drawn.dtype == np.uint8
        assert drawn.shape == labels.shape
        assert set(np.unique(drawn)) <= {*np.unique(labels), BARE}


def test_pens_draw_loosely_what_is_there() -> None:
    labels = paint_scene(31, SIZE).labels
    drawn = [sketch(np.random.default_rng(seed), labels, "pen") for seed in range(20)]
    right = [(d == labels)[d != BARE].mean() for d in drawn if (d != BARE).mean() > 0.05]
    assert 0.6 < np.mean(right) < 0.99
    assert len({d.tobytes() for d in drawn}) == len(drawn)


def test_about_one_canvas_in_seven_is_blank() -> None:
    labels = paint_scene(4, SIZE).labels
    rng = np.random.default_rng(1)
    blank = [bool((sketch(rng, labels) == BARE).all()) for _ in range(400)]
    assert 0.10 < np.mean(blank) < 0.22


def test_a_caption_never_names_another_time_or_season() -> None:
    words = {"time": "night", "season": "winter", "weather": "fog", "style": "ink"}
    wrong = WORDINGS - {w for g, word in words.items() for w in VOCABULARY[g][word]}
    rng = np.random.default_rng(0)
    texts = [caption(rng, words, ["snow", "tree"]) for _ in range(200)]
    for text in texts:
        parts = text.split(", ")
        assert not [part for part in parts if part in wrong]
    assert len(set(texts)) > 100
    assert any("night" in t or "midnight" in t for t in texts)
    assert sum("ink" in t or "etching" in t for t in texts) > 150, "a style is nearly always named"
    assert any(word in text.split() for text in texts for word in STRANGERS)


def test_a_redrawn_scene_is_painted_as_it_was_drawn() -> None:
    scene = paint_scene(7, SIZE)
    blank, pen = redraw(scene, 1, "bare"), redraw(scene, 2, "pen")
    assert colours_of(blank.canvas) == {UNPAINTED}
    assert (blank.words, pen.words) == (scene.words, scene.words)
    assert (blank.labels != pen.labels).any()
    assert not np.array_equal(blank.painting, pen.painting)
    drawn = cv2.resize(pen.drawn, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)
    assert (drawn == pen.labels)[drawn != BARE].mean() > 0.9


def weather(word: str, season: str = "summer", size: int = 256) -> Board:
    """A plain grey board under rain or flakes."""
    light = Light("day", season, word, 0.3, 0.2)
    board = Board(size, light, tile(0, size))
    board.image[:] = 0.4
    paint_rain(board)
    return board


def struck(board: Board) -> np.ndarray:
    """Where strokes are: what is brighter than its row's ground, the veil."""
    tone = board.image.mean(-1)
    return np.asarray(tone > np.median(tone, 1, keepdims=True) + 0.04)


def test_rain_repeats_in_the_rhythm_of_the_coarsest_places() -> None:
    square = 256 // SQUARES
    assert TILE * square == 256 // (EDGE // 4), "the network halves its places twice"
    for word in ("rain", "storm"):
        drops, far = struck(weather(word)), TILE * square
        assert 0.02 < drops.mean() < 0.25
        assert (drops[:, far:] == drops[:, :-far]).mean() > 0.99
        assert (drops[far:] == drops[:-far]).mean() > 0.97
        assert (drops[:, square:] == drops[:, :-square]).mean() < 0.95, "not in a shorter one"


def test_rain_falls_on_rainy_days_alone() -> None:
    assert not struck(weather("clear")).any()
    assert np.array_equal(weather("fog").image, np.full((256, 256, 3), 0.4, np.float32))
    flakes = struck(weather("storm", "winter"))
    assert not np.array_equal(flakes, struck(weather("storm")))
    assert (struck(weather("rain", "winter")) == struck(weather("rain"))).mean() > 0.99


def test_rain_is_as_dense_in_a_larger_picture() -> None:
    small, large = (struck(weather("rain", size=size)).mean() for size in (256, 512))
    assert small == pytest.approx(large, rel=0.25)

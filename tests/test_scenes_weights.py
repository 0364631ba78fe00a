"""The shipped weights: open as any checkpoint, follow canvas and words, make the picture shown."""

from __future__ import annotations

import json
from importlib import import_module

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.base import Picture, Request
from models.latent import LatentModel
from models.networks import to_pixels
from models.scenes.dataset import HELD_OUT, held_out
from models.scenes.measures import psnr, region_error, sharpness, thumbnails
from models.scenes.model import SPEC, WEIGHTS, build
from models.scenes.painter import Scene, paint_scene, redraw
from models.scenes.palette import UNPAINTED, VOCABULARY

Pixels = NDArray[np.uint8]
LIMIT = 40e6


@pytest.fixture(scope="module")
def model() -> LatentModel:
    model = build("cpu", "float32")
    model.load(lambda stage, share: None)
    return model


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return list(held_out(6))


def paint(model: LatentModel, canvas: Pixels | None, **params: object) -> Pixels:
    inputs = {} if canvas is None else {"canvas": canvas}
    values = SPEC.defaults() | SPEC.check(params)
    rows = model.begin([Request("s", "scenes", 1, 1, values, inputs)], [None])
    for _ in range(rows[0].steps):
        model.step(rows)
    (payload,) = model.decode(rows)
    assert isinstance(payload, Picture)
    return payload.pixels


def test_the_folder_opens_component_by_component() -> None:
    index = json.loads((WEIGHTS / "model_index.json").read_text())
    for name in ("tokenizer", "text_encoder", "unet", "vae", "scheduler"):
        library, kind = index[name]
        part = getattr(import_module(library), kind).from_pretrained(WEIGHTS / name)
        assert type(part).__name__ == kind
    assert sum(f.stat().st_size for f in WEIGHTS.rglob("*") if f.is_file()) < LIMIT


def test_the_autoencoder_is_good_enough(model: LatentModel, scenes: list[Scene]) -> None:
    truths = np.stack([scene.painting for scene in scenes])
    parts = model.parts
    with torch.inference_mode():
        back = to_pixels(parts.decode(parts.encode_pictures(truths)))
    assert psnr(back, truths) >= 28  # of these six; docs/scenes.md tells of all
    assert sharpness(back) >= 0.8 * sharpness(truths)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_regions_come_out_as_their_material(
    model: LatentModel, scenes: list[Scene], steps: int
) -> None:
    words = [", ".join(scene.words.values()) for scene in scenes]
    canvases = [redraw(scene, 1, "whole").canvas for scene in scenes]
    ours = np.stack(
        [paint(model, c, prompt=w, steps=steps) for c, w in zip(canvases, words, strict=True)]
    )
    truths = np.stack([scene.painting for scene in scenes])
    labels = [scene.labels for scene in scenes]
    kept = region_error(ours, truths, labels)
    assert kept < 0.5 * region_error(np.roll(ours, 1, 0), truths, labels)


@pytest.mark.parametrize(("group", "least"), [("time", 0.9), ("season", 0.75)])
def test_words_are_obeyed_on_held_out_canvases(
    model: LatentModel, group: str, least: float
) -> None:
    """Of the painter's pictures of one layout, one for each word, the network's picture is nearest
    to that of the word which it was asked for."""
    right: list[bool] = []
    for number in range(HELD_OUT, HELD_OUT + 8):
        plain = {"time": "day", "season": "summer", "weather": "clear"}
        asked = [{**plain, group: word} for word in VOCABULARY[group]]
        scenes = [paint_scene(number, 256, words) for words in asked]
        truths = thumbnails(np.stack([scene.painting for scene in scenes])).astype(float)
        canvas = redraw(scenes[0], number, "whole").canvas
        for place, words in enumerate(asked):
            prompt = f"{words['time']}, {words['season']}"
            ours = thumbnails(paint(model, canvas, prompt=prompt, steps=2)[None])[0].astype(float)
            right.append(place == int(np.square(truths - ours).mean((1, 2, 3)).argmin()))
    assert np.mean(right) >= least


def test_night_is_dark_and_winter_is_pale(model: LatentModel, scenes: list[Scene]) -> None:
    for scene in scenes[:3]:
        canvas = redraw(scene, 2, "whole").canvas
        day = paint(model, canvas, prompt="day, summer", steps=2)
        night = paint(model, canvas, prompt="night, summer", steps=2)
        assert day.mean() > night.mean() + 50
    meadow = np.full((256, 256, 3), (105, 175, 75), np.uint8)
    meadow[:110] = (110, 175, 235)
    summer = paint(model, meadow, prompt="day, summer", steps=2)[150:].mean((0, 1))
    winter = paint(model, meadow, prompt="day, winter", steps=2)[150:].mean((0, 1))
    assert winter[2] > summer[2] + 50
    assert summer[1] > summer[2] + 20


def test_an_empty_canvas_differs_by_seed_and_a_seed_is_one_picture(model: LatentModel) -> None:
    blank = np.full((256, 256, 3), UNPAINTED, np.uint8)
    first, again = (paint(model, blank, prompt="day", seed=1, steps=2) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.array_equal(first, paint(model, None, prompt="day", seed=1, steps=2))
    other = paint(model, blank, prompt="day", seed=2, steps=2)
    assert np.abs(first.astype(int) - other).mean() > 8


def test_unknown_words_do_little(model: LatentModel, scenes: list[Scene]) -> None:
    canvas = redraw(scenes[0], 3, "whole").canvas
    plain = paint(model, canvas, prompt="day, summer", steps=2)
    strange = paint(model, canvas, prompt="day, summer xylophone qwertz", steps=2)
    night = paint(model, canvas, prompt="night, summer", steps=2)
    assert (
        np.abs(plain.astype(int) - strange).mean() < 0.3 * np.abs(plain.astype(int) - night).mean()
    )

"""Before a model is ready: every shape is met, what can't work is told; and what a row keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from diffusers import (
    EulerDiscreteScheduler,
)

from models.base import CannotLoad, Progress
from models.latent import LatentModel
from models.networks import Networks, Place
from models.unet import Checkpoint, opener
from tests.tiny_turbo import BETAS, make_turbo
from tests.tiny_unet import SIZE, SPEC, Pixels, ask, canvas_of, finish, make_scenes, opened, pixels


@pytest.fixture(scope="module")
def scenes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scenes(tmp_path_factory.mktemp("scenes"))


def full(*_: object) -> torch.Tensor:
    raise torch.OutOfMemoryError("no room")


class Watched:
    """An opener whose networks say how many rows each call had, and have `room` for so many."""

    def __init__(self, folder: Path, room: int = 99) -> None:
        self.folder, self.room = folder, room
        self.predicted: list[int] = []
        self.encoded: list[int] = []

    def __call__(self, place: Place, progress: Progress) -> Networks:
        parts: Any = opener(str(self.folder))(place, progress)
        predict, encode = parts.predict, parts.encode_spread

        def predicted(latents: torch.Tensor, *others: Any) -> torch.Tensor:
            self.predicted.append(len(latents))
            return predict(latents, *others) if len(latents) <= self.room else full()

        def encoded(pictures: Pixels) -> torch.Tensor:
            self.encoded.append(len(pictures))
            return cast("torch.Tensor", encode(pictures))

        parts.predict, parts.encode_spread = predicted, encoded
        return cast("Networks", parts)


@pytest.fixture(scope="module")
def turbo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing")
    return make_turbo(tmp_path_factory.mktemp("turbo"), "sd", scheduler)


def load(networks: Watched) -> LatentModel:
    model = LatentModel(networks, SPEC, "cpu", "float32")
    model.load(lambda stage, share: None)
    return model


def test_before_it_is_ready_every_shape_has_been_met(turbo_folder: Path) -> None:
    watched = Watched(turbo_folder)
    load(watched)
    guided = 2 * SPEC.max_batch
    assert {*watched.predicted} == {*range(1, SPEC.max_batch + 1), guided}
    assert watched.encoded, "what is drawn on had been encoded"


def test_room_for_fewer_rows_is_no_reason_not_to_serve(turbo_folder: Path) -> None:
    model = load(Watched(turbo_folder, room=2))
    (row,) = finish(model, [ask(canvas_of(1))])
    assert row.step == row.steps
    with pytest.raises(CannotLoad, match="no room to work: serve fewer models"):
        load(Watched(turbo_folder, room=0))


def test_networks_that_answer_nonsense_are_not_served(
    scenes_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpoint, "decode", lambda *_: torch.full((1, 3, 8, 8), float("nan")))
    with pytest.raises(CannotLoad, match="isn't finite: try another --dtype"):
        opened(scenes_folder)


def test_networks_of_another_size_than_the_models_are_refused(tmp_path: Path) -> None:
    config = make_scenes(tmp_path) / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"sample_size": 16}))
    with pytest.raises(CannotLoad, match="tiny is to paint 64, its networks paint 128"):
        opened(tmp_path)


def test_a_finished_row_keeps_what_is_needed_of_it_alone(turbo_folder: Path) -> None:
    model = opened(turbo_folder)
    asked = [ask(canvas_of(seed), steps=2, guidance=3.0, negative="fog") for seed in (1, 2, 3)]
    rows = finish(model, asked)
    picture = pixels(model, rows)[1]
    row = rows[1]
    assert (row.words, row.guidance, row.noises) == ((), None, ())
    kept = [
        each for each in (row.base, row.clean, row.latents, row.view.canvas) if each is not None
    ]
    held = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in kept}
    assert row.nbytes == sum(held.values()), "of the rows beside it, nothing is held"
    assert np.array_equal(picture, pixels(model, [row])[0])
    row.close()
    assert row.clean is row.base is None
    assert row.nbytes == 0


def test_a_finished_finer_row_keeps_no_others_either(scenes_folder: Path) -> None:
    model = opened(scenes_folder)
    rows = finish(model, [ask(canvas_of(seed), steps=1, size=2 * SIZE) for seed in (1, 2, 3)])
    row = rows[1]
    assert row.finer is not None
    kept = [row.base, row.clean, row.latents, row.finer.noise, row.view.canvas, row.view.layout]
    held = {
        each.untyped_storage().data_ptr(): each.untyped_storage().nbytes()
        for each in kept
        if each is not None
    }
    assert row.nbytes == sum(held.values())

"""Checkpoints as models: what is said of one before its weights are opened, and served for real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderTiny, EulerDiscreteScheduler

from models import klein, sana, unet, zimage
from models.base import CannotLoad, ModelSpec, Request
from models.latent import LatentModel
from models.presets import MOST_STEPS, PARTS, PRESETS
from models.sigmas import KINDS
from models.turbo import FAMILIES, build
from server.registry import find
from tests.pen import drawing
from tests.serving import serving
from tests.tiny_turbo import BETAS, make_turbo
from tests.tiny_unet import SIZE, pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing")
    return make_turbo(tmp_path_factory.mktemp("turbo") / "tiny", "sd", scheduler)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny autoencoder in a folder of its own, as TAESD is on the hub."""
    folder = tmp_path_factory.mktemp("quick")
    blocks = (4,) * 4
    tiny = AutoencoderTiny(encoder_block_out_channels=blocks, decoder_block_out_channels=blocks)
    tiny.save_pretrained(folder)
    return folder


def names(spec: ModelSpec) -> list[str]:
    return [parameter.name for parameter in spec.parameters]


def loaded(model: LatentModel) -> LatentModel:
    model.load(lambda stage, share: None)
    return model


def test_the_table_is_what_the_code_knows() -> None:
    assert {*unet.LARGE_KINDS, *klein.KINDS, *sana.KINDS, *zimage.KINDS} == {*PARTS}
    for each in PRESETS:
        assert each.scheduler in ("", *KINDS)
        assert each.pipeline in FAMILIES
        assert 1 <= each.steps <= each.most_steps <= MOST_STEPS
        assert all((each.licence, each.memory, each.summary))


def test_a_spec_follows_from_the_configs(folder: Path, quick: Path) -> None:
    spec = build("mine", checkpoint=str(folder)).spec
    assert (spec.name, spec.tracks[0].width, spec.inputs[0].height) == ("mine", SIZE, SIZE)
    assert names(spec) == ["prompt", "seed", "steps", "strength", "guidance", "negative"]
    assert spec.defaults()["steps"] == 4
    if not torch.cuda.is_available():  # what `auto` takes then is a CPU
        assert spec.max_batch == build("mine", "auto", checkpoint=str(folder)).spec.max_batch == 2
    assert names(build("mine", checkpoint=str(folder), tiny=str(quick)).spec)[-1] == "full"
    assert build("mine", checkpoint=str(folder), steps=2).spec.defaults()["steps"] == 2
    with pytest.raises(CannotLoad, match="steps=51: there may be 1 to 50"):
        build("mine", checkpoint=str(folder), steps=51)
    with pytest.raises(CannotLoad, match="size=128: its unet was taught to paint 64"):
        build("mine", checkpoint=str(folder), size=128)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"max_batch": -1}, "max_batch=-1: it is a whole number"),
        ({"max_batch": "two"}, "max_batch=two: it is a whole number"),
        ({"steps": 2.0}, "steps=2.0: it is a whole number"),
        ({"size": True}, "size=True: it is a whole number"),
        ({"scheduler": 3}, "scheduler=3: it is a name"),
    ],
)
def test_options_that_are_none_are_refused(folder: Path, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(CannotLoad, match=told):
        build("mine", checkpoint=str(folder), **wrong)


def test_a_folder_of_something_else_isnt_what_its_name_says(folder: Path) -> None:
    with pytest.raises(
        CannotLoad, match=r"a StableDiffusionPipeline, not FLUX.2 Klein 4B: .* call"
    ):
        build("klein", checkpoint=str(folder))


def test_a_known_name_brings_its_recipe(folder: Path) -> None:
    """Somebody's own copy of SD-Turbo is run as SD-Turbo is."""
    spec = build("sd-turbo", checkpoint=str(folder), tiny="none").spec
    assert names(spec) == ["prompt", "seed", "steps", "strength"]
    assert spec.defaults()["steps"] == 1
    with pytest.raises(
        CannotLoad, match=r"madebyollin/taesd .* hub can't be reached.* tiny=none goes without"
    ):
        loaded(build("sd-turbo", checkpoint=str(folder)))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/models/My Model/", "my-model"), ("stabilityai/sd-turbo", "sd-turbo"),
        ("./weird__Name.v2", "weird-name.v2"), ("a/---", "checkpoint"),
    ],
)  # fmt: skip
def test_a_path_or_hub_id_gives_a_name(path: str, name: str) -> None:
    entry = find(path)
    assert entry.name == name
    assert entry.options == {"name": name, "checkpoint": path}


def test_other_pipelines_are_refused_with_what_is_served(folder: Path, tmp_path: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    (tmp_path / "model_index.json").write_text(json.dumps(index | {"_class_name": "WanPipeline"}))
    with pytest.raises(CannotLoad, match=r"is a WanPipeline: served are StableDiffusionPipeline"):
        build("mine", checkpoint=str(tmp_path))


def test_the_quick_autoencoder_shows_and_the_own_one_finishes_on_request(
    folder: Path, quick: Path
) -> None:
    model = loaded(build("mine", checkpoint=str(folder), tiny=str(quick), dtype="fp32"))
    plain = loaded(build("mine", checkpoint=str(folder), dtype="fp32"))
    asked = {"prompt": "sunset", "seed": 3, "steps": 2}

    def shown(model: LatentModel, step: int, **more: object) -> bytes:
        params = model.spec.defaults() | model.spec.check(asked | more)
        (row,) = model.begin([Request("s", "mine", 1, 1, params)], [None])
        for _ in range(step):
            model.step([row])
        return pixels(model, [row])[0].tobytes()

    assert shown(model, 2, full=True) == shown(plain, 2)
    assert shown(model, 2) != shown(plain, 2)
    assert shown(model, 1, full=True) == shown(model, 1)  # a preview is quick in any case


def test_a_tiny_autoencoder_of_other_latents_is_refused(folder: Path, tmp_path: Path) -> None:
    AutoencoderTiny(
        encoder_block_out_channels=(4,) * 3, decoder_block_out_channels=(4,) * 3,
        num_encoder_blocks=(1, 1, 1), num_decoder_blocks=(1, 1, 1),
    ).save_pretrained(tmp_path)  # fmt: skip
    with pytest.raises(CannotLoad, match="it isn't its tiny autoencoder"):
        loaded(build("mine", checkpoint=str(folder), tiny=str(tmp_path)))


async def test_a_folder_is_served_by_its_path(folder: Path) -> None:
    with serving("--model", str(folder), "--dtype", "fp32") as served:
        (told,) = served.get("/v1/models").json()["models"]
        assert told["name"] == "tiny"
        async with drawing(served.socket_url) as pen:
            answer = await pen.accepted(await pen.params(prompt="a red house", steps=2))
            frame = await pen.final(answer.revision)
            assert (frame.width, frame.height, frame.steps) == (SIZE, SIZE, 2)

"""Z-Image-Turbo against diffusers' own pipelines, on a tiny random checkpoint: same seed, same
picture, alone and beside prompts of other lengths; what doesn't fit is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny, ZImageImg2ImgPipeline, ZImagePipeline
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from models.base import CannotLoad
from models.latent import LatentModel
from models.turbo import build
from models.zimage import KINDS
from tests.parity import BESIDE, NEAR, Floats, apart, ask, in_flight, ours
from tests.tiny_unet import canvas_of, finish, pixels, shown
from tests.tiny_zimage import LATENTS, SIZE, make_autoencoder, make_zimage

DYNAMIC = {"use_dynamic_shifting": True, "shift": 1.0, "max_shift": 2.0, "base_shift": 0.9}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_zimage(tmp_path_factory.mktemp("zimage") / "tiny")


@pytest.fixture(scope="module")
def model(folder: Path) -> LatentModel:
    return opened(folder)


def opened(folder: Path, **options: Any) -> LatentModel:
    settled: dict[str, Any] = {"size": SIZE, "max_batch": 3} | options
    model = build("tiny", "cpu", "fp32", str(folder), **settled)
    model.load(lambda stage, share: None)
    return model


def theirs(
    folder: Path, seed: int, canvas: NDArray[np.uint8] | None = None, **asked: Any
) -> Floats:
    """The library's picture of a prompt, in 0..1."""
    kind: Any = ZImagePipeline if canvas is None else ZImageImg2ImgPipeline
    pipe = kind.from_pretrained(folder, low_cpu_mem_usage=False)
    pipe.set_progress_bar_config(disable=True)
    if canvas is not None:
        asked["image"] = Image.fromarray(canvas)
    picture: Floats = pipe(
        generator=torch.Generator("cpu").manual_seed(seed), output_type="np", guidance_scale=0.0,
        height=SIZE, width=SIZE, **asked,
    ).images[0]  # fmt: skip
    return picture


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_text_to_picture_equals_diffusers(folder: Path, model: LatentModel, steps: int) -> None:
    expected = theirs(folder, 7, prompt="a red house", num_inference_steps=steps)
    request = ask(model, prompt="a red house", seed=7, steps=steps)
    assert np.abs(ours(model, request) - expected).max() < NEAR


@pytest.mark.parametrize(("steps", "of"), [(1, 1), (1, 2), (2, 4), (4, 5), (8, 10), (8, 8)])
def test_picture_to_picture_equals_diffusers(
    folder: Path, model: LatentModel, steps: int, of: int
) -> None:
    canvas, strength = canvas_of(4), steps / of
    expected = theirs(folder, 5, canvas, prompt="sunset", num_inference_steps=of, strength=strength)
    request = ask(model, canvas, prompt="sunset", seed=5, steps=steps, strength=strength)
    assert np.abs(ours(model, request) - expected).max() < NEAR


def test_words_seed_steps_and_canvas_all_tell(model: LatentModel) -> None:
    """Otherwise the tests of parity would tell nothing."""
    plain: dict[str, Any] = {"prompt": "a red house", "seed": 7, "steps": 4}
    base = ours(model, ask(model, **plain))
    for changed in ({"prompt": "a red hous"}, {"seed": 8}, {"steps": 3}):
        assert np.abs(ours(model, ask(model, **plain | changed)) - base).max() > 10 * NEAR
    first, second = (ours(model, ask(model, canvas_of(seed), **plain)) for seed in (4, 5))
    assert np.abs(first - second).max() > 10 * NEAR


@pytest.mark.parametrize("prompt", ["", "a red house by the sea " * 40], ids=["none", "long"])
def test_prompts_of_any_length_equal_diffusers(
    folder: Path, model: LatentModel, prompt: str
) -> None:
    expected = theirs(folder, 0, prompt=prompt, num_inference_steps=2)
    assert np.abs(ours(model, ask(model, prompt=prompt, steps=2)) - expected).max() < NEAR


def test_a_dynamic_shift_equals_diffusers(tmp_path: Path, model: LatentModel) -> None:
    folder = make_zimage(tmp_path, **DYNAMIC)
    expected = theirs(folder, 3, prompt="sunset", num_inference_steps=4)
    asked: dict[str, Any] = {"prompt": "sunset", "seed": 3, "steps": 4}
    other = opened(folder)
    assert np.abs(ours(other, ask(other, **asked)) - expected).max() < NEAR
    assert np.abs(ours(model, ask(model, **asked)) - expected).max() > 10 * NEAR


def test_rows_in_flight_beside_others_equal_rows_alone(model: LatentModel) -> None:
    asked = [
        ask(model, canvas_of(1), prompt="sunset", seed=1, steps=4, strength=0.8),
        ask(model, prompt="a red house by the sea, at night, in winter " * 3, seed=2, steps=3),
        ask(model, canvas_of(2), prompt="", seed=3, steps=2),
    ]
    alone = [ours(model, request) for request in asked]
    for one, row in zip(alone, in_flight(model, asked), strict=True):
        assert apart(one, shown(model, row)) < BESIDE


def test_it_is_served_as_what_it_is(folder: Path) -> None:
    spec = build("mine", checkpoint=str(folder)).spec
    assert (spec.tracks[0].width, spec.inputs[0].height) == (1024, 1024)
    assert spec.defaults() == {"prompt": "", "seed": 0, "steps": 4, "strength": 0.7}
    known = build("z-image-turbo", checkpoint=str(folder), tiny="none").spec
    assert (known.tracks[0].width, known.defaults()["steps"]) == (1024, 8)
    with pytest.raises(CannotLoad, match="scheduler=lcm: it takes none but its own"):
        build("mine", checkpoint=str(folder), scheduler="lcm")
    with pytest.raises(CannotLoad, match="size=72: it paints 64 to 2048 by 16"):
        build("mine", checkpoint=str(folder), size=72)


def test_a_tiny_autoencoder_shows_it(folder: Path, tmp_path: Path) -> None:
    blocks = (4,) * 4
    AutoencoderTiny(
        encoder_block_out_channels=blocks, decoder_block_out_channels=blocks,
        latent_channels=LATENTS,
    ).save_pretrained(tmp_path)  # fmt: skip
    model = opened(folder, tiny=str(tmp_path))
    asked: dict[str, Any] = {"prompt": "sunset", "seed": 3, "steps": 2}
    expected = theirs(folder, 3, prompt="sunset", num_inference_steps=2) * 255
    quick, own = (ask(model, **asked, full=full) for full in (False, True))
    assert np.abs(pixels(model, finish(model, [own]))[0] - expected).max() < 1
    assert np.abs(pixels(model, finish(model, [quick]))[0] - expected).max() > 9


@pytest.fixture
def spoilt(folder: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(folder, tmp_path / "folder"))


@pytest.mark.parametrize("part", KINDS)
def test_a_part_that_is_missing_is_named(spoilt: Path, part: str) -> None:
    shutil.rmtree(spoilt / part)
    with pytest.raises(CannotLoad, match=part):
        opened(spoilt)


@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder"])
def test_tensors_that_are_missing_are_named(spoilt: Path, part: str) -> None:
    file = next((spoilt / part).glob("*.safetensors"))
    tensors = load_file(file)
    del tensors[min(tensors)]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(CannotLoad, match=f"{part}: its weights .* they lack"):
        opened(spoilt)


@pytest.mark.parametrize(
    ("part", "change", "told"),
    [
        ("transformer", {"cap_feat_dim": 32}, "in another shape"),
        ("transformer", {"all_patch_size": [4]}, "they lack"),
        ("transformer", {"siglip_feat_dim": 8}, "they lack"),
        ("scheduler", {"use_karras_sigmas": True}, "with use_karras_sigmas"),
        ("scheduler", {"max_image_seq_len": 256}, "scheduler can't be opened"),
        ("vae", {"scaling_factor": None}, "vae can't be opened"),
    ],
)
def test_configs_of_others_are_refused(
    spoilt: Path, part: str, change: dict[str, object], told: str
) -> None:
    path = next((spoilt / part).glob("*config.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CannotLoad, match=told):
        opened(spoilt)


def test_an_autoencoder_of_another_checkpoint_is_told(spoilt: Path) -> None:
    shutil.rmtree(spoilt / "vae")
    make_autoencoder(2 * LATENTS).save_pretrained(spoilt / "vae")
    with pytest.raises(CannotLoad, match=f"{LATENTS} channels, .* autoencoder {2 * LATENTS}: they"):
        opened(spoilt)


def test_a_tokenizer_that_cannot_ask_is_told(spoilt: Path) -> None:
    (spoilt / "tokenizer" / "chat_template.jinja").unlink()
    with pytest.raises(CannotLoad, match="no chat template"):
        opened(spoilt)

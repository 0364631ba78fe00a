"""The UNet family against diffusers' own pipelines, on tiny random checkpoints: same seed, same
picture, for every scheduler, step count, strength and guidance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    AutoPipelineForImage2Image,
    AutoPipelineForText2Image,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
)
from PIL import Image

from models.latent import LatentModel
from tests.parity import BESIDE, NEAR, Floats, apart, in_flight, ours
from tests.tiny_turbo import BETAS, make_turbo
from tests.tiny_unet import SIZE, ask, canvas_of, finish, opened, pixels, shown

# numpy 2 asks what diffusers' schedulers do with tensors; only the pipelines compared with do it
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

VELOCITY = {"prediction_type": "v_prediction"}
TRAILING = {**BETAS, "timestep_spacing": "trailing"}
SCHEDULERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "euler": (EulerDiscreteScheduler, TRAILING),
    "euler v": (EulerDiscreteScheduler, TRAILING | VELOCITY),
    "ancestral": (EulerAncestralDiscreteScheduler, TRAILING),
    "ancestral v": (EulerAncestralDiscreteScheduler, TRAILING | VELOCITY),
    "lcm": (LCMScheduler, BETAS),
    "lcm v": (LCMScheduler, BETAS | VELOCITY),
}
LAYOUTS = [("sd", each) for each in SCHEDULERS] + [("sdxl", "euler"), ("sdxl", "ancestral")]


def scheduler(name: str) -> Any:
    kind, config = SCHEDULERS[name]
    return kind(**config)


@pytest.fixture(scope="module", params=LAYOUTS, ids=lambda it: " ".join(it))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    layout, name = request.param
    return make_turbo(tmp_path_factory.mktemp("turbo"), layout, scheduler(name))


@pytest.fixture(scope="module")
def model(folder: Path) -> LatentModel:
    return opened(folder)


def theirs(kind: Any, folder: Path, seed: int, **asked: Any) -> Floats:
    pipe = kind.from_pretrained(folder, safety_checker=None, low_cpu_mem_usage=False)
    pipe.set_progress_bar_config(disable=True)
    generator = torch.Generator("cpu").manual_seed(seed)
    picture: Floats = pipe(generator=generator, output_type="np", **asked).images[0]
    return picture


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 8])
def test_text_to_picture_equals_diffusers(folder: Path, model: LatentModel, steps: int) -> None:
    expected = theirs(
        AutoPipelineForText2Image, folder, 7, prompt="a red house", num_inference_steps=steps,
        guidance_scale=0.0, height=SIZE, width=SIZE,
    )  # fmt: skip
    assert (
        np.abs(ours(model, ask(prompt="a red house", seed=7, steps=steps)) - expected).max() < NEAR
    )


def test_strength_means_nothing_where_nothing_is_drawn(model: LatentModel) -> None:
    some, other = (ask(prompt="sunset", strength=by, steps=2) for by in (0.3, 1.0))
    assert np.array_equal(ours(model, some), ours(model, other))


@pytest.mark.parametrize(
    ("steps", "of"), [(1, 1), (1, 2), (2, 4), (3, 4), (4, 5), (4, 8), (8, 10), (8, 8)]
)
def test_picture_to_picture_equals_diffusers(
    folder: Path, model: LatentModel, steps: int, of: int
) -> None:
    canvas = canvas_of(4)
    expected = theirs(
        AutoPipelineForImage2Image, folder, 5, prompt="sunset", image=Image.fromarray(canvas),
        num_inference_steps=of, strength=steps / of, guidance_scale=0.0,
    )  # fmt: skip
    request = ask(canvas, prompt="sunset", seed=5, steps=steps, strength=steps / of)
    assert np.abs(ours(model, request) - expected).max() < NEAR


@pytest.mark.parametrize("negative", ["", "winter"])
def test_guidance_equals_diffusers(folder: Path, model: LatentModel, negative: str) -> None:
    expected = theirs(
        AutoPipelineForText2Image, folder, 3, prompt="a red house",
        negative_prompt=negative or None, num_inference_steps=2, guidance_scale=3.0, height=SIZE,
        width=SIZE,
    )  # fmt: skip
    request = ask(prompt="a red house", negative=negative, seed=3, steps=2, guidance=3.0)
    assert np.abs(ours(model, request) - expected).max() < NEAR
    without = ask(prompt="a red house", seed=3, steps=2)
    assert np.abs(ours(model, without) - expected).max() > 10 * NEAR


def test_rows_in_flight_beside_others_equal_rows_alone(model: LatentModel) -> None:
    asked = [
        ask(canvas_of(1), prompt="sunset", seed=1, steps=4, strength=0.8),
        ask(prompt="a red house", negative="night", guidance=4.0, seed=2, steps=3),
        ask(canvas_of(2), prompt="", seed=3, steps=2, guidance=2.0),
    ]
    alone = [ours(model, request) for request in asked]
    for one, row in zip(alone, in_flight(model, asked), strict=True):
        assert apart(one, shown(model, row)) < BESIDE


def test_another_arithmetic_is_chosen_by_name(tmp_path: Path) -> None:
    """SD 1.5 with an LCM's weights: the folder's scheduler isn't the one that the weights want."""
    folder = make_turbo(tmp_path / "plain", "sd", scheduler("ancestral"))
    other = make_turbo(tmp_path / "lcm", "sd", scheduler("lcm"))
    request = ask(prompt="sunset", seed=1, steps=3)
    assert np.array_equal(
        ours(opened(folder, scheduler="lcm"), request), ours(opened(other), request)
    )


@pytest.mark.parametrize("layout", ["sd", "sdxl"])
def test_a_tiny_autoencoder_equals_diffusers(tmp_path: Path, layout: Any) -> None:
    folder = make_turbo(tmp_path, layout, scheduler("euler"), tiny=True)
    model, canvas = opened(folder), canvas_of(3)
    expected = theirs(
        AutoPipelineForImage2Image, folder, 5, prompt="sunset", image=Image.fromarray(canvas),
        num_inference_steps=4, strength=0.5, guidance_scale=0.0,
    )  # fmt: skip
    request = ask(canvas, prompt="sunset", seed=5, steps=2, strength=0.5)
    assert np.abs(ours(model, request) - expected).max() < NEAR
    assert pixels(model, finish(model, [request]))[0].shape == (SIZE, SIZE, 3)

"""FLUX.2 Klein against diffusers' own pipeline, on a tiny random checkpoint: same seed, same
picture, with and without a canvas, alone and beside others; what doesn't fit is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from diffusers import Flux2KleinPipeline
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from models.base import CannotLoad
from models.latent import LatentModel
from models.sigmas import Empirical
from models.turbo import build
from tests import parity
from tests.parity import BESIDE, NEAR, Floats, apart, ask, in_flight
from tests.tiny_klein import SIZE, make_klein
from tests.tiny_unet import canvas_of, finish, pixels, shown

STATIC = {"use_dynamic_shifting": False}
Theirs = Callable[..., Floats]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_klein(tmp_path_factory.mktemp("klein") / "tiny")


@pytest.fixture(scope="module")
def model(folder: Path) -> LatentModel:
    return opened(folder)


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Theirs:
    return piped(folder)


def opened(folder: Path) -> LatentModel:
    model = build("tiny", "cpu", "fp32", str(folder), size=SIZE, max_batch=2)
    model.load(lambda stage, share: None)
    return model


def piped(folder: Path, dtype: torch.dtype = torch.float32) -> Theirs:
    """The library's picture of a prompt and more, in 0..1."""
    pipe = Flux2KleinPipeline.from_pretrained(folder, dtype=dtype, low_cpu_mem_usage=False)
    pipe.set_progress_bar_config(disable=True)

    def call(seed: int, steps: int, canvas: NDArray[np.uint8] | None = None, **more: Any) -> Floats:
        image = None if canvas is None else Image.fromarray(canvas)
        asked = {"guidance_scale": 1.0, "height": SIZE, "width": SIZE, "image": image} | more
        generator = torch.Generator("cpu").manual_seed(seed)
        picture: Floats = pipe(
            num_inference_steps=steps, generator=generator, output_type="np", **asked
        ).images[0]
        return picture

    return call


def ours(
    model: LatentModel, canvas: NDArray[np.uint8] | None = None, /, **params: object
) -> Floats:
    return parity.ours(model, ask(model, canvas, **params))


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
@pytest.mark.parametrize("canvas", [None, canvas_of(4)], ids=["words", "words and a canvas"])
def test_a_picture_equals_diffusers(
    model: LatentModel, theirs: Theirs, steps: int, canvas: NDArray[np.uint8] | None
) -> None:
    expected = theirs(7, steps, canvas, prompt="a red house")
    assert apart(ours(model, canvas, prompt="a red house", seed=7, steps=steps), expected) < NEAR


def test_words_seed_steps_and_canvas_all_tell(model: LatentModel) -> None:
    """Otherwise the tests of parity would tell nothing."""
    plain: dict[str, Any] = {"prompt": "a red house", "seed": 7, "steps": 4}
    for changed in ({"prompt": "a red hous"}, {"seed": 8}, {"steps": 3}):
        assert apart(ours(model, **plain), ours(model, **plain | changed)) > 10 * NEAR
    first, second = (ours(model, canvas_of(seed), **plain) for seed in (4, 5))
    assert apart(first, ours(model, **plain)) > 10 * NEAR
    assert apart(first, second) > 10 * NEAR


def test_a_prompt_longer_than_is_read_equals_diffusers(model: LatentModel, theirs: Theirs) -> None:
    prompt = "a red house by the sea " * 40
    assert apart(ours(model, prompt=prompt, steps=2), theirs(0, 2, prompt=prompt)) < NEAR


def test_a_static_shift_and_guidance_equal_diffusers(tmp_path: Path) -> None:
    """A checkpoint that isn't distilled, which has guidance as the pipeline has it."""
    folder = make_klein(tmp_path, distilled=False, **STATIC)
    model, theirs = opened(folder), piped(folder)
    assert model.spec.defaults()["guidance"] == 4.0
    asked: dict[str, object] = {"prompt": "sunset", "seed": 3, "steps": 2}
    expected = theirs(3, 2, canvas_of(1), prompt="sunset", guidance_scale=3.0)
    assert apart(ours(model, canvas_of(1), **asked, guidance=3.0), expected) < NEAR
    assert apart(ours(model, canvas_of(1), **asked, guidance=1.0), expected) > 10 * NEAR


@pytest.mark.parametrize("edge", [4, 32, 64, 66])
@pytest.mark.parametrize("steps", [1, 4, 50])
def test_the_shift_is_the_pipelines(edge: int, steps: int) -> None:
    shift = Empirical(edge * edge)(steps)
    assert np.log(shift) == pytest.approx(compute_empirical_mu(edge * edge, steps))


def test_rows_in_flight_beside_others_equal_rows_alone(model: LatentModel) -> None:
    asked = [
        ask(model, prompt="sunset", seed=1, steps=4),
        ask(model, canvas_of(1), prompt="a red house", seed=2, steps=3),
        ask(model, prompt="", seed=3, steps=8),
        ask(model, canvas_of(2), prompt="winter", seed=4, steps=2),
        ask(model, canvas_of(1), prompt="at night", seed=2, steps=5),
    ]
    rows = in_flight(model, asked)
    assert len({row.key for row in rows}) == 2, "a canvas makes what is attended to longer"
    for request, row in zip(asked, rows, strict=True):
        (alone,) = finish(model, [request])
        assert apart(shown(model, alone), shown(model, row)) < BESIDE
    assert pixels(model, rows[:1])[0].shape == (SIZE, SIZE, 3)


def test_in_bf16_it_is_as_near_to_fp32_as_diffusers(folder: Path, theirs: Theirs) -> None:
    half = build("tiny", "cpu", "bf16", str(folder), size=SIZE, max_batch=1)
    half.load(lambda stage, share: None)
    asked: dict[str, Any] = {"prompt": "sunset", "steps": 2}
    whole = theirs(0, canvas=canvas_of(1), **asked)
    off = np.abs(piped(folder, torch.bfloat16)(0, canvas=canvas_of(1), **asked) - whole).mean()
    assert np.abs(ours(half, canvas_of(1), **asked) - whole).mean() < 1.2 * off
    encoder = cast("Any", half.parts).qwen.encoder
    assert {weight.dtype for weight in encoder.parameters()} == {torch.bfloat16}
    turns = [each for name, each in encoder.named_buffers() if name.endswith("inv_freq")]
    assert {each.dtype for each in turns} == {torch.float32}, "positions hang on its last bits"


def test_what_it_has_no_use_for_is_refused(folder: Path) -> None:
    model = build("klein", checkpoint=str(folder))
    assert [each.name for each in model.spec.parameters] == ["prompt", "seed", "steps"]
    assert (model.spec.tracks[0].width, model.spec.defaults()["steps"]) == (512, 4)
    with pytest.raises(CannotLoad, match="tiny=a/b: it takes none but its own"):
        build("tiny", checkpoint=str(folder), tiny="a/b")
    with pytest.raises(CannotLoad, match="size=72: it paints 64 to 1024 by 16"):
        build("tiny", checkpoint=str(folder), size=72).load(lambda stage, share: None)


def drop_statistics(folder: Path) -> None:
    weights = folder / "vae/diffusion_pytorch_model.safetensors"
    save_file({k: v for k, v in load_file(weights).items() if k != "bn.running_var"}, weights)


def pickle_transformer(folder: Path) -> None:
    weights = folder / "transformer/diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))


def set_config(folder: Path, part: str, **values: object) -> None:
    path = folder / part
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def narrow_words(folder: Path) -> None:
    weights = folder / "transformer/diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors["context_embedder.weight"] = tensors["context_embedder.weight"][:, :16].clone()
    save_file(tensors, weights)
    set_config(folder, "transformer/config.json", joint_attention_dim=16)


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "a tensor is missing": (drop_statistics, "/vae: .* they lack bn.running_var"),
    "pickled": (pickle_transformer, "/transformer holds pickled weights only"),
    "another shape": (
        lambda it: set_config(it, "transformer/config.json", joint_attention_dim=32),
        "/transformer: .* have in another shape context_embedder.weight",
    ),
    "of another text encoder": (narrow_words, "reads words 16 wide .* text encoder writes 48"),
    "an unknown class": (
        lambda it: set_config(it, "model_index.json", text_encoder=["transformers", "T5Model"]),
        "its text_encoder is a T5Model; opened are Qwen3ForCausalLM",
    ),
    "no chat template": (
        lambda it: (it / "tokenizer/chat_template.jinja").unlink(), "has no chat template",
    ),
    "a strange scheduler": (
        lambda it: set_config(it, "scheduler/scheduler_config.json", shift_terminal=0.1),
        "no step arithmetic for its scheduler with shift_terminal",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_part_that_does_not_fit_is_refused(tmp_path: Path, fault: str) -> None:
    damage, told = BROKEN[fault]
    damage(make_klein(tmp_path))
    with pytest.raises(CannotLoad, match=told):
        opened(tmp_path)

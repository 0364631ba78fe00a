"""The UNet family against diffusers' own pipelines, on tiny random checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    EulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel

from tests.tiny_unet import SIZE, ask, canvas_of, finish, opened, pixels, prepared_tokenizer

# numpy 2 asks what diffusers' schedulers do with tensors; only the pipelines compared with do it
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module", params=["epsilon", "v_prediction"])
def turbo_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SD-Turbo's layout with an AutoencoderKL."""
    torch.manual_seed(2)
    folder = tmp_path_factory.mktemp("turbo")
    tokenizer = prepared_tokenizer(folder / "tokenizer")
    unet = UNet2DConditionModel(
        sample_size=SIZE // 8, in_channels=4, out_channels=4, block_out_channels=(8, 16),
        layers_per_block=1, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=16,
        attention_head_dim=4, norm_num_groups=4,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(4, 4, 4, 4), norm_num_groups=2, latent_channels=4, sample_size=SIZE,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=32, bos_token_id=len(tokenizer) - 2,
            eos_token_id=len(tokenizer) - 1,
        )
    )  # fmt: skip
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
        timestep_spacing="trailing", prediction_type=request.param, steps_offset=1,
    )  # fmt: skip
    StableDiffusionPipeline(
        vae, text, tokenizer, unet, scheduler, None, None, requires_safety_checker=False
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_text_to_picture_equals_diffusers(turbo_folder: Path, steps: int) -> None:
    model = opened(turbo_folder)
    ours = finish(model, [ask(prompt="a red house", seed=7, steps=steps)])
    pipe = StableDiffusionPipeline.from_pretrained(
        turbo_folder, safety_checker=None, low_cpu_mem_usage=False
    )
    pipe.set_progress_bar_config(disable=True)
    theirs = pipe(
        prompt_embeds=ours[0].words, num_inference_steps=steps, guidance_scale=0.0,
        generator=torch.Generator("cpu").manual_seed(7), height=SIZE, width=SIZE, output_type="np",
    ).images[0]  # fmt: skip
    assert np.abs(pixels(model, ours)[0] / 255 - theirs).max() < 2 / 255


@pytest.mark.parametrize(("steps", "strength"), [(1, 0.5), (2, 0.5), (4, 1.0)])
def test_picture_to_picture_equals_diffusers(
    turbo_folder: Path, steps: int, strength: float
) -> None:
    model, canvas = opened(turbo_folder), canvas_of(4)
    ours = finish(model, [ask(canvas, prompt="sunset", seed=5, steps=steps, strength=strength)])
    pipe = StableDiffusionImg2ImgPipeline.from_pretrained(
        turbo_folder, safety_checker=None, low_cpu_mem_usage=False
    )
    pipe.set_progress_bar_config(disable=True)
    # latents given, because diffusers samples the encoder's distribution and we take its mode
    theirs = pipe(
        prompt_embeds=ours[0].words, image=model.parts.encode_pictures(canvas[None]),
        num_inference_steps=round(steps / strength), strength=strength, guidance_scale=0.0,
        generator=torch.Generator("cpu").manual_seed(5), output_type="np",
    ).images[0]  # fmt: skip
    assert np.abs(pixels(model, ours)[0] / 255 - theirs).max() < 2 / 255


def test_tiny_autoencoder_in_a_turbo_folder(turbo_folder: Path, tmp_path: Path) -> None:
    pipe = StableDiffusionPipeline.from_pretrained(
        turbo_folder, safety_checker=None, low_cpu_mem_usage=False
    )
    pipe.vae = AutoencoderTiny(
        encoder_block_out_channels=(4,) * 4, decoder_block_out_channels=(4,) * 4
    )
    pipe.register_modules(vae=pipe.vae)
    pipe.save_pretrained(tmp_path)
    model = opened(tmp_path)
    assert pixels(model, finish(model, [ask(steps=1)]))[0].shape == (SIZE, SIZE, 3)

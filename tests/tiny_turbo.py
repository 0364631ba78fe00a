"""Tiny checkpoints of the layouts that people download, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from tests.tiny_unet import SIZE, prepared_tokenizer

BETAS = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}
WIDTH = 16
LOUD = 3.0
Layout = Literal["sd", "sdxl"]


def make_turbo(folder: Path, layout: Layout, scheduler: Any, tiny: bool = False) -> Path:
    """SD-Turbo's or SDXL-Turbo's layout; `tiny`: with an AutoencoderTiny."""
    torch.manual_seed(2)
    tokenizer = prepared_tokenizer(folder / "tokenizer")
    vae = AutoencoderTiny(
        encoder_block_out_channels=(4,) * 4, decoder_block_out_channels=(4,) * 4
    ) if tiny else AutoencoderKL(
        block_out_channels=(4, 4, 4, 4), norm_num_groups=2, latent_channels=4, sample_size=SIZE,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        scaling_factor=4.0,
    )  # fmt: skip
    if layout == "sd":
        StableDiffusionPipeline(
            vae, CLIPTextModel(_text(tokenizer)), tokenizer, _unet(), scheduler, None, None,
            requires_safety_checker=False,
        ).save_pretrained(folder)  # fmt: skip
        return folder
    StableDiffusionXLPipeline(
        vae, CLIPTextModel(_text(tokenizer)), CLIPTextModelWithProjection(_text(tokenizer)),
        tokenizer, tokenizer, _large(), scheduler, force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def _text(tokenizer: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=32, bos_token_id=len(tokenizer) - 2,
        eos_token_id=len(tokenizer) - 1, projection_dim=WIDTH,
    )  # fmt: skip


def _unet(**more: Any) -> UNet2DConditionModel:
    unet = UNet2DConditionModel(
        **{
            "sample_size": SIZE // 8, "in_channels": 4, "out_channels": 4,
            "block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "cross_attention_dim": WIDTH, "attention_head_dim": 4,
        } | more
    )  # fmt: skip
    for name, weight in unet.named_parameters():
        if "attn2" in name:  # fresh networks hardly hear words
            weight.data *= LOUD
    return unet


def _large() -> UNet2DConditionModel:
    return _unet(
        cross_attention_dim=2 * WIDTH, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + WIDTH, use_linear_projection=True,
    )  # fmt: skip

"""A tiny checkpoint of Z-Image-Turbo's layout, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from transformers import Qwen3Config, Qwen3Model

from tests.tiny_klein import WIDTH, make_tokenizer

SIZE = 64
LATENTS = 4
LOUD = 10.0


def make_zimage(folder: Path, **scheduler: Any) -> Path:
    """`scheduler`: what its scheduler is set to, otherwise what Z-Image-Turbo's is."""
    torch.manual_seed(4)
    tokenizer = make_tokenizer()
    settings = {"use_dynamic_shifting": False, "shift": 3.0} | scheduler
    ZImagePipeline(
        FlowMatchEulerDiscreteScheduler(**settings), make_autoencoder(), _language(len(tokenizer)),
        tokenizer, _transformer(),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def _language(words: int) -> Any:
    config = Qwen3Config(
        vocab_size=words, hidden_size=WIDTH, intermediate_size=16, num_hidden_layers=3,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, max_position_embeddings=512,
        initializer_range=0.3,
    )  # fmt: skip
    return Qwen3Model(config)


def _transformer() -> Any:
    transformer = ZImageTransformer2DModel(
        in_channels=LATENTS, dim=32, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2,
        cap_feat_dim=WIDTH, axes_dims=[4, 6, 6], axes_lens=[1024, 64, 64],
    )  # fmt: skip
    for name, weight in transformer.named_parameters():
        if "adaLN" in name:  # a fresh one hardly hears time and words
            weight.data *= LOUD
    transformer.x_pad_token.data.normal_()
    transformer.cap_pad_token.data.normal_()
    return transformer


def make_autoencoder(latents: int = LATENTS) -> Any:
    """Of a layout that several families have."""
    return AutoencoderKL(
        block_out_channels=(4,) * 4, norm_num_groups=2, latent_channels=latents, sample_size=SIZE,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        scaling_factor=0.4, shift_factor=0.1, use_quant_conv=False, use_post_quant_conv=False,
    )  # fmt: skip

"""A tiny checkpoint of FLUX.2 Klein's layout, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from tokenizers import pre_tokenizers
from transformers import Qwen2TokenizerFast, Qwen3Config, Qwen3ForCausalLM

SIZE = 64
WIDTH = 16
LATENTS = 4
LOUD = 10.0
END = "<|endoftext|>"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
"""Qwen3's, of what it takes for one message."""


def make_klein(folder: Path, distilled: bool = True, **scheduler: Any) -> Path:
    """`scheduler`: what its scheduler is set to, otherwise what FLUX.2's is."""
    torch.manual_seed(3)
    tokenizer = make_tokenizer()
    settings = {"use_dynamic_shifting": True, "shift": 3.0} | scheduler
    Flux2KleinPipeline(
        FlowMatchEulerDiscreteScheduler(**settings), _autoencoder(), _language(len(tokenizer)),
        tokenizer, _transformer(), is_distilled=distilled,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def make_tokenizer() -> Any:
    """Of bytes, with a language model's manner of asking."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: index for index, letter in enumerate([*letters, END])}
    tokenizer = Qwen2TokenizerFast(vocab=vocabulary, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _language(words: int) -> Any:
    """Two layers longer than it is listened to."""
    config = Qwen3Config(
        vocab_size=words, hidden_size=WIDTH, intermediate_size=16, num_hidden_layers=30,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, max_position_embeddings=512,
        tie_word_embeddings=True, initializer_range=0.3,
    )  # fmt: skip
    return Qwen3ForCausalLM(config)


def _transformer() -> Any:
    transformer = Flux2Transformer2DModel(
        in_channels=4 * LATENTS, num_layers=2, num_single_layers=2, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=3 * WIDTH, axes_dims_rope=(4, 4, 4, 4),
        timestep_guidance_channels=16, guidance_embeds=False,
    )  # fmt: skip
    for name, weight in transformer.named_parameters():
        if "modulation" in name:  # a fresh one hardly hears words, references and time
            weight.data *= LOUD
    return transformer


def _autoencoder() -> Any:
    vae = AutoencoderKLFlux2(
        block_out_channels=(4,) * 4, norm_num_groups=2, latent_channels=LATENTS, sample_size=SIZE,
        layers_per_block=1, batch_norm_eps=0.1,
    )  # fmt: skip
    vae.bn.running_mean.uniform_(-0.5, 0.5)
    vae.bn.running_var.uniform_(0.5, 2.0)
    return vae

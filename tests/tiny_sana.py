"""A tiny checkpoint of SANA-Sprint's layout, with random weights, and requests for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderDC,
    SanaSprintImg2ImgPipeline,
    SanaSprintPipeline,
    SanaTransformer2DModel,
    SCMScheduler,
)
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import Gemma2Config, Gemma2Model, GemmaTokenizer

from models.latent import LatentModel
from models.turbo import build
from tests.tiny_unet import SIZE

FACTOR = 8
WIDTH = 16
LOUD = 3.0
SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
TEXTS = ("a red house at sunset in winter by night, detailed descriptions of colors and shapes",)


def make_sana(folder: Path, both: bool = True) -> Path:
    """`both`: of the class for picture to picture, else for text to picture; of the same parts."""
    torch.manual_seed(4)
    tokenizer = _tokenizer()
    kind = SanaSprintImg2ImgPipeline if both else SanaSprintPipeline
    pipe = kind(tokenizer, _reader(len(tokenizer)), _vae(), _transformer(), SCMScheduler())
    pipe.save_pretrained(folder)
    return folder


def opened(folder: Path) -> LatentModel:
    """As it is served, in fp32."""
    model = build("tiny", "cpu", "fp32", str(folder), max_batch=1)
    model.load(lambda stage, share: None)
    return model


def _tokenizer() -> GemmaTokenizer:
    """Byte pairs of a few words; it spells the rest."""
    learner = Tokenizer(models.BPE(unk_token="<unk>"))
    learner.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    alphabet = [chr(code) for code in range(33, 127)] + ["▁", "\n"]
    trainer = trainers.BpeTrainer(
        vocab_size=200, special_tokens=[*SPECIAL], initial_alphabet=alphabet, show_progress=False
    )
    learner.train_from_iterator([text.replace(" ", "▁") for text in TEXTS], trainer)
    saved = json.loads(learner.to_str())["model"]
    return GemmaTokenizer(vocab=saved["vocab"], merges=[tuple(pair) for pair in saved["merges"]])


def _reader(tokens: int) -> Gemma2Model:
    return Gemma2Model(
        Gemma2Config(
            vocab_size=tokens, hidden_size=WIDTH, intermediate_size=16, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, head_dim=8, query_pre_attn_scalar=8,
            initializer_range=0.3,
        )
    )  # fmt: skip


def _vae() -> AutoencoderDC:
    blocks = ("ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock")
    sizes: dict[str, Any] = {"block_out_channels": (4, 4, 8, 8), "layers_per_block": (1, 1, 1, 1)}
    sizes |= {"block_types": blocks, "qkv_multiscales": ((), (), (), (5,))}
    both = {f"{way}_{name}": v for way in ("encoder", "decoder") for name, v in sizes.items()}
    return AutoencoderDC(latent_channels=4, attention_head_dim=4, scaling_factor=0.41, **both)


def _transformer() -> SanaTransformer2DModel:
    transformer = SanaTransformer2DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=8, num_layers=2,
        num_cross_attention_heads=2, cross_attention_head_dim=8, cross_attention_dim=16,
        caption_channels=WIDTH, sample_size=SIZE // FACTOR, guidance_embeds=True,
        qk_norm="rms_norm_across_heads",
    )  # fmt: skip
    for name, weight in transformer.named_parameters():
        if "attn2" in name or "guidance" in name:  # fresh networks hardly hear either
            weight.data *= LOUD
    return transformer

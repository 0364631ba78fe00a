"""The networks of `scenes`: their shapes, their tokenizer, their folder on disk.

Role: make untrained networks, save trained ones as a diffusers folder, open it again.
Shapes follow speed on two CPU cores: attention at the lowest level only, the autoencoder wholly at
latent size (docs/benchmarks.md has the times). Invariant: every component of a saved folder opens
through its own `from_pretrained` without a network. Knows nothing of training.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from diffusers import AutoencoderTiny, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from models.constants import FILE, Constants, open_constants, save_constants
from models.fold import Fold
from models.scenes.chance import TILES
from models.scenes.palette import PALETTE, UNPAINTED

WEIGHTS = Path(__file__).parent / "weights"
TOKENS = 32
ENTRIES = 1200  # of the tokenizer
FOLD = Fold((*PALETTE.values(), UNPAINTED))
SCALES = 3  # sizes that the network can be told apart: half, plain, double
LOUD = 20.0
START, END = "<|startoftext|>", "<|endoftext|>"
INDEX = {
    "_class_name": "StableDiffusionInstructPix2PixPipeline",
    "_diffusers_version": "0.42.0",
    "feature_extractor": [None, None],
    "safety_checker": [None, None],
    "requires_safety_checker": False,
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderTiny"],
}


@dataclass(frozen=True)
class Shape:
    """Sizes of the networks; tests make them tiny."""

    autoencoder: int = 160
    patch: int = 8
    encoder_blocks: tuple[int, ...] = (3,)
    decoder_blocks: tuple[int, ...] = (5,)
    latents: int = 16
    channels: tuple[int, int, int] = (128, 160, 192)
    constants: int = 64
    edge: int = 32
    text: int = 128
    text_layers: int = 2


class Painter(nn.Module):
    """The network, the text encoder that feeds it, and its learnt constants: a table of `constants`
    channels for every place of each tile, at both sizes."""

    def __init__(self, unet: UNet2DConditionModel, text: CLIPTextModel, constants: int) -> None:
        super().__init__()
        self.unet = unet
        self.text = text
        edges = {scale: unet.config.sample_size * times for scale, times in ((1, 1), (2, 2))}
        self.tables = nn.ModuleDict(
            {str(scale): nn.Embedding(TILES * edge**2, constants) for scale, edge in edges.items()}
        )
        for table in self.tables.values():
            nn.init.normal_(cast(nn.Embedding, table).weight, std=1 / LOUD)

    def forward(
        self,
        noisy: Tensor,
        canvas: Tensor,
        sigma: Tensor,
        tokens: Tensor,
        scale: int,
        tiles: Tensor,
    ) -> Tensor:
        """The velocity (noise − clean) at `noisy` (n, c, h, w); canvas (n, k, h, w) folded; sigma
        (n,) 0–1; tokens (n, 32); `scale` 1 or 2: pictures of plain or double size; tiles (n,)."""
        words = self.text(tokens).last_hidden_state
        all_ = torch.cat([noisy, canvas, self.constants(scale)[tiles]], 1)
        scales = torch.full((len(noisy),), scale, device=noisy.device)
        velocity: Tensor = self.unet(
            all_.contiguous(memory_format=torch.channels_last),
            sigma * 1000,
            words,
            class_labels=scales,
        ).sample
        return velocity

    def constants(self, scale: int) -> Tensor:
        """(TILES, constants, edge, edge). The table holds small numbers, so that an optimizer whose
        steps are all alike moves them fast."""
        weight = cast(nn.Embedding, self.tables[str(scale)]).weight
        edge = self.unet.config.sample_size * scale
        return LOUD * weight.view(TILES, edge, edge, -1).permute(0, 3, 1, 2)

    def known(self) -> Constants:
        """The constants as they are served."""
        with torch.no_grad():
            tables = [self.constants(scale).cpu() for scale in (1, 2)]
        return Constants({table.shape[-1]: table for table in tables})

    def remember(self, constants: Constants) -> None:
        """Take the constants of a folder."""
        with torch.no_grad():
            for edge, table in constants.tables.items():
                scale = str(edge // self.unet.config.sample_size)
                rows = table.permute(0, 2, 3, 1).reshape(-1, table.shape[1]) / LOUD
                cast(nn.Embedding, self.tables[scale]).weight.copy_(rows)


def make_autoencoder(shape: Shape) -> AutoencoderTiny:
    """An autoencoder over squares of pixels (see `models.patches`), 8 pixels a latent each way."""
    pixels, width = 3 * shape.patch**2, (shape.autoencoder,) * len(shape.decoder_blocks)
    vae = AutoencoderTiny(
        in_channels=pixels,
        out_channels=pixels,
        encoder_block_out_channels=width,
        decoder_block_out_channels=width,
        num_encoder_blocks=shape.encoder_blocks,
        num_decoder_blocks=shape.decoder_blocks,
        latent_channels=shape.latents,
    )
    return vae.to(memory_format=torch.channels_last)


def make_painter(shape: Shape, vocabulary: int) -> Painter:
    unet = UNet2DConditionModel(
        sample_size=shape.edge,
        in_channels=shape.latents + FOLD.channels + shape.constants,
        out_channels=shape.latents,
        num_class_embeds=SCALES,
        block_out_channels=shape.channels,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        cross_attention_dim=shape.text,
        # the words, pooled, join the timestep in every block: light and season are everywhere
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        attention_head_dim=8,
        norm_num_groups=min(32, shape.channels[0] // 2),
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=shape.text,
            intermediate_size=shape.text * 2,
            projection_dim=shape.text,
            num_hidden_layers=shape.text_layers,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            hidden_act="gelu",
            bos_token_id=vocabulary - 2,
            eos_token_id=vocabulary - 1,
            pad_token_id=vocabulary - 1,
        )
    )
    return Painter(unet.to(memory_format=torch.channels_last), text, shape.constants)


def plain_attention(painter: Painter) -> None:
    """For training on a CPU: attention as matrix products, because the fused one's backward pass is
    five times slower for pictures this small."""
    if next(painter.parameters()).device.type == "cpu":
        painter.unet.set_attn_processor(AttnProcessor())
        painter.text.set_attn_implementation("eager")


def make_tokenizer(folder: Path, texts: Iterable[str]) -> CLIPTokenizer:
    """Learn byte pairs from captions, write `vocab.json` and `merges.txt`, open the result.

    Any text can be spelt, since all bytes are in it; known words are one token each.
    """
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=END))
    split = pre_tokenizers.Split(Regex(r"[a-z]+|[0-9]|[^\sa-z0-9]+"), "removed", invert=True)
    learner.pre_tokenizer = pre_tokenizers.Sequence([split])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    learner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=900, initial_alphabet=alphabet, end_of_word_suffix="</w>", min_frequency=8
        ),
    )
    model = json.loads(learner.to_str())["model"]
    words = sorted(model["vocab"], key=model["vocab"].get)
    words = list(dict.fromkeys([*words, *(c + "</w>" for c in alphabet)]))
    words = [word for word in words if word not in (START, END)]
    words += [f"<|spare{i}|>" for i in range(ENTRIES - 2 - len(words))] + [START, END]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs, ""]))
    tokenizer = CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=TOKENS
    )
    tokenizer.save_pretrained(str(folder))
    return tokenizer


def tokenize(tokenizer: CLIPTokenizer, prompts: list[str]) -> Tensor:
    """Token numbers (n, 32) int64."""
    tokens: Tensor = tokenizer(
        prompts, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt"
    ).input_ids
    return tokens


def save_weights(
    folder: Path, vae: AutoencoderTiny, painter: Painter, tokenizer: CLIPTokenizer
) -> None:
    """Write a whole diffusers folder, half precision. The networks given are turned to fp16."""
    folder.mkdir(parents=True, exist_ok=True)
    save_constants(painter.known(), folder)
    nn.Module.half(vae)
    nn.Module.half(painter)
    vae.save_pretrained(folder / "vae")
    painter.unet.save_pretrained(folder / "unet")
    painter.text.save_pretrained(folder / "text_encoder")
    _forget(folder / "vae" / "config.json", "block_out_channels", "_name_or_path")
    _forget(folder / "unet" / "config.json", "_name_or_path")
    FOLD.save(folder)
    tokenizer.save_pretrained(str(folder / "tokenizer"))
    FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000).save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps(INDEX, indent=2) + "\n")


def _forget(config: Path, *keys: str) -> None:
    """Drop keys that the class writes itself: it complains about the one, the other is a path."""
    values = {k: v for k, v in json.loads(config.read_text()).items() if k not in keys}
    config.write_text(json.dumps(values, indent=2) + "\n")


def open_weights(folder: Path = WEIGHTS) -> tuple[AutoencoderTiny, Painter, CLIPTokenizer]:
    """The trained networks in fp32, ready to run."""
    plain = {"torch_dtype": torch.float32, "low_cpu_mem_usage": False}
    vae = AutoencoderTiny.from_pretrained(folder / "vae", **plain)
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", **plain)
    text = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
    constants = open_constants(folder)
    if constants is None:
        raise FileNotFoundError(f"{folder} has no {FILE}")
    painter = Painter(unet.to(memory_format=torch.channels_last), text, constants.channels)
    painter.remember(constants)
    tokenizer = CLIPTokenizer.from_pretrained(str(folder / "tokenizer"))
    return vae.to(memory_format=torch.channels_last).eval(), painter.eval(), tokenizer

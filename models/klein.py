"""A FLUX.2 Klein checkpoint, opened: its networks and what they do to tensors.

Role: everything of the family that touches weights, as diffusers' `Flux2KleinPipeline` does it. One
transformer reads the prompt, the picture in the making and, where there is one, the canvas as
further tokens: a reference that the picture follows, in place of a start from it. Latents are the
autoencoder's in patches of 2 × 2, each channel normalised by its own statistics. Invariants: inputs
and results are fp32 whatever format the networks run in; no state of any person is kept here. Knows
nothing of requests, sessions or step arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers.utils.logging import disable_progress_bar

from models.autoencoders import PATCH, check_size, factor_in_patches
from models.base import CannotLoad, Progress
from models.chat import asked
from models.devices import move
from models.fold import Fold
from models.folders import local
from models.layout import Layout
from models.networks import Opener, Place, to_values
from models.parts import open_parts, read_index
from models.sigmas import Empirical, Schedule, flow_of
from models.texts import Words

KINDS = {
    "tokenizer": ("Qwen2TokenizerFast", "Qwen2Tokenizer"),
    "text_encoder": ("Qwen3ForCausalLM",),
    "transformer": ("Flux2Transformer2DModel",),
    "vae": ("AutoencoderKLFlux2",),
    "scheduler": ("FlowMatchEulerDiscreteScheduler",),
}
"""The components of the family, and their classes."""
HEARD = (9, 18, 27)
"""Layers of the text encoder before which its states are what a prompt means."""
REFERENCE = 10
"""Where a reference lies on the axis of time, on which the picture lies at 0."""
TIMES = 1000
SIZE, LEAST, MOST = 1024, 64, 1024
"""Pixels each way: the pipeline's, and from its least to the most that it leaves a reference."""


@dataclass(frozen=True)
class Qwen:
    """The tokenizer with its text encoder, of which the head and the last layers are let go."""

    tokenizer: Any
    encoder: Any

    @property
    def width(self) -> int:
        """Of an embedding."""
        return len(HEARD) * int(self.encoder.config.hidden_size)

    def encode(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        """(n, 512, width) of what a person is taken to have said to the language model."""
        states = self.encoder(
            **asked(self.tokenizer, prompts, device, thinking=False)
        ).hidden_states
        return torch.cat([states[layer] for layer in HEARD], -1)


@dataclass
class Klein:
    """The parts of one folder, as `models.networks.Networks`. `size` is a picture's, in pixels;
    `mean` and `deviation` (1, c, 1, 1) of latents, fp32."""

    transformer: Any
    vae: Any
    qwen: Qwen
    schedule: Schedule
    device: torch.device
    size: int
    mean: Tensor
    deviation: Tensor
    dtype: torch.dtype = torch.float32
    fold: Fold | None = None
    layout: Layout | None = None
    constants: None = None
    adapters: None = None
    optional: bool = True
    sampled: bool = False
    embeds_guidance: bool = False

    @property
    def channels(self) -> int:
        return int(self.transformer.config.in_channels)

    @property
    def beside(self) -> int:
        return self.channels

    @property
    def edge(self) -> int:
        return self.size // factor_in_patches(self.vae.config)

    @property
    def modules(self) -> list[nn.Module]:
        return [self.transformer, self.vae, self.qwen.encoder]

    def to(self, dtype: torch.dtype) -> None:
        """Run the networks in `dtype` from now on."""
        self.dtype = dtype
        move(self.modules, self.device, dtype)
        self.mean, self.deviation = self.mean.to(self.device), self.deviation.to(self.device)

    def encode_words(self, prompts: list[str], against: bool = False) -> Words:
        """Embeddings (n, 512, width) of prompts, alike for what guidance leads away from."""
        return (self.qwen.encode(prompts, self.device),)

    def encode_pictures(self, pictures: NDArray[np.uint8]) -> Tensor:
        """Latents (n, c, h, w) fp32 of uint8 pictures (n, H, W, 3)."""
        return self.encode(to_values(pictures, self.device))

    def see(self, pictures: NDArray[np.uint8], edge: int) -> Tensor:
        """The latents of canvases, uint8 (n, H, W, 3) of `edge` latents: (n, c, edge, edge)."""
        return self.encode_pictures(pictures)

    def encode(self, pictures: Tensor) -> Tensor:
        """Latents (n, c, h, w) fp32 of pictures −1–1 (n, 3, H, W)."""
        raw = self.vae.encode(pictures.to(self.dtype)).latent_dist.mode()
        return (F.pixel_unshuffle(raw.float(), PATCH) - self.mean) / self.deviation

    def decode(self, latents: Tensor, own: bool = False) -> Tensor:
        """Pictures (n, 3, H, W) −1–1 fp32 of latents."""
        raw = F.pixel_shuffle(latents * self.deviation + self.mean, PATCH)
        pictures: Tensor = self.vae.decode(raw.to(self.dtype)).sample
        return pictures.float()

    def predict(
        self, latents: Tensor, canvas: Tensor | None, times: Tensor, words: Words
    ) -> Tensor:
        """The velocity (n, c, h, w) fp32; `times` (n,) one a row; `canvas` (n, c, h, w) of all
        rows or of none: what the attention is over is as long for each."""
        tokens, places = _tokens(latents), _places(latents, 0)
        if canvas is not None:
            tokens = torch.cat([tokens, _tokens(canvas)], 1)
            places = torch.cat([places, _places(canvas, REFERENCE)])
        result: Tensor = self.transformer(
            hidden_states=tokens.to(self.dtype),
            timestep=times / TIMES,
            encoder_hidden_states=words[0].to(self.dtype),
            img_ids=places,
            txt_ids=_grid(self.device, 0, 1, 1, words[0].shape[1]),
        ).sample
        velocity = result[:, : latents.shape[-1] * latents.shape[-2]].float()
        return velocity.transpose(1, 2).reshape(latents.shape)


def _tokens(latents: Tensor) -> Tensor:
    """(n, c, h, w) row after row as (n, h·w, c)."""
    return latents.flatten(2).transpose(1, 2)


def _places(latents: Tensor, time: int) -> Tensor:
    height, width = latents.shape[-2:]
    return _grid(latents.device, time, height, width, 1)


def _grid(device: torch.device, time: int, height: int, width: int, length: int) -> Tensor:
    """Where tokens lie on the transformer's four axes: (height·width·length, 4)."""
    axes = (torch.arange(count, device=device) for count in (height, width, length))
    return torch.cartesian_prod(torch.tensor([time], device=device), *axes)


def open_klein(folder: str, place: Place, progress: Progress, size: int = SIZE) -> Klein:
    """Open a diffusers folder or hub id, component by component, on the CPU: `to` brings it to its
    device. `size`: pixels each way."""
    disable_progress_bar()  # it would write into the server's log, whose lines are parsed
    own = local(folder, tuple(KINDS), progress=progress)
    parts = open_parts(own, read_index(own), KINDS, progress, place)
    _check(own, parts)
    factor = factor_in_patches(parts["vae"].config)
    check_size(own, size, factor, LEAST, MOST)
    schedule = flow_of(parts["scheduler"], Empirical((size // factor) ** 2))
    qwen = Qwen(parts["tokenizer"], _heard(parts["text_encoder"]))
    mean, deviation = _normal(parts["vae"])
    return Klein(
        parts["transformer"], parts["vae"], qwen, schedule, place.device, size, mean, deviation
    )


def opener(folder: str, size: int = SIZE) -> Opener:
    """Opens that folder, when it is called."""
    return lambda place, progress: open_klein(folder, place, progress, size)


def _heard(language: Any) -> Any:
    """The part of the language model that is listened to: a fifth of its weights, and the work of
    the head, are spared."""
    encoder = language.model
    del encoder.layers[HEARD[-1] + 1 :]  # one is kept beyond, since the last state is another's
    return encoder


def _normal(vae: Any) -> tuple[Tensor, Tensor]:
    """Mean and deviation of latents, (1, c, 1, 1) each, in fp32 whatever the networks run in."""
    variance = vae.bn.running_var.float() + vae.config.batch_norm_eps
    return vae.bn.running_mean.float().view(1, -1, 1, 1), variance.sqrt().view(1, -1, 1, 1)


def _check(folder: Path, parts: dict[str, Any]) -> None:
    """Whether the parts are of one checkpoint."""
    config, words = parts["transformer"].config, parts["text_encoder"].config
    wide, latents = len(HEARD) * words.hidden_size, PATCH**2 * parts["vae"].config.latent_channels
    if not parts["tokenizer"].chat_template:
        raise CannotLoad(f"{folder}: its tokenizer has no chat template, by which it is asked")
    if len(parts["tokenizer"]) > words.vocab_size or words.num_hidden_layers < HEARD[-1]:
        raise CannotLoad(
            f"{folder}: its tokenizer has {len(parts['tokenizer'])} tokens, its text encoder "
            f"{words.vocab_size} and {words.num_hidden_layers} layers, of which {HEARD[-1]} are "
            f"needed: they aren't of one checkpoint"
        )
    reads = (config.joint_attention_dim, config.in_channels, parts["transformer"].out_channels)
    if reads != (wide, latents, latents) or parts["vae"].bn.num_features != latents:
        raise CannotLoad(
            f"{folder}: its transformer reads words {reads[0]} wide and {reads[1]} channels, its "
            f"text encoder writes {wide}, its autoencoder {latents}: they aren't of one checkpoint"
        )

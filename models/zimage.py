"""A Z-Image-Turbo checkpoint, opened: its networks and what they do to tensors.

Role: everything of the family that touches weights, as diffusers' `ZImagePipeline` and
`ZImageImg2ImgPipeline` do it. One transformer reads prompt and picture as one row of tokens, the
prompt as long as it is; a language model says what the prompt means; a run starts from the canvas.
The network is distilled and takes no guidance. Invariants: latents and pictures are fp32 whatever
format the networks run in; no state of any person is kept here. Knows nothing of requests, sessions
or step arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers.utils.logging import disable_progress_bar

from models import autoencoders
from models.autoencoders import PATCH, check_size, factor_in_patches
from models.base import CannotLoad, Progress
from models.chat import asked
from models.devices import move
from models.folders import local
from models.networks import Opener, Place, to_values
from models.parts import open_parts, read_index, refusing
from models.sigmas import Schedule, flow_of
from models.texts import Words

KINDS = {
    "tokenizer": ("Qwen2Tokenizer", "Qwen2TokenizerFast"),
    "text_encoder": ("Qwen3Model",),
    "transformer": ("ZImageTransformer2DModel",),
    "vae": ("AutoencoderKL",),
    "scheduler": ("FlowMatchEulerDiscreteScheduler",),
}
"""The components of the family, and their classes."""
HEARD = -2
"""The state of the text encoder that is what a prompt means: before its last layer."""
TIMES = 1000
SIZE, LEAST, MOST = 1024, 64, 2048
"""Pixels each way: the pipeline's, and what may be asked for."""
SHIFTS = {
    "base_image_seq_len": 256, "max_image_seq_len": 4096, "base_shift": 0.5, "max_shift": 1.15,
}  # fmt: skip
"""Of a scheduler that shifts dynamically, where its config doesn't say (`calculate_shift`)."""


@dataclass(frozen=True)
class Listener:
    """A language model as text encoder, with its tokenizer."""

    tokenizer: Any
    encoder: Any

    def encode(self, prompts: Sequence[str], device: torch.device) -> tuple[Tensor, Tensor]:
        """(n, 512, width) of what a person is taken to have said to the language model, and which
        of them are tokens of it: (n, 512)."""
        question = asked(self.tokenizer, prompts, device, thinking=True)
        states = self.encoder(**question).hidden_states
        return states[HEARD], question["attention_mask"].bool()


@dataclass
class ZImage:
    """The parts of one folder, as `models.networks.Networks`. It sees no canvas: a run starts from
    it. `size` is a picture's, in pixels; `quick`: an autoencoder that stands in for the
    checkpoint's own wherever that isn't asked for."""

    transformer: Any
    vae: Any
    texts: Listener
    schedule: Schedule
    device: torch.device
    size: int
    quick: AutoencoderTiny | None = None
    dtype: torch.dtype = torch.float32
    beside: int = field(default=0, init=False)
    optional: bool = field(default=False, init=False)
    embeds_guidance: bool = field(default=False, init=False)
    fold: None = field(default=None, init=False)
    layout: None = field(default=None, init=False)
    constants: None = field(default=None, init=False)
    adapters: None = field(default=None, init=False)

    @property
    def channels(self) -> int:
        return int(self.transformer.config.in_channels)

    @property
    def edge(self) -> int:
        return self.size // autoencoders.factor_of(self.vae)

    @property
    def sampled(self) -> bool:
        return autoencoders.is_sampled(self.quick or self.vae)

    @property
    def modules(self) -> list[nn.Module]:
        quick = [] if self.quick is None else [self.quick]
        return [self.transformer, self.vae, *quick, self.texts.encoder]

    def to(self, dtype: torch.dtype) -> None:
        """Run the networks in `dtype` from now on."""
        self.dtype = dtype
        move(self.modules, self.device, dtype)

    def encode_words(self, prompts: list[str], against: bool = False) -> Words:
        """Embeddings (n, 512, width) of prompts, and which of them are words (n, 512)."""
        return self.texts.encode(prompts, self.device)

    def encode_pictures(self, pictures: NDArray[np.uint8]) -> Tensor:
        """Normalised latents (n, c, h, w) fp32 of uint8 pictures (n, H, W, 3)."""
        return self.encode(to_values(pictures, self.device))

    def encode(self, pictures: Tensor) -> Tensor:
        """Normalised latents (n, c, h, w) fp32 of pictures −1–1 (n, 3, H, W)."""
        return autoencoders.encode(self.quick or self.vae, pictures)

    def decode(self, latents: Tensor, own: bool = False) -> Tensor:
        """Pictures (n, 3, H, W) −1–1 fp32 of normalised latents."""
        return autoencoders.decode(self.vae if own else self.quick or self.vae, latents)

    def see(self, pictures: NDArray[np.uint8], edge: int) -> Tensor:
        """What a run starts from, of canvases uint8 (n, H, W, 3): latents (n, c, h, w), or mean and
        deviation of them."""
        if self.sampled:
            return autoencoders.spread(self.vae, to_values(pictures, self.device))
        return self.encode_pictures(pictures)

    def predict(
        self, latents: Tensor, canvas: Tensor | None, times: Tensor, words: Words
    ) -> Tensor:
        """The velocity (n, c, h, w) fp32; `times` (n,) one a row. The transformer reads how much is
        done, each row's prompt as long as it is, and answers the velocity the other way round."""
        said, mask = words
        made = self.transformer(
            list(latents.to(self.dtype).unsqueeze(2)),
            (TIMES - times) / TIMES,
            [row[known] for row, known in zip(said.to(self.dtype), mask, strict=True)],
            return_dict=False,
        )[0]
        return -torch.stack([each.squeeze(1).float() for each in made])


def open_zimage(
    folder: str, place: Place, progress: Progress, size: int = SIZE, quick: str = ""
) -> ZImage:
    """Open a diffusers folder or hub id, component by component. `size`: pixels each way. Raises
    `CannotLoad`."""
    disable_progress_bar()  # it would write into the server's log, whose lines are parsed
    near = autoencoders.near(quick, progress)  # if it's lacking, that is known at once
    own = local(folder, tuple(KINDS), progress=progress)
    parts = open_parts(own, read_index(own), KINDS, progress, place)
    _check(own, parts)
    factor = factor_in_patches(parts["vae"].config)
    check_size(own, size, factor, LEAST, MOST)
    with refusing(own, "scheduler"):
        schedule = flow_of(parts["scheduler"], _shift(parts["scheduler"].config, size // factor))
    texts = Listener(parts["tokenizer"], parts["text_encoder"])
    opened = ZImage(parts["transformer"], parts["vae"], texts, schedule, place.device, size)
    if near:
        progress("loading tiny autoencoder", 1.0)
        opened.quick = autoencoders.open_quick(near, opened.channels, factor // PATCH)
    opened.to(place.opened)
    return opened


def opener(folder: str, size: int = SIZE, quick: str = "") -> Opener:
    """Opens that folder, when it is called."""
    return lambda place, progress: open_zimage(folder, place, progress, size, quick)


def _shift(config: Mapping[str, Any], edge: int) -> Any:
    """e to a μ on a line over the picture's tokens (`calculate_shift` of the pipeline)."""
    least, most, low, high = (float(config.get(name, usual)) for name, usual in SHIFTS.items())
    shift = math.exp(low + (edge * edge - least) * (high - low) / (most - least))
    return lambda steps: shift


def _check(folder: Path, parts: Mapping[str, Any]) -> None:
    """Whether the networks are of one checkpoint, and of this family."""
    config, words = parts["transformer"].config, parts["text_encoder"].config
    if not parts["tokenizer"].chat_template:
        raise CannotLoad(f"{folder}: its tokenizer has no chat template, by which it is asked")
    if PATCH not in config.all_patch_size or config.siglip_feat_dim is not None:
        raise CannotLoad(f"{folder}: its transformer is another of its class, that isn't done here")
    if len(parts["tokenizer"]) > words.vocab_size:
        raise CannotLoad(
            f"{folder}: its tokenizer has {len(parts['tokenizer'])} tokens, its text encoder "
            f"{words.vocab_size}: they aren't of one checkpoint"
        )
    with refusing(folder, "vae"):
        autoencoders.normal_of(parts["vae"])
    latents = parts["vae"].config.latent_channels
    if (config.cap_feat_dim, config.in_channels) != (words.hidden_size, latents):
        raise CannotLoad(
            f"{folder}: its transformer reads words {config.cap_feat_dim} wide and "
            f"{config.in_channels} channels, its text encoder writes {words.hidden_size}, its "
            f"autoencoder {latents}: they aren't of one checkpoint"
        )

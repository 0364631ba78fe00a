"""A SANA-Sprint checkpoint, opened: its networks and what they do to tensors.

Role: everything of this family that touches weights (SANA-Sprint: Chen et al. 2025): components
through `from_pretrained` (never a pipeline), prompts as its language model reads them, one
transformer call, the deep-compression autoencoder (DC-AE). Invariants: those of
`models.networks`; a prompt's embeddings don't depend on those beside it; no state of any person is
kept here. Knows nothing of requests, sessions or step arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers.utils.logging import disable_progress_bar

from models.base import CannotLoad, Progress
from models.devices import move
from models.folders import local
from models.networks import Opener, Place, to_values
from models.parts import open_parts, read_index
from models.texts import Words
from models.trigflow import TrigFlow, trigflow_of

KINDS = {
    "tokenizer": ("GemmaTokenizer", "GemmaTokenizerFast"),
    "text_encoder": ("Gemma2Model",),
    "transformer": ("SanaTransformer2DModel",),
    "vae": ("AutoencoderDC",),
    "scheduler": ("SCMScheduler",),
}
"""The components of the family, and their classes."""
GUIDANCE = 4.5
"""That the networks are told where nobody says."""
TOKENS = 300
"""Of a prompt, as the transformer reads them."""
INSTRUCTION = "\n".join(
    (
        "Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual "
        "descriptions suitable for image generation. Evaluate the level of detail in the user "
        "prompt:",
        "- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, "
        "textures, and spatial relationships to create vivid and concrete scenes.",
        "- If the prompt is already detailed, refine and enhance the existing details slightly "
        "without overcomplicating.",
        "Here are examples of how to transform or refine prompts:",
        "- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round "
        "shape, sleeping peacefully on a warm sunny windowsill, surrounded by pots of blooming red "
        "flowers.",
        "- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, "
        "featuring glowing street lamps, a diverse crowd of people in colorful clothing, and a "
        "double-decker bus passing by towering glass skyscrapers.",
        "Please generate only the enhanced description for the prompt below and avoid including "
        "any additional commentary or evaluations:",
        "User Prompt: ",
    )
)
"""What stands before every prompt: the networks were taught on prompts read in its light
(`complex_human_instruction` of the library's pipelines; Xie et al. 2024, section 2.3)."""


@dataclass(frozen=True)
class Instructed:
    """A language model as text encoder, with its tokenizer."""

    tokenizer: Any
    encoder: Any

    def encode(self, prompts: Sequence[str], device: torch.device) -> tuple[Tensor, Tensor]:
        """Embeddings (n, TOKENS, width) of prompts behind the instruction, whose own embeddings are
        left out but for the first, and which of them are of words: (n, TOKENS)."""
        before = len(self.tokenizer.encode(INSTRUCTION))
        tokens = self.tokenizer(
            [INSTRUCTION + prompt.lower().strip() for prompt in prompts],
            padding="max_length",
            padding_side="right",
            truncation=True,
            max_length=before + TOKENS - 2,
            return_tensors="pt",
        ).to(device)
        mask = tokens.attention_mask
        said = self.encoder(tokens.input_ids, attention_mask=mask, use_cache=False)[0]
        chosen = [0, *range(1 - TOKENS, 0)]
        return said[:, chosen], mask[:, chosen]


@dataclass
class Sprint:
    """The parts of one folder, as `models.networks.Networks`. It sees no canvas: a run starts from
    it."""

    transformer: Any
    vae: Any
    texts: Instructed
    schedule: TrigFlow
    device: torch.device
    dtype: torch.dtype = torch.float32
    beside: int = field(default=0, init=False)
    sampled: bool = field(default=False, init=False)
    optional: bool = field(default=False, init=False)
    embeds_guidance: bool = field(default=True, init=False)
    fold: None = field(default=None, init=False)
    layout: None = field(default=None, init=False)
    constants: None = field(default=None, init=False)
    adapters: None = field(default=None, init=False)

    @property
    def channels(self) -> int:
        return int(self.transformer.config.in_channels)

    @property
    def edge(self) -> int:
        return int(self.transformer.config.sample_size)

    @property
    def size(self) -> int:
        return self.edge * int(self.vae.spatial_compression_ratio)

    @property
    def modules(self) -> list[nn.Module]:
        return [self.transformer, self.vae, self.texts.encoder]

    def to(self, dtype: torch.dtype) -> None:
        """Run the networks in `dtype` from now on."""
        self.dtype = dtype
        move(self.modules, self.device, dtype)

    def encode_words(self, prompts: list[str], against: bool = False) -> Words:
        """Embeddings (n, tokens, width), which of them are words (n, tokens) and the usual guidance
        (n,). Nothing leads away from words here, so `against` means nothing."""
        usual = torch.full((len(prompts),), GUIDANCE, device=self.device)
        return *self.texts.encode(prompts, self.device), usual

    def encode_pictures(self, pictures: NDArray[np.uint8]) -> Tensor:
        """Normalised latents (n, c, h, w) fp32 of uint8 pictures (n, H, W, 3)."""
        return self.encode(to_values(pictures, self.device))

    def encode(self, pictures: Tensor) -> Tensor:
        """Normalised latents (n, c, h, w) fp32 of pictures −1–1 (n, 3, H, W)."""
        latents: Tensor = self.vae.encode(pictures.to(self.dtype)).latent
        return latents.float() * float(self.vae.config.scaling_factor)

    def decode(self, latents: Tensor, own: bool = False) -> Tensor:
        """Pictures (n, 3, H, W) −1–1 fp32 of normalised latents; there is one decoder only."""
        raw = latents / float(self.vae.config.scaling_factor)
        pictures: Tensor = self.vae.decode(raw.to(self.dtype)).sample
        return pictures.float()

    def see(self, pictures: NDArray[np.uint8], edge: int) -> Tensor:
        """What a run starts from: (n, c, h, w) of canvases uint8 (n, H, W, 3)."""
        return self.encode_pictures(pictures)

    def predict(
        self, latents: Tensor, canvas: Tensor | None, times: Tensor, words: Words
    ) -> Tensor:
        """The network's velocity (n, c, h, w) fp32 at flow levels `times` (n,), one a row; `words`
        are `encode_words`', each row with a guidance of its own."""
        said, mask, guidance = words
        result: Tensor = self.transformer(
            latents.to(self.dtype),
            encoder_hidden_states=said.to(self.dtype),
            encoder_attention_mask=mask,
            guidance=guidance * float(self.transformer.config.guidance_embeds_scale),
            timestep=times,
        ).sample
        return result.float()


def open_sana(folder: str, place: Place, progress: Progress) -> Sprint:
    """Open a diffusers folder or hub id, component by component. Raises `CannotLoad`."""
    disable_progress_bar()  # it would write into the server's log, whose lines are parsed
    own = local(folder, tuple(KINDS), progress=progress)
    index = read_index(own)
    parts = open_parts(own, index, KINDS, progress, place)
    texts = Instructed(parts["tokenizer"], parts["text_encoder"])
    schedule = trigflow_of(parts["scheduler"])
    opened = Sprint(parts["transformer"], parts["vae"], texts, schedule, place.device)
    _check(folder, opened)
    opened.to(place.opened)
    return opened


def opener(folder: str, scheduler: str = "", quick: str = "") -> Opener:
    """Opens that folder, when it is called. Raises `CannotLoad` where another step arithmetic or
    autoencoder is asked for: there are none of these networks."""
    for option, wanted in (("scheduler", scheduler), ("tiny", quick)):
        if wanted:
            raise CannotLoad(f"{folder}: {option}={wanted}: SANA-Sprint runs with its own only")
    return lambda place, progress: open_sana(folder, place, progress)


def _check(folder: str, parts: Sprint) -> None:
    """Whether the networks are of one checkpoint, and of this family rather than its teacher's."""
    config, reads = parts.transformer.config, parts.texts.encoder.config
    if not config.guidance_embeds:
        raise CannotLoad(f"{folder}: its transformer isn't told guidance: a SANA, but no Sprint")
    sizes = {
        "channels of latents": (config.in_channels, parts.vae.config.latent_channels),
        "channels that are painted": (config.out_channels, config.in_channels),
        "widths of words": (config.caption_channels, reads.hidden_size),
    }
    for what, (one, other) in sizes.items():
        if one != other:
            raise CannotLoad(
                f"{folder}: its networks have {one} and {other} {what}: they aren't of one "
                f"checkpoint"
            )
    if len(parts.texts.tokenizer) > reads.vocab_size:
        raise CannotLoad(
            f"{folder}: its tokenizer has {len(parts.texts.tokenizer)} tokens, its text encoder "
            f"{reads.vocab_size}: they aren't of one checkpoint"
        )

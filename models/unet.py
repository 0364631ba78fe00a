"""A UNet latent diffusion checkpoint, opened: its networks and what they do to tensors.

Role: everything of the UNet family that touches weights: components through `from_pretrained`
(never a pipeline), text and canvas encoding, one network call, decoding. Invariants: latents and
pictures are fp32 whatever format the networks run in; no state of any person is kept here. Knows
nothing of requests, sessions or step arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers.utils.logging import disable_progress_bar

from models import autoencoders
from models.adapters import Adapters
from models.base import CannotLoad, Progress
from models.constants import FILE, Constants, open_constants
from models.devices import move
from models.fold import Fold, open_fold
from models.folders import local
from models.fused import fusable, fuse
from models.layout import Layout, open_layout
from models.networks import Opener, Place, to_values
from models.packed import pack
from models.parts import Index, open_parts, read_index, refusing
from models.sigmas import Schedule, schedule_of
from models.texts import Reader, Texts, Words

CLIP = {"tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast"), "text_encoder": ("CLIPTextModel",)}
SECOND = {
    "tokenizer_2": CLIP["tokenizer"],
    "text_encoder_2": ("CLIPTextModelWithProjection",),
}
PAINTING = {
    "unet": ("UNet2DConditionModel",),
    "vae": ("AutoencoderKL", "AutoencoderTiny"),
    "scheduler": ("*",),
}
SPEAKING = ("text_encoder", "text_encoder_2")
KINDS = {**CLIP, **PAINTING}
"""The components of the family, and their classes."""
LARGE_KINDS = {**CLIP, **SECOND, **PAINTING}
"""Those of SDXL's layout."""


@dataclass
class Checkpoint:
    """The parts of one folder, as `models.networks.Networks`. `factor` is pixels a latent. `quick`:
    an autoencoder that stands in for the checkpoint's own wherever that isn't asked for (it decodes
    and encodes several times faster)."""

    unet: Any
    vae: Any
    texts: Texts
    schedule: Schedule
    device: torch.device
    fold: Fold | None = None
    layout: Layout | None = None
    constants: Constants | None = None
    quick: AutoencoderTiny | None = None
    adapters: Adapters | None = None
    dtype: torch.dtype = torch.float32
    optional: bool = False

    @property
    def beside(self) -> int:
        return int(self.unet.config.in_channels) - self.channels

    @property
    def sampled(self) -> bool:
        """Whether a run starts from a sample of what the canvas may be encoded as: the library's
        pipelines draw one, before the noise, where the network doesn't see the canvas."""
        return not self.beside and autoencoders.is_sampled(self.quick or self.vae)

    @property
    def embeds_guidance(self) -> bool:
        return False

    @property
    def channels(self) -> int:
        return int(self.unet.config.out_channels)

    @property
    def factor(self) -> int:
        return autoencoders.factor_of(self.vae)

    @property
    def edge(self) -> int:
        return int(self.unet.config.sample_size)

    @property
    def size(self) -> int:
        return self.edge * self.factor

    @property
    def normal(self) -> tuple[float, float]:
        """What is taken from raw latents, and what they are multiplied by."""
        return autoencoders.normal_of(self.vae)

    def to(self, dtype: torch.dtype) -> None:
        """Run the networks in `dtype` from now on; in fp32 instead of fp16 the autoencoder of SDXL,
        unless its config says that its numbers don't grow too large for that (as in the library's
        pipelines)."""
        self.dtype = dtype
        frail = len(self.texts.readers) > 1 and bool(self.vae.config.get("force_upcast"))
        move([self.vae], self.device, torch.float32 if frail and dtype == torch.float16 else dtype)
        move([part for part in self.modules if part is not self.vae], self.device, dtype)
        if self.layout is not None:
            self.layout.to(self.device)  # in fp32: a seed's scene hangs on small numbers
        if self.constants is not None:
            self.constants = self.constants.to(self.device)
        for part in self._seeing:
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def modules(self) -> list[nn.Module]:
        return [*self._seeing, *self.texts.modules]

    @property
    def _seeing(self) -> list[nn.Module]:
        return [self.unet, self.vae, *([] if self.quick is None else [self.quick])]

    def encode_words(self, prompts: list[str], against: bool = False) -> Words:
        """Embeddings of prompts, or of what guidance leads away from: see `Texts`."""
        encode = self.texts.encode_against if against else self.texts.encode
        return encode(prompts, self.device)

    def encode_pictures(self, pictures: NDArray[np.uint8]) -> Tensor:
        """Normalised latents (n, c, h, w) fp32 of uint8 pictures (n, H, W, 3)."""
        return self.encode(to_values(pictures, self.device))

    def encode_spread(self, pictures: NDArray[np.uint8]) -> Tensor:
        """Of the latents that pictures may be encoded as, mean and standard deviation, normalised:
        (n, 2c, h, w) fp32."""
        return autoencoders.spread(self.vae, to_values(pictures, self.device))

    def encode(self, pictures: Tensor) -> Tensor:
        """Normalised latents (n, c, h, w) fp32 of pictures −1–1 (n, 3, H, W)."""
        return autoencoders.encode(self.quick or self.vae, pictures)

    def decode(self, latents: Tensor, own: bool = False) -> Tensor:
        """Pictures (n, 3, H, W) −1–1 fp32 of normalised latents, by the checkpoint's `own` decoder
        or by the quick one, if there is one."""
        return autoencoders.decode(self.vae if own else self.quick or self.vae, latents)

    def see(self, pictures: NDArray[np.uint8], edge: int) -> Tensor:
        """What the network sees of canvases, uint8 (n, H, W, 3), at latents of `edge`: (n, k, edge,
        edge), folded in fp16 (its shares are exact in it) or encoded in fp32. For a network that
        sees none, what a run starts from."""
        if self.sampled:
            return self.encode_spread(pictures)
        if self.fold is None:
            return self.encode_pictures(pictures)
        folded = np.stack([self.fold(picture, edge) for picture in pictures])
        return torch.from_numpy(folded).to(self.device, torch.float16)

    def predict(
        self, latents: Tensor, canvas: Tensor | None, times: Tensor, words: Words
    ) -> Tensor:
        """The network's output (n, c, h, w) fp32; `times` (n,) one a row."""
        given = [latents.to(self.dtype)] + ([] if canvas is None else [canvas.to(self.dtype)])
        result: Tensor = self.unet(
            _packed(torch.cat(given, 1)),
            times,
            words[0].to(self.dtype),
            **self._whole(latents, words),
            **self._sizes(latents),
        ).sample
        return result.float()

    def _whole(self, latents: Tensor, words: Words) -> dict[str, Any]:
        """What SDXL's networks are told beside: what the prompt says as a whole, and that the
        picture is a whole one of its size (Podell et al. 2023, section 2.2)."""
        if len(words) == 1:
            return {}
        size = latents.shape[-1] * self.factor
        told = torch.tensor([size, size, 0, 0, size, size], device=self.device, dtype=self.dtype)
        times = told.expand(len(latents), -1)
        return {"added_cond_kwargs": {"text_embeds": words[1].to(self.dtype), "time_ids": times}}

    def _sizes(self, latents: Tensor) -> dict[str, Tensor]:
        """The class that tells a network which of its sizes it works at, if it knows several: its
        own is in the middle, one class down is half of it, one up twice."""
        classes = self.unet.config.get("num_class_embeds")
        if not classes:
            return {}
        times = round(math.log2(latents.shape[-1] / self.edge))
        which = min(max(classes // 2 + times, 0), classes - 1)
        return {"class_labels": torch.full((len(latents),), which, device=self.device)}


def _check_layout(folder: str, parts: Checkpoint) -> None:
    """Whether the layout network reads this text encoder's words and this fold's canvases."""
    if parts.layout is None:
        return
    shape, words = parts.layout.shape, parts.texts.width
    folds = parts.fold and (len(parts.fold.colours), parts.fold.cells)
    if shape.words != words or (shape.kinds, shape.cells) != folds:
        raise CannotLoad(f"{folder}: its layout network is of another checkpoint")


def _packed(values: Tensor) -> Tensor:
    return values.contiguous(memory_format=torch.channels_last)


def open_checkpoint(
    folder: str,
    place: Place,
    progress: Progress,
    scheduler: str = "",
    quick: str = "",
    lora: str = "",
) -> Checkpoint:
    """Open a diffusers folder or hub id, component by component. `scheduler`: another
    step arithmetic than the folder's own (`models.sigmas.KINDS`); `quick`: the folder or hub id of
    an AutoencoderTiny of the same latents; `lora`: a folder of adapters."""
    disable_progress_bar()  # it would write into the server's log, whose lines are parsed
    adapting = _adapting(lora) if lora else None
    near = autoencoders.near(quick, progress)  # if it's lacking, that is known at once
    own = local(folder, tuple(LARGE_KINDS), progress=progress)
    index = read_index(own)
    kinds = LARGE_KINDS if "text_encoder_2" in index else KINDS
    parts = open_parts(own, index, kinds, progress, place)
    device = place.device
    if fusable(parts["vae"], device):
        fuse(parts["vae"])
    pack(parts["unet"], device)
    with refusing(own, "scheduler"):
        schedule = schedule_of(parts["scheduler"], scheduler)
    with refusing(own, "vae"):
        autoencoders.normal_of(parts["vae"])
    with refusing(own, "canvas.json"):
        fold = open_fold(own)
    with refusing(own, "layout"):
        layout = open_layout(own)
    with refusing(own, FILE):
        constants = open_constants(own)
    texts = _texts(folder, parts, index)
    checkpoint = Checkpoint(
        parts["unet"], parts["vae"], texts, schedule, device, fold, layout, constants
    )
    if near:
        progress("loading tiny autoencoder", 1.0)
        checkpoint.quick = autoencoders.open_quick(near, checkpoint.channels, checkpoint.factor)
    _check_channels(folder, checkpoint)
    _check_told(folder, checkpoint)
    _check_layout(folder, checkpoint)
    checkpoint.to(place.opened)
    if adapting:
        networks = {name: parts[name] for name in ("unet", *SPEAKING) if name in parts}
        checkpoint.adapters = Adapters(adapting, networks)
    return checkpoint


def _adapting(folder: str) -> Path:
    """A folder of adapters, which may still be empty."""
    if not Path(folder).is_dir():
        raise CannotLoad(f"lora={folder}: there is no such folder")
    return Path(folder)


def opener(folder: str, scheduler: str = "", quick: str = "", lora: str = "") -> Opener:
    """Opens that folder, when it is called."""
    return lambda place, progress: open_checkpoint(folder, place, progress, scheduler, quick, lora)


def _texts(folder: str, parts: Mapping[str, Any], index: Index) -> Texts:
    names = [("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")]
    found = [Reader(parts[one], parts[two]) for one, two in names if two in parts]
    for reader in found:
        reader.check(folder)
    return Texts(tuple(found), bool(index.get("force_zeros_for_empty_prompt")))


def _check_told(folder: str, parts: Checkpoint) -> None:
    """Whether the network needs what it is told, and no more."""
    config = parts.unet.config
    if config.get("time_cond_proj_dim"):
        raise CannotLoad(f"{folder}: its UNet takes guidance as an embedding: not done here yet")
    if (config.get("addition_embed_type") == "text_time") != (len(parts.texts.readers) > 1):
        raise CannotLoad(
            f"{folder}: its UNet is of "
            f"{config.get('addition_embed_type') or 'no'} added embedding, its text encoders are "
            f"{len(parts.texts.readers)}: they aren't of one checkpoint"
        )
    width = int(config.cross_attention_dim)
    if width != parts.texts.width:
        raise CannotLoad(
            f"{folder}: its UNet reads words {width} wide, its text encoders write "
            f"{parts.texts.width}: they aren't of one checkpoint"
        )


def _check_channels(folder: str, parts: Checkpoint) -> None:
    """Whether the network takes latents, or latents and what is seen of a canvas."""
    latents, seen = parts.channels, parts.channels if parts.fold is None else parts.fold.channels
    seen += 0 if parts.constants is None else parts.constants.channels
    if parts.beside not in (0, seen):
        raise CannotLoad(
            f"{folder}: its UNet takes {latents + parts.beside} channels, where latents have "
            f"{latents} and what is seen of a canvas {seen}; a folded canvas is described by "
            f"canvas.json in the folder"
        )

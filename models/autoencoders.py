"""Pictures to latents and back, by the autoencoders that several families share.

Role: what `AutoencoderKL` and `AutoencoderTiny` do to tensors, in the format that they run in.
Latents are normalised, to be of the usual size; latents and pictures are fp32. Knows nothing of
what paints in latents.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from torch import Tensor

from models import patches
from models.base import CannotLoad, Progress
from models.folders import local
from models.parts import open_whole

PATCH = 2


def factor_of(vae: Any) -> int:
    """Pixels a latent each way."""
    if isinstance(vae, AutoencoderTiny):
        return patches.factor_of(vae)
    return int(2 ** (len(vae.config.block_out_channels) - 1))


def factor_in_patches(config: Mapping[str, Any]) -> int:
    """Pixels a token each way, where a transformer reads latents in patches of 2 × 2; by the config
    of an autoencoder in blocks."""
    return int(PATCH * 2 ** (len(config["block_out_channels"]) - 1))


def check_size(folder: Path, size: int, factor: int, least: int, most: int) -> None:
    """Raises `CannotLoad` for pictures of `size` pixels each way, where `least` to `most` by
    `factor` can be painted."""
    if size % factor or not least <= size <= most:
        raise CannotLoad(f"{folder}: size={size}: it paints {least} to {most} by {factor}")


def normal_of(vae: Any) -> tuple[float, float]:
    """What is taken from raw latents, and what they are multiplied by."""
    return float(vae.config.get("shift_factor") or 0.0), float(vae.config.scaling_factor)


def is_sampled(vae: Any) -> bool:
    """Whether a picture may be encoded as one latent or another."""
    return isinstance(vae, AutoencoderKL)


def encode(vae: Any, pictures: Tensor) -> Tensor:
    """Latents (n, c, h, w) of pictures −1–1 (n, 3, H, W); the likeliest ones, if they vary."""
    values = pictures.to(vae.dtype)
    if isinstance(vae, AutoencoderTiny):
        latents = patches.encode(vae, values)
    else:
        latents = vae.encode(values).latent_dist.mode()
    shift, scale = normal_of(vae)
    normal: Tensor = (latents.float() - shift) * scale
    return normal


def spread(vae: Any, pictures: Tensor) -> Tensor:
    """Of what pictures −1–1 (n, 3, H, W) may be encoded as, mean and standard deviation: (n, 2c, h,
    w)."""
    found = vae.encode(pictures.to(vae.dtype)).latent_dist
    shift, scale = normal_of(vae)
    return torch.cat([(found.mean.float() - shift) * scale, found.std.float() * scale], 1)


def decode(vae: Any, latents: Tensor) -> Tensor:
    """Pictures −1–1 (n, 3, H, W) of latents (n, c, h, w)."""
    shift, scale = normal_of(vae)
    raw = (latents / scale + shift).to(vae.dtype).contiguous(memory_format=torch.channels_last)
    if isinstance(vae, AutoencoderTiny):
        return patches.decode(vae, raw).float()
    pictures: Tensor = vae.decode(raw).sample
    return pictures.float()


def near(quick: str, progress: Progress) -> Path | None:
    """The folder of the tiny autoencoder `quick` (an id or path), if there is to be one. Raises
    `CannotLoad`."""
    if not quick:
        return None
    try:
        return local(quick, (), needs="config.json", progress=progress)
    except CannotLoad as error:
        raise CannotLoad(
            f"{error} (it shows previews quickly; --model-option tiny=none goes without)"
        ) from error


def open_quick(folder: Path, channels: int, factor: int) -> AutoencoderTiny:
    """The tiny autoencoder of a folder, for latents of so many channels and pixels. Raises
    `CannotLoad` where its latents are others."""
    opened: AutoencoderTiny = open_whole(folder, AutoencoderTiny)
    found = int(opened.config.latent_channels), factor_of(opened)
    if found != (channels, factor):
        raise CannotLoad(
            f"{folder} makes {found[0]} channels a latent of {found[1]} pixels, the checkpoint has "
            f"{channels} of {factor}: it isn't its tiny autoencoder"
        )
    return opened.eval().requires_grad_(False)

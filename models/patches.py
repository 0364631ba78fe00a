"""Tiny autoencoders that see squares of pixels as channels.

Role: an AutoencoderTiny with 3·p² input and output channels works on p × p squares of pixels. That
is what makes it both fast and sharp: nothing is computed at a picture's own size, and the last
convolution answers every pixel of a square by itself, where nearest-neighbour enlarging followed by
a 3 × 3 convolution can't tell them apart. With 3 channels it is any AutoencoderTiny (p = 1).
Pictures are −1–1, (n, 3, h, w), h and w multiples of the factor. Knows nothing of number formats.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import Tensor


def patch_of(vae: AutoencoderTiny) -> int:
    """p: pixels of a square's edge."""
    return math.isqrt(int(vae.config.in_channels) // 3)


def factor_of(vae: AutoencoderTiny) -> int:
    """Pixels a latent, each way."""
    halvings = len(vae.config.encoder_block_out_channels) - 1
    return patch_of(vae) << halvings


def encode(vae: AutoencoderTiny, pictures: Tensor) -> Tensor:
    """Raw latents (n, c, h / factor, w / factor)."""
    patch = patch_of(vae)
    latents: Tensor = vae.encode(
        F.pixel_unshuffle(pictures, patch) if patch > 1 else pictures
    ).latents
    return latents


def decode(vae: AutoencoderTiny, latents: Tensor) -> Tensor:
    """Pictures of raw latents."""
    patch = patch_of(vae)
    pictures: Tensor = vae.decode(latents).sample
    return F.pixel_shuffle(pictures, patch) if patch > 1 else pictures

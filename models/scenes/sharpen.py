"""The last training of the decoder: as much fine detail as paintings have.

Role: sixteen numbers for eight by eight pixels leave the finest detail open, and a decoder that
minimises distance draws the mean of what it may be, which is soft: half the energy of a painting's
Laplacian. Here that energy, around each place, is to be the painting's as well, wherever exactly
the lines of it run. Invariant: only the decoder changes, so that all latents keep their meaning.
Knows nothing of the painter network.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import Tensor

from models.patches import decode, encode
from models.scenes.autoencoder import NOISE, SPREAD, crops, picture_loss, to_tensor
from models.scenes.dataset import Dataset
from models.scenes.loop import Loop, Plan, half_precision

AROUND = 16  # pixels of a place's surroundings
DETAIL = 3.0
"""Weight of the energy: 0.85 of a painting's comes back, for 0.5 dB. A critic of pixels in its
stead lost as much and brought back none."""


def sharpen(
    vae: AutoencoderTiny, data: Sequence[Dataset], plan: Plan, batch: int = 8, crop: int = 128
) -> AutoencoderTiny:
    """Answers a copy with the averaged decoder."""
    result = copy.deepcopy(vae).requires_grad_(False)
    decoder = result.decoder.requires_grad_(True)
    device = next(vae.parameters()).device
    loop = Loop(plan, decoder)

    def loss_of(step: int, chance: torch.Generator) -> Tensor:
        pictures = to_tensor(crops(data, chance, batch, crop)).to(device)
        noise = torch.Generator().manual_seed(int(torch.randint(2**62, (1,), generator=chance)))
        return encoded_loss(result, pictures, noise)

    loop.run(loss_of)
    decoder.load_state_dict(loop.average.state_dict())
    return result


def encoded_loss(result: AutoencoderTiny, pictures: Tensor, noise: torch.Generator) -> Tensor:
    """How far pictures (n, 3, h, w) are from themselves, encoded and decoded, their detail
    included; `noise` moves the latents a little."""
    with half_precision(pictures.device):
        with torch.no_grad():
            latents = encode(result, pictures).float()
        moved = NOISE * SPREAD * torch.randn(latents.shape, generator=noise)
        back = decode(result, latents + moved.to(latents)).float()
    return picture_loss(back, pictures) + DETAIL * F.l1_loss(detail(back), detail(pictures))


def detail(pictures: Tensor) -> Tensor:
    """Root of the mean square of the Laplacian around each place, one in eight pixels each way but
    at the edge: (n, 1, y, x) of pictures (n, 3, h, w)."""
    grey = pictures.mean(1, keepdim=True)
    kernel = grey.new_tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    lines = F.conv2d(grey, kernel[None, None])
    return (F.avg_pool2d(lines.square(), AROUND, AROUND // 2) + 1e-4).sqrt()

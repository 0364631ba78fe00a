"""Training of the autoencoder: crops of paintings and canvases in, the same out, crisp.

Role: the first training; all others rest on it. Loss: L1, squares, L1 of gradients (silhouettes),
of how much detail there is around a place, and at two coarser scales (colours). Latents are kept to
one spread by a small penalty and carry a little noise. Pictures are −1–1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from torch import Tensor

from models.patches import decode, encode, patch_of
from models.scenes.dataset import Bytes, Dataset
from models.scenes.loop import Loop, Plan, half_precision

NOISE = 0.05  # of the latents' own spread
SPREAD = 0.35
"""Standard deviation of each latent channel: the decoder bends beyond 3, and details are rare but
large."""
TEXTURE = 3.0
TRIES = 3
FIRST_SHARE = 0.6  # of the first data set, beside its part in the rest
CANVAS_EVERY = 8  # canvases are flat, and only a strength below 1 encodes them


def train_autoencoder(
    vae: AutoencoderTiny, data: Sequence[Dataset], plan: Plan, batch: int = 8, crop: int = 128
) -> Loop:
    """Train in place on data sets of any sizes; answers the loop, whose `average` is the network
    to keep. Crops are large: beyond a picture's edge there are zeros, and a network that sees
    mostly edges learns them."""
    loop = Loop(plan, vae)
    device = next(vae.parameters()).device

    def loss_of(step: int, chance: torch.Generator) -> Tensor:
        pictures = to_tensor(crops(data, chance, batch, crop)).to(device)
        return _loss(vae, pictures, chance)

    loop.run(loss_of)
    return loop


def to_tensor(pictures: Bytes) -> Tensor:
    """uint8 (n, h, w, 3) to −1–1 float (n, 3, h, w), channels last."""
    values = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2)
    return values.float().div_(127.5).sub_(1)


def crops(data: Sequence[Dataset], chance: torch.Generator, batch: int, crop: int) -> Bytes:
    """Crops (batch, crop, crop, 3): seven paintings to one canvas, the liveliest of a few places,
    because most of a landscape is plain sky and ground, which is learnt in no time."""
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=chance)))
    out = np.empty((batch, crop, crop, 3), np.uint8)
    for i in range(batch):
        one = data[0 if rng.random() < FIRST_SHARE else int(rng.integers(len(data)))]
        index = int(rng.integers(len(one)))
        source = one.paintings[index]
        if i % CANVAS_EVERY == 0:
            source = one.canvas(index, rng)
        places = rng.integers(0, len(source) - crop + 1, (TRIES, 2))
        y, x = max(
            places, key=lambda at: source[at[0] : at[0] + crop : 6, at[1] : at[1] + crop : 6].std()
        )
        out[i] = source[y : y + crop, x : x + crop]
    return out


def _loss(vae: AutoencoderTiny, pictures: Tensor, chance: torch.Generator) -> Tensor:
    with half_precision(pictures.device):
        latents = encode(vae, pictures)
        even = _evenness(latents.float())
        noise = torch.randn(latents.shape, generator=chance).to(latents)
        result = decode(vae, latents + NOISE * SPREAD * noise)
    return picture_loss(result.float(), pictures) + 0.01 * even


def _evenness(latents: Tensor) -> Tensor:
    """How far each channel is from zero mean and `SPREAD` over the batch."""
    latents = latents / SPREAD
    mean, spread = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    return (mean.square() + (spread - 1).square()).sum()


@torch.no_grad()
def start_linear(vae: AutoencoderTiny, data: Dataset, pictures: int = 300) -> None:
    """Begin where principal components of squares already are (32 dB with 16 channels): the best
    linear code, passed through every ReLU as a pair of opposite signs. Random weights need half an
    hour to get as far. Only for networks without halvings (one level)."""
    edge, channels = patch_of(vae), int(vae.config.latent_channels)
    sample = data.paintings[:: max(1, len(data) // pictures)][:pictures]
    squares = _squares(to_tensor(sample).add(1).div(2), edge)
    mean = squares.mean(0)
    values, vectors = torch.linalg.eigh((squares - mean).T @ (squares - mean) / len(squares))
    basis = vectors[:, -channels:].flip(1)  # (pixels, channels), the largest first
    scale = SPREAD / values[-channels:].flip(0).clamp(min=1e-12).sqrt()
    _pass_through(cast(Any, vae.encoder).layers, (basis * scale).T, -(mean @ basis) * scale)
    _pass_through(cast(Any, vae.decoder).layers, torch.eye(channels), torch.zeros(channels))
    _centre(cast(Any, vae.decoder).layers[-1], basis / scale, mean)


def _squares(pictures: Tensor, edge: int) -> Tensor:
    """(n, edge² · 3) rows, in the order of `pixel_unshuffle`'s channels."""
    return F.pixel_unshuffle(pictures, edge).permute(0, 2, 3, 1).flatten(0, 2).float()


def _pass_through(layers: Any, matrix: Tensor, offset: Tensor) -> None:
    """Let `layers` compute matrix · x + offset at first, and their blocks nothing yet."""
    first, last = layers[0], layers[-1]
    count = len(matrix)
    first.weight[: 2 * count] = 0
    first.weight[: 2 * count, :, 1, 1] = torch.cat([matrix, -matrix])
    first.bias[: 2 * count] = torch.cat([offset, -offset])
    for layer in layers:
        if isinstance(layer, AutoencoderTinyBlock):
            layer.conv[-1].weight.zero_()
            layer.conv[-1].bias.zero_()
    _centre(last, torch.eye(last.weight.shape[0], count), torch.zeros(len(last.weight)))


def _centre(last: Any, matrix: Tensor, offset: Tensor) -> None:
    """A convolution that reads only pairs, and only at its own place."""
    count = matrix.shape[1]
    last.weight.zero_()
    last.weight[:, : 2 * count, 1, 1] = torch.cat([matrix, -matrix], 1)
    last.bias.copy_(offset)


def picture_loss(result: Tensor, target: Tensor) -> Tensor:
    """L1 at three scales, of gradients and of textures, and the square, for small spots of strong
    colour."""
    loss = F.l1_loss(result, target) + F.mse_loss(result, target) + _edges(result, target)
    loss = loss + TEXTURE * F.l1_loss(_texture(result), _texture(target))
    for weight in (0.5, 0.25):
        result, target = F.avg_pool2d(result, 2), F.avg_pool2d(target, 2)
        loss = loss + weight * F.l1_loss(result, target)
    return loss


def _texture(pictures: Tensor) -> Tensor:
    """How much detail there is around each place, whatever its exact shape: without it a network
    leaves out what it can't place to the pixel, and pictures are soft."""
    grey = pictures.mean(1, keepdim=True)
    fine = grey - F.avg_pool2d(grey, 3, 1, 1, count_include_pad=False)
    return (F.avg_pool2d(fine.square(), 5, 2) + 1e-4).sqrt()


def _edges(result: Tensor, target: Tensor) -> Tensor:
    across = F.l1_loss(result.diff(dim=3), target.diff(dim=3))
    return across + F.l1_loss(result.diff(dim=2), target.diff(dim=2))

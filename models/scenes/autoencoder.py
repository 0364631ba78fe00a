"""Training of the autoencoder: crops of paintings and canvases in, the same out, crisp.

Role: the first of two trainings. Loss: L1, squares, L1 of gradients (silhouettes) and L1 at two
coarser scales (colours). Latents are kept about standard normal by a small penalty, carry a little
noise, and are at times flipped or shrunk together with the target, so that the second training
finds them smooth (equivariance regularisation: Kouzelis et al., EQ-VAE, 2025). Pictures are −1–1.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import Tensor

from models.scenes.dataset import Bytes, Dataset
from models.scenes.loop import Loop, Plan, half_precision

NOISE = 0.05
TRIES = 3
CANVAS_EVERY = 8  # canvases are flat, and only a strength below 1 encodes them


def train_autoencoder(
    vae: AutoencoderTiny, data: Dataset, plan: Plan, batch: int = 16, crop: int = 64
) -> Loop:
    """Train in place; answers the loop, whose `average` is the network to keep."""
    loop = Loop(plan, vae)
    device = next(vae.parameters()).device

    def loss_of(step: int, chance: torch.Generator) -> Tensor:
        pictures = to_tensor(_crops(data, chance, batch, crop)).to(device)
        return _loss(vae, pictures, chance)

    loop.run(loss_of)
    return loop


def to_tensor(pictures: Bytes) -> Tensor:
    """uint8 (n, h, w, 3) to −1–1 float (n, 3, h, w), channels last."""
    values = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    return values.float().div_(127.5).sub_(1)


def _crops(data: Dataset, chance: torch.Generator, batch: int, crop: int) -> Bytes:
    """Crops (batch, crop, crop, 3): seven paintings to one canvas, the liveliest of a few places,
    because most of a landscape is plain sky and ground, which is learnt in no time."""
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=chance)))
    size = data.paintings.shape[1]
    out = np.empty((batch, crop, crop, 3), np.uint8)
    for i in range(batch):
        index = int(rng.integers(len(data)))
        source = data.paintings[index]
        if i % CANVAS_EVERY == 0:
            source = data.canvas(index, int(rng.integers(data.canvases.shape[1])), rng)
        places = rng.integers(0, size - crop + 1, (TRIES, 2))
        y, x = max(
            places, key=lambda at: source[at[0] : at[0] + crop : 6, at[1] : at[1] + crop : 6].std()
        )
        out[i] = source[y : y + crop, x : x + crop]
    return out


def _loss(vae: AutoencoderTiny, pictures: Tensor, chance: torch.Generator) -> Tensor:
    with half_precision(pictures.device):
        latents = vae.encode(pictures).latents
        even = _evenness(latents.float())
        noise = torch.randn(latents.shape, generator=chance).to(latents)
        latents, target = _move(latents + NOISE * noise, pictures, chance)
        result = vae.decode(latents).sample
    return picture_loss(result.float(), target) + 0.01 * even


def _move(latents: Tensor, target: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Flip the first third of a batch; one step in eight, shrink all by two."""
    third = len(latents) // 3
    latents = torch.cat([latents[:third].flip(3), latents[third:]])
    target = torch.cat([target[:third].flip(3), target[third:]])
    if torch.rand(1, generator=chance).item() < 0.125:
        return F.avg_pool2d(latents, 2), F.avg_pool2d(target, 2)
    return latents, target


def _evenness(latents: Tensor) -> Tensor:
    """How far each channel is from zero mean and unit variance over the batch."""
    mean, spread = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    return (mean.square() + (spread - 1).square()).sum()


def picture_loss(result: Tensor, target: Tensor) -> Tensor:
    """L1 at three scales and of gradients, and the square, for small spots of strong colour."""
    loss = F.l1_loss(result, target) + F.mse_loss(result, target) + _edges(result, target)
    for weight in (0.5, 0.25):
        result, target = F.avg_pool2d(result, 2), F.avg_pool2d(target, 2)
        loss = loss + weight * F.l1_loss(result, target)
    return loss


def _edges(result: Tensor, target: Tensor) -> Tensor:
    across = F.l1_loss(result.diff(dim=3), target.diff(dim=3))
    return across + F.l1_loss(result.diff(dim=2), target.diff(dim=2))


@torch.inference_mode()
def reconstruct(vae: AutoencoderTiny, pictures: Bytes) -> Bytes:
    """There and back, one picture at a time: uint8 (n, h, w, 3)."""
    device = next(vae.parameters()).device
    results = []
    for i in range(len(pictures)):
        picture = to_tensor(pictures[i : i + 1]).to(device)
        results.append(to_bytes(vae.decode(vae.encode(picture).latents).sample))
    return np.concatenate(results)


def to_bytes(pictures: Tensor) -> Bytes:
    """−1–1 (n, 3, h, w) to uint8 (n, h, w, 3)."""
    values = pictures.float().add(1).mul(127.5).round().clamp(0, 255)
    return np.asarray(values.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy())


def psnr(a: Bytes, b: Bytes) -> float:
    """Peak signal to noise of two pictures, dB."""
    error = float(np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2))
    return 10 * float(np.log10(255**2 / max(error, 1e-9)))

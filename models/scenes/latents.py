"""Latents of the data set: everything that the network learns from, encoded once.

Role: between the autoencoder's training and the network's. Files in the run folder carry the
fingerprints of the autoencoder and of the pictures, because one autoencoder's latents are noise to
another, and a run that resumes must not mix them. Invariant: row i belongs to scene i. Knows
nothing of training.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import Tensor, nn

from models import patches
from models.finer import enlarged
from models.scenes.autoencoder import to_tensor
from models.scenes.dataset import Dataset
from models.scenes.loop import half_precision

ROWS = 4
DRAWN = 4000  # canvases encoded, for strengths below 1


@dataclass(frozen=True)
class Latents:
    """fp16. `paintings` (n, c, h, w). Of the first scenes also: `canvases` (at most n, c, h, w),
    paintings at twice the size, `fine` and merely `enlarged` (at most n, c, 2h, 2w)."""

    paintings: Tensor
    canvases: Tensor
    fine: Tensor
    enlarged: Tensor

    def __len__(self) -> int:
        return len(self.paintings)


def encode_all(vae: AutoencoderTiny, data: Dataset, fine: Dataset, folder: Path) -> Latents:
    """Raw latents, from `folder` if this autoencoder's are there, else encoded and written to it.
    `fine` holds the first scenes of `data` at twice the size."""
    rng = np.random.default_rng(0)

    def plain(i: int) -> Tensor:
        return to_tensor(data.paintings[i : i + 1])

    def canvas(i: int) -> Tensor:
        return to_tensor(data.canvas(i, rng)[None])

    def fine_picture(i: int) -> Tensor:
        return to_tensor(fine.paintings[i : i + 1])

    def large(i: int) -> Tensor:
        picture = plain(i).to(next(vae.parameters()).device)
        with torch.inference_mode(), half_precision(picture.device):
            return enlarged(patches.decode(vae, patches.encode(vae, picture)))  # as when served

    named = f"latents-{fingerprint(vae)}-{data.fingerprint()}"

    def kept(name: str, count: int, pictures: Callable[[int], Tensor]) -> Tensor:
        return _kept(vae, folder / f"{named}-{name}-{count}.pt", name, count, pictures)

    count = len(data)
    return Latents(
        kept("paintings", count, plain),
        kept("canvases", min(DRAWN, count), canvas),
        kept("fine", len(fine), fine_picture),
        kept("enlarged", len(fine), large),
    )


def _kept(
    vae: AutoencoderTiny,
    path: Path,
    name: str,
    count: int,
    picture: Callable[[int], Tensor],
) -> Tensor:
    if not path.exists():
        values = _encode_rows(vae, count, picture, name)
        torch.save(values, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)
    values = torch.load(path, weights_only=True, mmap=True)
    assert isinstance(values, Tensor)
    return values


def fingerprint(module: nn.Module) -> str:
    """Eight characters that change with any weight."""
    code = 0
    for name, value in sorted(module.state_dict().items()):
        code = zlib.crc32(
            value.detach().cpu().float().numpy().tobytes(), zlib.crc32(name.encode(), code)
        )
    return f"{code:08x}"


def _encode_rows(
    vae: AutoencoderTiny, count: int, picture: Callable[[int], Tensor], name: str
) -> Tensor:
    began, told = time.monotonic(), 0.0
    parts: list[Tensor] = []
    for first in range(0, count, ROWS):
        rows = [picture(i) for i in range(first, min(first + ROWS, count))]
        parts.append(encode(vae, torch.cat(rows)))
        spent = time.monotonic() - began
        if spent - told > 15:
            told = spent
            left = spent / (first + ROWS) * (count - first - ROWS)
            print(f"encoded {first + ROWS}/{count} {name}, {left:.0f} s left", flush=True)
    return torch.cat(parts)


@torch.inference_mode()
def encode(vae: AutoencoderTiny, pictures: Tensor) -> Tensor:
    """Raw latents (n, c, h / 8, w / 8) fp16 of pictures −1–1."""
    device = next(vae.parameters()).device
    with half_precision(device):
        latents = patches.encode(vae, pictures.to(device))
    return latents.half().cpu().contiguous()


def calibrate(vae: AutoencoderTiny, raw: Latents) -> None:
    """Write the latents' mean and spread into the config."""
    some = raw.paintings[:: max(1, len(raw) // 500)].float()
    vae.register_to_config(shift_factor=float(some.mean()), scaling_factor=1 / float(some.std()))


def normalised(vae: AutoencoderTiny, raw: Latents) -> Latents:
    """The latents by the config's numbers."""
    shift, scale = vae.config.shift_factor, vae.config.scaling_factor
    parts = (raw.paintings, raw.canvases, raw.fine, raw.enlarged)
    return Latents(*((part - shift) * scale for part in parts))


@torch.no_grad()
def weights(vae: AutoencoderTiny, raw: Latents) -> Tensor:
    """What an error in each latent channel does to a picture: (c,), mean 1. All channels have the
    same spread, but the first carry light and colour and the last only detail."""
    some = raw.paintings[:: max(1, len(raw) // 8)].float()
    device, chance = next(vae.parameters()).device, torch.Generator().manual_seed(0)
    plain, effects = patches.decode(vae, some.to(device)), []
    for channel in range(some.shape[1]):
        moved = some.clone()
        step = torch.randn(some[:, channel].shape, generator=chance)
        moved[:, channel] += 0.1 * some[:, channel].std() * step
        effects.append((patches.decode(vae, moved.to(device)) - plain).square().mean().sqrt().cpu())
    return torch.stack(effects) / torch.stack(effects).mean()

"""Training of the painter network: flow matching from canvas and words, for few steps.

Role: the second of two trainings. Data: latents of all paintings and canvases, encoded once.
Noisy latents are (1 − σ)·clean + σ·noise, the target is noise − clean (Liu et al., Rectified
Flow, 2022). Most draws of σ are the very values that 1, 2 and 4 steps use, because those
are what is served. Some rows start from the canvas instead of the painting (strength below 1).
The first part of the training sees pictures at half size: four times as many for the same cost,
and the autoencoder's latents can be shrunk. Captions get unknown words and are at times empty.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPTokenizer

from models.scenes.autoencoder import to_tensor
from models.scenes.dataset import Dataset
from models.scenes.loop import Loop, Plan, half_precision, rank
from models.scenes.nets import Painter, tokenize

SERVED = (1.0, 1.0, 1.0, 1.0, 0.75, 0.75, 0.5, 0.5, 0.25)
SERVED_SHARE = 0.75
HALF_SIZE_UNTIL = 0.35
ENCODE_ROWS = 1
FROM_CANVAS = 0.08
EMPTY_PROMPTS = 0.08
STRANGE_PROMPTS = 0.2
LETTERS = list("abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True)
class Latents:
    """Encoded paintings (n, 4, h, w) and canvases (n, variants, 4, h, w), fp16."""

    paintings: Tensor
    canvases: Tensor

    def __len__(self) -> int:
        return len(self.paintings)


def encode_all(vae: AutoencoderTiny, data: Dataset, folder: Path, count: int) -> Latents:
    """Raw latents of the first `count` scenes, from `folder` if this autoencoder's are there, else
    encoded and written to it; processes that train together encode a part each."""
    world = dist.get_world_size() if dist.is_initialized() else 1
    bounds = [min(count, len(data)) * part // world for part in range(world + 1)]
    of_these = f"{fingerprint(vae)}-{bounds[-1]}-of-{len(data)}"
    names = [folder / f"latents-{of_these}-{part}-of-{world}.pt" for part in range(world)]
    own = names[rank()]
    if not own.exists():
        torch.save(_encode_rows(vae, data, range(*bounds[rank() : rank() + 2])), own)
    if world > 1:
        dist.barrier()
    every = torch.cat([torch.load(name, weights_only=True) for name in names])
    return Latents(every[:, 0].clone(), every[:, 1:].clone())


def fingerprint(module: nn.Module) -> str:
    """Eight characters that change with any weight: one autoencoder's latents are noise to another,
    and a run that resumes must not mix them."""
    code = 0
    for name, value in sorted(module.state_dict().items()):
        code = zlib.crc32(
            value.detach().cpu().float().numpy().tobytes(), zlib.crc32(name.encode(), code)
        )
    return f"{code:08x}"


def _encode_rows(vae: AutoencoderTiny, data: Dataset, wanted: range) -> Tensor:
    """Latents (rows, 1 + variants, 4, h, w) fp16: the painting's, then its canvases'."""
    variants, began = data.canvases.shape[1], time.monotonic()
    parts: list[Tensor] = []
    for first in range(wanted.start, wanted.stop, ENCODE_ROWS):
        rows = range(first, min(first + ENCODE_ROWS, wanted.stop))
        pictures = [data.paintings[i] for i in rows]
        pictures += [data.canvas(i, v) for i in rows for v in range(variants)]
        flat = _encode(vae, np.stack(pictures))
        canvases = flat[len(rows) :].view(len(rows), variants, *flat.shape[1:])
        parts.append(torch.cat([flat[: len(rows), None], canvases], 1))
        if len(parts) % 200 == 0:
            left = (
                (time.monotonic() - began) / len(parts) * (len(wanted) / ENCODE_ROWS - len(parts))
            )
            print(
                f"encoded {len(parts) * ENCODE_ROWS}/{len(wanted)}, {left:.0f} s left", flush=True
            )
    return torch.cat(parts)


@torch.inference_mode()
def _encode(vae: AutoencoderTiny, pictures: NDArray[np.uint8]) -> Tensor:
    device = next(vae.parameters()).device
    with half_precision(device):
        latents: Tensor = vae.encode(to_tensor(pictures).to(device)).latents
    return latents.half().cpu().contiguous()


def train_painter(
    painter: Painter,
    tokenizer: CLIPTokenizer,
    data: Dataset,
    latents: Latents,
    plan: Plan,
    batch: int = 16,
    small_until: float = HALF_SIZE_UNTIL,
    compiled: bool = False,
) -> Painter:
    """Train in place; answers the averaged network, the one to keep.

    Until `small_until` of the plan pictures are at half size, `batch` doubled. `compiled` fuses
    the network's small operations (twice as fast on a CPU; needs a C++ compiler and minutes).
    """
    loop = Loop(plan, painter)
    network: Callable[..., Tensor] = torch.compile(painter, dynamic=False) if compiled else painter
    device = next(painter.parameters()).device

    def loss_of(step: int, chance: torch.Generator) -> Tensor:
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=chance)))
        small = loop.progress < small_until
        rows = torch.from_numpy(rng.integers(0, len(latents), batch * (2 if small else 1)))
        variants = torch.from_numpy(rng.integers(0, latents.canvases.shape[1], len(rows)))
        clean = latents.paintings[rows].float().to(device)
        canvas = latents.canvases[rows, variants].float().to(device)
        flipped = torch.from_numpy(rng.random(len(rows)) < 0.5).to(device)
        clean, canvas = _flip(clean, flipped), _flip(canvas, flipped)
        if small:
            clean, canvas = F.avg_pool2d(clean, 2), F.avg_pool2d(canvas, 2)
        tokens = tokenize(tokenizer, [prompt(rng, data.captions[i]) for i in rows.tolist()])
        return flow_loss(network, clean, canvas, tokens.to(device), rng)

    loop.run(loss_of)
    return cast(Painter, loop.average)


def _flip(latents: Tensor, which: Tensor) -> Tensor:
    """Mirror some rows; the autoencoder is trained so that flipped latents are flipped pictures."""
    return torch.where(which[:, None, None, None], latents.flip(3), latents)


def flow_loss(
    painter: Callable[..., Tensor],
    clean: Tensor,
    canvas: Tensor,
    tokens: Tensor,
    rng: np.random.Generator,
) -> Tensor:
    """Mean squared error of the velocity, one σ a row."""
    count = len(clean)
    uniform = rng.uniform(0.02, 1.0, count)
    served = rng.choice(SERVED, count)
    sigma = torch.from_numpy(np.where(rng.random(count) < SERVED_SHARE, served, uniform)).to(clean)
    noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32)).to(clean)
    drawn = torch.from_numpy((rng.random(count) < FROM_CANVAS) & (sigma.cpu().numpy() > 0.3))
    at = sigma[:, None, None, None]
    start = torch.where(drawn.to(clean.device)[:, None, None, None], canvas, clean)
    noisy = (1 - at) * start + at * noise
    with half_precision(clean.device):
        velocity = painter(noisy, canvas, sigma, tokens)
    error: Tensor = velocity.float() - (noisy - clean) / at
    return error.square().mean()


def prompt(rng: np.random.Generator, wordings: list[str]) -> str:
    """One of a scene's captions, at times empty, at times with invented words strewn in."""
    if rng.random() < EMPTY_PROMPTS:
        return ""
    words = str(rng.choice(wordings)).split(" ")
    if rng.random() < STRANGE_PROMPTS:
        for _ in range(int(rng.integers(1, 4))):
            stranger = "".join(rng.choice(LETTERS, int(rng.integers(3, 9))))
            words.insert(int(rng.integers(len(words) + 1)), stranger)
    return " ".join(words)


def step_sigmas(steps: int) -> list[float]:
    """The noise levels of a run of `steps` and its end: 1, …, 1/steps, 0."""
    return [1 - i / steps for i in range(steps + 1)]


@torch.inference_mode()
def sample(painter: Painter, canvas: Tensor, tokens: Tensor, noise: Tensor, steps: int) -> Tensor:
    """Clean latents (n, 4, h, w) by Euler steps from pure noise."""
    sigmas = step_sigmas(steps)
    latents = noise
    with half_precision(noise.device):
        for now, then in pairwise(sigmas):
            velocity = painter(latents, canvas, torch.full((len(noise),), now), tokens)
            latents = latents + (then - now) * velocity.float()
    return latents

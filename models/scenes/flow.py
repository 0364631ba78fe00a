"""Training of the painter network: flow matching from canvas and words, for few steps.

Role: the second of two trainings. Data: latents of all paintings and canvases, encoded once.
Noisy latents are (1 − σ)·clean + σ·noise, the target is noise − clean (Liu et al., Rectified
Flow, 2022). Half of the draws of σ are the very values that 1, 2 and 4 steps use, because those
are what is served. Captions get unknown words and are at times empty.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPTokenizer

from models.scenes.autoencoder import to_tensor
from models.scenes.dataset import Dataset
from models.scenes.loop import Loop, Plan, half_precision
from models.scenes.nets import Painter, tokenize

SERVED = (1.0, 1.0, 1.0, 0.75, 0.5, 0.5, 0.25)
EMPTY_PROMPTS = 0.08
STRANGE_PROMPTS = 0.2
LETTERS = list("abcdefghijklmnopqrstuvwxyz")


class Latents:
    """Encoded paintings (n, 4, h, w) and canvases (n, variants, 4, h, w), fp16, normalised."""

    def __init__(self, paintings: Tensor, canvases: Tensor) -> None:
        self.paintings, self.canvases = paintings, canvases


def encode_all(vae: AutoencoderTiny, data: Dataset, path: Path) -> Latents:
    """All latents, from `path` if they are there, else encoded and written to it."""
    if path.exists():
        saved = torch.load(path, weights_only=True)
        return Latents(saved["paintings"], saved["canvases"])
    paintings = torch.stack([_encode(vae, data.paintings[i]) for i in _counted(data)])
    variants = range(data.canvases.shape[1])
    canvases = torch.stack(
        [torch.stack([_encode(vae, data.canvas(i, v)) for v in variants]) for i in _counted(data)]
    )
    torch.save({"paintings": paintings, "canvases": canvases}, path)
    return Latents(paintings, canvases)


def _counted(data: Dataset) -> list[int]:
    print(f"encoding {len(data)} scenes", flush=True)
    return list(range(len(data)))


@torch.inference_mode()
def _encode(vae: AutoencoderTiny, picture: NDArray[np.uint8]) -> Tensor:
    device = next(vae.parameters()).device
    with half_precision(device):
        latents = vae.encode(to_tensor(picture[None]).to(device)).latents[0]
    return normalise(vae, latents.float()).half().cpu()


def normalise(vae: AutoencoderTiny, latents: Tensor) -> Tensor:
    """To zero mean and unit variance, as the folder's config says."""
    centred: Tensor = (latents - vae.config.shift_factor) * vae.config.scaling_factor
    return centred


def train_painter(
    painter: Painter,
    tokenizer: CLIPTokenizer,
    data: Dataset,
    latents: Latents,
    plan: Plan,
    batch: int = 16,
) -> Loop:
    """Train in place; answers the loop, whose `average` is the network to keep."""
    loop = Loop(plan, painter)
    device = next(painter.parameters()).device

    def loss_of(step: int, chance: torch.Generator) -> Tensor:
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=chance)))
        rows = torch.from_numpy(rng.integers(0, len(data), batch))
        variants = torch.from_numpy(rng.integers(0, latents.canvases.shape[1], batch))
        clean = latents.paintings[rows].float().to(device)
        canvas = latents.canvases[rows, variants].float().to(device)
        tokens = tokenize(tokenizer, [prompt(rng, data.captions[i]) for i in rows.tolist()])
        return flow_loss(painter, clean, canvas, tokens.to(device), rng)

    loop.run(loss_of)
    return loop


def flow_loss(
    painter: Painter, clean: Tensor, canvas: Tensor, tokens: Tensor, rng: np.random.Generator
) -> Tensor:
    """Mean squared error of the velocity, one σ a row."""
    count = len(clean)
    uniform = rng.uniform(0.02, 1.0, count)
    served = rng.choice(SERVED, count)
    sigma = torch.from_numpy(np.where(rng.random(count) < 0.5, served, uniform)).to(clean)
    noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32)).to(clean)
    at = sigma[:, None, None, None]
    with half_precision(clean.device):
        velocity = painter((1 - at) * clean + at * noise, canvas, sigma, tokens)
    return (velocity.float() - (noise - clean)).square().mean()


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
        for now, then in zip(sigmas[:-1], sigmas[1:], strict=True):
            velocity = painter(latents, canvas, torch.full((len(noise),), now), tokens)
            latents = latents + (then - now) * velocity.float()
    return latents

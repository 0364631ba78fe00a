"""Training of the painter network: what the painter makes of canvas, words and seed, by heart.

Role: nothing in a painting is left to guess (`repaint`), so plain regression is enough and one step
is the whole way. Noisy latents are (1 − σ)·clean + σ·noise, the target is noise − clean; where
noise and picture don't depend on each other but the picture is known, every way is straight (Liu et
al., Rectified Flow, 2022) and no distillation is needed. Most rows start from noise alone; some
from anywhere on the way, some of these from the canvas instead of the painting (strength below 1);
some are of twice the size, from a painting enlarged (the finer picture that follows when the pen
rests). Bare paper shows what the true label map has there; when served, the layout network says
what it shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import CLIPTokenizer

from models.finer import STRENGTH
from models.scenes.asked import Numbers, Requests
from models.scenes.chance import TILES
from models.scenes.dataset import Dataset
from models.scenes.latents import Latents
from models.scenes.loop import Loop, Plan, half_precision
from models.scenes.nets import FOLD, Painter, plain_attention

FINE_FROM, FINE_EVERY = 0.5, 6
"""From which part of the plan, and how often, a step is of the larger size."""
FINE_SIGMAS = (STRENGTH, STRENGTH, STRENGTH / 2)
"""Where the two steps to the finer picture start; the first is the larger."""
ONWARD = 8  # one row of so many is somewhere on the way
FROM_CANVAS = 0.25  # of these
NEAR = 0.25  # the error up to which it counts squared
LEAST = 0.5  # what a common material counts, at least
Predict = Callable[..., Tensor]


@dataclass(frozen=True)
class Batch:
    """Rows of one size. `clean` and `start` (n, c, h, w): what is aimed at, and what the noise is
    mixed with; `canvas` (n, k, h, w) folded; `tokens` (n, 32); `sigma` (n,); `tiles` (n,)."""

    clean: Tensor
    start: Tensor
    canvas: Tensor
    tokens: Tensor
    sigma: Tensor
    tiles: Tensor
    scale: int

    def to(self, device: torch.device) -> Batch:
        clean, start, canvas, tokens, sigma, tiles = (
            part.to(device)
            for part in (self.clean, self.start, self.canvas, self.tokens, self.sigma, self.tiles)
        )
        return Batch(clean, start, canvas, tokens, sigma, tiles, self.scale)


class Feed:
    """Draws batches from the data set: `plain` ones at a picture's own size, and `fine` ones at
    twice the size. `weights` (c,): what an error in each channel matters."""

    def __init__(
        self, data: Dataset, latents: Latents, tokenizer: CLIPTokenizer, weights: Tensor
    ) -> None:
        self.asked, self.latents, self.weights = Requests(data, tokenizer), latents, weights

    def plain(self, rng: np.random.Generator, count: int) -> Batch:
        """The last of the rows are somewhere on the way."""
        scenes, onward = self.asked.scenes(rng, count), count // ONWARD
        clean = self.latents.paintings[torch.from_numpy(scenes)].float()
        sigma, start = np.ones(count), clean.clone()
        sigma[count - onward :] = rng.uniform(0.02, 1.0, onward)
        for i in range(count - onward, count):
            if rng.random() < FROM_CANVAS and scenes[i] < len(self.latents.canvases):
                start[i] = self.latents.canvases[int(scenes[i])].float()
        return self._batch(rng, scenes, (clean, start), sigma, 1)

    def fine(self, rng: np.random.Generator, count: int) -> Batch:
        scenes = rng.integers(0, len(self.latents.fine), count)
        chosen = torch.from_numpy(scenes)
        clean, start = self.latents.fine[chosen].float(), self.latents.enlarged[chosen].float()
        sigma = rng.choice(FINE_SIGMAS, count)
        later = torch.from_numpy(sigma < STRENGTH)[:, None, None, None]
        return self._batch(rng, scenes, (clean, torch.where(later, clean, start)), sigma, 2)

    def _batch(
        self,
        rng: np.random.Generator,
        scenes: Numbers,
        latents: tuple[Tensor, Tensor],
        sigma: Numbers,
        scale: int,
    ) -> Batch:
        canvas = self.asked.completed(rng, scenes, latents[0].shape[3])
        tokens, tiles = self.asked.worded(rng, scenes), torch.from_numpy(scenes % TILES)
        return Batch(*latents, canvas, tokens, torch.from_numpy(sigma).float(), tiles, scale)


def train_painter(painter: Painter, feed: Feed, plan: Plan, batch: int = 16) -> Painter:
    """Train in place; answers the averaged network, the one to keep."""
    plain_attention(painter)
    loop = Loop(plan, painter)
    device = next(painter.parameters()).device
    weights = feed.weights.to(device)

    def loss_of(step: int, chance: torch.Generator) -> Tensor:
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=chance)))
        if loop.progress >= FINE_FROM and step % FINE_EVERY == 0:
            rows = feed.fine(rng, max(1, batch // 4))
        else:
            rows = feed.plain(rng, batch)
        return painted_loss(painter, rows.to(device), rng, weights)

    loop.run(loss_of)
    return cast(Painter, loop.average)


def painted_loss(
    painter: Predict, rows: Batch, rng: np.random.Generator, weights: Tensor
) -> Tensor:
    """How far the clean latents that the network means are from the painter's; weights (c,). Small
    errors count squared, rare materials more."""
    noise = torch.from_numpy(rng.standard_normal(rows.clean.shape, np.float32)).to(rows.clean)
    at = rows.sigma[:, None, None, None]
    noisy = torch.lerp(rows.start, noise, at)
    with half_precision(noisy.device):
        velocity = painter(noisy, rows.canvas, rows.sigma, rows.tokens, rows.scale, rows.tiles)
    made = noisy - at * velocity.float()
    error = F.smooth_l1_loss(made, rows.clean, reduction="none", beta=NEAR)
    return (error * weights[:, None, None] * rarity(rows.canvas)).mean()


def rarity(canvas: Tensor) -> Tensor:
    """What each place of folded canvases (n, k, h, w) counts, (n, 1, h, w): more by the root of how
    rare its material is among these rows."""
    count, _, height, width = canvas.shape
    shares = canvas.float().view(count, -1, len(FOLD.colours), height, width).mean(1)[:, :-1]
    common = shares.mean((0, 2, 3)).clamp(min=1e-4)
    counts = common.rsqrt() / (common.sqrt().sum() / common.sum())
    return (shares * counts[:, None, None]).sum(1, keepdim=True).clamp(min=LEAST)

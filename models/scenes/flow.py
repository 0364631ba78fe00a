"""Training of the painter network: flow matching from canvas and words.

Role: trains the teacher, which the student is distilled from. Noisy latents are
(1 − σ)·clean + σ·noise, the target is noise − clean (Liu et al., Rectified Flow, 2022). Some rows
start from the canvas instead of the painting (strength below 1), some from a painting twice as
small (the finer picture that follows when the pen rests). The first part of the training sees
pictures at half size: more of them for the same cost, and the autoencoder's latents can be shrunk.
Bare paper shows what the true label map has there; when served, the layout network says what it
shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTokenizer

from models.finer import STRENGTH
from models.scenes.asked import Choice, Numbers, Requests
from models.scenes.dataset import Dataset
from models.scenes.latents import Latents
from models.scenes.loop import Loop, Plan, half_precision
from models.scenes.nets import Painter, bare_paper, plain_attention

HALF_SIZE_UNTIL = 0.25
FINE_FROM, FINE_EVERY = 0.6, 6
FINE_SIGMA = STRENGTH
"""Where the finer picture starts: the smaller one's latents, enlarged, with so much noise."""
FROM_CANVAS = 0.06
PURE = 0.35  # share of rows that start from noise alone
Predict = Callable[..., Tensor]


@dataclass(frozen=True)
class Batch:
    """Rows of one size. `clean` and `start` (n, c, h, w): what is aimed at, and what the noise is
    mixed with; `canvas` (n, k, h, w) folded; `tokens` (n, 32) and the words that they say, `said`
    (n, groups); `sigma` (n,)."""

    clean: Tensor
    start: Tensor
    canvas: Tensor
    tokens: Tensor
    said: Tensor
    sigma: Tensor
    scale: int

    @property
    def parts(self) -> tuple[Tensor, ...]:
        return self.clean, self.start, self.canvas, self.tokens, self.said, self.sigma

    def to(self, device: torch.device) -> Batch:
        return self._all(lambda part: part.to(device))

    def first(self, count: int) -> Batch:
        """The first so many rows."""
        return self._all(lambda part: part[:count])

    def _all(self, change: Callable[[Tensor], Tensor]) -> Batch:
        clean, start, canvas, tokens, said, sigma = map(change, self.parts)
        return Batch(clean, start, canvas, tokens, said, sigma, self.scale)


class Feed:
    """Draws batches from the data set: `plain` ones at a picture's own size or half of it, and
    `fine` ones at twice the size. `weights` (c,): what an error in each channel matters. A share of
    canvases is `bare`, for a network that is to be the judges' eyes too (`sight.py`)."""

    def __init__(
        self,
        data: Dataset,
        latents: Latents,
        tokenizer: CLIPTokenizer,
        weights: Tensor,
        bare: float = 0.0,
    ) -> None:
        self.asked, self.latents, self.weights = Requests(data, tokenizer), latents, weights
        self.bare = bare

    def plain(self, rng: np.random.Generator, count: int, half: bool = False) -> Batch:
        rows = self.asked.rows(rng, count)
        known = self.latents.small if half else self.latents.paintings
        clean = known[torch.from_numpy(rows.scenes)].float()
        sigma = draw_sigmas(rng, count)
        start = clean.clone()
        drawn = (rng.random(count) < FROM_CANVAS) & (sigma > 0.3) & (not half)
        for i in np.flatnonzero(drawn & (rows.scenes < len(self.latents.canvases))):
            start[i] = self.latents.canvases[int(rows.scenes[i])].float()
            rows.variants[i] = 0  # the canvas that is encoded
        return self._batch(rng, rows, (clean, start), sigma, 0 if half else 1)

    def fine(self, rng: np.random.Generator, count: int) -> Batch:
        rows = self.asked.rows(rng, count)
        rows.scenes[:] = rng.integers(0, len(self.latents.fine), count)
        chosen = torch.from_numpy(rows.scenes)
        clean, start = self.latents.fine[chosen].float(), self.latents.enlarged[chosen].float()
        true = torch.from_numpy(rng.random(count) < 0.3)[:, None, None, None]
        start = torch.where(true, clean, start)
        sigma = np.where(rng.random(count) < 0.6, FINE_SIGMA, rng.uniform(0.05, 0.6, count))
        return self._batch(rng, rows, (clean, start), sigma, 2)

    def _batch(
        self,
        rng: np.random.Generator,
        rows: Choice,
        latents: tuple[Tensor, Tensor],
        sigma: Numbers,
        scale: int,
    ) -> Batch:
        edge = latents[0].shape[3]
        canvas = self.asked.completed(rng, rows, edge)
        bare = torch.from_numpy(rng.random(len(canvas)) < self.bare)
        canvas[bare] = bare_paper(canvas[bare])
        tokens, said = self.asked.worded(rng, rows.scenes)
        return Batch(*latents, canvas, tokens, said, torch.from_numpy(sigma).float(), scale)


def draw_sigmas(rng: np.random.Generator, count: int) -> Numbers:
    """Noise levels: many pure noise, where the first step decides most, the rest anywhere."""
    return np.where(rng.random(count) < PURE, 1.0, rng.uniform(0.02, 1.0, count))


def train_painter(
    painter: Painter,
    feed: Feed,
    plan: Plan,
    batch: int = 16,
    small_until: float = HALF_SIZE_UNTIL,
) -> Painter:
    """Train in place; answers the averaged network, the one to keep.

    Until `small_until` of the plan pictures are at half size, three times as many.
    """
    plain_attention(painter)
    loop = Loop(plan, painter)
    device = next(painter.parameters()).device

    def loss_of(step: int, chance: torch.Generator) -> Tensor:
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=chance)))
        if loop.progress < small_until:
            rows = feed.plain(rng, 3 * batch, half=True)
        elif loop.progress > FINE_FROM and step % FINE_EVERY == 0:
            rows = feed.fine(rng, max(1, batch // 4))
        else:
            rows = feed.plain(rng, batch)
        return flow_loss(painter, rows.to(device), rng, feed.weights.to(device))

    loop.run(loss_of)
    return cast(Painter, loop.average)


def flow_loss(painter: Predict, rows: Batch, rng: np.random.Generator, weights: Tensor) -> Tensor:
    """Mean squared error of the velocity that leads to the clean latents; weights (c,)."""
    noise = torch.from_numpy(rng.standard_normal(rows.clean.shape, np.float32)).to(rows.clean)
    at = rows.sigma[:, None, None, None]
    noisy = (1 - at) * rows.start + at * noise
    with half_precision(rows.clean.device):
        velocity = painter(noisy, rows.canvas, rows.sigma, rows.tokens, rows.scale)
    error: Tensor = velocity.float() - (noisy - rows.clean) / at
    return (error.square() * weights[:, None, None]).mean()


def step_sigmas(steps: int) -> list[float]:
    """The noise levels of a run of `steps` and its end: 1, …, 1/steps, 0."""
    return [1 - i / steps for i in range(steps + 1)]

"""The training of the layout network: what bare paper is to show, learnt from true label maps.

Role: a reader makes a code of each true map, and the layout network draws the map again from that
code, the words and a hand's canvas (a conditional variational autoencoder: Sohn et al., Learning
Structured Output Representation, 2015). A critic asks that maps drawn from codes of no map at all
look like true ones on the same canvas (Zhu et al., BicycleGAN, 2017). Knows nothing of pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layout import Layout, complete, unfolded
from models.scenes import critic
from models.scenes.asked import Requests
from models.scenes.loop import Loop, Plan, half_precision

EDGE = 32  # places of the folded canvas, each way
READER, WIDTH = (64, 96, 128), (48, 96, 128)
CODES = 24  # channels that the reader ends with
BARE_TOO = 0.15
DRAWN = 0.1  # what a place that was drawn counts, beside a bare one
NORMAL = 0.4  # weight of how far codes are from standard normal, in nats of the whole map
CRITICISED = 0.3
PLAIN_UNTIL = 0.1  # of the plan: the critic joins when there are maps to look at
SMOOTH_EVERY = 4
Say = Callable[[Tensor], Tensor]
"""Mean embeddings (n, w) of tokens (n, t)."""


@dataclass(frozen=True)
class Rows:
    """Folded canvases (n, k, h, w), the true shares of materials (n, k', h · cells, w · cells) and
    mean embeddings of words (n, w)."""

    canvas: Tensor
    true: Tensor
    words: Tensor


class Reader(nn.Module):
    """Mean and log variance (n, code) of a map's code, from shares (n, materials, 2 h, 2 h)."""

    def __init__(self, materials: int, code: int, edge: int = EDGE) -> None:
        super().__init__()
        one, two, three = READER
        self.layers = nn.Sequential(
            nn.Conv2d(4 * materials, one, 3, 1, 1), nn.SiLU(), nn.Conv2d(one, one, 3, 1, 1),
            nn.SiLU(), nn.Conv2d(one, two, 3, 2, 1), nn.SiLU(), nn.Conv2d(two, two, 3, 1, 1),
            nn.SiLU(), nn.Conv2d(two, three, 3, 2, 1), nn.SiLU(), nn.Conv2d(three, three, 3, 1, 1),
            nn.SiLU(), nn.Conv2d(three, CODES, 1), nn.Flatten(),
        )  # fmt: skip
        self.last = nn.Linear(CODES * (edge // 4) ** 2, 2 * code)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        mean, spread = self.last(self.layers(F.pixel_unshuffle(maps, 2))).float().chunk(2, 1)
        return mean, spread.clamp(-8, 4)


def train_layout(
    layout: Layout, asked: Requests, say: Say, plan: Plan, batch: int = 16, edge: int = EDGE
) -> Layout:
    """Train in place; answers the averaged network."""
    shape, device = layout.shape, next(layout.parameters()).device
    materials = shape.kinds - 1
    reader = Reader(materials, shape.code, edge).to(device)
    both = nn.ModuleList([layout, reader])
    eye = critic.Critic(4 * materials, 4 * shape.kinds, shape.words, WIDTH).to(device)
    optimizer = torch.optim.AdamW(eye.parameters(), plan.rate, (0.5, 0.99), weight_decay=0.0)
    loop = Loop(plan, both, {"critic": eye, "judge": optimizer})

    def loss_of(step: int, chance: torch.Generator) -> Tensor:
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=chance)))
        torch.manual_seed(int(rng.integers(2**62)))
        rows = _rows(rng, asked, say, batch, edge)
        loss = coded(layout, reader, rows)
        if loop.progress < PLAIN_UNTIL:
            return loss
        smooth = SMOOTH_EVERY if step % SMOOTH_EVERY == SMOOTH_EVERY - 1 else 0
        return loss + CRITICISED * free(layout, eye, optimizer, rows, smooth)

    loop.run(loss_of)
    return cast(Layout, cast(nn.ModuleList, loop.average)[0])


def _rows(rng: np.random.Generator, asked: Requests, say: Say, count: int, edge: int) -> Rows:
    scenes = asked.scenes(rng, count)
    canvas, true = asked.drawn(rng, scenes, edge, BARE_TOO)
    words = say(asked.worded(rng, scenes))
    return Rows(canvas.to(words.device), true.to(words.device), words)


def coded(layout: Layout, reader: Reader, rows: Rows) -> Tensor:
    """How badly maps are drawn again from their own codes, and how far these are from normal."""
    with half_precision(rows.true.device):
        mean, spread = reader(rows.true)
    code = mean + torch.randn_like(mean) * (spread / 2).exp()
    logits = layout(rows.canvas, rows.words, code)
    wrong = F.cross_entropy(logits, rows.true, reduction="none")
    bare = unfolded(rows.canvas, layout.shape.cells)[:, -1]
    far = 0.5 * (mean.square() + spread.exp() - 1 - spread).sum(1)
    counts = torch.lerp(bare, torch.ones_like(bare), DRAWN)
    loss: Tensor = (wrong * counts).mean() + NORMAL * far.mean() / wrong[0].numel()
    return loss


def free(
    layout: Layout,
    eye: critic.Critic,
    optimizer: torch.optim.Optimizer,
    rows: Rows,
    smooth: float,
) -> Tensor:
    """How far from true completed canvases look that were drawn from any code."""
    code = torch.randn(len(rows.words), layout.shape.code, device=rows.words.device)
    made = certain(layout(rows.canvas, rows.words, code))
    ours, true = (_seen(layout, rows.canvas, each) for each in (made, rows.true))
    asked = critic.Asked(rows.canvas, rows.words)
    return critic.criticised(eye, optimizer, true, ours, asked, smooth)


def certain(logits: Tensor) -> Tensor:
    """1 for what is likeliest at each place; gradients are those of the shares (straight-through:
    Bengio et al., 2013)."""
    shares = logits.float().softmax(1)
    likeliest = F.one_hot(shares.argmax(1), shares.shape[1]).permute(0, 3, 1, 2)
    return likeliest + shares - shares.detach()


def _seen(layout: Layout, canvas: Tensor, shares: Tensor) -> Tensor:
    """A completed canvas as the critic sees it, without the paper that it has no more."""
    whole = unfolded(complete(canvas, shares, layout.shape.cells), layout.shape.cells)
    return F.pixel_unshuffle(whole[:, :-1], layout.shape.cells)

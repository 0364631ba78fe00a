"""The critic of the distillation: says of latents whether they look painted, given what was asked.

Role: a small convolutional network over latents, the folded canvas and the words, with an opinion
at every place of three scales. Losses are those of pairs of a true and a made picture of the same
canvas and words (relativistic, Huang et al., "The GAN is dead; long live the GAN!", 2024), kept
smooth by a finite-difference gradient penalty (Lin et al., Adversarial Post-Training, 2025).
Knows nothing of noise levels and steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.scenes.loop import half_precision

NEARBY = 0.05
"""Standard deviation of the step by which smoothness is measured; latents' own is 1."""
SMOOTH = 40.0
MATCH = 0.5
"""Weight of knowing what a picture belongs to."""


class Critic(nn.Module):
    """Logits (n, k) of latents (n, c, h, w), canvases (n, f, h, w), words (n, w) and one scale, and
    where it has `features`, as many channels of them at each level's size."""

    def __init__(
        self,
        latents: int,
        canvas: int,
        words: int,
        scales: int,
        width: tuple[int, int, int],
        features: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(latents + canvas, width[0], 3, padding=1)
        before = (width[0], *width[:-1])
        self.levels = nn.ModuleList(
            _Level(a, b, words, halve=i > 0, features=f)
            for i, (a, b, f) in enumerate(zip(before, width, features, strict=True))
        )
        self.scale = nn.Embedding(scales, words)

    def forward(
        self,
        latents: Tensor,
        canvas: Tensor,
        words: Tensor,
        scale: int,
        features: Sequence[Tensor] = (),
    ) -> Tensor:
        words = words + self.scale.weight[scale]
        x = self.first(
            torch.cat([latents, canvas], 1).contiguous(memory_format=torch.channels_last)
        )
        opinions = []
        for level, seen in zip(self.levels, features or (None, None, None), strict=True):
            x, opinion = level(x, words, seen)
            opinions.append(opinion.flatten(1).float())
        return torch.cat(opinions, 1)


class _Level(nn.Module):
    """Two convolutions beside a skip, and an opinion that rests on the words as well."""

    def __init__(self, before: int, width: int, words: int, halve: bool, features: int) -> None:
        super().__init__()
        self.halve = halve
        self.look = nn.Conv2d(features, before, 1) if features else None
        self.one = nn.Conv2d(before, width, 3, padding=1)
        self.two = nn.Conv2d(width, width, 3, padding=1)
        self.skip = nn.Conv2d(before, width, 1, bias=False)
        self.words = nn.Linear(words, 2 * width)
        self.head = nn.Conv2d(width, 1, 1)
        nn.init.zeros_(self.words.weight)
        nn.init.zeros_(self.words.bias)

    def forward(self, x: Tensor, words: Tensor, seen: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.halve:
            x = F.avg_pool2d(x, 2)
        if self.look is not None and seen is not None:
            x = x + self.look(seen)
        gain, shift = self.words(words)[:, :, None, None].chunk(2, 1)
        inner = self.one(F.leaky_relu(x, 0.2)) * (1 + gain) + shift
        x = (self.skip(x) + self.two(F.leaky_relu(inner, 0.2))) * 0.7
        return x, self.head(F.leaky_relu(x, 0.2))


@dataclass(frozen=True)
class Asked:
    """What a critic judges by: canvas (n, f, h, w), words (n, w), scale."""

    canvas: Tensor
    words: Tensor
    scale: int

    def rolled(self) -> Asked:
        """Each row asked for what the one before it asks."""
        return Asked(self.canvas.roll(1, 0), self.words.roll(1, 0), self.scale)


def criticised(
    critic: nn.Module,
    optimizer: torch.optim.Optimizer,
    true: list[Tensor],
    made: list[Tensor],
    asked: Asked,
    smooth: float = 1.0,
) -> Tensor:
    """The loss of who made `made`; the critic takes a step of its own before. Both are what is
    seen of pictures: latents (n, c, h, w), and features if it has any. It also learns that a true
    picture of something else isn't what was asked for (matching-aware: Reed et al., Generative
    Adversarial Text to Image Synthesis, 2016)."""
    with half_precision(asked.canvas.device):
        unmade = [part.detach() for part in made]
        judged = critic_loss(critic, true, unmade, asked, smooth, asked.rolled())
    learn(optimizer, judged)
    with frozen(critic), half_precision(asked.canvas.device):
        return maker_loss(critic, true, made, asked)


@contextmanager
def frozen(judge: nn.Module) -> Iterator[None]:
    """Who is judged learns from a judge that doesn't."""
    judge.requires_grad_(False)
    try:
        yield
    finally:
        judge.requires_grad_(True)


def learn(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """A step of those who judge."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def critic_loss(
    critic: nn.Module,
    true: list[Tensor],
    made: list[Tensor],
    asked: Asked,
    smooth: float = 1.0,
    elsewhere: Asked | None = None,
) -> Tensor:
    """Lower when what is seen of true latents is told from that of made ones, by a critic that
    doesn't jump (which weighs `smooth`; without it that isn't looked at), and from true ones that
    are passed off as what was asked for `elsewhere`."""
    judged = [_judge(critic, each, asked) for each in (true, made)]
    loss = F.softplus(judged[1] - judged[0]).mean()
    if elsewhere is not None:
        misplaced = _judge(critic, true, elsewhere) - judged[0]
        loss = loss + MATCH * F.softplus(misplaced).mean()
    if not smooth:
        return loss
    for each, opinion in zip((true, made), judged, strict=True):
        near = [part + NEARBY * torch.randn_like(part) for part in each]
        jump = (_judge(critic, near, asked) - opinion).square().mean()
        loss = loss + smooth * SMOOTH * jump
    return loss


def maker_loss(critic: nn.Module, true: list[Tensor], made: list[Tensor], asked: Asked) -> Tensor:
    """Lower when made latents look truer than true ones of the same canvas and words."""
    with torch.no_grad():
        wanted = _judge(critic, true, asked)
    return F.softplus(wanted - _judge(critic, made, asked)).mean()


def _judge(critic: nn.Module, seen: list[Tensor], asked: Asked) -> Tensor:
    latents, *features = seen
    given = (features,) if features else ()
    return cast(Tensor, critic(latents, asked.canvas, asked.words, asked.scale, *given))

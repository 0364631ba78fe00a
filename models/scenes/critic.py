"""The critic of layouts: says whether a completed canvas looks true, given what was asked.

Role: a small convolutional network over maps, the folded canvas and the words, with an opinion at
every place of three scales. Losses are those of pairs of a true and a made picture of the same
canvas and words (relativistic, Huang et al., "The GAN is dead; long live the GAN!", 2024), kept
smooth by a finite-difference gradient penalty (Lin et al., Adversarial Post-Training, 2025).
Knows nothing of noise levels and steps.
"""

from __future__ import annotations

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
    """Logits (n, k) of maps (n, c, h, w), canvases (n, f, h, w) and words (n, w)."""

    def __init__(self, maps: int, canvas: int, words: int, width: tuple[int, int, int]) -> None:
        super().__init__()
        self.first = nn.Conv2d(maps + canvas, width[0], 3, padding=1)
        before = (width[0], *width[:-1])
        self.levels = nn.ModuleList(
            _Level(a, b, words, halve=i > 0)
            for i, (a, b) in enumerate(zip(before, width, strict=True))
        )

    def forward(self, maps: Tensor, canvas: Tensor, words: Tensor) -> Tensor:
        x = self.first(torch.cat([maps, canvas], 1).contiguous(memory_format=torch.channels_last))
        opinions = []
        for level in self.levels:
            x, opinion = level(x, words)
            opinions.append(opinion.flatten(1).float())
        return torch.cat(opinions, 1)


class _Level(nn.Module):
    """Two convolutions beside a skip, and an opinion that rests on the words as well."""

    def __init__(self, before: int, width: int, words: int, halve: bool) -> None:
        super().__init__()
        self.halve = halve
        self.one = nn.Conv2d(before, width, 3, padding=1)
        self.two = nn.Conv2d(width, width, 3, padding=1)
        self.skip = nn.Conv2d(before, width, 1, bias=False)
        self.words = nn.Linear(words, 2 * width)
        self.head = nn.Conv2d(width, 1, 1)
        nn.init.zeros_(self.words.weight)
        nn.init.zeros_(self.words.bias)

    def forward(self, x: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        if self.halve:
            x = F.avg_pool2d(x, 2)
        gain, shift = self.words(words)[:, :, None, None].chunk(2, 1)
        inner = self.one(F.leaky_relu(x, 0.2)) * (1 + gain) + shift
        x = (self.skip(x) + self.two(F.leaky_relu(inner, 0.2))) * 0.7
        return x, self.head(F.leaky_relu(x, 0.2))


@dataclass(frozen=True)
class Asked:
    """What a critic judges by: canvas (n, f, h, w), words (n, w)."""

    canvas: Tensor
    words: Tensor

    def rolled(self) -> Asked:
        """Each row asked for what the one before it asks."""
        return Asked(self.canvas.roll(1, 0), self.words.roll(1, 0))


def criticised(
    critic: nn.Module,
    optimizer: torch.optim.Optimizer,
    true: Tensor,
    made: Tensor,
    asked: Asked,
    smooth: float = 1.0,
) -> Tensor:
    """The loss of who made `made`; the critic takes a step of its own before. Both are maps (n, c,
    h, w). It also learns that a true map of something else isn't what was asked for
    (matching-aware: Reed et al., Generative Adversarial Text to Image Synthesis, 2016)."""
    with half_precision(asked.canvas.device):
        judged = critic_loss(critic, true, made.detach(), asked, smooth, asked.rolled())
    optimizer.zero_grad(set_to_none=True)
    judged.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    critic.requires_grad_(False)  # who is judged learns from a critic that doesn't
    with half_precision(asked.canvas.device):
        loss = maker_loss(critic, true, made, asked)
    critic.requires_grad_(True)
    return loss


def critic_loss(
    critic: nn.Module,
    true: Tensor,
    made: Tensor,
    asked: Asked,
    smooth: float = 1.0,
    elsewhere: Asked | None = None,
) -> Tensor:
    """Lower when true maps are told from made ones, by a critic that doesn't jump (which weighs
    `smooth`; without it that isn't looked at), and from true ones that are passed off as what was
    asked for `elsewhere`."""
    judged = [_judge(critic, each, asked) for each in (true, made)]
    loss = F.softplus(judged[1] - judged[0]).mean()
    if elsewhere is not None:
        misplaced = _judge(critic, true, elsewhere) - judged[0]
        loss = loss + MATCH * F.softplus(misplaced).mean()
    if not smooth:
        return loss
    for each, opinion in zip((true, made), judged, strict=True):
        near = each + NEARBY * torch.randn_like(each)
        jump = (_judge(critic, near, asked) - opinion).square().mean()
        loss = loss + smooth * SMOOTH * jump
    return loss


def maker_loss(critic: nn.Module, true: Tensor, made: Tensor, asked: Asked) -> Tensor:
    """Lower when made maps look truer than true ones of the same canvas and words."""
    with torch.no_grad():
        wanted = _judge(critic, true, asked)
    return F.softplus(wanted - _judge(critic, made, asked)).mean()


def _judge(critic: nn.Module, maps: Tensor, asked: Asked) -> Tensor:
    return cast(Tensor, critic(maps, asked.canvas, asked.words))

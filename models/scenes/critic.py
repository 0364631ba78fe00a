"""The critic of the distillation: says of latents whether they look painted, given what was asked.

Role: a small convolutional network over latents, the folded canvas and the words, with an opinion
at every place of three scales. Losses are those of pairs of a true and a made picture of the same
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

NEARBY = 0.05
"""Standard deviation of the step by which smoothness is measured; latents' own is 1."""
SMOOTH = 40.0


class Critic(nn.Module):
    """Logits (n, k) of latents (n, c, h, w), canvases (n, f, h, w), words (n, w) and one scale."""

    def __init__(
        self, latents: int, canvas: int, words: int, scales: int, width: tuple[int, int, int]
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(latents + canvas, width[0], 3, padding=1)
        before = (width[0], *width[:-1])
        self.levels = nn.ModuleList(
            _Level(a, b, words, halve=i > 0)
            for i, (a, b) in enumerate(zip(before, width, strict=True))
        )
        self.scale = nn.Embedding(scales, words)

    def forward(self, latents: Tensor, canvas: Tensor, words: Tensor, scale: int) -> Tensor:
        words = words + self.scale.weight[scale]
        x = self.first(
            torch.cat([latents, canvas], 1).contiguous(memory_format=torch.channels_last)
        )
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
    """What a critic judges by: canvas (n, f, h, w), words (n, w), scale."""

    canvas: Tensor
    words: Tensor
    scale: int


def critic_loss(critic: nn.Module, true: Tensor, made: Tensor, asked: Asked) -> Tensor:
    """Lower when true latents are told from made ones, by a critic that doesn't jump."""
    judged = [_judge(critic, latents, asked) for latents in (true, made)]
    loss = F.softplus(judged[1] - judged[0]).mean()
    for latents, opinion in zip((true, made), judged, strict=True):
        beside = _judge(critic, latents + NEARBY * torch.randn_like(latents), asked)
        loss = loss + SMOOTH * (beside - opinion).square().mean()
    return loss


def maker_loss(critic: nn.Module, true: Tensor, made: Tensor, asked: Asked) -> Tensor:
    """Lower when made latents look truer than true ones of the same canvas and words."""
    with torch.no_grad():
        wanted = _judge(critic, true, asked)
    return F.softplus(wanted - _judge(critic, made, asked)).mean()


def _judge(critic: nn.Module, latents: Tensor, asked: Asked) -> Tensor:
    return cast(Tensor, critic(latents, asked.canvas, asked.words, asked.scale))

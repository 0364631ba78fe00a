"""The judge of words: names the time, season, weather and style that a picture shows.

Role: beside the critic, which asks whether a picture belongs to its words and finds the loudest
of them enough, this one names each. On true pictures it learns the words that their captions said,
on made ones to call every word made up; the student wants each named as said (a classifier beside
the critic: Odena et al., AC-GAN, 2017; with a class for what is made: Salimans et al., Improved
Techniques for Training GANs, 2016), and also among the words alone: who still paints rain badly is
best told from true rain by everything but the rain, and would rather paint a clear day. Knows
nothing of canvases and noise levels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.scenes.critic import frozen, learn
from models.scenes.loop import half_precision
from models.scenes.palette import VOCABULARY
from models.scenes.places import block

WIDTH = 64
UNSAID = -1
COUNTS = [len(words) + 1 for words in VOCABULARY.values()]
"""Words of each group, and at the last number what is made up."""


class WordJudge(nn.Module):
    """Logits, a group's (n, count) after the other's, of latents (n, c, h, w) and `features` of
    them at h, h / 2 and h / 4: what is seen on the way down, everywhere and anywhere."""

    def __init__(self, latents: int, features: Sequence[int], width: int = WIDTH) -> None:
        super().__init__()
        self.first = nn.Conv2d(latents, width, 1)
        self.looks = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in features[1:])
        self.down = nn.ModuleList(block(width) for _ in self.looks)
        self.last = nn.Linear(2 * width * len(self.looks), sum(COUNTS))

    def forward(self, seen: Sequence[Tensor]) -> list[Tensor]:
        latents, _, *features = seen
        x, pooled = self.first(latents), list[Tensor]()
        for look, layers, feature in zip(self.looks, self.down, features, strict=True):
            x = F.avg_pool2d(x, 2) + look(feature)
            x = x + layers(x)
            pooled += [x.mean((2, 3)), x.amax((2, 3))]
        return list(self.last(torch.cat(pooled, 1)).float().split(COUNTS, 1))


def said(prompt: str, words: Mapping[str, str]) -> list[int]:
    """The number of each group's word among the group's, or `UNSAID` where the prompt of a scene
    that has these `words` doesn't say it."""
    numbers = []
    for group, known in VOCABULARY.items():
        wordings = "|".join(map(re.escape, known[words[group]]))
        named = re.search(rf"\b({wordings})\b", prompt)
        numbers.append(list(known).index(words[group]) if named else UNSAID)
    return numbers


def worded(
    words: WordJudge,
    optimizer: torch.optim.Optimizer,
    true: list[Tensor],
    made: list[Tensor],
    asked: Tensor,
) -> Tensor:
    """The loss of who made `made`; the judge of words takes a step of its own before. Both are
    what is seen of latents, `asked` (n, groups) int64 what was said of them."""
    with half_precision(asked.device):
        judged = words(true), words([part.detach() for part in made])
    learn(optimizer, spoken(judged[0], asked) + _made(judged[1]))
    with frozen(words), half_precision(asked.device):
        found = words(made)
    return spoken(found, asked) + spoken([each[:, :-1] for each in found], asked)


def spoken(logits: Sequence[Tensor], asked: Tensor) -> Tensor:
    """Lower when each word that was said is named; groups count alike."""
    losses = [
        F.cross_entropy(each, numbers, ignore_index=UNSAID, reduction="sum")
        / (numbers != UNSAID).sum().clamp(min=1)
        for each, numbers in zip(logits, asked.T, strict=True)
    ]
    return torch.stack(losses).mean()


def _made(logits: Sequence[Tensor]) -> Tensor:
    return -torch.stack([F.log_softmax(each, 1)[:, -1].mean() for each in logits]).mean()

"""A judge of pictures, with no downloaded network: it names a picture's words and its materials.

Role: what evaluation counts obedience with. One small network over a picture of 256² reads the word
of every group (time, season, weather, style) from what it sees at all scales, and the material of
every place on a grid of 64². It learns from the painter's own pictures only (`lessons.py`), so it
knows no other way for them to look; how often it is right on held-out paintings is told beside
every figure that rests on it. Pictures are uint8 (n, h, w, 3). Knows nothing of the networks that
it judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.scenes.dataset import Bytes
from models.scenes.loop import half_precision
from models.scenes.palette import MATERIALS, VOCABULARY
from models.scenes.plan import Labels

SIZE = 256  # pixels across, of pictures as the judge sees them
WIDTHS = (48, 80, 128, 160)  # channels at 64², 32², 16² and 8²
BLOCKS = (1, 2, 2, 1)  # on the way down
NAMES: dict[str, list[str]] = {group: list(words) for group, words in VOCABULARY.items()}
ROWS = 16
Words = dict[str, str]


@dataclass(frozen=True)
class Reading:
    """What a judge saw: a word a group for each picture, and materials (n, 64, 64) uint8."""

    words: list[Words]
    regions: Labels


class Reads(Protocol):
    """What the exams ask of a judge."""

    def read(self, pictures: Bytes) -> Reading:
        """Name words and materials of pictures (n, h, w, 3)."""


class Block(nn.Module):
    """A normalised 3×3 convolution and a 1×1 one, added to what they read."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.near = nn.Conv2d(width, width, 3, 1, 1)
        self.mix = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.mix(F.relu(self.near(self.norm(x))))
        return x + added


class Judge(nn.Module):
    """A small U-Net with two answers: words from its way down, regions from its way up."""

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        steps = list(pairwise(widths))
        self.finest = nn.Conv2d(3, widths[0] // 2, 3, 2, 1)
        self.fine = nn.Conv2d(widths[0] // 2, widths[0], 3, 2, 1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in steps)
        self.ways = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(count)))
            for width, count in zip(widths, BLOCKS, strict=True)
        )
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in steps)
        self.back = nn.ModuleList(Block(width) for width in widths[:-1])
        self.regions = nn.Conv2d(widths[0], len(MATERIALS), 1)
        self.words = nn.Linear(2 * sum(widths), sum(map(len, NAMES.values())))

    def forward(self, pictures: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Pictures (n, 3, 256, 256), −1–1, to scores (n, words) a group, and (n, 12, 64, 64)."""
        x = self.ways[0](self.fine(F.relu(self.finest(pictures))))
        levels = [x]
        for smaller, way in zip(self.down, self.ways[1:], strict=True):
            levels.append(x := way(smaller(x)))
        seen = torch.cat([pool(level) for level in levels for pool in (_mean, _most)], 1)
        for up, back, level in reversed(list(zip(self.up, self.back, levels, strict=False))):
            x = back(F.interpolate(up(x), scale_factor=2.0) + level)
        scores = self.words(seen).float().split([len(words) for words in NAMES.values()], 1)
        return dict(zip(NAMES, scores, strict=True)), self.regions(x).float()

    @torch.inference_mode()
    def read(self, pictures: Bytes) -> Reading:
        """Name words and materials of pictures of any size, each seen with its mirror image."""
        words: list[Words] = []
        regions: list[Labels] = []
        for first in range(0, len(pictures), ROWS):
            scores, places = self._both_ways(as_input(pictures[first : first + ROWS]))
            best = {group: score.argmax(1).tolist() for group, score in scores.items()}
            for row in range(len(places)):
                words.append({group: NAMES[group][best[group][row]] for group in NAMES})
            regions.append(places.argmax(1).to(torch.uint8).numpy())
        return Reading(words, np.concatenate(regions))

    def _both_ways(self, pictures: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Scores of pictures, and of their mirror images, together."""
        with half_precision(torch.device("cpu")):
            (scores, places), (again, back) = self(pictures), self(pictures.flip(3))
        both = {group: score + again[group] for group, score in scores.items()}
        return both, places.softmax(1) + back.softmax(1).flip(3)


def _mean(level: Tensor) -> Tensor:
    return level.mean((2, 3))


def _most(level: Tensor) -> Tensor:
    """What is seen anywhere, however little of the picture it is: a flash, a falling drop."""
    return level.amax((2, 3))


def as_input(pictures: Bytes) -> Tensor:
    """uint8 (n, h, w, 3) as the judge takes it: float (n, 3, 256, 256), −1–1, channels last."""
    shrunk = [p if p.shape[0] == SIZE else _resized(p) for p in pictures]
    return torch.from_numpy(np.stack(shrunk)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def _resized(picture: Bytes) -> Bytes:
    return np.asarray(cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8)


def agreement(named: Sequence[Words], asked: Sequence[Words]) -> dict[str, float]:
    """Group → share of pictures whose word was named as asked."""
    pairs = list(zip(named, asked, strict=True))
    return {group: float(np.mean([a[group] == b[group] for a, b in pairs])) for group in NAMES}

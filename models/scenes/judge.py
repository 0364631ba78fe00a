"""Judges of pictures: small measures and a small classifier, no downloaded network.

Role: what evaluation counts with. The classifier names time, season and weather from a thumbnail
and is trained on the painter's own pictures; its accuracy on held-out paintings is told beside
every figure that rests on it. Pictures are uint8 (n, h, w, 3). Knows nothing of the networks.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.scenes.board import Labels
from models.scenes.dataset import Bytes, Dataset
from models.scenes.palette import VOCABULARY

THUMB = 32
LEAST_REGION = 0.01  # of the picture; smaller regions' mean colours say little


def thumbnails(pictures: Bytes, edge: int = THUMB) -> Bytes:
    """(n, edge, edge, 3) by area averaging."""
    small = [cv2.resize(p, (edge, edge), interpolation=cv2.INTER_AREA) for p in pictures]
    return np.stack(small)


class Classifier(nn.Module):
    """Names one group's word, from thumbnails."""

    def __init__(self, group: str) -> None:
        super().__init__()
        self.group, self.words = group, list(VOCABULARY[group])
        self.net = nn.Sequential(
            nn.Conv2d(3, 24, 3, 2, 1), nn.ReLU(), nn.Conv2d(24, 48, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(48, 64, 3, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(64 * 16, len(self.words)),
        )  # fmt: skip

    def forward(self, thumbs: Tensor) -> Tensor:
        scores: Tensor = self.net(thumbs)
        return scores

    def fit(self, thumbs: Tensor, words: list[dict[str, str]], steps: int = 1500) -> None:
        wanted = torch.tensor([self.words.index(w[self.group]) for w in words])
        optimizer = torch.optim.AdamW(self.parameters(), 2e-3, weight_decay=0.02)
        chance = torch.Generator().manual_seed(0)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            rows = torch.randint(len(thumbs), (64,), generator=chance)
            F.cross_entropy(self(thumbs[rows]), wanted[rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()

    @torch.inference_mode()
    def accuracy(self, pictures: Bytes, words: list[dict[str, str]]) -> float:
        named = self(as_input(thumbnails(pictures))).argmax(1).tolist()
        right = [self.words[n] == w[self.group] for n, w in zip(named, words, strict=True)]
        return float(np.mean(right))


def as_input(thumbs: Bytes) -> Tensor:
    return torch.from_numpy(thumbs).permute(0, 3, 1, 2).float() / 127.5 - 1


def train_classifiers(data: Dataset, count: int = 4000) -> dict[str, Classifier]:
    """One a group, on the painter's pictures from the training set."""
    count = min(count, len(data))
    thumbs = as_input(thumbnails(data.paintings[:count]))
    judges = {group: Classifier(group) for group in ("time", "season", "weather")}
    for judge in judges.values():
        judge.fit(thumbs, data.words[:count])
    return judges


def sharpness(pictures: Bytes) -> float:
    """Mean variance of the Laplacian of the grey picture."""
    greys = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]
    return float(np.mean([cv2.Laplacian(grey, cv2.CV_64F).var() for grey in greys]))


def region_error(pictures: Bytes, truths: Bytes, labels: list[Labels]) -> float:
    """Mean distance of regions' mean colours to the truth's, 0–255, over materials and pictures."""
    errors = []
    for picture, truth, label in zip(pictures, truths, labels, strict=True):
        for material in np.unique(label):
            region = label == material
            if region.mean() > LEAST_REGION:
                both = picture[region].mean(0) - truth[region].mean(0)
                errors.append(float(np.abs(both).mean()))
    return float(np.mean(errors))


def spread(pictures: Bytes) -> float:
    """Mean pairwise root-mean-square distance of thumbnails, 0–255."""
    thumbs = thumbnails(pictures, 16).astype(np.float32)
    pairs = [
        float(np.sqrt(np.mean((thumbs[i] - thumbs[j]) ** 2)))
        for i in range(len(thumbs))
        for j in range(i)
    ]
    return float(np.mean(pairs))

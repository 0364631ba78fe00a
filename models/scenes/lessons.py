"""How the judge is trained: the data set's pictures, their words, and their true label maps.

Role: make a `Judge` for a data set, or open the one that was made. Invariants: the data set is only
read; what is kept in the run folder is named by a fingerprint of the pictures and of the course, so
another data set's judge is never used; a data set that this painter didn't paint is refused,
because its judge would judge by other looks.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.scenes.dataset import Dataset
from models.scenes.judges import NAMES, Judge, as_input
from models.scenes.loop import Loop, Plan, half_precision


@dataclass(frozen=True)
class Course:
    """How a judge is trained. Its cache is named by this and by the pictures."""

    pictures: int = 8000
    steps: int = 1500
    batch: int = 32
    rate: float = 2e-3
    matrix_rate: float = 0.015
    form: int = 2  # raise it when the judge's or the lessons' code changes

    def fingerprint(self) -> str:
        """Eight characters that change with any of it."""
        return f"{zlib.crc32(repr(self).encode()):08x}"


def trained_judge(data: Dataset, run: Path, course: Course | None = None) -> Judge:
    """The judge for `data`: from `run` if it is there, else trained and kept there.

    An interrupted training goes on where it stopped. Raises `StrangeDataset`.
    """
    course = course or Course()
    data.check()
    torch.manual_seed(0)
    judge = Judge()
    checkpoint = run / f"judge-{data.fingerprint()}-{course.fingerprint()}.pt"
    plan = Plan(
        checkpoint,
        course.rate,
        steps=course.steps,
        matrix_rate=course.matrix_rate,
        average=0.995,
    )
    loop = Loop(plan, judge)
    if loop.progress < 1:
        loop.run(JudgeLoss(judge, data, course))
    return cast(Judge, loop.average.eval())


class JudgeLoss:
    """One step's loss: random pictures, a little worn, against their words and label maps."""

    def __init__(self, judge: Judge, data: Dataset, course: Course) -> None:
        self.judge, self.data, self.course = judge, data, course
        self.maps = torch.from_numpy(np.array(data.maps[: course.pictures])).long()
        self.words = {
            group: torch.tensor([names.index(words[group]) for words in data.words])
            for group, names in NAMES.items()
        }

    def __call__(self, step: int, chance: torch.Generator) -> Tensor:
        rows = torch.randint(len(self.maps), (self.course.batch,), generator=chance)
        pictures = worn(as_input(self.data.paintings[np.sort(rows.numpy())]), chance)
        rows = rows.sort().values
        maps = self.maps[rows]
        if torch.rand(1, generator=chance) < 0.5:
            pictures, maps = pictures.flip(3), maps.flip(2)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        with half_precision(pictures.device):
            scores, places = self.judge(pictures)
        loss = region_loss(places, maps)
        for group, score in scores.items():
            loss = loss + F.cross_entropy(score, self.words[group][rows])
        return loss


def region_loss(places: Tensor, maps: Tensor) -> Tensor:
    """Cross-entropy, and one minus the soft intersection over union of the materials that are
    there: what the figure measures (Rahman and Wang, Optimizing Intersection-Over-Union, 2016)."""
    shares = places.softmax(1)
    truth = F.one_hot(maps, places.shape[1]).permute(0, 3, 1, 2).float()
    both = (shares * truth).sum((0, 2, 3))
    either = (shares + truth).sum((0, 2, 3)) - both
    there = truth.sum((0, 2, 3)) > 0
    return F.cross_entropy(places, maps) + 1 - (both / either)[there].mean()


def worn(pictures: Tensor, chance: torch.Generator) -> Tensor:
    """In place: some pictures blurred a little, some with a little noise. A judge that rests on a
    pixel's last bit would judge the decoder's noise, not the picture."""
    soft, loud = (torch.rand(len(pictures), generator=chance) < 0.4 for _ in range(2))
    share = torch.rand(int(soft.sum()), 1, 1, 1, generator=chance) * 0.8
    sharp = pictures[soft]
    blurred = F.avg_pool2d(F.pad(sharp, (1, 1, 1, 1), mode="replicate"), 3, 1)
    pictures[soft] = sharp + (blurred - sharp) * share
    spread = torch.rand(int(loud.sum()), 1, 1, 1, generator=chance) * 0.04
    pictures[loud] += spread * torch.randn(pictures[loud].shape, generator=chance)
    return pictures

"""What is asked of the networks in training: canvases as hands drew them, and captions.

Role: from a data set to folded canvases, the true label maps beside them, tokens and known words.
Captions get unknown words and are at times empty. Knows nothing of latents and losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPTokenizer

from models.layout import complete, unfolded
from models.scenes.dataset import Dataset
from models.scenes.nets import FOLD, tokenize
from models.scenes.sketch import BARE
from models.scenes.words import said

EMPTY_PROMPTS = 0.08
STRANGE_PROMPTS = 0.2
LETTERS = list("abcdefghijklmnopqrstuvwxyz")
Numbers = NDArray[Any]


@dataclass(frozen=True)
class Choice:
    """Scenes (n,), and which of each one's canvases (n,)."""

    scenes: Numbers
    variants: Numbers


class Requests:
    """Draws what is asked for."""

    def __init__(self, data: Dataset, tokenizer: CLIPTokenizer) -> None:
        self.data, self.tokenizer = data, tokenizer

    def rows(self, rng: np.random.Generator, count: int) -> Choice:
        """Any of them."""
        scenes = rng.integers(0, len(self.data), count)
        variants = rng.integers(0, self.data.canvases.shape[1], count)
        return Choice(scenes, variants)

    def drawn(
        self, rng: np.random.Generator, rows: Choice, edge: int, bare: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Folded canvases (n, k, edge, edge), a share of them `bare` on top of those that are
        anyway; and what is truly there: shares of materials (n, k', edge · cells, edge · cells)."""
        each = zip(rows.scenes.tolist(), rows.variants.tolist(), strict=True)
        pairs = zip(*(self._one(rng, row, edge, bare) for row in each), strict=True)
        canvases, truths = (torch.from_numpy(np.stack(each)) for each in pairs)
        return canvases, unfolded(truths, FOLD.cells)[:, :-1]

    def completed(self, rng: np.random.Generator, rows: Choice, edge: int) -> Tensor:
        """Folded canvases whose bare paper shows what is truly there."""
        return complete(*self.drawn(rng, rows, edge), FOLD.cells)

    def worded(self, rng: np.random.Generator, scenes: Numbers) -> tuple[Tensor, Tensor]:
        """Tokens (n, 32), and the words that they say (n, groups), as `words.said`; int64."""
        prompts = [prompt(rng, self.data.captions[i]) for i in scenes]
        words = [said(text, self.data.words[i]) for text, i in zip(prompts, scenes, strict=True)]
        return tokenize(self.tokenizer, prompts), torch.tensor(words)

    def _one(
        self, rng: np.random.Generator, row: tuple[int, int], edge: int, bare: float
    ) -> tuple[Numbers, Numbers]:
        """Folded canvas and truth of one scene and variant."""
        picture, labels = self.data.canvas(*row, rng), self.data.maps[row[0]]
        truth = FOLD.shares(labels, edge)
        if rng.random() < bare:
            return FOLD.shares(np.full_like(labels, BARE), edge), truth
        return FOLD(picture, edge), truth


def prompt(rng: np.random.Generator, wordings: list[str]) -> str:
    """One of a scene's captions, at times empty, at times with invented words strewn in."""
    if rng.random() < EMPTY_PROMPTS:
        return ""
    words = str(rng.choice(wordings)).split(" ")
    if rng.random() < STRANGE_PROMPTS:
        for _ in range(int(rng.integers(1, 4))):
            stranger = "".join(rng.choice(LETTERS, int(rng.integers(3, 9))))
            words.insert(int(rng.integers(len(words) + 1)), stranger)
    return " ".join(words)

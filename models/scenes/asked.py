"""What is asked of the networks in training: canvases as hands drew them, and captions.

Role: from a data set to folded canvases, the true label maps beside them, and tokens. Captions get
unknown words and are at times empty; every group's word is added where a caption leaves it out.
Knows nothing of latents and losses.
"""

from __future__ import annotations

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
from models.scenes.words import with_words

EMPTY_PROMPTS = 0.08
STRANGE_PROMPTS = 0.2
LETTERS = list("abcdefghijklmnopqrstuvwxyz")
Numbers = NDArray[Any]


class Requests:
    """Draws what is asked for. Scenes are numbers (n,) of the data set."""

    def __init__(self, data: Dataset, tokenizer: CLIPTokenizer) -> None:
        self.data, self.tokenizer = data, tokenizer

    def scenes(self, rng: np.random.Generator, count: int) -> Numbers:
        """Any of them."""
        return rng.integers(0, len(self.data), count)

    def drawn(
        self, rng: np.random.Generator, scenes: Numbers, edge: int, bare: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Folded canvases (n, k, edge, edge), a share of them `bare` on top of those that are
        anyway; and what is truly there: shares of materials (n, k', edge · cells, edge · cells)."""
        pairs = zip(*(self._one(rng, scene, edge, bare) for scene in scenes.tolist()), strict=True)
        canvases, truths = (torch.from_numpy(np.stack(each)) for each in pairs)
        return canvases, unfolded(truths, FOLD.cells)[:, :-1]

    def completed(self, rng: np.random.Generator, scenes: Numbers, edge: int) -> Tensor:
        """Folded canvases whose bare paper shows what is truly there."""
        return complete(*self.drawn(rng, scenes, edge), FOLD.cells)

    def worded(self, rng: np.random.Generator, scenes: Numbers) -> Tensor:
        """Tokens (n, 32) int64."""
        captions, words = self.data.captions, self.data.words
        texts = [with_words(prompt(rng, captions[i]), words[i]) for i in scenes]
        return tokenize(self.tokenizer, texts)

    def _one(
        self, rng: np.random.Generator, scene: int, edge: int, bare: float
    ) -> tuple[Numbers, Numbers]:
        """Folded canvas and truth of one scene."""
        picture, labels = self.data.canvas(scene, rng), self.data.maps[scene]
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

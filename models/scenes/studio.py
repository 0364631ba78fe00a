"""The trained networks as plain functions of pictures.

Role: the one place where evaluation, sheets and films touch the networks; everything else gets a
`Studio` and knows nothing of latents. Pictures and canvases are uint8 (n, h, w, 3). Invariant: the
same canvas, prompt, seed, steps and size give the same picture, whatever else is in the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch

from models.scenes.autoencoder import reconstruct, to_bytes, to_tensor
from models.scenes.dataset import Bytes
from models.scenes.flow import sample
from models.scenes.loop import half_precision
from models.scenes.nets import FACTOR, WEIGHTS, open_weights, tokenize

ROWS = 8


class Paints(Protocol):
    """What evaluation asks of the networks."""

    def paint(
        self,
        canvases: Bytes,
        prompts: Sequence[str],
        seeds: Sequence[int],
        steps: int,
        size: int = 256,
    ) -> Bytes:
        """Canvases (n, 256, 256, 3) to pictures (n, size, size, 3)."""

    def reconstruct(self, pictures: Bytes) -> Bytes:
        """Through the autoencoder and back."""


@dataclass
class Studio:
    """The networks of one folder of weights."""

    folder: Path = WEIGHTS

    def __post_init__(self) -> None:
        self.vae, self.painter, self.tokenizer = open_weights(self.folder)

    @torch.inference_mode()
    def paint(
        self,
        canvases: Bytes,
        prompts: Sequence[str],
        seeds: Sequence[int],
        steps: int,
        size: int = 256,
    ) -> Bytes:
        """Pictures uint8 (n, size, size, 3)."""
        large = np.stack([resized(canvas, size) for canvas in canvases])
        parts = [
            self._some(large[i : i + ROWS], prompts[i : i + ROWS], seeds[i : i + ROWS], steps)
            for i in range(0, len(large), ROWS)
        ]
        return np.concatenate(parts)

    def reconstruct(self, pictures: Bytes) -> Bytes:
        """Through the autoencoder and back."""
        return reconstruct(self.vae, pictures)

    def _some(
        self, canvases: Bytes, prompts: Sequence[str], seeds: Sequence[int], steps: int
    ) -> Bytes:
        config = self.vae.config
        with half_precision(torch.device("cpu")):
            raw = self.vae.encode(to_tensor(canvases)).latents.float()
            canvas = (raw - config.shift_factor) * config.scaling_factor
            shape = (4, canvases.shape[1] // FACTOR, canvases.shape[2] // FACTOR)
            noise = [torch.randn(shape, generator=_seeded(seed)) for seed in seeds]
            tokens = tokenize(self.tokenizer, list(prompts))
            clean = sample(self.painter, canvas, tokens, torch.stack(noise), steps)
            return to_bytes(
                self.vae.decode(clean / config.scaling_factor + config.shift_factor).sample
            )


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)


def resized(canvas: Bytes, size: int) -> Bytes:
    """A canvas (h, w, 3) at another size, its colours unmixed."""
    if canvas.shape[0] == size:
        return canvas
    grown = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_NEAREST)
    return np.asarray(grown, np.uint8)

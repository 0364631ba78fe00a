"""The trained networks as plain functions of pictures.

Role: the one place where evaluation, sheets and films touch the networks; everything else gets a
`Studio` and knows nothing of latents. Pictures and canvases are uint8 (n, h, w, 3). Invariant: the
same canvas, prompt, seed, steps and size give the same picture, whatever else is in the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch

from models.base import Picture, Request
from models.networks import to_pixels
from models.scenes.dataset import Bytes
from models.scenes.model import WEIGHTS, build


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


class Studio:
    """The networks of one folder of weights, as they are served."""

    def __init__(self, folder: Path = WEIGHTS) -> None:
        self._model = build(weights=str(folder))
        self._model.load(lambda stage, share: None)

    def paint(
        self,
        canvases: Bytes,
        prompts: Sequence[str],
        seeds: Sequence[int],
        steps: int,
        size: int = 256,
    ) -> Bytes:
        """Pictures uint8 (n, size, size, 3). `steps` may be more than a client may ask for."""
        known = self._model.spec.defaults() | {"steps": steps, "size": size}
        asked = [
            Request(
                "", self._model.spec.name, 0, 0, known | {"prompt": p, "seed": s}, {"canvas": c}
            )
            for c, p, s in zip(canvases, prompts, seeds, strict=True)
        ]
        rows = self._model.spec.max_batch
        parts = [self._some(asked[i : i + rows]) for i in range(0, len(asked), rows)]
        return np.stack([picture for part in parts for picture in part])

    def reconstruct(self, pictures: Bytes) -> Bytes:
        """Through the autoencoder and back."""
        parts = self._model.parts
        with torch.inference_mode():
            each = [to_pixels(parts.decode(parts.encode_pictures(p[None]))) for p in pictures]
        return np.concatenate(each)

    def _some(self, requests: list[Request]) -> list[Bytes]:
        states = self._model.begin(requests, [None] * len(requests))
        while states[0].step < states[0].steps:
            self._model.step(states)
        return [cast(Picture, payload).pixels for payload in self._model.decode(states)]

"""A tiny network of the built-in model's shape, and a data set of four scenes, for its tests."""

from __future__ import annotations

import numpy as np
import torch

from models.scenes.board import on_grid
from models.scenes.dataset import Dataset
from models.scenes.nets import Shape
from models.scenes.painter import paint_scene

TINY = Shape(
    autoencoder=16, encoder_blocks=(1,), decoder_blocks=(1,), latents=6,
    channels=(8, 8, 16), text=16, text_layers=1, constants=4, edge=8,
)  # fmt: skip


def painted(size: int) -> Dataset:
    """Four scenes with a whole canvas each."""
    scenes = [paint_scene(i, size) for i in range(4)]
    return Dataset(
        np.stack([s.painting for s in scenes]),
        np.stack([s.labels for s in scenes]),
        [[s.caption] for s in scenes],
        [s.words for s in scenes],
        np.stack([on_grid(s.labels) for s in scenes]),
    )


def same(a: torch.nn.Module, b: torch.nn.Module) -> list[bool]:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return [torch.equal(x, y) for x, y in pairs]

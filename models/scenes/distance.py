"""How far one set of pictures is from another, in small patches at every scale.

Role: one distance of two sets. The sliced Wasserstein distance of 7×7 patches of the levels of a
Laplacian pyramid (Karras et al., Progressive Growing of GANs, 2018; Rabin et al., Wasserstein
Barycenter and its Application to Texture Mixing, 2011). Unlike Karras's, both sets are scaled by
the *reference's* mean and spread of each channel, or a blur, which only shrinks a level, would
hardly show. Invariants: places and projections come from a fixed seed and are the same for both
sets, so a set has no distance to itself. Pictures are uint8 (n, h, w, 3).
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from models.scenes.dataset import Bytes
from models.scenes.measures import Floats

PATCH = 7
PATCHES = 128  # a picture and level
PROJECTIONS = 256
SMALLEST = 16  # the pyramid's last level, pixels across


def patch_distance(pictures: Bytes, reference: Bytes, seed: int = 0) -> float:
    """The mean over the levels of the sets' sliced Wasserstein distance, in a thousandth of the
    reference's spread. The sets must be of the same size and number (`ValueError`)."""
    if pictures.shape != reference.shape:
        raise ValueError(f"sets of {pictures.shape} and {reference.shape} can't be compared")
    rng = np.random.default_rng(seed)
    levels = []
    for ours, theirs in zip(_pyramids(pictures), _pyramids(reference), strict=True):
        places = rng.integers(0, ours.shape[1] - PATCH + 1, (len(ours), PATCHES, 2))
        directions = torch.from_numpy(rng.standard_normal((PATCH**2 * 3, PROJECTIONS), np.float32))
        first, second = (_patches(level, places) for level in (ours, theirs))
        middle, scale = second.mean((0, 1)), second.std((0, 1)) + 1e-3
        first, second = ((p - middle) / scale for p in (first, second))
        levels.append(_sliced(_flat(first), _flat(second), directions / directions.norm(dim=0)))
    return 1000 * float(np.mean(levels))


def _pyramids(pictures: Bytes) -> list[Floats]:
    """Levels (n, h, w, 3) from the finest band to the small picture that is left."""
    rest: Floats = pictures.astype(np.float32) / 127.5 - 1
    levels: list[Floats] = []
    while rest.shape[1] > SMALLEST:
        small = np.stack([cv2.pyrDown(picture) for picture in rest])
        size = (rest.shape[2], rest.shape[1])
        grown = np.stack([cv2.pyrUp(picture, dstsize=size) for picture in small])
        levels.append(np.asarray(rest - grown, np.float32))
        rest = small
    return [*levels, rest]


def _patches(level: Floats, places: np.ndarray) -> Tensor:
    """(n · patches, 49, 3) float32, one set of places a picture."""
    reach = np.arange(PATCH)
    rows = places[:, :, 0, None, None] + reach[:, None]
    columns = places[:, :, 1, None, None] + reach
    cut = level[np.arange(len(level))[:, None, None, None], rows, columns]
    return torch.from_numpy(cut.reshape(-1, PATCH**2, 3))


def _flat(patches: Tensor) -> Tensor:
    return patches.reshape(len(patches), -1)


def _sliced(first: Tensor, second: Tensor, directions: Tensor) -> float:
    """Mean distance of the sorted projections: Wasserstein-1 along each line, then over lines."""
    apart = [
        (_sorted(first, some) - _sorted(second, some)).abs().mean()
        for some in torch.split(directions, 32, 1)
    ]
    return float(torch.stack(apart).mean())


def _sorted(patches: Tensor, directions: Tensor) -> Tensor:
    return (patches @ directions).T.contiguous().sort(1).values

"""Plain measures of pictures: how sharp, how far apart, how alike; no network and no file.

Role: the arithmetic of evaluation. Pictures are uint8 (n, h, w, 3), label maps uint8 (n, h, w).
Every measure says what it makes of nothing at all wrong (a set against itself). Knows neither the
painter nor the networks.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes.board import VAGUE
from models.scenes.dataset import Bytes
from models.scenes.palette import MATERIALS
from models.scenes.plan import Labels

Floats = NDArray[np.float32]
LEAST_REGION = 0.01  # of the picture; smaller regions' mean colours say little
THUMB = 32
NEIGHBOURS = 50
COPIED = 0.5
"""A picture nearer than this to one training picture, by the mean distance to its `NEIGHBOURS`
nearest, is a copy of it. Of 256 held-out paintings, which are no copies, the least has 0.59 among
16,000."""


def psnr(a: Bytes, b: Bytes) -> float:
    """Mean peak signal to noise of pairs of pictures, dB; 114 of a picture and itself."""
    error = [np.mean((x.astype(np.float32) - y) ** 2) for x, y in zip(a, b, strict=True)]
    return float(np.mean(10 * np.log10(255**2 / np.maximum(error, 2.5e-7))))


def sharpness(pictures: Bytes) -> float:
    """Mean variance of the Laplacian of the grey picture."""
    greys = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]
    return float(np.mean([cv2.Laplacian(grey, cv2.CV_64F).var() for grey in greys]))


def blurred(pictures: Bytes, sigma: float = 1.5) -> Bytes:
    """Every picture through a Gaussian of `sigma` pixels: a fault to plant."""
    return np.stack([cv2.GaussianBlur(picture, (0, 0), sigma) for picture in pictures])


def thumbnails(pictures: Bytes, edge: int = THUMB) -> Bytes:
    """(n, edge, edge, 3) by area averaging."""
    small = [cv2.resize(p, (edge, edge), interpolation=cv2.INTER_AREA) for p in pictures]
    return np.stack(small)


def spread(pictures: Bytes) -> float:
    """Mean root-mean-square distance of all pairs' thumbnails, 0–255; 0 of one picture only."""
    flat = thumbnails(pictures).reshape(len(pictures), -1).astype(np.float32)
    pairs = _distances(flat, flat)[np.triu_indices(len(flat), 1)]
    return float(pairs.mean())


def _distances(some: Floats, others: Floats) -> Floats:
    """Root-mean-square distances of rows, (some, others)."""
    squares = (some**2).sum(1)[:, None] + (others**2).sum(1) - 2 * some @ others.T
    return np.asarray(np.sqrt(np.maximum(squares, 0) / some.shape[1]), np.float32)


def nearest(
    pictures: Bytes, training: Bytes, neighbours: int = NEIGHBOURS
) -> tuple[Floats, NDArray[np.bool_]]:
    """The distance of each picture to its nearest training picture, and whether it is a copy.

    `training`: thumbnails of the training pictures; their mirror images count too: a copy turned
    around would be one. Distances are root-mean-square of thumbnails, 0–255. A copy is far nearer
    to one than to its other neighbours (after Carlini et al., Extracting Training Data from
    Diffusion Models, 2023); a plain picture, near to many, is none.
    """
    known = np.concatenate([training, training[:, :, ::-1]]).reshape(2 * len(training), -1)
    flat = thumbnails(pictures, training.shape[1]).reshape(len(pictures), -1)
    every = _distances(flat.astype(np.float32), known.astype(np.float32))
    few = min(neighbours, every.shape[1] - 1)
    closest = np.sort(np.partition(every, few, 1)[:, : few + 1], 1)
    return closest[:, 0], closest[:, 0] < COPIED * closest[:, 1:].mean(1)


def confusion(named: Labels, truth: Labels) -> NDArray[np.int64]:
    """Counts (true material, named material) over all places but those that truly are `VAGUE`."""
    kinds, told = len(MATERIALS), truth != VAGUE
    pairs = truth[told].astype(np.int64) * kinds + named[told]
    return np.bincount(pairs, minlength=kinds**2).reshape(kinds, kinds)


def overlaps(counts: NDArray[np.int64], least: float) -> dict[str, float]:
    """Material → intersection over union, of materials with a share of the truth above `least`."""
    both = np.diag(counts).astype(float)
    truth, named = counts.sum(1), counts.sum(0)
    kept = np.flatnonzero(truth > least * counts.sum())
    return {MATERIALS[i]: float(both[i] / (truth[i] + named[i] - both[i])) for i in kept}


def change(before: Bytes, after: Bytes, where: NDArray[np.bool_]) -> float:
    """Mean change of the pixels (h, w) `where`, as a share of full scale."""
    apart = np.abs(before.astype(np.int16) - after)[where]
    return float(apart.mean() / 255) if apart.size else 0.0


def far_from(edited: NDArray[np.bool_], reach: float = 32) -> NDArray[np.bool_]:
    """The pixels more than `reach` away from every edited one."""
    if not edited.any():
        return np.ones(edited.shape, bool)
    apart = cv2.distanceTransform((~edited).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(apart > reach)


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

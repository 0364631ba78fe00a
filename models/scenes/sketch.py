"""Canvases as hands draw them: from a scene's label map to flat, wobbly, partly bare regions.

Role: the augmentation that teaches a model to paint what people draw. Invariants: a canvas holds
palette colours and `UNPAINTED` only, uint8 (size, size, 3); bare paper means 'the model decides'.
Knows nothing of how a scene was painted.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes.board import Labels, cloudy
from models.scenes.palette import MATERIALS, PALETTE, UNPAINTED

BARE = len(MATERIALS)
COLOURS: NDArray[np.uint8] = np.array([*PALETTE.values(), UNPAINTED], np.uint8)
KINDS = ("whole", "patchy", "strokes", "few", "big", "bare")
ODDS = (0.36, 0.15, 0.11, 0.13, 0.10, 0.15)
BIG = [MATERIALS.index(name) for name in ("sky", "mountain", "water", "meadow", "sand", "snow")]


def colour(labels: Labels) -> NDArray[np.uint8]:
    """Flat picture (size, size, 3) uint8 of a label map that may hold `BARE`."""
    return COLOURS[labels]


def sketch(rng: np.random.Generator, labels: Labels, kind: str | None = None) -> Labels:
    """A hand's version of `labels`, as labels with `BARE` where nothing was painted.

    `kind` is one of `KINDS`; without it one is drawn by `ODDS`.
    """
    kind = kind or str(rng.choice(KINDS, p=ODDS))
    size = labels.shape[0]
    drawn = wobble(rng, labels)
    if kind == "patchy":
        drawn[cloudy(rng, size, int(rng.integers(2, 5))) > rng.uniform(-0.9, 0.9)] = BARE
    elif kind == "strokes":
        drawn[~_strokes(rng, size)] = BARE
    elif kind == "few":
        present = np.unique(drawn)
        kept = present[rng.random(len(present)) < rng.uniform(0.2, 0.7)]
        drawn[~np.isin(drawn, kept)] = BARE
    elif kind == "big":
        small = ~np.isin(drawn, BIG)
        drawn[small] = BARE
        drawn = _grow(drawn) if rng.random() < 0.7 else drawn
    elif kind == "bare":
        drawn[:] = BARE
    return drawn


def wobble(rng: np.random.Generator, labels: Labels) -> Labels:
    """Move the edges as an unsteady hand does, and round off what a brush can't draw."""
    size = labels.shape[0]
    reach = rng.uniform(0.0, 0.016) * size
    axis = np.arange(size, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    cells = int(rng.integers(4, 12))
    x += cloudy(rng, size, cells) * reach
    y += cloudy(rng, size, cells) * reach
    moved = cv2.remap(labels, x, y, cv2.INTER_NEAREST, None, cv2.BORDER_REPLICATE)
    blunt = int(rng.choice([1, 3, 5, 9], p=[0.35, 0.25, 0.25, 0.15]))
    return np.asarray(cv2.medianBlur(moved, blunt) if blunt > 1 else moved).copy()


def _strokes(rng: np.random.Generator, size: int) -> NDArray[np.bool_]:
    """What a few brush strokes of one width cover."""
    covered = np.zeros((size, size), np.uint8)
    width = int(rng.uniform(0.04, 0.14) * size)
    for _ in range(int(rng.integers(2, 12))):
        points = rng.uniform(0, size, (1, 2)) + np.cumsum(rng.normal(0, size / 7, (6, 2)), 0)
        cv2.polylines(covered, [points.astype(np.int32)], False, 1, width)
    return covered > 0


def _grow(drawn: Labels) -> Labels:
    """Fill bare spots from the nearest painted region: small things painted over."""
    bare = (drawn == BARE).astype(np.uint8)
    if bare.all() or not bare.any():
        return drawn
    _, nearest = cv2.distanceTransformWithLabels(
        bare, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(int(nearest.max()) + 1, np.uint8)
    table[nearest[bare == 0]] = drawn[bare == 0]
    return np.asarray(table[nearest])

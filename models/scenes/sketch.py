"""Canvases as hands draw them: from a scene's label map to flat, wobbly, partly bare regions.

Role: the augmentation that teaches a model to paint what people draw. Invariants: a canvas is uint8
(size, size, 3); inside its regions every colour lies within `OFF` of the palette's (people pick
colours by eye, other programs' brushes have soft edges), and unpainted paper is exactly `UNPAINTED`
there: it means 'the model decides'. Knows nothing of how a scene was painted.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes.palette import MATERIALS, PALETTE, UNPAINTED
from models.scenes.pen import draw_region
from models.scenes.plan import Labels, cloudy

BARE = len(MATERIALS)
COLOURS: NDArray[np.uint8] = np.array([*PALETTE.values(), UNPAINTED], np.uint8)
KINDS = ("whole", "pen", "patchy", "strokes", "few", "big", "bare")
ODDS = (0.20, 0.33, 0.08, 0.07, 0.09, 0.08, 0.15)
OFF = 12  # how far a canvas's colour may be from the palette's, per channel
BIG = [MATERIALS.index(name) for name in ("sky", "mountain", "water", "meadow", "sand", "snow")]


def colour(labels: Labels, rng: np.random.Generator | None = None) -> NDArray[np.uint8]:
    """Picture (size, size, 3) uint8 of a label map that may hold `BARE`: flat without `rng`; with
    it the colours may be a little off, and edges soft."""
    if rng is None:
        return COLOURS[labels]
    table = COLOURS.astype(np.int64)
    reach = OFF * max(0.0, float(rng.uniform(-0.7, 1.0)))
    off = np.round(rng.uniform(-reach, reach, (BARE, 3))).astype(np.int64)
    table[:BARE] = np.clip(table[:BARE] + off, 0, 255)
    flat = table.astype(np.uint8)[labels]
    return cv2.blur(flat, (3, 3)) if rng.random() < 0.25 else flat


def sketch(rng: np.random.Generator, labels: Labels, kind: str | None = None) -> Labels:
    """A hand's version of `labels`, as labels with `BARE` where nothing was painted.

    `kind` is one of `KINDS`; without it one is drawn by `ODDS`.
    """
    kind = kind or str(rng.choice(KINDS, p=ODDS))
    size = labels.shape[0]
    if kind == "pen":
        return by_hand(rng, labels)
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


def by_hand(rng: np.random.Generator, labels: Labels) -> Labels:
    """The scene as someone draws it with a round brush, the large things first."""
    drawn = np.full(labels.shape, BARE, np.uint8)
    shy = rng.uniform(0.0, 0.6)
    chances, seeds = rng.random(BARE), rng.integers(2**62, size=BARE)
    for number, name in enumerate(MATERIALS):
        if chances[number] > shy and (labels == number).any():
            own = np.random.default_rng(int(seeds[number]))
            draw_region(own, drawn, labels, number, name)
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

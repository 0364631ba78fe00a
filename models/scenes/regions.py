"""What a label map says: regions, their boxes, what lies behind them, the sun and the horizon.

Role: everything that a painting is made from beside words and chance, read off the drawing itself,
so that nothing is left to guess. Boxes of things keep to a grid of `CELL` (a latent's place): what
is drawn in them then meets the network's own grid alike. Coordinates in picture widths. Knows no
colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.scenes.light import Array
from models.scenes.palette import MATERIALS
from models.scenes.plan import Labels

CELLS = 32
SKY, CLOUD, SUN, MOUNTAIN, WATER, MEADOW, TREE, SAND, SNOW, HOUSE, PATH, FLOWER = range(
    len(MATERIALS)
)
LAND = (MEADOW, SAND, SNOW)
BROAD = (SKY, MOUNTAIN, WATER, MEADOW, SAND, SNOW)  # what lies behind things
LEAST = 0.0006  # of the picture, a region


@dataclass(frozen=True)
class Region:
    """A connected part of one material: its mask (size, size) bool and its box."""

    mask: Array
    left: float
    upper: float
    right: float
    lower: float

    def snapped(self) -> tuple[float, float, float, float]:
        """The box on the grid, at least two cells each way: left, upper, right, lower."""
        left, right = round(self.left * CELLS), round(self.right * CELLS)
        upper, lower = round(self.upper * CELLS), round(self.lower * CELLS)
        if right - left < 2:
            left = round((self.left + self.right) / 2 * CELLS) - 1
            right = left + 2
        upper = min(upper, lower - 2)
        return left / CELLS, upper / CELLS, right / CELLS, lower / CELLS


def regions(labels: Labels, material: int, least: float = LEAST) -> list[Region]:
    """The material's regions, the far (upper foot) before the near."""
    size = labels.shape[0]
    count, found, stats, _ = cv2.connectedComponentsWithStats(
        (labels == material).astype(np.uint8), connectivity=4
    )
    parts = []
    for n in range(1, count):
        x, y, wide, high, area = stats[n]
        if area >= least * size * size:
            box = np.array([x, y, x + wide, y + high]) / size
            parts.append(Region(found == n, *map(float, box)))
    return sorted(parts, key=lambda part: (part.lower, part.left))


def clean(labels: Labels) -> Labels:
    """Without specks and hairs, that nothing can be painted in."""
    reach = max(3, round(labels.shape[0] / 64) | 1)
    return np.asarray(cv2.medianBlur(labels, min(reach, 9)))


def resized(labels: Labels, size: int) -> Labels:
    """The same map at another size, its edges smooth."""
    if labels.shape[0] == size:
        return labels
    there = np.unique(labels)
    shares = [
        cv2.resize((labels == n).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
        for n in there
    ]
    return np.asarray(there[np.argmax(np.stack(shares), 0)], np.uint8)


def behind(labels: Labels) -> Labels:
    """The map without things: each place what is broad and nearest."""
    thing = (~np.isin(labels, (*BROAD, CLOUD, SUN))).astype(np.uint8)
    flat = labels.copy()
    flat[np.isin(labels, (CLOUD, SUN))] = SKY
    if not thing.any():
        return flat
    if thing.all():
        return np.full_like(labels, MEADOW)
    _, nearest = cv2.distanceTransformWithLabels(
        thing, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(int(nearest.max()) + 1, np.uint8)
    table[nearest[thing == 0]] = flat[thing == 0]
    return np.asarray(table[nearest])


def sun_of(labels: Labels) -> tuple[float, float, float] | None:
    """Middle and radius of the largest sun."""
    suns = regions(labels, SUN)
    if not suns:
        return None
    sun = max(suns, key=lambda part: part.mask.sum())
    radius = np.sqrt(sun.mask.mean() / np.pi)
    x, y = (sun.left + sun.right) / 2, (sun.upper + sun.lower) / 2
    grid = 2 * CELLS
    return (
        round(x * grid) / grid,
        round(y * grid) / grid,
        float(np.clip(round(radius * 4 * CELLS) / (4 * CELLS), 0.025, 0.10)),
    )


def horizon_of(ground: Labels) -> float:
    """Where land or water begins, on average over the columns that have any."""
    solid = np.isin(ground, (WATER, *LAND))
    columns = solid.any(0)
    if not columns.any():
        return 0.66
    return float(np.clip((solid.argmax(0)[columns] / ground.shape[0]).mean(), 0.25, 0.75))


def soft(mask: Array) -> Array:
    """A mask (size, size) of bool with its edge one pixel wide."""
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), mask.shape[0] / 330))

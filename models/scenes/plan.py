"""The plan of a scene: a label map that layouts fill from back to front.

Role: where masses and things are, before a hand draws them and a painter paints what was drawn.
Invariants: `labels` is uint8 (size, size) of material numbers; coordinates given to it are in
picture widths, 0–1, y downwards; `rng` is drawn from in an order that no word changes. Knows no
colours and no composition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes.light import Array
from models.scenes.palette import MATERIALS

Labels = NDArray[np.uint8]
Points = Sequence[tuple[float, float]]
FINE = 4  # sub-pixel bits of OpenCV's drawing calls


def ridge(rng: np.random.Generator, size: int, pieces: int, rough: float, octaves: int) -> Array:
    """A jagged line of `size` heights, about -1 to 1: midpoint noise with `pieces` large parts."""
    x = (np.arange(size) + 0.5) / size
    line, scale = np.zeros(size), 1.0
    for octave in range(octaves):
        knots = pieces * 2**octave
        line += scale * np.interp(x, np.linspace(0, 1, knots + 1), rng.uniform(-1, 1, knots + 1))
        scale *= rough
    return line.astype(np.float32)


def smooth_line(rng: np.random.Generator, size: int, pieces: int) -> Array:
    """A gentle line of `size` heights, -1 to 1, with `pieces` parts."""
    knots = np.asarray(rng.uniform(-1, 1, pieces + 1), np.float32)[None]
    fine = cv2.resize(knots, (64, 1), interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(fine, (0, 0), 32 / pieces / 2, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(fine, (size, 1), interpolation=cv2.INTER_CUBIC)[0])


def cloudy(rng: np.random.Generator, size: int, cells: int, stretch: float = 1.0) -> Array:
    """A smooth random field (size, size) of about unit variance, `cells` blobs across."""
    rows = max(2, int(cells * stretch))
    grid = rng.standard_normal((rows + 1, cells + 1)).astype(np.float32)
    return np.asarray(cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC))


def fixed_point(
    shape: Array | Points, size: int, corner: tuple[int, int] = (0, 0)
) -> NDArray[np.int32]:
    """Places in OpenCV's fixed point; a pixel's middle is a whole number there."""
    unit = 2**FINE
    shift = ((0.5 + corner[0]) * unit - 0.5, (0.5 + corner[1]) * unit - 0.5)
    return np.asarray(np.floor(np.asarray(shape) * (size * unit) - shift), np.int32)


def oval(x: float, y: float, across: float, down: float, points: int = 28) -> Points:
    """An ellipse as a polygon."""
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return list(zip(x + across * np.cos(turn), y + down * np.sin(turn), strict=True))


@dataclass
class Plan:
    """One scene's plan while it is laid out."""

    size: int
    rng: np.random.Generator
    labels: Labels = field(init=False)

    def __post_init__(self) -> None:
        self.labels = np.zeros((self.size, self.size), np.uint8)
        self.axis = (np.arange(self.size, dtype=np.float32) + 0.5) / self.size
        self.x, self.y = np.meshgrid(self.axis, self.axis)

    def fork(self) -> np.random.Generator:
        """Chance for one thing's inside: however much it draws, the layout stays."""
        return np.random.default_rng(int(self.rng.integers(2**62)))

    def label(self, where: Array, material: str) -> None:
        """Say what a part (size, size) of bool is."""
        self.labels[where] = MATERIALS.index(material)

    def below(self, line: Array, material: str, foot: float = 2.0) -> None:
        """Label what lies between a line of heights (size,) and a height."""
        self.label((self.y > line) & (self.y < foot), material)

    def mark(self, shape: Points, material: str) -> None:
        """Label a polygon."""
        cv2.fillPoly(
            self.labels, [fixed_point(shape, self.size)], MATERIALS.index(material), 8, FINE
        )

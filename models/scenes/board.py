"""The board that a scene is painted on: a picture and its label map, kept in step.

Role: primitives (noise lines, fields, soft masks, anti-aliased shapes). Invariants: `image` is
float32 (size, size, 3) 0–1, `labels` uint8 (size, size) of material numbers; coordinates given
to it are in picture widths, 0–1, y downwards. Knows no material's look and no composition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes.light import Array, Light, rgb
from models.scenes.palette import MATERIALS

Labels = NDArray[np.uint8]
Points = Sequence[tuple[float, float]]
Window = tuple[slice, slice]
WHOLE: Window = (slice(None), slice(None))
FINE = 4  # sub-pixel bits of OpenCV's drawing calls


def ridge(rng: np.random.Generator, size: int, pieces: int, rough: float, octaves: int) -> Array:
    """A jagged line of `size` heights, about -1 to 1: midpoint noise with `pieces` large parts."""
    x = np.linspace(0, 1, size)
    line, scale = np.zeros(size), 1.0
    for octave in range(octaves):
        knots = pieces * 2**octave
        line += scale * np.interp(x, np.linspace(0, 1, knots + 1), rng.uniform(-1, 1, knots + 1))
        scale *= rough
    return line.astype(np.float32)


def cloudy(rng: np.random.Generator, size: int, cells: int, stretch: float = 1.0) -> Array:
    """A smooth random field (size, size) of about unit variance, `cells` blobs across."""
    rows = max(2, int(cells * stretch))
    grid = rng.standard_normal((rows + 1, cells + 1)).astype(np.float32)
    return np.asarray(cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC))


@dataclass
class Board:
    """One scene while it is painted."""

    size: int
    rng: np.random.Generator
    light: Light
    image: Array = field(init=False)
    labels: Labels = field(init=False)
    lamps: list[tuple[float, float, float]] = field(default_factory=list)  # x, y, radius

    def __post_init__(self) -> None:
        self.image = np.zeros((self.size, self.size, 3), np.float32)
        self.labels = np.zeros((self.size, self.size), np.uint8)
        axis = (np.arange(self.size, dtype=np.float32) + 0.5) / self.size
        self.x, self.y = np.meshgrid(axis, axis)

    def below(self, line: Array) -> Array:
        """Soft mask (size, size) of what lies below a line of heights (size,)."""
        return np.asarray(np.clip((self.y - line[None]) * self.size + 0.5, 0, 1))

    def window(self, left: float, upper: float, right: float, lower: float) -> Window:
        """The part of the arrays that a box covers, cut to the picture."""
        cut = [int(np.clip(v * self.size, 0, self.size)) for v in (upper, lower, left, right)]
        return slice(cut[0], cut[1] + 1), slice(cut[2], cut[3] + 1)

    def lay(
        self, alpha: Array, colour: Array, material: str | None = None, where: Window = WHOLE
    ) -> None:
        """Composite `colour` ((3,) or alpha's shape + (3,)) over the picture; label the core."""
        image = self.image[where]
        image += (colour - image) * alpha[..., None]
        if material is not None:
            self.labels[where][alpha > 0.5] = MATERIALS.index(material)

    def mark(self, shape: Points, material: str) -> None:
        """Label a polygon without painting it (a tree's plain outline, say)."""
        cv2.fillPoly(self.labels, [self._fine(shape)], MATERIALS.index(material), 8, FINE)

    def mask(self, shapes: Sequence[Points]) -> Array:
        """Soft mask of a union of polygons."""
        flat = np.zeros((self.size, self.size), np.uint8)
        for shape in shapes:
            cv2.fillPoly(flat, [self._fine(shape)], 255, cv2.LINE_AA, FINE)
        return (flat / 255.0).astype(np.float32)

    def _fine(self, shape: Points) -> NDArray[np.int32]:
        return _fixed_point(shape, self.size)

    @contextmanager
    def brush(self) -> Iterator[Brush]:
        """Draw many small crisp shapes; the picture is 8 bits deep meanwhile (OpenCV's need)."""
        pixels = np.ascontiguousarray((np.clip(self.image, 0, 1) * 255 + 0.5).astype(np.uint8))
        yield Brush(pixels, self.size)
        self.image = (pixels / 255.0).astype(np.float32)


@dataclass
class Brush:
    """Anti-aliased polygons and discs on an 8-bit picture, in picture widths."""

    pixels: Labels
    size: int

    def fill(self, shape: Points, colour: Array) -> None:
        points = _fixed_point(shape, self.size)
        cv2.fillPoly(self.pixels, [points], _bytes(colour), cv2.LINE_AA, FINE)

    def disc(self, x: float, y: float, radius: float, colour: Array) -> None:
        scale = self.size * 2**FINE
        centre = (int(x * scale), int(y * scale))
        cv2.circle(self.pixels, centre, int(radius * scale), _bytes(colour), -1, cv2.LINE_AA, FINE)


def _fixed_point(shape: Points, size: int) -> NDArray[np.int32]:
    return np.asarray(np.round(np.asarray(shape) * size * 2**FINE), np.int32)


def _bytes(colour: Array) -> tuple[int, ...]:
    return tuple(int(v) for v in np.clip(rgb(colour) * 255 + 0.5, 0, 255))


def oval(x: float, y: float, across: float, down: float, points: int = 28) -> Points:
    """An ellipse as a polygon."""
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return list(zip(x + across * np.cos(turn), y + down * np.sin(turn), strict=True))

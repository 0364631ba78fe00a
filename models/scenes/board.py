"""The board that a scene is painted on: a picture, its label map and its map of forms, in step.

Role: primitives (soft masks, anti-aliased shapes). Invariants: `image` is float32 (size, size, 3)
0–1, `labels` uint8 (size, size) of material numbers, `forms` uint8 numbers that change from one
painted thing to the next (for outlines); coordinates given to it are in picture widths, 0–1, y
downwards. Knows no material's look and no composition.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import cv2
import numpy as np

from models.scenes.chance import Chance
from models.scenes.light import Array, Light, rgb
from models.scenes.palette import MATERIALS
from models.scenes.plan import FINE, Labels, Points, fixed_point

Window = tuple[slice, slice]
Ink = tuple[float, ...]  # a colour in 0–255, ready for the brush
WHOLE: Window = (slice(None), slice(None))
GRID = 64  # places across of a label map in large
VAGUE = 255  # in such a map: nothing in particular
SQUARES = 32  # the rhythm, across, of what is tiny or hatched


def smoothstep(low: float, high: float, value: Array) -> Array:
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


@dataclass
class Board:
    """One scene while it is painted."""

    size: int
    light: Light
    chance: Chance
    image: Array = field(init=False)
    labels: Labels = field(init=False)
    forms: Labels = field(init=False)
    form: int = 0
    lamps: list[tuple[float, float, float]] = field(default_factory=list)  # x, y, radius

    def __post_init__(self) -> None:
        self.image = np.zeros((self.size, self.size, 3), np.float32)
        self.labels = np.zeros((self.size, self.size), np.uint8)
        self.forms = np.zeros((self.size, self.size), np.uint8)
        axis = (np.arange(self.size, dtype=np.float32) + 0.5) / self.size
        self.axis = axis
        self.x, self.y = np.meshgrid(axis, axis)

    def rows(self, upper: float, lower: float = 1.0) -> Window:
        """All columns of the rows between two heights."""
        cut = [int(np.clip(v * self.size, 0, self.size)) for v in (upper - 2 / self.size, lower)]
        return slice(cut[0], min(self.size, cut[1] + 1)), slice(None)

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
            self.label(alpha > 0.5, material, where)

    def label(self, core: Array, material: str, where: Window = WHOLE) -> None:
        """Say what a part of the picture is; it becomes one form of its own."""
        self.form = self.form % 250 + 1
        self.labels[where][core] = MATERIALS.index(material)
        self.forms[where][core] = self.form

    @contextmanager
    def brush(self, where: Window = WHOLE) -> Iterator[Brush]:
        """Draw many small crisp shapes; that window is 8 bits deep meanwhile (OpenCV's need)."""
        cut = self.image[where]
        if cut.size == 0:  # beside the picture: the strokes go nowhere
            yield Brush(np.zeros((1, 1, 3), np.uint8), self.size, (-9999, -9999))
            return
        pixels = np.ascontiguousarray((np.clip(cut, 0, 1) * 255 + 0.5).astype(np.uint8))
        corner = (where[1].start or 0, where[0].start or 0)
        yield Brush(pixels, self.size, corner)
        cut[...] = pixels * np.float32(1 / 255)


@dataclass
class Brush:
    """Anti-aliased shapes on an 8-bit window of the picture, in picture widths."""

    pixels: Labels
    size: int
    corner: tuple[int, int] = (0, 0)

    def fill(self, shape: Points, colour: Array | Ink) -> None:
        points = fixed_point(np.asarray(shape), self.size, self.corner)
        cv2.fillPoly(self.pixels, [points], ink(colour), cv2.LINE_AA, FINE)

    def disc(self, x: float, y: float, radius: float, colour: Array | Ink) -> None:
        unit = 2**FINE
        px = round((x * self.size - 0.5 - self.corner[0]) * unit)
        py = round((y * self.size - 0.5 - self.corner[1]) * unit)
        reach = round(radius * self.size * unit)
        cv2.circle(self.pixels, (px, py), reach, ink(colour), -1, cv2.LINE_AA, FINE)

    def line(self, shape: Points, width: float, colour: Array | Ink) -> None:
        """A stroke; `width` in picture widths, at least a pixel."""
        points = fixed_point(np.asarray(shape), self.size, self.corner)
        thick = max(1, round(width * self.size))
        cv2.polylines(self.pixels, [points], False, ink(colour), thick, cv2.LINE_AA, FINE)


def jumps(forms: Labels) -> Array:
    """1 where a form borders on another."""
    jump = np.zeros(forms.shape, np.float32)
    jump[:, 1:] = forms[:, 1:] != forms[:, :-1]
    jump[1:] = np.maximum(jump[1:], forms[1:] != forms[:-1])
    return jump


def ink(colour: Array | Ink) -> Ink:
    """A colour as OpenCV draws it; worth keeping where one is used again and again."""
    if isinstance(colour, tuple):
        return colour
    return tuple(np.clip(rgb(colour) * 255 + 0.5, 0, 255).astype(int).tolist())


def on_grid(labels: Labels, least: float = 0.0) -> Labels:
    """A label map (h, w) on a grid (64, 64): what most of each place is, or `VAGUE` where no
    material has the share `least` of it."""
    shares = np.stack(
        [
            cv2.resize((labels == n).astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
            for n in range(len(MATERIALS))
        ]
    )
    return np.where(shares.max(0) < least, VAGUE, shares.argmax(0)).astype(np.uint8)

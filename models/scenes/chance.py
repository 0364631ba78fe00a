"""A scene's chance, shared with the network that is to paint it.

Role: all that is rough or strewn in a painting (grass, waves, leaves, strokes, stars) follows from
one square of standard normal numbers, and those are the noise that the network starts from for this
scene. So a picture is what canvas, words and noise say, and there is nothing to guess: a network
that only ever learns what is right needs no critic to be sharp. Every field here depends on the
numbers near its place alone, as a convolution sees them. Invariants: the numbers are latent noise,
(T = TypeVar("T")
LATENTS, EDGE, EDGE), each latent's 16 as a square of 4 × 4; fields are float32 (size, size) of
about unit variance, the same at every size, only finer. Knows nothing of what is painted with it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes.light import Array

T = TypeVar("T")
LATENTS, EDGE = 16, 32
CELLS = 128  # numbers across
SALT = 21
TILES = 4


def noise_of(seed: int) -> NDArray[np.float32]:
    """The latent noise of scene number `seed`, (LATENTS, EDGE, EDGE)."""
    return np.random.default_rng([seed % TILES, SALT]).standard_normal(
        (LATENTS, EDGE, EDGE), np.float32
    )


@lru_cache(maxsize=TILES)
def tile(number: int, size: int) -> Chance:
    """The chance of every scene whose number leaves the same rest by `TILES`."""
    return Chance(noise_of(number), size)


class Chance:
    """`noise` (LATENTS, EDGE, EDGE) seen as a picture of `size`."""

    def __init__(self, noise: NDArray[np.float32], size: int) -> None:
        fine = noise.reshape(4, 4, EDGE, EDGE).transpose(2, 0, 3, 1)
        self.cells = np.ascontiguousarray(fine.reshape(CELLS, CELLS))
        self.size = size
        self._known: dict[tuple[int, int], Array] = {}
        self._kept: dict[Hashable, object] = {}

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is the same for all scenes of a tile, made once."""
        if key not in self._kept:
            self._kept[key] = make()
        return cast(T, self._kept[key])

    def grid(self, across: int, down: int = 0) -> Array:
        """Means of the numbers on a grid (down, across), of unit variance again."""
        down = down or across
        means = cv2.resize(self.cells, (across, down), interpolation=cv2.INTER_AREA)
        return np.asarray(means * np.sqrt(CELLS / across * CELLS / down), np.float32)

    def field(self, across: int, down: int = 0) -> Array:
        """The same, smooth over the picture."""
        key = across, down or across
        if key not in self._known:
            found = cv2.resize(
                self.grid(*key), (self.size, self.size), interpolation=cv2.INTER_CUBIC
            )
            self._known[key] = np.asarray(found / found.std(), np.float32)
        return self._known[key]

    def soft(self, waves: Array, aspect: float = 1.0) -> Array:
        """Blobs as many across as `waves` says at each place, (size, size); `aspect` times as wide
        as high."""
        level = np.log2(np.clip(2 * waves * max(1.0, aspect), 4, CELLS))
        low = np.floor(level).astype(int)
        total = np.zeros((self.size, self.size), np.float32)
        for octave in range(int(low.min()), int(low.max()) + 2):
            share = np.clip(1 - np.abs(level - octave), 0, 1).astype(np.float32)
            cells = min(CELLS, 2**octave)
            wide = max(2, round(cells / max(1.0, aspect)))
            high = max(2, round(cells * min(1.0, aspect)))
            total += share * self.field(wide, high)
        part = level - low
        return np.asarray(total / np.sqrt(part**2 + (1 - part) ** 2), np.float32)

    def cloud(self, across: int, down: int = 0) -> Array:
        """Cloud-like: finer and finer, fainter and fainter."""
        down = down or across
        total, share, power = np.zeros((self.size, self.size), np.float32), 1.0, 0.0
        while max(across, down) <= CELLS:
            total += np.float32(share) * self.field(across, down)
            power += share**2
            across, down, share = across * 2, down * 2, share * 0.5
        return np.asarray(total / np.sqrt(power), np.float32)

    def at(self, field: Array, x: Array, y: Array) -> Array:
        """A field at places in picture widths (arrays of one shape)."""
        columns, rows = x * self.size - 0.5, y * self.size - 0.5
        return np.asarray(
            cv2.remap(
                field, np.asarray(columns, np.float32), np.asarray(rows, np.float32),
                cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT,
            )
        )  # fmt: skip

    def peaks(self, cells: int, least: float = -9.0) -> tuple[Array, Array, Array]:
        """Cells of a grid that are higher than those around them and than `least`: x, y (in picture
        widths, the far before the near) and how high each is."""
        heights = self.grid(cells)
        around = cv2.dilate(heights, np.ones((3, 3), np.uint8))
        rows, columns = np.nonzero((heights >= around) & (heights > least))
        return (columns + 0.5) / cells, (rows + 0.5) / cells, heights[rows, columns]

    def even(self, x: Array, y: Array, count: int) -> Array:
        """`count` numbers −0.5–0.5 for each place (n,), from those around it: (n, count)."""
        column = np.clip((x * CELLS).astype(int), 0, CELLS - 3)
        row = np.clip((y * CELLS).astype(int), 0, CELLS - 3)
        found = [self.cells[row + k // 3, column + k % 3] for k in range(count)]
        return np.asarray(0.5 * np.tanh(0.8 * np.stack(found, 1)), np.float32)

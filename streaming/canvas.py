"""A canvas that can rest: plain pixels while somebody works, compressed while nobody does.

Role: the value that a session holds and a history patches, and what fits on it.
Invariants: the pixels of a canvas never change; resting loses nothing, in any thread.
It does not know: sessions, edits, picture formats.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray

from models.base import InputSpec
from streaming.errors import WrongSize

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Rows and columns of a part: top, bottom, left, right; the ends are exclusive."""
QUICK = 1 << 15
"""Bytes that are compressed on the spot at most."""


def freeze(pixels: Pixels) -> Pixels:
    """`pixels`, contiguous and read-only: safe to share with requests in flight."""
    pixels = np.ascontiguousarray(pixels, dtype=np.uint8)
    if pixels.base is not None:
        pixels = pixels.copy()
    pixels.flags.writeable = False
    return pixels


def pack(pixels: Pixels) -> bytes:
    """Losslessly compressed bytes. Level 1: flat regions shrink 100 times within a millisecond."""
    return zlib.compress(np.ascontiguousarray(pixels).data, 1)


def pack_quickly(pixels: Pixels) -> bytes | None:
    """`pack`, or None as soon as more than `QUICK` bytes come out: about a millisecond either way,
    where packing noise to its end takes 23 ms at 512² (and makes it no smaller)."""
    view = np.ascontiguousarray(pixels).data.cast("B")
    packer, pieces, size = zlib.compressobj(1), [], 0
    for start in range(0, len(view), QUICK // 2):
        pieces.append(packer.compress(view[start : start + QUICK // 2]))
        size += len(pieces[-1])
        if size > QUICK:
            return None
    return b"".join([*pieces, packer.flush()])


def unpack(data: bytes, shape: tuple[int, ...]) -> Pixels:
    """The array that `pack` was given, read-only."""
    return np.frombuffer(zlib.decompress(data), np.uint8).reshape(shape)


def changed_box(old: Pixels, new: Pixels) -> Box | None:
    """The smallest box outside of which both (of one shape) are equal; None: they are equal."""
    # Compared as lines: reducing over the three colours apart is eight times slower.
    differs = old.reshape(old.shape[0], -1) != new.reshape(new.shape[0], -1)
    rows = np.flatnonzero(differs.any(axis=1))
    if not rows.size:
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(differs[top:bottom].any(axis=0)) // old.shape[2]
    return top, bottom, int(columns[0]), int(columns[-1]) + 1


def joined(one: Box, other: Box) -> Box:
    """The smallest box around two; one without an inside counts as nothing."""
    if one[0] >= one[1]:
        return other
    top, bottom, left, right = other
    return min(one[0], top), max(one[1], bottom), min(one[2], left), max(one[3], right)


def check_fit(spec: InputSpec, width: int, height: int, x: int, y: int, tile: bool) -> None:
    """Raise `WrongSize` for a canvas not exactly of the spec's size, or a tile that leaves it."""
    if tile and (x + width > spec.width or y + height > spec.height):
        raise WrongSize(
            f"a tile of {width}×{height} at {x}, {y} leaves the canvas of "
            f"{spec.width}×{spec.height}"
        )
    if not tile and (width, height) != (spec.width, spec.height):
        raise WrongSize(
            f"the canvas is {width}×{height}, this model takes {spec.width}×{spec.height}"
        )


class Canvas:
    """Pixels of shape (height, width, 3), uint8, RGB, that may rest."""

    __slots__ = ("_packed", "_pixels", "shape")

    def __init__(self, pixels: Pixels) -> None:
        self._pixels: Pixels | None = freeze(pixels)
        self._packed: bytes | None = None
        self.shape = pixels.shape

    @classmethod
    def blank(cls, spec: InputSpec) -> Canvas:
        """A canvas of the input's background."""
        return cls(np.full((spec.height, spec.width, 3), spec.background, np.uint8))

    @property
    def pixels(self) -> Pixels:
        """The read-only array; wakes the canvas if it rests."""
        pixels = self._pixels
        if pixels is None:
            assert self._packed is not None
            pixels = self._pixels = unpack(self._packed, self.shape)
        return pixels

    @property
    def nbytes(self) -> int:
        """What its pixels take while it doesn't rest."""
        return math.prod(self.shape)

    @property
    def resting(self) -> bool:
        """Whether only the compressed bytes are held."""
        return self._pixels is None

    def rest(self) -> None:
        """Let the pixels go; they are unpacked when somebody asks."""
        if self._packed is None:
            self._packed = pack(self.pixels)
        self._pixels = None

    def painted(self, x: int, y: int, tile: Pixels) -> Canvas:
        """A copy with `tile` laid at x, y (inside)."""
        pixels = self.pixels.copy()
        pixels[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
        return Canvas(pixels)

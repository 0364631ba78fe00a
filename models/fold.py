"""Painted regions folded to a network's grid: how much of each material lies in each cell.

Role: what a canvas-conditioned network sees of a canvas, far faster than an autoencoder (0.6 ms at
256²). Every pixel counts for the material whose colour is nearest to its own, so colours may be a
little off. Invariants: the result is the same for a canvas and for one twice as large with every
pixel doubled; the channels of one pixel sum to `cells`². Knows nothing of networks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Pixels = NDArray[np.uint8]
BITS = 5  # of each colour channel that the table of nearest materials tells apart
FILE = "canvas.json"


@dataclass(frozen=True)
class Fold:
    """`colours` are the materials', bare paper among them; a cell of the grid is split into
    `cells` × `cells` parts, each with channels of its own, so that edges are seen finer."""

    colours: tuple[Colour, ...]
    cells: int = 2
    _nearest: NDArray[np.uint8] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_nearest", _nearest_table(self.colours))

    @property
    def channels(self) -> int:
        return len(self.colours) * self.cells**2

    def labels(self, picture: Pixels) -> NDArray[np.uint8]:
        """The number of each pixel's material: (h, w) for uint8 (h, w, 3)."""
        high = (picture >> (8 - BITS)).astype(np.uint16)
        index = (high[..., 0] << 2 * BITS) | (high[..., 1] << BITS) | high[..., 2]
        return np.asarray(self._nearest[index])

    def shares(self, labels: NDArray[np.uint8], edge: int) -> NDArray[np.float32]:
        """(channels, edge, edge), 0–1: the share of each material in each part of each cell.

        `labels` (h, w) with h and w multiples of edge × cells, or divisors of it.
        """
        fine, kinds = edge * self.cells, len(self.colours)
        if labels.shape[0] < fine:
            labels = labels.repeat(fine // labels.shape[0], 0).repeat(fine // labels.shape[1], 1)
        height, width = labels.shape[0] // fine, labels.shape[1] // fine
        rows = np.arange(labels.shape[0], dtype=np.int32)[:, None] // height * fine
        place = (rows + np.arange(labels.shape[1], dtype=np.int32) // width) * kinds
        counts = np.bincount((place + labels).ravel(), minlength=fine * fine * kinds)
        parts = counts.reshape(edge, self.cells, edge, self.cells, kinds)
        ordered = parts.transpose(1, 3, 4, 0, 2).reshape(-1, edge, edge)
        return np.asarray(ordered / (height * width), np.float32)

    def __call__(self, picture: Pixels, edge: int) -> NDArray[np.float32]:
        """`shares` of a picture, uint8 (h, w, 3)."""
        return self.shares(self.labels(picture), edge)

    def save(self, folder: Path) -> None:
        values = {"colours": self.colours, "cells": self.cells}
        (folder / FILE).write_text(json.dumps(values) + "\n")


def open_fold(folder: Path) -> Fold | None:
    """The fold that a folder's network was trained with; none where it was trained with latents."""
    path = folder / FILE
    if not path.exists():
        return None
    values = json.loads(path.read_text())
    colours = tuple((int(r), int(g), int(b)) for r, g, b in values["colours"])
    return Fold(colours, int(values["cells"]))


def _nearest_table(colours: tuple[Colour, ...]) -> NDArray[np.uint8]:
    """For every colour of `BITS` bits a channel the number of the nearest of `colours`."""
    axis = (np.arange(2**BITS, dtype=np.float32) + 0.5) * 2 ** (8 - BITS)
    red, green, blue = np.meshgrid(axis, axis, axis, indexing="ij")
    cube = np.stack([red, green, blue], -1).reshape(-1, 1, 3)
    distances = np.square(cube - np.array(colours, np.float32)).sum(-1)
    return np.asarray(distances.argmin(1), np.uint8)

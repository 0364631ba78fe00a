"""Things as a label map has them: trees, woods and houses in the boxes of their regions.

Role: a region's outline says what stands there; boxes keep to the network's grid. Coordinates in
picture widths. Knows nothing of land.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.scenes import buildings, trees
from models.scenes.board import Board
from models.scenes.light import Array
from models.scenes.outlines import Tree
from models.scenes.plan import Labels
from models.scenes.regions import CELLS, HOUSE, TREE, Region, regions
from models.scenes.sprites import VARIANTS

WOOD = 1.55  # a region so many times wider than high is a wood
LOOSE = 0.38  # of its box: one that fills less is no single tree
LARGEST = (0.5, 0.62)  # width and height of a single tree
TAPER = 0.62  # a conifer's upper half is less than so much of its lower
KINDS = {"conifer": 0.46, "tall": 0.42, "oak": 0.84, "spreading": 1.0}  # width for a height of 1


@dataclass(frozen=True)
class House:
    """A building that fills a box (left, upper, right, lower)."""

    box: buildings.Box

    @property
    def y(self) -> float:
        return self.box[3]


def standing(board: Board, labels: Labels) -> list[Tree | House]:
    """All things, the far before the near."""
    variant = int(abs(board.chance.cells[0, 0]) * 1000) % VARIANTS
    found: list[Tree | House] = [House(part.snapped()) for part in regions(labels, HOUSE)]
    for part in regions(labels, TREE):
        found += _wood(board, part, variant) if _many(part) else [_single(part, variant)]
    return sorted(found, key=lambda thing: thing.y)


def show_things(board: Board, things: list[Tree | House]) -> None:
    for thing in things:
        far = float(np.clip(0.5 - 1.3 * (thing.y - 0.35), 0, 0.5))
        if isinstance(thing, House):
            buildings.paint_house(board, thing.box, far)
        else:
            trees.paint_tree(board, thing, far)


def _many(part: Region) -> bool:
    """Whether a region is a wood."""
    wide, high = LARGEST
    loose = part.full <= LOOSE or part.wide >= wide or part.high >= high
    return loose or part.wide >= WOOD * part.high


def _single(part: Region, variant: int) -> Tree:
    left, upper, right, lower = part.snapped()
    high, ratio = lower - upper, (right - left) / (lower - upper)
    rows = part.mask.sum(1)
    middle = int((part.upper + part.lower) / 2 * len(rows))
    if rows[:middle].sum() < TAPER * rows[middle:].sum() and ratio < 1.2:
        kind = "conifer"
    elif ratio < 0.55:
        kind = "tall"
    else:
        kind = "spreading" if ratio > 1.15 else "oak"
    return Tree((left + right) / 2, lower, high, kind, variant, ratio / KINDS[kind])


def _wood(board: Board, part: Region, variant: int) -> list[Tree]:
    """A tree in every cell's column, as high as the region there; which kind it is, and which way
    it is turned, the tile says."""
    size, cell = part.mask.shape[0], part.mask.shape[0] // CELLS
    found, tastes = [], board.chance.grid(CELLS)[3]
    for column in range(CELLS):
        strip = part.mask[:, column * cell : (column + 1) * cell].mean(1) > 0.5
        for upper, lower in _runs(strip):
            foot = round(lower / size * 2 * CELLS) / (2 * CELLS)
            high = max(1, round((foot - upper / size) * CELLS)) / CELLS
            if foot - upper / size < 0.5 / CELLS:
                continue
            taste, wide = tastes[column], max(0.5, min(1.0, 0.25 / high))
            kind = "conifer" if taste > 0.2 else ("oak", "tall")[column % 2]
            tall = high * (1.06 if column % 2 else 0.93)
            turned = wide if taste % 0.2 < 0.1 else -wide
            found.append(Tree((column + 0.5) / CELLS, foot, tall, kind, variant, turned))
    return found


def _runs(strip: Array) -> list[tuple[int, int]]:
    """Where a row of bools is true, first and behind the last, if longer than two."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], strip.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2) if b - a > 2]

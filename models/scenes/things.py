"""Things as a label map has them: trees, woods and houses in the boxes of their regions.

Role: a region's outline says what stands there; boxes keep to the network's grid. Coordinates in
picture widths. Knows nothing of land.
"""

from __future__ import annotations

import numpy as np

from models.scenes import buildings, sprites, trees
from models.scenes.board import Board, Labels
from models.scenes.buildings import CHIMNEY, PLANES
from models.scenes.light import Array, rgb
from models.scenes.regions import CELLS, HOUSE, TREE, Region, regions
from models.scenes.trees import Tree

WOOD = 1.55  # a region so many times wider than high is a wood
TAPER = 0.62  # a conifer's upper half is less than so much of its lower


def standing(board: Board, labels: Labels) -> list[tuple[float, object]]:
    """All things with the height of their feet, the far before the near."""
    found: list[tuple[float, object]] = []
    for part in regions(labels, TREE):
        found += [(tree.y, tree) for tree in _trees(board, part)]
    found += [(part.lower, part) for part in regions(labels, HOUSE)]
    return sorted(found, key=lambda pair: pair[0])


def show_things(board: Board, things: list[tuple[float, object]], below: float = -1.0) -> None:
    """Paint those whose feet are lower than `below`."""
    for foot, thing in things:
        if foot <= below:
            continue
        if isinstance(thing, Tree):
            show_tree(board, thing)
        elif isinstance(thing, Region):
            show_house(board, thing)


def _far(foot: float) -> float:
    return float(np.clip(0.5 - 1.3 * (foot - 0.35), 0, 0.5))


def _trees(board: Board, part: Region) -> list[Tree]:
    """One tree, or a wood of many."""
    variant = int(abs(board.chance.cells[0, 0]) * 1000) % sprites.VARIANTS
    left, upper, right, lower = part.snapped()
    if part.wide < WOOD * part.high and part.full > 0.38 and part.high < 0.62 and part.wide < 0.5:
        return [_single(part, (left, upper, right, lower), variant)]
    return _wood(board, part, variant)


def _single(part: Region, box: tuple[float, float, float, float], variant: int) -> Tree:
    left, upper, right, lower = box
    high, wide = lower - upper, right - left
    rows = part.mask.sum(1)
    middle = int((part.upper + part.lower) / 2 * len(rows))
    top, low = rows[:middle].sum(), rows[middle:].sum()
    ratio = wide / high
    if top < TAPER * low and ratio < 1.2:
        kind, natural = "conifer", 0.46
    elif ratio < 0.55:
        kind, natural = "tall", 0.42
    elif ratio > 1.15:
        kind, natural = "spreading", 1.0
    else:
        kind, natural = "oak", 0.84
    return Tree((left + right) / 2, lower, high, kind, variant, ratio / natural)


def _wood(board: Board, part: Region, variant: int) -> list[Tree]:
    """A tree in every cell's column, as high as the region there."""
    size, cell = part.mask.shape[0], part.mask.shape[0] // CELLS
    found, tastes = [], board.chance.grid(CELLS)[3]
    for column in range(CELLS):
        strip = part.mask[:, column * cell : (column + 1) * cell].mean(1) > 0.5
        for upper, lower in _runs(strip):
            top, foot = upper / size, round(lower / size * 2 * CELLS) / (2 * CELLS)
            high = max(1, round((foot - top) * CELLS)) / CELLS
            if foot - top < 0.5 / CELLS:
                continue
            pointed = tastes[column] > 0.2
            kind = "conifer" if pointed else ("oak", "tall")[column % 2]
            shrink = 1.0 if column % 2 else 0.88
            wide = 1.0 if high < 0.2 else 0.2 / high * 1.25
            x = (column + 0.5) / CELLS
            mirrored = -1 if tastes[column] % 0.2 > 0.1 else 1
            found.append(Tree(x, foot, high * shrink * 1.06, kind, variant, mirrored * max(0.5, wide)))
    return found


def _runs(strip: Array) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], strip.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2) if b - a > 2]


def show_tree(board: Board, tree: Tree) -> None:
    """Its shade on the ground, and the tree."""
    light, size = board.light, board.size
    wide = min(0.4 * tree.high * abs(tree.stretch), 0.25)
    strength = {"clear": 0.40, "fog": 0.10, "rain": 0.16, "storm": 0.18}[light.weather]
    x = tree.x - light.side * wide * 0.35
    where = board.window(x - wide * 1.6, tree.y - wide * 0.5, x + wide * 1.6, tree.y + wide * 0.5)
    away = ((board.x[where] - x) / wide) ** 2 + ((board.y[where] - tree.y) / (wide * 0.24)) ** 2
    shade = np.clip(1.3 - away, 0, 1) * strength * (1 - _far(tree.y))
    grounded = ~np.isin(board.labels[where], trees.SHADELESS)
    board.lay(np.asarray(shade * grounded, np.float32), board.image[where] * rgb((0.36, 0.40, 0.62)), None, where)
    trees.paint_tree(board, tree, _far(tree.y), shadow=False)


def show_house(board: Board, part: Region) -> None:
    """A cottage that fills its box; a tower if that is slender."""
    left, upper, right, lower = part.snapped()
    wide, high, middle = right - left, lower - upper, (left + right) / 2
    far = _far(lower)
    if high > 1.9 * wide:
        house = buildings.House(middle, lower, high / 3.24, "lighthouse")
        with board.brush() as brush:
            buildings._lighthouse(board, brush, house, far)
        board.label(part.mask, "house")
        return
    _cottage(board, (left, upper, right, lower), far)


def _cottage(board: Board, box: tuple[float, float, float, float], far: float) -> None:
    light, (left, upper, right, lower) = board.light, box
    wide, high, turn = right - left, lower - upper, -1 if left + right < 1 else 1
    start = left + wide * 0.055 if turn > 0 else right - wide * 0.055
    across, up_unit = wide / 1.11, high / 0.92

    def at(places: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
        return [(start + turn * across * a, lower - up_unit * u) for a, u in places]

    def pane(along: float, up: float, a: float, u: float, colour: Array) -> None:
        brush.fill(at(((along - a, up - u), (along + a, up - u), (along + a, up + u), (along - a, up + u))), colour)

    snowy = light.season == "winter"
    wall, roof = light.base("wall"), light.base("snow" if snowy else "roof")
    bases = {"wall": wall, "eaves": wall * 0.8, "stone": CHIMNEY, "roof": roof}
    lit = float(turn == -light.side)
    glass = buildings._glass(board, far)
    frame = light.lit(rgb((0.45, 0.30, 0.22)), 0.6, far)
    before = board.image.copy()
    with board.brush() as brush:
        for name, places, amount, more in PLANES:
            brush.fill(at(places), light.lit(bases[name], amount + more * lit, far))
        pane(0.13, 0.11, 0.072, 0.13, light.lit("trunk", 0.5, far))
        for along, up in ((0.29, 0.22), (0.58, 0.20), (0.82, 0.20)):
            pane(along, up, 0.072, 0.098, frame)
            pane(along, up, 0.054, 0.078, glass)
    changed = np.abs(board.image - before).max(-1) > 0.02
    board.label(changed, "house")
    if light.dark:
        for along, up in ((0.29, 0.22), (0.58, 0.20), (0.82, 0.20)):
            x, y = at(((along, up),))[0]
            board.lamps.append((x, y, across * 0.26))

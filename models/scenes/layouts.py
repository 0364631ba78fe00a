"""Layouts: fourteen kinds of landscape, each a function that paints its land under a given sky.

Role: back to front, in parts; those at the water are in `shores`. Invariant: draws from the board's
generator only, as many numbers whatever the words and the size. Knows no colours and nothing of
the sky.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.scenes import flora, ground, mountains, parts, shores, water
from models.scenes.board import Board
from models.scenes.buildings import a_house
from models.scenes.parts import Things, between, drifts, grass, path, pick, roll
from models.scenes.trees import a_tree


def village(board: Board, horizon: float) -> None:
    """Houses and a chapel among rolling fields."""
    parts.far_range(board, horizon, pick(board, 1, 2), 0.75)
    tops = parts.folds(board, horizon - 0.01, "meadow", pick(board, 2, 3, 4), 0.06)
    pointed = roll(board) < 0.4
    parts.woods(board, tops[0] + 0.006, between(board, 0.035, 0.06), 0.30, pointed, 0.45)
    drifts(board, horizon, 1)
    path(board, horizon, 0.75)
    x, y = between(board, 0.25, 0.75), horizon + between(board, 0.08, 0.24)
    things: Things = [*parts.hamlet(board, horizon, x, y, pick(board, 2, 3, 4, 5))]
    things += parts.hamlet(board, horizon, x + 0.05, y - 0.02, 1, "chapel")
    things += parts.grove(board, horizon, x, y - 0.01, 0.35, pick(board, 2, 4, 6), 0.3)
    things += parts.scatter(board, horizon, (y + 0.08, 1.05), pick(board, 0, 1, 2, 3), 0.3, 0.7)
    parts.stand(board, horizon, things)


def clearing(board: Board, horizon: float) -> None:
    """A meadow in the forest: walls of trees in the mist, great trunks to both sides."""
    pointed = roll(board) < 0.6
    parts.far_range(board, horizon, 1, 0.9)
    for layer, high in enumerate((0.16, 0.15, 0.13)):
        line = parts.rolling(board, horizon - 0.03 + 0.03 * layer, 0.03)
        parts.woods(board, line, high * between(board, 0.8, 1.3), 0.62 - 0.22 * layer, pointed)
    ground.paint_fold(board, parts.rolling(board, horizon + 0.03, 0.02), "meadow", 0.2, roll(board))
    drifts(board, horizon, 2)
    path(board, horizon, 0.5)
    chance = 0.85 if pointed else 0.15
    things: Things = [
        *parts.scatter(board, horizon, (horizon + 0.10, 0.86), pick(board, 4, 6, 8), chance, 0.9)
    ]
    things += parts.scatter(board, horizon, (0.95, 1.10), pick(board, 1, 2, 3), chance, 1.0)
    things += parts.hamlet(
        board, horizon, between(board, 0.35, 0.65), horizon + 0.12, pick(board, 0, 0, 1)
    )
    tufts = board.fork()
    parts.stand(board, horizon, things)
    grass(board, tufts, 0.88, "meadow")


def dunes(board: Board, horizon: float) -> None:
    """Desert: sharp-crested dunes one behind another."""
    rocks, place = parts.peaks(board.rng, between(board, 0.06, 0.2)), roll(board)
    if roll(board) < 0.5:
        mountains.paint_mountains(board, rocks, horizon + 0.02, 0.5, place)
    count = pick(board, 3, 4, 5)
    material = "sand" if roll(board) < 0.88 else "snow"
    for layer in range(count):
        t = layer / count
        top = parts.rolling(board, horizon + (0.95 - horizon) * t, 0.05 + 0.07 * t, 2)
        summit = float(board.axis[int(np.argmin(top))]) + between(board, -0.05, 0.05)
        ground.paint_dune(board, top, material, summit, roll(board), 0.45 * (1 - t) ** 1.5)
    few: Things = [*parts.scatter(board, horizon, (0.7, 1.0), pick(board, 0, 0, 0, 1, 2), 0.1, 0.6)]
    parts.stand(board, horizon, few)


def plain(board: Board, horizon: float) -> None:
    """A wide snowfield with woods behind it and a few lonely things."""
    parts.far_range(board, horizon, pick(board, 1, 1, 2), 0.9)
    tops = parts.folds(board, horizon, "snow", pick(board, 2, 3), 0.05)
    parts.woods(board, tops[0] + 0.003, between(board, 0.04, 0.09), 0.34, roll(board) < 0.8, 0.6)
    path(board, horizon, 0.35)
    things: Things = [
        *parts.scatter(board, horizon, (horizon + 0.1, 1.04), pick(board, 1, 2, 4, 7), 0.7, 0.4)
    ]
    things += parts.hamlet(
        board,
        horizon,
        between(board, 0.15, 0.85),
        horizon + between(board, 0.08, 0.3),
        pick(board, 0, 1, 1, 2),
    )
    parts.stand(board, horizon, things)


def flowers(board: Board, horizon: float) -> None:
    """A meadow seen from among its flowers."""
    parts.far_range(board, horizon, pick(board, 1, 2), 0.8)
    tops = parts.folds(board, horizon, "meadow", pick(board, 1, 2), 0.05)
    parts.woods(board, tops[0] + 0.004, between(board, 0.04, 0.09), 0.30, roll(board) < 0.4, 0.6)
    things: Things = [
        *parts.scatter(board, horizon, (horizon + 0.06, 0.8), pick(board, 0, 1, 2, 3), 0.3, 0.6)
    ]
    drifts(board, horizon, 4)
    tufts, rng = board.fork(), board.rng
    near = [
        (*rng.uniform((0.0, 0.70, 0.028, 0.0), (1.0, 0.98, 0.062, 6.0)), int(rng.integers(2)))
        for _ in range(pick(board, 0, 5, 9, 12))
    ]
    parts.stand(board, horizon, things)
    grass(board, tufts, 0.80, "meadow")
    for x, y, r, turn, hue in sorted(near, key=lambda spot: spot[1]):
        flora.paint_blossom(board, float(x), float(y), float(r), hue, float(turn))


def lone(board: Board, horizon: float) -> None:
    """One great tree on one great hill."""
    parts.far_range(board, horizon + 0.1, pick(board, 1, 2), 0.8)
    x, rise = between(board, 0.25, 0.75), between(board, 0.06, 0.16)
    ground.paint_fold(board, parts.rolling(board, horizon + 0.10, 0.03), "meadow", 0.4, roll(board))
    hill = horizon + 0.24 - rise * np.exp(-(((board.axis - x) / 0.32) ** 2))
    ground.paint_fold(board, hill.astype(np.float32), "meadow", 0.10, roll(board))
    foot = horizon + 0.24 - rise + 0.02
    things: Things = [a_tree(board.rng, x, foot, between(board, 0.28, 0.52), 0.2)]
    things += parts.hamlet(
        board, horizon, x + between(board, -0.3, 0.3), foot + 0.12, pick(board, 0, 0, 1)
    )
    drifts(board, horizon, 2)
    path(board, horizon + 0.12, 0.4)
    tufts = board.fork()
    parts.stand(board, horizon - 0.1, things)
    grass(board, tufts, 0.88, "meadow")


def free(board: Board, horizon: float) -> None:
    """Anything anywhere, as a newcomer draws: a house, a tree, now and then one that floats."""
    parts.far_range(board, horizon, pick(board, 0, 1, 1, 2), 1.0)
    material = str(board.rng.choice(("meadow", "meadow", "sand", "snow")))
    parts.folds(board, horizon, material, pick(board, 1, 2, 3), 0.05)
    drifts(board, horizon, pick(board, 0, 1, 2))
    if roll(board) < 0.3:
        x, y = between(board, 0.2, 0.8), between(board, horizon + 0.14, 0.86)
        across = between(board, 0.15, 0.42)
        down = min(across * 0.35, y - horizon - 0.02)
        shape = parts.pond((x, y), (across, down), x)
        water.paint_water(board, board.mask([shape]), y - down * 1.05, roll(board))
    path(board, horizon, 0.4)
    low = horizon - 0.15 if roll(board) < 0.12 else horizon + 0.05
    things: Things = [
        *parts.scatter(board, horizon, (low, 1.04), pick(board, 0, 1, 2, 4, 7), roll(board))
    ]
    for _ in range(pick(board, 0, 0, 1, 1, 2)):
        things += parts.hamlet(
            board, horizon, between(board, 0.1, 0.9), between(board, low, 1.0), 1
        )
    parts.stand(board, horizon, things)


def forest(board: Board, horizon: float) -> None:
    """Inside a wood: tall trees to both sides, more of them in the haze, a way into the light."""
    pointed = roll(board) < 0.55
    for layer, high in enumerate((0.34, 0.28, 0.22)):
        line = parts.rolling(board, horizon + 0.02 * layer, 0.02)
        parts.woods(board, line, high * between(board, 0.85, 1.25), 0.74 - 0.20 * layer, pointed)
    ground.paint_fold(board, parts.rolling(board, horizon + 0.05, 0.02), "meadow", 0.3, roll(board))
    drifts(board, horizon, 2)
    path(board, horizon + 0.02, 0.8)
    chance, rng, things = 0.9 if pointed else 0.1, board.rng, Things()
    for _ in range(pick(board, 5, 7, 9)):
        side, depth = rng.choice((-1.0, 1.0)), rng.uniform(0, 1)
        x = 0.5 + side * (0.14 + 0.36 * rng.uniform(0, 1) ** 0.7 + 0.06 * depth)
        y, high = horizon + 0.10 + (0.98 - horizon) * depth, 0.34 + 0.60 * depth
        things.append(a_tree(rng, float(x), float(y), float(high * rng.uniform(0.8, 1.1)), chance))
    tufts = board.fork()
    parts.stand(board, horizon, things)
    grass(board, tufts, 0.88, "meadow")


def garden(board: Board, horizon: float) -> None:
    """A house close by, among trees and flowers, with a way to its door."""
    parts.far_range(board, horizon, pick(board, 1, 2), 0.8)
    tops = parts.folds(board, horizon, "meadow", pick(board, 1, 2), 0.04)
    parts.woods(board, tops[0] + 0.004, between(board, 0.05, 0.11), 0.28, roll(board) < 0.4, 0.4)
    x, foot, wide = between(board, 0.3, 0.7), between(board, 0.70, 0.84), between(board, 0.26, 0.44)
    drifts(board, horizon, 4)
    ground.paint_path(board, between(board, 0.2, 0.8), (x, foot - 0.01), between(board, -0.1, 0.1))
    things: Things = [a_house(board.rng, x, foot, wide, "cottage")]
    for side in (-1, 1):
        near = x + side * (wide * 0.5 + between(board, 0.08, 0.26))
        high = between(board, 0.28, 0.58)
        things.append(a_tree(board.rng, near, foot + between(board, -0.06, 0.10), high, 0.25))
    things += parts.scatter(
        board, horizon, (horizon + 0.05, foot - 0.08), pick(board, 0, 2, 4), 0.4
    )
    tufts = board.fork()
    parts.stand(board, horizon, things)
    grass(board, tufts, 0.92, "meadow")


LAYOUTS: dict[str, Callable[[Board, float], None]] = {
    "lake": shores.lake, "coast": shores.coast, "valley": shores.valley, "island": shores.island,
    "fall": shores.fall, "village": village, "clearing": clearing, "dunes": dunes, "plain": plain,
    "flowers": flowers, "lone": lone, "forest": forest, "garden": garden, "free": free,
}  # fmt: skip

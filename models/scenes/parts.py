"""Parts of a composition: ranges, folds, woods, and the things that stand on them.

Role: the vocabulary that layouts are written in; each part draws its chance from the board's
generator in an order that neither words nor size change. Knows no colours.
"""

from __future__ import annotations

import numpy as np

from models.scenes import buildings, flora, ground, mountains, sky, trees
from models.scenes.board import Board, Points, ridge, smooth_line
from models.scenes.buildings import House, a_house
from models.scenes.light import Array
from models.scenes.trees import Tree, a_tree

ACROSS = mountains.ACROSS
Things = list[Tree | House]


def clouds(board: Board, horizon: float) -> None:
    """Heaps, streaks, both or none; a ceiling when it rains."""
    rng = board.rng
    kind = str(rng.choice(("none", "heaps", "streaks", "both"), p=(0.22, 0.42, 0.22, 0.14)))
    spots = rng.uniform(0, 1, (4, 4))
    count, place = int(rng.integers(1, 5)), float(rng.uniform(0, 1))
    thick, cover = float(rng.uniform(0.10, 0.26)), float(rng.uniform(-0.1, 0.35))
    if kind in ("streaks", "both"):
        middle = horizon * (0.25 + 0.5 * place)
        sky.paint_streaks(board, place, middle, thick, cover)
    if kind in ("heaps", "both"):
        for x, y, wide, form in spots[:count]:
            foot = 0.10 + (horizon * 0.86 - 0.10) * y
            width = (0.16 + 0.42 * wide) * (1.15 - 0.6 * y)
            sky.paint_heap(board, float(x), foot, width, int(form * 24))


def far_range(board: Board, horizon: float, layers: int, scale: float = 1.0) -> None:
    """Mountain ranges one before the other."""
    rng = board.rng
    for layer in range(layers):
        near = (layer + 0.5) / layers
        height = float(rng.uniform(0.14, 0.34)) * (1.15 - 0.45 * near) * scale
        crest = peaks(rng, height) if rng.random() < 0.45 else crests(rng, height)
        place = float(rng.uniform(0, 1))
        distance = 0.66 - 0.56 * near
        mountains.paint_mountains(board, crest, horizon + 0.02, distance, place)


def crests(rng: np.random.Generator, height: float) -> Array:
    """A range (ACROSS,) from side to side."""
    rough = ridge(rng, ACROSS, int(rng.integers(2, 5)), 0.46, 5)
    return np.asarray(height * (0.64 + 0.40 * rough), np.float32)


def peaks(rng: np.random.Generator, height: float) -> Array:
    """One to three single mountains with bare sky between: what people draw first."""
    axis, line = np.linspace(0, 1, ACROSS), np.full(ACROSS, -0.2)
    for _ in range(int(rng.integers(1, 4))):
        centre, half = rng.uniform(0.05, 0.95), height * rng.uniform(0.9, 1.7)
        rise = 1 - np.abs(axis - centre) / half
        line = np.maximum(line, height * rng.uniform(0.75, 1.25) * rise)
    return np.asarray(line + 0.06 * height * ridge(rng, ACROSS, 9, 0.6, 3), np.float32)


def rolling(board: Board, height: float, swing: float, pieces: int = 0) -> Array:
    """A gentle line (size,) around `height`."""
    drawn = int(board.rng.integers(2, 5))
    return height - swing * smooth_line(board.rng, board.size, pieces or drawn)


def folds(
    board: Board, start: float, material: str, count: int, swing: float = 0.05
) -> list[Array]:
    """Overlapping folds of ground from `start` to the lower edge; answers their lines."""
    tops = []
    for place in np.linspace(0, 1, count + 1)[:-1]:
        top = rolling(board, start + (1 - start) * float(place) * 0.85, swing * (0.5 + place))
        distance = 0.42 * (1 - float(place)) if count > 1 else 0.10
        ground.paint_fold(board, top, material, distance, float(board.rng.uniform(0, 1)))
        tops.append(top)
    return tops


def woods(
    board: Board, line: Array, high: float, distance: float, pointed: bool, broken: float = 0.0
) -> None:
    """A wood on a line; `broken` (0–1) opens gaps in it."""
    rng = board.fork()
    full = np.clip(2.2 - broken * 2.6 - smooth_line(rng, board.size, 5) * 1.8, 0, 1)
    ground.paint_woods(board, line, rng, (high, full), distance, pointed)


def height_at(horizon: float, foot: float) -> float:
    """How tall a grown tree is whose foot is there, in picture widths."""
    near = float(np.clip((foot - horizon) / max(0.1, 1.02 - horizon), 0, 1))
    return 0.07 + 0.40 * near


def distance_at(horizon: float, foot: float) -> float:
    near = float(np.clip((foot - horizon) / max(0.1, 1.02 - horizon), 0, 1))
    return float(0.40 * (1 - near) ** 1.4)


def scatter(
    board: Board,
    horizon: float,
    span: tuple[float, float],
    count: int,
    pointed: float,
    sides: float = 0.0,
) -> list[Tree]:
    """Trees by chance with feet between two heights; `sides` 0–1 pushes them to the edges."""
    rng, found = board.rng, []
    for _ in range(count):
        x, y, size = rng.uniform(0, 1), rng.uniform(*span), rng.uniform(0.65, 1.15)
        edge = 0.5 + np.sign(x - 0.5) * (0.5 - 0.30 * abs(x - 0.5) * 2)
        x = x * (1 - sides) + edge * sides
        high = height_at(horizon, float(y)) * float(size)
        found.append(a_tree(rng, float(x), float(y), high, pointed))
    return found


def grove(
    board: Board, horizon: float, x: float, y: float, wide: float, count: int, pointed: float
) -> list[Tree]:
    """Trees close together."""
    rng, found = board.rng, []
    for _ in range(count):
        px, py, size = x + wide * rng.normal(0, 0.5), y + 0.05 * rng.normal(), rng.uniform(0.7, 1.1)
        found.append(
            a_tree(rng, float(px), float(py), height_at(horizon, float(py)) * float(size), pointed)
        )
    return found


def hamlet(
    board: Board, horizon: float, x: float, y: float, count: int, kind: str = ""
) -> list[House]:
    """Houses near each other."""
    rng, found = board.rng, []
    for _ in range(count):
        px, py = x + 0.17 * rng.normal() * (count > 1), y + 0.035 * rng.normal() * (count > 1)
        wide = (0.05 + 0.36 * height_at(horizon, float(py))) * float(rng.uniform(0.85, 1.2))
        found.append(a_house(rng, float(px), float(py), wide, kind))
    return found


def stand(board: Board, horizon: float, things: Things) -> None:
    """Paint what stands, the far before the near."""
    for thing in sorted(things, key=lambda thing: thing.y):
        far = distance_at(horizon, thing.y)
        if isinstance(thing, House):
            buildings.paint_house(board, thing, far)
        else:
            trees.paint_tree(board, thing, far)


def pond(middle: tuple[float, float], half: tuple[float, float], phase: float) -> Points:
    """The outline of still water, uneven by `phase` 0–1."""
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    wobble = 1 + 0.11 * np.sin(turn * 3 + phase * 6)
    x, y = middle[0] + half[0] * wobble * np.cos(turn), middle[1] + half[1] * wobble * np.sin(turn)
    return list(zip(x, y, strict=True))


def roll(board: Board) -> float:
    """A number from 0 to 1."""
    return float(board.rng.random())


def between(board: Board, low: float, high: float) -> float:
    """A number between two others."""
    return float(board.rng.uniform(low, high))


def pick(board: Board, *choices: int) -> int:
    """One of the numbers given; one that is given twice comes twice as often."""
    return int(board.rng.choice(choices))


def flat(board: Board, height: float) -> Array:
    """A level line (size,)."""
    return np.full(board.size, height, np.float32)


def path(board: Board, horizon: float, chance: float) -> None:
    """With the chance given, a way from the lower edge to the horizon."""
    drawn, start, end = roll(board), between(board, 0.1, 0.9), between(board, 0.25, 0.75)
    bend = between(board, -0.16, 0.16)
    if drawn < chance:
        ground.paint_path(board, start, (end, horizon + 0.04), bend)


def drifts(board: Board, horizon: float, most: int) -> None:
    """Drifts of flowers, up to so many, the far before the near."""
    rng, found = board.rng, []
    for _ in range(most):
        own, (x, y, wide, chance) = board.fork(), rng.uniform(0, 1, 4)
        foot = horizon + 0.14 + (0.84 - horizon) * y
        found.append((float(foot), 0.05 + 0.90 * float(x), 0.10 + 0.20 * float(wide), own, chance))
    for foot, x, wide, own, chance in sorted(found, key=lambda drift: drift[0]):
        if chance < 0.7:
            flora.paint_flowers(board, own, x, foot, wide, wide * 0.26)


def grass(board: Board, rng: np.random.Generator, top: float, material: str) -> None:
    """Tufts below the height `top`, if the ground is a meadow's and that is in the picture."""
    if material == "meadow" and top < 1:
        flora.paint_tufts(board, rng, top, 46)

"""Layouts: twelve kinds of landscape, each a function that paints its land under a given sky.

Role: back to front, in parts. Invariant: draws from the board's generator only, as many numbers
whatever the words and the size. Knows no colours and nothing of the sky.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.scenes import flora, ground, mountains, parts, water
from models.scenes.board import Board, smooth_line, smoothstep
from models.scenes.buildings import House
from models.scenes.light import Array
from models.scenes.trees import Tree, a_tree

Things = list[Tree | House]


def _chance(board: Board) -> float:
    return float(board.rng.random())


def _between(board: Board, low: float, high: float) -> float:
    return float(board.rng.uniform(low, high))


def _count(board: Board, *choices: int) -> int:
    return int(board.rng.choice(choices))


def _flat(board: Board, height: float) -> Array:
    return np.full(board.size, height, np.float32)


def lake(board: Board, horizon: float) -> None:
    """An alpine lake: ranges, a wooded far shore, its mirror, perhaps a near bank."""
    parts.far_range(board, horizon, _count(board, 1, 2, 2, 3), 1.15)
    pointed, wooded = _chance(board) < 0.75, _chance(board) < 0.8
    shore = parts.rolling(board, horizon - 0.012, 0.014)
    ground.paint_fold(board, shore, "meadow", 0.36, _chance(board))
    if wooded:
        parts.woods(
            board, _flat(board, horizon - 0.002), _between(board, 0.05, 0.10), 0.30, pointed, 0.7
        )
    far_house = parts.hamlet(board, horizon, _chance(board), horizon + 0.002, 1)
    parts.stand(board, horizon - 0.2, list(far_house if _chance(board) < 0.35 else []))
    water.paint_water(board, (board.y > horizon).astype(np.float32), horizon, _chance(board))
    near, bank = _between(board, 0.72, 0.92), _chance(board) < 0.7
    line, trees = parts.rolling(board, near, 0.06), _count(board, 0, 1, 2, 4)
    place, material = _chance(board), "meadow" if _chance(board) < 0.8 else "snow"
    things: Things = [*parts.scatter(board, horizon, (near + 0.06, 1.06), trees, 0.7, 0.7)]
    tufts = board.fork()
    if bank:
        ground.paint_fold(board, line, material, 0.0, place)
        parts.stand(board, horizon, things)
        _grass(board, tufts, max(0.9, near + 0.05), material)


def coast(board: Board, horizon: float) -> None:
    """The sea, a headland to one side, a beach with foam, perhaps a lighthouse."""
    side, reach = (1 if _chance(board) < 0.5 else -1), _between(board, 0.25, 0.6)
    axis = np.linspace(0, 1, parts.ACROSS)
    along = axis if side > 0 else 1 - axis
    rough = parts.crests(board.rng, 1.0)
    height = _between(board, 0.10, 0.26)
    crest = height * smoothstep(1 - reach, 1 - reach * 0.4, along) * (0.75 + 0.3 * rough) - 0.01
    island = parts.peaks(board.rng, _between(board, 0.04, 0.12))
    place = _chance(board)
    if _chance(board) < 0.5:
        mountains.paint_mountains(board, island, horizon + 0.004, 0.62, place)
    mountains.paint_mountains(board, crest, horizon + 0.006, 0.22, place)
    spot = 0.5 + side * _between(board, 0.30, 0.44)
    foot = horizon + 0.012 - max(0.0, float(np.interp(spot, axis, crest)))
    tower = parts.hamlet(board, horizon - 0.22, spot, foot, 1, "lighthouse")
    parts.stand(board, horizon - 0.22, list(tower if _chance(board) < 0.4 else []))
    calm = _between(board, 0.0, 0.7)
    water.paint_water(
        board, (board.y > horizon + 0.002).astype(np.float32), horizon + 0.002, place, calm
    )
    near, tilt = _between(board, 0.70, 0.92), _between(board, -0.16, 0.16)
    beach = near + tilt * (board.axis - 0.5) - 0.03 * smooth_line(board.rng, board.size, 2)
    land = "sand" if _chance(board) < 0.75 else "meadow"
    trees: Things = [
        *parts.scatter(board, horizon, (near + 0.12, 1.06), _count(board, 0, 0, 1, 3), 0.3, 0.8)
    ]
    sandy, tufts = _chance(board) < 0.85, board.fork()
    if sandy:
        ground.paint_fold(board, beach.astype(np.float32), land, 0.0, place)
        water.paint_foam(board, beach, place)
        parts.stand(board, horizon, trees)
        _grass(board, tufts, 0.94, land)


def village(board: Board, horizon: float) -> None:
    """Houses and a chapel among rolling fields."""
    parts.far_range(board, horizon, _count(board, 1, 2), 0.75)
    tops = parts.folds(board, horizon - 0.01, "meadow", _count(board, 2, 3, 4), 0.06)
    pointed = _chance(board) < 0.4
    parts.woods(board, tops[0] + 0.006, _between(board, 0.035, 0.06), 0.30, pointed, 0.45)
    _path(board, horizon, 0.75)
    x, y = _between(board, 0.25, 0.75), horizon + _between(board, 0.08, 0.24)
    things: Things = [*parts.hamlet(board, horizon, x, y, _count(board, 2, 3, 4, 5))]
    things += parts.hamlet(board, horizon, x + 0.05, y - 0.02, 1, "chapel")
    things += parts.grove(board, horizon, x, y - 0.01, 0.35, _count(board, 2, 4, 6), 0.3)
    things += parts.scatter(board, horizon, (y + 0.08, 1.05), _count(board, 0, 1, 2, 3), 0.3, 0.7)
    flowers = _flowers(board, horizon, 1)
    flowers()
    parts.stand(board, horizon, things)


def clearing(board: Board, horizon: float) -> None:
    """A meadow in the forest: walls of trees in the mist, great trunks to both sides."""
    pointed = _chance(board) < 0.6
    parts.far_range(board, horizon, 1, 0.9)
    for layer, high in enumerate((0.16, 0.15, 0.13)):
        line = parts.rolling(board, horizon - 0.03 + 0.03 * layer, 0.03)
        parts.woods(board, line, high * _between(board, 0.8, 1.3), 0.62 - 0.22 * layer, pointed)
    ground.paint_fold(
        board, parts.rolling(board, horizon + 0.03, 0.02), "meadow", 0.2, _chance(board)
    )
    _path(board, horizon, 0.5)
    chance = 0.85 if pointed else 0.15
    things: Things = [
        *parts.scatter(board, horizon, (horizon + 0.10, 0.86), _count(board, 4, 6, 8), chance, 0.9)
    ]
    things += parts.scatter(board, horizon, (0.95, 1.10), _count(board, 1, 2, 3), chance, 1.0)
    things += parts.hamlet(
        board, horizon, _between(board, 0.35, 0.65), horizon + 0.12, _count(board, 0, 0, 1)
    )
    flowers, tufts = _flowers(board, horizon, 2), board.fork()
    flowers()
    parts.stand(board, horizon, things)
    _grass(board, tufts, 0.88, "meadow")


def valley(board: Board, horizon: float) -> None:
    """A river that winds from the mountains to our feet."""
    parts.far_range(board, horizon, _count(board, 2, 3), 1.1)
    tops = parts.folds(board, horizon - 0.01, "meadow", 2, 0.04)
    pointed = _chance(board) < 0.7
    parts.woods(board, tops[0] + 0.004, _between(board, 0.04, 0.08), 0.34, pointed, 0.6)
    start, end, bend = (
        _between(board, 0.25, 0.75),
        _between(board, 0.3, 0.7),
        _between(board, -0.3, 0.3),
    )
    x, y, half = ground.way(start, (end, horizon + 0.015), bend, _between(board, 0.13, 0.22))
    half = half * 1.15 + 0.004
    bank = ground.ribbon(x, y, -half * 1.12 - 0.003, half * 1.12 + 0.003)
    board.lay(board.mask([bank]), board.light.lit("sand", 0.35, 0.1), "sand")
    water.paint_water(
        board, board.mask([ground.ribbon(x, y, -half, half)]), horizon, _chance(board)
    )
    things: Things = [
        *parts.scatter(
            board, horizon, (horizon + 0.08, 1.04), _count(board, 2, 4, 7, 9), 0.65, 0.85
        )
    ]
    things += parts.hamlet(
        board, horizon, _between(board, 0.1, 0.9), horizon + 0.1, _count(board, 0, 1, 1)
    )
    flowers = _flowers(board, horizon, 1)
    flowers()
    parts.stand(board, horizon, things)


def dunes(board: Board, horizon: float) -> None:
    """Desert: sharp-crested dunes one behind another."""
    rocks, place = parts.peaks(board.rng, _between(board, 0.06, 0.2)), _chance(board)
    if _chance(board) < 0.5:
        mountains.paint_mountains(board, rocks, horizon + 0.02, 0.5, place)
    count = _count(board, 3, 4, 5)
    material = "sand" if _chance(board) < 0.88 else "snow"
    for layer in range(count):
        t = layer / count
        top = parts.rolling(board, horizon + (0.95 - horizon) * t, 0.05 + 0.07 * t, 2)
        summit = float(board.axis[int(np.argmin(top))]) + _between(board, -0.05, 0.05)
        ground.paint_dune(board, top, material, summit, _chance(board), 0.45 * (1 - t) ** 1.5)
    few: Things = [
        *parts.scatter(board, horizon, (0.7, 1.0), _count(board, 0, 0, 0, 1, 2), 0.1, 0.6)
    ]
    parts.stand(board, horizon, few)


def plain(board: Board, horizon: float) -> None:
    """A wide snowfield with woods behind it and a few lonely things."""
    parts.far_range(board, horizon, _count(board, 1, 1, 2), 0.9)
    tops = parts.folds(board, horizon, "snow", _count(board, 2, 3), 0.05)
    parts.woods(
        board, tops[0] + 0.003, _between(board, 0.04, 0.09), 0.34, _chance(board) < 0.8, 0.6
    )
    _path(board, horizon, 0.35)
    things: Things = [
        *parts.scatter(board, horizon, (horizon + 0.1, 1.04), _count(board, 1, 2, 4, 7), 0.7, 0.4)
    ]
    things += parts.hamlet(
        board,
        horizon,
        _between(board, 0.15, 0.85),
        horizon + _between(board, 0.08, 0.3),
        _count(board, 0, 1, 1, 2),
    )
    parts.stand(board, horizon, things)


def flowers(board: Board, horizon: float) -> None:
    """A meadow seen from among its flowers."""
    parts.far_range(board, horizon, _count(board, 1, 2), 0.8)
    tops = parts.folds(board, horizon, "meadow", _count(board, 1, 2), 0.05)
    parts.woods(
        board, tops[0] + 0.004, _between(board, 0.04, 0.09), 0.30, _chance(board) < 0.4, 0.6
    )
    things: Things = [
        *parts.scatter(board, horizon, (horizon + 0.06, 0.8), _count(board, 0, 1, 2, 3), 0.3, 0.6)
    ]
    drifts, tufts, rng = _flowers(board, horizon, 4), board.fork(), board.rng
    near = [
        (*rng.uniform((0.0, 0.70, 0.028, 0.0), (1.0, 0.98, 0.062, 6.0)), int(rng.integers(4)))
        for _ in range(_count(board, 0, 5, 9, 12))
    ]
    drifts()
    parts.stand(board, horizon, things)
    _grass(board, tufts, 0.80, "meadow")
    for x, y, r, turn, hue in sorted(near, key=lambda spot: spot[1]):
        flora.paint_blossom(board, float(x), float(y), float(r), hue, float(turn))


def island(board: Board, horizon: float) -> None:
    """A wooded island in a wide water, mirrored."""
    parts.far_range(board, horizon, _count(board, 1, 1, 2), 0.7)
    place, calm = _chance(board), _between(board, 0.4, 1.0)
    water.paint_water(board, (board.y > horizon).astype(np.float32), horizon, place, calm)
    x, line = _between(board, 0.3, 0.7), horizon + _between(board, 0.10, 0.24)
    wide, high = _between(board, 0.18, 0.34), _between(board, 0.03, 0.08)
    hump = np.clip(1 - ((board.axis - x) / wide) ** 2, 0, 1) ** 0.7
    top = (line - high * hump).astype(np.float32)
    below = (board.y < line).astype(np.float32)
    material = "meadow" if _chance(board) < 0.75 else "sand"
    kept = board.image.copy(), board.labels.copy()
    ground.paint_fold(board, top, material, 0.10, place)
    for now, before in zip((board.image, board.labels), kept, strict=True):
        now[below == 0] = before[below == 0]
    feet = (line - high * 0.7, line - 0.012)
    things: Things = []
    for _ in range(_count(board, 2, 4, 6)):
        tx = x + wide * 0.7 * _between(board, -1, 1)
        things.append(
            a_tree(board.rng, tx, _between(board, *feet), _between(board, 0.10, 0.22), 0.5)
        )
    things += parts.hamlet(board, horizon - 0.2, x, feet[1] - 0.01, _count(board, 0, 1, 1))
    parts.stand(board, horizon - 0.3, things)
    off = np.abs(board.x - x) / (wide * 1.06)
    mask = (
        smoothstep(1.15, 0.75, off)
        * (board.y > line)
        * smoothstep(line + 0.34, line + 0.2, board.y)
    )
    forms = board.forms.copy()
    water.paint_water(board, np.asarray(mask, np.float32), horizon, place, calm, line)
    board.forms[:] = forms  # one water, mirrored twice


def fall(board: Board, horizon: float) -> None:
    """Cliffs, a waterfall, a pool and boulders of woods around it."""
    parts.far_range(board, horizon, 1, 1.2)
    x, place = _between(board, 0.3, 0.7), _chance(board)
    axis = np.linspace(0, 1, parts.ACROSS)
    tall = _between(board, 0.26, 0.40)
    valley = np.clip(np.abs(axis - x) * _between(board, 1.2, 2.6), 0, 1) ** 0.8
    notch = 1 - 0.20 * np.exp(-(((axis - x) / 0.05) ** 2))
    crest = tall * notch * (0.55 + 0.40 * valley + 0.22 * parts.crests(board.rng, 1.0))
    mountains.paint_mountains(board, np.asarray(crest, np.float32), horizon + 0.02, 0.05, place)
    lip = horizon + 0.02 - float(np.interp(x, axis, crest)) + 0.012
    pool, width = horizon + _between(board, 0.05, 0.10), _between(board, 0.045, 0.10)
    parts.folds(board, horizon + 0.005, "meadow", 1, 0.02)
    parts.woods(
        board,
        _flat(board, horizon + 0.02),
        _between(board, 0.06, 0.10),
        0.12,
        _chance(board) < 0.6,
        0.35,
    )
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    wide, deep = _between(board, 0.28, 0.48), _between(board, 0.10, 0.2)
    wobble = 1 + 0.10 * np.sin(turn * 3 + place * 6)
    shape = list(
        zip(
            x + wide * wobble * np.cos(turn),
            pool + deep * (0.9 + np.sin(turn)) * wobble,
            strict=True,
        )
    )
    water.paint_water(board, board.mask([shape]), pool - 0.01, place, 0.5)
    water.paint_fall(board, x, lip, pool + deep * 0.2, width, place)
    start = max(pool + deep * 1.3, 0.75)
    things: Things = [
        *parts.scatter(board, horizon, (start, 1.06), _count(board, 1, 2, 4), 0.5, 0.95)
    ]
    parts.stand(board, horizon, things)
    _grass(board, board.fork(), 0.92, "meadow")


def lone(board: Board, horizon: float) -> None:
    """One great tree on one great hill."""
    parts.far_range(board, horizon + 0.1, _count(board, 1, 2), 0.8)
    x, rise = _between(board, 0.25, 0.75), _between(board, 0.06, 0.16)
    ground.paint_fold(
        board, parts.rolling(board, horizon + 0.10, 0.03), "meadow", 0.4, _chance(board)
    )
    hill = horizon + 0.24 - rise * np.exp(-(((board.axis - x) / 0.32) ** 2))
    ground.paint_fold(board, hill.astype(np.float32), "meadow", 0.10, _chance(board))
    foot = horizon + 0.24 - rise + 0.02
    things: Things = [a_tree(board.rng, x, foot, _between(board, 0.28, 0.52), 0.2)]
    things += parts.hamlet(
        board, horizon, x + _between(board, -0.3, 0.3), foot + 0.12, _count(board, 0, 0, 1)
    )
    _path(board, horizon + 0.12, 0.4)
    drifts, tufts = _flowers(board, horizon, 2), board.fork()
    drifts()
    parts.stand(board, horizon - 0.1, things)
    _grass(board, tufts, 0.88, "meadow")


def free(board: Board, horizon: float) -> None:
    """Anything anywhere, as a newcomer draws: a house, a tree, now and then one that floats."""
    parts.far_range(board, horizon, _count(board, 1, 1, 2), 1.0)
    material = str(board.rng.choice(("meadow", "meadow", "sand", "snow")))
    parts.folds(board, horizon, material, _count(board, 1, 2, 3), 0.05)
    if _chance(board) < 0.3:
        x, y = _between(board, 0.2, 0.8), _between(board, horizon + 0.14, 0.86)
        across, turn = _between(board, 0.15, 0.42), np.linspace(0, 2 * np.pi, 60, endpoint=False)
        down = min(across * 0.35, y - horizon - 0.02)
        wobble = 1 + 0.12 * np.sin(turn * 3 + x * 9)
        shape = list(
            zip(x + across * wobble * np.cos(turn), y + down * wobble * np.sin(turn), strict=True)
        )
        water.paint_water(board, board.mask([shape]), y - down * 1.05, _chance(board))
    _path(board, horizon, 0.4)
    low = horizon - 0.15 if _chance(board) < 0.12 else horizon + 0.05
    things: Things = [
        *parts.scatter(board, horizon, (low, 1.04), _count(board, 0, 1, 2, 4, 7), _chance(board))
    ]
    for _ in range(_count(board, 0, 0, 1, 1, 2)):
        things += parts.hamlet(
            board, horizon, _between(board, 0.1, 0.9), _between(board, low, 1.0), 1
        )
    drifts = _flowers(board, horizon, _count(board, 0, 1, 2))
    drifts()
    parts.stand(board, horizon, things)


def _path(board: Board, horizon: float, chance: float) -> None:
    drawn, start, end = _chance(board), _between(board, 0.1, 0.9), _between(board, 0.25, 0.75)
    bend = _between(board, -0.16, 0.16)
    if drawn < chance:
        ground.paint_path(board, start, (end, horizon + 0.04), bend)


def _flowers(board: Board, horizon: float, most: int) -> Callable[[], None]:
    """Drifts of flowers, drawn now and painted when called."""
    drifts = [
        (
            board.fork(),
            _between(board, 0.05, 0.95),
            _between(board, horizon + 0.14, 0.98),
            _between(board, 0.10, 0.30),
            _chance(board),
        )
        for _ in range(most)
    ]

    def paint() -> None:
        for rng, x, y, wide, chance in sorted(drifts, key=lambda drift: drift[2]):
            if chance < 0.7:
                flora.paint_flowers(board, rng, x, y, wide, wide * 0.26)

    return paint


def _grass(board: Board, rng: np.random.Generator, top: float, material: str) -> None:
    if material == "meadow" and top < 1:
        flora.paint_tufts(board, rng, top, 46)


LAYOUTS: dict[str, Callable[[Board, float], None]] = {
    "lake": lake, "coast": coast, "village": village, "clearing": clearing, "valley": valley,
    "dunes": dunes, "plain": plain, "flowers": flowers, "island": island, "fall": fall,
    "lone": lone, "free": free,
}  # fmt: skip

"""Layouts at the water: lake, coast, river valley, island, waterfall.

Role: back to front, in parts; what is mirrored is painted before the water. Invariant: draws from
the board's generator only, as many numbers whatever the words and the size. Knows no colours and
nothing of the sky.
"""

from __future__ import annotations

import numpy as np

from models.scenes import ground, mountains, parts, water
from models.scenes.board import Board, smooth_line, smoothstep
from models.scenes.light import Array
from models.scenes.parts import Things, between, drifts, flat, grass, pick, roll
from models.scenes.trees import a_tree


def lake(board: Board, horizon: float) -> None:
    """An alpine lake: ranges, a wooded far shore, its mirror, perhaps a near bank."""
    parts.far_range(board, horizon, pick(board, 1, 2, 2, 3), 1.15)
    pointed, wooded = roll(board) < 0.75, roll(board) < 0.8
    shore = parts.rolling(board, horizon - 0.012, 0.014)
    ground.paint_fold(board, shore, "meadow", 0.36, roll(board))
    if wooded:
        parts.woods(
            board, flat(board, horizon - 0.002), between(board, 0.05, 0.10), 0.30, pointed, 0.7
        )
    far_house = parts.hamlet(board, horizon, roll(board), horizon + 0.002, 1)
    parts.stand(board, horizon - 0.2, list(far_house if roll(board) < 0.35 else []))
    water.paint_water(board, (board.y > horizon).astype(np.float32), horizon, roll(board))
    near, bank = between(board, 0.72, 0.92), roll(board) < 0.7
    line, trees = parts.rolling(board, near, 0.06), pick(board, 0, 1, 2, 4)
    place, material = roll(board), "meadow" if roll(board) < 0.8 else "snow"
    things: Things = [*parts.scatter(board, horizon, (near + 0.06, 1.06), trees, 0.7, 0.7)]
    tufts = board.fork()
    if bank:
        ground.paint_fold(board, line, material, 0.0, place)
        parts.stand(board, horizon, things)
        grass(board, tufts, max(0.9, near + 0.05), material)


def coast(board: Board, horizon: float) -> None:
    """The sea, a headland to one side, a beach with foam, perhaps a lighthouse."""
    side, reach = (1 if roll(board) < 0.5 else -1), between(board, 0.25, 0.6)
    axis = np.linspace(0, 1, parts.ACROSS)
    along = axis if side > 0 else 1 - axis
    rough = parts.crests(board.rng, 1.0)
    height = between(board, 0.10, 0.26)
    crest = height * smoothstep(1 - reach, 1 - reach * 0.4, along) * (0.75 + 0.3 * rough) - 0.01
    island = parts.peaks(board.rng, between(board, 0.04, 0.12))
    place = roll(board)
    if roll(board) < 0.5:
        mountains.paint_mountains(board, island, horizon + 0.004, 0.62, place)
    mountains.paint_mountains(board, crest, horizon + 0.006, 0.22, place)
    spot = 0.5 + side * between(board, 0.30, 0.44)
    foot = horizon + 0.012 - max(0.0, float(np.interp(spot, axis, crest)))
    tower = parts.hamlet(board, horizon - 0.22, spot, foot, 1, "lighthouse")
    parts.stand(board, horizon - 0.22, list(tower if roll(board) < 0.4 else []))
    calm = between(board, 0.0, 0.7)
    water.paint_water(
        board, (board.y > horizon + 0.002).astype(np.float32), horizon + 0.002, place, calm
    )
    near, tilt = between(board, 0.70, 0.92), between(board, -0.16, 0.16)
    beach = near + tilt * (board.axis - 0.5) - 0.03 * smooth_line(board.rng, board.size, 2)
    land = "sand" if roll(board) < 0.75 else "meadow"
    trees: Things = [
        *parts.scatter(board, horizon, (near + 0.12, 1.06), pick(board, 0, 0, 1, 3), 0.3, 0.8)
    ]
    sandy, tufts = roll(board) < 0.85, board.fork()
    if sandy:
        ground.paint_fold(board, beach.astype(np.float32), land, 0.0, place)
        water.paint_foam(board, beach, place)
        parts.stand(board, horizon, trees)
        grass(board, tufts, 0.94, land)


def valley(board: Board, horizon: float) -> None:
    """A river that winds from the mountains to our feet."""
    parts.far_range(board, horizon, pick(board, 2, 3), 1.1)
    tops = parts.folds(board, horizon - 0.01, "meadow", 2, 0.04)
    pointed = roll(board) < 0.7
    parts.woods(board, tops[0] + 0.004, between(board, 0.04, 0.08), 0.34, pointed, 0.6)
    drifts(board, horizon, 1)
    start, end, bend = (
        between(board, 0.25, 0.75),
        between(board, 0.3, 0.7),
        between(board, -0.3, 0.3),
    )
    x, y, half = ground.way(start, (end, horizon + 0.015), bend, between(board, 0.13, 0.22))
    half = half * 1.15 + 0.004
    bank = ground.ribbon(x, y, -half * 1.12 - 0.003, half * 1.12 + 0.003)
    board.lay(board.mask([bank]), board.light.lit("sand", 0.35, 0.1), "sand")
    water.paint_water(board, board.mask([ground.ribbon(x, y, -half, half)]), horizon, roll(board))
    things: Things = [
        *parts.scatter(board, horizon, (horizon + 0.08, 1.04), pick(board, 2, 4, 7, 9), 0.65, 0.85)
    ]
    things += parts.hamlet(
        board, horizon, between(board, 0.1, 0.9), horizon + 0.1, pick(board, 0, 1, 1)
    )
    parts.stand(board, horizon, things)


def island(board: Board, horizon: float) -> None:
    """A wooded island in a wide water, mirrored."""
    parts.far_range(board, horizon, pick(board, 1, 1, 2), 0.7)
    place, calm = roll(board), between(board, 0.4, 1.0)
    water.paint_water(board, (board.y > horizon).astype(np.float32), horizon, place, calm)
    x, line = between(board, 0.3, 0.7), horizon + between(board, 0.10, 0.24)
    wide, high = between(board, 0.18, 0.34), between(board, 0.03, 0.08)
    hump = np.clip(1 - ((board.axis - x) / wide) ** 2, 0, 1) ** 0.7
    top = (line - high * hump).astype(np.float32)
    below = (board.y < line).astype(np.float32)
    material = "meadow" if roll(board) < 0.75 else "sand"
    kept = board.image.copy(), board.labels.copy()
    ground.paint_fold(board, top, material, 0.10, place)
    for now, before in zip((board.image, board.labels), kept, strict=True):
        now[below == 0] = before[below == 0]
    feet = (line - high * 0.7, line - 0.012)
    things: Things = []
    for _ in range(pick(board, 2, 4, 6)):
        tx = x + wide * 0.7 * between(board, -1, 1)
        things.append(a_tree(board.rng, tx, between(board, *feet), between(board, 0.10, 0.22), 0.5))
    things += parts.hamlet(board, horizon - 0.2, x, feet[1] - 0.01, pick(board, 0, 1, 1))
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
    """Cliffs, a waterfall, a pool and woods around it."""
    parts.far_range(board, horizon, 1, 1.2)
    x, place = between(board, 0.3, 0.7), roll(board)
    axis, crest = np.linspace(0, 1, parts.ACROSS), _cliffs(board, x)
    mountains.paint_mountains(board, crest, horizon + 0.02, 0.05, place)
    lip = horizon + 0.02 - float(np.interp(x, axis, crest)) + 0.012
    pool, width = horizon + between(board, 0.05, 0.10), between(board, 0.045, 0.10)
    parts.folds(board, horizon + 0.005, "meadow", 1, 0.02)
    foot, high, pointed = flat(board, horizon + 0.02), between(board, 0.06, 0.10), roll(board) < 0.6
    parts.woods(board, foot, high, 0.12, pointed, 0.35)
    wide, deep = between(board, 0.28, 0.48), between(board, 0.10, 0.2)
    shape = parts.pond((x, pool + deep * 0.9), (wide, deep), place)
    water.paint_water(board, board.mask([shape]), pool - 0.01, place, 0.5)
    water.paint_fall(board, x, lip, pool + deep * 0.2, width, place)
    start = max(pool + deep * 1.3, 0.75)
    things: Things = [
        *parts.scatter(board, horizon, (start, 1.06), pick(board, 1, 2, 4), 0.5, 0.95)
    ]
    parts.stand(board, horizon, things)
    grass(board, board.fork(), 0.92, "meadow")


def _cliffs(board: Board, x: float) -> Array:
    """Heights (ACROSS,) of cliffs that fall towards a notch at `x`."""
    axis, tall = np.linspace(0, 1, parts.ACROSS), between(board, 0.26, 0.40)
    valley = np.clip(np.abs(axis - x) * between(board, 1.2, 2.6), 0, 1) ** 0.8
    notch = 1 - 0.20 * np.exp(-(((axis - x) / 0.05) ** 2))
    crest = tall * notch * (0.55 + 0.40 * valley + 0.22 * parts.crests(board.rng, 1.0))
    return np.asarray(crest, np.float32)

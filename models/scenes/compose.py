"""Composition: which masses and things a scene has, and where.

Role: the painter's chance. Draws a layout at random and paints it from back to front on a
`Board`. Invariants: every choice comes from the board's generator; what stands at the far shore
is painted before the water, so that it is mirrored. Knows no colours.
"""

from __future__ import annotations

import numpy as np

from models.scenes import backdrop, objects
from models.scenes.board import Board, Brush, oval, ridge
from models.scenes.light import Array

GROUNDS = ("meadow", "water", "shore", "lake", "sand", "snow", "sea")
GROUND_ODDS = (0.26, 0.10, 0.22, 0.18, 0.08, 0.10, 0.06)


def compose(board: Board, *, sun: bool) -> None:
    """Paint one whole random scene."""
    rng = board.rng
    horizon = float(rng.uniform(0.36, 0.68))
    backdrop.paint_sky(board, horizon)
    if sun:
        backdrop.paint_sun(board, float(rng.uniform(0.035, 0.10)))
    _clouds(board, horizon)
    _mountains(board, horizon)
    kind = str(rng.choice(GROUNDS, p=GROUND_ODDS))
    shore = _ground(board, kind, horizon)
    if board.light.foggy:
        backdrop.paint_fog(board, horizon)
    _things(board, kind, horizon, shore)
    objects.glow_lamps(board)


def _clouds(board: Board, horizon: float) -> None:
    rng = board.rng
    for _ in range(int(rng.choice([0, 1, 2, 3, 4], p=[0.3, 0.2, 0.2, 0.2, 0.1]))):
        place = rng.uniform(0, 1), rng.uniform(0.08, horizon * 0.75)
        backdrop.paint_cloud(board, *place, float(rng.uniform(0.16, 0.50)))


def _mountains(board: Board, horizon: float) -> None:
    rng = board.rng
    layers = int(rng.choice([0, 1, 2, 3], p=[0.2, 0.32, 0.3, 0.18]))
    for layer in range(layers):
        near = layer / max(1, layers - 1) if layers > 1 else float(rng.uniform(0.3, 1))
        height = float(rng.uniform(0.10, 0.34)) * (1.15 - 0.45 * near)
        line = _peaks(board, height) if rng.random() < 0.45 else _range(board, height)
        foot = horizon + 0.03
        backdrop.paint_mountain(board, horizon - line, 0.62 - 0.50 * near, foot)


def _range(board: Board, height: float) -> Array:
    pieces = int(board.rng.integers(2, 6))
    rough = ridge(board.rng, board.size, pieces, 0.50, 5)
    return np.asarray(height * (0.62 + 0.42 * rough), np.float32)


def _peaks(board: Board, height: float) -> Array:
    """One to three single mountains with bare sky between: what people draw first."""
    rng = board.rng
    axis = np.linspace(0, 1, board.size)
    line = np.full(board.size, -0.2)
    for _ in range(int(rng.integers(1, 4))):
        centre, half = rng.uniform(0.05, 0.95), height * rng.uniform(0.8, 1.7)
        rise = 1 - np.abs(axis - centre) / half
        line = np.maximum(line, height * rng.uniform(0.7, 1.2) * rise)
    return np.asarray(line + 0.06 * height * ridge(rng, board.size, 9, 0.6, 4), np.float32)


def _rolling(board: Board, height: float, swing: float) -> Array:
    line = ridge(board.rng, board.size, int(board.rng.integers(2, 4)), 0.3, 2)
    smooth = np.convolve(np.pad(line, 24, "edge"), np.hanning(49) / np.hanning(49).sum(), "valid")
    return np.asarray(height - swing * smooth, np.float32)


def _ground(board: Board, kind: str, horizon: float) -> float:
    """Paint the ground; answers the line that near things stand below."""
    rng = board.rng
    land = "meadow" if rng.random() < 0.75 else str(rng.choice(["sand", "snow"]))
    if kind == "sea":
        land = "sand"
    if kind in ("water", "shore", "sea"):
        if kind == "shore" and rng.random() < 0.7:
            backdrop.paint_hill(board, _rolling(board, horizon - 0.02, 0.03), land, 0.35)
        far = _far_things(board, horizon)
        backdrop.paint_water(board, (board.y > far).astype(np.float32), far)
        if kind == "water":
            return 2.0
        near = float(rng.uniform(far + 0.12, 0.92))
        _bands(board, near, land, 0.06, 1)
        return near
    material = kind if kind in ("sand", "snow") else land if kind == "lake" else "meadow"
    _bands(board, horizon, material, 0.05, int(rng.integers(1, 4)))
    if kind == "lake":
        _lake(board, horizon)
    return horizon


def _bands(board: Board, start: float, material: str, swing: float, count: int) -> None:
    """Overlapping folds of ground from `start` to the lower edge."""
    tops = []
    for place in np.linspace(0, 1, count + 1)[:-1]:
        top = _rolling(board, start + (1 - start) * float(place) * 0.8, swing)
        distance = 0.30 * (1 - float(place)) * (1 - start) * 1.5
        backdrop.paint_hill(board, top, material, min(0.45, distance))
        tops.append(top)
    backdrop.ripple_sand(board, tops[1:])


def _far_things(board: Board, horizon: float) -> float:
    """A wood or a hamlet at the far shore; answers the water's line."""
    rng = board.rng
    if rng.random() < 0.6:
        with board.brush() as brush:
            _wood(board, brush, horizon + 0.004, int(rng.integers(4, 16)), (0.03, 0.09))
            if rng.random() < 0.4:
                x, w = float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.06, 0.11))
                objects.draw_house(board, brush, x, horizon + 0.004, w, 0.2)
    return horizon


def _wood(
    board: Board, brush: Brush, foot: float, count: int, heights: tuple[float, float]
) -> None:
    rng = board.rng
    centre, spread = rng.uniform(0, 1), rng.uniform(0.1, 0.35)
    pointed = rng.random() < 0.6
    for x in centre + spread * rng.uniform(-1, 1, count):
        draw = objects.draw_conifer if pointed else objects.draw_round_tree
        draw(board, brush, float(x), foot, float(rng.uniform(*heights)), 0.30)


def _lake(board: Board, horizon: float) -> None:
    rng = board.rng
    x, y = float(rng.uniform(0.2, 0.8)), float(rng.uniform(horizon + 0.12, 0.86))
    across = float(rng.uniform(0.15, 0.45))
    down = min(across * float(rng.uniform(0.22, 0.4)), y - horizon - 0.02)
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    wobble = 1 + 0.12 * np.sin(turn * 3 + rng.uniform(0, 6)) + 0.06 * np.sin(turn * 5)
    edge_x, edge_y = x + across * wobble * np.cos(turn), y + down * wobble * np.sin(turn)
    shape = list(zip(edge_x, edge_y, strict=True))
    backdrop.paint_water(board, board.mask([shape]), y - down * 1.05)


def _things(board: Board, kind: str, horizon: float, shore: float) -> None:
    rng = board.rng
    if shore < 0.8 and kind != "lake" and rng.random() < 0.34:
        end = (float(rng.uniform(0.2, 0.8)), shore + 0.03)
        objects.draw_path(board, float(rng.uniform(0.1, 0.9)), end, float(rng.uniform(-0.12, 0.12)))
    with board.brush() as brush:
        if shore < 0.85 and kind != "sand" and board.light.season != "winter":
            for _ in range(int(rng.choice([0, 1, 2], p=[0.62, 0.25, 0.13]))):
                x, y = float(rng.uniform(0.05, 0.95)), float(rng.uniform(shore + 0.12, 1.0))
                objects.draw_flowers(board, brush, x, y, float(rng.uniform(0.06, 0.25)))
        for foot, draw in sorted(_standing(board, shore, horizon), key=lambda item: item[0]):
            _stand(board, brush, draw, foot, horizon)


def _standing(board: Board, shore: float, horizon: float) -> list[tuple[float, str]]:
    """Feet and kinds of the near things; now and then one floats, as a newcomer may draw it."""
    rng = board.rng
    if shore > 1:
        return []
    trees = int(rng.choice([0, 1, 2, 4, 7, 11], p=[0.2, 0.18, 0.2, 0.2, 0.14, 0.08]))
    pointed = rng.random()
    kinds = ["conifer" if rng.random() < pointed else "round" for _ in range(trees)]
    kinds += ["house"] * int(rng.choice([0, 1, 2, 3], p=[0.62, 0.24, 0.09, 0.05]))
    low = horizon - 0.15 if rng.random() < 0.08 else shore + 0.05
    return [(float(rng.uniform(low, 1.02)), kind) for kind in kinds]


def _stand(board: Board, brush: Brush, kind: str, foot: float, horizon: float) -> None:
    rng = board.rng
    near = float(np.clip((foot - horizon) / (1.02 - horizon), 0, 1))
    x, far = float(rng.uniform(0.02, 0.98)), 0.30 * (1 - near) ** 1.5
    _shadow(board, brush, x, foot, 0.02 + 0.05 * near)
    if kind == "house":
        width = (0.09 + 0.20 * near) * float(rng.uniform(0.8, 1.25))
        objects.draw_house(board, brush, x, foot, width, far)
    else:
        height = (0.09 + 0.38 * near) * float(rng.uniform(0.6, 1.2))
        draw = objects.draw_conifer if kind == "conifer" else objects.draw_round_tree
        draw(board, brush, x, foot, height, far)


def _shadow(board: Board, brush: Brush, x: float, foot: float, width: float) -> None:
    """A cast shadow on the side away from the light: the ground's own colour, darker."""
    cx = x - board.light.side * width * 0.8
    row = int(np.clip(foot * board.size, 0, board.size - 1))
    column = int(np.clip(cx * board.size, 0, board.size - 1))
    colour = brush.pixels[row, column].astype(np.float32) / 255 * 0.70
    brush.fill(oval(cx, foot, width * 1.4, width * 0.22), colour)

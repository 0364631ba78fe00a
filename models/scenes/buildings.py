"""Buildings: cottages and lighthouses that fill a box, with lamps lit when it is dark.

Role: small crisp shapes drawn with a `Brush`. All cottages are alike but for their size: white
walls, red roofs, the front end towards the picture's middle; what no canvas tells, a network could
only blur. Boxes are left, upper, right, lower in picture widths; `far` 0 (near) to 1 fades. Knows
nothing of where things go.
"""

from __future__ import annotations

import numpy as np

from models.scenes.board import Board, Brush
from models.scenes.light import Array, mix, rgb
from models.scenes.plan import Points

Box = tuple[float, float, float, float]
CHIMNEY = rgb((0.55, 0.47, 0.44))
FRAME = rgb((0.45, 0.30, 0.22))
WINDOWS = ((0.29, 0.22), (0.58, 0.20), (0.82, 0.20))
SLENDER = 1.9  # so many times higher than wide is a tower
WALL, GABLE = ((0.42, -0.02), (1, -0.02), (1, 0.42), (0.42, 0.42)), (0.42, -0.02)
PLANES: tuple[tuple[str, tuple[tuple[float, float], ...], float, float], ...] = (
    # of what; where, in house widths along from the front corner and up from the foot; its light
    # where the front is in the shade; how much more there is where the front is lit
    ("wall", ((0, -0.02), GABLE, (0.42, 0.42), (0.21, 0.80), (0, 0.42)), 0.12, 0.83),
    ("wall", WALL, 0.86, -0.83),
    ("eaves", ((0.42, 0.34), (1, 0.34), (1, 0.42), (0.42, 0.42)), 0.44, -0.42),
    ("stone", ((0.76, 0.62), (0.86, 0.62), (0.86, 0.95), (0.76, 0.95)), 0.40, 0.0),
    ("roof", ((0.21, 0.83), (0.92, 0.83), (1.05, 0.37), (0.46, 0.37)), 0.98, -0.50),
    ("roof", ((0.21, 0.83), (0.92, 0.83), (0.95, 0.72), (0.26, 0.72)), 1.05, -0.33),
    ("roof", ((0.21, 0.83), (-0.06, 0.36), (-0.06, 0.43), (0.21, 0.90)), 0.07, 0.50),
    ("roof", ((0.21, 0.83), (0.46, 0.37), (0.46, 0.44), (0.21, 0.90)), 0.60, 0.0),
)


def paint_house(board: Board, box: Box, far: float) -> None:
    """A cottage that fills its box; a lighthouse if that is slender."""
    left, upper, right, lower = box
    where = board.window(left - 0.02, upper - 0.02, right + 0.02, lower + 0.02)
    before = board.image[where].copy()
    with board.brush(where) as brush:
        if lower - upper > SLENDER * (right - left):
            _lighthouse(board, brush, ((left + right) / 2, lower, (lower - upper) / 3.24), far)
        else:
            _cottage(board, brush, box, far)
    board.label(np.abs(board.image[where] - before).max(-1) > 0.02, "house", where)


def _cottage(board: Board, brush: Brush, box: Box, far: float) -> None:
    """Gable, long side, roof, chimney, door, windows that shine when it is dark."""
    light, (left, upper, right, lower) = board.light, box
    turn = -1 if left + right < 1 else 1
    across, high = (right - left) / 1.11, (lower - upper) / 0.92
    start = left + across * 0.061 if turn > 0 else right - across * 0.061

    def at(places: tuple[tuple[float, float], ...]) -> Points:
        return [(start + turn * across * along, lower - high * up) for along, up in places]

    def pane(along: float, up: float, a: float, u: float, colour: Array) -> None:
        corners = ((-a, -u), (a, -u), (a, u), (-a, u))
        brush.fill(at(tuple((along + da, up + du) for da, du in corners)), colour)

    wall, roof = light.base("wall"), light.base("snow" if light.season == "winter" else "roof")
    bases = {"wall": wall, "eaves": wall * 0.8, "stone": CHIMNEY, "roof": roof}
    lit = float(turn == -light.side)
    for name, places, amount, more in PLANES:
        brush.fill(at(places), light.lit(bases[name], amount + more * lit, far))
    pane(0.13, 0.11, 0.072, 0.13, light.lit("trunk", 0.5, far))
    for along, up in WINDOWS:
        pane(along, up, 0.072, 0.098, light.lit(FRAME, 0.6, far))
        pane(along, up, 0.054, 0.078, _glass(board, far))
    if light.dark:
        board.lamps += [(x, y, across * 0.26) for x, y in at(WINDOWS)]


def _glass(board: Board, far: float) -> Array:
    light = board.light
    if light.dark:
        return mix((1.0, 0.82, 0.38), light.haze, far * 0.4)
    return mix(light.lit("window", 0.7, far), light.sky[1], 0.25)


def _lighthouse(board: Board, brush: Brush, place: tuple[float, float, float], far: float) -> None:
    """A banded tower; its lamp shines when it is dark."""
    light, (x, y, w) = board.light, place
    high, red, white = w * 2.7, rgb((0.84, 0.25, 0.20)), rgb((0.97, 0.95, 0.92))

    def half(up: float) -> float:
        return w * (0.36 - 0.15 * up)

    for band in range(5):
        low, top = band / 5, (band + 1) / 5
        hue = red if band % 2 else white
        for lit, inner in ((0.10, -1.0), (0.55, -0.25), (1.0, 0.3)):
            edge = (inner * light.side, 1.0 * light.side)
            shape = [(x + e * half(u), y - high * u) for e, u in
                     ((edge[0], low), (edge[1], low), (edge[1], top), (edge[0], top))]  # fmt: skip
            brush.fill(shape, light.lit(hue, lit, far))
    _pane(brush, x, y - high * 1.0, w * 0.30, w * 0.05, light.lit("window", 0.3, far))
    _pane(brush, x, y - high * 1.06, w * 0.15, w * 0.16, _glass(board, far))
    eave, tip = y - high * 1.10, (x, y - high * 1.2)
    brush.fill([(x - w * 0.22, eave), (x + w * 0.22, eave), tip], light.lit(red, 0.6, far))
    if light.dark:
        board.lamps.append((x, y - high * 1.06, w * 0.9))


def _pane(brush: Brush, x: float, y: float, across: float, up: float, colour: Array) -> None:
    brush.fill(
        [(x - across, y - up), (x + across, y - up), (x + across, y + up), (x - across, y + up)],
        colour,
    )


def glow_lamps(board: Board) -> None:
    """Warm light around lit windows."""
    strength = {"night": 0.50, "sunset": 0.20}.get(board.light.time, 0.25)
    warm = rgb((0.80, 0.50, 0.16))
    for x, y, radius in board.lamps:
        reach = radius * 2.6
        where = board.window(x - reach, y - reach, x + reach, y + reach)
        away = ((board.x[where] - x) ** 2 + (board.y[where] - y) ** 2) / (radius * radius)
        near = (np.exp(-away) * strength)[..., None] * warm
        board.image[where] += near * np.clip(1.0 - board.image[where], 0, 1)

"""Rain and driven snow over a finished painting.

Role: the strokes between the eye and the scene, and the veil behind them. Strokes are hatched, all
alike and evenly staggered, as printmakers do it: strokes strewn by chance are what no network can
foresee, and it paints cracks instead. Flakes lie on a grid for the same reason. Coordinates in
picture widths; the labels stay. Knows nothing of composition.
"""

from __future__ import annotations

import numpy as np

from models.scenes.board import SQUARES, Board, ink, snapped
from models.scenes.light import Array, mix, rgb

LONG, EVERY = 2.5, 4.0  # squares down: of a stroke, and from one to the next below it
STAGGER = np.array([0, 3, 6, 1, 4, 7, 2, 5]) / 8  # of eight side by side, a share of `EVERY`
LEAN = {"rain": 1 / 8, "storm": 3 / 8}
"""Across per down. Eight squares down, strokes are one (three) further: the hatching repeats."""
FLAKES = 190
WIDE = 1 / 256  # of a stroke


def paint_rain(board: Board, rng: np.random.Generator) -> None:
    """A hatching of rain, more slanted in a storm; flakes in a winter storm. Clear skies draw none,
    but the draws are always made."""
    light = board.light
    x, y = rng.uniform(0, 1, FLAKES), rng.uniform(0, 1, FLAKES)
    near = rng.random(FLAKES)
    if not light.wet:
        return
    veil = np.clip(0.10 + 0.14 * (1 - board.y), 0, 1).astype(np.float32)
    board.lay(veil, light.haze)
    if light.season == "winter" and light.weather == "storm":
        _snow(board, snapped(x), snapped(y), near)
    else:
        _hatch(board)


def _snow(board: Board, x: Array, y: Array, near: Array) -> None:
    flake = ink(rgb((0.97, 0.98, 1.0)))
    with board.brush() as brush:
        for fx, fy, size in zip(x, y, near, strict=True):
            brush.disc(fx, fy, 0.0034 + 0.0040 * (size > 0.6), flake)


def _hatch(board: Board) -> None:
    """A stroke in every square across, its wind from the left."""
    light = board.light
    lean = LEAN[light.weather]
    pale = ink(mix(light.haze, (1.0, 1.0, 1.0), 0.55 if light.time != "night" else 0.3))
    before = board.image.copy()
    with board.brush() as brush:
        for column in range(-round(lean * SQUARES) - 1, SQUARES + 1):
            for row in range(-1, round(SQUARES / EVERY) + 1):
                top = (row + float(STAGGER[column % 8])) * EVERY
                ends = [
                    ((column + lean * down + 0.5) / SQUARES, down / SQUARES)
                    for down in (top, top + LONG)
                ]
                brush.line(ends, WIDE, pale)
    board.image += (before - board.image) * np.float32(0.55)

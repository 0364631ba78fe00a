"""Rain and driven snow over a finished painting.

Role: the strokes between the eye and the scene, and the veil behind them. Strokes are hatched, all
alike and evenly staggered, as printmakers do it: strokes strewn by chance are what no network can
foresee, and it paints cracks instead. Flakes lie on a grid for the same reason. Coordinates in
picture widths; the labels stay. Knows nothing of composition.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from models.scenes.board import SQUARES, Board, ink
from models.scenes.light import mix, rgb

TILE = 4  # squares each way after which the hatching repeats: as far apart as the network's
# coarsest places; what repeats less often it can't know the phase of
STARTS = (0.0, 2.0, 1.0, 3.0)  # squares down, of the strokes side by side in a tile
LONG = 2.4  # squares down, of a stroke
LEAN = {"rain": 0.2, "storm": 0.6}  # across per down
WIDE = 1 / 256  # of a stroke


def paint_rain(board: Board) -> None:
    """A hatching of rain, more slanted in a storm; flakes in a winter storm. Clear skies have
    none."""
    light = board.light
    if not light.wet:
        return
    veil = np.clip(0.10 + 0.14 * (1 - board.y), 0, 1).astype(np.float32)
    board.lay(veil, light.haze)
    if light.season == "winter" and light.weather == "storm":
        _snow(board)
    else:
        _hatch(board)


def _snow(board: Board) -> None:
    flake = ink(rgb((0.97, 0.98, 1.0)))
    with board.brush() as brush:
        for fx, fy, size in zip(*board.chance.peaks(2 * SQUARES, 1.3), strict=True):
            brush.disc(fx, fy, 0.0034 + 0.0040 * (size > 2.0), flake)


def _hatch(board: Board) -> None:
    """A stroke in every column of squares of a tile, its wind from the left."""
    light = board.light
    lean = LEAN[light.weather]
    pale = ink(mix(light.haze, (1.0, 1.0, 1.0), 0.55 if light.time != "night" else 0.3))
    before, tops = board.image.copy(), range(-TILE, SQUARES, TILE)
    with board.brush() as brush:
        for column, top in product(range(-TILE, SQUARES), tops):
            x, y = column + 0.5, top + STARTS[column % TILE]
            ends = [(x, y), (x + lean * LONG, y + LONG)]
            brush.line([(u / SQUARES, v / SQUARES) for u, v in ends], WIDE, pale)
    board.image += (before - board.image) * np.float32(0.55)

"""Rain and driven snow over a finished painting.

Role: the streaks between the eye and the scene, and the veil behind them. Coordinates in picture
widths; the labels stay. Knows nothing of composition.
"""

from __future__ import annotations

import numpy as np

from models.scenes.board import Board, ink
from models.scenes.light import mix, rgb

COUNT = {"rain": 150, "storm": 190}


def paint_rain(board: Board, rng: np.random.Generator) -> None:
    """Streaks of two depths, slanted in a storm; flakes in a winter storm. Clear skies draw none,
    but the draws are always made."""
    light = board.light
    x, y = rng.uniform(-0.1, 1.1, 190), rng.uniform(-0.05, 1.0, 190)
    long, near = rng.uniform(0.6, 1.3, 190), rng.random(190)
    if not light.wet:
        return
    count = COUNT[light.weather]
    veil = np.clip(0.10 + 0.14 * (1 - board.y), 0, 1).astype(np.float32)
    board.lay(veil, light.haze)
    slant = -0.10 * light.side if light.weather == "rain" else -0.42 * light.side
    pale = mix(light.haze, (1.0, 1.0, 1.0), 0.45 if light.time != "night" else 0.25)
    streak, flake = ink(pale), ink(rgb((0.97, 0.98, 1.0)))
    before = board.image.copy()
    with board.brush() as brush:
        for i in range(count):
            length = (0.035 + 0.055 * (near[i] > 0.6)) * long[i]
            if light.season == "winter" and light.weather == "storm":
                brush.disc(x[i], y[i], 0.0028 + 0.0045 * near[i], flake)
                continue
            end = (x[i] + slant * length, y[i] + length)
            brush.line([(x[i], y[i]), end], 0.0034 if near[i] > 0.6 else 0.0018, streak)
    board.image += (before - board.image) * np.float32(0.52)

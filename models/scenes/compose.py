"""Composition: which masses and things a scene has, and where.

Role: the painter's chance. Draws one of the layouts and paints it from back to front on a `Board`.
Invariants: every choice comes from the board's generator, in an order that neither words nor size
change; what stands at a shore is painted before the water, so that it is mirrored. Knows no
colours.
"""

from __future__ import annotations

import numpy as np

from models.scenes import buildings, parts, rain, sky
from models.scenes.board import Board
from models.scenes.layouts import LAYOUTS

ODDS = {
    "lake": 0.12, "coast": 0.09, "village": 0.09, "clearing": 0.07, "valley": 0.09, "dunes": 0.05,
    "plain": 0.06, "flowers": 0.07, "island": 0.06, "fall": 0.05, "lone": 0.06, "forest": 0.06,
    "garden": 0.06, "free": 0.07,
}  # fmt: skip
HORIZONS = {
    "flowers": (0.34, 0.62), "coast": (0.34, 0.60), "fall": (0.52, 0.68), "forest": (0.50, 0.62),
    "garden": (0.36, 0.52),
}  # fmt: skip


def compose(board: Board, radius: float) -> None:
    """Paint one whole random scene; `radius` is the sun's."""
    rng, light = board.rng, board.light
    kind = str(rng.choice(list(ODDS), p=list(ODDS.values())))
    horizon = float(rng.uniform(*HORIZONS.get(kind, (0.36, 0.66))))
    sky.paint_sky(board, horizon)
    place, bolt, flakes, stars = float(rng.uniform(0, 1)), *(board.fork() for _ in range(3))
    sky.paint_milky_way(board, place, float(rng.uniform(-0.9, 0.9)))
    if light.wet:
        sky.paint_overcast(board, place, horizon)
    if light.seen:
        sky.paint_sun(board, radius)
    parts.clouds(board, horizon)
    if light.weather == "storm":
        sky.paint_lightning(board, bolt, horizon)
    LAYOUTS[kind](board, horizon)
    sky.paint_stars(board, stars, horizon)
    _air(board, horizon, place)
    rain.paint_rain(board, flakes)
    buildings.glow_lamps(board)
    np.clip(board.image, 0, 1, out=board.image)


def _air(board: Board, horizon: float, place: float) -> None:
    """Mist and shafts of light, as the weather has them."""
    light = board.light
    if light.foggy:
        sky.paint_fog(board, place, horizon + 0.03, 0.12, 0.72)
        sky.paint_fog(board, place + 0.4, 0.92, 0.10, 0.35)
    strength = {"dawn": 0.55, "day": 0.22, "sunset": 0.65, "night": 0.25}[light.time]
    if light.weather in ("clear", "fog"):
        sky.paint_rays(board, 0.3, 0.6 * strength * (1.3 if light.foggy else 0.8))

"""The painter that follows a drawing: from a label map, words and a tile of chance to a picture.

Role: the truth that `scenes` learns. Whatever isn't in map and words is one of `chance.TILES`
tiles, so that a canvas leaves nothing to guess. Invariants: the same map, words and tile give the
same picture; another size gives the same, finer. Knows nothing of networks and of how the map came
about.
"""

from __future__ import annotations

import numpy as np

from models.scenes import buildings, rain, reveal, sky
from models.scenes.board import Board
from models.scenes.chance import TILES, tile as chance_of
from models.scenes.foliage import show_trees
from models.scenes.light import Light
from models.scenes.mountains import show_mountains
from models.scenes.plan import Labels
from models.scenes.regions import WATER, behind, horizon_of, resized, sun_of
from models.scenes.styles import render
from models.scenes.things import show_houses, standing


def repaint(labels: Labels, words: dict[str, str], tile: int, size: int) -> Labels:
    """The picture (size, size, 3) uint8 of a whole label map (h, h)."""
    labels = resized(labels, size)
    ground = behind(labels)
    horizon, sun = horizon_of(ground), sun_of(labels)
    chance = chance_of(tile % TILES, size)
    board = Board(size, _light(words, sun), chance)
    _sky(board, labels, horizon, sun)
    show_mountains(board, ground, horizon)
    reveal.show_land(board, ground)
    reveal.show_path(board, labels)
    reveal.show_flowers(board, labels)
    houses = standing(labels)
    show_houses(board, houses)
    show_trees(board, labels)
    if (labels == WATER).any():
        reveal.show_water(board, ground, labels)
    board.labels[:] = labels
    sky.paint_stars(board, horizon)
    _air(board, horizon)
    rain.paint_rain(board)
    buildings.glow_lamps(board)
    np.clip(board.image, 0, 1, out=board.image)
    return render(board, words["style"])


def _light(words: dict[str, str], sun: tuple[float, float, float] | None) -> Light:
    x, y = sun[:2] if sun else (-0.25, 0.12)
    return Light(words["time"], words["season"], words["weather"], x, y, sun is not None)


def _sky(
    board: Board, labels: Labels, horizon: float, sun: tuple[float, float, float] | None
) -> None:
    sky.paint_sky(board, horizon)
    sky.paint_milky_way(board)
    if board.light.wet:
        sky.paint_overcast(board, 0.5)
    if sun:
        sky.paint_sun(board, sun[2])
    reveal.show_clouds(board, labels)
    if board.light.weather == "storm":
        sky.paint_lightning(board, horizon)


def _air(board: Board, horizon: float) -> None:
    light = board.light
    if light.foggy:
        sky.paint_fog(board, horizon + 0.03, 0.12, 0.72)
        sky.paint_fog(board, 0.92, 0.10, 0.35)
    strength = {"dawn": 0.55, "day": 0.22, "sunset": 0.65, "night": 0.25}[light.time]
    if light.weather in ("clear", "fog"):
        sky.paint_rays(board, 0.6 * strength * (1.3 if light.foggy else 0.8))

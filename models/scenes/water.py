"""Water: what stands at it upside down, ripples in perspective, the sun's lane, foam and falls.

Role: paint water on a `Board` after everything that it mirrors. Coordinates in picture widths.
Knows nothing of composition.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.scenes.board import Board, smoothstep
from models.scenes.light import DISC, Array, mix, rgb
from models.scenes.palette import MATERIALS

ROUGHER = 1.06
ROUGH = {"clear": 1.0, "fog": 0.5, "rain": 1.5, "storm": 2.6}


def paint_water(board: Board, alpha: Array, shore: float) -> None:
    """Water where `alpha` (size, size), that reaches back to the height `shore` and mirrors what
    stands above it."""
    light, where = board.light, board.rows(shore)
    size, x, y = board.size, board.x[where], board.y[where]
    depth = np.clip(y - shore, 0, 1)
    rough = ROUGH[light.weather] * ROUGHER
    wave = board.chance.soft(3.0 / (np.clip(board.y - shore, 0, 1) + 0.12), 8.0)[where]
    rows = (shore - (y - shore) * 1.05 + wave * rough * (0.002 + 0.045 * depth)) * size - 0.5
    columns = x * size - 0.5 + wave * rough * size * 0.012 * depth
    image = cv2.remap(board.image, columns.astype(np.float32), rows.astype(np.float32),
                       cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)  # fmt: skip
    own = mix(light.lit("water", 0.5), light.sky[0], 0.25)
    deep = np.clip(0.26 + 0.75 * depth + 0.10, 0, 0.86)
    colour = mix(image, own, deep[..., None])
    colour = _ripples(board, colour, wave, depth, rough)
    colour += _lane(board, x, wave, depth)
    board.lay(alpha[where], np.clip(colour, 0, 1), "water", where)


def _ripples(board: Board, colour: Array, wave: Array, depth: Array, rough: float) -> Array:
    """Crests that catch the sky and troughs that don't, crisp and few."""
    light = board.light
    near = np.clip(depth * 5, 0.12, 1) * min(1.0, 0.22 + 0.22 * rough)
    crest = smoothstep(0.75, 0.95, wave) * near * 0.55
    trough = smoothstep(0.70, 0.95, -wave) * near * 0.28
    pale = mix(light.haze, light.sky[2], 0.5)
    colour = mix(colour, pale, crest[..., None])
    if light.weather == "storm":
        foam = smoothstep(1.45, 1.6, wave) * np.clip(depth * 6, 0, 1)
        colour = mix(colour, light.lit("snow", 0.8), foam[..., None] * 0.9)
    return np.asarray(colour * (1 - trough[..., None]))


def _lane(board: Board, x: Array, wave: Array, depth: Array) -> Array:
    """The sun's or moon's light on the water, if it is seen in the sky."""
    light = board.light
    if not light.seen or light.wet or MATERIALS.index("sun") not in board.labels:
        return np.zeros((*x.shape, 1), np.float32)
    width = 0.020 + 0.16 * depth
    off = np.abs(x - light.sun_x) / width
    lane = smoothstep(-0.35, 0.15, wave * 0.75 + 0.9 - off) * np.exp(-depth * 0.8)
    soft = np.exp(-(off**2) * 0.3) * 0.20
    strength = {"dawn": 0.55, "day": 0.42, "sunset": 0.75, "night": 0.55}[light.time]
    strength *= 0.35 if light.foggy else 1.0
    spark = (lane * (0.55 + 0.45 * (wave > -0.2)) + soft) * strength
    return np.asarray(spark[..., None] * rgb(DISC[light.time]) * 0.8, np.float32)

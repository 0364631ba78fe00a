"""Water: what stands at it upside down, ripples in perspective, the sun's lane, foam and falls.

Role: paint water on a `Board` after everything that it mirrors. Coordinates in picture widths.
Knows nothing of composition.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.scenes.board import Board, Points, smoothstep
from models.scenes.light import DISC, Array, mix, rgb
from models.scenes.palette import MATERIALS

ROUGH = {"clear": 1.0, "fog": 0.5, "rain": 1.5, "storm": 2.6}


def paint_water(
    board: Board,
    alpha: Array,
    shore: float,
    place: float,
    calm: float = 1.0,
    mirror: float | None = None,
) -> None:
    """Water where `alpha`, that reaches back to the line `shore`; `calm` 1 is a mirror. What it
    mirrors lies above the line `mirror`, if that isn't the shore."""
    mirror = shore if mirror is None else mirror
    light, where = board.light, board.rows(mirror)
    size, x, y = board.size, board.x[where], board.y[where]
    alpha = alpha[where]
    depth = np.clip(y - shore, 0, 1)
    calm = 0.6  # a canvas doesn't tell
    rough = ROUGH[light.weather] * (1.6 - 0.9 * calm)
    wave = board.chance.soft(3.0 / (np.clip(board.y - shore, 0, 1) + 0.12), 8.0)[where]
    rows = (mirror - (y - mirror) * 1.05 + wave * rough * (0.002 + 0.045 * depth)) * size - 0.5
    columns = x * size - 0.5 + wave * rough * size * 0.012 * depth
    image = cv2.remap(board.image, columns.astype(np.float32), rows.astype(np.float32),
                       cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)  # fmt: skip
    own = mix(light.lit("water", 0.5), light.sky[0], 0.25)
    deep = np.clip(0.26 + 0.75 * depth + (1 - calm) * 0.25, 0, 0.86)
    colour = mix(image, own, deep[..., None])
    colour = _ripples(board, colour, wave, depth, rough)
    colour += _lane(board, x, wave, depth)
    board.lay(alpha, np.clip(colour, 0, 1), "water", where)


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


def paint_foam(board: Board, line: Array, place: float) -> None:
    """A broken white rim along a beach (`line`: heights (size,)), and wet sand below it."""
    light = board.light
    shift = 0.006 * board.chance.field(12)
    edge = board.y - line - shift
    wet = smoothstep(0.05, 0.0, edge) * (edge > 0)
    sandy = np.isin(board.labels, (MATERIALS.index("sand"), MATERIALS.index("snow")))
    board.lay((wet * sandy * 0.40).astype(np.float32), board.image * rgb((0.66, 0.70, 0.76)))
    for offset, wide, strong in ((0.0, 0.0045, 0.85), (-0.022, 0.0025, 0.45)):
        rim = np.clip((wide - np.abs(edge - offset)) * board.size + 0.5, 0, 1) * strong
        board.lay(rim.astype(np.float32), light.lit("snow", 0.85))


def paint_fall(board: Board, x: float, top: float, foot: float, width: float, place: float) -> None:
    """A waterfall: a bright ribbon with long streaks, spray at its foot."""
    light = board.light
    t = np.linspace(0, 1, 16)
    half = width * (0.36 + 0.24 * t)
    sway = x + width * 0.22 * np.sin(t * 4 + place * 6)
    y = top + (foot - top) * t
    shape: Points = [
        *zip(sway - half, y, strict=True),
        *zip((sway + half)[::-1], y[::-1], strict=True),
    ]
    mask = board.mask([shape])
    streak = board.chance.field(64, 6)
    tone = 0.45 + 0.55 * smoothstep(-0.1, 0.15, streak)
    colour = mix(light.lit("water", 0.9), light.lit("snow", 1.0), (tone * 0.85)[..., None])
    board.lay(mask, colour, "water")
    away = np.hypot((board.x - x) / (width * 1.6), (board.y - foot) / (width * 0.7))
    torn = 0.75 + 0.25 * board.chance.cloud(16)
    spray = np.clip(1 - away, 0, 1) * torn * 0.9
    board.lay(spray.astype(np.float32), light.lit("snow", 0.9))

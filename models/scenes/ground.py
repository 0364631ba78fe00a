"""Ground: folds of meadow, snow and sand.

Role: broad land from a line of heights downwards. Coordinates in picture widths. Knows nothing of
where land is seen.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.scenes.board import Board, Window, smoothstep
from models.scenes.light import Array, mix


def paint_fold(board: Board, top: Array, material: str, distance: float) -> None:
    """Rolling ground under a line: light at its crest, broad patches of light in perspective."""
    light, where = board.light, board.rows(float(top.min()))
    size, y = board.size, board.y[where]
    depth = np.clip(y - top, 0, 1)
    slope = cv2.GaussianBlur(np.gradient(top)[None] * size, (0, 0), size / 50)[0]
    facing = np.clip(0.50 + 1.1 * slope * light.side, 0.08, 0.95)
    crest = np.exp(-depth * 13)
    fall = np.clip(1 - depth * 2.2, 0, 1)
    patch = _whole(board, where, 1 / (np.clip(board.y - top, 0, 1) + 0.22), 1.1, 4.0)
    blot = 0.15 if material == "meadow" else 0.08
    tone = facing * (0.50 + 0.30 * fall) + 0.26 * crest + blot * smoothstep(-0.25, 0.45, patch)
    tone = tone * (0.88 if material == "meadow" else 1.0) + (0.12 if material != "meadow" else 0)
    if material == "meadow":
        tone += _blades(board, where, depth, top) * (0.25 if light.season == "winter" else 0.8)
    index = np.clip(tone * 255, 0, 255).astype(np.uint8)
    colour = _ground_ramp(board, material)[index]
    if light.wet and light.season != "winter":
        puddles = smoothstep(0.75, 0.90, patch) * np.clip(depth * 6, 0, 1) * 0.45
        colour = mix(colour, mix(light.haze, light.sky[2], 0.7), puddles[..., None])
    air = np.clip(distance * (1 - 0.75 * np.clip(depth * 3, 0, 1)), 0, 1)
    if light.foggy:
        air = np.clip(air + 0.30 * np.clip(1 - y, 0, 1) ** 2, 0, 1)
    cover = np.clip(depth_aa(board, top, where), 0, 1)
    board.lay(cover, mix(colour, light.haze, light.veil(air[..., None])), material, where)


def _whole(board: Board, where: Window, far: Array, waves: float, aspect: float) -> Array:
    """Blobs in perspective, in a window."""
    return board.chance.soft(np.asarray(waves * far, np.float32), aspect)[where]


def _blades(board: Board, where: Window, depth: Array, top: Array) -> Array:
    """Upright dashes of grass, light and dark, larger towards the viewer."""
    dash = _whole(board, where, 1 / (np.clip(board.y - top, 0, 1) + 0.16), 20.0, 0.5)
    near = np.clip(depth * 5 - 0.15, 0, 1)
    return (0.10 * smoothstep(0.9, 1.15, dash) - 0.10 * smoothstep(0.9, 1.15, -dash)) * near


def depth_aa(board: Board, top: Array, where: Window) -> Array:
    """Soft mask of what lies below the line, in a window of whole rows."""
    steep = np.sqrt(1 + (np.gradient(top) * board.size) ** 2)
    cover = np.clip((board.y[where] - top) * (board.size / steep) + 0.5, 0, 1)
    return np.asarray(cover, np.float32)


def _ground_ramp(board: Board, material: str) -> Array:
    """(256, 3): shade cool, light warm, between smooth and stepped."""
    light = board.light
    base = light.base(material)
    stepped = light.ramp(base, 0.0, 5)
    smooth = light.lit(base, np.linspace(0.0, 1.05, 256)[:, None])
    return mix(smooth, stepped, 0.55)

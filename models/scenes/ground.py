"""Ground: meadow, snow and sand in rolling folds.

Role: how land lies is the same picture for every scene of a tile, so it is worked out once; words
give it its colours. Coordinates in picture widths. Knows nothing of where land is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.scenes.board import Board, smoothstep
from models.scenes.light import Array, mix

FOLDS = (-0.05, 0.40, 0.50, 0.62, 0.77)  # heights of their crests, the far before the near
SWING = 0.028


@dataclass(frozen=True)
class Lie:
    """How land lies, each (size, size): `tone` 0 (shade) to 1 (light), `air` before it 0–1, and
    how much of it is a `puddle` after rain."""

    tone: Array
    air: Array
    puddle: Array


def land(board: Board, material: str) -> Array:
    """The whole picture (size, size, 3) as that material."""
    light, meadow = board.light, material == "meadow"
    blades = (0.25 if light.season == "winter" else 0.8) if meadow else 0.0
    kind = (meadow, blades, light.side)
    lie = board.chance.kept(("land", kind), lambda: _lie(board, *kind))
    colour = _ramp(board, material)[np.clip(lie.tone * 255, 0, 255).astype(np.uint8)]
    if light.wet and light.season != "winter":
        colour = mix(colour, mix(light.haze, light.sky[2], 0.7), lie.puddle[..., None])
    air = lie.air
    if light.foggy:
        air = np.clip(air + 0.30 * np.clip(1 - board.y, 0, 1) ** 2, 0, 1)
    return mix(colour, light.haze, light.veil(air[..., None]))


def _lie(board: Board, meadow: bool, blades: float, side: int) -> Lie:
    """Fold over fold."""
    tone, air, puddle = np.zeros((3, board.size, board.size), np.float32)
    for n, top in enumerate(_crests(board)):
        depth = np.clip(board.y - top, 0, 1)
        slope = cv2.GaussianBlur(np.gradient(top)[None] * board.size, (0, 0), board.size / 50)[0]
        facing = np.clip(0.50 + 1.1 * slope * side, 0.08, 0.95)
        patch = board.chance.soft(np.asarray(1.1 / (depth + 0.22), np.float32), 4.0)
        own = facing * (0.50 + 0.30 * np.clip(1 - depth * 2.2, 0, 1)) + 0.26 * np.exp(-depth * 13)
        own += (0.15 if meadow else 0.08) * smoothstep(-0.25, 0.45, patch)
        own = own * 0.88 + _blades(board, depth) * blades if meadow else own + 0.12
        steep = np.sqrt(1 + (np.gradient(top) * board.size) ** 2)
        cover = np.clip((board.y - top) * (board.size / steep) + 0.5, 0, 1)
        distance = max(0.0, 0.42 - 0.13 * n)
        tone += (own - tone) * cover
        air += (distance * (1 - 0.75 * np.clip(depth * 3, 0, 1)) - air) * cover
        wet = smoothstep(0.75, 0.90, patch) * np.clip(depth * 6, 0, 1) * 0.45
        puddle += (wet - puddle) * cover
    return Lie(tone, air, puddle)


def _crests(board: Board) -> list[Array]:
    """Heights (size,) of every fold's crest."""
    lines = []
    for n, height in enumerate(FOLDS):
        swing = board.chance.grid(5, 8)[n]
        bend = cv2.resize(swing[None], (board.size, 1), interpolation=cv2.INTER_CUBIC)
        bend = cv2.GaussianBlur(bend, (0, 0), board.size * 0.06)[0]
        lines.append(np.asarray(height + SWING * bend * (n > 0), np.float32))
    return lines


def _blades(board: Board, depth: Array) -> Array:
    """Upright dashes of grass, light and dark, larger towards the viewer."""
    dash = board.chance.soft(np.asarray(20.0 / (depth + 0.16), np.float32), 0.5)
    near = np.clip(depth * 5 - 0.15, 0, 1)
    return (0.10 * smoothstep(0.9, 1.15, dash) - 0.10 * smoothstep(0.9, 1.15, -dash)) * near


def _ramp(board: Board, material: str) -> Array:
    """(256, 3): shade cool, light warm, between smooth and stepped."""
    light = board.light
    base = light.base(material)
    stepped = light.ramp(base, 0.0, 5)
    smooth = light.lit(base, np.linspace(0.0, 1.05, 256)[:, None])
    return mix(smooth, stepped, 0.55)

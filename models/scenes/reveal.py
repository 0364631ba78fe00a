"""Land and sky as a label map has them: each material a picture of its own, shown where it lies.

Role: what is broad. A material's picture (grass and folds of a meadow, say) depends on words and
chance alone; the map is a window to it, and only light and air at its edges follow the drawing. So
what a network has to know is few pictures, and where to show which. Coordinates in picture widths.
Knows nothing of things.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.scenes import flora, ground, sky, water
from models.scenes.board import Board, smoothstep
from models.scenes.light import Array, mix, rgb
from models.scenes.palette import MATERIALS
from models.scenes.plan import Labels
from models.scenes.regions import (
    CLOUD,
    FLOWER,
    LAND,
    PATH,
    WATER,
    Region,
    regions,
    soft,
)  # fmt: skip


def lit_edges(mask: Array, reach: float) -> Array:
    """-1 to 1 over a mask: how far its edge above is nearer than the one below."""
    size = mask.shape[0]
    wide = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), reach * size)
    step = max(1, round(reach * size))
    upper = np.roll(wide, step, 0)
    upper[:step] = wide[0]
    lower = np.roll(wide, -step, 0)
    lower[-step:] = wide[-1]
    return np.asarray(np.clip((lower - upper) * 1.6, -1, 1), np.float32)


def show_clouds(board: Board, labels: Labels) -> None:
    """Heaps: billowing edges, lit from above (below, at the ends of the day)."""
    chance = board.chance
    puffs = chance.field(16) * 0.55 + chance.field(32) * 0.45
    body = cv2.GaussianBlur((labels == CLOUD).astype(np.float32), (0, 0), board.size * 0.012)
    cover = smoothstep(0.42, 0.60, body + 0.16 * puffs * (body > 0.02))
    if not (cover > 0.1).any():
        return
    rise = lit_edges(cover, 0.035) * 0.80 + lit_edges(cover, 0.012) * 0.45
    tone = 150 + 95 * rise + 26 * np.clip(puffs, -1, 1)
    colour = sky.cloud_ramp(board)[np.clip(tone, 0, 255).astype(np.uint8)]
    board.lay(cover * 0.96, colour)
    board.label(cover > 0.5, "cloud")


def show_land(board: Board, ground_labels: Labels) -> None:
    """Meadow, sand and snow."""
    for number in LAND:
        mask, name = ground_labels == number, MATERIALS[number]
        if not mask.any():
            continue
        crest = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), board.size * 0.02)
        rim = np.clip(lit_edges(mask, 0.02), 0, 1) * (crest < 0.98)
        colour = ground.land(board, name) + 0.10 * rim[..., None] * board.light.beam
        if name == "meadow":
            colour = flora.with_tufts(board, colour)
        board.lay(soft(mask), np.clip(colour, 0, 1))
        board.label(mask, name)


def show_path(board: Board, labels: Labels) -> None:
    """A trodden way: lit in its middle, shaded at its verges."""
    light, mask = board.light, labels == PATH
    if not mask.any():
        return
    inner = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), board.size * 0.014)
    worn = board.chance.soft(14.0 / (np.clip(board.y - 0.3, 0, 1) + 0.2), 3.0)
    tone = np.clip(smoothstep(0.35, 0.85, inner) + 0.14 * worn, 0, 1)[..., None]
    colour = light.lit("path", 0.25 + 0.70 * tone, 0.06)
    if light.wet:
        puddle = smoothstep(0.75, 0.95, inner + 0.2 * worn)[..., None] * 0.6
        colour = mix(colour, mix(light.haze, light.sky[2], 0.6), puddle)
    board.lay(soft(mask), colour)
    board.label(mask, "path")


def show_flowers(board: Board, labels: Labels) -> None:
    """Blossoms over a bed of leaves, larger towards the viewer."""
    light, mask = board.light, labels == FLOWER
    if not mask.any():
        return
    bed = light.lit("meadow", 0.30 + 0.25 * np.clip(board.chance.field(32), -1, 1)[..., None])
    board.lay(soft(mask) * 0.85, bed * rgb((0.72, 0.86, 0.70)))
    board.label(mask, "flower")
    flora.paint_blossoms(board, mask)


def show_water(board: Board, ground_labels: Labels, labels: Labels) -> None:
    """Each water mirrors what stands above its shore."""
    open_water = labels == WATER
    for part in regions(ground_labels, WATER):
        shore = round(part.upper * 64) / 64
        mask = part.mask & open_water
        alpha = soft(mask)
        water.paint_water(board, alpha, shore)
        _shore(board, part)
        board.label(mask, "water")


def _shore(board: Board, part: Region) -> None:
    """A pale rim where water meets land below or beside it."""
    inner = cv2.GaussianBlur(part.mask.astype(np.float32), (0, 0), board.size * 0.006)
    rim = np.clip(1 - np.abs(inner - 0.62) * 5, 0, 1) * part.mask
    rim = rim * np.clip((board.y - part.upper) * 18, 0, 1) * 0.5
    board.lay(rim.astype(np.float32), board.light.lit("snow", 0.8))

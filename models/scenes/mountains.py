"""Mountains: one wall of rock for every scene of a tile, shown where mountains were drawn.

Role: faces and gullies are always in the same place; a drawing's skyline says where they are seen
and where snow lies. Coordinates in picture widths. Knows nothing of other land.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.scenes.board import Board, smoothstep
from models.scenes.light import SNOWLINE, Array, mix
from models.scenes.plan import Labels
from models.scenes.regions import MOUNTAIN, soft

DEEP = 0.30  # below a skyline, as far as it is known how deep a place is
SNOWY = 0.42  # of the season's snow line, in picture widths


def show_mountains(board: Board, ground: Labels, horizon: float) -> None:
    """Rock in flat tones, snow under the skyline, haze towards the horizon."""
    mask = ground == MOUNTAIN
    if not mask.any():
        return
    light = board.light
    crease, tone = board.chance.kept(("rock", light.side), lambda: _rock(board))
    depth = below_skyline(mask)
    rim = np.exp(-depth / 0.012)
    lit = np.clip(tone + 0.18 * rim, 0, 1)
    index = (lit * 255).astype(np.uint8)
    rock = light.ramp(light.base("rock"), 0.0)[index]
    white = light.ramp(light.base("snow"), 0.0, 3)[index]
    line = SNOWY * (SNOWLINE[light.season]) * (0.45 + 0.75 * crease)
    lying = np.clip((line - depth) * board.size * 0.25 + 0.5, 0, 1)
    low = smoothstep(horizon - 0.30, horizon + 0.02, board.y)
    air = light.veil((0.25 + 0.50 * low)[..., None] * 0.92)
    colour = mix(mix(rock, white, lying[..., None]), light.haze, air)
    board.lay(soft(mask), colour)
    board.label(mask, "mountain")


def below_skyline(mask: Array) -> Array:
    """How far each place of a mask lies below the nearest edge above it, up to `DEEP`."""
    size = mask.shape[0]
    run = np.zeros((size, size), np.float32)
    for row in range(1, size):
        run[row] = (run[row - 1] + 1) * mask[row]
    line = np.minimum(run / size, DEEP)
    return np.asarray(cv2.GaussianBlur(line, (0, 0), size * 0.008), np.float32)


def _rock(board: Board) -> tuple[Array, Array]:
    """Creases 0–1, and the tone of faces that turn to the light."""
    x, y = board.x, board.y
    total, carry, gain = np.zeros(x.shape), np.ones(x.shape), 1.0
    for cells in (8, 16, 32, 64):
        field = board.chance.at(board.chance.field(cells), x + 0.35 * y, y * 0.55)
        crest = (1 - np.clip(np.abs(field), 0, 2) / 2) ** 2
        total += gain * crest * carry
        carry, gain = np.clip(crest * 1.4, 0, 1), gain * 0.5
    crease = np.clip(total / 1.7, 0, 1)
    smooth = cv2.GaussianBlur(crease, (0, 0), board.size / 200)
    slope = np.gradient(smooth, axis=1) * board.size / 16
    towards = np.gradient(smooth, axis=0) * board.size / 16
    facing = 0.54 - 0.42 * slope * board.light.side - 0.10 * towards
    tone = 0.30 * np.clip(facing, 0, 1) + 0.70 * smoothstep(0.36, 0.62, facing)
    return np.asarray(crease, np.float32), np.asarray(tone, np.float32)

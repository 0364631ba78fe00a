"""Mountains: a small relief seen from the side, so that ridges, faces and snow belong together.

Role: from a line of heights to rock faces in flat tones, snow and air before them. The relief is
always `ACROSS` × `DEEP` cells, whatever the picture's size. Invariant: what is labelled a mountain
is the shape under its silhouette. Coordinates in picture widths; knows nothing of composition.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.scenes.board import Board, smoothstep
from models.scenes.light import SNOWLINE, Array, mix
from models.scenes.outlines import ACROSS

DEEP = 56
Relief = tuple[Array, Array, Array]  # reach upwards on the picture, tone, snow; (DEEP, ACROSS)


def paint_mountains(board: Board, crest: Array, foot: float, distance: float) -> None:
    """A range of heights `crest` (ACROSS,) over its base `foot`; `distance` 0–1 fades it."""
    light, size = board.light, board.size
    reach, tone, snow = _relief(board, crest, foot)
    reach = cv2.resize(reach, (size, DEEP), interpolation=cv2.INTER_LINEAR)
    top = foot - reach[-1]
    where = board.rows(float(top.min()), foot)
    slices = _slices(board, reach, foot, where)
    columns = board.x[where] * ACROSS - 0.5
    tone = cv2.remap(tone, columns, slices, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    snow = cv2.remap(snow, columns, slices, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    index = np.clip(tone * 255, 0, 255).astype(np.uint8)
    rock = light.ramp(light.base("rock"), 0.0)[index]
    white = light.ramp(light.base("snow"), 0.0, 3)[index]
    lying = np.clip(snow * size * 0.10 + 0.5, 0, 1)[..., None]
    high = max(0.06, float(reach.max()))
    low = np.clip((board.y[where] - (foot - high)) / high, 0, 1)
    air = np.clip(distance + (0.80 - 0.55 * distance) * low**1.7, 0, 1)[..., None]
    colour = mix(mix(rock, white, lying), light.haze, light.veil(air * 0.92))
    base = np.clip((foot - board.y[where]) * size + 0.5, 0, 1)
    cover = np.clip((board.y[where] - top) * size / _steep(top, size) + 0.5, 0, 1) * base
    board.lay(cover.astype(np.float32), colour, "mountain", where)


def _steep(line: Array, size: int) -> Array:
    return np.asarray(np.sqrt(1 + (np.gradient(line) * size) ** 2))


def _relief(board: Board, crest: Array, foot: float) -> Relief:
    """Heights over (DEEP, ACROSS): creased slopes that rise from the viewer to the crest."""
    back = np.linspace(0, 1, DEEP, dtype=np.float32)[:, None]
    along = np.linspace(0, 1, ACROSS, dtype=np.float32)[None]
    crest = np.maximum(crest, 0.0)[None].astype(np.float32)
    rise = np.sin(np.clip(back * 1.12, 0, 1) * np.pi / 2) ** 1.25
    crease = _creases(board, np.broadcast_to(along, (DEEP, ACROSS)), foot - crest * rise)
    spur = (crease - 0.42) * 0.95 * np.sin(back * 3.14) ** 0.8
    height = crest * np.clip(rise + spur, 0, 1.06)
    height[-1] = np.maximum(height[-1], crest[0] * 0.9)
    reach = np.maximum.accumulate(height + back * 0.10 * crest, axis=0)
    tone = _tone(board, height)
    top = max(0.06, float(height.max()))
    line = (1 - SNOWLINE[board.light.season]) * top
    ragged = (crease - 0.45) * 0.30 * top
    snow = height - line + ragged + (tone - 0.5) * 0.10 * top
    return np.asarray(reach, np.float32), tone, np.asarray(snow, np.float32)


def _creases(board: Board, x: Array, y: Array) -> Array:
    """Sharp crests, soft valleys, 0–1: 1 - |noise| in octaves, fine where the last is high."""
    total, carry, gain = np.zeros(x.shape), np.ones(x.shape), 1.0
    for cells in (8, 16, 32, 64):
        field = board.chance.at(board.chance.field(cells), x, y)
        crest = (1 - np.clip(np.abs(field), 0, 2) / 2) ** 2
        total += gain * crest * carry
        carry, gain = np.clip(crest * 1.4, 0, 1), gain * 0.5
    return np.asarray(np.clip(total / 1.7, 0, 1), np.float32)


def _tone(board: Board, height: Array) -> Array:
    """0–1, how far each spot faces the sun; faces towards us are darker when it is behind."""
    slope = np.gradient(height, axis=1) * ACROSS
    towards = np.gradient(height, axis=0) * DEEP
    facing = 0.56 - 0.42 * slope * board.light.side - 0.10 * towards
    fine = cv2.GaussianBlur(np.asarray(facing, np.float32), (0, 0), 0.7)
    return np.asarray(0.30 * np.clip(fine, 0, 1) + 0.70 * smoothstep(0.36, 0.62, fine), np.float32)


def _slices(board: Board, reach: Array, foot: float, where: tuple[slice, slice]) -> Array:
    """For each pixel of the rows, the depth (0 to DEEP - 1) of the slope that is seen there."""
    size, y = board.size, board.y[where]
    rows, first = y.shape[0], where[0].start
    limit = np.clip(np.ceil((foot - reach) * size - 0.5).astype(np.int64) - first, 0, rows)
    flat = limit * size + np.arange(size)[None]
    counts = np.bincount(flat.ravel(), minlength=(rows + 1) * size).reshape(rows + 1, size)
    hidden = np.cumsum(counts[::-1], 0)[::-1][1:]
    upper = np.clip(hidden, 0, DEEP - 1)
    lower = np.clip(hidden - 1, 0, DEEP - 1)
    a, b = np.take_along_axis(reach, lower, 0), np.take_along_axis(reach, upper, 0)
    part = np.clip(((foot - y) - a) / np.maximum(b - a, 1e-5), 0, 1)
    return np.asarray(lower + part, np.float32)

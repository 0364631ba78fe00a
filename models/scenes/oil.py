"""Oil: a picture laid again in brush strokes, with light on the paint.

Role: broad strokes first, finer ones where the picture has detail, each one colour; the paint's
thickness is drawn along and lit from the sun's side. Invariants: strokes lie on jittered grids in
picture widths, as many at every size; where they are and how they lean, a tile says. Knows nothing
of composition.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.scenes import noise
from models.scenes.board import Board, jumps
from models.scenes.chance import Chance
from models.scenes.light import Array
from models.scenes.plan import FINE

LAYERS = ((22, 0.105, 0.036, -1.0), (44, 0.042, 0.0165, 0.022), (68, 0.025, 0.0092, 0.060))
"""Of each layer: strokes across, their length and width, and the least detail that they are for."""
LYING = (0, 1, 4)  # sky, cloud and water
SMALL = (2, 9, 10, 11)  # sun, houses, ways and flowers
WORK = 96  # cells across of the maps of direction and detail


def oil(board: Board, image: Array) -> Array:
    """The picture (size, size, 3) in 0–1, in strokes."""
    size = board.size
    angle, detail = _direction(board)
    paint = np.concatenate([image, np.full((size, size, 1), 0.5, np.float32)], -1)
    paint = np.ascontiguousarray((paint * 255).astype(np.uint8))
    for across, long, wide, least in LAYERS:
        _strokes(paint, image, board.chance, (angle, detail), (across, long, wide, least))
    thick = paint[..., 3].astype(np.float32) / 255
    bristles = noise.window("soft", size, (0.3, 0.6), 2.2, 2.2) * 0.012
    relief = cv2.GaussianBlur(thick + bristles, (0, 0), max(0.5, size * 0.0020))
    slope = cv2.Sobel(relief, cv2.CV_32F, 1, 0) * -board.light.side
    slope += cv2.Sobel(relief, cv2.CV_32F, 0, 1) * 0.8
    shine = np.clip(slope * (size / 256) * 0.085, -0.035, 0.05)
    return np.asarray(
        paint[..., :3] * np.float32(1 / 255) * (1 + shine[..., None]) + shine[..., None] * 0.25
    )


def _direction(board: Board) -> tuple[Array, Array]:
    """Angle of strokes and amount of detail, (WORK, WORK). Strokes lie level on sky and water, and
    lean as the tile has it elsewhere; fine ones are for where one form meets another."""
    lying = np.isin(board.labels, LYING).astype(np.float32)
    level = cv2.resize(lying, (WORK, WORK), interpolation=cv2.INTER_AREA)
    lean = cv2.resize(board.chance.field(6), (WORK, WORK), interpolation=cv2.INTER_AREA)
    edges = jumps(board.labels) + 0.4 * jumps(board.forms)
    edges = cv2.resize(edges, (WORK, WORK), interpolation=cv2.INTER_AREA)
    edges = cv2.GaussianBlur(edges, (0, 0), 1.2)
    small = np.isin(board.labels, SMALL).astype(np.float32)
    small = cv2.resize(small, (WORK, WORK), interpolation=cv2.INTER_AREA)
    angle = (1 - level) * (0.45 + 0.6 * lean) + level * 0.12 * lean
    return angle, np.asarray(0.024 + edges * 1.2 + 0.1 * small, np.float32)


def _strokes(
    paint: Array,
    image: Array,
    chance: Chance,
    maps: tuple[Array, Array],
    layer: tuple[int, float, float, float],
) -> None:
    """One layer of strokes over `paint` (size, size, 4) uint8."""
    across, long, wide, least = layer
    size, (angles, detail) = image.shape[0], maps
    grid = np.stack(np.meshgrid(np.arange(across), np.arange(across)), -1).reshape(-1, 2)
    x, y = ((grid + 0.5) / across).T
    jitter = chance.even(x, y, 5)
    spots = (grid + 0.5 + jitter[:, :2] * 0.9) / across
    cells = np.clip((spots * WORK).astype(int), 0, WORK - 1)
    chosen = detail[cells[:, 1], cells[:, 0]] + jitter[:, 2] * 0.02 > least
    order = np.argsort(jitter[:, 3])
    order = order[chosen[order]]
    turn = angles[cells[:, 1], cells[:, 0]] + jitter[:, 2] * 0.5
    half = np.stack([np.cos(turn), np.sin(turn)], -1) * long * (0.5 + 0.25 * jitter[:, 3:4])
    ends = (np.stack([spots - half, spots + half], 1) * size - 0.5) * 2**FINE
    values = np.concatenate([_sampled(image, spots, wide, jitter), 128 + jitter[:, 3:4] * 120], -1)
    lines, inks = np.round(ends[order]).astype(np.int32).tolist(), values[order].tolist()
    thick = max(1, round(wide * size))
    for (start, end), colour in zip(lines, inks, strict=True):
        cv2.line(paint, start, end, colour, thick, cv2.LINE_AA, FINE)


def _sampled(image: Array, spots: Array, wide: float, jitter: Array) -> Array:
    """The picture's colours (n, 3) in 0–255 around each spot, some a little lighter or darker."""
    size = image.shape[0]
    soft = cv2.GaussianBlur(np.asarray(image, np.float32), (0, 0), wide * size * 0.22)
    at = np.clip((spots * size).astype(int), 0, size - 1)
    return np.asarray(np.clip(soft[at[:, 1], at[:, 0]] * (1 + jitter[:, 4:5] * 0.13) * 255, 0, 255))

"""Ground: folds of meadow, snow and sand, dunes, woods on the skyline, ways.

Role: broad land from a line of heights downwards, and what lies flat on it. Coordinates in
picture widths; chance comes as a generator or as a place in the noise. Knows nothing of
composition.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.scenes.board import Board, Points, Window, smoothstep
from models.scenes.light import Array, mix


def paint_fold(board: Board, top: Array, material: str, distance: float, place: float) -> None:
    """Rolling ground under a line: light at its crest, broad patches of light in perspective."""
    light, where = board.light, board.rows(float(top.min()))
    size, x, y = board.size, board.x[where], board.y[where]
    depth = np.clip(y - top, 0, 1)
    slope = cv2.GaussianBlur(np.gradient(top)[None] * size, (0, 0), size / 50)[0]
    facing = np.clip(0.50 + 1.1 * slope * light.side, 0.08, 0.95)
    crest = np.exp(-depth * 13)
    fall = np.clip(1 - depth * 2.2, 0, 1)
    far = 1 / (depth + 0.22)
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


def paint_dune(
    board: Board, top: Array, material: str, summit: float, place: float, distance: float
) -> None:
    """A dune under a line: a sharp ridge winds down from its summit (an x), one side in shade."""
    light, where = board.light, board.rows(float(top.min()))
    x, y = board.x[where], board.y[where]
    depth = np.clip(y - top, 0, 1)
    wind = 0.10 * np.sin(depth * 9) + 0.15 * depth
    off = (x - summit - wind * np.clip(depth * 8, 0, 1)) * light.side
    lit = np.clip(off * board.size * 0.7 + 0.5, 0, 1)
    tone = lit * (0.98 - 0.55 * np.clip(off * 1.6, 0, 1)) + (1 - lit) * (
        0.06 + 0.50 * np.clip(-off * 1.7, 0, 1)
    )
    near = np.exp(-depth * 16)
    tone = tone * (1 - 0.5 * near) + 0.5 * near * (0.55 + 0.3 * lit)
    index = np.clip(tone * 255, 0, 255).astype(np.uint8)
    base = light.base(material)
    colour = light.lit(base, np.linspace(-0.1, 1.05, 256)[:, None])[index]
    air = light.veil(np.clip(distance * (1 - 0.6 * np.clip(depth * 3, 0, 1)), 0, 1)[..., None])
    board.lay(depth_aa(board, top, where), mix(colour, light.haze, air), material, where)


def paint_woods(
    board: Board,
    line: Array,
    rng: np.random.Generator,
    wood: tuple[float, Array],
    distance: float,
    pointed: bool,
) -> None:
    """A wood along a line of feet: its skyline of tips, lit on top, fading down into mist. `wood`
    is its height and what share of that it has at each column."""
    light, size, (high, full) = board.light, board.size, wood
    top = line + 0.004 - (_tips(rng, size, high) if pointed else _crowns(rng, size, high)) * full
    foot = float(line.max()) + high * 0.9
    where = board.rows(float(top.min()), foot)
    x, y = board.x[where], board.y[where]
    depth = (y - top) / high
    base = light.base("conifer" if pointed else "wood")
    grain = board.chance.field(int(np.clip(2.3 / high, 8, 64)))[where]
    tone = np.clip(0.62 - 0.42 * depth + 0.30 * smoothstep(-0.1, 0.2, grain) - 0.1, 0, 1)
    ramp = light.ramp(base, 0.0, 3)
    colour = ramp[(tone * 255).astype(np.uint8)]
    if light.season == "winter" and pointed:
        snowy = smoothstep(0.55, 0.7, tone) * 0.75
        colour = mix(colour, light.lit("snow", 0.7), snowy[..., None])
    air = light.veil(np.clip(distance + 0.20 * np.clip(depth, 0, 1.5), 0, 1)[..., None])
    low = np.clip((line + high * 0.28 * full - y) * size + 0.5, 0, 1)
    cover = depth_aa(board, top, where) * low * np.clip(full * 5 - 0.5, 0, 1)
    board.lay(cover, mix(colour, light.haze, air), "tree", where)


def _tips(rng: np.random.Generator, size: int, high: float) -> Array:
    """Heights (size,) of a row of spruces: notched spikes."""
    axis = (np.arange(size) + 0.5) / size
    count = int(1.15 / (high * 0.30))
    spots = np.linspace(-0.05, 1.05, count) + rng.uniform(-0.4, 0.4, count) * 1.1 / count
    tall = high * rng.uniform(0.50, 1.0, count)
    off = np.abs(axis[None] - spots[:, None]) / (tall[:, None] * 0.30)
    notch = 0.10 * np.abs(((off * 3.2) % 1) - 0.5)
    return np.asarray((tall[:, None] * np.clip(1 - off + notch * (off > 0.1), 0.18, 1)).max(0))


def _crowns(rng: np.random.Generator, size: int, high: float) -> Array:
    """Heights (size,) of a row of round crowns, large ones with small ones on their shoulders."""
    axis, line = (np.arange(size) + 0.5) / size, np.full(size, 0.30 * high)
    for wide, tall, every in ((0.30, 0.95, 0.36), (0.13, 0.85, 0.12)):
        count = int(1.1 / (high * every))
        spots = np.linspace(-0.05, 1.05, count) + rng.uniform(-0.5, 0.5, count) * 1.1 / count
        tops = high * tall * rng.uniform(0.55, 1.0, count)
        half = high * wide * rng.uniform(0.75, 1.25, count)
        off = np.clip(np.abs(axis[None] - spots[:, None]) / half[:, None], 0, 1)
        dome = tops[:, None] - half[:, None] * (1 - np.sqrt(1 - off**2))
        line = np.maximum(line, np.where(off < 1, dome, 0).max(0))
    return np.asarray(line, np.float32)


def way(start: float, end: tuple[float, float], bend: float, wide: float) -> tuple[Array, ...]:
    """Middle x, y and half width (40,) of a way from the lower edge to a far point."""
    t = np.linspace(0, 1, 40)
    y = 1.03 + (end[1] - 1.03) * (1 - (1 - t) ** 1.7)
    x = start + (end[0] - start) * t + bend * np.sin(t * np.pi * 2.2) * (1 - t) ** 0.8
    return x, y, wide * (1 - t) ** 1.6 + 0.0035


def ribbon(x: Array, y: Array, left: Array, right: Array) -> Points:
    return [*zip(x + left, y, strict=True), *zip((x + right)[::-1], y[::-1], strict=True)]


def paint_path(board: Board, start: float, end: tuple[float, float], bend: float) -> None:
    """A way: its lit middle, shaded on the side from the sun, ragged verges."""
    light = board.light
    x, y, half = way(start, end, bend, 0.080)
    ragged = half * (1 + 0.08 * np.sin(np.arange(40) * 1.1 + start * 9))
    board.lay(board.mask([ribbon(x, y, -ragged, ragged)]), light.lit("path", 0.30, 0.06), "path")
    side = light.side * half * 0.16
    core = ribbon(x + side, y, -half * 0.72, half * 0.72)
    board.lay(board.mask([core]), light.lit("path", 0.92, 0.06))
    if light.wet:
        shine = ribbon(x, y, -half * 0.30, half * 0.25)
        board.lay(board.mask([shine]) * 0.7, mix(light.haze, light.sky[2], 0.6))
    rut = ribbon(x - side * 0.6, y, -half * 0.06, half * 0.06)
    board.lay(board.mask([rut]) * 0.5, light.lit("path", 0.25, 0.06))

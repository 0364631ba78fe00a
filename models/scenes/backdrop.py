"""What lies behind: sky, sun and stars, clouds, mountains, hills, ground and its reflections.

Role: broad masses, each painted on a `Board` and labelled. Shading follows from silhouettes
(facets drop from a ridge's own slopes), so a network can tell it from the canvas. Coordinates in
picture widths. Knows nothing of small objects or of composition.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from models.scenes.board import Board, cloudy
from models.scenes.light import DISC, GLOW, SKY, SNOWLINE, Array, mix, rgb
from models.scenes.palette import MATERIALS


def paint_sky(board: Board, horizon: float) -> None:
    """Three-stop gradient down to the horizon, the sun's glow, stars at night."""
    light = board.light
    stops = np.array(SKY[light.time], np.float32)
    place = np.clip(board.y / max(horizon, 0.2), 0, 1)
    board.image = np.stack(
        [np.interp(place, (0, 0.55, 1), stops[:, c]).astype(np.float32) for c in range(3)], -1
    )
    if light.time == "night" and not light.foggy:
        _stars(board, horizon)
    far = (board.x - light.sun_x) ** 2 + (board.y - light.sun_y) ** 2
    glow = 0.6 * np.exp(-far / 0.012) + 0.7 * np.exp(-far / 0.12)
    board.image = board.image + glow[..., None] * rgb(GLOW[light.time])
    if light.foggy:
        board.image = mix(board.image, light.haze, 0.55)
    board.image = np.clip(board.image, 0, 1)


def _stars(board: Board, horizon: float) -> None:
    rng = board.rng
    with board.brush() as brush:
        for _ in range(int(rng.integers(40, 80))):
            x, y = rng.uniform(0, 1), rng.uniform(0, horizon)
            colour = mix(board.light.haze, (1.0, 1.0, 0.95), rng.uniform(0.3, 1.0))
            brush.disc(x, y, rng.choice([0.002, 0.003, 0.0045], p=[0.5, 0.35, 0.15]), colour)


def paint_sun(board: Board, radius: float) -> None:
    """The disc of sun or moon, with a bright rim of light around it."""
    light = board.light
    away = np.hypot(board.x - light.sun_x, board.y - light.sun_y)
    halo = np.clip(1.6 - away / (radius * 1.5), 0, 1) * 0.35
    board.lay(halo.astype(np.float32), rgb(DISC[light.time]))
    disc = np.clip((radius - away) * board.size + 0.5, 0, 1)
    colour = mix(DISC[light.time], light.haze, 0.35 if light.foggy else 0.0)
    board.lay(disc, colour, "sun")
    if light.time == "night":
        for dx, dy, r in ((-0.3, -0.2, 0.25), (0.25, 0.3, 0.2), (0.3, -0.35, 0.13)):
            spot = np.hypot(
                board.x - light.sun_x - dx * radius, board.y - light.sun_y - dy * radius
            )
            soft = np.clip((r * radius - spot) * board.size + 0.5, 0, 1) * 0.12
            board.lay(soft, rgb((0.5, 0.5, 0.55)))


def paint_cloud(board: Board, x: float, y: float, width: float) -> None:
    """A heap of puffs with a flat foot: shaded below, lit above and towards the sun."""
    rng, side = board.rng, board.light.side
    count = int(rng.integers(4, 8))
    place = np.sort(rng.uniform(-0.42, 0.42, count))
    radii = width * rng.uniform(0.13, 0.22, count) * (1.1 - 1.2 * np.abs(place))
    window = board.window(x - width * 0.7, y - width * 0.5, x + width * 0.7, y + 0.01)
    gx, gy = board.x[window], board.y[window]
    shape, puffy = np.zeros_like(gx), np.zeros_like(gx)
    for dx, r in zip(place, radii, strict=True):
        cx, cy = x + dx * width, y - r * 0.55
        edge = (r - np.hypot(gx - cx, gy - cy)) * board.size
        shape = np.maximum(shape, np.clip(edge + 0.5, 0, 1))
        lit = np.hypot(gx - cx - side * r * 0.22, gy - cy + r * 0.25)
        puffy = np.maximum(puffy, np.clip((r * 0.95 - lit) / (r * 0.35), 0, 1))
    rise = np.clip((y - gy) / max(1e-3, float(radii.max()) * 1.3), 0, 1)
    low, high = _cloud_colours(board)
    amount = np.clip(0.62 * rise**0.7 + 0.42 * puffy, 0, 1)[..., None]
    foot = np.clip((y - gy) * board.size * 0.5 + 0.5, 0, 1)
    board.lay(shape * foot, mix(low, high, amount), "cloud", window)


def _cloud_colours(board: Board) -> tuple[Array, Array]:
    light = board.light
    top, middle, _ = SKY[light.time]
    dark = {
        "dawn": mix(middle, (0.70, 0.60, 0.75), 0.5),
        "day": rgb((0.72, 0.80, 0.90)),
        "sunset": mix(top, middle, 0.55),
        "night": mix(top, middle, 1.3),
    }[light.time]
    bright = {
        "dawn": rgb((1.0, 0.88, 0.82)),
        "day": rgb((1.0, 1.0, 1.0)),
        "sunset": rgb((1.0, 0.70, 0.45)),
        "night": rgb((0.28, 0.34, 0.52)),
    }[light.time]
    veil = 0.5 if light.foggy else 0.0
    return mix(dark, light.haze, veil), mix(bright, light.haze, veil)


def paint_mountain(board: Board, top: Array, distance: float, foot: float) -> None:
    """A range under the line `top`: facets drop from its slopes, snow from its peaks, haze below.

    `top` (size,) heights in widths; 1.0 and lower where there is no mountain; `foot` its base.
    """
    light, size = board.light, board.size
    alpha = board.below(top) * np.clip((foot - board.y) * size + 0.5, 0, 1)
    down = np.clip(board.y - top[None], 0, 1)
    facing = _facets(board, top, down)
    rock = light.base("rock")
    height = max(0.05, foot - float(top.min()))
    line = SNOWLINE[light.season] * height + float(top.min())
    ragged = 0.10 * height * (facing - 0.5) + 0.25 * (top[None] - float(top.min()))
    snow = np.clip((line + ragged - board.y) * size * 0.5 + 0.5, 0, 1)
    colour = mix(rock, light.base("snow"), snow[..., None])
    shade = np.clip(facing, 0, 1)[..., None]
    faded = distance + (0.75 - 0.6 * distance) * np.clip(down / height, 0, 1)[..., None] ** 1.5
    lit = light.lit(colour, shade)
    if light.foggy:
        faded = np.clip(faded * 1.05 + 0.15, 0, 0.92)
    board.lay(alpha, mix(lit, light.haze, faded * 0.85), "mountain")


def _facets(board: Board, top: Array, down: Array) -> Array:
    """0–1, how far each spot faces the light: the ridge's slope carried down and to the side."""
    size, side = board.size, board.light.side
    smooth = cv2.GaussianBlur(top[None], (0, 0), size / 80)[0]
    slope = np.gradient(smooth) * size * -side
    bend = 0.28 * np.sin(down * 34) * 0.06 - 0.22 * down * side
    column = np.clip(((board.x + bend) * size).astype(np.int64), 0, size - 1)
    return np.asarray(np.clip(0.5 - slope[column] * 1.1, 0.0, 1.0), np.float32)


def paint_hill(board: Board, top: Array, material: str, distance: float) -> None:
    """Rolling ground under a line: brighter at its crest, with one broad band of light."""
    light = board.light
    depth = np.clip((board.y - top[None]) / 0.45, 0, 1)
    slope = np.gradient(cv2.GaussianBlur(top[None], (0, 0), board.size / 40)[0]) * board.size
    crest = np.exp(-depth * 9)
    facing = np.clip(0.52 + 0.9 * slope * light.side, 0.1, 1)[None] * (1 - 0.35 * depth)
    amount = np.clip(facing * 0.75 + 0.38 * crest, 0, 1.1)[..., None]
    colour = light.lit(light.base(material), amount)
    fade = np.clip(distance * (1 - 0.8 * depth), 0, 1)
    if light.foggy:
        fade = np.clip(fade + 0.55 * (1 - board.y) ** 2, 0, 0.9)
    board.lay(board.below(top), mix(colour, light.haze, fade[..., None]), material)


def paint_water(board: Board, alpha: Array, shore: float) -> None:
    """Water where `alpha`: what stands above the line `shore` upside down, darker, in ripples."""
    light, size = board.light, board.size
    depth = np.clip(board.y - shore, 0, 1)
    wave = np.sin(depth / (0.015 + 0.10 * depth) * 6.5 + 2.2 * np.sin(board.x * 9 + depth * 40))
    rows = ((shore - depth * 1.15) * size + wave * (0.6 + 7 * depth)).astype(np.float32)
    columns = (board.x * size - 0.5).astype(np.float32)
    mirror = cv2.remap(board.image, columns, rows, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)
    own = light.lit("water", 0.6)
    colour = mix(mirror, own, (0.30 + 0.35 * np.clip(depth * 1.5, 0, 1))[..., None])
    crest = np.clip(wave - 0.80, 0, 1) * np.clip(depth * 9, 0.2, 1)
    colour = colour + crest[..., None] * 0.55 * (light.haze - colour)
    board.lay(alpha, colour + _glitter(board, wave, depth), "water")
    rim = np.clip(1 - np.abs(board.y - shore) * size / 1.5, 0, 1) * alpha * 0.5
    board.lay(rim, light.haze)


def _glitter(board: Board, wave: Array, depth: Array) -> Array:
    light = board.light
    if light.foggy or MATERIALS.index("sun") not in board.labels:
        return np.zeros((board.size, board.size, 1), np.float32)
    lane = np.exp(-(((board.x - light.sun_x) / (0.025 + 0.12 * depth)) ** 2))
    spark = lane * (0.30 + 0.7 * (wave > 0.35))
    return np.asarray(spark[..., None] * rgb(DISC[light.time]) * 0.55, np.float32)


def paint_fog(board: Board, horizon: float) -> None:
    """Banks of mist over the middle distance."""
    banks = 0.5 + 0.25 * cloudy(board.rng, board.size, 3, 2.0)
    near = np.exp(-(((board.y - horizon) / 0.16) ** 2))
    board.lay(np.clip(near * banks, 0, 0.85), board.light.haze)


def ripple_sand(board: Board, tops: Sequence[Array]) -> None:
    """Fine crest lines on sand or snow, following the ground's own lines."""
    for top in tops:
        crest = np.clip(1 - np.abs(board.y - top[None]) * board.size / 1.2, 0, 1) * 0.35
        sandy = np.isin(board.labels, [MATERIALS.index("sand"), MATERIALS.index("snow")])
        board.lay(crest * sandy, np.clip(board.image * 0.88, 0, 1))

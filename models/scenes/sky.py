"""What is above: sky, sun or moon, stars, an overcast, rays, lightning and fog.

Role: paint the sky on a `Board`. Coordinates in picture widths. Knows nothing of land, nor where
clouds were drawn.
"""

from __future__ import annotations

import numpy as np

from models.scenes import noise
from models.scenes.board import SQUARES, Board, smoothstep
from models.scenes.light import DISC, GLOW, Array, mix, rgb
from models.scenes.plan import Points, oval

BOLT = 7  # the flash: always the same, for nothing tells another one
TILT = 0.4  # of the Milky Way
RAYS = 150  # which line of noise the sun's rays follow


def paint_sky(board: Board, horizon: float) -> None:
    """Three-stop gradient down to the horizon and the sun's glow."""
    light = board.light
    place = np.clip(board.axis / max(horizon, 0.2), 0, 1)
    column = np.stack([np.interp(place, (0, 0.55, 1), light.sky[:, c]) for c in range(3)], -1)
    board.image[:] = column[:, None].astype(np.float32)
    far = (board.x - light.sun_x) ** 2 + (board.y - light.sun_y) ** 2
    share = {"clear": 1.0, "fog": 0.6, "rain": 0.3, "storm": 0.2}[light.weather]
    near = 0.35 / (1 + far * 160) if light.seen else 0.0
    glow = share * (near + 0.75 / (1 + far * 9) ** 2)
    board.image += glow[..., None].astype(np.float32) * rgb(GLOW[light.time])
    np.clip(board.image, 0, 1, out=board.image)


def paint_milky_way(board: Board) -> None:
    """A pale band across a clear night."""
    light = board.light
    if light.time != "night" or light.weather != "clear":
        return
    across = (board.x - 0.5 - TILT * 0.3) + TILT * board.y
    clump = board.chance.cloud(4)
    band = np.exp(-((across / 0.16) ** 2)) * np.clip(0.5 + 0.4 * clump, 0, 1)
    board.image += (band * 0.16)[..., None] * mix(light.sky[2], (0.9, 0.8, 0.9), 0.3)


def paint_stars(board: Board, horizon: float) -> None:
    """Stars where bare sky is left; painted late, for water that mirrors them looks snowed on.
    They keep to a grid: strewn anywhere, they become dashes when a network paints them."""
    light = board.light
    if light.time != "night" or light.weather != "clear":
        return
    x, y, rare = board.chance.peaks(2 * SQUARES, 1.2)
    x, y, rare = x[y < horizon], y[y < horizon], rare[y < horizon]
    size = np.interp(rare, (1.2, 3.0), (0.0020, 0.0042))
    bright = np.interp(rare, (1.2, 2.6), (0.35, 1.0))
    clear = board.labels[(y * board.size).astype(int), (x * board.size).astype(int)] == 0
    with board.brush() as brush:
        for sx, sy, r, glow in zip(x[clear], y[clear], size[clear], bright[clear], strict=True):
            brush.fill(oval(sx, sy, r, r, 8), mix(light.sky[1], (1.0, 0.98, 0.92), glow))


def paint_sun(board: Board, radius: float) -> None:
    """The disc of sun or moon, with a bright rim of light around it."""
    light = board.light
    away = np.hypot(board.x - light.sun_x, board.y - light.sun_y)
    veil = {"clear": 0.0, "fog": 0.35, "rain": 0.62, "storm": 0.80}[light.weather]
    halo = np.clip(1.7 - away / (radius * 1.5), 0, 1) * 0.30 * (1 - veil)
    board.lay(halo.astype(np.float32), rgb(DISC[light.time]))
    disc = np.clip((radius - away) * board.size + 0.5, 0, 1)
    around = np.clip(board.image + 0.05, 0, 1)  # a disc is never darker than the air before it
    board.lay(disc, np.maximum(mix(DISC[light.time], light.haze, veil), around), "sun")
    if light.time != "night":
        return
    for dx, dy, r in ((-0.3, -0.2, 0.25), (0.25, 0.3, 0.2), (0.3, -0.35, 0.13)):
        spot = np.hypot(board.x - light.sun_x - dx * radius, board.y - light.sun_y - dy * radius)
        soft = np.clip((r * radius - spot) * board.size + 0.5, 0, 1) * 0.12 * (1 - veil)
        board.lay(soft, rgb((0.5, 0.5, 0.55)))


def paint_overcast(board: Board, horizon: float) -> None:
    """A ceiling of heavy clouds, dark bellies over paler rims; for rain and storm."""
    light = board.light
    depth = 1 / (0.25 + np.clip(horizon - board.y, 0.0, 1) * 2.6)
    field = board.chance.soft(1.5 * depth, 2.0) + 0.55 * board.chance.cloud(8, 16)
    storm = light.weather == "storm"
    belly = smoothstep(-0.55, 0.1, field) * 0.5 + smoothstep(0.2, 0.8, field) * 0.5
    dark = light.sky[0] * (0.72 if storm else 0.88)
    pale = mix(light.sky[1], light.sky[2], 0.45)
    high = smoothstep(0.02, 0.20, horizon - board.y)
    colour = mix(pale, dark, belly[..., None])
    board.lay(high * (0.95 if storm else 0.8), colour)


def cloud_ramp(board: Board) -> Array:
    """Colours (256, 3) of a cloud from its belly to its lit rim."""
    light = board.light
    top, middle, low = light.sky
    dark = {
        "dawn": mix(middle, (0.62, 0.52, 0.72), 0.45),
        "day": mix(middle, (0.66, 0.74, 0.86), 0.75),
        "sunset": mix(top, middle, 0.48),
        "night": mix(top, middle, 0.9),
    }[light.time]
    bright = {
        "dawn": rgb((1.0, 0.90, 0.83)),
        "day": rgb((1.0, 1.0, 0.98)),
        "sunset": mix(low, (1.0, 0.80, 0.55), 0.4),
        "night": mix(low, (0.50, 0.55, 0.70), 0.35),
    }[light.time]
    if light.wet:
        dark, bright = mix(dark, top * 0.8, 0.8), mix(bright, mix(middle, low, 0.5), 0.7)
    tone = np.linspace(0, 5, 256, dtype=np.float32)
    stepped = np.floor(tone) + np.clip((tone % 1 - 0.5) / 0.3 + 0.5, 0, 1)
    level = np.clip((stepped * 0.55 + tone * 0.45) / 4.6, 0, 1)[:, None]
    veil = 0.5 if light.foggy else 0.0
    return mix(mix(dark, bright, level), light.haze, veil)


def paint_rays(board: Board, strength: float) -> None:
    """Shafts of light that fan out from the sun over all that is painted."""
    light = board.light
    angle = np.arctan2(board.y - light.sun_y, board.x - light.sun_x)
    away = np.hypot(board.x - light.sun_x, board.y - light.sun_y)
    line = noise.tile("soft")[RAYS]
    shaft = np.interp(angle * 0.35 + 2.0, np.linspace(0, 4, 512), line).astype(np.float32)
    fall = np.exp(-away * 2.2) * smoothstep(0.03, 0.2, away)
    beam = np.clip(0.25 + 0.6 * shaft, 0, 1) * fall * strength
    warm = mix(GLOW[light.time], light.beam, 0.3)
    board.image += beam[..., None].astype(np.float32) * warm * (1.1 - board.image)


def paint_lightning(board: Board, horizon: float) -> None:
    """One forked flash down to the horizon, and its light in the clouds."""
    rng = np.random.default_rng(BOLT)
    x, heights = 0.7, np.linspace(0.0, horizon, 11)
    steps = np.cumsum(rng.uniform(-0.045, 0.045, 11))
    bolt: Points = list(zip(x + steps, heights, strict=True))
    fork_at, lean = int(rng.integers(3, 7)), float(rng.choice([-1.0, 1.0]))
    aside = np.cumsum(rng.uniform(0.0, 0.05, 5)) * lean
    start = bolt[fork_at]
    fork = [start, *((start[0] + float(d), start[1] + 0.032 * i) for i, d in enumerate(aside, 1))]
    away = np.abs(board.x - np.interp(board.y, heights, [p[0] for p in bolt]))
    flash = np.exp(-away * 11) * (board.y < horizon)
    board.image += (flash * 0.34)[..., None].astype(np.float32) * rgb((0.72, 0.75, 1.0))
    np.clip(board.image, 0, 1, out=board.image)
    with board.brush() as brush:
        brush.line(bolt, 0.009, rgb((0.80, 0.80, 1.0)))
        brush.line(fork, 0.004, rgb((0.92, 0.92, 1.0)))
        brush.line(bolt, 0.004, rgb((1.0, 1.0, 1.0)))


def paint_fog(board: Board, middle: float, thick: float, strength: float) -> None:
    """A bank of mist with a torn upper edge, around the height `middle`."""
    torn = board.chance.cloud(4, 8)
    near = np.exp(-(((board.y - middle) / thick) ** 2))
    amount = np.clip(near * (0.72 + 0.30 * torn) * strength, 0, 0.92)
    board.lay(amount.astype(np.float32), mix(board.light.haze, board.light.sky[2], 0.35))

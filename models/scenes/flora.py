"""What blooms and sprouts: drifts of flowers, single blossoms near the eye, tufts of grass.

Role: small crisp shapes on the ground, larger towards the viewer; drifts and blossoms are labelled
by their plain outlines, grass isn't. Coordinates in picture widths; every function takes its
chance. Knows nothing of composition.
"""

from __future__ import annotations

import numpy as np

from models.scenes.board import Board, Brush, Ink, Points, ink, oval
from models.scenes.light import BLOOMS, Array, rgb

BLOSSOMS = 128  # cells across of the grid that they keep to
GOLD = rgb((1.0, 0.80, 0.28))


def paint_flowers(
    board: Board, rng: np.random.Generator, x: float, y: float, wide: float, down: float
) -> None:
    """A drift of blossoms, larger towards the viewer, over a darker bed of leaves. Its colour is
    the season's; here and there is one of another."""
    light = board.light
    fx, fy, chance = _strewn(board, (x, y, wide, down))
    box = board.window(x - wide * 1.2, y - down * 1.3 - 0.04, x + wide * 1.2, y + down * 1.3 + 0.04)
    bed, heart = ink(light.lit("meadow", 0.10)), ink(light.lit(GOLD, 0.9))
    hues = [rgb(hue) for hue in BLOOMS[light.season]]
    inks = [(ink(light.lit(hue, 0.45)), ink(light.lit(hue, 1.0)), heart) for hue in hues]
    radii = np.maximum(0.0040, 0.0150 * (fy - 0.36))
    with board.brush(box) as brush:
        for place in zip(fx, fy + radii * 1.1, radii * 1.5, strict=True):
            brush.disc(*place, bed)
        for bx, by, radius, rare in zip(fx, fy, radii, chance > 2.0, strict=True):
            _bloom(brush, (bx, by, radius), inks[int(rare)], light.side)
    board.mark(oval(x, y, wide, down), "flower")


def _strewn(board: Board, bed: tuple[float, float, float, float]) -> tuple[Array, Array, Array]:
    """Places all over an oval (middle, half axes), the far before the near: x, y and how rare each
    is."""
    x, y, wide, down = bed
    fx, fy, rare = board.chance.peaks(BLOSSOMS)
    inside = ((fx - x) / wide) ** 2 + ((fy - y) / down) ** 2 < 1
    return fx[inside], fy[inside], rare[inside]


def _bloom(
    brush: Brush, place: tuple[float, float, float], inks: tuple[Ink, Ink, Ink], side: int
) -> None:
    """A small flower: its shaded disc, its lit side, its heart if it is near enough."""
    x, y, r = place
    brush.disc(x, y, r, inks[0])
    brush.disc(x + side * r * 0.2, y - r * 0.25, r * 0.72, inks[1])
    if r > 0.006:
        brush.disc(x, y, r * 0.30, inks[2])


def paint_blossom(board: Board, x: float, y: float, r: float, hue: int, turn: float) -> None:
    """One large flower near the eye: stem, two leaves, petals with a lit half, a golden heart."""
    light = board.light
    colour = rgb(BLOOMS[light.season][hue])
    stem, lean = light.lit("wood", 0.25), 0.25 * np.sin(turn * 3)
    box = board.window(x - r * 3, y - r * 1.6, x + r * 3, 1.0)
    with board.brush(box) as brush:
        brush.line([(x, y), (x + lean * r, y + r * 3), (x + lean * r * 2, 1.06)], r * 0.17, stem)
        for side in (-1, 1):
            foot = (x + lean * r * 1.2, y + r * 3.4)
            tip = (foot[0] + side * r * 1.5, foot[1] - r * 1.3)
            leaf = [foot, (foot[0] + side * r * 0.5, foot[1] - r * 0.9), tip,
                    (foot[0] + side * r * 0.9, foot[1] - r * 0.2)]  # fmt: skip
            brush.fill(leaf, light.lit("wood", 0.85 if side == light.side else 0.2))
        for angle in turn + np.arange(6) * np.pi / 3:
            lit = 0.55 + 0.45 * np.cos(angle - np.arctan2(light.sun_y - y, light.sun_x - x))
            brush.fill(_petal(x, y, r, angle), light.lit(colour, float(lit)))
        brush.disc(x, y, r * 0.30, light.lit(rgb((1.0, 0.78, 0.25)), 0.9))
        ring = light.lit(rgb((0.8, 0.5, 0.2)), 0.5)
        brush.disc(x - light.side * r * 0.06, y + r * 0.07, r * 0.16, ring)
    board.mark(oval(x, y, r, r * 0.9), "flower")


def _petal(x: float, y: float, r: float, angle: float) -> Points:
    out, aside = (
        np.array([np.cos(angle), np.sin(angle) * 0.86]),
        np.array([-np.sin(angle), np.cos(angle)]),
    )
    t = np.linspace(0, np.pi, 9)
    long, wide = r * (0.5 - 0.5 * np.cos(t)), r * 0.34 * np.sin(t) ** 0.7
    left = [
        (x + a * out[0] + w * aside[0], y + a * out[1] + w * aside[1])
        for a, w in zip(long, wide, strict=True)
    ]
    right = [
        (x + a * out[0] - w * aside[0], y + a * out[1] - w * aside[1])
        for a, w in zip(long, wide, strict=True)
    ]
    return [*left, *right[::-1]]


def paint_tufts(board: Board, rng: np.random.Generator, top: float, count: int) -> None:
    """Tufts of grass below the height `top`: dark blades behind, lit ones before."""
    light = board.light
    x, y, _ = board.chance.peaks(64)
    x, y = x[y > top + 0.02], y[y > top + 0.02] + 0.02
    leans = np.linspace(-1, 1, 7)
    base = light.base("meadow") if light.season != "winter" else rgb((0.80, 0.76, 0.68))
    tones = [ink(light.lit(base * 0.92, amount)) for amount in (0.15, 0.42, 0.66)]
    wind = 0.7 if light.weather == "storm" else 0.0
    with board.brush(board.rows(max(0.0, top - 0.14))) as brush:
        for i in range(len(y)):
            near = float(np.clip((y[i] - top) / (1.06 - top), 0, 1))
            high = 0.018 + 0.085 * near**1.5
            for k, lean in enumerate(leans):
                shade = tones[max(0, (k * 2) % 3 - (near > 0.75))]
                brush.fill(
                    _blade(x[i] + (k - 3) * high * 0.13, y[i], high, lean * 0.5 + wind), shade
                )


def _blade(x: float, y: float, high: float, lean: float) -> Points:
    """A leaf of grass that bends over."""
    half, up = high * 0.055, high * (1.0 - 0.3 * abs(lean))
    middle, tip = (x + lean * high * 0.22, y - up * 0.6), (x + lean * high * 0.75, y - up)
    left, right = (middle[0] - half * 0.7, middle[1]), (middle[0] + half * 0.7, middle[1])
    return [(x - half, y), left, tip, right, (x + half, y)]

"""What blooms and sprouts: blossoms and tufts of grass.

Role: small crisp shapes on the ground, larger towards the viewer, always in the same places: the
map says which of them are seen. Coordinates in picture widths. Knows nothing of composition.
"""

from __future__ import annotations

import numpy as np

from models.scenes.board import Board, Brush, Ink, ink
from models.scenes.light import BLOOMS, Array, rgb
from models.scenes.plan import Points

BLOSSOMS = 40  # cells across of the grid that they keep to
TOP = 0.80  # the height below which tufts of grass are seen
GOLD, STRAW = rgb((1.0, 0.80, 0.28)), rgb((0.80, 0.76, 0.68))


def paint_blossoms(board: Board, mask: Array) -> None:
    """Flowers in a mask (size, size) of bool: the season's colour, here and there another."""
    light = board.light
    x, y, _ = board.chance.peaks(BLOSSOMS)
    rare = board.chance.grid(BLOSSOMS)[::-1]
    heart = ink(light.lit(GOLD, 0.9))
    hues = [rgb(hue) for hue in BLOOMS[light.season]]
    inks = [(ink(light.lit(hue, 0.40)), ink(light.lit(hue, 1.0)), heart) for hue in hues]
    inside = mask[np.asarray(y * board.size, int), np.asarray(x * board.size, int)]
    with board.brush() as brush:
        for bx, by in zip(x[inside], y[inside], strict=True):
            which = int(rare[int(by * BLOSSOMS), int(bx * BLOSSOMS)] > 0.8)
            _bloom(brush, (bx, by, 0.0095 + 0.016 * max(0.0, by - 0.45)), inks[which])


def _bloom(brush: Brush, place: tuple[float, float, float], inks: tuple[Ink, Ink, Ink]) -> None:
    """Five petals, their shade beside them, around a heart."""
    x, y, r = place
    for shade, aside, share in ((inks[0], 0.14, 0.62), (inks[1], 0.0, 0.56)):
        for turn in np.arange(5) * 2 * np.pi / 5 - np.pi / 2:
            px, py = x + r * (0.62 * np.cos(turn) + aside), y + r * (0.56 * np.sin(turn) + aside)
            brush.disc(px, py, r * share, shade)
    brush.disc(x, y, r * 0.36, inks[2])


def with_tufts(board: Board, picture: Array) -> Array:
    """A meadow (size, size, 3) with tufts of grass before the eye: dark blades behind, lit ones
    before."""
    light = board.light
    base = light.base("meadow") if light.season != "winter" else STRAW
    tones = np.stack([light.lit(base * 0.92, amount) for amount in (0.15, 0.42, 0.66)])
    wind = 0.7 if light.weather == "storm" else 0.0
    share = board.chance.kept(("tufts", wind), lambda: _tufts(board, wind))
    bare = 1 - share.sum(-1, keepdims=True)
    return np.asarray(picture * np.clip(bare, 0, 1) + share @ tones, np.float32)


def _tufts(board: Board, wind: float) -> Array:
    """(size, size, 3): the shares of dark, middling and lit blades."""
    x, y, _ = board.chance.peaks(64)
    x, y = x[y > TOP + 0.02], y[y > TOP + 0.02] + 0.02
    sheet = np.zeros((board.size, board.size, 3), np.uint8)
    brush, inks = Brush(sheet, board.size), ((255, 0, 0), (0, 255, 0), (0, 0, 255))
    for foot, below in zip(x, y, strict=True):
        near = float(np.clip((below - TOP) / (1.06 - TOP), 0, 1))
        high = 0.018 + 0.085 * near**1.5
        for k, lean in enumerate(np.linspace(-1, 1, 7)):
            shade = inks[max(0, (k * 2) % 3 - (near > 0.75))]
            at = foot + (k - 3) * high * 0.13
            brush.fill(_blade(at, below, high, lean * 0.5 + wind), shade)
    return np.asarray(sheet * np.float32(1 / 255))


def _blade(x: float, y: float, high: float, lean: float) -> Points:
    """A leaf of grass that bends over."""
    half, up = high * 0.055, high * (1.0 - 0.3 * abs(lean))
    middle, tip = (x + lean * high * 0.22, y - up * 0.6), (x + lean * high * 0.75, y - up)
    left, right = (middle[0] - half * 0.7, middle[1]), (middle[0] + half * 0.7, middle[1])
    return [(x - half, y), left, tip, right, (x + half, y)]

"""Woods and crowns: one wall of leaves for every scene of a tile, shown where trees were drawn.

Role: what a tree is made of is always in the same place, clump by clump, larger towards the viewer;
a drawing says where it is seen, and its shape how it is lit. Thin stems under a crown are trunks.
Coordinates in picture widths. Knows nothing of land.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.scenes.board import Board, smoothstep
from models.scenes.light import CROWNS, Array, mix, rgb
from models.scenes.plan import Labels
from models.scenes.regions import TREE

CLUMPS = (30, 22, 16)  # cells across, far, middle and near
BANDS = (0.0, 0.52, 0.74)  # heights below which they are so large
STEM = 0.045  # what is thinner is a stem
HANG = 0.20  # how far below its crown a stem reaches
DABS = ((-0.55, 1.0, 9, 60), (-0.1, 0.9, 8, 110), (0.25, 0.72, 7, 165), (0.5, 0.45, 5, 215))
"""Of a clump, from its shaded foot to its lit cap: how high, how broad, how many, their tone."""


@dataclass(frozen=True)
class Wall:
    """(size, size) each: `tone` and `bulge` 0–1, and which `kind` of leaf (0–3), 4 for needles."""

    tone: Array
    bulge: Array
    kind: Array


def show_trees(board: Board, labels: Labels) -> None:
    """Crowns, trunks and their shade on the ground."""
    mask = labels == TREE
    if not mask.any():
        return
    _shade(board, mask)
    crown, stem = parts_of(mask)
    if stem.any():
        board.lay(_soft(stem, board.size), _bark(board, stem))
    wall = board.chance.kept("wall", lambda: _wall(board))
    body = cv2.GaussianBlur(crown.astype(np.float32), (0, 0), board.size * 0.010)
    cover = smoothstep(0.40, 0.62, body + 0.34 * (wall.bulge - 0.5) * (body > 0.03))
    board.lay(cover, _leaves(board, wall, crown))
    board.label((cover > 0.5) | stem, "tree")


def _soft(mask: Array, size: int) -> Array:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), size / 330))


def parts_of(mask: Array) -> tuple[Array, Array]:
    """Crowns and stems, bool (size, size)."""
    size = mask.shape[0]
    width = max(3, round(STEM * size) | 1)
    round_ = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, round_)
    deep = max(3, round(HANG * size))
    hanging = cv2.dilate(opened, np.ones((deep, 1), np.uint8), anchor=(0, deep - 1))
    near = cv2.dilate(opened, np.ones((3, 3), np.uint8))
    stem = mask & (near == 0) & (hanging > 0)
    return mask & ~stem, stem


def _shade(board: Board, mask: Array) -> None:
    """Darker ground below crowns, away from the light."""
    size, light = board.size, board.light
    shift = np.array([[1, 0, -light.side * 0.025 * size], [0, 1, 0.030 * size]], np.float32)
    moved = cv2.warpAffine(mask.astype(np.float32), shift, (size, size))
    soft = cv2.GaussianBlur(moved, (0, 0), size * 0.016)
    strength = {"clear": 0.50, "fog": 0.12, "rain": 0.2, "storm": 0.22}[light.weather]
    grounded = ~np.isin(board.labels, SHADELESS)
    dark = board.image * rgb((0.36, 0.40, 0.62))
    board.lay(np.asarray(soft * strength * grounded, np.float32), dark)


SHADELESS = (0, 1, 2, 4)  # sky, cloud, sun, water: nothing casts a shadow on them


def _bark(board: Board, stem: Array) -> Array:
    """Lit on the side of the light."""
    light = board.light
    soft = cv2.GaussianBlur(stem.astype(np.float32), (0, 0), board.size * 0.008)
    aside = np.gradient(soft, axis=1) * board.size * -light.side
    tone = np.clip(0.45 + 0.02 * aside, 0, 1)
    far = np.clip(0.45 - 1.1 * (board.y - 0.35), 0, 0.45)
    return light.lit(light.base("trunk"), tone[..., None], far[..., None])


def _leaves(board: Board, wall: Wall, crown: Array) -> Array:
    """The wall in the scene's light; a crown's upper side and that towards the sun are lit."""
    light, size = board.light, board.size
    rise, aside = np.zeros((2, size, size), np.float32)
    for reach, share in ((0.045, 0.6), (0.018, 0.4)):
        soft = cv2.GaussianBlur(crown.astype(np.float32), (0, 0), reach * size)
        down, across = np.gradient(soft)
        rise += share * np.clip(down * size * reach * 2.2, -1, 1)
        aside += share * np.clip(across * size * reach * 2.2, -1, 1)
    tone = wall.tone + 0.34 * rise - 0.22 * aside * light.side - 0.06
    index = np.clip(tone * 255, 0, 255).astype(np.uint8)
    far = np.clip(0.5 - 1.3 * (board.y - 0.35), 0, 0.5)[..., None]
    bases = [rgb(hue) for hue in CROWNS[light.season]] + [light.base("conifer")]
    colour = np.stack([light.ramp(base, 0.0) for base in bases])[wall.kind, index]
    if light.season == "winter":
        snowy = smoothstep(0.55, 0.72, tone) * (wall.kind == len(bases) - 1)
        colour = mix(colour, light.lit("snow", 0.8), snowy[..., None] * 0.8)
    return mix(colour, light.haze, light.veil(far))


def _wall(board: Board) -> Wall:
    """Clump over clump, the far before the near."""
    size, chance = board.size, board.chance
    sheet = np.full((size, size, 3), (40, 0, 0), np.uint8)  # tone, bulge, kind
    needles = chance.field(3)
    tint = chance.field(5, 4)
    for cells, top, foot in zip(CLUMPS, BANDS, (*BANDS[1:], 1.2), strict=True):
        grid = (np.arange(cells) + 0.5) / cells
        gx, gy = (each.ravel() for each in np.meshgrid(grid, grid))
        off = chance.even(gx, gy, 4)
        gx, gy = gx + 0.8 * off[:, 0] / cells, gy + 0.8 * off[:, 1] / cells
        for cx, cy, turn, hue in zip(gx, gy, off[:, 2], off[:, 3], strict=True):
            if not top <= cy < foot:
                continue
            px, py = (min(size - 1, max(0, int(v * size))) for v in (cx, cy))
            pointed = needles[py, px] > 0.75
            kind = 4 if pointed else int(np.clip((tint[py, px] + hue) * 1.3 + 2, 0, 3.99))
            (_bough if pointed else _clump)(sheet, (cx, cy, 0.95 / cells), turn, kind)
    tone, bulge, kinds = (sheet[..., n].astype(np.float32) for n in range(3))
    soft = np.asarray(cv2.GaussianBlur(bulge / 255, (0, 0), size * 0.004))
    return Wall(tone / 255, soft, np.round(kinds / 50).astype(np.uint8))


def _clump(sheet: Labels, place: tuple[float, float, float], turn: float, kind: int) -> None:
    """A ball of leaf dabs."""
    x, y, r = place
    for low, broad, count, tone in DABS:
        for k in range(count):
            angle = 2 * np.pi * (k / count + turn) + low * 3
            out = broad * (0.45 + 0.5 * ((k * 0.618 + turn) % 1))
            spot = (x + r * out * np.cos(angle) * 0.9, y - r * (low + out * np.sin(angle) * 0.42))
            _dab(
                sheet,
                spot,
                r * 0.30,
                360 * ((k * 0.37 + turn) % 1),
                (tone, 90 + tone // 2, 50 * kind),
            )


def _bough(sheet: Labels, place: tuple[float, float, float], turn: float, kind: int) -> None:
    """A drooping spray of needles."""
    x, y, r = place
    for low, broad, count, tone in DABS:
        for k in range(count):
            aside = 2 * (k + 0.5) / count - 1 + 0.2 * turn
            spot = (x + r * broad * aside, y - r * (low * 0.8 - 0.5 * abs(aside)))
            _dab(
                sheet,
                spot,
                r * 0.34,
                60 if aside > 0 else 120,
                (tone * 0.85, 90 + tone // 2, 50 * kind),
            )


def _dab(
    sheet: Labels, spot: tuple[float, float], reach: float, angle: float, value: tuple[float, ...]
) -> None:
    size, unit = sheet.shape[0], 16
    at = [round((v * size - 0.5) * unit) for v in spot]
    axes = (max(8, round(reach * size * unit)), max(6, round(reach * 0.6 * size * unit)))
    cv2.ellipse(sheet, at, axes, angle, 0, 360, value, -1, cv2.LINE_8, 4)

"""Forms that are too rich to draw anew for every scene: trees and clouds, grown once a process.

Role: a shelf of sprites, uint8 (rows, columns, 4): cover, wood, and which way the surface turns to
the side and upwards (128 is edge-on), so that any light can be thrown on them later. Invariants:
grown from fixed seeds; a tree's foot is at `FOOT` and its height `TALL`; a cloud's foot is the
lower edge. Knows no colours.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from models.scenes.light import Array
from models.scenes.plan import FINE, Labels

WIDE, HIGH = 224, 232  # of a tree's sprite
FOOT, TALL = (112.0, 222.0), 208.0
OVER = 2  # drawn so many times larger, then averaged
BROAD = ("oak", "tall", "spreading", "birch")
VARIANTS = 4


@lru_cache(maxsize=64)
def broad(kind: str, variant: int) -> tuple[Labels, ...]:
    """A broad-leaved tree in leaf, and its halvings."""
    rng = np.random.default_rng([BROAD.index(kind), variant, 21])
    sheet = _sheet()
    _draw_wood(sheet, _grow(rng, kind, 4), thinnest=1.6)
    _leaves(sheet, rng, kind)
    _prune(sheet)
    return _halvings(sheet)


@lru_cache(maxsize=64)
def bare(kind: str, variant: int) -> tuple[Labels, ...]:
    """The same tree without leaves."""
    rng = np.random.default_rng([BROAD.index(kind), variant, 21])
    sheet = _sheet()
    _draw_wood(sheet, _grow(rng, kind, 7), thinnest=1.5)
    return _halvings(sheet)


@lru_cache(maxsize=16)
def conifer(variant: int) -> tuple[Labels, ...]:
    """A spruce: drooping boughs in tiers, the upper over the lower."""
    rng = np.random.default_rng([variant, 22])
    sheet = _sheet()
    _poly(sheet, [(-0.022, 0), (0.022, 0), (0.006, 0.8), (-0.006, 0.8)], (255, 255, 128, 128))
    tiers, width = int(rng.integers(9, 13)), float(rng.uniform(0.19, 0.27))
    for tier in range(tiers):
        up = 0.06 + 0.86 * (tier / tiers) ** 0.92
        reach = width * (1 - 0.93 * tier / tiers) * rng.uniform(0.86, 1.12)
        _tier(sheet, rng, up, reach, 1.5 * 0.9 / tiers)
    _poly(sheet, [(-0.012, 0.88), (0.0, 1.0), (0.012, 0.88)], (255, 0, 128, 190))
    return _halvings(sheet)


def _tier(sheet: Labels, rng: np.random.Generator, up: float, reach: float, high: float) -> None:
    """Boughs to both sides: outer ones first, each a drooping leaf with a dark underside."""
    for share in (1.0, 0.62, 0.25):
        for side in (-1, 1):
            out, drop = side * reach * share * rng.uniform(0.88, 1.1), reach * 0.30 * share
            tip = up - drop + rng.uniform(-0.008, 0.008)
            turn = int(128 + 105 * side * (0.35 + 0.65 * share))
            _poly(sheet, _bough(out, up, tip, high), (255, 0, turn, 70))
            _poly(sheet, _bough(out * 0.94, up + high * 0.26, tip + high * 0.22, high * 0.80),
                  (255, 0, turn, 205))  # fmt: skip


def _bough(out: float, up: float, tip: float, high: float) -> list[tuple[float, float]]:
    return [(0, up + high), (out * 0.45, up + high * 0.55 + (tip - up) * 0.3), (out, tip),
            (out * 0.78, tip - high * 0.10), (out * 0.70, tip + high * 0.04),
            (out * 0.5, tip - high * 0.10), (out * 0.36, tip + high * 0.05),
            (out * 0.12, tip - high * 0.04), (0, up)]  # fmt: skip


@lru_cache(maxsize=16)
def cloud(variant: int) -> tuple[Labels, ...]:
    """A heap of puffs on a flat foot, 256 × 128."""
    rng = np.random.default_rng([variant, 23])
    wide, high = 256, 128
    y, x = np.mgrid[0:high, 0:wide].astype(np.float32)
    depth = np.full((high, wide), -1e9, np.float32)
    turn = np.zeros((2, high, wide), np.float32)
    for px, py, r in _puffs(rng):
        dx, dy = (x - px) / r, (y - py) / r
        inside = 1 - dx * dx - dy * dy
        height = np.sqrt(np.maximum(inside, 0)) * r + (py - high) * 0.15
        front = (inside > 0) & (height > depth)
        depth[front] = height[front]
        turn[0][front], turn[1][front] = dx[front], -dy[front]
    cover = (depth > -1e8) & (y < high - 2)
    spread = np.stack([(x - wide / 2) / (wide / 2), (high * 0.55 - y) / (high * 0.5)])
    soft = np.stack([cv2.GaussianBlur(part, (0, 0), 2.2) for part in turn])
    facing = np.clip(soft * 0.55 + spread * 0.55, -1, 1) * 127 + 128
    sheet = np.stack([cover * 255.0, cover * 0.0, *facing], -1).astype(np.float32)
    return _mips(np.asarray(cv2.GaussianBlur(sheet, (0, 0), 0.8), np.uint8))


def _puffs(rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Large puffs along the foot, smaller ones on their upper rims."""
    found: list[tuple[float, float, float]] = []
    towers = rng.uniform(0.25, 0.75, 2)
    for place in np.linspace(0.14, 0.86, 7) + rng.uniform(-0.03, 0.03, 7):
        lift = max(np.exp(-(((place - t) / 0.16) ** 2)) for t in towers)
        r = 15 + 21 * lift * rng.uniform(0.7, 1.1)
        px, py = float(place * 256), 124 - r * 0.55 - 22 * lift
        found.append((px, py, float(r)))
        for angle in rng.uniform(0.15, np.pi - 0.15, 6):
            small = r * rng.uniform(0.30, 0.55)
            found.append((px + float(np.cos(angle)) * r * 0.9, py - float(np.sin(angle)) * r * 0.9,
                          float(small)))  # fmt: skip
    return found


Twig = tuple[float, float, float, float, float, int]  # x0, y0, x1, y1, width, depth


def _grow(rng: np.random.Generator, kind: str, depth: int) -> list[Twig]:
    """Branches of a tree of height 1, y upwards."""
    trunk, spread, shrink, thick = {
        "oak": (0.22, 0.66, 0.80, 0.042),
        "tall": (0.17, 0.36, 0.84, 0.036),
        "spreading": (0.24, 0.85, 0.78, 0.042),
        "birch": (0.27, 0.44, 0.76, 0.030),
    }[kind]
    twigs: list[Twig] = []

    def branch(x: float, y: float, angle: float, length: float, width: float, level: int) -> None:
        bend = angle + rng.uniform(-0.18, 0.18)
        ex, ey = x + length * np.sin(bend), y + length * np.cos(bend)
        twigs.append((x, y, float(ex), float(ey), width, level))
        if level + 1 >= depth:
            return
        forks = 3 if level in (0, 1) and rng.random() < 0.75 else 2
        for turn in np.linspace(-1, 1, forks) * spread * rng.uniform(0.75, 1.15):
            lean = bend * 0.75 + turn * (0.9 if level else 1.0) + rng.uniform(-0.14, 0.14)
            branch(float(ex), float(ey), float(lean), length * shrink * rng.uniform(0.8, 1.08),
                   width * 0.64, level + 1)  # fmt: skip

    branch(0.0, 0.0, float(rng.uniform(-0.06, 0.06)), trunk, thick, 0)
    top = max(t[3] for t in twigs) * (1.06 if depth > 5 else 1.10)
    return [(a / top, b / top, c / top, d / top, w / top, n) for a, b, c, d, w, n in twigs]


def _draw_wood(sheet: Labels, twigs: list[Twig], thinnest: float) -> None:
    """Tapering limbs, the lit and the shaded half of each turned to its side."""
    for x0, y0, x1, y1, width, level in twigs:
        flare = 1.5 if level == 0 else 1.0
        a, b = max(width * flare, thinnest / TALL), max(width * 0.66, thinnest / TALL)
        long = max(1e-4, float(np.hypot(x1 - x0, y1 - y0)))
        nx, ny = (y1 - y0) / long / 2, -(x1 - x0) / long / 2
        whole = [(x0 - nx * a, y0 - ny * a), (x0 + nx * a, y0 + ny * a),
                 (x1 + nx * b, y1 + ny * b), (x1 - nx * b, y1 - ny * b)]  # fmt: skip
        half = [whole[0], (x0, y0), (x1, y1), whole[3]]
        _poly(sheet, whole, (255, 255, 215, 118))
        _poly(sheet, half, (255, 255, 40, 140))


def _leaves(sheet: Labels, rng: np.random.Generator, kind: str) -> None:
    """Clusters of leaf dabs that fill an uneven crown, back ones first and darker."""
    middle, reach, size = {
        "oak": ((0.0, 0.60), (0.40, 0.34), 0.105),
        "tall": ((0.0, 0.58), (0.17, 0.39), 0.080),
        "spreading": ((0.0, 0.70), (0.48, 0.24), 0.095),
        "birch": ((0.0, 0.62), (0.24, 0.35), 0.075),
    }[kind]
    waves, phases = np.array([2, 3, 5]), rng.uniform(0, 6, 3)
    chosen: list[Array] = []
    for angle, away in zip(rng.uniform(0, 2 * np.pi, 400), np.sqrt(rng.random(400)), strict=True):
        lobe = 0.84 + float(np.sum(np.array([0.07, 0.09, 0.06]) * np.sin(waves * angle + phases)))
        spot = np.array([np.cos(angle), np.sin(angle)]) * away * lobe
        spot[1] = spot[1] if spot[1] > 0 else spot[1] * 0.78
        if all(np.hypot(*((spot - other) * reach)) > size * 0.88 for other in chosen):
            chosen.append(spot)
    order = sorted(chosen, key=lambda spot: spot[1] + np.hypot(*spot) * 0.4 + rng.uniform(0, 0.4))
    for rank, spot in enumerate(order[::-1]):
        place = np.array(middle) + spot * reach
        _cluster(sheet, rng, place, spot, size * rng.uniform(0.75, 1.2), rank / len(order))


def _prune(sheet: Labels) -> None:
    """Cut off what branches stand out of the crown."""
    leaves = np.asarray((sheet[..., 0] > 128) & (sheet[..., 1] < 128), np.uint8)
    crown = cv2.dilate(leaves, np.ones((9, 9), np.uint8))
    high = int((FOOT[1] - TALL * 0.42) * OVER)
    sheet[:high][crown[:high] == 0] = (0, 0, 128, 128)


def _cluster(
    sheet: Labels, rng: np.random.Generator, place: Array, out: Array, size: float, front: float
) -> None:
    """One cluster: dabs from its shaded foot to its lit cap."""
    for low, spread, count in ((-0.50, 1.0, 9), (0.10, 0.85, 8), (0.55, 0.58, 6)):
        for _ in range(count):
            angle, away = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0.1, 1)) * spread
            dx, dy = np.cos(angle) * away, np.sin(angle) * away * 0.62 + low * 0.5
            side = np.clip(0.72 * out[0] + 0.34 * dx + rng.uniform(-0.04, 0.04), -1, 1)
            rise = np.clip(0.62 * out[1] + 0.66 * low + 0.15 * front - 0.02, -1, 1)
            value = (255, 0, int(128 + 120 * side), int(128 + 120 * rise))
            spot = (place[0] + dx * size, place[1] + dy * size)
            _dab(sheet, spot, size * rng.uniform(0.32, 0.50), float(rng.uniform(0, 180)), value)


def _sheet() -> Labels:
    sheet = np.zeros((HIGH * OVER, WIDE * OVER, 4), np.uint8)
    sheet[..., 2:] = 128
    return sheet


def _at(places: Array) -> Array:
    spots = np.array(FOOT) + places * np.array([TALL, -TALL])
    return np.asarray(np.round(spots * OVER * 2**FINE), np.int32)


def _poly(sheet: Labels, shape: list[tuple[float, float]], value: tuple[int, ...]) -> None:
    cv2.fillPoly(sheet, [_at(np.array(shape))], value, cv2.LINE_AA, FINE)


def _dab(
    sheet: Labels, spot: tuple[float, float], size: float, angle: float, value: tuple[int, ...]
) -> None:
    x, y = _at(np.array(spot)).tolist()
    long = int(size * TALL * OVER * 2**FINE)
    cv2.ellipse(
        sheet, (x, y), (long, int(long * 0.68)), angle, 0, 360, value, -1, cv2.LINE_AA, FINE
    )


def _halvings(sheet: Labels) -> tuple[Labels, ...]:
    small = cv2.resize(sheet, (WIDE, HIGH), interpolation=cv2.INTER_AREA)
    return _mips(small)


def _mips(sheet: Labels) -> tuple[Labels, ...]:
    levels = [sheet]
    for _ in range(4):
        high, wide = levels[-1].shape[:2]
        half = cv2.resize(levels[-1], (wide // 2, high // 2), interpolation=cv2.INTER_AREA)
        levels.append(half)
    return tuple(levels)


def warp(levels: tuple[Labels, ...], affine: Array, size: tuple[int, int]) -> Labels:
    """The sprite through `affine` (2, 3; to pixels of a window of `size` (columns, rows))."""
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    level = int(np.clip(np.floor(-np.log2(max(scale, 1e-3)) + 0.35), 0, len(levels) - 1))
    factor = 2.0**level
    matrix = affine.copy()
    matrix[:, 2] += matrix[:, :2] @ np.full(2, (factor - 1) / 2)
    matrix[:, :2] *= factor
    border = (0, 0, 128, 128)
    return np.asarray(
        cv2.warpAffine(
            levels[level], matrix, size, None, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT, border
        )
    )

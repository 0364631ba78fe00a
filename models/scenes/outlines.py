"""Outlines: what mountains, woods, trees, houses, ways and clouds look like on a plan.

Role: one function a thing, that labels its plain shape. Places are a thing's foot in picture
widths. Knows nothing of where things go, nor how they are painted.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.scenes import sprites
from models.scenes.light import Array
from models.scenes.plan import Plan, Points, oval
from models.scenes.sprites import BROAD, FOOT, TALL, VARIANTS

ACROSS = 224  # heights of a mountain's crest


@dataclass(frozen=True)
class Tree:
    """`x`, `y` its foot, `high` its height, in picture widths."""

    x: float
    y: float
    high: float
    kind: str  # "conifer" or one of sprites.BROAD
    variant: int
    stretch: float = 1.0  # of its width; negative is mirrored


@dataclass(frozen=True)
class House:
    """`x`, `y` the middle of its foot, `wide` its width."""

    x: float
    y: float
    wide: float
    kind: str  # cottage, chapel, lighthouse

    @property
    def turn(self) -> int:
        """From its front to its long side: -1 leftwards, +1 rightwards."""
        return -1 if self.x < 0.5 else 1


def a_tree(rng: np.random.Generator, x: float, y: float, high: float, pointed: float = 0.5) -> Tree:
    """A tree by chance, a conifer with the chance `pointed`. Always four draws."""
    chance, kind = rng.random(), str(rng.choice(BROAD))
    variant = int(rng.integers(8))
    stretch = float(rng.uniform(-1, 1))
    stretch = (0.88 + 0.26 * abs(stretch)) * (1 if stretch > 0 else -1)
    return Tree(x, y, high, "conifer" if chance < pointed else kind, variant, stretch)


def a_house(rng: np.random.Generator, x: float, y: float, wide: float, kind: str = "") -> House:
    """A building by chance; always one draw."""
    drawn = str(rng.choice(("cottage", "cottage", "cottage", "cottage", "cottage", "chapel")))
    return House(x, y, wide, kind or drawn)


def mountains(plan: Plan, crest: Array, foot: float) -> None:
    """A range of heights `crest` (ACROSS,) over its base `foot`."""
    line = cv2.resize(np.asarray(crest, np.float32)[None], (plan.size, 1))[0]
    plan.below(foot - 1.1 * np.maximum(line, 0.0), "mountain", foot)


def tree(plan: Plan, what: Tree) -> None:
    """A tree's plain shape, gaps between leaves closed."""
    levels = (
        sprites.conifer(what.variant)
        if what.kind == "conifer"
        else sprites.broad(what.kind, what.variant % VARIANTS)
    )
    scale = what.high * plan.size / TALL
    matrix = np.array([[scale * what.stretch, 0.0], [0.0, scale]])
    foot = np.array([what.x, what.y]) * plan.size - 0.5
    affine = np.concatenate([matrix, (foot - matrix @ (np.array(FOOT) - 0.5))[:, None]], 1)
    sheet = sprites.warp(levels, affine, (plan.size, plan.size))
    width = max(3, round(what.high * plan.size * 0.05) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    core = (sheet[..., 0] > 115).astype(np.uint8)
    plan.label(cv2.morphologyEx(core, cv2.MORPH_CLOSE, kernel) > 0, "tree")


OUTLINES: tuple[tuple[tuple[float, float], ...], ...] = (  # in house widths, along and up
    ((0, -0.02), (1, -0.02), (1, 0.42), (0, 0.42)),
    ((-0.05, 0.40), (1.04, 0.38), (0.92, 0.83), (0.21, 0.88)),
)


def house(plan: Plan, what: House) -> None:
    """Walls and roof; a chapel's steeple; a lighthouse's tower."""
    x, y, w, turn = what.x, what.y, what.wide, what.turn
    if what.kind == "lighthouse":
        top = y - w * 2.97
        plan.mark([(x - w * 0.36, y), (x - w * 0.21, top), (x, y - w * 3.24),
                   (x + w * 0.21, top), (x + w * 0.36, y)], "house")  # fmt: skip
        return
    left = x - turn * w / 2
    for places in OUTLINES:
        plan.mark([(left + turn * w * along, y - w * up) for along, up in places], "house")
    if what.kind == "chapel":
        sx, half, eave = x - turn * w * 0.62, w * 0.15, y - w * 0.98
        plan.mark([(sx - half, y), (sx + half, y), (sx + half, eave), (sx, y - w * 1.75),
                   (sx - half, eave)], "house")  # fmt: skip


def wood(
    plan: Plan, line: Array, rng: np.random.Generator, size: tuple[float, Array], pointed: bool
) -> None:
    """A wood along a line of feet: `size` is its height and what share of that it has at each
    column."""
    high, full = size
    top = line + 0.004 - (_tips if pointed else _crowns)(rng, plan.size, high) * full
    low = line + high * 0.28 * full
    plan.label((plan.y > top) & (plan.y < low) & (full > 0.2), "tree")


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


def ribbon(x: Array, y: Array, half: Array) -> Points:
    """What lies within `half` of a way, to both sides."""
    return [*zip(x - half, y, strict=True), *zip((x + half)[::-1], y[::-1], strict=True)]


def waterfall(plan: Plan, x: float, top: float, foot: float, width: float, place: float) -> None:
    """A ribbon that sways and widens as it falls."""
    t = np.linspace(0, 1, 16)
    sway = x + width * 0.22 * np.sin(t * 4 + place * 6)
    plan.mark(ribbon(sway, top + (foot - top) * t, width * (0.36 + 0.24 * t)), "water")


def pond(middle: tuple[float, float], half: tuple[float, float], phase: float) -> Points:
    """The outline of still water, uneven by `phase` 0–1."""
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    uneven = 1 + 0.11 * np.sin(turn * 3 + phase * 6)
    x, y = middle[0] + half[0] * uneven * np.cos(turn), middle[1] + half[1] * uneven * np.sin(turn)
    return list(zip(x, y, strict=True))


def sun(plan: Plan, x: float, y: float, radius: float) -> None:
    plan.mark(oval(x, y, radius, radius), "sun")


def heap(plan: Plan, x: float, y: float, width: float, variant: int) -> None:
    """A cumulus on its flat foot at `y`; an odd `variant` is mirrored."""
    scale, turn = width * plan.size / 256, -1 if variant % 2 else 1
    matrix = np.array([[scale * turn, 0.0], [0.0, scale]])
    corner = np.array([x, y]) * plan.size - 0.5
    affine = np.concatenate([matrix, (corner - matrix @ np.array([127.5, 125.0]))[:, None]], 1)
    sheet = sprites.warp(sprites.cloud(variant // 2), affine, (plan.size, plan.size))
    plan.label(sheet[..., 0] > 128, "cloud")


def streaks(
    plan: Plan, rng: np.random.Generator, middle: float, thick: float, cover: float
) -> None:
    """Long flat clouds around the height `middle`."""
    uneven = np.zeros((plan.size, plan.size), np.float32)
    for across, share in ((2, 1.0), (5, 0.45), (11, 0.2)):
        grid = rng.standard_normal((across * 9 + 1, across + 1)).astype(np.float32)
        uneven += share * cv2.resize(grid, (plan.size, plan.size), interpolation=cv2.INTER_CUBIC)
    near = 1.2 - ((plan.y - middle) / thick) ** 2 * 1.2
    plan.label(uneven * 0.45 + near - 1.35 + cover > 0.08, "cloud")

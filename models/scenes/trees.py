"""Trees: sprites in the light of a scene, and the shadows that they cast.

Role: paint one tree at a place, in its season's leaf, bent by a storm. Places are a tree's foot in
picture widths; `far` 0 (near) to 1 fades it. Invariant: a tree's plain outline is labelled, not its
every leaf. Knows nothing of where trees go.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.scenes import sprites
from models.scenes.board import Board, Labels, Window
from models.scenes.light import CROWNS, Array, Light, mix, rgb
from models.scenes.sprites import BROAD, FOOT, TALL, VARIANTS


@dataclass(frozen=True)
class Tree:
    """What chance decided of one tree. `x`, `y` its foot, `high` its height, in picture widths."""

    x: float
    y: float
    high: float
    kind: str  # "conifer" or one of sprites.BROAD
    variant: int
    stretch: float = 1.0  # of its width; negative is mirrored


def a_tree(rng: np.random.Generator, x: float, y: float, high: float, pointed: float = 0.5) -> Tree:
    """A tree by chance, a conifer with the chance `pointed`. Always four draws."""
    chance, kind = rng.random(), str(rng.choice(BROAD))
    variant = int(rng.integers(8))
    stretch = float(rng.uniform(-1, 1))
    stretch = (0.88 + 0.26 * abs(stretch)) * (1 if stretch > 0 else -1)
    return Tree(x, y, high, "conifer" if chance < pointed else kind, variant, stretch)


def paint_tree(board: Board, tree: Tree, far: float, shadow: bool = True) -> None:
    """The tree and, in clear weather, its shadow on the ground."""
    light = board.light
    if shadow and light.weather != "fog":
        _cast(board, tree, far)
    lean = 0.24 if light.weather == "storm" else 0.0
    affine = _placing(board, tree, (lean, 1.0))
    where = _reach(board, tree, 0.62)
    sheet = _warped(_levels(tree, light.season), affine, where, board.size)
    if sheet is None:
        return
    cover = sheet[..., 0] * np.float32(1 / 255)
    board.lay(cover, _coloured(board, tree, sheet, far, where), None, where)
    _outline(board, cover, where, tree, light.season)


def _outline(board: Board, cover: Array, where: Window, tree: Tree, season: str) -> None:
    """Label a tree's plain shape: gaps between leaves closed, bare twigs as the crown they span."""
    core = cover > 0.45
    width = max(3, round(tree.high * board.size * (0.10 if season == "winter" else 0.05)) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    closed = cv2.morphologyEx(core.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    board.label(closed > 0, "tree", where)


def _levels(tree: Tree, season: str) -> tuple[Labels, ...]:
    if tree.kind == "conifer":
        return sprites.conifer(tree.variant)
    return sprites.broad(tree.kind, tree.variant % VARIANTS)


def _placing(board: Board, tree: Tree, up: tuple[float, float]) -> Array:
    """Sprite to picture, pixels: `up` is where a unit of height leads, in picture directions."""
    scale = tree.high * board.size / TALL
    across = np.array([scale * tree.stretch, 0.0])
    upward = np.array([up[0], -up[1]]) * scale
    foot = np.array([tree.x, tree.y]) * board.size - 0.5
    matrix = np.stack([across, -upward], 1)
    return np.concatenate([matrix, (foot - matrix @ (np.array(FOOT) - 0.5))[:, None]], 1)


def _reach(board: Board, tree: Tree, half: float) -> Window:
    h = tree.high
    return board.window(tree.x - h * half, tree.y - h * 1.06, tree.x + h * half, tree.y + h * 0.05)


def _warped(levels: tuple[Labels, ...], affine: Array, where: Window, size: int) -> Labels | None:
    """The sprite in a window of the picture; None if that is outside."""
    top, left = where[0].start, where[1].start
    rows, columns = min(where[0].stop, size) - top, min(where[1].stop, size) - left
    if rows <= 0 or columns <= 0:
        return None
    moved = affine.copy()
    moved[:, 2] -= (left, top)
    return sprites.warp(levels, moved, (columns, rows))


def _coloured(board: Board, tree: Tree, sheet: Labels, far: float, where: Window) -> Array:
    """The sprite's surface in the scene's light: leaves in flat tones, wood, snow where it lies."""
    light = board.light
    away = np.array([light.sun_x - tree.x, tree.y - tree.high * 0.5 - light.sun_y])
    away = away / max(0.15, float(np.hypot(*away)))
    side = sheet[..., 2].astype(np.float32) - 128
    rise = sheet[..., 3].astype(np.float32) - 128
    if tree.kind != "conifer":
        reach = tree.high * board.size * 0.05
        side, rise = (cv2.GaussianBlur(each, (0, 0), max(0.5, reach)) for each in (side, rise))
        clumps = 48 if tree.high > 0.25 else 64
        rise = rise + 48 * board.chance.field(clumps)[where][: rise.shape[0], : rise.shape[1]]
    side = side if tree.stretch > 0 else -side
    tone = np.clip(
        118 + side * float(away[0]) * 0.85 + rise * (0.35 + 0.5 * float(away[1])), 0, 255
    )
    index = tone.astype(np.uint8)
    colour = light.ramp(_leaf(light, tree.kind), far)[index]
    if light.season == "winter" and tree.kind == "conifer":
        snowy = np.clip((rise - 20) / 20, 0, 1)[..., None]
        colour = mix(colour, light.ramp(light.base("snow"), far)[index], snowy)
    wood = sheet[..., 1:2] * np.float32(1 / 255)
    if wood.any():
        bark = rgb((0.80, 0.77, 0.74)) if tree.kind == "birch" else light.base("trunk")
        limbs = light.ramp(bark, far)[index]
        if light.season == "winter" and tree.kind != "conifer":
            lying = wood[..., 0] - np.roll(wood[..., 0], max(1, board.size // 170), 0)
            limbs = mix(limbs, light.lit("snow", 0.8, far), np.clip(lying, 0, 1)[..., None])
        colour = mix(colour, limbs, wood)
    return colour


def _leaf(light: Light, kind: str) -> Array:
    """The colour of a kind's leaves; its outline tells the kind."""
    if kind == "conifer":
        return light.base("conifer")
    return rgb(CROWNS[light.season][BROAD.index(kind)])


def _cast(board: Board, tree: Tree, far: float) -> None:
    """The tree's own silhouette laid on the ground, away from the sun."""
    light = board.light
    aside = np.clip((tree.x - light.sun_x) * 1.4, -1.1, 1.1)
    low = 1.0 + 0.8 * (light.sun_y > 0.25)
    up = (float(aside) * low * 0.7, -0.20 * low)
    affine = _placing(board, tree, up)
    h = tree.high
    across = h * (0.62 + abs(up[0]))
    where = board.window(tree.x - across, tree.y - h * 0.05, tree.x + across, tree.y + h * 0.45)
    sheet = _warped(_levels(tree, light.season), affine, where, board.size)
    if sheet is None:
        return
    strength = {"clear": 0.54, "rain": 0.16, "storm": 0.18}[light.weather] * (1 - far)
    solid = cv2.blur(sheet[..., 0], (3, 3)) * np.float32(strength / 255)
    grounded = ~np.isin(board.labels[where], SHADELESS)
    ground = board.image[where]
    board.lay(solid * grounded, ground * rgb((0.36, 0.40, 0.62)), None, where)


SHADELESS = (0, 1, 2, 4)  # sky, cloud, sun, water: nothing casts a shadow on them

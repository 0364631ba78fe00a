"""Trees: sprites in the light of a scene, and their shade on the ground.

Role: paint one tree at a place, in its season's leaf, bent by a storm. Places are a tree's foot in
picture widths; `far` 0 (near) to 1 fades it. Knows nothing of where trees go.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.scenes import sprites
from models.scenes.board import Board, Window
from models.scenes.light import CROWNS, Array, Light, mix, rgb
from models.scenes.outlines import Tree
from models.scenes.plan import Labels
from models.scenes.sprites import BROAD, FOOT, TALL, VARIANTS


def paint_tree(board: Board, tree: Tree, far: float) -> None:
    """The tree and its shade."""
    light = board.light
    _shade(board, tree, far)
    lean = 0.24 if light.weather == "storm" else 0.0
    where = _reach(board, tree, 0.62)
    sheet = _warped(_levels(tree), _placing(board, tree, (lean, 1.0)), where, board.size)
    if sheet is None:
        return
    cover = sheet[..., 0] * np.float32(1 / 255)
    board.lay(cover, _coloured(board, tree, sheet, far, where), None, where)
    board.label(cover > 0.45, "tree", where)


def _shade(board: Board, tree: Tree, far: float) -> None:
    """A soft oval on the ground, away from the light."""
    light = board.light
    wide = min(0.4 * tree.high * abs(tree.stretch), 0.25)
    strength = {"clear": 0.40, "fog": 0.10, "rain": 0.16, "storm": 0.18}[light.weather]
    x, y = tree.x - light.side * wide * 0.35, tree.y
    where = board.window(x - wide * 1.6, y - wide * 0.5, x + wide * 1.6, y + wide * 0.5)
    away = ((board.x[where] - x) / wide) ** 2 + ((board.y[where] - y) / (wide * 0.24)) ** 2
    shade = np.clip(1.3 - away, 0, 1) * strength * (1 - far)
    grounded = ~np.isin(board.labels[where], SHADELESS)
    dark = board.image[where] * rgb((0.36, 0.40, 0.62))
    board.lay(np.asarray(shade * grounded, np.float32), dark, None, where)


def _levels(tree: Tree) -> tuple[Labels, ...]:
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


SHADELESS = (0, 1, 2, 4)  # sky, cloud, sun, water: nothing casts a shadow on them

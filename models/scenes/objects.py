"""What stands in a scene: trees, houses, paths, flowers.

Role: small crisp shapes drawn with a `Brush`, each labelled by a plainer outline than it is
painted with, as a hand would draw it. Places are the foot of a thing in picture widths; `distance`
0 (near) to 1 fades it. Knows nothing of where things go.
"""

from __future__ import annotations

import numpy as np

from models.scenes.board import Board, Brush, Points, oval
from models.scenes.light import Array, mix, rgb


def draw_conifer(board: Board, brush: Brush, x: float, y: float, h: float, far: float) -> None:
    """Tiers of boughs, lit on the sun's side; snow on them in winter. `h` its height."""
    light, side = board.light, board.light.side
    tiers, width = 4 if h < 0.09 else 6, h * 0.27
    dark, pale = light.lit("conifer", 0.05, far), light.lit("conifer", 1.0, far)
    trunk = light.lit("trunk", 0.4, far)
    brush.fill([(x - h * 0.03, y), (x + h * 0.03, y), (x, y - h * 0.4)], trunk)
    for tier in range(tiers):
        low = y - h * (0.10 + 0.78 * tier / tiers)
        tip = low - h * (1.15 - 0.45 * tier / tiers) * 1.45 / tiers
        half = width * (1 - 0.86 * tier / tiers)
        brush.fill(_bough(x, low, tip, half), dark)
        lean = [(x, tip), (x + side * half, low), (x + side * half * 0.15, low - h * 0.015)]
        brush.fill(lean, pale)
        if light.season == "winter":
            cap = [(x, tip), (x + half * 0.5, low - h * 0.06), (x - half * 0.5, low - h * 0.06)]
            brush.fill(cap, light.lit("snow", 0.85, far))
    board.mark([(x - width, y - h * 0.06), (x, y - h), (x + width, y - h * 0.06)], "tree")
    board.mark([(x - h * 0.04, y), (x + h * 0.04, y), (x, y - h * 0.3)], "tree")


def _bough(x: float, low: float, tip: float, half: float) -> Points:
    drop = half * 0.12
    return [(x, tip), (x + half, low + drop), (x + half * 0.45, low), (x, low + drop * 1.5),
            (x - half * 0.45, low), (x - half, low + drop)]  # fmt: skip


def draw_round_tree(board: Board, brush: Brush, x: float, y: float, h: float, far: float) -> None:
    """Trunk and a crown of puffs in three tones."""
    rng, light = board.rng, board.light
    trunk = light.lit("trunk", 0.5 if light.side < 0 else 0.35, far)
    brush.fill(
        [(x - h * 0.055, y), (x + h * 0.055, y), (x + h * 0.03, y - h * 0.5), (x - h * 0.03, y - h * 0.5)],
        trunk,
    )  # fmt: skip
    spread = h * rng.uniform(0.26, 0.36)
    puffs = [(0.0, -0.66, 0.30), (-0.62, -0.52, 0.20), (0.62, -0.52, 0.20), (-0.35, -0.78, 0.20),
             (0.38, -0.76, 0.20), (0.0, -0.48, 0.22)]  # fmt: skip
    tones = [(0.0, 1.0, 0.0), (0.55, 0.78, 0.20), (1.05, 0.48, 0.36)]
    for amount, scale, shift in tones:
        colour = light.lit("crown", amount, far)
        for dx, dy, r in puffs:
            cx = x + dx * spread + light.side * r * h * shift * 0.6
            brush.disc(cx, y + dy * h - r * h * shift * 0.7, r * h * scale, colour)
    board.mark(oval(x, y - h * 0.64, spread * 0.62 + h * 0.2, h * 0.36), "tree")
    board.mark([(x - h * 0.06, y), (x + h * 0.06, y), (x, y - h * 0.5)], "tree")


def draw_house(board: Board, brush: Brush, x: float, y: float, w: float, far: float) -> None:
    """A gabled house of width `w` seen from a corner: front, long side, roof, lit windows."""
    light, side = board.light, board.light.side
    wall_h, roof_h, front = w * 0.42, w * 0.38, w * 0.42
    turn = 1 if board.rng.random() < 0.5 else -1
    left, ridge_x = x - turn * w / 2, x - turn * w / 2 + turn * front / 2
    end = left + turn * w
    wall = light.base("wall")
    lit_front = 0.95 if turn == -side else 0.35
    brush.fill(
        [(left, y), (left + turn * front, y), (left + turn * front, y - wall_h), (ridge_x, y - wall_h - roof_h), (left, y - wall_h)],
        light.lit(wall, lit_front, far),
    )  # fmt: skip
    brush.fill(
        [(left + turn * front, y), (end, y), (end, y - wall_h), (left + turn * front, y - wall_h)],
        light.lit(wall, 1.2 - lit_front, far),
    )
    roof = light.base("snow") if light.season == "winter" else light.base("roof")
    over = turn * w * 0.04
    chimney = [(end - turn * w * 0.2, y - wall_h - roof_h * 0.6), (end - turn * w * 0.1, y - wall_h - roof_h * 0.6),
               (end - turn * w * 0.1, y - wall_h - roof_h * 1.25), (end - turn * w * 0.2, y - wall_h - roof_h * 1.25)]  # fmt: skip
    brush.fill(chimney, light.lit("roof", 0.4, far))
    brush.fill(
        [(ridge_x, y - wall_h - roof_h * 1.06), (end - over * 2, y - wall_h - roof_h * 1.06), (end + over, y - wall_h + w * 0.03), (left + turn * front + over, y - wall_h + w * 0.03)],
        light.lit(roof, 0.75, far),
    )  # fmt: skip
    brush.fill(
        [(ridge_x, y - wall_h - roof_h * 1.1), (left - over, y - wall_h + w * 0.03), (left - over, y - wall_h - w * 0.03), (ridge_x, y - wall_h - roof_h * 1.24)],
        light.lit(roof, 0.4, far),
    )  # fmt: skip
    _openings(board, brush, (left, y, turn, w), far)
    board.mark([(left, y), (end, y), (end, y - wall_h), (left, y - wall_h)], "house")
    board.mark(
        [(left - over, y - wall_h), (end + over, y - wall_h), (end - turn * w * 0.08, y - wall_h - roof_h), (ridge_x, y - wall_h - roof_h * 1.1)],
        "house",
    )  # fmt: skip


def _openings(
    board: Board, brush: Brush, house: tuple[float, float, int, float], far: float
) -> None:
    """A door in the front, windows in both walls; they shine when it is dark."""
    left, y, turn, w = house
    light = board.light
    shining = light.time in ("night", "sunset")
    glass = mix((1.0, 0.82, 0.36), light.haze, far * 0.4) if shining else light.lit("window", 0.8, far)
    door = light.lit("trunk", 0.7, far)
    _pane(brush, left + turn * w * 0.13, y - w * 0.12, w * 0.075, w * 0.12, door)
    for place, up in ((0.30, 0.24), (0.56, 0.22), (0.72, 0.22), (0.88, 0.22)):
        cx, cy = left + turn * w * place, y - w * up
        _pane(brush, cx, cy, w * 0.052, w * 0.075, glass)
        if shining:
            board.lamps.append((cx, cy, w * 0.22))


def _pane(brush: Brush, x: float, y: float, across: float, up: float, colour: Array) -> None:
    brush.fill(
        [(x - across, y - up), (x + across, y - up), (x + across, y + up), (x - across, y + up)],
        colour,
    )


def glow_lamps(board: Board) -> None:
    """Warm light around lit windows."""
    strength = {"night": 0.5, "sunset": 0.22}.get(board.light.time, 0.0)
    for x, y, radius in board.lamps:
        near = np.exp(-((board.x - x) ** 2 + (board.y - y) ** 2) / (radius * radius))
        board.image = board.image + (strength * near)[..., None] * rgb((0.75, 0.48, 0.16))
    board.image = np.clip(board.image, 0, 1)


def draw_path(board: Board, start: float, end: tuple[float, float], bend: float) -> None:
    """A way from the bottom edge at x = `start` to a far point, narrowing and winding."""
    t = np.linspace(0, 1, 40)
    y = 1.02 + (end[1] - 1.02) * (1 - (1 - t) ** 1.6)
    x = start + (end[0] - start) * t + bend * np.sin(t * np.pi * 2) * (1 - t)
    half = 0.075 * (1 - t) ** 1.5 + 0.004
    edge = [*zip(x - half, y, strict=True), *zip((x + half)[::-1], y[::-1], strict=True)]
    core = [*zip(x - half * 0.55, y, strict=True), *zip((x + half * 0.7)[::-1], y[::-1], strict=True)]
    light = board.light
    board.lay(board.mask([edge]), light.lit("path", 0.35, 0.08), "path")
    board.lay(board.mask([core]), light.lit("path", 0.85, 0.08))


def draw_flowers(board: Board, brush: Brush, x: float, y: float, width: float) -> None:
    """A patch of blossoms on stems, larger towards the viewer."""
    rng, light = board.rng, board.light
    hues = [(0.95, 0.35, 0.55), (1.0, 0.82, 0.25), (0.97, 0.95, 0.95), (0.72, 0.42, 0.85)]
    hues = hues if light.season != "autumn" else [(0.90, 0.40, 0.20), (0.95, 0.75, 0.25), (0.75, 0.25, 0.35)]
    down = width * 0.32
    board.mark(oval(x, y, width, down), "flower")
    spots = [(px, py) for py in np.arange(-1, 1.01, 0.24) for px in np.arange(-1, 1.01, 0.14)]
    for px, py in spots:
        px, py = px + rng.uniform(-0.06, 0.06), py + rng.uniform(-0.09, 0.09)
        if px * px + py * py > 1:
            continue
        fx, fy = x + px * width, y + py * down
        size = 0.004 + 0.012 * max(0.0, fy - 0.45)
        hue = rgb(hues[int(rng.integers(len(hues)))])
        brush.disc(fx, fy + size * 0.9, size * 0.8, light.lit("meadow", 0.15))
        brush.disc(fx, fy, size, light.lit(hue, 0.95))
        if size > 0.007:
            brush.disc(fx, fy, size * 0.35, light.lit(rgb((1.0, 0.85, 0.4)), 1.0))

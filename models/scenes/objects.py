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
    foot, neck, fork = h * 0.055, h * 0.03, y - h * 0.5
    brush.fill([(x - foot, y), (x + foot, y), (x + neck, fork), (x - neck, fork)], trunk)
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
    light = board.light
    turn = 1 if board.rng.random() < 0.5 else -1
    left = x - turn * w / 2

    def at(*places: tuple[float, float]) -> Points:
        """Places in house widths: along from the front corner, up from the foot."""
        return [(left + turn * w * along, y - w * up) for along, up in places]

    front_lit = 0.95 if turn == -light.side else 0.35
    roof = light.base("snow") if light.season == "winter" else light.base("roof")
    gable = at((0, 0), (0.42, 0), (0.42, 0.42), (0.21, 0.80), (0, 0.42))
    brush.fill(gable, light.lit("wall", front_lit, far))
    brush.fill(
        at((0.42, 0), (1, 0), (1, 0.42), (0.42, 0.42)), light.lit("wall", 1.2 - front_lit, far)
    )
    chimney = at((0.8, 0.65), (0.9, 0.65), (0.9, 0.9), (0.8, 0.9))
    brush.fill(chimney, light.lit("roof", 0.4, far))
    slope = at((0.21, 0.823), (0.92, 0.823), (1.04, 0.39), (0.46, 0.39))
    brush.fill(slope, light.lit(roof, 0.75, far))
    edge = at((0.21, 0.84), (-0.04, 0.39), (-0.04, 0.45), (0.21, 0.89))
    brush.fill(edge, light.lit(roof, 0.4, far))
    _openings(board, brush, (left, y, turn, w), far)
    board.mark(at((0, 0), (1, 0), (1, 0.42), (0, 0.42)), "house")
    board.mark(at((-0.04, 0.42), (1.04, 0.42), (0.92, 0.80), (0.21, 0.84)), "house")


def _openings(
    board: Board, brush: Brush, house: tuple[float, float, int, float], far: float
) -> None:
    """A door in the front, windows in both walls; they shine when it is dark."""
    left, y, turn, w = house
    light = board.light
    shining = light.time in ("night", "sunset")
    glass = light.lit("window", 0.8, far)
    if shining:
        glass = mix((1.0, 0.82, 0.36), light.haze, far * 0.4)
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
    edge, core = _ribbon(x - half, x + half, y), _ribbon(x - half * 0.55, x + half * 0.7, y)
    light = board.light
    board.lay(board.mask([edge]), light.lit("path", 0.35, 0.08), "path")
    board.lay(board.mask([core]), light.lit("path", 0.85, 0.08))


def _ribbon(left: Array, right: Array, y: Array) -> Points:
    return [*zip(left, y, strict=True), *zip(right[::-1], y[::-1], strict=True)]


def draw_flowers(board: Board, brush: Brush, x: float, y: float, width: float) -> None:
    """A patch of blossoms on stems, larger towards the viewer."""
    rng, light = board.rng, board.light
    hues = [(0.95, 0.35, 0.55), (1.0, 0.82, 0.25), (0.97, 0.95, 0.95), (0.72, 0.42, 0.85)]
    if light.season == "autumn":
        hues = [(0.90, 0.40, 0.20), (0.95, 0.75, 0.25), (0.75, 0.25, 0.35)]
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

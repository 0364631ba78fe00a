"""Buildings: cottages, chapels and lighthouses, with lamps lit when it is dark.

Role: small crisp shapes drawn with a `Brush`, each labelled by a plainer outline than it is
painted with. Places are the foot of a thing in picture widths; `far` 0 (near) to 1 fades it. Knows
nothing of where things go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.scenes.board import Board, Brush, Points
from models.scenes.light import Array, mix, rgb

CHIMNEY = rgb((0.55, 0.47, 0.44))
FRAMED = 0.13  # a house that is wider shows frames and tiles


@dataclass(frozen=True)
class House:
    """What chance decided of one building; `wide` is its width. Cottages and chapels have
    white walls and red roofs, and their front ends are towards the picture's middle: what no canvas
    tells, a network can only blur."""

    x: float
    y: float
    wide: float
    kind: str  # cottage, chapel, lighthouse

    @property
    def turn(self) -> int:
        """From its front to its long side: -1 leftwards, +1 rightwards."""
        return -1 if self.x < 0.5 else 1


def a_house(rng: np.random.Generator, x: float, y: float, wide: float, kind: str = "") -> House:
    """A building by chance; always one draw."""
    drawn = str(rng.choice(("cottage", "cottage", "cottage", "cottage", "cottage", "chapel")))
    return House(x, y, wide, kind or drawn)


def paint_house(board: Board, house: House, far: float) -> None:
    """The building, its shadow and its lamps."""
    w, x, y = house.wide, house.x, house.y
    tall = {"cottage": 1.0, "chapel": 1.9, "lighthouse": 3.4}[house.kind]
    _cast(board, house)
    with board.brush(board.window(x - w * 1.5, y - w * tall, x + w * 1.5, y + w * 0.5)) as brush:
        if house.kind == "lighthouse":
            _lighthouse(board, brush, house, far)
        else:
            _cottage(board, brush, house, far)
            if house.kind == "chapel":
                _steeple(board, brush, house, far)


def _cast(board: Board, house: House) -> None:
    """A slab of shade on the ground, on the side from the sun."""
    light, w, x, y = board.light, house.wide, house.x, house.y
    away = float(np.clip((x - light.sun_x) * 1.2, -0.9, 0.9)) * w
    half, low = w * 0.45, y + w * 0.13
    slab = [(x - w * 0.5, y - 0.002), (x + w * 0.5, y - 0.002)]
    slab += [(x + half + away, low), (x - half + away, low)]
    strength = {"clear": 0.55, "fog": 0.12, "rain": 0.22, "storm": 0.22}[light.weather]
    board.lay(board.mask([slab]) * strength, board.image * rgb((0.36, 0.40, 0.62)))


WALL, GABLE = ((0.42, -0.02), (1, -0.02), (1, 0.42), (0.42, 0.42)), (0.42, -0.02)
PLANES: tuple[tuple[str, tuple[tuple[float, float], ...], float, float], ...] = (
    # of what; where, in house widths along from the front corner and up from the foot; its light
    # where the front is in the shade; how much more there is where the front is lit
    ("wall", ((0, -0.02), GABLE, (0.42, 0.42), (0.21, 0.80), (0, 0.42)), 0.12, 0.83),
    ("wall", WALL, 0.86, -0.83),
    ("eaves", ((0.42, 0.34), (1, 0.34), (1, 0.42), (0.42, 0.42)), 0.44, -0.42),
    ("stone", ((0.76, 0.62), (0.86, 0.62), (0.86, 0.95), (0.76, 0.95)), 0.40, 0.0),
    ("roof", ((0.21, 0.83), (0.92, 0.83), (1.05, 0.37), (0.46, 0.37)), 0.98, -0.50),
    ("roof", ((0.21, 0.83), (0.92, 0.83), (0.95, 0.72), (0.26, 0.72)), 1.05, -0.33),
    ("roof", ((0.21, 0.83), (-0.06, 0.36), (-0.06, 0.43), (0.21, 0.90)), 0.07, 0.50),
    ("roof", ((0.21, 0.83), (0.46, 0.37), (0.46, 0.44), (0.21, 0.90)), 0.60, 0.0),
)
TILES = tuple(
    ("tiles", ((left, up), (right, up), (right, up - 0.018), (left, up - 0.018)), 0.65, -0.33)
    for left, right, up in ((0.27, 0.96, 0.69), (0.35, 0.99, 0.58), (0.41, 1.02, 0.46))
)
OUTLINES: tuple[tuple[tuple[float, float], ...], ...] = (
    ((0, -0.02), (1, -0.02), (1, 0.42), (0, 0.42)),
    ((-0.05, 0.40), (1.04, 0.38), (0.92, 0.83), (0.21, 0.88)),
)


def _cottage(board: Board, brush: Brush, house: House, far: float) -> None:
    """Gable, long side, roof, chimney, windows."""
    light, turn, w = board.light, house.turn, house.wide
    left, snowy = house.x - turn * w / 2, light.season == "winter"

    def at(places: tuple[tuple[float, float], ...]) -> Points:
        return [(left + turn * w * along, house.y - w * up) for along, up in places]

    wall, roof = light.base("wall"), light.base("snow" if snowy else "roof")
    bases = {
        "wall": wall,
        "eaves": wall * 0.8,
        "stone": CHIMNEY,
        "roof": roof,
        "tiles": roof * 0.82,
    }
    lit = float(turn == -light.side)
    for name, places, amount, more in PLANES + (TILES if w > FRAMED and not snowy else ()):
        brush.fill(at(places), light.lit(bases[name], amount + more * lit, far))
    _openings(board, brush, house, left, far)
    for places in OUTLINES:
        board.mark(at(places), "house")


def _openings(board: Board, brush: Brush, house: House, left: float, far: float) -> None:
    """A door in the front, windows in both walls; they shine when it is dark."""
    light, w, turn = board.light, house.wide, house.turn
    _pane(
        brush,
        left + turn * w * 0.13,
        house.y - w * 0.11,
        w * 0.070,
        w * 0.14,
        light.lit("trunk", 0.5, far),
    )
    for place, up in ((0.29, 0.23), (0.60, 0.20), (0.82, 0.20)):
        x, y = left + turn * w * place, house.y - w * up
        _window(board, brush, (x, y, w), far)
        if light.dark:
            board.lamps.append((x, y, w * 0.26))


def _window(board: Board, brush: Brush, place: tuple[float, float, float], far: float) -> None:
    """Glass; on a near house with its frame, bars and sill."""
    (x, y, w), light = place, board.light
    if w < FRAMED:
        _pane(brush, x, y, w * 0.068, w * 0.088, _glass(board, far))
        return
    frame = light.lit(rgb((0.98, 0.96, 0.92)), 0.75, far)
    _pane(brush, x, y, w * 0.076, w * 0.096, frame)
    _pane(brush, x, y, w * 0.060, w * 0.080, _glass(board, far))
    _pane(brush, x, y, w * 0.008, w * 0.080, frame)
    _pane(brush, x, y + w * 0.100, w * 0.084, w * 0.012, light.lit("trunk", 0.7, far))


def _glass(board: Board, far: float) -> Array:
    light = board.light
    if light.dark:
        return mix((1.0, 0.82, 0.38), light.haze, far * 0.4)
    return mix(light.lit("window", 0.7, far), light.sky[1], 0.25)


def _steeple(board: Board, brush: Brush, house: House, far: float) -> None:
    light, w, side = board.light, house.wide, board.light.side
    x, y = house.x - house.turn * w * 0.62, house.y
    half, eave, tip = w * 0.15, y - w * 0.98, y - w * 1.75
    _pane(brush, x, (y + eave) / 2, half, (y - eave) / 2, light.lit("wall", 0.2, far))
    lit = x + side * half * 0.45
    _pane(brush, lit, (y + eave) / 2, half * 0.55, (y - eave) / 2, light.lit("wall", 0.95, far))
    brush.fill(
        [(x - half * 1.2, eave), (x + half * 1.2, eave), (x, tip)], light.lit("roof", 0.2, far)
    )
    brush.fill([(x + side * half * 1.2, eave), (x - side * half * 0.1, eave), (x, tip)],
               light.lit("roof", 0.95, far))  # fmt: skip
    _pane(brush, x, y - w * 0.72, half * 0.32, w * 0.10, _glass(board, far))
    board.mark(
        [(x - half, y), (x + half, y), (x + half, eave), (x, tip), (x - half, eave)], "house"
    )
    if light.dark:
        board.lamps.append((x, y - w * 0.72, w * 0.22))


def _lighthouse(board: Board, brush: Brush, house: House, far: float) -> None:
    """A banded tower; its lamp shines when it is dark."""
    light, x, y, w = board.light, house.x, house.y, house.wide
    high, red, white = w * 2.7, rgb((0.84, 0.25, 0.20)), rgb((0.97, 0.95, 0.92))

    def half(up: float) -> float:
        return w * (0.36 - 0.15 * up)

    for band in range(5):
        low, top = band / 5, (band + 1) / 5
        hue = red if band % 2 else white
        for lit, inner in ((0.10, -1.0), (0.55, -0.25), (1.0, 0.3)):
            edge = (inner * light.side, 1.0 * light.side)
            shape = [(x + e * half(u), y - high * u) for e, u in
                     ((edge[0], low), (edge[1], low), (edge[1], top), (edge[0], top))]  # fmt: skip
            brush.fill(shape, light.lit(hue, lit, far))
    _pane(brush, x, y - high * 1.0, w * 0.30, w * 0.05, light.lit("window", 0.3, far))
    _pane(brush, x, y - high * 1.06, w * 0.15, w * 0.16, _glass(board, far))
    eave, tip = y - high * 1.10, (x, y - high * 1.2)
    brush.fill([(x - w * 0.22, eave), (x + w * 0.22, eave), tip], light.lit(red, 0.6, far))
    left, right = [(x - half(1), eave), (x - half(0), y)], [(x + half(0), y), (x + half(1), eave)]
    board.mark([*left, *right, tip], "house")
    if light.dark:
        board.lamps.append((x, y - high * 1.06, w * 0.9))


def _pane(brush: Brush, x: float, y: float, across: float, up: float, colour: Array) -> None:
    brush.fill(
        [(x - across, y - up), (x + across, y - up), (x + across, y + up), (x - across, y + up)],
        colour,
    )


def glow_lamps(board: Board) -> None:
    """Warm light around lit windows."""
    strength = {"night": 0.50, "sunset": 0.20}.get(board.light.time, 0.25)
    warm = rgb((0.80, 0.50, 0.16))
    for x, y, radius in board.lamps:
        reach = radius * 2.6
        where = board.window(x - reach, y - reach, x + reach, y + reach)
        away = ((board.x[where] - x) ** 2 + (board.y[where] - y) ** 2) / (radius * radius)
        near = (np.exp(-away) * strength)[..., None] * warm
        board.image[where] += near * np.clip(1.0 - board.image[where], 0, 1)

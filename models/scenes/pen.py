"""A person's pen: round brush strokes that say what a region of a label map is.

Role: lines, zigzag fillings, rings, dabs, triangles and boxes, as hands make them with a round
brush of 4 to 40 pixels at 256², drawn into a label map. Invariants: widths and wobble are in
picture widths; nothing is anti-aliased, for labels can't be mixed. Knows materials by name and
nothing of how a scene was painted.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes.light import Array
from models.scenes.plan import Labels

THINNEST, THICKEST = 4 / 256, 40 / 256
LEAST_PIECE = 0.0012  # of the picture; smaller pieces of a region are nobody's aim
MOST_PIECES = 9


class Pen:
    """A round brush with one material on it."""

    def __init__(self, rng: np.random.Generator, drawn: Labels, number: int, width: float) -> None:
        self.rng, self.drawn, self.number = rng, drawn, number
        self.size = drawn.shape[0]
        self.width = float(np.clip(width, THINNEST, THICKEST))

    def stroke(self, points: Array, shake: float = 0.006, press: float = 0.25) -> None:
        """A line through `points` (n, 2), trembling, thick and thin by the share `press`."""
        rng, size = self.rng, self.size
        points = points + rng.normal(0, shake, points.shape)
        widths = (
            self.width * size * (1 + press * np.sin(rng.uniform(0, 6) + np.arange(len(points))))
        )
        spots = np.round(points * size).astype(np.int32)
        for i in range(len(spots) - 1):
            thick = max(1, round(float(widths[i])))
            cv2.line(self.drawn, spots[i].tolist(), spots[i + 1].tolist(), self.number, thick)

    def dab(self, x: float, y: float, radius: float) -> None:
        spot = (round(x * self.size), round(y * self.size))
        cv2.circle(self.drawn, spot, max(1, round(radius * self.size)), self.number, -1)

    def fill(self, points: Array) -> None:
        shape = np.round(points * self.size).astype(np.int32)
        cv2.fillPoly(self.drawn, [shape], self.number)

    def scribble(self, piece: NDArray[np.bool_]) -> None:
        """A zigzag over the piece, row by row, now with gaps, now over the edge."""
        rng, size = self.rng, self.size
        pitch = self.width * rng.uniform(0.75, 1.7)
        offset = rng.uniform(0, pitch)
        points: list[tuple[float, float]] = []
        for row in np.arange(offset, 1, pitch):
            line = np.flatnonzero(piece[min(size - 1, int(row * size))])
            if len(line) < 2:
                continue
            ends = line[[0, -1]] / size + rng.normal(0, 0.012, 2)
            tilt = rng.normal(0, pitch * 0.3)
            pair = [(ends[0], row - tilt), (ends[1], row + tilt)]
            points += pair if len(points) % 4 == 0 else pair[::-1]
        if len(points) > 1:
            self.stroke(np.array(points), 0.004, 0.15)


def draw_region(
    rng: np.random.Generator, drawn: Labels, labels: Labels, number: int, name: str
) -> None:
    """Draw one material of `labels` into `drawn` as a hand would."""
    mask = (labels == number).astype(np.uint8)
    _, pieces, stats, centres = cv2.connectedComponentsWithStats(mask)
    order = np.argsort(-stats[1:, cv2.CC_STAT_AREA])[:MOST_PIECES] + 1
    size, habit = labels.shape[0], float(rng.random())
    width = float(np.exp(rng.uniform(np.log(THINNEST), np.log(THICKEST))))
    for index in order:
        share = stats[index, cv2.CC_STAT_AREA] / size**2
        if share < LEAST_PIECE:
            break
        box = stats[index, :4] / size
        pen = Pen(rng, drawn, number, min(width, 0.25 + share) * rng.uniform(0.8, 1.2))
        _piece(pen, name, pieces == index, box, centres[index] / size, float(share), habit)


def _piece(
    pen: Pen,
    name: str,
    piece: NDArray[np.bool_],
    box: Array,
    centre: Array,
    share: float,
    habit: float,
) -> None:
    """One connected piece, in its material's way or as a plain mass."""
    special = SPECIAL.get(name)
    if special is not None and (share < 0.12 or name == "mountain") and habit < 0.75:
        special(pen, piece, box, centre, share)
    elif habit < 0.30 or share > 0.5:
        _mass(pen, piece)
    elif habit < 0.72:
        pen.scribble(piece)
    elif habit < 0.86:
        _contour(pen, piece)
    else:
        _blobs(pen, piece, share)


def _mass(pen: Pen, piece: NDArray[np.bool_]) -> None:
    """The whole piece with a rounded edge; often what stands before it is painted over."""
    over = 0.10 if pen.rng.random() < 0.6 else pen.width * 0.4
    reach = max(1, round(over * pen.size))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach * 2 + 1, reach * 2 + 1))
    whole = cv2.morphologyEx(piece.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    pen.drawn[whole > 0] = pen.number


def _contour(pen: Pen, piece: NDArray[np.bool_]) -> None:
    """The outline only, perhaps not closed."""
    found, _ = cv2.findContours(piece.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outline = max(found, key=len)
    plain = cv2.approxPolyDP(outline, 0.012 * pen.size, True)[:, 0] / pen.size
    if len(plain) > 2:
        kept = max(3, int(len(plain) * pen.rng.uniform(0.6, 1.01)))
        pen.width = min(pen.width, 0.06)
        pen.stroke(np.concatenate([plain, plain[:1]])[: kept + 1])


def _blobs(pen: Pen, piece: NDArray[np.bool_], share: float) -> None:
    """A few fat dabs somewhere in the piece."""
    rows, columns = np.nonzero(piece)
    for _ in range(int(pen.rng.integers(2, 7))):
        i = int(pen.rng.integers(len(rows)))
        radius = np.clip(np.sqrt(share) * pen.rng.uniform(0.15, 0.4), THINNEST, 0.12)
        pen.dab(columns[i] / pen.size, rows[i] / pen.size, float(radius))


def _sun(pen: Pen, piece: NDArray[np.bool_], box: Array, centre: Array, share: float) -> None:
    """A disc or a ring, perhaps with rays."""
    radius, rng = max(0.018, float(np.sqrt(share / np.pi))) * pen.rng.uniform(0.7, 1.6), pen.rng
    turn = np.linspace(0, 2 * np.pi, 14)
    if rng.random() < 0.7:
        pen.dab(float(centre[0]), float(centre[1]), radius)
    else:
        pen.width = min(pen.width, radius * 0.8)
        pen.stroke(centre + radius * np.stack([np.cos(turn), np.sin(turn)], 1), 0.003)
    if rng.random() < 0.25:
        pen.width = THINNEST
        for angle in turn[::2]:
            out = np.array([np.cos(angle), np.sin(angle)])
            pen.stroke(np.stack([centre + out * radius * 1.4, centre + out * radius * 2.0]))


def _way(pen: Pen, piece: NDArray[np.bool_], box: Array, centre: Array, share: float) -> None:
    """A line along the middle of the rows."""
    rows = np.flatnonzero(piece.any(1))
    spots = rows[:: max(1, len(rows) // 9)]
    middle = [np.flatnonzero(piece[row]).mean() for row in spots]
    if len(spots) > 1:
        pen.width = float(
            np.clip(share / max(box[3], 0.02) * pen.rng.uniform(0.6, 1.5), THINNEST, 0.12)
        )
        pen.stroke(np.stack([middle, spots], 1) / pen.size, 0.008)


def _tree(pen: Pen, piece: NDArray[np.bool_], box: Array, centre: Array, share: float) -> None:
    """A dab, a dab on a stick, a triangle, a few upright lines, or a scribbled ball."""
    rng, (left, top, wide, high) = pen.rng, box
    kind, x = rng.random(), left + wide / 2
    if kind < 0.30:
        pen.dab(x, top + high / 2, max(0.012, float((wide + high) / 4)))
    elif kind < 0.52:
        pen.dab(x, top + high * 0.36, max(0.012, float(min(wide, high) * 0.48)))
        pen.width = max(THINNEST, float(wide) * 0.15)
        pen.stroke(np.array([(x, top + high * 0.4), (x, top + high)]), 0.002)
    elif kind < 0.74:
        pen.fill(np.array([(x, top), (left + wide, top + high), (left, top + high)]))
    elif kind < 0.88:
        pen.width = max(THINNEST, min(float(wide) * 0.6, 0.06))
        pen.stroke(np.array([(x, top + high), (x, top)]), 0.004)
    else:
        pen.scribble(piece)


def _mountain(pen: Pen, piece: NDArray[np.bool_], box: Array, centre: Array, share: float) -> None:
    """Triangles under its peaks, filled or as a zigzag line."""
    rng, size = pen.rng, pen.size
    columns = np.flatnonzero(piece.any(0))
    top, foot = piece.argmax(0)[columns] / size, float(box[1] + box[3])
    knots = np.linspace(0, len(columns) - 1, int(rng.integers(3, 9))).astype(int)
    knots[1:-1] += rng.integers(-3, 4, len(knots) - 2)
    knots = np.clip(knots, 0, len(columns) - 1)
    line = np.stack([columns[knots] / size, top[knots]], 1)
    highest = int(top.argmin())
    line = np.concatenate([line, [(columns[highest] / size, top[highest])]])
    line = line[np.argsort(line[:, 0])] + rng.normal(0, 0.006, line.shape)
    if rng.random() < 0.75:
        pen.fill(np.concatenate([line, [(line[-1, 0], foot), (line[0, 0], foot)]]))
    else:
        pen.width = min(pen.width, 0.05)
        pen.stroke(line, 0.003)


def _house(pen: Pen, piece: NDArray[np.bool_], box: Array, centre: Array, share: float) -> None:
    """A box, a box with a roof, or a dab."""
    left, top, wide, high = box
    eave = top + high * pen.rng.uniform(0.3, 0.5)
    kind = pen.rng.random()
    if kind < 0.25:
        pen.dab(float(centre[0]), float(centre[1]), max(0.014, float(min(wide, high)) * 0.5))
        return
    upper = top if kind < 0.5 else eave
    pen.fill(
        np.array(
            [(left, upper), (left + wide, upper), (left + wide, top + high), (left, top + high)]
        )
    )
    if kind >= 0.5:
        over = wide * 0.08
        pen.fill(
            np.array([(left - over, eave), (left + wide / 2, top), (left + wide + over, eave)])
        )


def _dots(pen: Pen, piece: NDArray[np.bool_], box: Array, centre: Array, share: float) -> None:
    """Dots for flowers."""
    rows, columns = np.nonzero(piece)
    for _ in range(int(pen.rng.integers(3, 14))):
        i = int(pen.rng.integers(len(rows)))
        x, y = columns[i] / pen.size, rows[i] / pen.size
        pen.dab(x, y, float(pen.rng.uniform(0.008, 0.022)))


def _cloud(pen: Pen, piece: NDArray[np.bool_], box: Array, centre: Array, share: float) -> None:
    """Overlapping dabs side by side, or one long stroke."""
    left, _, wide, high = box
    if pen.rng.random() < 0.5:
        for x in np.linspace(left + wide * 0.15, left + wide * 0.85, int(pen.rng.integers(2, 6))):
            radius = high * pen.rng.uniform(0.3, 0.55)
            pen.dab(float(x), float(centre[1] + pen.rng.normal(0, 0.01)), max(0.012, float(radius)))
    else:
        pen.width = float(np.clip(high * 0.7, THINNEST, 0.12))
        x = np.linspace(left + wide * 0.1, left + wide * 0.9, 6)
        pen.stroke(np.stack([x, np.full(6, centre[1])], 1), 0.008)


Habit = Callable[[Pen, NDArray[np.bool_], Array, Array, float], None]
SPECIAL: dict[str, Habit] = {
    "sun": _sun, "path": _way, "tree": _tree, "mountain": _mountain, "house": _house,
    "flower": _dots, "cloud": _cloud,
}  # fmt: skip

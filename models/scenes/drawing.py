"""A recorded drawing: a whole canvas growing under a round brush, edit by edit.

Role: what a person's edits look like when nobody is there: for films, and for measuring how much a
picture flickers while it is drawn. The large masses come first, in zigzag strokes with a broad
brush, then the things that stand before them. Invariants: the same labels give the same drawing;
every edit is one short pull of the brush; canvases are labels with `BARE` (see `sketch.py`). Knows
nothing of networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes.palette import MATERIALS
from models.scenes.plan import Labels
from models.scenes.sketch import BARE

ORDER = (
    "sky", "mountain", "water", "snow", "sand", "meadow", "cloud", "sun", "tree", "path", "house",
    "flower",
)  # fmt: skip
BROADEST = 36 / 256  # of the picture's width
THINNEST = 4 / 256
LEAST_PIECE = 0.0004  # of the picture
PULL = 5 / 256  # the longest straight piece of a stroke
Mask = NDArray[np.bool_]
Line = NDArray[np.float64]


@dataclass(frozen=True)
class Pull:
    """A straight piece of a stroke: from one place to another, in pixels."""

    material: int
    width: int
    allowed: Mask  # where the hand takes care to stay
    start: tuple[int, int]
    end: tuple[int, int]


def recorded(labels: Labels, edits: int = 300) -> Labels:
    """The canvas after every edit, (edits, h, w) with `BARE`; the last is nearly `labels`."""
    pulls = list(_pulls(labels))
    canvas = np.full(labels.shape, BARE, np.uint8)
    states = np.empty((edits, *labels.shape), np.uint8)
    for edit in range(edits):
        first, last = len(pulls) * edit // edits, len(pulls) * (edit + 1) // edits
        for pull in pulls[first:last]:
            ink = np.zeros(labels.shape, np.uint8)
            cv2.line(ink, pull.start, pull.end, 1, pull.width)
            canvas[(ink > 0) & pull.allowed] = pull.material
        states[edit] = canvas
    return states


def _pulls(labels: Labels) -> Iterator[Pull]:
    """Every straight piece of every stroke, in the order of drawing."""
    size = labels.shape[0]
    longest = PULL * size
    for place, name in enumerate(ORDER):
        number = MATERIALS.index(name)
        mask = labels == number
        later = np.isin(labels, [MATERIALS.index(n) for n in ORDER[place + 1 :]])
        allowed = cv2.dilate((mask | later).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        for width, points in _strokes(mask.astype(np.uint8)):
            spots = np.round(_in_pieces(points, longest)).astype(int).tolist()
            for start, end in zip(spots, spots[1:] or spots, strict=False):
                yield Pull(number, width, allowed, tuple(start), tuple(end))


def _strokes(mask: Labels) -> Iterator[tuple[int, Line]]:
    """Brush width and points (n, 2) x, y of one zigzag for each connected piece, large first."""
    size = mask.shape[0]
    _, pieces, stats, centres = cv2.connectedComponentsWithStats(mask)
    areas = stats[1:, cv2.CC_STAT_AREA]
    for index in np.argsort(-areas) + 1:
        if areas[index - 1] < LEAST_PIECE * size**2:
            return
        top, high = stats[index, [cv2.CC_STAT_TOP, cv2.CC_STAT_HEIGHT]]
        across = 0.45 * np.sqrt(areas[index - 1])
        width = round(np.clip(across, THINNEST * size, BROADEST * size))
        pitch = max(1, round(width * 0.75))
        rows = range(top + min(high // 2, pitch // 2), top + high, pitch)
        spans = [np.flatnonzero(pieces[row] == index)[[0, -1]] for row in rows]
        turns = [
            (x, row)
            for k, (row, span) in enumerate(zip(rows, spans, strict=True))
            for x in (span if k % 2 == 0 else span[::-1])
        ]
        yield width, np.array(turns or [centres[index]], float)


def _in_pieces(points: Line, longest: float) -> Line:
    """The same line with points at most `longest` apart."""
    parts = [points[:1]]
    for start, end in pairwise(points):
        count = max(1, int(np.ceil(np.linalg.norm(end - start) / longest)))
        parts.append(start + (end - start) * np.linspace(0, 1, count + 1)[1:, None])
    return np.concatenate(parts)

"""Drawings on file: what the headless users draw.

Role: reads `loadtests/strokes/*.json` (pen points with colour, width and time in ms), and makes of
each point what a client sends for it: the PNG tile that it changed, or the whole canvas.

Invariants: everything is made before a clock starts, once a process; arrays are read-only.

It does not know: sockets, servers, models.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent / "strokes"


@dataclass(frozen=True, slots=True)
class Tile:
    """One edit: `data` is a PNG, its upper left corner lies at x, y; edits of one stroke share
    `stroke`, which counts from 1."""

    x: int
    y: int
    stroke: int
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A drawing, point by point: every point changes something. `tiles[i]` turns the canvas before
    it into `canvases[i]` (uint8, height × width × 3), whose PNG is `pngs[i]`."""

    name: str
    tiles: tuple[Tile, ...]
    canvases: tuple[NDArray[np.uint8], ...]
    pngs: tuple[bytes, ...]


def names() -> list[str]:
    """The drawings on file."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


@cache
def drawing(name: str) -> Drawing:
    """The drawing of this name, made ready; raises `FileNotFoundError`."""
    record = json.loads((FOLDER / f"{name}.json").read_text())
    size = (record["width"], record["height"])
    picture = Image.new("RGB", size, tuple(record["background"]))
    pen = ImageDraw.Draw(picture)
    blank = np.array(picture)
    tiles: list[Tile] = []
    canvases: list[NDArray[np.uint8]] = []
    for number, stroke in enumerate(record["strokes"], 1):
        before = stroke["points"][0]
        for point in stroke["points"]:
            box = _mark(pen, stroke, before, point, size)
            before = point
            canvas = np.array(picture)
            if np.array_equal(canvas, canvases[-1] if canvases else blank):
                continue
            canvas.flags.writeable = False
            canvases.append(canvas)
            tiles.append(Tile(box[0], box[1], number, png(picture.crop(box))))
    return Drawing(name, tuple(tiles), tuple(canvases), tuple(map(png, canvases)))


def drawing_of(user: int) -> Drawing:
    """The drawing that the user of this number draws."""
    known = names()
    return drawing(known[user % len(known)])


def png(picture: Image.Image | NDArray[np.uint8]) -> bytes:
    """A PNG as a browser's fast encoder would make it."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _mark(
    pen: ImageDraw.ImageDraw,
    stroke: dict[str, Any],
    before: list[float],
    point: list[float],
    size: tuple[int, int],
) -> tuple[int, int, int, int]:
    """Draw from `before` to `point` with round ends; return the box that changed."""
    radius = stroke["size"] / 2
    color = tuple(stroke["color"])
    (x0, y0), (x1, y1) = before[:2], point[:2]
    pen.line((x0, y0, x1, y1), color, round(2 * radius))
    for x, y in ((x0, y0), (x1, y1)):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), color)
    low = (min(x0, x1) - radius - 1, min(y0, y1) - radius - 1)
    high = (max(x0, x1) + radius + 2, max(y0, y1) + radius + 2)
    left, top = (max(0, int(v)) for v in low)
    right, bottom = (min(limit, int(v)) for v, limit in zip(high, size, strict=True))
    return left, top, max(right, left + 1), max(bottom, top + 1)

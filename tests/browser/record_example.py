"""Record the drawing that the page opens with: `python -m tests.browser.record_example`.

Role: a fixed drawing, stroke by stroke in time; a server's own model paints the canvas as it was at
many moments of it, and the page's build ships strokes, words and paintings together. The page
plays them without asking any server. Run it again whenever the model's weights change.

It does not know: the page. It paints strokes as the page does (round brush, hard edges).
"""

from __future__ import annotations

import argparse
import base64
import io
import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.serving import ROOT, serving

FOLDER = ROOT / "web" / "public" / "example"
SIZE = 256
SPEED = 260.0
"""Canvas units a second: a quick hand."""
PAUSE = 260.0
"""Milliseconds between two strokes."""
EVERY = 420.0
"""Milliseconds between two paintings while drawing."""
LAG = 90.0
"""A painting is shown so many milliseconds after the canvas that it was made from."""
SEED = 11
REST = 1400.0
Point = tuple[float, float, float]

RIDGE = ((-8, 138), (40, 104), (78, 132), (128, 84), (170, 128), (214, 98), (264, 130))
DRAWING: tuple[tuple[str, float, tuple[tuple[float, float], ...]], ...] = (
    ("sky", 64, ((-10, 28), (266, 26))),
    ("sky", 64, ((266, 80), (-10, 82))),
    (
        "mountain",
        30,
        ((-8, 138), (40, 104), (78, 132), (128, 84), (170, 128), (214, 98), (264, 134)),
    ),
    ("mountain", 40, ((264, 148), (128, 124), (-8, 150))),
    ("meadow", 46, ((-10, 182), (90, 168), (266, 184))),
    ("water", 54, ((-10, 232), (120, 222), (266, 234))),
    ("sun", 26, ((190, 44), (191, 45))),
    ("tree", 13, ((36, 186), (36, 154))),
    ("tree", 15, ((58, 190), (58, 150))),
    ("tree", 12, ((222, 188), (222, 158))),
    ("house", 18, ((150, 176), (166, 176))),
    ("cloud", 16, ((52, 40), (70, 34), (96, 41))),
)
FIRST = "day, summer"
WORDS = ("sunset", "sunset, winter", "night, winter", "autumn, dawn")


@dataclass(frozen=True)
class Stroke:
    """One stroke: points are x, y in canvas units and milliseconds from the start."""

    color: tuple[int, int, int]
    size: float
    points: tuple[Point, ...]


def strokes(palette: dict[str, tuple[int, int, int]]) -> Iterator[Stroke]:
    """The drawing in time."""
    now = 500.0
    for material, size, corners in DRAWING:
        points: list[Point] = []
        for (x0, y0), (x1, y1) in itertools.pairwise(corners):
            length = math.hypot(x1 - x0, y1 - y0)
            count = max(2, round(length / SPEED * 60))
            for i in range(count):
                share = i / count
                points.append((x0 + (x1 - x0) * share, y0 + (y1 - y0) * share, now))
                now += length / SPEED * 1000 / count
        points.append((*corners[-1], now))
        now += PAUSE
        rounded = tuple((round(x, 1), round(y, 1), round(t)) for x, y, t in points)
        yield Stroke(palette[material], size, rounded)


def canvas_at(drawing: list[Stroke], moment: float, paper: tuple[int, int, int]) -> bytes:
    """The canvas as a PNG, `moment` milliseconds after the start."""
    pixels = np.full((SIZE, SIZE, 3), paper, np.uint8)
    for stroke in drawing:
        drawn = [point for point in stroke.points if point[2] <= moment]
        for a, b in itertools.pairwise(drawn):
            pixels[_capsule(a, b, stroke.size / 2)] = stroke.color
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def _capsule(a: Point, b: Point, radius: float) -> NDArray[np.bool_]:
    y, x = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    dx, dy = b[0] - a[0], b[1] - a[1]
    length2 = dx * dx + dy * dy or 1.0
    along = np.clip(((x - a[0]) * dx + (y - a[1]) * dy) / length2, 0, 1)
    apart = (x - a[0] - along * dx) ** 2 + (y - a[1] - along * dy) ** 2
    return np.asarray(apart <= radius * radius)


def paint(client: httpx.Client, canvas: bytes, prompt: str, steps: int) -> bytes:
    """The model's painting as WebP."""
    data = "data:image/png;base64," + base64.b64encode(canvas).decode()
    body = {"prompt": prompt, "canvas": data, "seed": SEED, "steps": steps, "format": "webp"}
    answer = client.post("/v1/generate", json=body, timeout=120)
    answer.raise_for_status()
    return answer.content


def record(client: httpx.Client, folder: Path, steps: int) -> dict[str, Any]:
    """Write the paintings to `folder`; the recording as the page reads it."""
    listing = client.get("/v1/models").json()
    model = next(one for one in listing["models"] if one["name"] == listing["default"])
    palette = {swatch["name"]: tuple(swatch["color"]) for swatch in model["palette"]}
    paper = tuple(model["inputs"][0]["background"])
    drawing = list(strokes(palette))
    drawn = drawing[-1].points[-1][2]
    moments = [(at, FIRST) for at in np.arange(EVERY, drawn + EVERY, EVERY)]
    prompts = [(drawn + EVERY + REST * (i + 1), words) for i, words in enumerate(WORDS)]
    pictures: list[tuple[int, str]] = []
    for at, prompt in [*moments, *prompts]:
        name = f"{len(pictures):02d}.webp"
        (folder / name).write_bytes(paint(client, canvas_at(drawing, at, paper), prompt, steps))
        pictures.append((round(at + LAG), name))
    return {
        "model": model,
        "strokes": [{"color": s.color, "size": s.size, "points": s.points} for s in drawing],
        "prompts": [[0, FIRST], *([round(at), words] for at, words in prompts)],
        "pictures": pictures,
        "duration": pictures[-1][0],
    }


def main() -> None:
    """Serve the model, record, write web/public/example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="scenes", help="which model paints (default: scenes)")
    parser.add_argument("--steps", type=int, default=4, help="steps of each painting (default: 4)")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.webp"):
        old.unlink()
    with (
        serving("--model", options.model) as served,
        httpx.Client(base_url=served.address) as client,
    ):
        recording = record(client, FOLDER, options.steps)
    text = json.dumps(recording, separators=(",", ":"))
    (FOLDER / "example.json").write_text(text, encoding="utf-8")
    total = sum(file.stat().st_size for file in FOLDER.iterdir())
    print(f"{len(recording['pictures'])} paintings, {total // 1024} KiB in {FOLDER}")  # noqa: T201


if __name__ == "__main__":
    main()

"""Contact sheets: what the network paints, for the eye.

Role: a few labelled pictures for docs/scenes.md and the README: the same scenes in every style,
under every word, in 1, 2 and 4 steps, from empty and partial canvases, at both sizes. Every sheet
is a JPEG of at most `MOST` bytes. Knows the networks only as `Paints`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models.scenes.dataset import HELD_OUT, Bytes
from models.scenes.exams import PLAIN, blank, full_prompt
from models.scenes.painter import Scene, paint_scene, redraw
from models.scenes.palette import VOCABULARY
from models.scenes.sketch import KINDS, colour
from models.scenes.studio import Paints

MOST = 600_000
SHOWN = tuple(HELD_OUT + n for n in (0, 2, 5, 9, 12, 20))
EDGE, GAP, LINE, MARGIN = 192, 6, 22, 84
PAPER, TYPE = (250, 249, 246), (60, 58, 54)


@dataclass
class Sheet:
    """Rows of equal pictures, names above the columns and before the rows, or above every picture
    where there are `captions`, a row of them for each row."""

    columns: Sequence[str]
    rows: list[tuple[str, Bytes]]
    edge: int = EDGE
    captions: Sequence[Sequence[str]] = ()

    def image(self) -> Image.Image:
        left = MARGIN if any(name for name, _ in self.rows) else GAP
        top = LINE + GAP if any(self.columns) else GAP
        across = max(len(pictures) for _, pictures in self.rows)
        step = self.edge + GAP
        down = step + (LINE if self.captions else 0)
        sheet = Image.new("RGB", (left + across * step, top + len(self.rows) * down), PAPER)
        pen = ImageDraw.Draw(sheet)
        font = ImageFont.load_default(14)

        def above(y: int, names: Sequence[str]) -> None:
            for i, name in enumerate(names):
                pen.text((left + i * step + self.edge // 2, y - 11), name, TYPE, font, "mm")

        above(top - 2, self.columns)
        for row, (name, pictures) in enumerate(self.rows):
            y = top + (row + 1) * down - step
            above(y, self.captions[row] if self.captions else ())
            pen.text((left - 10, y + self.edge // 2), name, TYPE, font, "rm")
            for column, picture in enumerate(pictures):
                shown = Image.fromarray(picture).resize((self.edge,) * 2, Image.Resampling.LANCZOS)
                sheet.paste(shown, (left + column * step, y))
        return sheet


def scene(number: int, **words: str) -> Scene:
    """A held-out scene by plain daylight but for `words`, its canvas whole."""
    return redraw(paint_scene(number, 256, PLAIN | words), number, "whole")


def styles(studio: Paints) -> Sheet:
    """The same canvases in every style, beside their canvas."""
    names = list(VOCABULARY["style"])
    rows = []
    for place, number in enumerate(SHOWN[:4]):
        words = {"time": ("day", "sunset", "dawn", "night")[place]}
        canvas = scene(number).canvas
        prompts = [full_prompt(PLAIN | words | {"style": name}) for name in names]
        ours = studio.paint(np.stack([canvas] * len(names)), prompts, [place] * len(names), 4)
        rows.append((words["time"], np.concatenate([canvas[None], ours])))
    return Sheet(["canvas", *names], rows)


def words(studio: Paints) -> Sheet:
    """One canvas under every time, season and weather."""
    canvas = scene(SHOWN[0]).canvas
    names = [list(VOCABULARY[group]) for group in ("time", "season", "weather")]
    rows = []
    for group, row in zip(("time", "season", "weather"), names, strict=True):
        prompts = [full_prompt(PLAIN | {group: word}) for word in row]
        rows.append((group, studio.paint(np.stack([canvas] * 4), prompts, [3] * 4, 4)))
    return Sheet((), rows, 256, names)


def steps(studio: Paints) -> Sheet:
    """Canvas, the painter's picture, and 1, 2 and 4 steps with the same words."""
    scenes = [redraw(paint_scene(number), number, "whole") for number in SHOWN]
    canvases, prompts = _canvases(scenes), [full_prompt(s.words) for s in scenes]
    rows = [("canvas", canvases), ("painter", np.stack([s.painting for s in scenes]))]
    for count in (1, 2, 4):
        ours = studio.paint(canvases, prompts, list(range(len(scenes))), count)
        rows.append((f"{count} step{'s' * (count > 1)}", ours))
    return Sheet([""] * len(scenes), rows)


def _canvases(scenes: Sequence[Scene]) -> Bytes:
    return np.stack([s.canvas for s in scenes])


def canvases(studio: Paints) -> Sheet:
    """Every kind of canvas, from whole to empty, and what comes of it in 4 steps."""
    rows = []
    for number, time in ((SHOWN[1], "day"), (SHOWN[2], "sunset")):
        plain = scene(number)
        drawn = _canvases([redraw(plain, number, kind) for kind in KINDS])
        prompt = full_prompt(PLAIN | {"time": time})
        rows += [
            ("canvas", drawn),
            (time, studio.paint(drawn, [prompt] * len(KINDS), [5] * len(KINDS), 4)),
        ]
    prompts = [full_prompt(PLAIN | {"style": s}) for s in ("clean", "oil")]
    for prompt, name in zip(prompts, ("empty, clean", "empty, oil"), strict=True):
        seeds = list(range(len(KINDS)))
        rows.append((name, studio.paint(blank(len(KINDS)), [prompt] * len(KINDS), seeds, 4)))
    return Sheet(KINDS, rows, 160)


def sizes(studio: Paints) -> Sheet:
    """The same canvas and words at 256² and 512²."""
    scenes = [scene(SHOWN[0]), scene(SHOWN[3], time="sunset")]
    drawn, prompts = _canvases(scenes), [full_prompt(s.words) for s in scenes]
    rows = []
    for size in (256, 512):
        ours = studio.paint(drawn, prompts, [4] * len(scenes), 4, size)
        rows.append((f"{size} px", ours))
    return Sheet(["", ""], rows, 512)


def pairs(studio: Paints) -> Sheet:
    """The README's picture: a drawing, and under it what was painted from it, in every style."""
    names, times = list(VOCABULARY["style"]), ("day", "sunset", "dawn", "night", "day")
    scenes = [
        scene(number, time=time, style=style)
        for number, time, style in zip(SHOWN, times, names, strict=False)
    ]
    prompts = [full_prompt(s.words) for s in scenes]
    drawn = np.stack([colour(s.labels) for s in scenes])
    ours = studio.paint(drawn, prompts, list(range(len(names))), 4)
    return Sheet(
        [f"{t}, {n}" for t, n in zip(times, names, strict=True)], [("", drawn), ("", ours)]
    )


SHEETS: dict[str, Callable[[Paints], Sheet]] = {
    "scenes-styles": styles, "scenes-words": words, "scenes-steps": steps,
    "scenes-canvases": canvases, "scenes-sizes": sizes, "scenes-pairs": pairs,
}  # fmt: skip


def write_all(studio: Paints, folder: Path) -> list[Path]:
    """Every sheet as NAME.jpg in `folder`; answers their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, make in SHEETS.items():
        path = folder / f"{name}.jpg"
        path.write_bytes(jpeg(make(studio).image()))
        written.append(path)
    return written


def jpeg(image: Image.Image) -> bytes:
    """A JPEG of at most `MOST` bytes: as good as fits."""
    for quality in range(88, 20, -6):
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= MOST:
            break
    return out.getvalue()

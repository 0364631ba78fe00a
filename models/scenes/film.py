"""A short film of a drawing being painted: `python -m models.scenes.film` writes it as WebP.

Role: for the README: a canvas growing stroke by stroke (`drawing.py`) beside the picture that
follows it, then the finished canvas under other words. An animated WebP of at most `MOST` bytes.
Knows the networks only as `Paints`.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from models.scenes.dataset import HELD_OUT, Bytes
from models.scenes.drawing import recorded
from models.scenes.exams import PLAIN, full_prompt
from models.scenes.nets import WEIGHTS
from models.scenes.painter import paint_scene
from models.scenes.sketch import colour
from models.scenes.studio import Paints, Studio

MOST = 3_000_000
GAP = 8
STROKE_MS, HOLD_MS = 80, 1100
ENDINGS: tuple[dict[str, str], ...] = (
    {}, {"time": "sunset"}, {"season": "winter"}, {"style": "watercolour"}, {"style": "ink"},
    {"style": "oil", "season": "autumn"}, {"style": "pixel art", "time": "night"},
)  # fmt: skip


def shots(studio: Paints, number: int, strokes: int, seed: int, steps: int) -> Bytes:
    """Frames (strokes + endings, 256, 512 + gap, 3): canvas and picture side by side."""
    labels = paint_scene(number).labels
    drawn = np.stack([colour(state) for state in recorded(labels, strokes)])
    words = [PLAIN] * strokes + [PLAIN | ending for ending in ENDINGS]
    canvases = np.concatenate([drawn, np.stack([drawn[-1]] * len(ENDINGS))])
    prompts = [full_prompt(said) for said in words]
    pictures = studio.paint(canvases, prompts, [seed] * len(prompts), steps)
    gap = np.full((len(prompts), 256, GAP, 3), 245, np.uint8)
    return np.concatenate([canvases, gap, pictures], 2)


def webp(frames: Bytes, strokes: int) -> bytes:
    """The film, as good as fits; the first `strokes` frames pass quickly, the others stay."""
    shown = [Image.fromarray(frame) for frame in frames]
    lengths = [STROKE_MS] * strokes + [HOLD_MS] * (len(frames) - strokes)
    for quality in range(80, 10, -10):
        out = io.BytesIO()
        shown[0].save(
            out, "WEBP", save_all=True, append_images=shown[1:], duration=lengths, loop=0,
            quality=quality, method=4,
        )  # fmt: skip
        if out.tell() <= MOST:
            break
    return out.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    top = argparse.ArgumentParser(prog="python -m models.scenes.film", description=__doc__)
    top.add_argument("--weights", type=Path, default=WEIGHTS)
    top.add_argument("--out", type=Path, default=Path("docs/images/scenes-film.webp"))
    top.add_argument("--scene", type=int, default=2, help="which held-out scene is drawn")
    top.add_argument("--strokes", type=int, default=100, help="frames of drawing")
    top.add_argument("--seed", type=int, default=1)
    top.add_argument("--steps", type=int, default=4)
    options = top.parse_args(arguments)
    number, studio = HELD_OUT + options.scene, Studio(options.weights)
    frames = shots(studio, number, options.strokes, options.seed, options.steps)
    film = webp(frames, options.strokes)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(film)
    print(f"{options.out}: {len(film) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

"""The painter: random landscapes as (canvas, caption, painting, label map).

Role: the source of all that `scenes` learns from, and the truth that it is measured against.
Invariants: the same seed and size give the same scene; arrays are uint8, the canvas holds palette
colours and `UNPAINTED` only. About 25 ms a scene at 256². Knows nothing of networks; nothing that
serves imports it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.scenes.board import Board, Labels
from models.scenes.captions import caption
from models.scenes.compose import compose
from models.scenes.light import Light
from models.scenes.palette import MATERIALS, VOCABULARY
from models.scenes.sketch import colour, sketch

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """One painted scene. Pictures (size, size, 3) uint8, labels (size, size) uint8 numbers."""

    canvas: Pixels
    caption: str
    painting: Pixels
    labels: Labels
    words: dict[str, str]

    @property
    def materials(self) -> list[str]:
        return [MATERIALS[i] for i in np.unique(self.labels)]


def paint_scene(seed: int, size: int = 256, words: dict[str, str] | None = None) -> Scene:
    """Paint scene number `seed`. `words` (group → word) overrides chance where given, and the
    layout stays the same."""
    rng = np.random.default_rng([seed, 7])
    light, sun = _light(rng, words or {})
    board = Board(size, np.random.default_rng([seed, 8]), light)
    compose(board, sun=sun)
    painting = np.asarray(np.clip(board.image, 0, 1) * 255 + 0.5, np.uint8)
    chosen = {"time": light.time, "season": light.season, "weather": light.weather}
    present = [MATERIALS[i] for i in np.unique(board.labels)]
    canvas = colour(sketch(rng, board.labels))
    return Scene(canvas, caption(rng, chosen, present), painting, board.labels, chosen)


def redraw(scene: Scene, seed: int, kind: str | None = None) -> Scene:
    """The same scene with another canvas and caption."""
    rng = np.random.default_rng([seed, 9])
    canvas = colour(sketch(rng, scene.labels, kind))
    return replace(scene, canvas=canvas, caption=caption(rng, scene.words, scene.materials))


def _light(rng: np.random.Generator, words: dict[str, str]) -> tuple[Light, bool]:
    """Words and sun by chance. A sun that isn't seen stands to the left, its glow mid-sky."""
    sun = bool(rng.random() < 0.6)
    x, y = float(rng.uniform(0.08, 0.92)), float(rng.uniform(0.07, 0.42))
    drawn = {
        "time": str(rng.choice(list(VOCABULARY["time"]))),
        "season": str(rng.choice(list(VOCABULARY["season"]))),
        "weather": str(rng.choice(list(VOCABULARY["weather"]), p=[0.84, 0.16])),
    } | words
    where = (x, y) if sun else (0.35, 0.45)
    return Light(drawn["time"], drawn["season"], drawn["weather"], *where), sun

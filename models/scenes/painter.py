"""The painter: random landscapes as (canvas, caption, painting, label map).

Role: the source of all that `scenes` learns from, and the truth that it is measured against.
Invariants: the same seed and size give the same scene; another size gives the same
scene, finer or coarser; other words change its light, season, weather or style, never its layout;
arrays are uint8; a canvas holds palette colours, or nearly (`sketch.OFF`), and `UNPAINTED`. About
40 ms a scene at 256², 120 ms at 512². Knows nothing of networks; nothing that serves imports it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes.board import on_grid
from models.scenes.captions import caption
from models.scenes.compose import compose
from models.scenes.palette import MATERIALS
from models.scenes.plan import Labels, Plan
from models.scenes.regions import clean, resized
from models.scenes.repaint import repaint
from models.scenes.sketch import BARE, colour, sketch

Pixels = NDArray[np.uint8]
PLAN = 256  # pixels across of a layout before it is drawn


@dataclass(frozen=True)
class Scene:
    """One painted scene. Pictures (size, size, 3) uint8; `labels` (size, size) uint8, what is
    painted where; `plan` (PLAN, PLAN) the same before a hand drew it, `drawn` what the hand
    drew, with `BARE`."""

    canvas: Pixels
    caption: str
    painting: Pixels
    labels: Labels
    words: dict[str, str]
    plan: Labels
    drawn: Labels
    seed: int

    @property
    def materials(self) -> list[str]:
        return [MATERIALS[i] for i in np.unique(self.labels)]


def paint_scene(seed: int, size: int = 256, words: dict[str, str] | None = None) -> Scene:
    """Paint scene number `seed`. `words` (group → word) overrides chance where given, and the
    layout stays the same."""
    rng = np.random.default_rng([seed, 7])
    chosen = {
        group: str(rng.choice(list(odds), p=list(odds.values()))) for group, odds in ODDS.items()
    }
    plan = Plan(PLAN, np.random.default_rng([seed, 8]))
    compose(plan)
    told = chosen | (words or {})
    return _drawn(np.random.default_rng([seed, 13]), plan.labels, told, (seed, size), None)


def redraw(scene: Scene, seed: int, kind: str | None = None) -> Scene:
    """The same scene with another canvas and caption, painted as that canvas has it."""
    rng, size = np.random.default_rng([seed, 9]), scene.painting.shape[0]
    return _drawn(rng, scene.plan, scene.words, (scene.seed, size), kind)


def _drawn(
    rng: np.random.Generator,
    plan: Labels,
    words: dict[str, str],
    what: tuple[int, int],
    kind: str | None,
) -> Scene:
    """A plan as a hand draws it, and the painting of that; `what` is the seed and the size. Where
    paper stays bare, the plan is as coarse as a layout network says it."""
    seed, size = what
    drawn = sketch(rng, plan, kind)
    coarse = resized(on_grid(plan), PLAN)
    whole = clean(np.where(drawn == BARE, coarse, drawn))
    painting = repaint(whole, words, seed, size)
    large = cv2.resize(drawn, (size, size), interpolation=cv2.INTER_NEAREST)
    canvas = colour(large, rng)
    present = [MATERIALS[i] for i in np.unique(whole)]
    told = caption(rng, words, present)
    return Scene(canvas, told, painting, resized(whole, size), words, plan, drawn, seed)


ODDS: dict[str, dict[str, float]] = {
    "time": {"dawn": 0.23, "day": 0.30, "sunset": 0.25, "night": 0.22},
    "season": {"spring": 0.25, "summer": 0.27, "autumn": 0.24, "winter": 0.24},
    "weather": {"clear": 0.64, "fog": 0.13, "rain": 0.12, "storm": 0.11},
    "style": {"clean": 0.44, "watercolour": 0.14, "oil": 0.14, "ink": 0.14, "pixel art": 0.14},
}

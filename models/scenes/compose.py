"""Composition: which masses and things a scene has, and where.

Role: the painter's chance. Draws one of the layouts and lays it out from back to front on a `Plan`.
Invariant: every choice comes from the plan's generator. Knows no words.
"""

from __future__ import annotations

from models.scenes import outlines, parts
from models.scenes.layouts import LAYOUTS
from models.scenes.plan import Plan

ODDS = {
    "lake": 0.12, "coast": 0.09, "village": 0.09, "clearing": 0.07, "valley": 0.09, "dunes": 0.05,
    "plain": 0.06, "flowers": 0.07, "island": 0.06, "fall": 0.05, "lone": 0.06, "forest": 0.06,
    "garden": 0.06, "free": 0.07,
}  # fmt: skip
HORIZONS = {
    "flowers": (0.34, 0.62), "coast": (0.34, 0.60), "fall": (0.52, 0.68), "forest": (0.50, 0.62),
    "garden": (0.36, 0.52),
}  # fmt: skip
SEEN = 0.62  # of scenes, with sun or moon


def compose(plan: Plan) -> None:
    """Lay out one whole random scene."""
    rng = plan.rng
    seen, radius = bool(rng.random() < SEEN), float(rng.uniform(0.028, 0.085))
    x, y = float(rng.uniform(0.08, 0.92)), float(rng.uniform(0.08, 0.40))
    kind = str(rng.choice(list(ODDS), p=list(ODDS.values())))
    horizon = float(rng.uniform(*HORIZONS.get(kind, (0.36, 0.66))))
    if seen:
        outlines.sun(plan, x, y, radius)
    parts.clouds(plan, horizon)
    LAYOUTS[kind](plan, horizon)

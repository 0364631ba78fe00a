"""Layouts: fourteen kinds of landscape, each a function that lays out its land under a given sky.

Role: back to front, in parts; those at the water are in `shores`. Invariant: draws from the plan's
generator only, as many numbers whatever the size. Knows no words and nothing of the sky.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.scenes import outlines, parts, shores
from models.scenes.outlines import a_house, a_tree
from models.scenes.parts import Things, between, drifts, path, pick, roll
from models.scenes.plan import Plan, oval


def village(plan: Plan, horizon: float) -> None:
    """Houses and a chapel among rolling fields."""
    parts.far_range(plan, horizon, pick(plan, 1, 2), 0.75)
    tops = parts.folds(plan, horizon - 0.01, "meadow", pick(plan, 2, 3, 4), 0.06)
    pointed = roll(plan) < 0.4
    parts.woods(plan, tops[0] + 0.006, between(plan, 0.035, 0.06), pointed, 0.45)
    drifts(plan, horizon, 1)
    path(plan, horizon, 0.75)
    x, y = between(plan, 0.25, 0.75), horizon + between(plan, 0.08, 0.24)
    things: Things = [*parts.hamlet(plan, horizon, x, y, pick(plan, 2, 3, 4, 5))]
    things += parts.hamlet(plan, horizon, x + 0.05, y - 0.02, 1, "chapel")
    things += parts.grove(plan, horizon, x, y - 0.01, 0.35, pick(plan, 2, 4, 6), 0.3)
    things += parts.scatter(plan, horizon, (y + 0.08, 1.05), pick(plan, 0, 1, 2, 3), 0.3, 0.7)
    parts.stand(plan, things)


def clearing(plan: Plan, horizon: float) -> None:
    """A meadow in the forest: walls of trees in the mist, great trunks to both sides."""
    pointed = roll(plan) < 0.6
    parts.far_range(plan, horizon, 1, 0.9)
    for layer, high in enumerate((0.16, 0.15, 0.13)):
        line = parts.rolling(plan, horizon - 0.03 + 0.03 * layer, 0.03)
        parts.woods(plan, line, high * between(plan, 0.8, 1.3), pointed)
    plan.below(parts.rolling(plan, horizon + 0.03, 0.02), "meadow")
    drifts(plan, horizon, 2)
    path(plan, horizon, 0.5)
    chance = 0.85 if pointed else 0.15
    things: Things = [
        *parts.scatter(plan, horizon, (horizon + 0.10, 0.86), pick(plan, 4, 6, 8), chance, 0.9)
    ]
    things += parts.scatter(plan, horizon, (0.95, 1.10), pick(plan, 1, 2, 3), chance, 1.0)
    things += parts.hamlet(
        plan, horizon, between(plan, 0.35, 0.65), horizon + 0.12, pick(plan, 0, 0, 1)
    )
    parts.stand(plan, things)


def dunes(plan: Plan, horizon: float) -> None:
    """Desert: sharp-crested dunes one behind another."""
    rocks = parts.peaks(plan.rng, between(plan, 0.06, 0.2))
    if roll(plan) < 0.5:
        outlines.mountains(plan, rocks, horizon + 0.02)
    count = pick(plan, 3, 4, 5)
    material = "sand" if roll(plan) < 0.88 else "snow"
    for layer in range(count):
        t = layer / count
        top = parts.rolling(plan, horizon + (0.95 - horizon) * t, 0.05 + 0.07 * t, 2)
        plan.below(top, material)
    few: Things = [*parts.scatter(plan, horizon, (0.7, 1.0), pick(plan, 0, 0, 0, 1, 2), 0.1, 0.6)]
    parts.stand(plan, few)


def plain(plan: Plan, horizon: float) -> None:
    """A wide snowfield with woods behind it and a few lonely things."""
    parts.far_range(plan, horizon, pick(plan, 1, 1, 2), 0.9)
    tops = parts.folds(plan, horizon, "snow", pick(plan, 2, 3), 0.05)
    parts.woods(plan, tops[0] + 0.003, between(plan, 0.04, 0.09), roll(plan) < 0.8, 0.6)
    path(plan, horizon, 0.35)
    things: Things = [
        *parts.scatter(plan, horizon, (horizon + 0.1, 1.04), pick(plan, 1, 2, 4, 7), 0.7, 0.4)
    ]
    things += parts.hamlet(
        plan,
        horizon,
        between(plan, 0.15, 0.85),
        horizon + between(plan, 0.08, 0.3),
        pick(plan, 0, 1, 1, 2),
    )
    parts.stand(plan, things)


def flowers(plan: Plan, horizon: float) -> None:
    """A meadow seen from among its flowers."""
    parts.far_range(plan, horizon, pick(plan, 1, 2), 0.8)
    tops = parts.folds(plan, horizon, "meadow", pick(plan, 1, 2), 0.05)
    parts.woods(plan, tops[0] + 0.004, between(plan, 0.04, 0.09), roll(plan) < 0.4, 0.6)
    things: Things = [
        *parts.scatter(plan, horizon, (horizon + 0.06, 0.8), pick(plan, 0, 1, 2, 3), 0.3, 0.6)
    ]
    drifts(plan, horizon, 4)
    parts.stand(plan, things)
    for _ in range(pick(plan, 0, 5, 9, 12)):
        x, y, r = plan.rng.uniform((0.0, 0.70, 0.028), (1.0, 0.98, 0.062))
        plan.mark(oval(x, y, r, r * 0.9), "flower")


def lone(plan: Plan, horizon: float) -> None:
    """One great tree on one great hill."""
    parts.far_range(plan, horizon + 0.1, pick(plan, 1, 2), 0.8)
    x, rise = between(plan, 0.25, 0.75), between(plan, 0.06, 0.16)
    plan.below(parts.rolling(plan, horizon + 0.10, 0.03), "meadow")
    hill = horizon + 0.24 - rise * np.exp(-(((plan.axis - x) / 0.32) ** 2))
    plan.below(hill, "meadow")
    foot = horizon + 0.24 - rise + 0.02
    things: Things = [a_tree(plan.rng, x, foot, between(plan, 0.28, 0.52), 0.2)]
    things += parts.hamlet(
        plan, horizon, x + between(plan, -0.3, 0.3), foot + 0.12, pick(plan, 0, 0, 1)
    )
    drifts(plan, horizon, 2)
    path(plan, horizon + 0.12, 0.4)
    parts.stand(plan, things)


def free(plan: Plan, horizon: float) -> None:
    """Anything anywhere, as a newcomer draws: a house, a tree, now and then one that floats."""
    parts.far_range(plan, horizon, pick(plan, 0, 1, 1, 2), 1.0)
    material = str(plan.rng.choice(("meadow", "meadow", "sand", "snow")))
    parts.folds(plan, horizon, material, pick(plan, 1, 2, 3), 0.05)
    drifts(plan, horizon, pick(plan, 0, 1, 2))
    if roll(plan) < 0.3:
        x, y = between(plan, 0.2, 0.8), between(plan, horizon + 0.14, 0.86)
        across = between(plan, 0.15, 0.42)
        down = min(across * 0.35, y - horizon - 0.02)
        plan.mark(outlines.pond((x, y), (across, down), x), "water")
    path(plan, horizon, 0.4)
    low = horizon - 0.15 if roll(plan) < 0.12 else horizon + 0.05
    things: Things = [
        *parts.scatter(plan, horizon, (low, 1.04), pick(plan, 0, 1, 2, 4, 7), roll(plan))
    ]
    for _ in range(pick(plan, 0, 0, 1, 1, 2)):
        things += parts.hamlet(plan, horizon, between(plan, 0.1, 0.9), between(plan, low, 1.0), 1)
    parts.stand(plan, things)


def forest(plan: Plan, horizon: float) -> None:
    """Inside a wood: tall trees to both sides, more of them in the haze, a way into the light."""
    pointed = roll(plan) < 0.55
    for layer, high in enumerate((0.34, 0.28, 0.22)):
        line = parts.rolling(plan, horizon + 0.02 * layer, 0.02)
        parts.woods(plan, line, high * between(plan, 0.85, 1.25), pointed)
    plan.below(parts.rolling(plan, horizon + 0.05, 0.02), "meadow")
    drifts(plan, horizon, 2)
    path(plan, horizon + 0.02, 0.8)
    chance, rng, things = 0.9 if pointed else 0.1, plan.rng, Things()
    for _ in range(pick(plan, 5, 7, 9)):
        side, depth = rng.choice((-1.0, 1.0)), rng.uniform(0, 1)
        x = 0.5 + side * (0.14 + 0.36 * rng.uniform(0, 1) ** 0.7 + 0.06 * depth)
        y, high = horizon + 0.10 + (0.98 - horizon) * depth, 0.34 + 0.60 * depth
        things.append(a_tree(rng, float(x), float(y), float(high * rng.uniform(0.8, 1.1)), chance))
    parts.stand(plan, things)


def garden(plan: Plan, horizon: float) -> None:
    """A house close by, among trees and flowers, with a way to its door."""
    parts.far_range(plan, horizon, pick(plan, 1, 2), 0.8)
    tops = parts.folds(plan, horizon, "meadow", pick(plan, 1, 2), 0.04)
    parts.woods(plan, tops[0] + 0.004, between(plan, 0.05, 0.11), roll(plan) < 0.4, 0.4)
    x, foot, wide = between(plan, 0.3, 0.7), between(plan, 0.70, 0.84), between(plan, 0.26, 0.44)
    drifts(plan, horizon, 4)
    parts.way(plan, between(plan, 0.2, 0.8), (x, foot - 0.01), between(plan, -0.1, 0.1))
    things: Things = [a_house(plan.rng, x, foot, wide, "cottage")]
    for side in (-1, 1):
        near = x + side * (wide * 0.5 + between(plan, 0.08, 0.26))
        high = between(plan, 0.28, 0.58)
        things.append(a_tree(plan.rng, near, foot + between(plan, -0.06, 0.10), high, 0.25))
    things += parts.scatter(plan, horizon, (horizon + 0.05, foot - 0.08), pick(plan, 0, 2, 4), 0.4)
    parts.stand(plan, things)


LAYOUTS: dict[str, Callable[[Plan, float], None]] = {
    "lake": shores.lake, "coast": shores.coast, "valley": shores.valley, "island": shores.island,
    "fall": shores.fall, "village": village, "clearing": clearing, "dunes": dunes, "plain": plain,
    "flowers": flowers, "lone": lone, "forest": forest, "garden": garden, "free": free,
}  # fmt: skip

"""Layouts at the water: lake, coast, river valley, island, waterfall.

Role: back to front, in parts. Invariant: draws from the plan's generator only, as many numbers
whatever the size. Knows no words and nothing of the sky.
"""

from __future__ import annotations

import numpy as np

from models.scenes import outlines, parts
from models.scenes.board import smoothstep
from models.scenes.light import Array
from models.scenes.outlines import ACROSS, a_tree
from models.scenes.parts import Things, between, drifts, flat, pick, roll
from models.scenes.plan import Plan, smooth_line


def lake(plan: Plan, horizon: float) -> None:
    """An alpine lake: ranges, a wooded far shore, perhaps a near bank."""
    parts.far_range(plan, horizon, pick(plan, 1, 2, 2, 3), 1.15)
    pointed, wooded = roll(plan) < 0.75, roll(plan) < 0.8
    plan.below(parts.rolling(plan, horizon - 0.012, 0.014), "meadow")
    if wooded:
        parts.woods(plan, flat(plan, horizon - 0.002), between(plan, 0.05, 0.10), pointed, 0.7)
    far_house = parts.hamlet(plan, horizon, roll(plan), horizon + 0.002, 1)
    parts.stand(plan, list(far_house if roll(plan) < 0.35 else []))
    plan.below(flat(plan, horizon), "water")
    near, bank = between(plan, 0.72, 0.92), roll(plan) < 0.7
    line, trees = parts.rolling(plan, near, 0.06), pick(plan, 0, 1, 2, 4)
    material = "meadow" if roll(plan) < 0.8 else "snow"
    things: Things = [*parts.scatter(plan, horizon, (near + 0.06, 1.06), trees, 0.7, 0.7)]
    if bank:
        plan.below(line, material)
        parts.stand(plan, things)


def coast(plan: Plan, horizon: float) -> None:
    """The sea, a headland to one side, a beach, perhaps a lighthouse."""
    side, reach = (1 if roll(plan) < 0.5 else -1), between(plan, 0.25, 0.6)
    axis = np.linspace(0, 1, ACROSS)
    along = axis if side > 0 else 1 - axis
    rough = parts.crests(plan.rng, 1.0)
    height = between(plan, 0.10, 0.26)
    crest = height * smoothstep(1 - reach, 1 - reach * 0.4, along) * (0.75 + 0.3 * rough) - 0.01
    island = parts.peaks(plan.rng, between(plan, 0.04, 0.12))
    if roll(plan) < 0.5:
        outlines.mountains(plan, island, horizon + 0.004)
    outlines.mountains(plan, crest, horizon + 0.006)
    spot = 0.5 + side * between(plan, 0.30, 0.44)
    foot = horizon + 0.012 - max(0.0, float(np.interp(spot, axis, crest)))
    tower = parts.hamlet(plan, horizon - 0.22, spot, foot, 1, "lighthouse")
    parts.stand(plan, list(tower if roll(plan) < 0.4 else []))
    plan.below(flat(plan, horizon + 0.002), "water")
    near, tilt = between(plan, 0.70, 0.92), between(plan, -0.16, 0.16)
    beach = near + tilt * (plan.axis - 0.5) - 0.03 * smooth_line(plan.rng, plan.size, 2)
    land = "sand" if roll(plan) < 0.75 else "meadow"
    trees: Things = [
        *parts.scatter(plan, horizon, (near + 0.12, 1.06), pick(plan, 0, 0, 1, 3), 0.3, 0.8)
    ]
    if roll(plan) < 0.85:
        plan.below(beach, land)
        parts.stand(plan, trees)


def valley(plan: Plan, horizon: float) -> None:
    """A river that winds from the mountains to our feet."""
    parts.far_range(plan, horizon, pick(plan, 2, 3), 1.1)
    tops = parts.folds(plan, horizon - 0.01, "meadow", 2, 0.04)
    pointed = roll(plan) < 0.7
    parts.woods(plan, tops[0] + 0.004, between(plan, 0.04, 0.08), pointed, 0.6)
    drifts(plan, horizon, 1)
    start, end = between(plan, 0.25, 0.75), between(plan, 0.3, 0.7)
    bend, wide = between(plan, -0.3, 0.3), between(plan, 0.13, 0.22)
    x, y, half = outlines.way(start, (end, horizon + 0.015), bend, wide)
    half = half * 1.15 + 0.004
    if roll(plan) < 0.5:
        plan.mark(outlines.ribbon(x, y, half * 1.12 + 0.003), "sand")
    plan.mark(outlines.ribbon(x, y, half), "water")
    things: Things = [
        *parts.scatter(plan, horizon, (horizon + 0.08, 1.04), pick(plan, 2, 4, 7, 9), 0.65, 0.85)
    ]
    houses = pick(plan, 0, 1, 1)
    things += parts.hamlet(plan, horizon, between(plan, 0.1, 0.9), horizon + 0.1, houses)
    parts.stand(plan, things)


def island(plan: Plan, horizon: float) -> None:
    """A wooded island in a wide water."""
    parts.far_range(plan, horizon, pick(plan, 1, 1, 2), 0.7)
    plan.below(flat(plan, horizon), "water")
    x, line = between(plan, 0.3, 0.7), horizon + between(plan, 0.10, 0.24)
    wide, high = between(plan, 0.18, 0.34), between(plan, 0.03, 0.08)
    hump = np.clip(1 - ((plan.axis - x) / wide) ** 2, 0, 1) ** 0.7
    plan.below(line - high * hump, "meadow" if roll(plan) < 0.75 else "sand", line)
    feet = (line - high * 0.7, line - 0.012)
    things: Things = []
    for _ in range(pick(plan, 2, 4, 6)):
        tx = x + wide * 0.7 * between(plan, -1, 1)
        things.append(a_tree(plan.rng, tx, between(plan, *feet), between(plan, 0.10, 0.22), 0.5))
    things += parts.hamlet(plan, horizon - 0.2, x, feet[1] - 0.01, pick(plan, 0, 1, 1))
    parts.stand(plan, things)


def fall(plan: Plan, horizon: float) -> None:
    """Cliffs, a waterfall, a pool and woods around it."""
    parts.far_range(plan, horizon, 1, 1.2)
    x, place = between(plan, 0.3, 0.7), roll(plan)
    axis, crest = np.linspace(0, 1, ACROSS), _cliffs(plan, x)
    outlines.mountains(plan, crest, horizon + 0.02)
    lip = horizon + 0.02 - float(np.interp(x, axis, crest)) + 0.012
    pool, width = horizon + between(plan, 0.05, 0.10), between(plan, 0.045, 0.10)
    parts.folds(plan, horizon + 0.005, "meadow", 1, 0.02)
    foot, high, pointed = flat(plan, horizon + 0.02), between(plan, 0.06, 0.10), roll(plan) < 0.6
    parts.woods(plan, foot, high, pointed, 0.35)
    wide, deep = between(plan, 0.28, 0.48), between(plan, 0.10, 0.2)
    plan.mark(outlines.pond((x, pool + deep * 0.9), (wide, deep), place), "water")
    outlines.waterfall(plan, x, lip, pool + deep * 0.2, width, place)
    start = max(pool + deep * 1.3, 0.75)
    things: Things = [*parts.scatter(plan, horizon, (start, 1.06), pick(plan, 1, 2, 4), 0.5, 0.95)]
    parts.stand(plan, things)


def _cliffs(plan: Plan, x: float) -> Array:
    """Heights (ACROSS,) of cliffs that fall towards a notch at `x`."""
    axis, tall = np.linspace(0, 1, ACROSS), between(plan, 0.26, 0.40)
    valley = np.clip(np.abs(axis - x) * between(plan, 1.2, 2.6), 0, 1) ** 0.8
    notch = 1 - 0.20 * np.exp(-(((axis - x) / 0.05) ** 2))
    crest = tall * notch * (0.55 + 0.40 * valley + 0.22 * parts.crests(plan.rng, 1.0))
    return np.asarray(crest, np.float32)

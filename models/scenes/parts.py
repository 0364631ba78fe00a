"""Parts of a composition: ranges, folds, woods, and the things that stand on them.

Role: the vocabulary that layouts are written in; each part draws its chance from the plan's
generator in an order that neither words nor size change. Knows no colours.
"""

from __future__ import annotations

import numpy as np

from models.scenes import outlines
from models.scenes.light import Array
from models.scenes.outlines import ACROSS, House, Tree, a_house, a_tree
from models.scenes.plan import Plan, oval, ridge, smooth_line

Things = list[Tree | House]


def clouds(plan: Plan, horizon: float) -> None:
    """Heaps, streaks, both or none; a ceiling when it rains."""
    rng = plan.rng
    kind = str(rng.choice(("none", "heaps", "streaks", "both"), p=(0.22, 0.42, 0.22, 0.14)))
    spots = rng.uniform(0, 1, (4, 4))
    count, place = int(rng.integers(1, 5)), float(rng.uniform(0, 1))
    thick, cover = float(rng.uniform(0.10, 0.26)), float(rng.uniform(-0.1, 0.35))
    if kind in ("streaks", "both"):
        middle = horizon * (0.25 + 0.5 * place)
        outlines.streaks(plan, plan.fork(), middle, thick, cover)
    if kind in ("heaps", "both"):
        for x, y, wide, form in spots[:count]:
            foot = 0.10 + (horizon * 0.86 - 0.10) * y
            width = (0.16 + 0.42 * wide) * (1.15 - 0.6 * y)
            outlines.heap(plan, float(x), foot, width, int(form * 24))


def far_range(plan: Plan, horizon: float, layers: int, scale: float = 1.0) -> None:
    """Mountain ranges one before the other."""
    rng = plan.rng
    for layer in range(layers):
        near = (layer + 0.5) / layers
        height = float(rng.uniform(0.14, 0.34)) * (1.15 - 0.45 * near) * scale
        crest = peaks(rng, height) if rng.random() < 0.45 else crests(rng, height)
        outlines.mountains(plan, crest, horizon + 0.02)


def crests(rng: np.random.Generator, height: float) -> Array:
    """A range (ACROSS,) from side to side."""
    rough = ridge(rng, ACROSS, int(rng.integers(2, 5)), 0.46, 5)
    return np.asarray(height * (0.64 + 0.40 * rough), np.float32)


def peaks(rng: np.random.Generator, height: float) -> Array:
    """One to three single mountains with bare sky between: what people draw first."""
    axis, line = np.linspace(0, 1, ACROSS), np.full(ACROSS, -0.2)
    for _ in range(int(rng.integers(1, 4))):
        centre, half = rng.uniform(0.05, 0.95), height * rng.uniform(0.9, 1.7)
        rise = 1 - np.abs(axis - centre) / half
        line = np.maximum(line, height * rng.uniform(0.75, 1.25) * rise)
    return np.asarray(line + 0.06 * height * ridge(rng, ACROSS, 9, 0.6, 3), np.float32)


def rolling(plan: Plan, height: float, swing: float, pieces: int = 0) -> Array:
    """A gentle line (size,) around `height`."""
    drawn = int(plan.rng.integers(2, 5))
    return height - swing * smooth_line(plan.rng, plan.size, pieces or drawn)


def folds(plan: Plan, start: float, material: str, count: int, swing: float = 0.05) -> list[Array]:
    """Overlapping folds of ground from `start` to the lower edge; answers their lines."""
    tops = []
    for place in np.linspace(0, 1, count + 1)[:-1]:
        top = rolling(plan, start + (1 - start) * float(place) * 0.85, swing * (0.5 + place))
        plan.below(top, material)
        tops.append(top)
    return tops


def woods(plan: Plan, line: Array, high: float, pointed: bool, broken: float = 0.0) -> None:
    """A wood on a line; `broken` (0–1) opens gaps in it."""
    rng = plan.fork()
    full = np.clip(2.2 - broken * 2.6 - smooth_line(rng, plan.size, 5) * 1.8, 0, 1)
    outlines.wood(plan, line, rng, (high, full), pointed)


def height_at(horizon: float, foot: float) -> float:
    """How tall a grown tree is whose foot is there, in picture widths."""
    near = float(np.clip((foot - horizon) / max(0.1, 1.02 - horizon), 0, 1))
    return 0.07 + 0.40 * near


def scatter(
    plan: Plan,
    horizon: float,
    span: tuple[float, float],
    count: int,
    pointed: float,
    sides: float = 0.0,
) -> list[Tree]:
    """Trees by chance with feet between two heights; `sides` 0–1 pushes them to the edges."""
    rng, found = plan.rng, []
    for _ in range(count):
        x, y, size = rng.uniform(0, 1), rng.uniform(*span), rng.uniform(0.65, 1.15)
        edge = 0.5 + np.sign(x - 0.5) * (0.5 - 0.30 * abs(x - 0.5) * 2)
        x = x * (1 - sides) + edge * sides
        high = height_at(horizon, float(y)) * float(size)
        found.append(a_tree(rng, float(x), float(y), high, pointed))
    return found


def grove(
    plan: Plan, horizon: float, x: float, y: float, wide: float, count: int, pointed: float
) -> list[Tree]:
    """Trees close together."""
    rng, found = plan.rng, []
    for _ in range(count):
        px, py, size = x + wide * rng.normal(0, 0.5), y + 0.05 * rng.normal(), rng.uniform(0.7, 1.1)
        found.append(
            a_tree(rng, float(px), float(py), height_at(horizon, float(py)) * float(size), pointed)
        )
    return found


def hamlet(
    plan: Plan, horizon: float, x: float, y: float, count: int, kind: str = ""
) -> list[House]:
    """Houses near each other."""
    rng, found = plan.rng, []
    for _ in range(count):
        px, py = x + 0.17 * rng.normal() * (count > 1), y + 0.035 * rng.normal() * (count > 1)
        wide = (0.05 + 0.36 * height_at(horizon, float(py))) * float(rng.uniform(0.85, 1.2))
        found.append(a_house(rng, float(px), float(py), wide, kind))
    return found


def stand(plan: Plan, things: Things) -> None:
    """Label what stands, the far before the near."""
    for thing in sorted(things, key=lambda thing: thing.y):
        if isinstance(thing, House):
            outlines.house(plan, thing)
        else:
            outlines.tree(plan, thing)


def roll(plan: Plan) -> float:
    """A number from 0 to 1."""
    return float(plan.rng.random())


def between(plan: Plan, low: float, high: float) -> float:
    """A number between two others."""
    return float(plan.rng.uniform(low, high))


def pick(plan: Plan, *choices: int) -> int:
    """One of the numbers given; one that is given twice comes twice as often."""
    return int(plan.rng.choice(choices))


def flat(plan: Plan, height: float) -> Array:
    """A level line (size,)."""
    return np.full(plan.size, height, np.float32)


def path(plan: Plan, horizon: float, chance: float) -> None:
    """With the chance given, a way from the lower edge to the horizon."""
    drawn, start, end = roll(plan), between(plan, 0.1, 0.9), between(plan, 0.25, 0.75)
    bend = between(plan, -0.16, 0.16)
    if drawn < chance:
        way(plan, start, (end, horizon + 0.04), bend)


def way(plan: Plan, start: float, end: tuple[float, float], bend: float) -> None:
    """A trodden way."""
    x, y, half = outlines.way(start, end, bend, 0.080)
    plan.mark(outlines.ribbon(x, y, half), "path")


def drifts(plan: Plan, horizon: float, most: int) -> None:
    """Drifts of flowers, up to so many."""
    for _ in range(most):
        x, y, wide, chance = plan.rng.uniform(0, 1, 4)
        foot, across = horizon + 0.14 + (0.84 - horizon) * y, 0.10 + 0.20 * wide
        if chance < 0.7:
            plan.mark(oval(0.05 + 0.90 * x, foot, across, across * 0.26), "flower")

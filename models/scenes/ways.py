"""Where the teacher arrives: from known noise, on a scene's sparsest canvas, in a few steps.

Role: what the student keeps of the teacher's choices. On bare paper only noise tells one picture
from another, and a student without a teacher's choices to follow makes nothing of it. Invariants:
everything drawn for a way follows from its own seed; the first ways are the same ones however many
are wanted; an interrupted journey goes on. Knows nothing of how a student learns from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.scenes.flow import Feed, Numbers, sample
from models.scenes.nets import Painter

STEPS = 12
ROWS = 32


@dataclass(frozen=True)
class Ways:
    """`rows`, `turned`: whose canvas; `seeds`: of what `Feed.asked` draws for each; `ends` (n, c,
    h, w) fp16: where the teacher arrives."""

    rows: Numbers
    turned: Numbers
    seeds: Numbers
    ends: Tensor

    def __len__(self) -> int:
        return len(self.rows)


def travel(teacher: Painter, feed: Feed, count: int, path: Path) -> Ways:
    """The first `count` ways, from `path` as far as they are there."""
    drawn = np.random.default_rng(5).integers(2**62, size=(count, 3))  # row by row, see above
    rows, turned, seeds = drawn[:, 0] % len(feed.latents), drawn[:, 1] % 2 == 1, drawn[:, 2]
    ends = torch.load(path, weights_only=True) if path.exists() else feed.latents.paintings[:0, 0]
    device = next(teacher.parameters()).device
    while len(ends) < count:
        these = slice(len(ends), min(len(ends) + ROWS, count))
        asked = feed.asked(rows[these], turned[these], seeds[these])
        canvas, tokens, noise = (part.to(device) for part in asked)
        made = sample(teacher, canvas, tokens, noise, STEPS)
        ends = torch.cat([ends, made.half().cpu()])
        if len(ends) % (8 * ROWS) == 0 or len(ends) == count:
            torch.save(ends, path.with_suffix(".part"))
            path.with_suffix(".part").replace(path)
            print(f"travelled {len(ends)}/{count}", flush=True)
    return Ways(rows, turned, seeds, ends[:count])

"""The same picture, finer: a finished row's second run, at twice the size.

Role: when the pen rests there is time for more pixels. The finished picture is enlarged, encoded,
mixed with half noise, and run down from there with the canvas seen twice as fine, so that it stays
the same picture. Knows nothing of requests and batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.networks import Networks
from models.sigmas import Levels
from models.views import View, finer_view

TIMES = 2
STEPS, STRENGTH = 2, 0.5


class Finished(Protocol):
    """A row whose picture is finished at the model's own size."""

    base: Tensor | None
    finer: Finer | None


@dataclass(frozen=True)
class Finer:
    """What the second run needs: its levels, noise (1, c, 2h, 2w), what is drawn on the way and
    its view of the canvas."""

    levels: Levels
    noise: Tensor
    canvas: Tensor | None
    noises: tuple[Tensor, ...] = ()

    @classmethod
    def of(
        cls,
        parts: Networks,
        seed: torch.Generator,
        canvas: NDArray[np.uint8] | None,
        view: View,
    ) -> Finer:
        """`seed` goes on where the first run's noise left it; `view` is of the same canvas."""
        edge = TIMES * parts.edge
        noise, *noises = drawn(parts, seed, edge, 1 + parts.schedule.draws(STEPS))
        seen = None
        if canvas is not None and parts.beside:
            large = canvas if parts.fold else canvas.repeat(TIMES, 0).repeat(TIMES, 1)
            seen = finer_view(parts, view, large, edge)
        return cls(parts.schedule.levels(STEPS, STRENGTH), noise, seen, tuple(noises))


def drawn(parts: Networks, seed: torch.Generator, edge: int, count: int) -> list[Tensor]:
    """`count` times noise (1, c, edge, edge), drawn on the CPU: a seed is the same everywhere."""
    shape = (1, parts.channels, edge, edge)
    return [torch.randn(shape, generator=seed).to(parts.device) for _ in range(count)]


def grown(parts: Networks, rows: Sequence[Finished], sigma: Tensor) -> Tensor:
    """Where the second runs of finished rows start: latents (n, c, 2h, 2w); sigma (n, 1, 1, 1)."""
    pictures = parts.decode(torch.cat([row.base for row in rows if row.base is not None]))
    large = parts.encode(enlarged(pictures))
    starts = [
        parts.schedule.start(row.finer.noise, latents, float(level))
        for row, latents, level in zip(rows, torch.split(large, 1), sigma.flatten(), strict=True)
        if row.finer is not None
    ]
    return torch.cat(starts)


def enlarged(pictures: Tensor) -> Tensor:
    """Pictures −1–1 (n, 3, h, w) of `TIMES` the size, smooth."""
    large = F.interpolate(pictures, scale_factor=float(TIMES), mode="bicubic", align_corners=False)
    return large.clamp(-1, 1)

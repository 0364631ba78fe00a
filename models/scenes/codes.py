"""What noise stands for: the layouts of true paintings, written into the noise they start from.

Role: on bare paper only noise tells one picture from another. Here every painting gets a code, its
light and layout in large as far as the words leave them open, along the directions in which
paintings differ most; and the noise that a student is shown with that painting holds that code, so
it learns which noise means which layout (as encoded latents do in Zhu et al., BicycleGAN, 2017, but
with a linear encoder). Invariants: codes are standard normal, one number apart from all others, so
noise with a code is as likely as any, and any noise that is drawn later has one. Knows nothing of
losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.scenes.palette import VOCABULARY

COUNT = 48
ROWS = 1000
COARSE = 4  # latents each way of which the mean is 'in large'


@dataclass(frozen=True)
class Codes:
    """`directions` (k, c, h, w), orthonormal, and `codes` (n, 2, k) of paintings and mirrored
    ones."""

    directions: Tensor
    codes: Tensor

    def written(self, noise: Tensor, codes: Tensor) -> Tensor:
        """Noise (n, c, h, w) that holds these codes (n, k) in place of its own."""
        flat = self.directions.flatten(1)
        change = codes - noise.flatten(1) @ flat.T
        return noise + (change @ flat).view_as(noise)


def find_codes(
    paintings: Tensor, words: Sequence[dict[str, str]], weights: Tensor, count: int = COUNT
) -> Codes:
    """The codes of latents (n, 2, c, h, w); weights (c,) say what an error in a channel matters."""
    shape = paintings.shape[2:]
    parts = torch.split(paintings.flatten(0, 1), ROWS)
    large = torch.cat([F.avg_pool2d(part.float(), COARSE) for part in parts])
    flat = (large * weights.sqrt()[:, None, None]).flatten(1)
    open_ = flat - _foretold(flat, _marks(words).repeat_interleave(2, 0))
    _, patterns = torch.linalg.eigh(open_.T @ open_)
    patterns = patterns.T.flip(0)[: min(count, len(flat))]  # those that explain most come first
    codes = _normal(open_ @ patterns.T).view(len(paintings), 2, -1)
    grids = patterns.view(-1, shape[0], shape[1] // COARSE, shape[2] // COARSE)
    smooth = F.interpolate(grids, scale_factor=float(COARSE), mode="bilinear")
    ours, mixed = torch.linalg.qr(smooth.flatten(1).T)  # enlarging leaves them nearly orthogonal
    directions = (ours * mixed.diagonal().sign()).T.reshape(smooth.shape)
    return Codes(directions.contiguous(), codes)


def _marks(words: Sequence[dict[str, str]]) -> Tensor:
    """(n, w): 1 where a scene has a word, and a last column of ones."""
    known = [(group, word) for group in VOCABULARY for word in VOCABULARY[group]]
    rows = [[float(each.get(group) == word) for group, word in known] + [1.0] for each in words]
    return torch.from_numpy(np.array(rows, np.float32))


def _foretold(values: Tensor, marks: Tensor) -> Tensor:
    """Values as far as they follow from marks, by least squares."""
    foretold: Tensor = marks @ (torch.linalg.pinv(marks) @ values)
    return foretold


def _normal(values: Tensor) -> Tensor:
    """Each column by the rank of its numbers, as a standard normal: (n, k)."""
    ranks = values.argsort(0).argsort(0).float()
    normal: Tensor = torch.special.ndtri((ranks + 0.5) / len(values))
    return normal

"""The decoder's last school: as much fine detail in what the student makes as paintings have.

Role: the decoder learnt from encoded paintings, and is then given a few-step network's latents,
which are smoother: one step's pictures had two thirds of a painting's energy of fine detail. Here
it sees both: encoded paintings as before (`sharpen`), and the student's answers for the same
scenes, where the energy around each place is to be the painting's, and light and colour stay what
they were. Invariant: only the decoder changes. Knows nothing of steps and seeds.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import Tensor

from models.base import Request
from models.latent import LatentModel
from models.patches import decode
from models.row import Row
from models.scenes.autoencoder import crops, to_tensor
from models.scenes.dataset import Dataset
from models.scenes.loop import Loop, Plan, half_precision
from models.scenes.sharpen import detail, encoded_loss
from models.scenes.words import with_words
from models.unet import Checkpoint

STEPS = (1, 1, 2, 4)
"""Of the answers, one scene after the other: one step is softest, and what people draw with."""
WHOLE = 0.3
"""Weight of the energy that a whole picture lacks: where no place is sure of its own, each draws
the least that it may be, and all of them together too little."""
BROAD = 4  # pixels; light and colour of larger places stay
LIVELY = 2.0
"""Weight of the energy in the student's pictures, beside `sharpen.DETAIL` in the encoded ones."""


@dataclass(frozen=True)
class Answers:
    """Raw latents (n, c, h, w) that a student made of the scenes `numbers` of a data set."""

    latents: Tensor
    numbers: tuple[int, ...]


def answers(model: LatentModel, data: Dataset, count: int) -> Answers:
    """What the served model makes of the first scenes: canvas, caption and seed of each."""
    rng, found = np.random.default_rng(0), dict[int, Tensor]()
    parts = cast(Checkpoint, model.parts)
    shift, scale = parts.normal
    for steps in dict.fromkeys(STEPS):
        chosen = [i for i in range(count) if STEPS[i % len(STEPS)] == steps]
        for first in range(0, len(chosen), model.spec.max_batch):
            some = chosen[first : first + model.spec.max_batch]
            for i, latents in zip(some, _made(model, data, some, steps, rng), strict=True):
                found[i] = latents / scale + shift
    return Answers(torch.stack([found[i] for i in range(count)]), tuple(range(count)))


def _made(
    model: LatentModel, data: Dataset, scenes: list[int], steps: int, rng: np.random.Generator
) -> list[Tensor]:
    known, requests = model.spec.defaults() | {"steps": steps}, []
    for i in scenes:
        asked = known | {"prompt": with_words(data.captions[i][0], data.words[i]), "seed": i}
        canvas = {"canvas": data.canvas(i, rng)}
        requests.append(Request("", model.spec.name, 0, 0, asked, canvas))
    rows = cast("list[Row]", model.begin(requests, [None] * len(requests)))
    while rows[0].step < rows[0].steps:
        model.step(rows)
    return [row.clean[0].clone() for row in rows if row.clean is not None]


def finish(
    vae: AutoencoderTiny,
    data: Sequence[Dataset],
    made: Answers,
    plan: Plan,
    batch: int = 8,
    crop: int = 128,
) -> AutoencoderTiny:
    """Answers a copy with the averaged decoder. `made` is of the first of `data`."""
    result = copy.deepcopy(vae).requires_grad_(False)
    decoder = result.decoder.requires_grad_(True)
    device = next(vae.parameters()).device
    loop = Loop(plan, decoder)

    def loss_of(step: int, chance: torch.Generator) -> Tensor:
        pictures = to_tensor(crops(data, chance, batch, crop)).to(device)
        rows = torch.randint(len(made.numbers), (max(1, batch // 4),), generator=chance)
        noise = torch.Generator().manual_seed(int(torch.randint(2**62, (1,), generator=chance)))
        return encoded_loss(result, pictures, noise) + _answered(vae, result, made, rows, data[0])

    loop.run(loss_of)
    decoder.load_state_dict(loop.average.state_dict())
    return result


def _answered(
    before: AutoencoderTiny, result: AutoencoderTiny, made: Answers, rows: Tensor, data: Dataset
) -> Tensor:
    device = next(before.parameters()).device
    scenes = [made.numbers[int(row)] for row in rows]
    paintings = to_tensor(np.stack([data.paintings[i] for i in scenes])).to(device)
    latents = made.latents[rows].to(device)
    with half_precision(device):
        with torch.no_grad():
            soft = decode(before, latents).float()
        crisp = decode(result, latents).float()
    kept = F.l1_loss(F.avg_pool2d(crisp, BROAD), F.avg_pool2d(soft, BROAD))
    ours, theirs = detail(crisp), detail(paintings)
    lacking = F.relu(1 - ours.square().mean((1, 2, 3)) / theirs.square().mean((1, 2, 3))).mean()
    return LIVELY * F.l1_loss(ours, theirs) + WHOLE * lacking + kept

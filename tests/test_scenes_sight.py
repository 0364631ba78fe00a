"""The teacher as the critic's eyes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.scenes.critic import Asked, Critic, maker_loss
from models.scenes.nets import (
    ENTRIES,
    FOLD,
    SCALES,
    Painter,
    bare_paper,
    make_painter,
)
from models.scenes.sight import GROUPS, MOST_NOISE, Glance, Sight, glances
from tests.tiny_scenes import TINY


@pytest.fixture
def teacher() -> Painter:
    torch.manual_seed(0)
    return make_painter(TINY, ENTRIES).eval().requires_grad_(False)


@pytest.fixture
def asked() -> Asked:
    torch.manual_seed(1)
    return Asked(torch.rand(2, FOLD.channels, 16, 16), torch.randn(2, 16), 1)


@pytest.fixture
def glance() -> Glance:
    torch.manual_seed(2)
    return Glance(torch.tensor([0.1, 0.5]), torch.randn(2, 6, 16, 16), 1)


@pytest.fixture
def sight(teacher: Painter) -> Sight:
    return Sight(teacher, torch.randn(1, 5, 16))


def test_it_finds_what_the_teacher_finds_on_its_way_down(
    teacher: Painter, sight: Sight, glance: Glance
) -> None:
    latents, found = torch.randn(2, 6, 16, 16), dict[str, Tensor]()

    def keep(name: str) -> object:
        return lambda module, given, result: found.__setitem__(name, result)

    unet = teacher.unet
    unet.down_blocks[0].resnets[-1].register_forward_hook(keep("full"))
    unet.down_blocks[1].resnets[-1].register_forward_hook(keep("half"))
    unet.down_blocks[2].attentions[-1].register_forward_hook(keep("quarter"))
    unet.mid_block.register_forward_hook(keep("middle"))
    noisy, *seen = sight(latents, glance)
    at = glance.sigma[:, None, None, None]
    assert torch.equal(noisy, (1 - at) * latents + at * glance.noise)
    found.clear()
    unet(
        torch.cat([noisy, bare_paper(noisy)], 1), glance.sigma * 1000,
        sight.silence.expand(2, -1, -1), class_labels=torch.tensor([1, 1]),
    )  # fmt: skip
    lowest = torch.cat([found["quarter"][0], found["middle"]], 1)
    for ours, theirs in zip(seen, (found["full"], found["half"], lowest), strict=True):
        assert torch.allclose(ours, F.group_norm(theirs, GROUPS), atol=1e-4)


def test_it_looks_as_at_a_picture_on_bare_paper() -> None:
    white = FOLD(np.full((32, 32, 3), 255, np.uint8), 4)
    assert torch.equal(bare_paper(torch.zeros(2, 6, 4, 4))[1], torch.from_numpy(white))


def test_the_critic_has_a_place_for_all_of_it(sight: Sight, asked: Asked, glance: Glance) -> None:
    latents = torch.randn(2, 6, 16, 16)
    critic = Critic(6, FOLD.channels, 16, SCALES, (8, 8, 8), sight.channels)
    noisy, *seen = sight(latents, glance)
    base = critic(noisy, asked.canvas, asked.words, 1, seen)
    for level in range(3):
        other = [-part if i == level else part for i, part in enumerate(seen)]
        assert not torch.allclose(base, critic(noisy, asked.canvas, asked.words, 1, other))


def test_the_maker_learns_through_it(sight: Sight, asked: Asked, glance: Glance) -> None:
    critic = Critic(6, FOLD.channels, 16, SCALES, (8, 8, 8), sight.channels)
    critic.first.requires_grad_(False).weight.zero_()  # only what the teacher sees is left
    made = torch.randn(2, 6, 16, 16, requires_grad=True)
    true = sight(torch.randn(2, 6, 16, 16), glance)
    maker_loss(critic, true, sight(made, glance), asked).backward()  # type: ignore[no-untyped-call]
    assert made.grad is not None
    assert float(made.grad.abs().min(0).values.max()) > 0


def test_most_glances_are_nearly_clear() -> None:
    levels = glances(1000, torch.device("cpu"))
    assert float(levels.min()) >= 0
    assert float(levels.max()) <= MOST_NOISE
    assert float(levels.median()) < MOST_NOISE / 3

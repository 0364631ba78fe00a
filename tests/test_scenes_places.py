"""The judge of places: what it learns, and what it asks of who makes pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.scenes.nets import FOLD
from models.scenes.palette import PALETTE
from models.scenes.places import KINDS, Places, drawn, located, named, rarity, unlike

SKY, MEADOW = (list(PALETTE).index(name) for name in ("sky", "meadow"))


def canvas(left: str | None, right: str | None) -> Tensor:
    picture = np.full((64, 64, 3), 255, np.uint8)
    for name, part in ((left, picture[:, :32]), (right, picture[:, 32:])):
        if name:
            part[:] = PALETTE[name]
    return torch.from_numpy(FOLD(picture, 8))[None]


def painted(shares: Tensor) -> Tensor:
    """Latents in which sky is bright and meadow dark, and both are grainy."""
    height = shares[:, SKY] - shares[:, MEADOW]
    return torch.stack([height, torch.randn_like(height)], 1)


def smeared(latents: Tensor) -> Tensor:
    return torch.stack([latents[:, 0], torch.zeros_like(latents[:, 1])], 1)


def seen(latents: Tensor) -> list[Tensor]:
    return [latents, latents, F.avg_pool2d(latents, 2)]


@pytest.fixture(scope="module")
def learnt() -> Places:
    torch.manual_seed(0)
    places = Places(2, (2, 2), width=16)
    judge = torch.optim.AdamW(places.parameters(), 3e-3, (0.0, 0.99))
    sides = [drawn(canvas("sky", "meadow")), drawn(canvas("meadow", "sky"))]
    shares = torch.cat(sides * 4)
    for _ in range(150):
        true = painted(shares)
        located(places, judge, seen(true), seen(smeared(painted(shares))), shares)
    return places


def test_what_was_drawn_is_known_from_the_fold() -> None:
    shares = drawn(canvas("sky", None))
    assert shares.shape == (1, KINDS, 8, 8)
    assert (shares[0, SKY, :, :4] == 1).all()
    assert (shares[0, -1, :, 4:] == 1).all()
    assert torch.allclose(shares.sum(1), torch.ones(1))


def test_it_learns_what_each_place_shows_and_what_is_made_up(learnt: Places) -> None:
    torch.manual_seed(1)
    shares = drawn(canvas("sky", "meadow"))
    with torch.no_grad():
        true, made = (
            learnt(seen(x))[0].argmax(1) for x in (painted(shares), smeared(painted(shares)))
        )
    assert ((true == shares.argmax(1)).float().mean()) > 0.8
    assert (made == KINDS - 1).float().mean() > 0.8


def test_who_draws_the_wrong_thing_pays(learnt: Places) -> None:
    torch.manual_seed(1)
    shares, other = drawn(canvas("sky", "meadow")), drawn(canvas("meadow", "sky"))
    with torch.no_grad():
        right, wrong = (float(named(learnt(seen(painted(x)))[0], shares)) for x in (shares, other))
        smear = float(named(learnt(seen(smeared(painted(shares))))[0], shares))
    assert wrong > right + 1
    assert smear > right + 0.5


def test_the_maker_learns_and_leaves_the_judge_as_it_is(learnt: Places) -> None:
    shares = drawn(canvas("sky", "meadow"))
    optimizer = torch.optim.SGD(learnt.parameters(), 0.0)
    made = smeared(painted(shares)).requires_grad_(True)
    loss = located(learnt, optimizer, seen(painted(shares)), seen(made), shares, 4.0)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    assert made.grad is not None
    assert float(made.grad.abs().sum()) > 0
    assert all(p.grad is None for p in learnt.parameters())
    assert all(p.requires_grad for p in learnt.parameters())


def test_what_is_rare_counts_more() -> None:
    shares = torch.zeros(1, KINDS, 10, 10)
    shares[:, SKY] = 1
    shares[:, :, 0, 0] = 0
    shares[:, MEADOW, 0, 0] = 1
    logits = torch.zeros(1, KINDS, 10, 10, requires_grad=True)
    named(logits, shares).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    common, rare = -logits.grad[0, SKY, 5, 5], -logits.grad[0, MEADOW, 0, 0]
    assert float(rare / common) == pytest.approx(99**0.5, rel=0.05)


def test_features_are_to_be_alike_whatever_their_scale() -> None:
    true = [torch.randn(2, 8, 16, 16), torch.randn(2, 8, 8, 8)]
    assert float(unlike([3 * part for part in true], true)) < 1e-3
    assert float(unlike([part.flip(2) for part in true], true)) > 0.5


def test_rarity_is_one_on_average() -> None:
    shares = torch.rand(2, KINDS, 4, 4).softmax(1)
    shares[:, -1] = 0
    shares = shares / shares.sum(1, keepdim=True)
    assert torch.allclose((rarity(shares) * shares[:, :-1]).sum(1).mean(), torch.ones(()))

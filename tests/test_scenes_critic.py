"""The critic of layouts: learns what is drawn by the painter's chance, and what belongs to what."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from models.scenes.critic import Asked, Critic, critic_loss, criticised, maker_loss

WIDTH = (8, 8, 8)


def test_a_critic_learns_what_is_painted() -> None:
    torch.manual_seed(0)
    critic = Critic(4, 3, 5, (16, 16, 16))
    optimizer = torch.optim.AdamW(critic.parameters(), 2e-3, (0.0, 0.99))
    asked = Asked(torch.rand(8, 3, 16, 16), torch.randn(8, 5))

    def drawn(true: bool) -> Tensor:
        fine = torch.randn(8, 4, 16, 16)
        return fine if true else torch.nn.functional.avg_pool2d(fine, 3, 1, 1)  # too soft

    losses = []
    for _ in range(60):
        loss = critic_loss(critic, drawn(True), drawn(False), asked)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    with torch.no_grad():
        soft = maker_loss(critic, drawn(True), drawn(False), asked)
        crisp = maker_loss(critic, drawn(True), drawn(True), asked)
    assert float(soft) > 2 * float(crisp)


def test_a_critic_learns_what_belongs_to_a_canvas() -> None:
    torch.manual_seed(0)
    critic = Critic(4, 3, 5, (16, 16, 16))
    judge = torch.optim.AdamW(critic.parameters(), 2e-3, (0.0, 0.99))

    def pair() -> tuple[Tensor, Asked]:
        canvas = torch.rand(8, 3, 1, 1).expand(8, 3, 16, 16).round().contiguous()
        return torch.cat([canvas, canvas[:, :1]], 1), Asked(canvas, torch.zeros(8, 5))

    for _ in range(80):
        true, asked = pair()
        criticised(critic, judge, true, true.clone(), asked)  # made as well as painted
    true, asked = pair()
    elsewhere = asked.rolled()
    other = (elsewhere.canvas != asked.canvas).flatten(1).any(1)
    with torch.no_grad():
        right = critic(true, asked.canvas, asked.words).mean(1)
        wrong = critic(true, elsewhere.canvas, elsewhere.words).mean(1)
    assert (right - wrong)[other].min() > 0


def test_the_critic_reads_canvas_and_words() -> None:
    torch.manual_seed(0)
    critic = Critic(4, 3, 5, WIDTH)
    for level in critic.levels:
        torch.nn.init.normal_(level.words.weight)  # type: ignore[union-attr, arg-type]
    maps, canvas, words = torch.randn(1, 4, 16, 16), torch.rand(1, 3, 16, 16), torch.randn(1, 5)
    base = critic(maps, canvas, words)
    assert base.shape == (1, 16 * 16 + 8 * 8 + 4 * 4)
    for other in (critic(maps, 1 - canvas, words), critic(maps, canvas, -words)):
        assert not torch.allclose(base, other, atol=1e-4)


def test_a_jumping_critic_pays() -> None:
    class Steep(torch.nn.Module):
        def forward(self, latents: Tensor, *_: object) -> Tensor:
            return latents.flatten(1) * 1000

    class Flat(torch.nn.Module):
        def forward(self, latents: Tensor, *_: object) -> Tensor:
            return latents.flatten(1) * 0

    asked = Asked(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1))
    true, made = torch.randn(2, 1, 4, 4), torch.randn(2, 1, 4, 4)
    flat, steep = (float(critic_loss(c, true, made, asked)) for c in (Flat(), Steep()))
    assert flat == pytest.approx(np.log(2), abs=1e-4)
    assert steep > 1000
    assert float(critic_loss(Steep(), true, true, asked, smooth=0)) == pytest.approx(np.log(2))

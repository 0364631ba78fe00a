"""The layout network as it is served: what was drawn stays, and a seed is one scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from models.layout import (
    Layout,
    LayoutShape,
    complete,
    enlarged,
    folded,
    open_layout,
    planned,
    save_layout,
    unfolded,
)
from models.scenes.nets import FOLD
from models.scenes.palette import PALETTE

KINDS, CELLS, EDGE = len(FOLD.colours), FOLD.cells, 8
SHAPE = LayoutShape(KINDS, CELLS, words=16, code=8, mood=16, widths=(8, 16, 16))
SKY = list(PALETTE).index("sky")


def canvas(labels: np.ndarray) -> Tensor:
    return torch.from_numpy(FOLD.shares(labels.astype(np.uint8), EDGE))[None]


@pytest.fixture(scope="module")
def layout() -> Layout:
    torch.manual_seed(0)
    return Layout(SHAPE).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def half() -> Tensor:
    """Sky in the upper half, bare paper below."""
    labels = np.full((64, 64), KINDS - 1)
    labels[:32] = SKY
    return canvas(labels)


@given(st.integers(0, 2**32 - 1))
def test_a_canvas_is_unfolded_place_by_place_and_folded_again(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, KINDS, (EDGE * CELLS, EDGE * CELLS))
    whole = canvas(labels)
    apart = unfolded(whole, CELLS)
    assert torch.equal(apart.argmax(1)[0], torch.from_numpy(labels))
    assert torch.equal(folded(apart, CELLS), whole)


def test_only_bare_paper_is_completed(half: Tensor) -> None:
    shares = torch.zeros(1, KINDS - 1, EDGE * CELLS, EDGE * CELLS)
    shares[:, SKY + 1] = 1
    done = unfolded(complete(half, shares, CELLS), CELLS)
    assert (done[0, SKY, :EDGE] == 1).all()
    assert (done[0, SKY + 1, EDGE:] == 1).all()
    assert torch.equal(done.sum(1), torch.ones(1, EDGE * CELLS, EDGE * CELLS))
    assert done[:, -1].max() == 0, "no paper is left"


def test_half_bare_places_are_completed_by_half() -> None:
    checks = np.full((EDGE * CELLS * 2, EDGE * CELLS * 2), KINDS - 1)
    checks[::2] = SKY
    shares = torch.zeros(1, KINDS - 1, EDGE * CELLS, EDGE * CELLS)
    shares[:, SKY + 1] = 1
    done = unfolded(complete(canvas(checks), shares, CELLS), CELLS)
    assert (done[:, SKY] == 0.5).all()
    assert (done[:, SKY + 1] == 0.5).all()


def test_a_whole_canvas_needs_no_layout(layout: Layout) -> None:
    whole = canvas(np.full((64, 64), SKY))
    assert planned(layout, whole, torch.zeros(1, 4, 16), 1) is None


def test_a_layout_follows_from_canvas_words_and_seed(layout: Layout, half: Tensor) -> None:
    words = torch.randn(1, 4, 16, generator=torch.Generator().manual_seed(0))

    def plan(seen: Tensor = half, said: Tensor = words, seed: int = 1) -> Tensor:
        shares = planned(layout, seen, said, seed)
        assert shares is not None
        return shares

    first = plan()
    assert first.shape == (1, KINDS - 1, EDGE * CELLS, EDGE * CELLS)
    assert torch.equal(first.sum(1), torch.ones(1, EDGE * CELLS, EDGE * CELLS))
    assert torch.equal(plan(), first)
    others = plan(seed=2), plan(said=-5 * words), plan(canvas(np.full((64, 64), KINDS - 1)))
    assert all(not torch.equal(other, first) for other in others)


def test_a_larger_grid_shows_the_same() -> None:
    shares = torch.rand(1, 3, 4, 4)
    large = enlarged(shares, 8)
    assert large.shape == (1, 3, 8, 8)
    assert torch.equal(large[..., ::2, ::2], shares)
    assert torch.equal(large[..., 1::2, 1::2], shares)


def test_a_saved_network_is_opened_as_it_was(layout: Layout, half: Tensor, tmp_path: Path) -> None:
    assert open_layout(tmp_path) is None
    save_layout(layout, tmp_path)
    again = open_layout(tmp_path)
    assert again is not None
    assert again.shape == SHAPE
    code, words = torch.randn(1, 8), torch.randn(1, 16)
    apart = (again(half, words, code) - layout(half, words, code)).abs().max()
    assert float(apart) < 0.02, "only rounded to half precision"

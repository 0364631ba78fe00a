"""The layout network's training: scenes come of codes, and a critic sees to what comes of any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layout import Layout, LayoutShape, unfolded
from models.scenes import completion
from models.scenes.asked import Requests
from models.scenes.completion import Reader, Rows, certain, coded, free, train_layout
from models.scenes.critic import Critic
from models.scenes.dataset import Dataset
from models.scenes.loop import Plan
from models.scenes.nets import FOLD, make_tokenizer
from models.scenes.palette import PALETTE
from models.scenes.sketch import BARE

KINDS, EDGE = len(FOLD.colours), 8
SHAPE = LayoutShape(KINDS, FOLD.cells, words=4, code=4, mood=16, widths=(16, 16, 16))
SKY, MEADOW, SAND = (list(PALETTE).index(name) for name in ("sky", "meadow", "sand"))


def world(count: int = 60) -> Dataset:
    """Sky above; below it all meadow or all sand. Of the first half of the canvases the lower half
    is drawn, of the others nothing."""
    maps = np.full((count, 64, 64), SKY, np.uint8)
    maps[::2, 32:], maps[1::2, 32:] = MEADOW, SAND
    canvases = np.full((count, 64, 64), BARE, np.uint8)
    canvases[: count // 2, 32:] = maps[: count // 2, 32:]
    empty = np.zeros((count, 64, 64, 3), np.uint8)
    words = {"time": "day", "season": "summer", "weather": "clear", "style": "clean"}
    return Dataset(empty, canvases, [["day"]] * count, [words] * count, maps)


FIRST = np.array([0, 31, 2, 33, 4, 35])


def say(tokens: Tensor) -> Tensor:
    return torch.zeros(len(tokens), 4)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Requests:
    tokenizer = make_tokenizer(tmp_path_factory.mktemp("words"), ["day", "sunset"] * 20)
    return Requests(world(), tokenizer)


@pytest.fixture(scope="module")
def learnt(asked: Requests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(completion, "PLAIN_UNTIL", 2.0)  # codes alone: a critic takes far longer
        yield trained(asked, tmp_path_factory.mktemp("run"), 200)


def trained(asked: Requests, folder: Path, steps: int, stop_after: int | None = None) -> Layout:
    torch.manual_seed(3)  # with so few pictures and steps, some seeds prefer one of the two
    plan = Plan(
        folder / "layout.pt", 1e-2, seed=3, steps=steps, stop_after=stop_after, save_seconds=1e9,
        momentum=0.5, average=0.97,
    )  # fmt: skip
    return train_layout(Layout(SHAPE), asked, say, plan, 8, EDGE)


def drawn(layout: Layout, canvas: Tensor, count: int = 40) -> Tensor:
    """Materials (count, 16, 16) by as many codes."""
    code = torch.randn(count, SHAPE.code, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits: Tensor = layout(canvas.expand(count, -1, -1, -1), torch.zeros(count, 4), code)
    return logits.argmax(1)


def folded(labels: np.ndarray) -> Tensor:
    return torch.from_numpy(FOLD.shares(labels, EDGE))[None]


def test_codes_make_different_whole_scenes_of_bare_paper(learnt: Layout) -> None:
    maps = drawn(learnt, folded(np.full((64, 64), BARE, np.uint8)))
    assert (maps[:, :7] == SKY).float().mean() > 0.9
    below = maps[:, 9:].flatten(1)
    shares = torch.stack([(below == MEADOW).float().mean(1), (below == SAND).float().mean(1)])
    kinds = (shares > 0.8).float().mean(1)
    assert kinds.min() > 0.05, "both are there"
    assert kinds.sum() > 0.7, "and are whole"


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(
    asked: Requests, tmp_path: Path
) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole = trained(asked, tmp_path / "whole", 8)
    trained(asked, tmp_path / "parts", 8, stop_after=3)
    parts = trained(asked, tmp_path / "parts", 8)
    pairs = zip(whole.state_dict().values(), parts.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def rows(asked: Requests) -> Rows:
    canvas, true = asked.drawn(np.random.default_rng(0), FIRST, EDGE)
    return Rows(canvas, true, torch.zeros(6, 4))


def test_canvases_come_with_what_is_truly_there(asked: Requests, rows: Rows) -> None:
    assert torch.equal(rows.true.argmax(1)[:, 0, 0], torch.full((6,), SKY))
    assert rows.true.argmax(1)[:, -1, -1].tolist() == [MEADOW, SAND] * 3
    parts = unfolded(rows.canvas, FOLD.cells)
    known = parts[:, :-1].amax(1) > 0.5  # soft edges may pass for something else
    assert known.any()
    assert not known.all()
    assert (parts[:, :-1].argmax(1) == rows.true.argmax(1))[known].all()
    bare, _ = asked.drawn(np.random.default_rng(0), FIRST, EDGE, bare=1.0)
    assert (unfolded(bare, FOLD.cells)[:, -1] == 1).all()


def test_a_code_far_from_normal_costs(rows: Rows) -> None:
    torch.manual_seed(0)
    layout, reader = Layout(SHAPE), Reader(KINDS - 1, SHAPE.code, EDGE)
    near = float(coded(layout, reader, rows).detach())
    with torch.no_grad():
        reader.last.bias[: SHAPE.code] += 30
        cast(nn.Linear, layout.mood[0]).weight[:, : SHAPE.code] = 0  # the layout doesn't feel it
        layout.spread.weight.zero_()
    assert float(coded(layout, reader, rows).detach()) > near + 1


def test_the_critics_word_reaches_the_layout_and_not_the_reader(rows: Rows) -> None:
    torch.manual_seed(0)
    layout, eye = Layout(SHAPE), Critic(4 * (KINDS - 1), 4 * KINDS, 4, (8, 8, 8))
    before = [p.clone() for p in eye.parameters()]
    judge = torch.optim.AdamW(eye.parameters(), 1e-3)
    free(layout, eye, judge, rows, 4.0).backward()  # type: ignore[no-untyped-call]
    assert layout.last.weight.grad is not None
    assert float(layout.last.weight.grad.abs().sum()) > 0
    assert any(not torch.equal(a, b) for a, b in zip(before, eye.parameters(), strict=True))


def test_what_is_likeliest_is_shown_with_the_gradient_of_the_shares() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    shown = certain(logits)
    assert torch.equal(shown.detach().round(), F.one_hot(logits.argmax(1), 3).movedim(3, 1).float())
    weights = torch.randn(2, 3, 4, 4)
    (shown * weights).sum().backward()  # type: ignore[no-untyped-call]
    given, logits.grad = logits.grad, None
    (logits.softmax(1) * weights).sum().backward()  # type: ignore[no-untyped-call]
    assert given is not None
    assert logits.grad is not None
    assert torch.allclose(given, logits.grad)

"""What a served network sees: canvases whose bare paper a layout network completes, and beside them
what it knows by heart."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from models.base import CannotLoad, InputSpec, ModelSpec, Parameter, Request, Track
from models.constants import FILE, Constants, open_constants, save_constants
from models.latent import LatentModel
from models.layout import Layout, LayoutShape, enlarged, save_layout, unfolded
from models.row import Row
from models.scenes.chance import TILES
from models.scenes.nets import (
    FOLD,
    Shape,
    make_autoencoder,
    make_painter,
    make_tokenizer,
    save_weights,
)
from models.scenes.palette import PALETTE, UNPAINTED
from models.unet import opener

SIZE, EDGE, CELLS = 64, 8, FOLD.cells
SKY = list(PALETTE).index("sky")
SPEC = ModelSpec(
    "tiny",
    "Tiny",
    tracks=(Track("picture", "picture", SIZE, SIZE),),
    inputs=(InputSpec("canvas", SIZE, SIZE, UNPAINTED),),
    max_batch=4,
    parameters=(
        Parameter("prompt", "string", ""),
        Parameter("seed", "integer", 0, minimum=0, maximum=2**32 - 1),
        Parameter("steps", "integer", 2, minimum=1, maximum=4),
        Parameter("strength", "number", 1.0, minimum=0.1, maximum=1.0),
        Parameter("size", "integer", SIZE, choices=(SIZE, 2 * SIZE)),
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(4)
    folder = tmp_path_factory.mktemp("scenes")
    shape = Shape(
        autoencoder=16, encoder_blocks=(1,), decoder_blocks=(1,), channels=(8, 8, 16), text=16,
        text_layers=1, constants=4, edge=EDGE,
    )  # fmt: skip
    tokenizer = make_tokenizer(folder / "tokenizer", ["sunset, winter"] * 20)
    painter = make_painter(shape, len(tokenizer))
    save_weights(folder, make_autoencoder(shape), painter, tokenizer)
    kinds = LayoutShape(len(FOLD.colours), CELLS, words=16, code=8, mood=16, widths=(8, 16, 16))
    save_layout(Layout(kinds), folder)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> LatentModel:
    model = LatentModel(opener(str(folder)), SPEC, "cpu", "float32")
    model.load(lambda stage, share: None)
    return model


def half() -> np.ndarray:
    """Sky above, bare paper below."""
    canvas = np.full((SIZE, SIZE, 3), UNPAINTED, np.uint8)
    canvas[: SIZE // 2] = PALETTE["sky"]
    return canvas


def ask(canvas: np.ndarray | None = None, **params: object) -> Request:
    inputs = {} if canvas is None else {"canvas": canvas}
    return Request("s", "tiny", 1, 1, SPEC.defaults() | SPEC.check(params), inputs)


def begun(model: LatentModel, *asked: Request, before: Row | None = None) -> list[Row]:
    return cast("list[Row]", model.begin(asked, [before] * len(asked)))


def seen(row: Row) -> torch.Tensor:
    assert row.view.canvas is not None
    return row.view.canvas[:, : FOLD.channels]


def known(row: Row) -> torch.Tensor:
    assert row.view.canvas is not None
    return row.view.canvas[:, FOLD.channels :]


def test_the_network_sees_no_bare_paper_and_all_that_was_drawn(model: LatentModel) -> None:
    for row in begun(model, ask(half(), seed=3), ask(None, seed=3)):
        assert unfolded(seen(row), CELLS)[:, -1].max() == 0
        assert unfolded(seen(row), CELLS).sum(1).min() == 1
    (row,) = begun(model, ask(half(), seed=3))
    assert (unfolded(seen(row), CELLS)[0, SKY, :EDGE] == 1).all()


def test_a_seed_is_a_scene_and_a_prompt_another(model: LatentModel) -> None:
    first, same, seed, prompt = begun(
        model, ask(half(), seed=3), ask(half(), seed=3, steps=4), ask(half(), seed=4),
        ask(half(), seed=3, prompt="winter"),
    )  # fmt: skip
    assert torch.equal(seen(first), seen(same))
    assert not torch.equal(seen(first), seen(seed))
    assert not torch.equal(seen(first), seen(prompt))


def test_a_layout_is_made_once(model: LatentModel, monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = begun(model, ask(half(), seed=3))
    calls: list[int] = []
    monkeypatch.setattr("models.views.planned", lambda *_: calls.append(1))
    (again,) = begun(model, ask(half(), seed=3, steps=1), before=first)
    assert again.view is first.view
    assert not calls
    begun(model, ask(half(), seed=5), before=first)
    assert calls == [1]


def test_a_whole_canvas_is_seen_as_it_is(model: LatentModel) -> None:
    canvas = np.full((SIZE, SIZE, 3), PALETTE["sky"], np.uint8)
    one, other = begun(model, ask(canvas, seed=1), ask(canvas, seed=2))
    assert one.view.layout is None
    assert torch.equal(seen(one), seen(other))
    assert torch.equal(seen(one), model.parts.see(canvas[None], EDGE))


def test_the_finer_picture_shows_the_same_layout(model: LatentModel) -> None:
    (row,) = begun(model, ask(half(), seed=3, size=2 * SIZE))
    assert row.finer is not None
    assert row.finer.canvas is not None
    small, large = (
        unfolded(each, CELLS) for each in (seen(row), row.finer.canvas[:, : FOLD.channels])
    )
    assert torch.equal(enlarged(small, 4 * EDGE), large)


def test_a_layout_counts_as_memory_of_its_row(model: LatentModel) -> None:
    drawn, bare = begun(model, ask(np.full((SIZE, SIZE, 3), PALETTE["sky"], np.uint8)), ask(half()))
    assert bare.view.layout is not None
    assert bare.nbytes == drawn.nbytes + bare.view.layout.nbytes


def test_constants_lie_beside_the_canvas_by_the_seed(model: LatentModel) -> None:
    canvas = np.full((SIZE, SIZE, 3), PALETTE["sky"], np.uint8)
    one, other, again = begun(model, *(ask(canvas, seed=seed) for seed in (1, 2, 1 + TILES)))
    constants = model.parts.constants
    assert constants is not None
    assert known(one).shape == (1, 4, EDGE, EDGE)
    assert torch.equal(known(one), known(again))
    assert not torch.equal(known(one), known(other))
    assert torch.equal(known(one)[0].float(), constants.tables[EDGE][1].half().float())


def test_the_finer_picture_has_constants_of_its_own(model: LatentModel) -> None:
    (row,) = begun(model, ask(half(), seed=3, size=2 * SIZE))
    assert row.finer is not None
    assert row.finer.canvas is not None
    constants = model.parts.constants
    assert constants is not None
    beside = row.finer.canvas[0, FOLD.channels :]
    assert torch.equal(beside.float(), constants.tables[2 * EDGE][3].half().float())


def test_another_kind_of_seed_is_another_view_of_a_whole_canvas(model: LatentModel) -> None:
    canvas = np.full((SIZE, SIZE, 3), PALETTE["sky"], np.uint8)
    (first,) = begun(model, ask(canvas, seed=1))
    (same,) = begun(model, ask(canvas, seed=1, steps=1), before=first)
    (other,) = begun(model, ask(canvas, seed=2), before=first)
    assert same.view is first.view
    assert not torch.equal(known(other), known(first))


def test_constants_are_kept_in_half_precision(tmp_path: Path) -> None:
    constants = Constants({8: torch.randn(TILES, 3, 8, 8), 16: torch.randn(TILES, 3, 16, 16)})
    save_constants(constants, tmp_path)
    again = open_constants(tmp_path)
    assert again is not None
    assert again.channels == 3
    for edge, table in constants.tables.items():
        assert torch.equal(again.tables[edge], table.half().float())
    assert open_constants(tmp_path / "nowhere") is None


def test_a_folder_without_its_constants_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / FILE).unlink()
    with pytest.raises(CannotLoad, match="channels"):
        LatentModel(opener(str(tmp_path / "copy")), SPEC, "cpu", "float32").load(lambda *_: None)
    (tmp_path / "copy" / FILE).write_bytes(b"not what it was")
    with pytest.raises(CannotLoad, match=FILE):
        LatentModel(opener(str(tmp_path / "copy")), SPEC, "cpu", "float32").load(lambda *_: None)

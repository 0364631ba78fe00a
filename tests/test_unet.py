"""The UNet family by itself, on tiny random checkpoints (beside diffusers: test_unet_parity.py)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from diffusers import (
    UNet2DConditionModel,
)

from models import devices
from models.base import (
    BadOutput,
    CannotLoad,
    InvalidParameter,
    Model,
    OutOfMemory,
)
from models.constants import FILE
from models.latent import LatentModel
from models.networks import Networks
from models.row import Row
from models.scenes.nets import Shape, make_autoencoder, make_painter, save_weights
from models.texts import Words
from models.unet import opener
from tests.tiny_unet import (
    SIZE,
    SPEC,
    Pixels,
    ask,
    canvas_of,
    finish,
    make_scenes,
    opened,
    pixels,
    prepared_tokenizer,
)


@pytest.fixture(scope="module")
def scenes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in model's layout: the canvas folded, in further input channels."""
    return make_scenes(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def eight_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Instruct-pix2pix's layout: the canvas's latents beside the noisy ones, in eight channels."""
    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("eight")
    shape = Shape(
        autoencoder=8, patch=1, encoder_blocks=(1,) * 4, decoder_blocks=(1,) * 4, latents=4,
        channels=(8, 8, 16), text=16, text_layers=1, edge=SIZE // 8,
    )  # fmt: skip
    tokenizer = prepared_tokenizer(folder / "tokenizer")
    painter = make_painter(shape, len(tokenizer))
    config = {k: v for k, v in painter.unet.config.items() if not k.startswith("_")}
    config |= {"in_channels": 8, "num_class_embeds": None, "sample_size": SIZE // 8}
    painter.unet = UNet2DConditionModel(**config)
    save_weights(folder, make_autoencoder(shape), painter, tokenizer)
    (folder / "canvas.json").unlink()
    (folder / FILE).unlink()
    return folder


def test_it_is_a_model(scenes_folder: Path) -> None:
    assert isinstance(opened(scenes_folder), Model)


def test_rows_at_different_steps_equal_rows_alone(scenes_folder: Path) -> None:
    model = opened(scenes_folder)
    asked = [
        ask(canvas_of(1), prompt="sunset", seed=1, steps=4),
        ask(None, prompt="winter night", seed=2, steps=2, strength=0.6),
        ask(canvas_of(2), prompt="", seed=3, steps=3),
    ]
    alone = [finish(model, [request])[0] for request in asked]
    late = cast("list[Row]", model.begin(asked, [None] * 3))
    model.step(late[:1])  # the first row is a step ahead of the others from here on
    while live := [row for row in late if row.step < row.steps]:
        model.step(live)
    for one, together in zip(alone, late, strict=True):
        assert one.clean is not None
        assert together.clean is not None
        assert float((one.clean - together.clean).abs().max()) < 1e-5
        assert one.step == together.step


def test_prompt_seed_canvas_and_strength_each_matter(scenes_folder: Path) -> None:
    model, canvas = opened(scenes_folder), canvas_of(1)
    base = ask(canvas, prompt="sunset", seed=1)
    others = [
        ask(canvas, prompt="winter", seed=1),
        ask(canvas, prompt="sunset", seed=2),
        ask(canvas_of(2), prompt="sunset", seed=1),
        ask(canvas, prompt="sunset", seed=1, strength=0.5),
        ask(None, prompt="sunset", seed=1),
    ]
    results = [finish(model, [request])[0].clean for request in [base, base, *others]]
    assert torch.equal(cast("Any", results[0]), cast("Any", results[1]))
    for other in results[2:]:
        assert not torch.allclose(cast("Any", results[0]), cast("Any", other), atol=1e-6)


def test_an_unchanged_canvas_is_not_seen_again(
    scenes_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = opened(scenes_folder)
    calls: list[int] = []
    see = model.parts.see

    def counted(pictures: Pixels, edge: int) -> torch.Tensor:
        calls.append(len(pictures))
        return see(pictures, edge)

    monkeypatch.setattr(model.parts, "see", counted)
    first = model.begin([ask(canvas_of(1))], [None])
    second = model.begin([ask(canvas_of(1).copy(), prompt="other")], first)
    assert calls == [1]
    assert cast("Row", first[0]).view is cast("Row", second[0]).view
    model.begin([ask(canvas_of(2)), ask(canvas_of(3))], [second[0], None])
    assert calls == [1, 2]


def test_a_network_may_see_the_canvas_encoded(eight_folder: Path) -> None:
    model, canvas = opened(eight_folder), canvas_of(1)
    (row,) = finish(model, [ask(canvas, prompt="sunset", steps=1)])
    assert row.view.canvas is not None
    assert torch.equal(row.view.canvas, model.parts.encode_pictures(canvas[None]))
    (other,) = finish(model, [ask(canvas_of(2), prompt="sunset", steps=1)])
    assert not torch.allclose(cast("Any", row.clean), cast("Any", other.clean), atol=1e-6)


@pytest.mark.parametrize("layout", ["scenes_folder", "eight_folder"])
def test_the_finer_picture_goes_on_from_the_finished_one(
    layout: str, request: pytest.FixtureRequest
) -> None:
    model = opened(request.getfixturevalue(layout))
    one = ask(canvas_of(1), prompt="sunset", seed=4, steps=2)
    large = ask(canvas_of(1), prompt="sunset", seed=4, steps=2, size=2 * SIZE)
    (small,) = finish(model, [one])
    picture = pixels(model, [small])[0]
    (row,) = cast("list[Row]", model.begin([large], [small]))
    assert (row.step, row.steps) == (2, 4)
    while row.step < row.steps:
        model.step([row])
    (finer,) = pixels(model, [row])
    assert finer.shape == (2 * SIZE, 2 * SIZE, 3)
    alone = finish(model, [large])[0]  # with nothing to go on from it takes the whole way
    assert np.array_equal(pixels(model, [alone])[0], finer)
    assert np.array_equal(pixels(model, finish(model, [one]))[0], picture)
    changed = ask(canvas_of(1), prompt="sunset", seed=5, steps=2, size=2 * SIZE)
    assert cast("Row", model.begin([changed], [small])[0]).step == 0


def test_rows_of_both_sizes_equal_rows_alone(scenes_folder: Path) -> None:
    model = opened(scenes_folder)
    asked = [
        ask(canvas_of(1), prompt="sunset", seed=1, steps=1, size=2 * SIZE),
        ask(canvas_of(2), prompt="winter", seed=2, steps=2, size=2 * SIZE),
        ask(canvas_of(2), prompt="", seed=3, steps=4),
    ]
    alone = [finish(model, [request])[0] for request in asked]
    together = finish(model, asked)  # never mind their keys: a call takes rows of any stage
    shapes = [picture.shape[0] for picture in pixels(model, together)]
    assert shapes == [2 * SIZE, 2 * SIZE, SIZE]
    for one, other in zip(alone, together, strict=True):
        assert float((cast("Any", one.clean) - cast("Any", other.clean)).abs().max()) < 1e-4


def test_the_finer_picture_is_about_the_same_one(
    scenes_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run starts from the picture, enlarged, with half noise: what the network is told
    is where it starts, to the number."""
    model = opened(scenes_folder)
    large = ask(canvas_of(1), prompt="sunset", steps=1, size=2 * SIZE)
    (row,) = cast("list[Row]", model.begin([large], [None]))
    model.step([row])
    base, finer = cast("Any", row.base), cast("Any", row.finer)
    big = torch.nn.functional.interpolate(
        model.parts.decode(base), scale_factor=2.0, mode="bicubic"
    )
    told: list[torch.Tensor] = []
    predict = model.parts.predict

    def listening(latents: torch.Tensor, *rest: Any) -> torch.Tensor:
        told.append(latents)
        return predict(latents, *rest)

    monkeypatch.setattr(model.parts, "predict", listening)
    model.step([row])
    start = 0.5 * model.parts.encode(big.clamp(-1, 1)) + 0.5 * finer.noise
    assert torch.allclose(told[0], start, atol=1e-5)


def test_prompts_are_embedded_once(scenes_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened(scenes_folder)
    seen: list[str] = []
    encode = model.parts.encode_words

    def counted(prompts: list[str], against: bool) -> Words:
        seen.extend(prompts)
        return encode(prompts, against)

    monkeypatch.setattr(model.parts, "encode_words", counted)
    model.begin([ask(prompt="a"), ask(prompt="b"), ask(prompt="a")], [None] * 3)
    model.begin([ask(prompt="b")], [None])
    assert seen == ["a", "b"]


def test_a_failed_step_leaves_its_rows_alone(
    scenes_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = opened(scenes_folder)
    row = cast("Row", model.begin([ask(canvas_of(1))], [None])[0])
    before = row.latents.clone()
    nan = torch.full_like(before, float("nan"))
    monkeypatch.setattr(model.parts, "predict", lambda *_: nan)
    with pytest.raises(BadOutput):
        model.step([row])
    assert row.step == 0
    assert torch.equal(row.latents, before)
    monkeypatch.undo()
    model.step([row])
    monkeypatch.setattr(model.parts, "decode", lambda *_: nan)
    with pytest.raises(BadOutput):
        model.decode([row])


def full(*_: object) -> torch.Tensor:
    raise torch.OutOfMemoryError("no room")


def test_no_room_on_the_device_is_told(
    scenes_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = opened(scenes_folder)
    row = model.begin([ask()], [None])[0]
    monkeypatch.setattr(model.parts, "predict", full)
    with pytest.raises(OutOfMemory):
        model.step([row])
    assert row.step == 0


def test_pictures_are_bytes_of_the_right_shape(scenes_folder: Path) -> None:
    model = opened(scenes_folder)
    rows = finish(model, [ask(canvas_of(1), steps=1)])
    (picture,) = pixels(model, rows)
    assert picture.shape == (SIZE, SIZE, 3)
    assert picture.dtype == np.uint8
    assert rows[0].nbytes > 0
    assert model.parts.size == SIZE


def test_auto_takes_a_format_and_unknown_ones_are_refused(scenes_folder: Path) -> None:
    model = LatentModel(opener(str(scenes_folder)), SPEC, "cpu", "auto")
    told: list[float] = []
    model.load(lambda stage, share: told.append(share))
    assert model.parts.dtype in (torch.bfloat16, torch.float32)
    assert told[-1] == 1.0
    assert told == sorted(told)
    with pytest.raises(CannotLoad, match="float64"):
        LatentModel(opener(str(scenes_folder)), SPEC, "cpu", "float64").load(
            lambda stage, share: None
        )


@pytest.mark.parametrize("faster", [torch.bfloat16, torch.float32])
def test_trying_formats_leaves_the_weights_as_they_were(
    scenes_folder: Path, monkeypatch: pytest.MonkeyPatch, faster: torch.dtype
) -> None:
    time_call = devices._time_call

    def timed(checkpoint: Networks, dtype: torch.dtype) -> float:
        assert time_call(checkpoint, dtype) > 0
        return 1.0 if dtype == faster else 2.0

    monkeypatch.setattr(devices, "_time_call", timed)
    tried, plain = (
        opened(scenes_folder, dtype=dtype).parts.modules for dtype in ("auto", str(faster)[6:])
    )
    for one, other in zip(tried, plain, strict=True):
        others = other.state_dict()
        for name, values in one.state_dict().items():
            assert values.dtype == others[name].dtype
            assert torch.equal(values, others[name]), name


def test_strength_out_of_range_is_refused() -> None:
    with pytest.raises(InvalidParameter):
        SPEC.check({"strength": 0.0})


def test_a_folder_without_weights_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotLoad, match="holds no weights"):
        opened(tmp_path)


def test_a_network_whose_canvas_is_not_described_says_so(
    scenes_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(scenes_folder, tmp_path / "lacking")
    (folder / "canvas.json").unlink()
    (folder / FILE).unlink()
    with pytest.raises(CannotLoad, match=r"channels.*canvas\.json"):
        opened(folder)

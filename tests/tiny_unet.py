"""What tests of the UNet family share: a small spec, requests for it, a model run to its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from models.base import InputSpec, ModelSpec, Parameter, Picture, Request, State, Track
from models.latent import LatentModel
from models.row import Row
from models.scenes.nets import (
    Shape,
    make_autoencoder,
    make_painter,
    make_tokenizer,
    save_weights,
)
from models.unet import opener

SIZE = 64
SPEC = ModelSpec(
    "tiny",
    "Tiny",
    tracks=(Track("picture", "picture", SIZE, SIZE),),
    inputs=(InputSpec("canvas", SIZE, SIZE),),
    max_batch=3,
    parameters=(
        Parameter("prompt", "string", ""),
        Parameter("seed", "integer", 0),
        Parameter("negative", "string", ""),
        Parameter("guidance", "number", 0.0, minimum=0.0, maximum=20.0),
        Parameter("steps", "integer", 2, minimum=1, maximum=8),
        Parameter("strength", "number", 1.0, minimum=0.1, maximum=1.0),
        Parameter("size", "integer", SIZE, choices=(SIZE, 2 * SIZE)),
    ),
)
Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


def canvas_of(seed: int) -> Pixels:
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return blocks.repeat(SIZE // 4, 0).repeat(SIZE // 4, 1)


def ask(canvas: Pixels | None = None, **params: object) -> Request:
    inputs = {} if canvas is None else {"canvas": canvas}
    return Request("s", "tiny", 1, 1, SPEC.defaults() | SPEC.check(params), inputs)


def opened(folder: Path, scheduler: str = "", dtype: str = "float32") -> LatentModel:
    model = LatentModel(opener(str(folder), scheduler), SPEC, "cpu", dtype)
    model.load(lambda stage, share: None)
    return model


def finish(model: LatentModel, requests: Sequence[Request]) -> list[Row]:
    rows = model.begin(requests, [None] * len(requests))
    while any(row.step < row.steps for row in rows):
        model.step([row for row in rows if row.step < row.steps])
    return cast("list[Row]", rows)


def pixels(model: LatentModel, states: Sequence[State]) -> list[Pixels]:
    return [cast("Picture", payload).pixels for payload in model.decode(states)]


@torch.inference_mode()
def shown(model: LatentModel, row: Row) -> Floats:
    """Its picture now, in 0..1, unrounded."""
    assert row.clean is not None
    picture = (model.parts.decode(row.clean) / 2 + 0.5).clamp(0, 1)
    return picture[0].permute(1, 2, 0).numpy()


def prepared_tokenizer(folder: Path) -> Any:
    return make_tokenizer(folder, ["a red house, sunset, winter, at night"] * 20)


def make_scenes(folder: Path) -> Path:
    """A tiny checkpoint of the built-in model's layout, with random weights."""
    torch.manual_seed(1)
    shape = Shape(
        autoencoder=16, encoder_blocks=(1,), decoder_blocks=(1,), channels=(8, 8, 16), text=16,
        text_layers=1, constants=4, edge=SIZE // 8,
    )  # fmt: skip
    tokenizer = prepared_tokenizer(folder / "tokenizer")
    painter = make_painter(shape, len(tokenizer))
    vae = make_autoencoder(shape)
    vae.register_to_config(scaling_factor=0.8, shift_factor=0.1)
    save_weights(folder, vae, painter, tokenizer)
    return folder

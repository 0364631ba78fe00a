"""What the tests of parity share: requests of any model, finished pictures in 0..1, and rows that
run beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.base import Request
from models.latent import LatentModel
from models.row import Row
from tests.tiny_unet import finish, shown

NEAR = 1e-4  # of pictures in 0..1, fp32
BESIDE = 1e-5  # of a row beside others and the same alone
Floats = NDArray[np.float32]


def ask(model: LatentModel, canvas: NDArray[np.uint8] | None = None, **params: object) -> Request:
    """A request by the model's own defaults."""
    spec, inputs = model.spec, {} if canvas is None else {"canvas": canvas}
    return Request("s", spec.name, 1, 1, spec.defaults() | spec.check(params), inputs)


def ours(model: LatentModel, request: Request) -> Floats:
    """The finished picture of a request, alone."""
    (row,) = finish(model, [request])
    return shown(model, row)


def apart(one: Floats, other: Floats) -> float:
    return float(np.abs(one - other).max())


def in_flight(model: LatentModel, asked: Sequence[Request]) -> list[Row]:
    """The rows of requests, run to their ends together; the first is always a step ahead."""
    rows = [row for row in model.begin(asked, [None] * len(asked)) if isinstance(row, Row)]
    model.step(rows[:1])
    while live := [row for row in rows if row.step < row.steps]:
        for key in {row.key for row in live}:
            model.step([row for row in live if row.key == key])
    return rows

"""The first calls of a latent diffusion model, so that nobody's request is the first of its shape.

Role: before a model is ready, libraries set themselves up for every shape that may come, and it
shows whether there is memory to work in. Knows nothing of people's requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from models.base import Model, ModelSpec, OutOfMemory, Request, Value
from models.networks import Networks

GUIDED = 2.0
"""Guidance that takes a second call (1 and less doesn't)."""


def warm_up(model: Model, parts: Networks, tell: Callable[[float], None]) -> None:
    """Every size, on a canvas and without one where that differs, in every number of rows that
    there is room for, and guided. `tell` hears how far that is, 0–1. Raises `OutOfMemory` where
    there is no room for one row."""
    calls, most = [*_shapes(model.spec, parts)], model.spec.max_batch
    for done, (asked, count) in enumerate(calls, 1):
        if count <= most:
            try:
                _run(model, asked, count)
            except OutOfMemory:
                if count == 1:
                    raise
                most = count - 1  # who calls halves what is too much
        tell(done / len(calls))


def _shapes(spec: ModelSpec, parts: Networks) -> Iterator[tuple[Request, int]]:
    sizes = next((p.choices for p in spec.parameters if p.name == "size"), ()) or (None,)
    canvases = (False, True) if parts.optional or not parts.beside else (False,)
    for size, canvas, count in product(sizes, canvases, range(1, spec.max_batch + 1)):
        yield _blank(spec, canvas, {} if size is None else {"size": size}), count
    if "guidance" in spec.defaults() and not parts.embeds_guidance:
        yield _blank(spec, False, {"guidance": GUIDED}), spec.max_batch


def _blank(spec: ModelSpec, canvas: bool, more: Mapping[str, Value]) -> Request:
    """The least work with these parameters."""
    chosen, known = {"steps": 1, **more}, spec.defaults()
    params = known | {name: value for name, value in chosen.items() if name in known}
    return Request("", spec.name, 0, 0, params, {"canvas": paper(spec)} if canvas else {})


def paper(spec: ModelSpec) -> NDArray[np.uint8]:
    """A canvas on which nothing is drawn."""
    blank = spec.input("canvas")
    return np.full((blank.height, blank.width, 3), blank.background, np.uint8)


def _run(model: Model, asked: Request, count: int) -> None:
    rows = model.begin([asked] * count, [None] * count)
    while rows[0].step < rows[0].steps:
        model.step(rows)
    model.decode(rows)

"""The UNet family: latent diffusion checkpoints as a `Model` that paints row by row.

Role: serves any diffusers folder with a UNet2DConditionModel, a CLIPTextModel and an AutoencoderKL
or AutoencoderTiny: SD-Turbo's class (text to picture, picture to picture) and networks that see the
canvas in further input channels, encoded or folded. `begin` encodes what is new, `step` is one
network call for rows at different steps, `decode` shows their clean estimates. A model whose spec
has a parameter `size` goes on from the finished picture to one twice as large (`models.finer`).

Invariants: a batch gives what its rows alone give; a call that raises leaves its rows as they
were; weights are on the model, everything of a person is on the `Row` (what the network sees of the
canvas is taken from the session's previous row while the canvas is the same). Seeds mean
`torch.Generator("cpu")`, so a seed is the same picture on every device.

It does not know: sessions beyond their rows, scheduling, sockets.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.base import (
    BadOutput,
    ModelSpec,
    OutOfMemory,
    Payload,
    Picture,
    Progress,
    Request,
    State,
    Value,
)
from models.checkpoint import (
    Checkpoint,
    choose_device,
    choose_dtype,
    open_checkpoint,
    to_pixels,
)
from models.finer import Finer, enlarged, grown
from models.sigmas import Levels
from models.views import Looked, View, views

REMEMBERED_PROMPTS = 256
OPENING = 0.75
"""The part of loading that is opening the folder; the rest is warming up."""
Pixels = NDArray[np.uint8]


@dataclass(eq=False)
class Row:
    """One picture in the making. Tensors (1, c, h, w) on the model's device. `recipe` is all that
    the picture follows from; `base` is it, finished at the model's own size."""

    levels: Levels
    latents: Tensor
    words: Tensor
    view: View
    recipe: tuple[Hashable, ...] = ()
    finer: Finer | None = None
    base: Tensor | None = None
    clean: Tensor | None = None
    step: int = 0
    key: Hashable = field(default=())

    @property
    def steps(self) -> int:
        return len(self.levels.times) + (len(self.finer.levels.times) if self.finer else 0)

    @property
    def nbytes(self) -> int:
        kept = [self.latents, self.words, self.clean, self.base]
        kept += [self.finer.noise, self.finer.canvas] if self.finer else []
        return self.view.nbytes + sum(value.nbytes for value in kept if value is not None)

    @property
    def stage(self) -> tuple[bool, bool]:
        """Whether its next step is at twice the size, and whether it is the first of those."""
        done = self.step - len(self.levels.times)
        return done >= 0, done == 0

    @property
    def edge(self) -> int:
        """Of the latents that it ends with."""
        return int((self.finer.noise if self.finer else self.latents).shape[-1])

    def level(self) -> tuple[float, float, float]:
        """σ now, σ then, and the time that the network is told, of the next step."""
        levels, at = self.levels, self.step
        if self.finer is not None and self.stage[0]:
            levels, at = self.finer.levels, self.step - len(self.levels.times)
        return levels.sigmas[at], levels.sigmas[at + 1], levels.times[at]

    def take(self, latents: Tensor, clean: Tensor) -> None:
        """One step further."""
        self.latents, self.clean, self.step = latents, clean, self.step + 1
        if self.step == len(self.levels.times):
            self.base = clean

    def close(self) -> None:
        """Let go of the working tensors. What is seen of the canvas and the finished picture stay
        for the session's next row, which may be the same picture, finer."""
        self.clean = self.finer = None


class UNetModel:
    """See the module. `folder` is a diffusers folder or a hub id."""

    def __init__(
        self, folder: str, spec: ModelSpec, device: str = "cpu", dtype: str = "auto"
    ) -> None:
        self.spec = spec
        self._folder, self._device, self._dtype = folder, choose_device(device), dtype
        self._words: OrderedDict[str, Tensor] = OrderedDict()
        self._parts: Checkpoint | None = None

    @property
    def parts(self) -> Checkpoint:
        """The loaded networks."""
        assert self._parts is not None, "load() first"
        return self._parts

    def load(self, progress: Progress) -> None:
        """Open the folder, choose the number format, warm up every batch size."""
        self._parts = open_checkpoint(
            self._folder, self._device, lambda stage, part: progress(stage, OPENING * part)
        )
        choose_dtype(self._parts, self._dtype)
        sizes = next((p.choices for p in self.spec.parameters if p.name == "size"), ()) or (None,)
        calls = [(size, count + 1) for size in sizes for count in range(self.spec.max_batch)]
        for done, (size, count) in enumerate(calls, 1):
            rows = self.begin([self._blank(size)] * count, [None] * count)
            while rows[0].step < rows[0].steps:
                self.step(rows)
            self.decode(rows)
            progress("warming up", OPENING + (1 - OPENING) * done / len(calls))

    def _blank(self, size: Value | None) -> Request:
        """The least work that meets every shape of a size."""
        chosen = {"steps": 1} | ({} if size is None else {"size": size})
        known = self.spec.defaults()
        return Request(
            "", self.spec.name, 0, 0, known | {k: v for k, v in chosen.items() if k in known}
        )

    @torch.inference_mode()
    def begin(self, requests: Sequence[Request], previous: Sequence[State | None]) -> list[State]:
        """A row for each request. Prompts and canvases that are known aren't looked at again, but
        for a folded canvas that a run starts from, which is encoded each time."""
        with _memory_errors():
            words = self._embed([str(request.params["prompt"]) for request in requests])
            both = zip(
                requests, previous, words, self._views(requests, words, previous), strict=True
            )
            return [
                self._row(request, before, embedding, view)
                for request, before, embedding, view in both
            ]

    def _row(
        self,
        request: Request,
        previous: State | None,
        words: Tensor,
        view: View,
    ) -> Row:
        params, parts = request.params, self.parts
        levels = parts.schedule.levels(int(params["steps"]), float(params["strength"]))
        seed = torch.Generator("cpu").manual_seed(int(params["seed"]))
        edge = int(parts.unet.config.sample_size)
        noise = torch.randn((1, parts.channels, edge, edge), generator=seed).to(self._device)
        latents = parts.schedule.start(noise, self._start(request, view), levels.sigmas[0])
        recipe = (view.digest, *(v for k, v in sorted(params.items()) if k != "size"))
        row = Row(levels, latents, words, view, recipe, key=tuple(latents.shape[1:]))
        if int(params.get("size", 0)) > parts.size:
            row.finer = Finer.of(parts, seed, self._canvas(request), view)
            row.key = (*row.finer.noise.shape[1:],)
            if (
                isinstance(previous, Row)
                and previous.recipe == recipe
                and previous.base is not None
            ):
                row.base, row.step = previous.base, len(levels.times)
        return row

    def _start(self, request: Request, view: View) -> Tensor | None:
        """The latents that noise is mixed with where a run starts below pure noise."""
        picture = request.inputs.get("canvas")
        if picture is None and self.parts.conditioned:
            picture = self._canvas(request)
        if picture is None or float(request.params["strength"]) >= 1:
            return None
        if self.parts.fold is None:
            return view.canvas
        return self.parts.encode_pictures(picture[None])

    def _embed(self, prompts: list[str]) -> list[Tensor]:
        """Embeddings (1, tokens, width), from memory or all new ones in one call."""
        fresh = list(dict.fromkeys(p for p in prompts if p not in self._words))
        if fresh:
            found = torch.split(self.parts.encode_words(fresh), 1)
            self._words.update(zip(fresh, found, strict=True))
        chosen = [self._words[prompt] for prompt in prompts]
        for prompt in prompts:
            self._words.move_to_end(prompt)
        while len(self._words) > REMEMBERED_PROMPTS:
            self._words.popitem(last=False)
        return chosen

    def _views(
        self,
        requests: Sequence[Request],
        words: Sequence[Tensor],
        previous: Sequence[State | None],
    ) -> list[View]:
        """What the network sees of each canvas, the previous row's view where that is the same."""
        asked = [
            Looked(self._canvas(each), str(each.params["prompt"]), said, int(each.params["seed"]))
            for each, said in zip(requests, words, strict=True)
        ]
        return views(self.parts, asked, [row.view for row in previous if isinstance(row, Row)])

    def _canvas(self, request: Request) -> Pixels | None:
        """The canvas of a request; where it is absent, blank paper for a network that needs one."""
        canvas = request.inputs.get("canvas")
        if canvas is not None or not self.parts.conditioned:
            return canvas
        blank = self.spec.input("canvas")
        return np.full((blank.height, blank.width, 3), blank.background, np.uint8)

    @torch.inference_mode()
    def step(self, states: Sequence[State]) -> None:
        """One network call over all rows of one size, each at its own level."""
        stages: dict[tuple[bool, bool], list[Row]] = {}
        for row in _rows(states):
            stages.setdefault(row.stage, []).append(row)
        with _memory_errors():
            made = [(rows, *self._advance(rows, *stage)) for stage, rows in stages.items()]
        if not all(bool(torch.isfinite(clean).all()) for _, _, clean in made):
            raise BadOutput("the network's answer isn't finite")
        for rows, latents, clean in made:
            for row, new, estimate in zip(
                rows, torch.split(latents, 1), torch.split(clean, 1), strict=True
            ):
                row.take(new, estimate)

    def _advance(self, rows: list[Row], fine: bool, first: bool) -> tuple[Tensor, Tensor]:
        schedule = self.parts.schedule
        sigma, then, times = (
            self._column(values) for values in zip(*(row.level() for row in rows), strict=True)
        )
        if fine and first:
            latents = grown(self.parts, rows, sigma)
        else:
            latents = torch.cat([row.latents for row in rows])
        canvas = self._beside(rows, fine)
        words = torch.cat([row.words for row in rows])
        scaled = schedule.scale(latents, sigma)
        output = self.parts.predict(scaled, canvas, times.flatten(), words)
        return schedule.advance(latents, output, sigma, then)

    def _beside(self, rows: list[Row], fine: bool) -> Tensor | None:
        if not self.parts.conditioned:
            return None
        seen = [row.finer.canvas if fine and row.finer else row.view.canvas for row in rows]
        return torch.cat([canvas for canvas in seen if canvas is not None])

    def _column(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, device=self._device).view(-1, 1, 1, 1)

    @torch.inference_mode()
    def decode(self, states: Sequence[State]) -> list[Payload]:
        """The clean estimates as pictures, uint8 (H, W, 3), one call a size; enlarged where a row
        isn't at its own size yet."""
        rows = _rows(states)
        clean = [row.clean for row in rows if row.clean is not None]
        assert len(clean) == len(states), "decoded before its first step"
        sizes: dict[tuple[int, int], list[int]] = {}
        for index, (row, latents) in enumerate(zip(rows, clean, strict=True)):
            sizes.setdefault((latents.shape[-1], row.edge), []).append(index)
        pictures: dict[int, Payload] = {}
        for (edge, wanted), indices in sizes.items():
            with _memory_errors():
                decoded = self.parts.decode(torch.cat([clean[i] for i in indices]))
                decoded = enlarged(decoded) if wanted > edge else decoded
            if not bool(torch.isfinite(decoded).all()):
                raise BadOutput("the decoder's answer isn't finite")
            pictures.update(zip(indices, map(Picture, to_pixels(decoded)), strict=True))
        return [pictures[index] for index in range(len(clean))]


def _rows(states: Sequence[State]) -> list[Row]:
    rows = [state for state in states if isinstance(state, Row)]
    assert len(rows) == len(states), "a state of another model"
    return rows


@contextmanager
def _memory_errors() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise OutOfMemory(str(error)) from error

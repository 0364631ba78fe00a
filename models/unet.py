"""The UNet family: latent diffusion checkpoints as a `Model` that paints row by row.

Role: serves any diffusers folder with a UNet2DConditionModel, a CLIPTextModel and an AutoencoderKL
or AutoencoderTiny: SD-Turbo's class (text to picture, picture to picture) and the layout whose
network sees the canvas in eight input channels. `begin` encodes what is new, `step` is one network
call for rows at different steps, `decode` shows their clean estimates.

Invariants: a batch gives what its rows alone give; a call that raises leaves its rows as they
were; weights are on the model, everything of a person is on the `Row` (the canvas's latents are
taken from the session's previous row while the canvas is the same). Seeds mean
`torch.Generator("cpu")`, so a seed is the same picture on every device.

It does not know: sessions beyond their rows, scheduling, sockets.
"""

from __future__ import annotations

import hashlib
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
)
from models.checkpoint import Checkpoint, choose_device, choose_dtype, open_checkpoint
from models.sigmas import Levels

REMEMBERED_PROMPTS = 256
OPENING = 0.75
"""The part of loading that is opening the folder; the rest is warming up."""
Pixels = NDArray[np.uint8]


@dataclass(eq=False)
class Row:
    """One picture in the making. Tensors (1, c, h, w) fp32 on the model's device."""

    levels: Levels
    latents: Tensor
    words: Tensor
    digest: bytes
    canvas: Tensor | None
    clean: Tensor | None = None
    step: int = 0
    key: Hashable = field(default=())

    @property
    def steps(self) -> int:
        return len(self.levels.times)

    @property
    def nbytes(self) -> int:
        kept = (self.latents, self.words, self.canvas, self.clean)
        return sum(value.nbytes for value in kept if value is not None)

    def close(self) -> None:
        """Let go of the working tensors; the canvas's latents stay for the session's next row."""
        self.clean = None


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
        for size in range(1, self.spec.max_batch + 1):
            rows = self.begin([self._blank()] * size, [None] * size)
            self.step(rows)
            self.decode(rows)
            progress("warming up", OPENING + (1 - OPENING) * size / self.spec.max_batch)

    def _blank(self) -> Request:
        return Request("", self.spec.name, 0, 0, self.spec.defaults())

    @torch.inference_mode()
    def begin(self, requests: Sequence[Request], previous: Sequence[State | None]) -> list[State]:
        """A row for each request. Only prompts and canvases that are new get encoded."""
        with _memory_errors():
            words = self._embed([str(request.params["prompt"]) for request in requests])
            canvases = self._encode(requests, previous)
            return [
                self._row(request, embedding, *canvas)
                for request, embedding, canvas in zip(requests, words, canvases, strict=True)
            ]

    def _row(self, request: Request, words: Tensor, digest: bytes, canvas: Tensor | None) -> Row:
        params, parts = request.params, self.parts
        levels = parts.schedule.levels(int(params["steps"]), float(params["strength"]))
        seed = torch.Generator("cpu").manual_seed(int(params["seed"]))
        edge = int(parts.unet.config.sample_size)
        noise = torch.randn((1, parts.channels, edge, edge), generator=seed).to(self._device)
        latents = parts.schedule.start(noise, canvas, levels.sigmas[0])
        return Row(levels, latents, words, digest, canvas, key=tuple(latents.shape[1:]))

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

    def _encode(
        self, requests: Sequence[Request], previous: Sequence[State | None]
    ) -> list[tuple[bytes, Tensor | None]]:
        """Each row's canvas as (digest, latents): the previous row's, or new ones in one call."""
        pictures = [self._canvas(request) for request in requests]
        digests = [_digest(picture) for picture in pictures]
        known: dict[bytes, Tensor | None] = {b"": None}
        for row in previous:
            if isinstance(row, Row) and row.digest:
                known[row.digest] = row.canvas
        both = zip(digests, pictures, strict=True)
        fresh = {d: p for d, p in both if p is not None and d not in known}
        if fresh:
            latents = self.parts.encode_pictures(np.stack(list(fresh.values())))
            known.update(zip(fresh, torch.split(latents, 1), strict=True))
        return [(digest, known[digest]) for digest in digests]

    def _canvas(self, request: Request) -> Pixels | None:
        """The canvas of a request; where it is absent, blank paper for a network that needs one."""
        canvas = request.inputs.get("canvas")
        if canvas is not None or not self.parts.conditioned:
            return canvas
        blank = self.spec.input("canvas")
        return np.full((blank.height, blank.width, 3), blank.background, np.uint8)

    @torch.inference_mode()
    def step(self, states: Sequence[State]) -> None:
        """One network call over all rows, each at its own level."""
        rows = _rows(states)
        with _memory_errors():
            latents, clean = self._advance(rows)
        if not bool(torch.isfinite(clean).all()):
            raise BadOutput("the network's answer isn't finite")
        parts = zip(rows, torch.split(latents, 1), torch.split(clean, 1), strict=True)
        for row, new, estimate in parts:
            row.latents, row.clean, row.step = new, estimate, row.step + 1

    def _advance(self, rows: list[Row]) -> tuple[Tensor, Tensor]:
        schedule = self.parts.schedule
        sigma = self._column([row.levels.sigmas[row.step] for row in rows])
        then = self._column([row.levels.sigmas[row.step + 1] for row in rows])
        times = self._column([row.levels.times[row.step] for row in rows]).flatten()
        latents = torch.cat([row.latents for row in rows])
        canvas = self._beside(rows)
        words = torch.cat([row.words for row in rows])
        output = self.parts.predict(schedule.scale(latents, sigma), canvas, times, words)
        return schedule.advance(latents, output, sigma, then)

    def _beside(self, rows: list[Row]) -> Tensor | None:
        if not self.parts.conditioned:
            return None
        return torch.cat([row.canvas for row in rows if row.canvas is not None])

    def _column(self, values: list[float]) -> Tensor:
        return torch.tensor(values, device=self._device).view(-1, 1, 1, 1)

    @torch.inference_mode()
    def decode(self, states: Sequence[State]) -> list[Payload]:
        """The clean estimates as pictures, uint8 (H, W, 3)."""
        clean = [row.clean for row in _rows(states) if row.clean is not None]
        assert len(clean) == len(states), "decoded before its first step"
        with _memory_errors():
            pictures = self.parts.decode(torch.cat(clean))
        if not bool(torch.isfinite(pictures).all()):
            raise BadOutput("the decoder's answer isn't finite")
        values = pictures.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        return [Picture(np.ascontiguousarray(p)) for p in values.permute(0, 2, 3, 1).cpu().numpy()]


def _rows(states: Sequence[State]) -> list[Row]:
    rows = [state for state in states if isinstance(state, Row)]
    assert len(rows) == len(states), "a state of another model"
    return rows


def _digest(picture: Pixels | None) -> bytes:
    """What a canvas is known by; 16 bytes, none for none. 0.2 ms at 256²."""
    if picture is None:
        return b""
    return hashlib.blake2b(np.ascontiguousarray(picture).data, digest_size=16).digest()


@contextmanager
def _memory_errors() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise OutOfMemory(str(error)) from error

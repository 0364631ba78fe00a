"""Latent diffusion as a `Model` that paints row by row, whatever the family of its networks.

Role: `begin` encodes what is new, `step` is one network call for rows at different steps, `decode`
shows their clean estimates. A network may see the canvas (in further input channels, encoded or
folded); for one that doesn't, the canvas is what a run starts from, as in the library's
picture-to-picture pipelines. A model whose spec has a parameter `size` goes on from the finished
picture to one twice as large (`models.finer`).

Invariants: a batch gives what its rows alone give; a call that raises leaves its rows as they
were; weights are on the model, everything of a person is on the `Row` (what the network sees of the
canvas is taken from the session's previous row while the canvas is the same). Seeds mean
`torch.Generator("cpu")`, so a seed is the same picture on every device.

It does not know: sessions beyond their rows, scheduling, sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.adapters import NOTHING, PARAMETER, Worn, chosen_in
from models.base import (
    BadOutput,
    CannotLoad,
    ModelSpec,
    OutOfMemory,
    Payload,
    Picture,
    Progress,
    Request,
    State,
)
from models.devices import choose_place, settle
from models.finer import Finer, drawn, enlarged, grown
from models.networks import Networks, Opener, to_pixels
from models.prompts import Prompts, Said
from models.row import Guidance, Row
from models.sigmas import Step
from models.texts import Words
from models.views import Looked, View, views
from models.warmup import paper, warm_up

OWN = "full"
"""The parameter that asks for the checkpoint's own decoder where there is a quicker one."""
OPENING = 0.75
"""The part of loading that is opening the folder; the rest is warming up."""
Pixels = NDArray[np.uint8]


class LatentModel:
    """See the module. `opener` opens the networks of some family; `completed` makes of a prompt
    and a seed what the text encoders read, for a network that must be told more than people say."""

    def __init__(
        self,
        opener: Opener,
        spec: ModelSpec,
        device: str = "cpu",
        dtype: str = "auto",
        completed: Callable[[str, int], str] = lambda prompt, seed: prompt,
    ) -> None:
        self.spec = spec
        self._completed = completed
        self._opener, self._place = opener, choose_place(device, dtype)
        self._prompts = Prompts()
        self._parts: Networks | None = None

    @property
    def parts(self) -> Networks:
        """The loaded networks."""
        assert self._parts is not None, "load() first"
        return self._parts

    def load(self, progress: Progress) -> None:
        """Open the folder, choose the number format, meet every shape that may come."""
        self._parts = self._opener(self._place, lambda stage, part: progress(stage, OPENING * part))
        name, size = self.spec.name, self.spec.tracks[0].width
        if self._parts.size != size:
            raise CannotLoad(f"{name} is to paint {size}, its networks paint {self._parts.size}")
        try:
            with _memory_errors():
                settle(self._parts, self._place)
            warm_up(
                self,
                self._parts,
                lambda part: progress("warming up", OPENING + (1 - OPENING) * part),
            )
        except OutOfMemory as error:
            raise CannotLoad(
                f"{name} fits, but has no room to work: serve fewer models, or a smaller one "
                f"({error})"
            ) from error
        except BadOutput as error:
            raise CannotLoad(f"{name}: {error}: try another --dtype") from error

    @torch.inference_mode()
    def begin(self, requests: Sequence[Request], previous: Sequence[State | None]) -> list[State]:
        """A row for each request. Prompts and canvases that are known aren't looked at again, but
        for a folded canvas that a run starts from, which is encoded each time."""
        with _memory_errors():
            adapters = [self._chosen(request) for request in requests]
            prompts = [self._prompt(request) for request in requests]
            said = [Said(text, worn) for text, worn in zip(prompts, adapters, strict=True)]
            words = self._prompts.embed(self.parts, said)
            guided = self._guidance(requests, adapters)
            if self.parts.embeds_guidance:
                words = [_led(*each) for each in zip(words, requests, strict=True)]
            seen = self._views(requests, words, adapters, previous)
            rows = zip(requests, previous, words, guided, seen, adapters, strict=True)
            return [self._row(*each) for each in rows]

    def _row(
        self,
        request: Request,
        previous: State | None,
        words: Words,
        guidance: Guidance | None,
        view: View,
        worn: Worn,
    ) -> Row:
        params, parts = request.params, self.parts
        steps = int(params["steps"])
        seed = torch.Generator("cpu").manual_seed(int(params["seed"]))
        edge = parts.edge
        start = self._start(request, view, seed)
        # from nothing drawn the way is always the whole one, whatever strength a client sends along
        strength = 1.0 if start is None else _strength(request)
        levels = parts.schedule.levels(steps, strength)
        noise, *noises = drawn(parts, seed, edge, 1 + parts.schedule.draws(steps))
        latents = parts.schedule.start(noise, start, levels.sigmas[0])
        recipe = (view.digest, worn.label, *(v for k, v in sorted(params.items()) if k != "size"))
        row = Row(levels, latents, words, view, recipe, tuple(noises), guidance)
        row.own, row.adapters = bool(params.get(OWN)), worn
        seeing = (view.canvas is not None,) if parts.optional else ()
        row.key = (*latents.shape[1:], *seeing, worn.label)
        if int(params.get("size", 0)) > parts.size:
            row.finer = Finer.of(parts, seed, self._canvas(request), view)
            row.key = (*row.finer.noise.shape[1:], *seeing, worn.label)
            if (
                isinstance(previous, Row)
                and previous.recipe == recipe
                and previous.base is not None
            ):
                row.base, row.step = previous.base, len(levels.times)
        return row

    def _start(self, request: Request, view: View, seed: torch.Generator) -> Tensor | None:
        """The latents that noise is mixed with, if there are any: a network that sees the canvas
        starts from pure noise at full strength, another one is given the canvas at any, as in the
        library's picture-to-picture pipelines."""
        picture = request.inputs.get("canvas")
        if not self.parts.beside:
            if picture is None or view.canvas is None or not self.parts.sampled:
                return view.canvas
            mean, deviation = view.canvas.chunk(2, 1)
            return mean + deviation * drawn(self.parts, seed, mean.shape[-1], 1)[0]
        if _strength(request) >= 1:
            return None
        if self.parts.fold is None:
            return view.canvas
        canvas = self._canvas(request)
        return None if canvas is None else self.parts.encode_pictures(canvas[None])

    def _prompt(self, request: Request) -> str:
        return self._completed(str(request.params["prompt"]), int(request.params["seed"]))

    def _chosen(self, request: Request) -> Worn:
        """The adapters of a request, as they are now. Raises `InvalidParameter`."""
        known, text = self.parts.adapters, str(request.params.get(PARAMETER, ""))
        return NOTHING if known is None else known.chosen(chosen_in(text))

    def _guidance(
        self, requests: Sequence[Request], adapters: Sequence[Worn]
    ) -> list[Guidance | None]:
        """Of each request; a scale of 1 and less is none, as in the library's pipelines. A network
        that embeds guidance is told it among the words instead."""
        if self.parts.embeds_guidance:
            return [None] * len(requests)
        scales = [float(request.params.get("guidance", 0.0)) for request in requests]
        guided = [
            Said(str(request.params.get("negative", "")), worn, against=True)
            for request, by, worn in zip(requests, scales, adapters, strict=True)
            if by > 1
        ]
        words = iter(self._prompts.embed(self.parts, guided))
        return [Guidance(next(words), by) if by > 1 else None for by in scales]

    def _views(
        self,
        requests: Sequence[Request],
        words: Sequence[Words],
        adapters: Sequence[Worn],
        previous: Sequence[State | None],
    ) -> list[View]:
        """What the network sees of each canvas, the previous row's view where that is the same."""
        asked = [
            Looked(
                self._canvas(each),
                self._prompt(each),
                said,
                int(each.params["seed"]),
                worn.label,
            )
            for each, said, worn in zip(requests, words, adapters, strict=True)
        ]
        return views(self.parts, asked, [row.view for row in previous if isinstance(row, Row)])

    def _canvas(self, request: Request) -> Pixels | None:
        """The canvas of a request; where it is absent, blank paper for a network that needs one."""
        canvas = request.inputs.get("canvas")
        if canvas is not None or not self.parts.beside or self.parts.optional:
            return canvas
        return paper(self.spec)

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
        if self.parts.adapters is not None:
            self.parts.adapters.use(rows[0].adapters)  # rows of one key have the same
        sigma, then, times = (
            self._column(values) for values in zip(*(row.level() for row in rows), strict=True)
        )
        if fine and first:
            latents = grown(self.parts, rows, sigma)
        else:
            latents = torch.cat([row.latents for row in rows])
        step = Step(sigma, then, times, self._drawn(rows))
        output = self._predict(rows, schedule.scale(latents, sigma), times, fine)
        return schedule.advance(latents, output, step)

    def _predict(self, rows: list[Row], scaled: Tensor, times: Tensor, fine: bool) -> Tensor:
        """The network's output, led away from what guided rows are to avoid: one call for all."""
        guided = [(at, row.guidance) for at, row in enumerate(rows) if row.guidance is not None]
        words = [row.words for row in rows] + [guidance.words for _, guidance in guided]
        told = tuple(torch.cat(part) for part in zip(*words, strict=True))
        times, canvas = times.flatten(), self._beside(rows, fine)
        if guided:
            places = [*range(len(rows)), *(at for at, _ in guided)]
            scaled, times = scaled[places], times[places]
            canvas = canvas if canvas is None else canvas[places]
        output = self.parts.predict(scaled, canvas, times, told)
        for other, (at, guidance) in enumerate(guided, len(rows)):
            output[at] = output[other] + guidance.scale * (output[at] - output[other])
        return output[: len(rows)]

    def _drawn(self, rows: list[Row]) -> Tensor | None:
        """What the schedule draws for the next step, if it draws at all."""
        found = [row.noise() for row in rows]
        if all(noise is None for noise in found):
            return None
        zeros = next(torch.zeros_like(noise) for noise in found if noise is not None)
        return torch.cat([zeros if noise is None else noise for noise in found])

    def _beside(self, rows: list[Row], fine: bool) -> Tensor | None:
        if not self.parts.beside:
            return None
        seen = [row.finer.canvas if fine and row.finer else row.view.canvas for row in rows]
        given = [canvas for canvas in seen if canvas is not None]
        assert len(given) in (0, len(rows)), "rows of different keys in one call"
        return torch.cat(given) if given else None

    def _column(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, device=self._place.device).view(-1, 1, 1, 1)

    @torch.inference_mode()
    def decode(self, states: Sequence[State]) -> list[Payload]:
        """The clean estimates as pictures, uint8 (H, W, 3), one call a size; enlarged where a row
        isn't at its own size yet."""
        rows = _rows(states)
        clean = [row.clean for row in rows if row.clean is not None]
        assert len(clean) == len(states), "decoded before its first step"
        calls: dict[tuple[int, int, bool], list[int]] = {}
        for index, (row, latents) in enumerate(zip(rows, clean, strict=True)):
            own = row.own and row.step == row.steps
            calls.setdefault((latents.shape[-1], row.edge, own), []).append(index)
        pictures: dict[int, Payload] = {}
        for (edge, wanted, own), indices in calls.items():
            with _memory_errors():
                decoded = self.parts.decode(torch.cat([clean[i] for i in indices]), own)
                decoded = enlarged(decoded) if wanted > edge else decoded
            if not bool(torch.isfinite(decoded).all()):
                raise BadOutput("the decoder's answer isn't finite")
            pictures.update(zip(indices, map(Picture, to_pixels(decoded)), strict=True))
        return [pictures[index] for index in range(len(clean))]


def _strength(request: Request) -> float:
    """How much of the way is gone; all of it where a model knows nothing else."""
    return float(request.params.get("strength", 1.0))


def _led(words: Words, request: Request) -> Words:
    """The words with this request's guidance, for a network that embeds it."""
    *said, usual = words
    return *said, torch.full_like(usual, float(request.params.get("guidance", usual)))


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

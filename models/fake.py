"""A model that paints nothing and costs what it is told to: the simulated device.

Role: drives tests, load tests and demonstrations without weights. Its pictures are deterministic
and depend visibly on canvas, prompt, seed, strength and step, and are cheap to make (well below a
millisecond at 512²), so that what is measured around it is the house, not the picture.

Invariants: a batch of rows gives what the rows alone give; inputs are never written to; a call
that raises changes no state. With `faults` some prompt words break it on purpose (see `FAULTS`).

It does not know: torch, the engine. Time passes by `sleep`, which frees the interpreter as a real
device call does.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
import zlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.base import (
    BadOutput,
    Encoded,
    InputSpec,
    ModelError,
    ModelSpec,
    OutOfMemory,
    Parameter,
    Payload,
    Picture,
    Progress,
    Request,
    State,
    Swatch,
    Track,
    WordGroup,
)

CANVAS = 256
CELLS = 16
"""A canvas is averaged into CELLS × CELLS colours; each becomes a block of the picture."""
LEVELS = 3
"""Amplitudes of the pattern that stands for noise: the last step shows the faintest."""
ENCODED = 64
"""Encoded payloads that are made at the start: no time goes into them later."""
JITTER = 64
"""A seed moves the pattern by up to so many pixels each way."""
DETAIL = 8
"""The bit of a pixel's colours that only a finer picture has, in every other pixel each way."""

FAULTS = ("begin!", "raise!", "nan!", "oom!", "crowd!", "wide!", "fatal!", "die!", "hang!")
"""Prompt words that break the call: `begin!`, `raise!` (in a step), `nan!` (in a decode), `oom!`,
`crowd!` (no room for more than one row), `wide!` (a picture without colours), `fatal!`, `die!` (in
a step: the process is killed), `hang!` (in a step, which never returns)."""


class Fatal(ModelError):
    """The simulated device is gone."""

    code = "device_lost"
    fatal = True


@dataclass(frozen=True, slots=True)
class FakeOptions:
    """What the simulated device costs and makes. Times in milliseconds: per call, and
    `per_row_ms` for each row of a step. `width` and `height`: multiples of 16, in pixels.
    `encoded_bytes` > 0 makes payloads `Encoded` of exactly so many bytes instead of pictures.
    `finer` > 1 gives the model a parameter `size` with two choices: the longer edge, and so many
    times that, for which a step and a decoding take as many times longer as there are pixels."""

    name: str = "fake"
    step_ms: float = 0.0
    per_row_ms: float = 0.0
    begin_ms: float = 0.0
    decode_ms: float = 0.0
    load_ms: float = 0.0
    width: int = 256
    height: int = 256
    steps: int = 4
    max_batch: int = 8
    encoded_bytes: int = 0
    finer: int = 1
    faults: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        """The choices of `size`, the smallest first."""
        edge = max(self.width, self.height)
        return (edge,) if self.finer == 1 else (edge, self.finer * edge)

    def __post_init__(self) -> None:
        if self.width % CELLS or self.height % CELLS or min(self.width, self.height) <= 0:
            raise ValueError(f"width and height must be positive multiples of {CELLS}")
        if self.encoded_bytes and self.encoded_bytes < 16:
            raise ValueError("encoded_bytes is 0 or at least 16")
        if self.finer < 1:
            raise ValueError("finer is at least 1")


def build(device: str = "cpu", dtype: str = "float32", **options: object) -> FakeModel:
    """A fake model; `options` are the fields of `FakeOptions`. Raises `ValueError` for others."""
    kinds = {field.name: type(field.default) for field in fields(FakeOptions)}
    unknown = sorted(options.keys() - kinds.keys())
    if unknown:
        raise ValueError(f"no such option: {', '.join(unknown)}; there are {', '.join(kinds)}")
    return FakeModel(FakeOptions(**{k: _cast(kinds[k], v) for k, v in options.items()}))


def _cast(kind: type, value: object) -> Any:
    if kind is bool:
        return str(value).lower() in ("1", "true", "yes")
    return kind(value)


def spec_of(options: FakeOptions) -> ModelSpec:
    """What a fake model with these options tells of itself."""
    size = {"width": options.width, "height": options.height}
    sized = Parameter("size", "integer", options.sizes[0], "Size", choices=options.sizes)
    return ModelSpec(
        name=options.name,
        title="Fake (a simulated device)",
        description="Blocks of the canvas's colours under a pattern: for tests and benchmarks.",
        tracks=(Track("picture", "picture", **size),),
        inputs=(InputSpec("canvas", CANVAS, CANVAS),),
        max_batch=options.max_batch,
        palette=(Swatch("water", (43, 108, 176)), Swatch("grass", (104, 159, 56))),
        vocabulary=(WordGroup("time", ("day", "night"), ("noon", "midnight")),),
        parameters=(
            Parameter("prompt", "string", "", "Prompt", max_length=500),
            Parameter("seed", "integer", 0, "Seed", minimum=0, maximum=2**32 - 1, step=1),
            Parameter("steps", "integer", options.steps, "Steps", minimum=1, maximum=8, step=1),
            Parameter("strength", "number", 0.5, "Strength", minimum=0, maximum=1, step=0.05),
            *((sized,) if options.finer > 1 else ()),
        ),
    )


class FakeState:
    """One row: the colours of its blocks (uint8, CELLS × CELLS × 3), its pattern's place, and how
    far it is; `code` depends on what was asked. Closing it twice is an assertion."""

    __slots__ = (
        "_model", "blocks", "code", "finer", "open", "prompt", "seed", "shape", "step", "steps",
    )  # fmt: skip

    def __init__(self, model: FakeModel, request: Request) -> None:
        self._model = model
        sizes = model.options.sizes
        self.finer = int(request.params.get("size", sizes[0])) // sizes[0]
        self.shape = (self.finer * model.options.height, self.finer * model.options.width)
        self.prompt = str(request.params["prompt"])
        self.seed = int(request.params["seed"])
        self.steps = int(request.params["steps"])
        self.blocks = _blocks(request)
        self.code = zlib.crc32(self.blocks.tobytes()) + self.seed
        self.step = 0
        self.open = True

    @property
    def key(self) -> Hashable:
        return self.shape

    @property
    def nbytes(self) -> int:
        return self.blocks.nbytes

    def close(self) -> None:
        assert self.open, "closed twice"
        self.open = False
        self._model.open_states -= 1


class FakeModel:
    """See the module. `open_states` counts rows that were begun and not closed, `stepped` the rows
    of all steps, `calls` the steps' calls."""

    def __init__(self, options: FakeOptions | None = None) -> None:
        self.options = options or FakeOptions()
        self.spec = spec_of(self.options)
        self.open_states = self.stepped = self.calls = 0
        self._patterns: list[NDArray[np.uint8]] = []
        self._encoded: list[bytes] = []

    def load(self, progress: Progress) -> None:
        """Precompute the patterns; takes `load_ms`, told in four parts."""
        rng = np.random.default_rng(0)
        shape = (self.options.height + JITTER, 3 * (self.options.width + JITTER))
        pattern = rng.integers(0, 64, shape, dtype=np.uint8)
        self._encoded = [rng.bytes(self.options.encoded_bytes) for _ in range(ENCODED)]
        for level in range(LEVELS):
            progress("patterns", level / LEVELS)
            self._patterns.append(pattern >> np.uint8(level))
            _sleep(self.options.load_ms / LEVELS)
        progress("patterns", 1.0)

    def begin(self, requests: Sequence[Request], previous: Sequence[State | None]) -> list[State]:
        """A row for each request; `previous` rows aren't needed and left alone."""
        _sleep(self.options.begin_ms)
        prompts = [str(request.params["prompt"]) for request in requests]
        self._fault(prompts, "begin!", RuntimeError("asked to fail in begin"))
        self._fault(prompts, "oom!", OutOfMemory("asked to have no room"))
        states: list[State] = [FakeState(self, request) for request in requests]
        self.open_states += len(states)
        return states

    def step(self, states: Sequence[State]) -> None:
        """Takes `step_ms` and `per_row_ms` for each row."""
        rows = _rows(states)
        _sleep(_area(rows) * (self.options.step_ms + self.options.per_row_ms * len(rows)))
        prompts = [row.prompt for row in rows]
        self._fault(prompts, "raise!", RuntimeError("asked to fail in a step"))
        self._fault(prompts, "fatal!", Fatal("asked to lose the device"))
        if self.options.faults and any("die!" in prompt for prompt in prompts):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.options.faults and any("hang!" in prompt for prompt in prompts):
            threading.Event().wait()
        if len(rows) > 1:
            self._fault(prompts, "crowd!", OutOfMemory("asked to have room for one row"))
        for row in rows:
            assert row.open, "stepped after close"
            assert row.step < row.steps, "stepped beyond its last step"
            row.step += 1
        self.stepped += len(rows)
        self.calls += 1

    def decode(self, states: Sequence[State]) -> list[Payload]:
        """Takes `decode_ms`. A picture of height × width × 3, or `encoded_bytes` bytes."""
        rows = _rows(states)
        _sleep(_area(rows) * self.options.decode_ms)
        self._fault([row.prompt for row in rows], "nan!", BadOutput("asked to give NaN"))
        return [self._payload(row) for row in rows]

    def _payload(self, row: FakeState) -> Payload:
        assert row.open, "decoded after close"
        assert row.step > 0, "decoded before its first step"
        if self.options.faults and "wide!" in row.prompt:
            return Picture(np.zeros((4, 4), np.uint8))
        if self.options.encoded_bytes:
            data = self._encoded[(row.code + row.step) % ENCODED]
            return Encoded(data, "jpeg", row.shape[1], row.shape[0])
        return Picture(_refined(self._paint(row), row.finer))

    def _paint(self, row: FakeState) -> NDArray[np.uint8]:
        """Blocks plus pattern, added along whole lines: broadcasting over the three colours alone
        would be ten times slower. Blocks stay below 192 and patterns below 64: no overflow."""
        height, width = self.options.height, self.options.width
        level = (LEVELS - 1) * row.step // row.steps
        place = zlib.crc32(row.seed.to_bytes(4, "little"))
        y, x = place % JITTER, 3 * (place // JITTER % JITTER)
        pattern = self._patterns[level][y : y + height, x : x + 3 * width]
        lines = np.repeat(row.blocks, width // CELLS, axis=1).reshape(CELLS, 1, 3 * width)
        pixels = (pattern.reshape(CELLS, height // CELLS, 3 * width) + lines).reshape(
            height, width, 3
        )
        pixels[: height // 64, : width * row.step // row.steps] = 255
        return pixels

    def _fault(self, prompts: Sequence[str], word: str, error: Exception) -> None:
        if self.options.faults and any(word in prompt for prompt in prompts):
            raise error


def _blocks(request: Request) -> NDArray[np.uint8]:
    """The colours of a request's blocks, at most 191: canvas and the prompt's own mixed by
    strength; where nothing is painted the prompt decides alone."""
    own = _own_colours(str(request.params["prompt"]))
    canvas = request.inputs.get("canvas")
    if canvas is None:
        return own.astype(np.uint8)
    size = CANVAS // CELLS
    cells = canvas.reshape(CELLS, size, CELLS * size * 3).mean(axis=1, dtype=np.float32)
    pooled = cells.reshape(CELLS, CELLS, size, 3).mean(axis=2) * 0.75
    weight = 0.75 - 0.5 * float(request.params["strength"])
    mixed = weight * pooled + (1 - weight) * own
    unpainted = (pooled >= 191).all(axis=2, keepdims=True)
    return np.where(unpainted, own, mixed).astype(np.uint8)


@functools.lru_cache(64)
def _own_colours(prompt: str) -> NDArray[np.float32]:
    """What a prompt means: one colour from its checksum, lighter towards the top."""
    code = zlib.crc32(prompt.encode())
    colour = np.array([code & 127, code >> 8 & 127, code >> 16 & 127], np.float32)
    light = np.linspace(64, 0, CELLS, dtype=np.float32)[:, None, None]
    return np.broadcast_to(colour + light, (CELLS, CELLS, 3)).astype(np.float32)


def _rows(states: Sequence[State]) -> list[FakeState]:
    rows = [state for state in states if isinstance(state, FakeState)]
    assert len(rows) == len(states), "a state of another model"
    return rows


def _area(rows: Sequence[FakeState]) -> int:
    """How many times the pixels of the smallest size a row has; all of one call have as many."""
    return rows[0].finer ** 2


def _refined(pixels: NDArray[np.uint8], finer: int) -> NDArray[np.uint8]:
    """The same picture with `finer` times the lines, and what only so many can show."""
    if finer == 1:
        return pixels
    pixels = pixels.repeat(finer, axis=0).repeat(finer, axis=1)
    pixels[::2, ::2] ^= DETAIL
    return pixels


def _sleep(milliseconds: float) -> None:
    if milliseconds > 0:
        time.sleep(milliseconds / 1000)

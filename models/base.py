"""The contract between the engine and whatever makes media.

Role: the `Model` protocol, its `ModelSpec`, the frozen `Request` that goes in, the `Output` that
comes out, and the errors a model may raise. Everything that streams is written against this file.

Invariants:
- A `Request` is an immutable snapshot; its arrays are never written to after it was made.
- Weights live on the `Model`, a person's work lives in a `State`; neither holds the other's.
- All model calls are batched and come from one thread: the engine's loop.

It does not know: sockets, sessions, scheduling, torch. It imports numpy and typing only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple, NoReturn, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Medium = Literal["picture", "video", "audio"]
ParameterType = Literal["string", "integer", "number", "boolean"]
Value = str | int | float | bool
Progress = Callable[[str, float], None]
"""`progress(stage, fraction)`: what loading is doing, and how far it is (0..1)."""
LARGEST = 2**63 - 1
"""Of an integer parameter without bounds of its own: JSON may say any number of digits, while what
goes on to a client or into a tensor has 64 bits."""
SIZE = "size"
"""The name of the integer parameter whose `choices` are longer edges of a picture, in pixels."""


class ModelError(Exception):
    """A failure of one request (or, where `fatal`, of the model), in a form a client can be told.

    `code` is a stable machine-readable word, `retryable` says whether the same request may work
    later, `fatal` says that the model can't go on.
    """

    code: ClassVar[str] = "model_error"
    retryable: ClassVar[bool] = False
    fatal: ClassVar[bool] = False


class CannotLoad(ModelError):
    """What the operator asked for isn't there: weights, a device, an option of the model."""

    code = "cannot_load"
    fatal = True


class InvalidParameter(ModelError):
    """A parameter or input that the model's spec doesn't allow: the client's fault."""

    code = "invalid_parameter"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class OutOfMemory(ModelError):
    """The device had no room for this request; caches were freed, a later one may work."""

    code = "resource_exhausted"
    retryable = True


class BadOutput(ModelError):
    """The model produced something that must not be shown (NaN, infinity)."""

    code = "bad_output"
    retryable = True


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value that a client may set, with all that validation and a control need.

    `minimum`/`maximum` bound numbers (inclusive); `max_length` bounds strings in characters;
    `choices` closes the set. `step` is a hint for a slider.
    """

    name: str
    type: ParameterType
    default: Value
    title: str = ""
    description: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    max_length: int | None = None
    choices: tuple[Value, ...] = ()

    def check(self, value: object) -> Value:
        """Return `value` as this parameter's type, or raise `InvalidParameter`."""
        checked = self._typed(value)
        if isinstance(checked, str) and self.max_length is not None:
            if len(checked) > self.max_length:
                self._refuse(f"is {len(checked)} characters long, at most {self.max_length} fit")
        elif isinstance(checked, int | float) and not isinstance(checked, bool):
            self._check_range(checked)
        if self.choices and checked not in self.choices:
            self._refuse(f"must be one of {', '.join(map(repr, self.choices))}")
        return checked

    def _typed(self, value: object) -> Value:
        if self.type == "boolean":
            return value if isinstance(value, bool) else self._refuse("must be true or false")
        if self.type == "string":
            return value if isinstance(value, str) else self._refuse("must be a string")
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._refuse(f"must be a{'n' if self.type == 'integer' else ''} {self.type}")
        largest = LARGEST if self.type == "integer" else sys.float_info.max
        if not abs(value) <= largest:  # neither is NaN, which compares with nothing
            self._refuse(f"must be finite, and at most {largest:g} in size")
        if self.type == "integer":
            return int(value) if value == int(value) else self._refuse("must be a whole number")
        return float(value)

    def _check_range(self, value: float) -> None:
        if self.minimum is not None and value < self.minimum:
            self._refuse(f"is {value:g}, the least is {self.minimum:g}")
        if self.maximum is not None and value > self.maximum:
            self._refuse(f"is {value:g}, the most is {self.maximum:g}")

    def _refuse(self, reason: str) -> NoReturn:
        raise InvalidParameter(self.name, reason)


@dataclass(frozen=True, slots=True)
class InputSpec:
    """A picture that a client may send along: `canvas`, later `mask`, `reference`, `camera`.

    Arrays are uint8, shape (height, width, 3), RGB. `background` is the colour of "nothing here":
    what an eraser paints and a cleared canvas shows.
    """

    name: str
    width: int
    height: int
    background: tuple[int, int, int] = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Track:
    """One stream of outputs of a session. `rate` is in Hz for media with a clock, else 0. `width`
    and `height` are those of the smallest size: each output tells its own."""

    name: str
    medium: Medium
    width: int = 0
    height: int = 0
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Swatch:
    """A material that the model knows how to paint, and the canvas colour that means it."""

    name: str
    color: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class WordGroup:
    """Prompt words that a model certainly understands, e.g. `time`: dawn, day, sunset, night.

    `words` are offered as suggestions; `synonyms` are understood as well.
    """

    name: str
    words: tuple[str, ...]
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What the rest of the house knows of a model: validation, controls, schema come from it.

    `tracks` says what comes out, `inputs` what may go in, `max_batch` how many rows a call takes.
    `palette` and `vocabulary` are empty for models that take any colour and any word.
    """

    name: str
    title: str
    tracks: tuple[Track, ...]
    parameters: tuple[Parameter, ...]
    inputs: tuple[InputSpec, ...] = ()
    max_batch: int = 1
    palette: tuple[Swatch, ...] = ()
    vocabulary: tuple[WordGroup, ...] = ()
    description: str = ""
    licence: str = ""

    def defaults(self) -> dict[str, Value]:
        """The value of every parameter that nobody has set."""
        return {p.name: p.default for p in self.parameters}

    def sizes(self) -> tuple[int, ...]:
        """The choices of the parameter `size`, the smallest first, which is the default and the
        track's; a larger one gives the same picture, only finer. Empty: the model has no choice."""
        for parameter in self.parameters:
            if parameter.name == SIZE and parameter.type == "integer":
                return tuple(sorted(int(choice) for choice in parameter.choices))
        return ()

    def check(self, values: Mapping[str, object]) -> dict[str, Value]:
        """Validate a subset of the parameters; raise `InvalidParameter` for the first bad one."""
        known = {p.name: p for p in self.parameters}
        for name in values:
            if name not in known:
                raise InvalidParameter(
                    name, f"{self.name} has no such parameter; it takes " + ", ".join(known)
                )
        return {name: known[name].check(value) for name, value in values.items()}

    def input(self, name: str) -> InputSpec:
        """The spec of the input `name`; raise `InvalidParameter` where the model has none."""
        for spec in self.inputs:
            if spec.name == name:
                return spec
        raise InvalidParameter(name, f"{self.name} takes no such input")


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What one job is to make: a frozen snapshot of a session at one revision.

    `params` holds every parameter of the spec, validated. `inputs` holds read-only uint8 arrays of
    shape (height, width, 3); an absent name means that the client gave nothing (the model decides).
    """

    session: str
    model: str
    job: int
    revision: int
    params: Mapping[str, Value]
    inputs: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture: uint8, shape (height, width, 3), RGB. Never written to once made."""

    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Sound: float32 in -1..1, shape (channels, samples), at `rate` Hz."""

    samples: NDArray[np.float32]
    rate: int


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Already encoded by the device: `format` as in the protocol ("jpeg", "webp", "png", …)."""

    data: bytes
    format: str
    width: int
    height: int


Payload = Picture | Samples | Encoded


class Timings(NamedTuple):
    """Milliseconds that one output spent in each stage of the engine."""

    queue: float = 0.0
    begin: float = 0.0
    step: float = 0.0
    decode: float = 0.0


class Output(NamedTuple):
    """What came out for one session: a preview (`step < steps`) or a final (`final`).

    `final` ends a job, never a track. `pts` is in microseconds on the session's clock. A tuple,
    as `Timings` is: made for every picture, and a frozen dataclass takes three times as long.
    """

    session: str
    track: int
    job: int
    revision: int
    step: int
    steps: int
    final: bool
    pts: int
    payload: Payload
    timings: Timings = Timings()


@runtime_checkable
class State(Protocol):
    """One row in the making. Opaque to the engine but for what stands here.

    Rows with equal `key` may share a `step` or `decode` call (same shape, dtype, adapters, window).
    `step` counts the model steps done so far, `steps` those that the job takes.
    """

    @property
    def key(self) -> Hashable: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def steps(self) -> int: ...
    def close(self) -> None:
        """Give back what the row holds. Called once, also after an error."""


@runtime_checkable
class Model(Protocol):
    """Few verbs, no inheritance. Called from the engine's thread only, rows at most `max_batch`.

    A call that raises must leave every state as it was: the engine then calls the rows one by one,
    so that only the guilty row fails.
    """

    @property
    def spec(self) -> ModelSpec: ...

    def load(self, progress: Progress) -> None:
        """Load the weights and warm up, so that the first request is as fast as the thousandth."""

    def begin(self, requests: Sequence[Request], previous: Sequence[State | None]) -> list[State]:
        """Make a row for each request. `previous`: the session's last row, for caches, chunks."""

    def step(self, states: Sequence[State]) -> None:
        """Advance every row by one step in one call."""

    def decode(self, states: Sequence[State]) -> list[Payload]:
        """The estimate of the clean output of every row, after at least one step."""


class OutputCheck(Protocol):
    """An operator's look at what is made before anybody sees it (`--output-check`): content safety,
    a logo that mustn't show. Called on the engine's thread, once for all payloads of a decode call,
    previews included; what it takes, everybody waits."""

    def check(
        self, payloads: Sequence[Payload], requests: Sequence[Request]
    ) -> Sequence[str | None]:
        """For each payload None, or why it mustn't be shown, in words for who asked for it. Raising
        withholds all of them. The requests come without their inputs."""

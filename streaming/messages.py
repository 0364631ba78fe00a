"""The seam between the gateway and the engine: small, plain, typed messages.

Role: everything that crosses from the sockets' side to the device's owner and back, mostly into
another process, so nothing here holds a callback, a lock, a future or a live object (arrays are
read-only snapshots).

It does not know: sockets, asyncio, torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.base import ModelSpec, Output, Request

# --- to the engine ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Submit:
    """The newest request of a session; it replaces one that hasn't begun. `received` is the clock's
    reading in seconds when the edit behind it arrived. `passing`: it makes way for the next one
    that isn't, even before it has shown anything."""

    request: Request
    received: float
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Want:
    """What a session's connections want now. `pictures`: how many outputs of the session may be
    made in all, from its first one on: a count and not a switch, so that none is made which nobody
    has a credit for while a message is on its way. A row without any left isn't stepped; with
    `previews` false only finals are decoded. Sent on change only; at first nothing is wanted."""

    session: str
    pictures: int
    previews: bool = True


@dataclass(frozen=True, slots=True)
class Forget:
    """The session is over: close its row and drop all that is kept for it."""

    session: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Finish the running call, close every row, end the loop."""


ToEngine = Submit | Want | Forget | Stop

# --- from the engine ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Loaded:
    """The engine's hello: what it serves, the default first. Sent before the weights are warm."""

    specs: tuple[ModelSpec, ...]


@dataclass(frozen=True, slots=True)
class Warming:
    """Loading or warming up: `fraction` 0..1, `seconds_left` an estimate or None."""

    stage: str
    fraction: float
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """Every model is warm; requests are being served."""


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What one tick decoded."""

    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """One job failed; its session and all others go on. `code` is the `ModelError`'s."""

    session: str
    job: int
    revision: int
    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class Ticked:
    """One tick's figures for the metrics: rows stepped, milliseconds, sessions that wait."""

    model: str
    rows: int
    begin_ms: float
    step_ms: float
    decode_ms: float
    waiting: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The engine's process ended by itself and another one is being started: whatever it held is
    gone. Said by who carries the messages; `Loaded` follows."""

    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The engine can't go on (weights that don't load, a dead device). Nothing follows."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The loop ended as asked. Nothing follows."""


FromEngine = Loaded | Warming | Ready | Outputs | Failed | Ticked | Lost | Broken | Stopped

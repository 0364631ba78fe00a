"""How the server is, as one value that changes with the engine's messages.

Role: folds what the engine says of itself into a state that a probe and a client can be told.
Invariants: "failed" and "draining" are never left. It does not know: sessions, HTTP, the wire's
timing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from streaming.messages import Broken, FromEngine, Lost, Ready, Stopped, Warming
from streaming.protocol import Status


@dataclass(frozen=True, slots=True)
class Readiness:
    """`fraction` (0..1) and `seconds_left` (None: unknown) say how far the warming is."""

    state: Literal["warming", "ready", "failed", "draining"] = "warming"
    stage: str = "starting"
    fraction: float = 0.0
    seconds_left: float | None = None
    message: str = ""

    def after(self, message: FromEngine) -> Readiness:
        """The state after the engine said `message`: the same object where nothing changed."""
        if self.state in ("failed", "draining"):
            return self
        if isinstance(message, Warming):
            return Readiness("warming", message.stage, message.fraction, message.seconds_left)
        if isinstance(message, Ready):
            return Readiness("ready", stage="", fraction=1.0)
        if isinstance(message, Lost):
            return Readiness("warming", "starting again", message=message.reason)
        if isinstance(message, Broken):
            return Readiness("failed", self.stage, self.fraction, message=message.reason)
        if isinstance(message, Stopped):
            return Readiness("failed", message="the engine has stopped")
        return self

    def draining(self) -> Readiness:
        """The state of a server that goes away."""
        return replace(self, state="draining", message="the server is going away")

    def status(self) -> Status:
        """The same as a message."""
        state = "busy" if self.state == "draining" else self.state
        return Status(state, self.stage, self.fraction, self.seconds_left, self.message)

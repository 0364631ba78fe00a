"""The way between the engine's thread and the event loop, both ways.

Role: hands the engine's messages to the hub on the loop, and the hub's to the engine.

Invariants: one wake-up of the other side for all that is said in a turn. Waking a thread while this
one computes costs more than what is said: both then wait for the interpreter in turns.

It does not know: what the messages are for, but for a line in the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque

from server.logs import event
from server.metrics import Metrics
from streaming.engine import Engine
from streaming.hub import Hub
from streaming.messages import Broken, FromEngine, Loaded, Ready, Stopped, ToEngine

log = logging.getLogger("riverrun.engine")


class Crossing:
    """See the module. `post` and `deliver` may be given away before it is opened."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._hub: Hub | None = None
        self._engine: Engine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[FromEngine] = deque()
        self._called = False
        self._posted: list[ToEngine] = []

    def open(self, hub: Hub, engine: Engine) -> None:
        """Carry between these two from now on; `hub` lives on the running loop."""
        self._hub, self._engine = hub, engine
        self._loop = asyncio.get_running_loop()

    def post(self, message: ToEngine) -> None:
        """Called on the loop: the engine is told when all that came in this turn was handled."""
        assert self._loop is not None
        if not self._posted:
            self._loop.call_soon(self._flush)
        self._posted.append(message)

    def _flush(self) -> None:
        assert self._engine is not None
        posted, self._posted = self._posted, []
        for message in posted:
            self._engine.post(message)

    def deliver(self, message: FromEngine) -> None:
        """Called on the engine's thread; what comes after the loop's end is dropped."""
        assert self._loop is not None
        self._waiting.append(message)
        if not self._called:  # else the loop was woken and hasn't begun to look
            self._called = True
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._called = False  # before looking: what comes from now on wakes the loop again
        while self._waiting:
            self._receive(self._waiting.popleft())

    def _receive(self, message: FromEngine) -> None:
        assert self._hub is not None
        self._note(message)
        self._hub.receive(message)

    def _note(self, message: FromEngine) -> None:
        match message:
            case Loaded(specs):
                names = [spec.name for spec in specs]
                self._metrics.expect_models(names)
                event(log, "models loaded", models=",".join(names))
            case Ready():
                self._metrics.ready.set(1)
                event(log, "ready")
            case Broken(reason):
                self._metrics.ready.set(0)
                event(log, "engine broken", level=logging.ERROR, reason=reason)
            case Stopped():
                self._metrics.ready.set(0)
            case _:
                return

"""The engine in a process of its own, as the gateway sees it.

Role: keeps a worker (`server.worker`) running, carries the hub's messages to it and its messages to
the hub.

Invariants: lives on the event loop's thread; `post` never blocks. One frame for all that is said in
a turn; while the worker doesn't read, newer messages replace older ones here, of each session and
kind, and nothing grows. A worker that dies after it was ready is `Lost` and started again, a few
times; one that dies before, or too often, is `Broken`, and nothing follows.

It does not know: what the messages are for, what an engine does.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from server.logs import event
from server.settings import Settings
from server.worker_line import WorkerLine, spawn
from streaming.clock import monotonic
from streaming.mailbox import Mailbox
from streaming.messages import Broken, FromEngine, Lost, Ready, Stop, Stopped, ToEngine

log = logging.getLogger("riverrun.engine")

RESTARTS, RESTART_SECONDS = 3, 600.0
"""A worker is started again at most so often in so long: what kills it each time is no accident."""
KILL_SECONDS = 5.0
"""How long a killed process may take to be gone."""


class EngineProcess:
    """`receive` gets the engine's messages, on the loop, in order. `post` may be given away before
    the start."""

    def __init__(self, settings: Settings, receive: Callable[[FromEngine], None]) -> None:
        self._settings = settings
        self._receive = receive
        self._waiting = Mailbox()
        self._line: WorkerLine | None = None
        self._restarts: deque[float] = deque(maxlen=RESTARTS)
        self._flushing = self._ready = self._over = False
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Spawn the worker and keep it."""
        self._line = await self._spawn()
        self._keeper = asyncio.create_task(self._keep(self._line))

    def post(self, message: ToEngine) -> None:
        """Tell the engine something when this turn of the loop is over."""
        self._waiting.post(message)
        if not self._flushing and self._line is not None:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    async def stop(self, seconds: float) -> bool:
        """Ask the engine to end and wait for it; whether it did. One that hangs is killed."""
        self._over = True
        line = self._line
        if line is None:
            return True
        self._waiting.post(Stop())
        self._flush()
        clean = await line.gone(seconds)
        if not clean:
            line.kill()
            await line.gone(KILL_SECONDS)
        if self._keeper is not None:
            self._keeper.cancel()
        return clean

    # --- one worker after another -----------------------------------------------------------------

    async def _spawn(self) -> WorkerLine:
        return await spawn(self._settings, self._take, self._flush)

    async def _keep(self, line: WorkerLine) -> None:
        """Wait for the worker's end, and start another one where that may help."""
        while True:
            how = await line.ended()
            if self._over:
                return
            self._line = None
            reason = f"the engine's process ended by itself ({how})"
            if not self._may_restart():
                self._take(Broken(reason))
                return
            event(log, "engine lost", level=logging.ERROR, reason=reason)
            self._ready = False
            self._waiting = Mailbox()
            self._take(Lost(reason))
            self._line = line = await self._spawn()
            self._flush()

    def _may_restart(self) -> bool:
        now = monotonic()
        often = len(self._restarts) == RESTARTS and now - self._restarts[0] < RESTART_SECONDS
        self._restarts.append(now)
        return self._ready and not often

    # --- what crosses -----------------------------------------------------------------------------

    def _flush(self) -> None:
        self._flushing = False
        if self._line is not None and self._line.open:
            self._line.send(self._waiting.receive(block=False))

    def _take(self, message: FromEngine) -> None:
        if self._over:
            return
        self._ready = self._ready or isinstance(message, Ready)
        self._over = isinstance(message, Broken | Stopped)
        self._receive(message)

"""The engine in a process of its own, as the gateway sees it.

Role: keeps a worker (`server.worker`) running, carries the hub's messages to it and its messages to
the hub.

Invariants: lives on the event loop's thread; `post` never blocks. One frame for all that is said in
a turn; while the worker doesn't read, newer messages replace older ones here, of each session and
kind. A worker whose model hangs is killed. Once a worker was ready, one that dies or breaks is
`Lost` and started again, a few times; one that never was, or dies too often, is `Broken`, and
nothing follows.

It does not know: what the messages are for, what an engine does.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from server.logs import event
from server.settings import Settings
from server.watchdog import hung
from server.worker_line import WorkerLine, spawn
from streaming.clock import monotonic
from streaming.mailbox import Mailbox
from streaming.messages import Broken, FromEngine, Lost, Ready, Stop, Stopped, ToEngine

log = logging.getLogger("riverrun.engine")

RESTARTS, RESTART_SECONDS = 3, 600.0
"""A worker is started again at most so often in so long: what kills it each time is no accident."""
KILL_SECONDS = 5.0
"""How long a killed process may take to be gone."""
SLICE = 64
"""Messages of one frame: after a restart every session's canvas is sent, and the ring isn't large
enough for all of them at once."""


class EngineProcess:
    """`receive` gets the engine's messages, on the loop, in order. `post` may be given away before
    the start."""

    def __init__(self, settings: Settings, receive: Callable[[FromEngine], None]) -> None:
        self._settings = settings
        self._receive = receive
        self._waiting = Mailbox()
        self._line: WorkerLine | None = None
        self._restarts: deque[float] = deque(maxlen=RESTARTS)
        self._flushing = self._served = self._over = False
        self._reason = ""
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Spawn the worker and keep it."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    def post(self, message: ToEngine) -> None:
        """Tell the engine something when this turn of the loop is over."""
        self._waiting.post(message)
        if not self._flushing and self._line is not None:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    async def stop(self, seconds: float) -> bool:
        """Ask the engine to end and wait for it; whether it did. One that hangs is killed."""
        self._over = True
        if self._line is None:
            return await self._kept(seconds)  # nobody is there, or another one is being started
        self._waiting.post(Stop())
        self._flush()
        clean = await self._line.gone(seconds)
        if not clean:
            self._line.kill()
            await self._line.gone(KILL_SECONDS)
        return await self._kept(KILL_SECONDS) and clean

    async def _kept(self, seconds: float) -> bool:
        """Whether the keeper sees within so many seconds that all is over."""
        if self._keeper is None:
            return True
        done, _ = await asyncio.wait([self._keeper], timeout=seconds)
        self._keeper.cancel()
        return bool(done)

    # --- one worker after another -----------------------------------------------------------------

    async def _spawn(self, earlier: WorkerLine | None = None) -> None:
        """Start a worker, in the place of an `earlier` one; `Broken` where the system can't."""
        try:
            self._line = await spawn(self._settings, self._take, self._flush)
        except OSError as error:
            self._take(Broken(f"the engine's process can't be started: {error}"))
            return
        if earlier is not None:
            self._line.pulse.inherit(earlier.pulse)
        if self._over:
            self._line.kill()
        self._flush()

    async def _keep(self) -> None:
        """Wait for the worker's end, and start another one where that may help."""
        while self._line is not None:
            line = self._line
            async with _alongside(self._watch(line)):
                how = await line.ended()
            if self._over:
                return
            self._line = None
            reason = self._reason or f"the engine's process ended by itself ({how})"
            self._reason = ""
            if not self._may_restart():
                self._take(Broken(reason), final=True)
                return
            event(log, "engine lost", level=logging.ERROR, reason=reason)
            self._waiting = Mailbox()
            self._take(Lost(reason))
            await self._spawn(line)

    async def _watch(self, line: WorkerLine) -> None:
        """Kill a worker whose model hangs."""
        took = await hung(line.pulse)
        self._reason = f"a call of the model hung: it was ended after {took:.1f} s"
        line.kill()

    def _may_restart(self) -> bool:
        now = monotonic()
        often = len(self._restarts) == RESTARTS and now - self._restarts[0] < RESTART_SECONDS
        self._restarts.append(now)
        return self._served and not often

    # --- what crosses -----------------------------------------------------------------------------

    def _flush(self) -> None:
        self._flushing = False
        while self._line is not None and self._line.open:
            messages = self._waiting.receive(block=False, most=SLICE)
            if not messages:
                return
            self._line.send(messages)

    def _take(self, message: FromEngine, *, final: bool = False) -> None:
        if self._over:
            return
        self._served = self._served or isinstance(message, Ready)
        if isinstance(message, Broken) and self._served and not final:
            self._reason = message.reason  # it ends now, and another one may fare better
            return
        self._over = isinstance(message, Broken | Stopped)
        try:
            self._receive(message)
        except Exception:  # an edge: what one session's picture does mustn't end the line for all
            log.exception("a message of the engine couldn't be handled")


@asynccontextmanager
async def _alongside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """`work` runs meanwhile, and no longer."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()

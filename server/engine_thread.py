"""The engine on a thread of this process: for systems where a worker can't inherit sockets, and to
look at everything in one debugger.

Role: the same as `server.engine_process`, without a process.

Invariants: one wake-up of the other side for all that is said in a turn. Waking a thread while this
one computes costs more than what is said: both then wait for the interpreter in turns.

It does not know: what the messages are for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from server.registry import builders, output_check
from server.settings import Settings
from streaming.clock import monotonic
from streaming.engine import Engine, EngineThread
from streaming.messages import FromEngine, ToEngine


class ThreadedEngine:
    """`receive` gets the engine's messages, on the loop, in order. `post` may be given away before
    the start."""

    def __init__(self, settings: Settings, receive: Callable[[FromEngine], None]) -> None:
        self._engine = Engine(
            builders(settings), self._deliver, clock=monotonic, check=output_check(settings)
        )
        self._thread = EngineThread(self._engine)
        self._receive = receive
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[FromEngine] = deque()
        self._called = False
        self._posted: list[ToEngine] = []

    async def start(self) -> None:
        """Begin on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def post(self, message: ToEngine) -> None:
        """Tell the engine something when this turn of the loop is over."""
        assert self._loop is not None
        if not self._posted:
            self._loop.call_soon(self._flush)
        self._posted.append(message)

    async def stop(self, seconds: float) -> bool:
        """Ask the engine to end and wait for it; whether it did. A thread that hangs in a device
        call is left to the end of the process."""
        return await asyncio.to_thread(self._thread.stop, seconds)

    def _flush(self) -> None:
        posted, self._posted = self._posted, []
        for message in posted:
            self._engine.post(message)

    def _deliver(self, message: FromEngine) -> None:
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

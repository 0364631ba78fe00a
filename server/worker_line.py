"""One worker process and the line to it.

Role: spawns `server.worker` with what it inherits, and turns frames into messages and back.

Invariants: never forks (the loop's sockets and threads aren't the worker's); a worker that says
what can't be understood is killed; frames that came before the end are taken before it is told.

It does not know: what the messages are for, whether a worker is started again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import msgspec

from server import shared
from server.settings import Settings
from streaming.messages import FromEngine, ToEngine
from streaming.seam import FROM_ENGINE, Packer, SeamBroken, Unpacker

COMMAND: tuple[str, ...] = (sys.executable, "-P", "-m", "server.worker")
"""-P, or a folder `server` where the command was given would come before the modules' own."""

LINGER_SECONDS = 3.0
"""Between a line's end and its process's."""

log = logging.getLogger("riverrun.engine")

Take = Callable[[FromEngine], None]


class WorkerLine(asyncio.Protocol):
    """`take` gets the worker's messages; `writable` is called when it reads again."""

    def __init__(
        self, ends: shared.Ends, process: asyncio.subprocess.Process, take: Take,
        writable: Callable[[], None],
    ) -> None:  # fmt: skip
        outward, inward, self.pulse = ends.mapped()
        self._packer, self._unpacker = Packer(outward), Unpacker(inward, FROM_ENGINE)
        self._process = process
        self._take = take
        self._writable = writable
        self._transport: asyncio.WriteTransport
        self._lost = asyncio.get_running_loop().create_future()
        self._paused = False
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """Whether the worker takes messages now."""
        return not self._paused and not self._transport.is_closing()

    def send(self, messages: Sequence[ToEngine]) -> None:
        """Tell the worker all of this in one frame."""
        if messages:
            self._transport.write(self._packer.pack(messages))

    def greet(self, settings: Settings) -> None:
        """The first line: what the worker serves. The clients' token isn't its business."""
        self._transport.write(msgspec.json.encode(replace(settings, token="")) + b"\n")

    async def ended(self) -> str:
        """Wait until the worker is gone and all that it said was taken; how it ended."""
        gone = asyncio.ensure_future(self._process.wait())
        await asyncio.wait([self._lost, gone], return_when=asyncio.FIRST_COMPLETED)
        # Where a child of the worker's holds the line, its end isn't heard.
        await asyncio.wait([self._lost], timeout=LINGER_SECONDS)
        code = await gone
        self._buried()
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    async def gone(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._process.wait()
        except TimeoutError:
            return False
        self._transport.abort()
        self._buried()
        return True

    def _buried(self) -> None:
        """The process is gone: nobody has to be killed, and nothing holds on to its memory."""
        if self._deadline is not None:
            self._deadline.cancel()

    def kill(self) -> None:
        """End it now, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    # --- what the loop calls ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._unpacker.feed(data)
        except SeamBroken as error:  # or its end by a signal would be all that anybody is told
            log.error("the engine's process says what can't be understood: %s", error)
            self.kill()
            return
        for message in messages:
            self._take(message)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._writable()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._lost.done():
            self._lost.set_result(None)
        if self._process.returncode is not None:
            return
        # Who hung up can't be served any more; one that ends in order frees its device meanwhile.
        self._deadline = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.kill)


async def spawn(settings: Settings, take: Take, writable: Callable[[], None]) -> WorkerLine:
    """A worker that serves what `settings` say; it begins to load at once. Raises `OSError`."""
    ours, theirs = shared.make()
    try:
        with contextlib.closing(theirs):
            process = await _started(theirs.descriptors)
        line = WorkerLine(ours, process, take, writable)
        ours.line.setblocking(False)
        await asyncio.get_running_loop().create_unix_connection(lambda: line, sock=ours.line)
    except BaseException:
        ours.line.close()
        raise
    finally:
        os.close(ours.memory)  # it stays mapped
    line.greet(settings)
    return line


async def _started(descriptors: Sequence[int]) -> asyncio.subprocess.Process:
    """A fresh interpreter in a session of its own: a terminal's signals are for the gateway."""
    kept = {name: value for name, value in os.environ.items() if name != "RIVERRUN_TOKEN"}
    return await asyncio.create_subprocess_exec(
        *COMMAND, *map(str, descriptors),
        stdin=asyncio.subprocess.DEVNULL, pass_fds=descriptors, start_new_session=True,
        env={**kept, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip

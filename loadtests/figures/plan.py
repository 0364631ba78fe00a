"""What all figures share: how many rounds, how long, which model, and the peers' processes.

Role: `Plan` is the one argument of every figure; `bare_loop` and `bare_feed` start the bare peers;
`pictures_per_second` is the load of a client that never pauses.

Invariants: a figure's own durations stand in its module and are multiplied by `plan.pace` only; a
planted fault goes into every server that the plan makes and into no peer.

It does not know: any figure.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import msgspec
import orjson

from loadtests.bare import Order
from loadtests.served import ROOT, Server, Subject, free_port, started
from loadtests.users import User

NEVER_PAUSES = 60.0
"""Edits/s of a client that never pauses: one a display frame."""
LEAD = 0.4
"""Seconds of load before the clock of a half starts, so that no half begins from standing."""

BUILT_IN = Subject("scenes")
STAND_IN = Subject("fake", ("begin_ms=6", "step_ms=10", "per_row_ms=21", "decode_ms=9"))
"""Costs about what `scenes` costs on two cores; for a bench that is only tried out."""


@dataclass(frozen=True)
class Plan:
    """`pace` multiplies durations and counts; `scenes` is what stands for the built-in model."""

    rounds: int = 5
    pace: float = 1.0
    scenes: Subject = BUILT_IN
    fault: str = ""
    say: Callable[[str], None] = lambda text: None

    def fake(self, *options: str) -> Subject:
        """A fake model of these options, with the plan's fault."""
        return Subject("fake", options, self.fault)

    @property
    def built_in(self) -> Subject:
        """`scenes`, or its stand-in, with the plan's fault."""
        return replace(self.scenes, fault=self.fault)

    def seconds(self, full: float) -> float:
        """A duration at this pace."""
        return full * self.pace

    def count(self, full: int) -> int:
        """A count at this pace, at least 3."""
        return max(3, round(full * self.pace))


class BareLoop:
    """The bare loop's process: told what to do, it says what came of it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def _line(self) -> dict[str, object]:
        assert self._process.stdout
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the bare loop's process ended; see its output above")
        told: dict[str, object] = orjson.loads(line)
        return told

    async def order(self, order: Order) -> dict[str, object]:
        """Do this and wait for the answer."""
        assert self._process.stdin
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        return await self._line()

    async def rate(self, order: Order) -> float:
        """Pictures/s of the loop."""
        told = await self.order(order)
        return float(str(told["pictures"])) / float(str(told["seconds"]))

    async def firsts(self, order: Order) -> list[float]:
        """Milliseconds of single first pictures."""
        told = await self.order(order)
        return msgspec.convert(told["ms"], list[float])


@asynccontextmanager
async def bare_loop(subject: Subject) -> AsyncIterator[BareLoop]:
    """The bare loop on the subject's model, loaded and warm."""
    options = [part for option in subject.options for part in ("--option", option)]
    command = [sys.executable, "-m", "loadtests.bare", "loop", "--model", subject.model, *options]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
    try:
        loop = BareLoop(process)
        await loop._line()
        yield loop
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def bare_feed(size: int, steps: int) -> AsyncIterator[Server]:
    """The bare `websockets` server."""
    port = free_port()
    command = [sys.executable, "-m", "loadtests.bare", "feed", "--port", str(port)]
    async with started([*command, "--size", str(size), "--steps", str(steps)], port) as server:
        await server.listening()
        yield server


async def pictures_per_second(user: User, seconds: float, rate: float = NEVER_PAUSES) -> float:
    """What a client that draws at `rate` edits/s receives; the server is idle again afterwards."""
    start = time.perf_counter() + LEAD
    await user.draw(rate, LEAD + seconds)
    await user.settle()
    return len(user.forget().between(start, start + seconds)) / seconds

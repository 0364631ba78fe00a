"""What can only be measured inside: the engine's thread by itself, and the way between processes.

Role: `python -m loadtests.inside ticks|handover SECONDS` runs one of the house's parts with a fake
model and no network, and prints what came of it as a line of JSON. In a process of its own, so that
a planted fault reaches it as it reaches a server.

It does not know: rounds, goals.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import orjson
import uvloop

from loadtests.metric import percentile
from models.base import Request
from models.fake import build
from server.engine_process import EngineProcess
from server.settings import Settings
from streaming.clock import monotonic
from streaming.engine import Engine
from streaming.messages import FromEngine, Outputs, Ready, Stop, Submit, Ticked, ToEngine, Want

SESSIONS, STEPS = 64, 4
UNMEASURED = 200  # ticks or pictures, until everything has been met once
ALL = 1 << 30
LARGE = ("width=512", "height=512", "step_ms=3")
Post = Callable[[ToEngine], None]


def ask(session: str, job: int) -> Submit:
    """The session's next picture, as if an edit had just come."""
    params = build().spec.defaults() | {"steps": STEPS, "seed": job}
    return Submit(Request(session, "fake", job, job, params), monotonic())


class Ticks:
    """64 sessions, each of which asks for its next picture when it has one."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.count, self.called = seconds, 0, 0.0
        self.start = self.end = 0.0
        self.engine = Engine({"fake": lambda: build(encoded_bytes=4096)}, self.deliver)

    def run(self) -> dict[str, float]:
        """On this thread, until the time is over."""
        self.engine.run()
        wall = 1000 * (self.end - self.start)
        return {"ms": (wall - self.called) / self.count, "ticks": self.count, "wall_ms": wall}

    def deliver(self, message: FromEngine) -> None:
        match message:
            case Ready():
                for number in range(SESSIONS):
                    self.engine.post(ask(f"s{number}", 1))
                    self.engine.post(Want(f"s{number}", ALL))
            case Outputs():
                for output in message.outputs:
                    if output.final:
                        self.engine.post(ask(output.session, output.job + 1))
            case Ticked():
                self.ticked(message)

    def ticked(self, message: Ticked) -> None:
        self.count += 1
        self.called += message.begin_ms + message.step_ms + message.decode_ms
        if self.count == UNMEASURED and not self.start:
            self.start, self.count, self.called = monotonic(), 0, 0.0
        if self.start and monotonic() - self.start > self.seconds:
            self.end = self.end or monotonic()
            self.engine.post(Stop())


class HandOver:
    """One session of a worker whose pictures are large, and when each is in the gateway."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.took = seconds, list[float]()
        self.epoch = 0.0
        self.over = asyncio.Event()
        self.ready = asyncio.Event()
        self.engine = EngineProcess(Settings(model=("fake",), model_option=LARGE), self.receive)

    async def run(self) -> dict[str, float]:
        await self.engine.start()
        try:
            await self.ready.wait()
            first = ask("s", 1)
            self.epoch = first.received  # the zero of the session's clock
            self.engine.post(first)
            self.engine.post(Want("s", ALL))
            await self.over.wait()
        finally:
            await self.engine.stop(3.0)
        measured = self.took[UNMEASURED:] or self.took
        return {"ms": percentile(measured, 0.5), "p99": percentile(measured, 0.99)}

    def receive(self, message: FromEngine) -> None:
        match message:
            case Ready():
                self.ready.set()
            case Outputs():
                now = monotonic()
                since = 1000 * (now - self.epoch)
                self.took += [since - each.pts / 1000 for each in message.outputs]
                for output in message.outputs:
                    if output.final:
                        self.engine.post(ask("s", output.job + 1))
                if now - self.epoch > self.seconds:
                    self.over.set()


def main(part: str, seconds: str) -> int:
    """Measure and print."""
    if part == "ticks":
        found = Ticks(float(seconds)).run()
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the server's
            found = runner.run(measured(float(seconds)))
    print(orjson.dumps(found).decode(), flush=True)
    return 0


async def measured(seconds: float) -> dict[str, float]:
    return await HandOver(seconds).run()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

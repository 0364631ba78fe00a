"""Planted faults: the real server, broken from outside in one known way.

Role: `python -m loadtests.faults NAME[,NAME] serve …` is `riverrun serve …` after the faults were
put into it (`inside …`: `loadtests.inside …`). A benchmark that can't see these would not see real
ones either; the tests hold each figure to its fault (docs/benchmarks.md names them).

Invariants: product code knows nothing of this; each fault is one of the mistakes that the design
is there to prevent, or plain slowness.

It does not know: figures, goals.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from loadtests import inside
from models.base import Output
from models.fake import FakeModel
from server import cli, worker, worker_line
from server.websocket import Socket
from streaming import writer
from streaming.canvas import Canvas
from streaming.hosting import Hosted
from streaming.messages import Submit, ToEngine
from streaming.outbox import Credits
from streaming.scheduler import Scheduler
from streaming.seam import Packer
from streaming.session import Session
from streaming.writer import Writer

NAP = 0.02
HOARD = 100 * 1024
LATE = 0.04
"""Seconds from a picture to its acknowledgement that make a reader a slow one."""


def slow_decode(seconds: float = NAP) -> None:
    """20 ms of sleep in every decode."""
    inner = FakeModel.decode

    def decode(self: FakeModel, states: Any) -> Any:
        time.sleep(seconds)
        return inner(self, states)

    _put(FakeModel, "decode", decode)


def sluggish_decode() -> None:
    """100 ms of sleep in every decode."""
    slow_decode(5 * NAP)


def slow_send(seconds: float = NAP) -> None:
    """20 ms of sleep before every picture is sent."""
    inner = Socket.send

    async def send(self: Socket, data: str | bytes) -> None:
        if isinstance(data, bytes):
            await asyncio.sleep(seconds)
        await inner(self, data)

    _put_send(send)


def slow_receive() -> None:
    """20 ms of sleep before an edit is read."""
    inner = Socket.receive

    async def receive(self: Socket) -> str | bytes:
        data = await inner(self)
        if isinstance(data, bytes):
            await asyncio.sleep(NAP)
        return data

    _put(Socket, "receive", receive)


class _Queue:
    """Requests of one session, first in, first out: the next goes when the last was shown."""

    def __init__(self, post: Callable[[ToEngine], None]) -> None:
        self._post = post
        self._waiting: deque[Submit] = deque()
        self._busy = False

    def post(self, message: ToEngine) -> None:
        if isinstance(message, Submit) and self._busy:
            self._waiting.append(message)
            return
        self._busy = self._busy or isinstance(message, Submit)
        self._post(message)

    def shown(self) -> None:
        if self._waiting:
            self._post(self._waiting.popleft())
        else:
            self._busy = False


def first_in_first_out() -> None:
    """Every request is made, in order, instead of the newest."""
    init, deliver = Hosted.__init__, Hosted.deliver
    queues: dict[Hosted, _Queue] = {}

    def queued_init(self: Hosted, session: Any, post: Any, *rest: Any) -> None:
        queues[self] = _Queue(post)
        init(self, session, queues[self].post, *rest)

    def counted_deliver(self: Hosted, output: Output) -> None:
        deliver(self, output)
        queues[self].shown()

    _put(Hosted, "__init__", queued_init)
    _put(Hosted, "deliver", counted_deliver)


def unfair() -> None:
    """Nobody's turn ever passes: who came first is always picked first."""
    _put(Scheduler, "served", lambda self, sessions: None)


class _Backlog:
    """A queue where the slot for the newest picture was."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()

    def __len__(self) -> int:
        return 0

    def put(self, item: Any) -> None:
        self._items.append(item)

    def take(self) -> Any:
        return self._items.popleft() if self._items else None


def no_credit() -> None:
    """Every picture is queued and sent, whether the reader can take it or not."""
    _put(writer, "Latest", _Backlog)
    _put(Credits, "free", property(lambda self: 1, lambda self, free: None))
    _put(Credits, "take", _take_without)


def _take_without(self: Credits) -> int:
    self.sent += 1
    return self.sent


def shared_wait() -> None:
    """Everybody waits for 20 ms before a slow reader's picture."""
    receive_inner, send_inner = Socket.receive, Socket.send
    sent: dict[int, deque[float]] = {}
    slow: set[int] = set()

    async def receive(self: Socket) -> str | bytes:
        data = await receive_inner(self)
        if isinstance(data, str) and '"ack"' in data:
            late = time.perf_counter() - sent[id(self)].popleft() > LATE
            (slow.add if late else slow.discard)(id(self))
        return data

    async def send(self: Socket, data: str | bytes) -> None:
        if isinstance(data, bytes):
            sent.setdefault(id(self), deque()).append(time.perf_counter())
            if id(self) in slow:
                time.sleep(NAP)  # noqa: ASYNC251 — the fault is that the loop waits
        await send_inner(self, data)

    _put(Socket, "receive", receive)
    _put(Socket, "listen", lambda self, take: None)  # or acknowledgements would go around it
    _put_send(send)


def always_wanted() -> None:
    """Demand that is true without a credit."""
    _put(Writer, "room", property(lambda self: 1))


def hoard() -> None:
    """Each session keeps 100 kB for nothing."""
    inner = Session.__init__

    def init(self: Any, *arguments: Any) -> None:
        inner(self, *arguments)
        self.hoard = bytearray(b"x") * HOARD

    _put(Session, "__init__", init)


def no_rest() -> None:
    """Canvases stay arrays."""
    _put(Canvas, "rest", lambda self: None)


def slow_start() -> None:
    """The start takes 1.5 s more."""
    time.sleep(1.5)


def busy_loop() -> None:
    """20 ms of work on the event loop for every picture."""
    inner = Socket.send

    async def send(self: Socket, data: str | bytes) -> None:
        if isinstance(data, bytes):
            time.sleep(NAP)  # noqa: ASYNC251 — the fault is that the loop waits
        await inner(self, data)

    _put_send(send)


def alone() -> None:
    """A call takes one row, whatever would fit."""
    inner = Scheduler.schedule

    def schedule(self: Scheduler) -> Any:
        tick = inner(self)
        return tick and replace(tick, begin=tick.begin[:1], step=tick.step[:1])

    _put(Scheduler, "schedule", schedule)


def slow_pick() -> None:
    """1 ms of sleep in every pick."""
    inner = Scheduler.schedule

    def schedule(self: Scheduler) -> Any:
        time.sleep(0.001)
        return inner(self)

    _put(Scheduler, "schedule", schedule)


def slow_pack() -> None:
    """20 ms of sleep before a frame crosses from one process to the other."""
    inner = Packer.pack

    def pack(self: Packer, messages: Any) -> Any:
        time.sleep(NAP)
        return inner(self, messages)

    _put(Packer, "pack", pack)


FAULTS: dict[str, Callable[[], None]] = {
    "slow_decode": slow_decode,
    "sluggish_decode": sluggish_decode,
    "slow_send": slow_send,
    "slow_receive": slow_receive,
    "first_in_first_out": first_in_first_out,
    "unfair": unfair,
    "no_credit": no_credit,
    "shared_wait": shared_wait,
    "always_wanted": always_wanted,
    "hoard": hoard,
    "no_rest": no_rest,
    "slow_start": slow_start,
    "busy_loop": busy_loop,
    "alone": alone,
    "slow_pick": slow_pick,
    "slow_pack": slow_pack,
}


def _put(owner: Any, name: str, value: Any) -> None:
    """Replace something that must be there."""
    assert hasattr(owner, name), f"{owner} has no {name} to break"
    setattr(owner, name, value)


def _put_send(send: Any) -> None:
    """Replace `send`, and the way around it."""
    _put(Socket, "send", send)
    _put(Socket, "send_now", lambda self, *data: False)


def main(names: str, command: str, *arguments: str) -> int:
    """Plant the faults and be the server, or (`worker`) the process that it starts."""
    for name in names.split(","):
        FAULTS[name]()
    if command == "worker":
        return worker.main(arguments)
    worker_line.COMMAND = (sys.executable, "-m", "loadtests.faults", names, "worker")
    if command == "inside":
        return inside.main(*arguments)
    return cli.main([command, *arguments])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

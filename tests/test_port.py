"""The engine behind a socket: the same as on a thread, and it ends when the other end does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from models.base import Encoded, Model, Request
from models.fake import FakeModel, FakeOptions
from streaming.engine import Engine
from streaming.messages import (
    FromEngine,
    Outputs,
    Ready,
    Stop,
    Stopped,
    Submit,
    Ticked,
    ToEngine,
    Want,
)
from streaming.port import Port
from streaming.ring import HEADER, Ring
from streaming.seam import FROM_ENGINE, LENGTH, Packer, Unpacker

PATIENCE = 10.0
ROOM = 2**20


@dataclass
class Far:
    """The gateway's end, blocking, and the engine's thread behind the other."""

    model: FakeModel
    line: socket.socket = field(init=False)
    theirs: socket.socket = field(init=False)
    frames: list[list[FromEngine]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.line, self.theirs = socket.socketpair()
        self.line.settimeout(PATIENCE)
        memory = [memoryview(bytearray(HEADER + ROOM)) for _ in range(2)]
        self.packer = Packer(Ring(memory[0]))
        self.unpacker: Unpacker[FromEngine] = Unpacker(Ring(memory[1]), FROM_ENGINE)
        self.port = Port(self.theirs, Ring(memory[0]), Ring(memory[1]))
        builders: dict[str, object] = {"fake": lambda: self.model}
        engine = Engine(builders, self.port.deliver, mailbox=self.port)  # type: ignore[arg-type]
        self.thread = threading.Thread(target=engine.run, daemon=True)
        self.thread.start()

    def say(self, *messages: ToEngine) -> None:
        self.line.sendall(self.packer.pack(messages))

    def submit(self, session: str = "s", revision: int = 1) -> Submit:
        values = self.model.spec.defaults()
        return Submit(Request(session, "fake", revision, revision, values), time.perf_counter())

    def hear(self, kind: type[FromEngine]) -> list[FromEngine]:
        """The frame in which the first message of this kind comes."""
        while True:
            head = self._read(LENGTH)
            frame = self.unpacker.feed(head + self._read(int.from_bytes(head, "big")))
            self.frames.append(frame)
            if any(isinstance(message, kind) for message in frame):
                return frame

    def ended(self) -> None:
        """Hang up, if that wasn't done; the engine ends."""
        self.line.close()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        self.theirs.close()

    def _read(self, size: int) -> bytes:
        data = self.line.recv(size, socket.MSG_WAITALL)
        assert len(data) == size, "the engine's end was closed"
        return data


@pytest.fixture
def far() -> Iterator[Far]:
    made = Far(FakeModel(FakeOptions(steps=2, encoded_bytes=1000)))
    yield made
    made.ended()


def test_a_picture_is_made_and_one_frame_tells_of_the_whole_tick(far: Far) -> None:
    far.say(far.submit(), Want("s", 5))
    frame = far.hear(Outputs)
    assert [type(message) for message in frame] == [Outputs, Ticked]
    assert isinstance(frame[0], Outputs)
    assert isinstance(frame[0].outputs[0].payload, Encoded)
    assert len(frame[0].outputs[0].payload.data) == 1000


def test_stop_is_answered(far: Far) -> None:
    far.say(Stop())
    far.hear(Stopped)
    far.thread.join(PATIENCE)
    assert not far.thread.is_alive()


def test_the_end_of_the_line_ends_the_engine(far: Far) -> None:
    far.hear(Ready)
    far.ended()
    assert far.model.open_states == 0


class Held(FakeModel):
    """Steps when it is told to."""

    def __init__(self) -> None:
        super().__init__(FakeOptions(steps=1, encoded_bytes=1000))
        self.entered, self.gate = threading.Event(), threading.Semaphore(0)

    def step(self, states: object) -> None:
        self.entered.set()
        assert self.gate.acquire(timeout=PATIENCE)
        super().step(states)  # type: ignore[arg-type]


def test_of_what_came_during_a_step_the_newest_counts() -> None:
    model = Held()
    assert isinstance(model, Model)
    far = Far(model)
    far.say(far.submit(), Want("s", 100))
    assert model.entered.wait(PATIENCE)
    for revision in range(2, 40):
        far.say(far.submit(revision=revision))
    model.gate.release(100)
    first = far.hear(Outputs)[0]
    second = far.hear(Outputs)[0]
    assert isinstance(first, Outputs)
    assert isinstance(second, Outputs)
    assert (first.outputs[0].revision, second.outputs[0].revision) == (1, 39)
    far.ended()


class Halting(FakeModel):
    """Tells of its loading when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.loading, self.go_on = threading.Event(), threading.Event()

    def load(self, progress: object) -> None:
        assert callable(progress)
        progress("half", 0.5)
        self.loading.set()
        assert self.go_on.wait(PATIENCE)
        progress("whole", 1.0)
        raise AssertionError("loading went on after the end")


def test_the_end_of_the_line_ends_the_loading() -> None:
    model = Halting()
    far = Far(model)
    assert model.loading.wait(PATIENCE)
    far.line.close()
    model.go_on.set()
    far.ended()

"""An engine on a thread for tests, a fake model that is watched, and what the engine said."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from models.base import Model, Output, Payload, Request, State
from models.fake import FakeModel, FakeOptions
from streaming.engine import Engine, EngineThread
from streaming.messages import (
    FromEngine,
    Outputs,
    Submit,
    Want,
)

M = TypeVar("M", bound=FromEngine)
PATIENCE = 10.0


class Watched(FakeModel):
    """A fake model that notes its calls, and holds each step where `gate` is used."""

    def __init__(self, **options: object) -> None:
        super().__init__(FakeOptions(faults=True, **options))  # type: ignore[arg-type]
        self.begins: list[list[tuple[str, int, State | None, bool]]] = []
        self.steps: list[int] = []
        self.decodes: list[int] = []
        self.opened: list[State] = []
        self.gate: threading.Semaphore | None = None
        self.entered: queue.Queue[int] = queue.Queue()

    def begin(self, requests: Sequence[Request], previous: Sequence[State | None]) -> list[State]:
        pairs = zip(requests, previous, strict=True)
        self.begins.append(
            [(r.session, r.revision, p, getattr(p, "open", False)) for r, p in pairs]
        )
        states = super().begin(requests, previous)
        self.opened += states
        return states

    def step(self, states: Sequence[State]) -> None:
        self.steps.append(len(states))
        if self.gate:
            self.entered.put(len(states))
            assert self.gate.acquire(timeout=PATIENCE)
        super().step(states)

    def decode(self, states: Sequence[State]) -> list[Payload]:
        self.decodes.append(len(states))
        return super().decode(states)


MANY = 1_000_000


class Rig:
    """An engine on a thread, and what it said."""

    def __init__(self, *models: Model, **options: object) -> None:
        self.said: queue.Queue[FromEngine] = queue.Queue()
        self.heard: list[FromEngine] = []
        builders = {m.spec.name: (lambda m=m: m) for m in models}
        self.engine = Engine(builders, self.said.put, **options)  # type: ignore[arg-type]
        self.thread = EngineThread(self.engine)
        self.spec = models[0].spec
        self.jobs = 0

    def start(self) -> Rig:
        self.thread.start()
        return self

    def want(self, *sessions: str, pictures: bool = True, previews: bool = True) -> None:
        for session in sessions:
            self.engine.post(Want(session, MANY if pictures else 0, previews))

    def submit(
        self,
        session: str,
        revision: int = 1,
        model: str = "",
        passing: bool = False,
        **params: object,
    ) -> None:
        self.jobs += 1
        values = {**self.spec.defaults(), **self.spec.check(params)}
        request = Request(session, model or self.spec.name, self.jobs, revision, values)
        self.engine.post(Submit(request, time.perf_counter(), passing))

    def hear(self, kind: type[M], fits: Callable[[M], bool] = lambda message: True) -> M:
        """Wait for a message; what came before it is in `heard`."""
        while True:
            message = self.said.get(timeout=PATIENCE)
            self.heard.append(message)
            if isinstance(message, kind) and fits(message):
                return message

    def final(self, session: str, revision: int | None = None) -> Output:
        """Wait for a final of a session."""

        def fits(output: Output) -> bool:
            same = output.session == session and output.final
            return same and revision in (None, output.revision)

        message = self.hear(Outputs, lambda outputs: any(map(fits, outputs.outputs)))
        return next(output for output in message.outputs if fits(output))

    def outputs(self, session: str) -> list[Output]:
        """What was heard for a session, in order."""
        told = [message for message in self.heard if isinstance(message, Outputs)]
        return [o for message in told for o in message.outputs if o.session == session]

    def stop(self) -> list[FromEngine]:
        """Stop and join; all that the engine ever said."""
        assert self.thread.stop(PATIENCE)
        while not self.said.empty():
            self.heard.append(self.said.get_nowait())
        return self.heard


def hold(model: Watched) -> threading.Semaphore:
    model.gate = threading.Semaphore(0)
    return model.gate

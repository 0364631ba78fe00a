"""What the engine keeps for each session: its waiting request, its running job, its last row.

Role: `Row` and `Job` hold the engine's side of a session; `Shelf` keeps the rows of finished jobs,
which the next `begin` is given, within a limit of bytes; `checked` looks at what a model made.

Invariants: every `State` is closed exactly once, by whoever holds it last: a running job's row is
held by its `Job`, a finished one's by the shelf.

It does not know: who is served next (the scheduler's), when anything happens (the engine's).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.base import (
    BadOutput,
    Encoded,
    Output,
    Payload,
    Picture,
    Request,
    Samples,
    State,
    Timings,
)
from streaming.messages import Submit

TRACK = 0
"""The only one, until models have several."""

Close = Callable[[Callable[[], None]], None]
"""Runs a state's `close`, surviving what it raises."""


@dataclass(slots=True)
class Job:
    """A request that is being made (`request`: without its inputs). Times in milliseconds of wall
    clock, of whole calls: a batched call counts in full for each of its rows, for that is how long
    each of them took."""

    request: Request
    state: State
    queue_ms: float
    begin_ms: float
    step_ms: float = 0.0

    @classmethod
    def of(cls, request: Request, state: State, queue_ms: float, begin_ms: float) -> Job:
        """The job that `state` makes of `request`. Keeps what it is and lets go of its inputs: a
        session that nobody looks at in mid-job mustn't hold a canvas here."""
        about = (request.session, request.model, request.job, request.revision)
        whose = Request(*about, request.params)
        return cls(whose, state, queue_ms, begin_ms)

    @property
    def final(self) -> bool:
        return self.state.step >= self.state.steps

    def output(self, payload: Payload, pts: int, decode_ms: float) -> Output:
        """What the job shows now."""
        # As plain numbers: a model's may be numpy's, which don't cross to another process.
        request, step, steps = self.request, int(self.state.step), int(self.state.steps)
        timings = Timings(self.queue_ms, self.begin_ms, self.step_ms, decode_ms)
        return Output(  # by position: by name takes three times as long
            request.session, TRACK, request.job, request.revision,
            step, steps, step >= steps, pts, payload, timings,
        )  # fmt: skip


@dataclass(slots=True)
class Row:
    """One session. `epoch` is the reading in seconds of its first submit, the zero of its pts;
    `granted` says how many outputs may be made in all, `made` how many were."""

    session: str
    epoch: float | None = None
    granted: int = 0
    made: int = 0
    previews: bool = True
    pending: Submit | None = None
    job: Job | None = None

    @property
    def submitted(self) -> Submit:
        """The waiting request, where the scheduler says that there is one."""
        assert self.pending is not None, f"no request of {self.session} waits"
        return self.pending

    @property
    def running(self) -> Job:
        """The running job, where the scheduler says that there is one."""
        assert self.job is not None, f"no job of {self.session} runs"
        return self.job

    @property
    def wanted(self) -> bool:
        """Whether another output may be made."""
        return self.made < self.granted

    def submit(self, submit: Submit) -> None:
        self.pending = submit
        if self.epoch is None:
            self.epoch = submit.received

    def pts(self, now: float) -> int:
        """Microseconds since the first submit, never negative."""
        return max(0, round((now - (self.epoch or 0.0)) * 1e6))


class Shelf:
    """Rows of finished jobs, one a session, for the session's next `begin`. Over `limit` bytes the
    one that lies longest is closed: by contract a model begins without it as well."""

    def __init__(self, limit: int, close: Close) -> None:
        self._limit = limit
        self._close = close
        self._kept: dict[str, tuple[str, State, int]] = {}
        self.nbytes = 0

    def put(self, session: str, model: str, state: State) -> None:
        """Keep a finished row; the session has none here."""
        assert session not in self._kept
        self._kept[session] = (model, state, state.nbytes)
        self.nbytes += state.nbytes
        while self.nbytes > self._limit:
            self.drop(next(iter(self._kept)))

    def peek(self, session: str, model: str) -> State | None:
        """The session's row, if this model made it."""
        kept = self._kept.get(session)
        return kept[1] if kept and kept[0] == model else None

    def drop(self, session: str) -> None:
        """Close the session's row, if it has one."""
        kept = self._kept.pop(session, None)
        if kept:
            self.nbytes -= kept[2]
            self._close(kept[1].close)


def checked(payload: Payload) -> Payload:
    """The payload, if it is what it says, with plain numbers; raises `BadOutput` for a picture that
    isn't uint8 of height × width × 3, and for anything that is no payload."""
    if isinstance(payload, Picture):
        pixels = payload.pixels
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise BadOutput(f"a picture of {pixels.dtype} and shape {pixels.shape}")
    elif isinstance(payload, Encoded):
        if not isinstance(payload.data, bytes):
            raise BadOutput(f"an encoded picture as {type(payload.data).__name__}")
        if type(payload.width) is not int or type(payload.height) is not int:
            return Encoded(payload.data, payload.format, int(payload.width), int(payload.height))
    elif not isinstance(payload, Samples):
        raise BadOutput(f"a {type(payload).__name__} instead of a payload")
    return payload

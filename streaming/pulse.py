"""The engine's pulse: since when a model's call runs and how long it may, where others can see it.

Role: the engine tells of every call of a model when it begins and when it is over, in memory that
may be shared with the process that keeps it; that one asks whether the call is overdue. A device
that hangs answers nobody, so nobody else can tell.

Invariants: one writer, any readers, nothing waits. A call may take `LEAST` seconds, or `TIMES` as
long as 99 of 100 of its kind took lately, whichever is more. One of a kind that was never measured
may be a full batch of a larger size: it has `UNMEASURED` seconds or `MORE` times the slowest
kind's, and `FIRST` where nothing was measured yet.

It does not know: processes, what a call does, what becomes of one that hangs.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from mmap import mmap

import numpy as np

from streaming.clock import Clock, monotonic

BYTES = 64
"""Of the memory."""
LEAST, TIMES, FIRST = 5.0, 10.0, 120.0
UNMEASURED, MORE = 12.0, 40.0
LATELY = 200
"""Calls of a kind that are looked back at."""
_BEGAN, _LIMIT, _USUAL = range(3)


class Pulse:
    """See the module. `memory`: `BYTES` writable bytes, zeroed at first. `clock`: one that all
    processes of the machine share."""

    def __init__(
        self, memory: mmap | memoryview | bytearray | None = None, clock: Clock = monotonic
    ) -> None:
        self._cells = np.frombuffer(bytearray(BYTES) if memory is None else memory, np.float64)
        self._clock = clock
        self._took: defaultdict[Hashable, deque[float]] = defaultdict(lambda: deque(maxlen=LATELY))

    # --- the engine's -----------------------------------------------------------------------------

    @contextmanager
    def call(self, kind: Hashable) -> Iterator[None]:
        """While a call of this kind runs. One that raises is over too, and isn't measured."""
        began = self._clock()
        self._cells[_LIMIT] = self._limit(kind)
        self._cells[_BEGAN] = began
        try:
            yield
            self._took[kind].append(self._clock() - began)
        finally:
            self._cells[_BEGAN] = 0.0

    def _limit(self, kind: Hashable) -> float:
        took = self._took.get(kind)
        if took:
            usual = _usual(took)
            self._cells[_USUAL] = max(usual, self._cells[_USUAL])
        else:
            usual = float(self._cells[_USUAL])
            return max(UNMEASURED, MORE * usual) if usual else FIRST
        return max(LEAST, TIMES * usual)

    # --- the keeper's -----------------------------------------------------------------------------

    @property
    def running(self) -> float:
        """When the call that runs now began, by the clock; 0 where none does."""
        return float(self._cells[_BEGAN])

    def overdue(self) -> float | None:
        """How long the call that runs now has taken, in seconds, if that is more than it may."""
        began, limit = self.running, float(self._cells[_LIMIT])
        took = self._clock() - began
        # The limit may be a later call's: then the call that was looked at is over.
        return took if began and took > limit and began == self.running else None

    def inherit(self, earlier: Pulse) -> None:
        """Go on from what was usual before: for an engine that comes after another."""
        self._cells[_USUAL] = earlier._cells[_USUAL]


def _usual(took: deque[float]) -> float:
    """What 99 of 100 took at most."""
    longest = max(took)
    if TIMES * longest <= LEAST:
        return longest  # sorting would change nothing
    return sorted(took)[math.ceil(0.99 * len(took)) - 1]

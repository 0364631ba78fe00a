"""Large payloads from one process to another: shared memory that one writes and the other reads.

Role: one direction of the seam's memory. The writer's `put` gives a position, which crosses in a
small message (the doorbell); the reader's `take` copies the bytes out, and `free` gives the room
back, in order.

Invariants: one writer, one reader, positions only grow. Nothing waits: where there is no room `put`
says so and the caller sends the bytes another way. An empty ring begins again at its start, so that
as little memory is touched as is in use at once.

It does not know: messages, sockets, how the memory came to be shared.
"""

from __future__ import annotations

import threading
from mmap import mmap

import numpy as np
from numpy.typing import NDArray

HEADER = 64
"""Bytes before the data: the position up to which the reader has freed, alone on its cache line."""
ALIGN = 64


class Ring:
    """See the module. `memory`: writable, zeroed at first, the same on both ends; its size less
    `HEADER` is the capacity in bytes, a multiple of `ALIGN`."""

    def __init__(self, memory: mmap | memoryview) -> None:
        whole = np.frombuffer(memory, np.uint8)
        self._freed = whole[:8].view(np.uint64)
        self._data = whole[HEADER:]
        self._size = len(self._data)
        if self._size <= 0 or self._size % ALIGN:
            raise ValueError(f"a ring of {self._size} bytes: must be a multiple of {ALIGN}")
        self._head = self._base = 0
        self._fence = threading.Lock()

    # --- the writer's -----------------------------------------------------------------------------

    def put(self, data: NDArray[np.uint8]) -> int | None:
        """Copy `data` (any shape) in; its position, or None where there is no room for it now."""
        position = self._place(data.nbytes)
        if position is None:
            return None
        begin = position % self._size
        self._data[begin : begin + data.nbytes].reshape(data.shape)[...] = data
        self._head = position + _aligned(data.nbytes)
        return position

    def _place(self, nbytes: int) -> int | None:
        freed, position = int(self._freed[0]), self._head
        begin, empty = position % self._size, freed == position
        if begin and (empty or begin + nbytes > self._size):
            position += self._size - begin
        if empty:
            self._base = position  # what was skipped isn't in use
        used = position - max(freed, self._base)
        return position if used + _aligned(nbytes) <= self._size else None

    # --- the reader's -----------------------------------------------------------------------------

    def take(self, position: int, nbytes: int) -> bytes:
        """A copy of what lies at `position`; raises `ValueError` where nothing can."""
        begin = position % self._size
        if position < 0 or nbytes < 0 or begin + nbytes > self._size:
            raise ValueError(f"{nbytes} bytes at {position} aren't in a ring of {self._size}")
        return self._data[begin : begin + nbytes].tobytes()

    def free(self, position: int, nbytes: int) -> None:
        """What lies up to the end of these bytes was taken."""
        with self._fence:  # a lock's release is a barrier: all was read before the next line
            pass
        self._freed[0] = position + _aligned(nbytes)


def _aligned(nbytes: int) -> int:
    return -(-nbytes // ALIGN) * ALIGN

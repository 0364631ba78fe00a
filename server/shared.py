"""What gateway and worker hold together: a line between them, and memory that both see.

Role: makes the pair of sockets and the shared memory (the engine's pulse and two rings), hands them
to a child process as file descriptors, and opens them there.

Invariants: the memory has no name and needs no cleaning up: it is gone with the last process that
holds it, whatever ended that. It does not know: messages, processes.
"""

from __future__ import annotations

import mmap
import os
import socket
import tempfile
from dataclasses import dataclass

from streaming import pulse
from streaming.pulse import Pulse
from streaming.ring import HEADER, Ring

TO_ENGINE = HEADER + 32 * 2**20
"""Bytes for what goes to the engine: 170 canvases of 256²."""
FROM_ENGINE = HEADER + 96 * 2**20
"""Bytes for what comes from it: 32 pictures of 1024². Both are touched only as far as is needed."""
WHOLE = pulse.BYTES + TO_ENGINE + FROM_ENGINE


@dataclass(frozen=True, slots=True)
class Ends:
    """One process's ends: a connected stream socket and the memory's descriptor."""

    line: socket.socket
    memory: int

    @property
    def descriptors(self) -> tuple[int, int]:
        """What a child must inherit, in `opened`'s order."""
        return self.line.fileno(), self.memory

    def mapped(self) -> tuple[Ring, Ring, Pulse]:
        """(to the engine, from the engine, the engine's pulse)."""
        whole = memoryview(mmap.mmap(self.memory, WHOLE))
        beat, rings = whole[: pulse.BYTES], whole[pulse.BYTES :]
        return Ring(rings[:TO_ENGINE]), Ring(rings[TO_ENGINE:]), Pulse(beat)

    def close(self) -> None:
        """Close both; what was mapped stays."""
        self.line.close()
        os.close(self.memory)


def make() -> tuple[Ends, Ends]:
    """(the gateway's ends, the worker's)."""
    memory = _memory()
    try:
        os.ftruncate(memory, WHOLE)
        again = os.dup(memory)
    except OSError:
        os.close(memory)
        raise
    try:
        ours, theirs = socket.socketpair()
    except OSError:
        os.close(memory)
        os.close(again)
        raise
    return Ends(ours, again), Ends(theirs, memory)


def _memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("riverrun")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def opened(line: int, memory: int) -> Ends:
    """A child's ends, from the descriptors that it inherited."""
    for descriptor in (line, memory):  # not for children of its own
        os.set_inheritable(descriptor, False)
    return Ends(socket.socket(fileno=line), memory)

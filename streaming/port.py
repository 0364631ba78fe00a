"""The engine's end of the seam in a process of its own: a mailbox that reads a socket.

Role: what the gateway sends is read between ticks, straight from the socket, without a thread that
would take the interpreter from the engine; what the engine says goes out as one frame a tick.

Invariants: newer replaces unread older, as in any `Mailbox`. The gateway's end of the line means
`Stop`. The gateway always reads, so sending may block, but never for long.

It does not know: who built the socket, what the engine does.
"""

from __future__ import annotations

import socket

from streaming.mailbox import Mailbox
from streaming.messages import FromEngine, Outputs, Stop, ToEngine
from streaming.ring import Ring
from streaming.seam import TO_ENGINE, Packer, Unpacker

CHUNK = 256 * 1024


class Port(Mailbox):
    """`line`: a connected stream socket; `inward`, `outward`: the rings of each direction."""

    def __init__(self, line: socket.socket, inward: Ring, outward: Ring) -> None:
        super().__init__()
        self._line = line
        self._unpacker = Unpacker(inward, TO_ENGINE)
        self._packer = Packer(outward)
        self._said: list[FromEngine] = []

    # --- outward ----------------------------------------------------------------------------------

    def deliver(self, message: FromEngine) -> None:
        """Say something to the gateway; harmless when it is gone. Outputs wait for the figures of
        the same tick, which follow at once."""
        self._said.append(message)
        if not isinstance(message, Outputs):
            self.flush()

    def flush(self) -> None:
        """Send what was said."""
        said, self._said = self._said, []
        if not said:
            return
        try:
            self._line.sendall(self._packer.pack(said))
        except OSError:
            self.post(Stop())

    # --- inward -----------------------------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        """Whether `Stop` came, or the gateway is gone."""
        self._read(wait=False)
        return self._stopping

    def receive(self, *, block: bool, most: int | None = None) -> list[ToEngine]:
        """All that came (`most` of it), oldest first; with `block` waits until there is some."""
        self.flush()
        self._read(wait=block and not self._slots)
        return super().receive(block=False, most=most)

    def _read(self, *, wait: bool) -> None:
        """Take all that the socket holds; with `wait` until a message is whole."""
        while not self._stopping:
            try:
                data = self._line.recv(CHUNK, 0 if wait else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            messages = self._unpacker.feed(data) if data else [Stop()]
            for message in messages:
                self._keep(message)
            wait = wait and not messages
            if not wait and len(data) < CHUNK:
                return

"""What a connection needs of a socket: receive, send, close. Nothing else is asked of a transport.

Role: the seam between `serve` and whatever carries frames (starlette, websockets, a test's queue).

Invariants: `receive` and `send` raise `Disconnected` once the peer is gone, a clean close too; each
is called by one task at a time, but both at once. Text frames are `str`, binary frames `bytes`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

Take = Callable[[str | bytes], bool]
"""Handles a frame on the spot; False: it must be read by `receive`. Raises nothing."""


class Disconnected(Exception):
    """The peer is gone, politely or not. Ends the connection's tasks."""


class Transport(Protocol):
    """One socket. `send` returns when the frame is in the kernel's or a bounded buffer."""

    async def receive(self) -> str | bytes:
        """The next frame; raises `Disconnected`."""
        ...

    async def send(self, data: str | bytes) -> None:
        """Send one frame; raises `Disconnected`."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close with a WebSocket code and a reason of at most 123 bytes; harmless when closed."""
        ...


@runtime_checkable
class PromptTransport(Protocol):
    """A transport that can send without a task's step where the peer keeps up, which it mostly
    does: the waiting `send` then costs more than everything else about a picture."""

    def send_now(self, data: str | bytes, rest: bytes = b"") -> bool:
        """Send one frame, `data` and then `rest` (for bytes only), if that needs no waiting; False
        where it wasn't sent. Raises nothing."""
        ...


@runtime_checkable
class PromptSource(Protocol):
    """A transport that can hand over a frame in the turn that brought it, without a queue and a
    task's step: most frames are acknowledgements, and those cost more than what they say."""

    def listen(self, take: Take) -> None:
        """Offer frames to `take` from now on, as long as none waits for `receive`; of a burst only
        the first few, so that everybody has a turn."""
        ...

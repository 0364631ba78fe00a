"""What a connection needs of a socket: receive, send, close. Nothing else is asked of a transport.

Role: the seam between `serve` and whatever carries frames (starlette, websockets, a test's queue).

Invariants: `receive` and `send` raise `Disconnected` once the peer is gone, a clean close too; each
is called by one task at a time, but both at once. Text frames are `str`, binary frames `bytes`.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable


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

    def send_now(self, data: str | bytes) -> bool:
        """Send one frame if that needs no waiting; False where it wasn't sent. Raises nothing."""
        ...

"""A thin line: a TCP relay that lets bytes towards the client through at a given rate.

Role: stands between a client and the server as a slow access line does. What it hasn't read yet
waits in the kernel's buffers and in the server, exactly as with a slow reader.

Invariants: towards the client at most `rate` bytes/s, in slices of 10 ms; towards the server
unthrottled; a `rate` of 0 stops the line without closing it.

It does not know: WebSocket, the protocol.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

SLICE = 0.01


class Line:
    """The relay's state: set `rate` (bytes/s) at any time."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.port = 0

    async def carry(self, client: socket.socket, target: tuple[str, int]) -> None:
        """Carry one connection until either side ends it."""
        loop = asyncio.get_running_loop()
        with client, socket.socket() as server:
            for end in (client, server):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                await loop.sock_connect(server, target)
            except OSError:
                return
            tasks = [
                asyncio.create_task(self._up(client, server)),
                asyncio.create_task(self._down(server, client)),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _up(self, client: socket.socket, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while data := await loop.sock_recv(client, 65536):
                await loop.sock_sendall(server, data)

    async def _down(self, server: socket.socket, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        due = time.perf_counter()
        with suppress(OSError):
            while True:
                now = time.perf_counter()
                due = max(due, now - SLICE)  # a line that was idle doesn't save up
                if due > now or self.rate <= 0:
                    await asyncio.sleep(max(due - now, 0 if self.rate > 0 else SLICE))
                    continue
                data = await loop.sock_recv(server, max(1, int(self.rate * SLICE)))
                if not data:
                    return
                due = max(due, time.perf_counter() - SLICE) + len(data) / self.rate
                await loop.sock_sendall(client, data)


@asynccontextmanager
async def relay(host: str, port: int, rate: float) -> AsyncIterator[Line]:
    """Listen on a free port of loopback and carry what connects there to host:port."""
    line = Line(rate)
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        line.port = listener.getsockname()[1]

        async def accept() -> None:
            while True:
                client, _ = await loop.sock_accept(listener)
                task = asyncio.create_task(line.carry(client, (host, port)))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        tasks.add(asyncio.create_task(accept()))
        try:
            yield line
        finally:
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

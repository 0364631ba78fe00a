"""Runs the application in this process: socket, signals, draining, exit code.

Role: `serve(settings)` is `riverrun serve`.

Invariants: the first SIGTERM or SIGINT drains and ends with 0; a second one ends at once. The
address is printed once, when the server listens.

It does not know: routes, sessions, models.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from server.app import MEGABYTE, create_app
from server.guards import protocols
from server.logs import event, set_up
from server.settings import Settings, SettingsError

if TYPE_CHECKING:
    from server.http import House

log = logging.getLogger("riverrun.server")

SWITCH_INTERVAL = 0.0005
"""Seconds until a thread that computes in Python gives way: bursts of 3.1 ms became 0.6."""
GRACE_SECONDS = 3
BACKLOG = 1024


def serve(settings: Settings) -> int:
    """Serve until a signal comes; return the exit code. `SettingsError` where it can't begin."""
    set_up(settings.log_format, settings.log_level)
    sys.setswitchinterval(SWITCH_INTERVAL)
    listener = listen(settings.host, settings.port)
    app = create_app(settings)
    server = Server(make_config(app, settings), app.state.house, listener)
    server.run(sockets=[listener])
    return 0 if server.started else 1


def make_config(app: object, settings: Settings) -> uvicorn.Config:
    """The web server's configuration: limits, pings, no compression, no log lines of its own."""
    http, websocket = protocols(settings.hello_seconds, settings.send_seconds)
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=http,
        ws=websocket,
        ws_max_size=int(settings.max_message_mb * MEGABYTE),
        ws_per_message_deflate=False,
        ws_ping_interval=settings.ping_seconds,
        ws_ping_timeout=settings.ping_seconds,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; raises `SettingsError` where that can't be."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM,
                                   flags=socket.AI_PASSIVE)  # fmt: skip
        # "localhost" means both families; clients that try one first try this one.
        family, _, _, _, address = sorted(found, key=lambda a: a[0] != socket.AF_INET)[0]
        both = family == socket.AF_INET6 and address[0] == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(
            address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=both
        )
    except OSError as error:
        raise SettingsError(f"--host {host} --port {port}: {error.strerror or error}") from None


def address_of(listener: socket.socket, settings: Settings) -> str:
    """Where a browser on this machine finds the page."""
    port = listener.getsockname()[1]
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(
        settings.host, settings.host
    )
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn's server, which says where it is and drains before it goes."""

    def __init__(self, config: uvicorn.Config, house: House, listener: socket.socket) -> None:
        super().__init__(config)
        self._house = house
        self._listener = listener

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        where = address_of(self._listener, self._house.settings)
        event(log, "listening", url=where, models=",".join(self._house.settings.model))
        print(f"Riverrun is at {where}", flush=True)  # noqa: T201

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        event(log, "draining")
        await self._house.hub.drain(self._house.settings.drain_seconds)
        await super().shutdown(sockets)
        event(log, "stopped")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True


__all__ = ["Server", "listen", "make_config", "serve"]

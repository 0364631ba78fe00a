"""The composition root: settings in, an ASGI application out. Everything is joined here.

Role: builds hub, engine, metrics and routes, and starts and stops them with the application.

Invariants:
- Nothing global: two applications in one process share nothing.
- Models are built where the engine runs, in its own process (`server.engine_process`) or on a
  thread (`server.engine_thread`); until then the page and /healthz answer already.

It does not know: what a session or a model does, how the process is run (see `server.run`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from models.base import ModelError
from server.engine_process import EngineProcess
from server.engine_thread import ThreadedEngine
from server.generate import Generate
from server.http import House, Routes
from server.lateness import watch_loop
from server.logs import event
from server.metrics import LoggedMetrics, Metrics
from server.openapi import document
from server.problems import answer, on_bug, on_http, on_typed
from server.registry import find
from server.security import Gate, GateMiddleware
from server.settings import Settings, SettingsError
from server.static import Page, page_routes
from server.version import own_version
from server.websocket import SessionSocket
from streaming.clock import monotonic
from streaming.errors import RiverrunError
from streaming.hub import Hub
from streaming.limits import Limits
from streaming.messages import (
    Broken,
    FromEngine,
    Loaded,
    Lost,
    Outputs,
    Ready,
    Stopped,
    Ticked,
    ToEngine,
)
from streaming.protocol import PATH

log = logging.getLogger("riverrun.engine")
MEGABYTE = 2**20
ENGINE_STOP_SECONDS = 3.0
"""A device call that takes longer is killed, or left to the end of the process."""


def _refuse_twins(names: Sequence[str]) -> None:
    """Two models of one name are told at once, as a name is that there isn't."""
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(
                f"--model: two are called {name} (by the last part of their path): name one of "
                f"them, or give its folder another name"
            )


def create_app(settings: Settings) -> Starlette:
    """The application. `app.state.house` holds its parts, for whoever runs it."""
    _refuse_twins([find(name).name for name in settings.model])
    metrics = LoggedMetrics()

    def receive(message: FromEngine) -> None:
        if not isinstance(message, Outputs | Ticked):  # which come with every picture
            _note(message, metrics)
        hub.receive(message)

    def post(message: ToEngine) -> None:
        engine.post(message)

    engine = engine_of(settings)(settings, receive)
    hub = Hub(post, limits=limits_of(settings), clock=monotonic, observer=metrics)
    house = House(settings, hub, Gate(settings), metrics)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await engine.start()
        keepers = [
            asyncio.create_task(hub.run()), asyncio.create_task(watch_loop(metrics.loop_late))
        ]  # fmt: skip
        try:
            yield
        finally:
            for keeper in keepers:
                keeper.cancel()
            hub.close()
            stopped = await engine.stop(ENGINE_STOP_SECONDS)
            event(log, "engine stopped", clean=stopped)

    app = Starlette(
        routes=make_routes(house),
        middleware=[Middleware(GateMiddleware, gate=house.gate, refused=metrics.refused)],
        exception_handlers={
            RiverrunError: _counted(metrics),
            ModelError: _counted(metrics),
            HTTPException: on_http,
            Exception: on_bug,
        },
        lifespan=lifespan,
    )
    app.state.house = house
    return app


def engine_of(settings: Settings) -> type[EngineProcess] | type[ThreadedEngine]:
    """Where the engine runs: in a process of its own, where one can inherit what it needs."""
    thread = settings.engine == "thread" or (settings.engine == "auto" and os.name != "posix")
    return ThreadedEngine if thread else EngineProcess


def make_routes(house: House) -> list[BaseRoute]:
    """Every route of the server, the page's last."""
    release = own_version()
    routes = Routes(house, release)
    openapi = document(release)

    async def describe(request: Request) -> Response:
        return answer(openapi)

    version_1 = [
        WebSocketRoute(PATH.removeprefix("/v1"), SessionSocket(house.hub, house.gate)),
        Route("/models", routes.models),
        Route("/sessions", routes.open_session, methods=["POST"]),
        Route("/sessions/{session}", routes.end_session, methods=["DELETE"]),
        Route("/generate", Generate(house).handle, methods=["POST"]),
    ]
    return [
        Route("/healthz", routes.healthz),
        Route("/readyz", routes.readyz),
        Route("/metrics", routes.metrics),
        Route("/openapi.json", describe),
        # Apart, so that a wrong method here is told as such and not looked for among the files.
        Mount("/v1", routes=version_1),
        *page_routes(Page()),
    ]


def limits_of(settings: Settings) -> Limits:
    """The gateway's bounds, as the operator set them."""
    return Limits(
        max_sessions=settings.max_sessions,
        keep_seconds=settings.keep_seconds,
        history_bytes=int(settings.history_mb * MEGABYTE),
        max_message_bytes=int(settings.max_message_mb * MEGABYTE),
        hello_seconds=settings.hello_seconds,
        send_seconds=settings.send_seconds,
    )


def _note(message: FromEngine, metrics: Metrics) -> None:
    """What the engine says of itself, as figures and lines in the log."""
    match message:
        case Loaded(specs):
            names = [spec.name for spec in specs]
            metrics.expect_models(names)
            event(log, "models loaded", models=",".join(names))
        case Ready():
            metrics.ready.set(1)
            event(log, "ready")
        case Broken(reason):
            metrics.ready.set(0)
            event(log, "engine broken", level=logging.ERROR, reason=reason)
        case Lost():
            metrics.engine_lost()
        case Stopped():
            metrics.ready.set(0)
        case _:
            return


def _counted(metrics: Metrics) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handler(request: Request, error: Exception) -> Response:
        metrics.refused(getattr(error, "code", "internal"))
        return await on_typed(request, error)

    return handler

"""The plain HTTP routes: health, readiness, metrics, models, sessions.

Role: each route reads a request, asks the hub, and answers JSON; errors are typed (see
`server.problems`). `GET` answers also to `HEAD`.

It does not know: WebSockets, the engine.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from server.metrics import CONTENT_TYPE, Metrics
from server.problems import TooLarge, answer
from server.security import Gate, bearer
from server.settings import Settings
from streaming import readiness
from streaming.describe import model_info
from streaming.errors import BadEdit, BadMessage, TooSlow, WrongSecret
from streaming.hub import Hub
from streaming.protocol import PATH, ModelInfo

SECRET_HEADER = "X-Riverrun-Secret"


@dataclass(frozen=True, slots=True)
class House:
    """What the routes share: the parts of one server."""

    settings: Settings
    hub: Hub
    gate: Gate
    metrics: Metrics

    @property
    def max_body(self) -> int:
        """The largest request body in bytes: a message's limit, grown by base64."""
        return int(self.settings.max_message_mb * 2**20 * 4 / 3) + 65536


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    alive: bool
    version: str


class Readiness(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether requests are served now, and if not why, and how far it is."""

    ready: bool
    state: str
    stage: str = ""
    fraction: float = 0.0
    seconds_left: float | None = None
    message: str = ""


class Models(msgspec.Struct, frozen=True):
    """The models that are served, and the one that is taken where none is named."""

    default: str
    models: tuple[ModelInfo, ...]


class OpenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Open a session; without `model` it is the default one."""

    model: Annotated[str, Meta(max_length=200)] | None = None


class Opened(msgspec.Struct, frozen=True):
    """Connect to `url` and say hello with `session` and `secret`."""

    url: str
    session: str
    secret: str


class Routes:
    """The handlers of one house."""

    def __init__(self, house: House, version: str) -> None:
        self._house = house
        self._version = version

    async def healthz(self, request: Request) -> Response:
        """Alive, whatever the model does."""
        return answer(Alive(True, self._version))

    async def readyz(self, request: Request) -> Response:
        """200 once requests are served, else 503 with the reason."""
        body = ready_body(self._house.hub.readiness)
        return answer(body, status=200 if body.ready else 503)

    async def metrics(self, request: Request) -> Response:
        """Prometheus' text format."""
        self.authorize(request)
        return Response(self._house.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def models(self, request: Request) -> Response:
        """All that a client may know of each model."""
        self.authorize(request)
        specs = self._house.hub.served()
        return answer(Models(specs[0].name, tuple(map(model_info, specs))))

    async def open_session(self, request: Request) -> Response:
        """A new session, and where to connect to it."""
        self.authorize(request)
        body = await read_body(request, self._house)
        wish = parse_body(body or b"{}", OpenRequest)
        session = self._house.hub.open(wish.model)
        opened = Opened(socket_url(request, self._house.settings), session.id, session.secret)
        return answer(opened, status=201, headers={"Location": f"/v1/sessions/{session.id}"})

    async def end_session(self, request: Request) -> Response:
        """End a session, for who has its secret."""
        secret = request.headers.get(SECRET_HEADER)
        if self._house.settings.token:
            self.authorize(request)
        elif secret is None:
            secret = bearer(request.headers)
        if secret is None:
            raise WrongSecret("the session's secret is missing", remedy=f"Send {SECRET_HEADER}.")
        session = self._house.hub.resume(request.path_params["session"], secret)
        self._house.hub.end(session, "deleted")
        return Response(status_code=204)

    def authorize(self, request: Request) -> None:
        """Raise `Unauthorized` unless the request may use this server."""
        self._house.gate.check_token(bearer(request.headers))


def ready_body(now: readiness.Readiness) -> Readiness:
    """The hub's readiness as the body of /readyz."""
    return Readiness(
        now.state == "ready", now.state, now.stage, now.fraction, now.seconds_left, now.message
    )


def socket_url(request: Request, settings: Settings) -> str:
    """The address of the session socket as this client reaches it: ws(s)://host/v1/session."""
    if settings.public_url:
        return "ws" + settings.public_url.removeprefix("http") + PATH
    scheme = "wss" if request.url.scheme in ("https", "wss") else "ws"
    return f"{scheme}://{request.headers['host']}{PATH}"


async def read_body(request: Request, house: House) -> bytes:
    """The whole body; raises `TooLarge` as soon as it is, `TooSlow` where it doesn't come."""
    limit = house.max_body
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise TooLarge(f"the body is {length[:20]} bytes long, at most {limit} are read")
    body = bytearray()
    try:
        async with asyncio.timeout(6 * house.settings.send_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise TooLarge(f"the body is longer than the {limit} bytes that are read")
    except TimeoutError:
        raise TooSlow("the body didn't come in time") from None
    except ClientDisconnect:
        raise BadMessage("the body was cut short") from None
    return bytes(body)


def parse_body(body: bytes, kind: Any) -> Any:
    """`body` as a struct of `kind`; raises `BadMessage` (no JSON) or `BadEdit` (wrong fields)."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise BadEdit(str(error), remedy="See /openapi.json for the fields.") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadMessage(f"the body isn't JSON: {error}") from None

"""Who may talk to this server: Host, Origin and token, and the headers that bind the page.

Role: a server on a person's own machine can be reached by every web page which that person opens.
The Host check stops a foreign name that was made to point here (DNS rebinding), the Origin check
stops foreign pages, the token stops everybody who doesn't know it.

Invariants:
- Both checks happen before a request's body is read or a WebSocket is accepted.
- Secrets are compared in constant time.
- A request without an Origin isn't a page's: it passes the Origin check.

It does not know: routes, sessions.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.problems import problem
from server.settings import LOOPBACK_NAMES, Settings
from streaming.errors import RiverrunError, Unauthorized

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,300}")
PAGE_POLICY = "; ".join((
    "default-src 'self'",
    "img-src 'self' blob: data:",
    "connect-src 'self' ws: wss:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
))  # fmt: skip
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class ForeignHost(RiverrunError):
    """The Host header names a host that this server doesn't answer to."""

    code = "foreign_host"
    status = 403


class ForeignOrigin(RiverrunError):
    """A page of another origin asks."""

    code = "foreign_origin"
    status = 403


class Gate:
    """The rules of one server, from its settings."""

    def __init__(self, settings: Settings) -> None:
        self._token = settings.token.encode()
        public = urlsplit(settings.public_url)
        self._origins = frozenset(settings.allow_origin) | (
            {f"{public.scheme}://{public.netloc}".lower()} if settings.public_url else set()
        )
        names = {*LOOPBACK_NAMES, settings.host.lower(), public.hostname or "", *map(
            _bare, settings.allow_host)}  # fmt: skip
        self._hosts = frozenset(names - {""})
        # A name can be made to point here, an address can't; but on a loopback server any other
        # address is a stranger's too.
        self._any_address = not settings.loopback

    def check_host(self, host: str | None) -> None:
        """Raise `ForeignHost` unless the Host header names this server."""
        name = _host_name(host or "")
        if name in self._hosts or "*" in self._hosts or _is_loopback_address(name):
            return
        if self._any_address and _is_address(name):
            return
        raise ForeignHost(
            f"this server doesn't answer to the host {name[:200]!r}",
            remedy="Start it with --allow-host and this name, if it is yours.",
        )

    def check_origin(self, origin: str | None, host: str | None) -> None:
        """Raise `ForeignOrigin` unless the page is this server's own or an allowed one's."""
        if origin is None or self.allows(origin) or _same_place(origin, host or ""):
            return
        raise ForeignOrigin(
            f"pages of {origin[:200]!r} may not use this server",
            remedy="Start it with --allow-origin and this origin, if it is yours.",
        )

    def allows(self, origin: str) -> bool:
        """Whether `origin` is one that the operator named."""
        return origin.lower() in self._origins or "*" in self._origins

    def check_token(self, token: str | None) -> None:
        """Raise `Unauthorized` where the operator asks for a token and this isn't it."""
        if not self._token:
            return
        if token is None:
            raise Unauthorized("this server asks for a token")
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self._token):
            raise Unauthorized("the token is wrong")


def bearer(headers: Headers) -> str | None:
    """The token of an Authorization header, or None."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None


class GateMiddleware:
    """Checks Host and Origin of every request and upgrade, and sets the headers for safety.

    `refused` is told the code of each refusal. Pages of allowed foreign origins get the CORS
    headers that let them read the answers.
    """

    def __init__(self, app: ASGIApp, gate: Gate, refused: Callable[[str], None]) -> None:
        self.app = app
        self.gate = gate
        self.refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin, host = headers.get("origin"), headers.get("host")
        try:
            self.gate.check_host(host)
            self.gate.check_origin(origin, host)
        except RiverrunError as error:
            self.refused(error.code)
            await problem(error)(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and origin is not None:
            await _preflight(origin)(scope, receive, send)
        else:
            await self.app(scope, receive, _with_headers(send, origin))


def _with_headers(send: Send, origin: str | None) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SAFE_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            if origin is not None:
                headers["Access-Control-Allow-Origin"] = origin
                headers["Access-Control-Expose-Headers"] = "*"
                headers.add_vary_header("Origin")
        await send(message)

    return send_with


def _preflight(origin: str) -> Response:
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "GET, POST, DELETE",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Riverrun-Secret",
            "Access-Control-Max-Age": "600",
            "Vary": "Origin",
        },
    )


def _same_place(origin: str, host: str) -> bool:
    """Whether `origin` is the very host and port that the request went to."""
    try:
        page = urlsplit(origin)
        port = page.port or DEFAULT_PORTS.get(page.scheme)
        here = urlsplit("//" + host)
        asked = here.port
    except ValueError:
        return False
    if page.scheme not in DEFAULT_PORTS or not page.hostname:
        return False
    # Behind a proxy that ends TLS the Host has no port whatever the scheme.
    same_port = port == asked if asked is not None else port in (80, 443)
    names: Iterable[str | None] = (page.hostname, here.hostname)
    return same_port and (page.hostname == here.hostname or all(map(_is_loopback_name, names)))


def _host_name(host: str) -> str:
    if not _HOST.fullmatch(host):
        return ""
    try:
        return (urlsplit("//" + host).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _bare(host: str) -> str:
    return host if host == "*" else _host_name(host)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback_address(name: str) -> bool:
    return _is_address(name) and ipaddress.ip_address(name).is_loopback


def _is_loopback_name(name: str | None) -> bool:
    return name is not None and (name in LOOPBACK_NAMES or _is_loopback_address(name))

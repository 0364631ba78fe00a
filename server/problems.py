"""A typed error as the body of an HTTP answer: `{code, message, remedy, retryable}`.

Role: the one place where errors become answers, for the routes and for what comes before them.

It does not know: what went wrong, or sessions.
"""

from __future__ import annotations

import logging

import msgspec
import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from models.base import InvalidParameter, ModelError
from streaming.errors import BadEdit, RiverrunError

log = logging.getLogger("riverrun.http")


class Problem(msgspec.Struct, frozen=True):
    """What an HTTP client is told when something was refused or failed."""

    code: str
    message: str
    remedy: str = ""
    retryable: bool = False


class TooLarge(RiverrunError):
    """A request body over the limit."""

    code = "too_large"
    status = 413


class Internal(RiverrunError):
    """Something that should not have happened; the log knows more."""

    remedy = "The server's log has the details."


def as_riverrun(error: RiverrunError | ModelError) -> RiverrunError:
    """A model's own complaint (`InvalidParameter` and its like) as an error of the house."""
    if isinstance(error, RiverrunError):
        return error
    if isinstance(error, InvalidParameter):
        return BadEdit(str(error))
    return Internal(str(error))


def body_of(error: RiverrunError) -> Problem:
    """The body that tells `error`."""
    return Problem(error.code, error.message, error.remedy, error.retryable)


def problem(error: RiverrunError | ModelError) -> Response:
    """The answer that tells `error`, with Retry-After where trying again can help."""
    told = as_riverrun(error)
    headers = {"Retry-After": "2"} if told.retryable else {}
    if told.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return answer(body_of(told), status=told.status, headers=headers)


def answer(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """`body` (a struct or plain data) as JSON."""
    data = orjson.dumps(msgspec.to_builtins(body))
    return Response(data, status, headers, media_type="application/json")


async def on_typed(request: Request, error: Exception) -> Response:
    """Starlette's handler for typed errors."""
    assert isinstance(error, RiverrunError | ModelError)
    return problem(error)


async def on_http(request: Request, error: Exception) -> Response:
    """Starlette's handler for its own errors: unknown paths, wrong methods."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
    body = Problem(code, f"{request.method} {request.url.path[:200]}: {error.detail}")
    return answer(body, status=error.status_code, headers=dict(error.headers or {}))


async def on_bug(request: Request, error: Exception) -> Response:
    """Starlette's handler for what nobody expected: told plainly, logged by the server."""
    return problem(Internal("the server made a mistake with this request"))

"""Every error a client can be told, as one small tree.

Role: a typed error says what was wrong, whose fault it was, whether trying again can help, and what
to do. It becomes an `error` message on a socket and a problem body on HTTP.

It does not know: sockets, HTTP, models (a model's own errors are translated by the engine's seam).
"""

from __future__ import annotations

from typing import ClassVar


class RiverrunError(Exception):
    """The root. `status` is the HTTP status that says the same; `close` the WebSocket code where
    the connection can't go on (None: it goes on)."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    status: ClassVar[int] = 500
    close: ClassVar[int | None] = None
    remedy: str = ""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy or type(self).remedy


class BadMessage(RiverrunError):
    """Not a message of the protocol: no JSON, an unknown type or field, a wrong binary header."""

    code = "bad_message"
    status = 400
    remedy = "See docs/protocol.md for every message and its fields."


class HelloExpected(BadMessage):
    """Something else came before `hello`, or nothing came in time."""

    code = "hello_expected"
    close = 4400
    remedy = "Send a hello message first, within ten seconds."


class UnsupportedVersion(BadMessage):
    """A protocol version that this server doesn't speak."""

    code = "unsupported_version"
    close = 4400


class BadEdit(RiverrunError):
    """A well-formed edit that can't be applied: nothing was changed."""

    code = "invalid_parameter"
    status = 422


class BadPicture(BadEdit):
    """A canvas or tile that isn't a picture, is truncated or animated, or is absurdly large."""

    code = "bad_picture"
    remedy = "Send one still PNG, JPEG or WebP picture."


class WrongSize(BadEdit):
    """A canvas that doesn't fit the session, or a tile that leaves the canvas."""

    code = "wrong_size"


class NothingToUndo(BadEdit):
    """Undo or redo with nothing left in the history."""

    code = "nothing_to_undo"
    status = 409


class UnknownModel(RiverrunError):
    """A model that this server doesn't serve."""

    code = "unknown_model"
    status = 404
    close = 4404


class UnknownSession(RiverrunError):
    """The session never was, has ended, or has expired."""

    code = "unknown_session"
    status = 404
    close = 4404
    remedy = "Open a new session and send the canvas and parameters again."


class WrongSecret(RiverrunError):
    """The secret isn't this session's."""

    code = "wrong_secret"
    status = 403
    close = 4403


class Unauthorized(RiverrunError):
    """No token, or a wrong one, where the operator asks for one."""

    code = "unauthorized"
    status = 401
    close = 4401
    remedy = "Send the server's token: an Authorization header, or `token` in hello."


class Busy(RiverrunError):
    """No room for another session or request now."""

    code = "busy"
    retryable = True
    status = 503
    close = 1013
    remedy = "Try again in a few seconds."


class NotReady(Busy):
    """The model isn't warm yet."""

    code = "not_ready"


class ModelFailed(NotReady):
    """No model serves, and none will until somebody has acted."""

    retryable = False
    remedy = "The server's log and /readyz say why; its operator must act."


class Draining(Busy):
    """The server is going away; another one, or this one restarted, will take the session."""

    code = "draining"
    close = 1012


class TooSlow(RiverrunError):
    """A client that doesn't read: its replies piled up over the limit."""

    code = "too_slow"
    status = 408
    close = 4408
    retryable = True


class JobFailed(RiverrunError):
    """The model failed this request, or what it made was withheld; the session goes on. `code` is
    the model's own, or "withheld"."""

    code = "model_error"
    status = 500
    STATUS: ClassVar[dict[str, int]] = {
        "invalid_parameter": 422,
        "withheld": 422,
        "resource_exhausted": 503,
    }

    def __init__(self, message: str, *, code: str, retryable: bool) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]
        self.retryable = retryable  # type: ignore[misc]
        self.status = self.STATUS.get(code, 500)  # type: ignore[misc]

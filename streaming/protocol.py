"""The wire protocol, version 1: every message, the binary headers, and their codec.

Role: bytes in, typed messages out, and back. `docs/protocol.md` describes it, the files in
`tests/golden/` pin it, and `docs/protocol.schema.json` is generated from the types here.

Invariants:
- Text frames are JSON objects with a `type`; unknown types and fields are refused, not ignored.
- Binary frames are a fixed big-endian header and the bytes of one encoded picture.
- Decoding never touches a picture's pixels, and raises nothing but `BadMessage`.

It does not know: sockets, sessions, models. It imports nothing of `models`, so that a creative
tool can use it without torch.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
import orjson
from msgspec import Meta, Struct

from streaming.errors import BadMessage, RiverrunError
from streaming.media import (
    FLAG_FINAL as FLAG_FINAL,
    FLAG_REPLAY as FLAG_REPLAY,
    FORMATS as FORMATS,
    KIND_CANVAS as KIND_CANVAS,
    KIND_CANVAS_STATE as KIND_CANVAS_STATE,
    KIND_PICTURE as KIND_PICTURE,
    KIND_TILE as KIND_TILE,
    VERSION as VERSION,
    CanvasState as CanvasState,
    Format as Format,
    PictureEdit as PictureEdit,
    PictureFrame as PictureFrame,
    StageTimes as StageTimes,
    decode_client_binary as decode_client_binary,
    decode_server_binary as decode_server_binary,
    encode_canvas_state as encode_canvas_state,
    encode_picture as encode_picture,
    encode_picture_edit as encode_picture_edit,
    picture_edit_id,
    picture_header as picture_header,
)

PATH = "/v1/session"
LENIENT_BYTES = 64 << 10
"""An edit that isn't of the protocol is looked through for its id up to this size: within 2 ms."""

EditId = Annotated[
    int, Meta(ge=1, le=2**32 - 1, description="Increasing for each edit of a client.")
]
Group = Annotated[
    int, Meta(ge=0, le=2**32 - 1, description="Edits of one gesture share it; 0: alone.")
]
ParamValue = str | int | float | bool


class Message(
    Struct, tag_field="type", forbid_unknown_fields=True, frozen=True, omit_defaults=True
):
    """A JSON message."""


# --- client to server ---------------------------------------------------------------------------


class Hello(Message, tag="hello", frozen=True):
    """First message of a connection: open a session, or come back to one."""

    version: int
    client: Annotated[str, Meta(max_length=64)] = ""
    session: Annotated[str, Meta(max_length=64)] | None = None
    secret: Annotated[str, Meta(max_length=128)] | None = None
    model: Annotated[str, Meta(max_length=200)] | None = None
    token: Annotated[str, Meta(max_length=256)] | None = None
    credits: Annotated[int, Meta(ge=1, le=8)] = 2
    format: Format = "jpeg"
    quality: Annotated[int, Meta(ge=1, le=100)] = 80
    pictures: bool = True
    previews: bool = True


class Params(Message, tag="params", frozen=True):
    """Edit: set any subset of the model's parameters. With `passing` they hold until the session's
    next edit that changes something, which begins from what was before, and undo knows nothing of
    them: that is for what the client does of itself, a finer picture at rest for one."""

    id: EditId
    params: dict[Annotated[str, Meta(max_length=64)], ParamValue]
    group: Group = 0
    passing: bool = False


class Clear(Message, tag="clear", frozen=True):
    """Edit: take the canvas away; the model decides everything."""

    id: EditId
    group: Group = 0


class Undo(Message, tag="undo", frozen=True):
    """Edit: take back the newest gesture."""

    id: EditId


class Redo(Message, tag="redo", frozen=True):
    """Edit: do again what was undone."""

    id: EditId


class Demand(Message, tag="demand", frozen=True):
    """What this connection wants from now on. Nothing is rendered for a session nobody looks at."""

    pictures: bool
    previews: bool = True


class Ack(Message, tag="ack", frozen=True):
    """The picture `sequence`, and all before it, were shown: their credits are free again."""

    sequence: Annotated[int, Meta(ge=0, le=2**32 - 1)]


class Ping(Message, tag="ping", frozen=True):
    """Ask for the server's clock. `at` is the client's, in ms, and comes back."""

    at: float


class End(Message, tag="end", frozen=True):
    """End the session now; nothing of it is kept."""


ClientMessage = Hello | Params | Clear | Undo | Redo | Demand | Ack | Ping | End

# --- server to client ---------------------------------------------------------------------------


class ParameterInfo(Struct, frozen=True, omit_defaults=True):
    """One value that a client may set; see `models.base.Parameter`."""

    name: str
    type: Literal["string", "integer", "number", "boolean"]
    default: ParamValue
    title: str = ""
    description: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    max_length: int | None = None
    choices: tuple[ParamValue, ...] = ()


class InputInfo(Struct, frozen=True):
    """A picture that a client may send: its exact size and the colour of "nothing here"."""

    name: str
    width: int
    height: int
    background: tuple[int, int, int]


class TrackInfo(Struct, frozen=True):
    """A stream of outputs."""

    name: str
    medium: Literal["picture", "video", "audio"]
    width: int
    height: int
    rate: float


class SwatchInfo(Struct, frozen=True):
    """A material and the canvas colour that means it."""

    name: str
    color: tuple[int, int, int]


class WordGroupInfo(Struct, frozen=True):
    """Prompt words that the model certainly understands."""

    name: str
    words: tuple[str, ...]
    synonyms: tuple[str, ...] = ()


class ModelInfo(Struct, frozen=True):
    """What a client may know of a model; the page builds its controls from it."""

    name: str
    title: str
    parameters: tuple[ParameterInfo, ...]
    inputs: tuple[InputInfo, ...]
    tracks: tuple[TrackInfo, ...]
    palette: tuple[SwatchInfo, ...] = ()
    vocabulary: tuple[WordGroupInfo, ...] = ()
    description: str = ""
    licence: str = ""
    max_batch: int = 1


class HistoryInfo(Struct, frozen=True):
    """How many gestures can be undone and redone; `truncated`: older ones were let go for space."""

    undo: int
    redo: int
    truncated: bool = False


class Welcome(Message, tag="welcome", frozen=True):
    """Answer to `hello`. Keep `session` and `secret`: with them a client comes back."""

    version: int
    session: str
    secret: str
    resumed: bool
    revision: int
    last_edit: int
    params: dict[str, ParamValue]
    canvas: bool
    history: HistoryInfo
    model: ModelInfo
    keep_seconds: float
    max_message_bytes: int


class Accepted(Message, tag="accepted", frozen=True):
    """The edit `id` is part of the session as of `revision`."""

    id: int
    revision: int
    undo: int
    redo: int


class State(Message, tag="state", frozen=True):
    """The session's state where the client can't know it: after undo, redo, or another's edit.
    If `canvas` is true, a binary canvas of the same revision follows."""

    revision: int
    params: dict[str, ParamValue]
    canvas: bool
    history: HistoryInfo


class Error(Message, tag="error", frozen=True):
    """Something was refused or failed. `id`: of the edit; `revision`: of the job that failed."""

    code: str
    message: str
    remedy: str = ""
    retryable: bool = False
    id: int | None = None
    revision: int | None = None


class Status(Message, tag="status", frozen=True):
    """How the server is. While `warming`, `fraction` (0..1) and `seconds_left` say how far."""

    state: Literal["warming", "ready", "busy", "failed"]
    stage: str = ""
    fraction: float = 0.0
    seconds_left: float | None = None
    message: str = ""


class DrainingNotice(Message, tag="draining", frozen=True):
    """The server is about to go; come back with these after `retry_seconds`."""

    session: str
    secret: str
    retry_seconds: float


class Moved(Message, tag="moved", frozen=True):
    """The session lives elsewhere: connect to `url` with the same session and secret."""

    url: str


class Pong(Message, tag="pong", frozen=True):
    """`at` as in the ping, `server` the server's clock in ms when it was read."""

    at: float
    server: float


class Ended(Message, tag="ended", frozen=True):
    """The session is over; nothing of it is kept."""


ServerMessage = Welcome | Accepted | State | Error | Status | DrainingNotice | Moved | Pong | Ended

ClientFrame = ClientMessage | PictureEdit
ServerFrame = ServerMessage | PictureFrame | CanvasState

_client: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_server: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)


def encode_text(message: Message) -> str:
    """A JSON message as the text of one frame."""
    return orjson.dumps(msgspec.to_builtins(message)).decode()


def decode_client_text(text: str | bytes) -> ClientMessage:
    """The message of a client's text frame; raises `BadMessage`."""
    try:
        return _client.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadMessage(f"not a message of the protocol: {error}") from None


class _Named(Struct):
    """What is read of an edit that was refused."""

    type: Literal["params", "clear", "undo", "redo"]
    id: EditId


def edit_id(frame: str | bytes) -> int | None:
    """The id of the edit that a refused frame was meant to be, for the refusal to name it; None
    where none can be read. Takes the NaN that some clients write, as JSON doesn't."""
    if isinstance(frame, bytes):
        return picture_edit_id(frame)
    if len(frame) > LENIENT_BYTES:
        return None
    try:
        return msgspec.convert(json.loads(frame), _Named).id
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None


def decode_server_text(text: str | bytes) -> ServerMessage:
    """The message of a server's text frame; raises `BadMessage`."""
    try:
        return _server.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadMessage(f"not a message of the protocol: {error}") from None


def error_message(error: RiverrunError, *, id: int | None = None) -> Error:
    """A typed error as the message that a client is sent."""
    return Error(error.code, error.message, error.remedy, error.retryable, id)


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of all text messages, generated from the types above."""
    (client, server), definitions = msgspec.json.schema_components(
        [ClientMessage, ServerMessage], ref_template="#/$defs/{name}"
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Riverrun wire protocol, version 1",
        "$defs": {"ClientMessage": client, "ServerMessage": server, **definitions},
    }


if __name__ == "__main__":
    print(orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2).decode())  # noqa: T201

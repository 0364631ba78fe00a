"""The binary frames of the wire protocol: canvases up, pictures down.

Role: a fixed big-endian header and the bytes of one encoded picture; its layout stands in
`docs/protocol.md`. Use it through `streaming.protocol`, which exports all of it.

Invariants: decoding never touches a picture's pixels and raises nothing but `BadMessage`.

It does not know: JSON messages, sockets, sessions, models.
"""

from __future__ import annotations

import struct
from typing import Literal

from msgspec import Struct

from streaming.errors import BadMessage

VERSION = 1

Format = Literal["jpeg", "webp", "png"]
FORMATS: tuple[Format, ...] = ("jpeg", "webp", "png")

KIND_CANVAS = 1
KIND_TILE = 2
KIND_PICTURE = 16
KIND_CANVAS_STATE = 17

FLAG_FINAL = 1
FLAG_REPLAY = 2

_EDIT = struct.Struct(">BBHIIHH")
_PICTURE = struct.Struct(">BBBBHBBIIIHHQdd6f")
_CANVAS_STATE = struct.Struct(">BBBBI")


class PictureEdit(Struct, frozen=True):
    """Edit: a whole canvas, or (`tile`) a part of it whose upper left corner lies at x, y."""

    id: int
    group: int
    x: int
    y: int
    tile: bool
    data: bytes


class StageTimes(Struct, frozen=True):
    """Milliseconds: `queue` edit received → begun, `begin` text and canvas encoding, `step` all
    model steps, `decode` latents → pixels, `wait` for a credit, `encode` to JPEG and its like."""

    queue: float = 0.0
    begin: float = 0.0
    step: float = 0.0
    decode: float = 0.0
    wait: float = 0.0
    encode: float = 0.0


class PictureFrame(Struct, frozen=True):
    """An encoded picture. `received` and `sent` are the server's clock in ms: when the newest edit
    in it arrived, and when it was handed to the socket. `pts`: µs on the session's clock."""

    track: int
    step: int
    steps: int
    sequence: int
    revision: int
    job: int
    width: int
    height: int
    pts: int
    received: float
    sent: float
    times: StageTimes
    format: Format
    final: bool
    replay: bool
    data: bytes


class CanvasState(Struct, frozen=True):
    """The session's canvas at `revision`, after undo, redo or a resume."""

    revision: int
    format: Format
    data: bytes


def encode_picture_edit(edit: PictureEdit) -> bytes:
    """A canvas or tile as the bytes of one frame."""
    kind = KIND_TILE if edit.tile else KIND_CANVAS
    return _EDIT.pack(VERSION, kind, 0, edit.id, edit.group, edit.x, edit.y) + edit.data


def decode_client_binary(data: bytes) -> PictureEdit:
    """The edit of a client's binary frame; raises `BadMessage`. The picture isn't looked at."""
    if len(data) <= _EDIT.size:
        raise BadMessage(f"a binary edit has {_EDIT.size} bytes of header and then a picture")
    version, kind, flags, edit, group, x, y = _EDIT.unpack_from(data)
    if version != VERSION:
        raise BadMessage(f"binary header of version {version}, this server speaks {VERSION}")
    if kind not in (KIND_CANVAS, KIND_TILE):
        raise BadMessage(f"unknown kind {kind} in a binary header")
    if flags or edit == 0 or (kind == KIND_CANVAS and (x or y)):
        raise BadMessage("a binary header with flags, an edit id of 0, or a canvas with an offset")
    return PictureEdit(edit, group, x, y, kind == KIND_TILE, data[_EDIT.size :])


def picture_edit_id(data: bytes) -> int | None:
    """The edit id of a binary frame that may be refused, if it has one."""
    if len(data) < 8 or data[0] != VERSION or data[1] not in (KIND_CANVAS, KIND_TILE):
        return None
    return int.from_bytes(data[4:8], "big") or None


def encode_picture(frame: PictureFrame) -> bytes:
    """A picture as the bytes of one frame."""
    return picture_header(frame) + frame.data


def picture_header(frame: PictureFrame) -> bytes:
    """What comes before the picture's own bytes, for who sends both without joining them."""
    flags = FLAG_FINAL * frame.final | FLAG_REPLAY * frame.replay
    times = frame.times
    return _PICTURE.pack(
        VERSION, KIND_PICTURE, flags, FORMATS.index(frame.format) + 1, frame.track,
        frame.step, frame.steps, frame.sequence, frame.revision, frame.job,
        frame.width, frame.height, frame.pts, frame.received, frame.sent,
        times.queue, times.begin, times.step, times.decode, times.wait, times.encode,
    )  # fmt: skip


def encode_canvas_state(canvas: CanvasState) -> bytes:
    """The canvas that a client is told after undo, redo or a resume."""
    head = (VERSION, KIND_CANVAS_STATE, 0, FORMATS.index(canvas.format) + 1, canvas.revision)
    return _CANVAS_STATE.pack(*head) + canvas.data


def decode_server_binary(data: bytes) -> PictureFrame | CanvasState:
    """The picture or canvas of a server's binary frame; raises `BadMessage`."""
    if len(data) < _CANVAS_STATE.size or data[0] != VERSION:
        raise BadMessage("a binary frame that is too short or of another version")
    if data[1] == KIND_CANVAS_STATE:
        _, _, _, code, revision = _CANVAS_STATE.unpack_from(data)
        return CanvasState(revision, _format(code), data[_CANVAS_STATE.size :])
    if data[1] != KIND_PICTURE or len(data) < _PICTURE.size:
        raise BadMessage(f"unknown kind {data[1]} in a binary header, or a header cut short")
    return _decode_picture(data)


def _decode_picture(data: bytes) -> PictureFrame:
    head = _PICTURE.unpack_from(data)
    _, _, flags, code, track, step, steps, sequence, revision, job, width, height = head[:12]
    pts, received, sent = head[12:15]
    return PictureFrame(
        track, step, steps, sequence, revision, job, width, height, pts, received, sent,
        StageTimes(*head[15:]), _format(code), bool(flags & FLAG_FINAL),
        bool(flags & FLAG_REPLAY), data[_PICTURE.size :],
    )  # fmt: skip


def _format(code: int) -> Format:
    if not 1 <= code <= len(FORMATS):
        raise BadMessage(f"unknown picture format {code} in a binary header")
    return FORMATS[code - 1]

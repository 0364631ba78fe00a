"""What a person hands to the client, as what goes on the wire: addresses, values, pictures, errors.

Role: the client's conversions, each a pure function. Invariants: a picture that is encoded already
is sent as it is; arrays and images go as PNG; what can't go on the wire is refused here, with the
error that the server would give. It does not know: sockets, sessions.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from operator import index
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from streaming import errors
from streaming.errors import BadEdit, BadPicture, JobFailed, RiverrunError, WrongSize
from streaming.protocol import PATH, Error, ParamValue

Drawing = bytes | str | Path | Image.Image | NDArray[np.uint8]
"""Encoded bytes, a file's path, an image, or uint8 pixels of shape (height, width, 3 or 4)."""


def address(url: str) -> str:
    """The WebSocket address of a server: `http://host:port`, `ws://host`, or the whole thing."""
    parts = urlsplit(url if "://" in url else f"ws://{url}")
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    if scheme not in ("ws", "wss") or not parts.netloc:
        raise ValueError(f"not an address of a server: {url!r}")
    path = PATH if parts.path in ("", "/") else parts.path
    return urlunsplit((scheme, parts.netloc, path, parts.query, ""))


def checked(params: Mapping[str, ParamValue | np.generic]) -> dict[str, ParamValue]:
    """Parameters as plain values; NumPy's scalars are taken. Raises `BadEdit` for what JSON can't
    say: `nan` and infinity, `None`, lists, integers of more than 64 bits, broken text."""
    return {name: _value(name, value) for name, value in params.items()}


def _value(name: str, value: ParamValue | np.generic) -> ParamValue:
    plain = value.item() if isinstance(value, np.generic) else value
    if not isinstance(plain, str | int | float):  # a bool is an int
        kind = type(value).__name__
        raise BadEdit(f"{name}: is a {kind}, must be a number, a text, or true or false")
    if isinstance(plain, float) and not math.isfinite(plain):
        raise BadEdit(f"{name}: is {plain}, must be a finite number")
    if isinstance(plain, int) and not -(2**63) <= plain < 2**64:
        raise BadEdit(f"{name}: is an integer of more than 64 bits")
    if isinstance(plain, str) and not _is_text(plain):
        raise BadEdit(f"{name}: has half of a surrogate pair in it, which is no text")
    return plain


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def corner(x: int, y: int) -> tuple[int, int]:
    """Where a tile lies, as the wire's plain integers; raises `WrongSize` for a place off it."""
    x, y = index(x), index(y)
    if not (0 <= x < 2**16 and 0 <= y < 2**16):
        raise WrongSize(f"a tile at {x}, {y} leaves the canvas")
    return x, y


def gesture(group: int) -> int:
    """The number of a gesture, 0 for none; raises `BadEdit` for one that isn't of 32 bits."""
    group = index(group)
    if not 0 <= group < 2**32:
        raise BadEdit(f"group: is {group}, must be from 0 to {2**32 - 1}")
    return group


def encoded(drawing: Drawing) -> bytes:
    """The bytes of a picture. Blocks for a file or an encoder; raises OSError, ValueError, and
    `BadPicture` where there are none."""
    data = _encoded(drawing)
    if not data:
        raise BadPicture("the picture has no bytes")
    return data


def _encoded(drawing: Drawing) -> bytes:
    if isinstance(drawing, bytes):
        return drawing
    if isinstance(drawing, str | Path):
        return Path(drawing).read_bytes()
    if not isinstance(drawing, Image.Image):
        drawing = Image.fromarray(drawing)
    out = io.BytesIO()
    drawing.save(out, "PNG")
    return out.getvalue()


def with_tile(canvas: bytes | None, size: tuple[int, int], x: int, y: int, tile: bytes) -> bytes:
    """The canvas after a tile was laid on it, as PNG. Without a canvas, on transparency: the
    server's background shows through."""
    below = Image.open(io.BytesIO(canvas)) if canvas else Image.new("RGBA", size)
    picture = below.convert("RGBA")
    picture.paste(Image.open(io.BytesIO(tile)).convert("RGBA"), (x, y))
    return encoded(picture)


def _by_code(kind: type[RiverrunError]) -> dict[str, type[RiverrunError]]:
    found = {kind.code: kind}
    for child in kind.__subclasses__():
        if child is not JobFailed and child.__module__ == errors.__name__:
            found = {**_by_code(child), **found}
    return found


_ERRORS = _by_code(RiverrunError)


def typed_error(error: Error) -> RiverrunError:
    """The error that the server raised, as the same type."""
    if error.revision is not None:
        return JobFailed(error.message, code=error.code, retryable=error.retryable)
    kind = _ERRORS.get(error.code, RiverrunError)
    made = kind(error.message, remedy=error.remedy)
    told: Any = made
    told.code, told.retryable = error.code, error.retryable
    return made

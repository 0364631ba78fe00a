"""What a person hands to the client, as what goes on the wire: addresses, pictures, errors.

Role: the client's conversions, each a pure function. Invariants: a picture that is encoded already
is sent as it is; arrays and images go as PNG. It does not know: sockets, sessions.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from streaming import errors
from streaming.errors import JobFailed, RiverrunError
from streaming.protocol import PATH, Error

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


def encoded(drawing: Drawing) -> bytes:
    """The bytes of a picture. Blocks for a file or an encoder; raises OSError, ValueError."""
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

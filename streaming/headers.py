"""What an encoded picture says of itself, read from its header without decoding a pixel.

Role: the first gate for pictures from outside: format by content, size, whether it moves. A file of
100 bytes may claim 4 gigapixels; a decoder asked to open it would already allocate for them.

Invariants: reads only the bytes given, in one pass; raises nothing but `BadPicture`.
It does not know: decoders, canvases, limits.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from streaming.errors import BadPicture
from streaming.protocol import Format

_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's start-of-frame markers: all of C0..CF but DHT, JPG and DAC."""
_ALONE = {0x01, *range(0xD0, 0xD9)}
"""JPEG's markers without a length."""


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """Format, size in pixels, and whether there is more than one frame."""

    format: Format
    width: int
    height: int
    animated: bool = False


def read_header(data: bytes) -> PictureHeader:
    """The header of a PNG, JPEG or WebP; raises `BadPicture` for anything else."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            header = _png(data)
        elif data.startswith(b"\xff\xd8\xff"):
            header = _jpeg(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            header = _webp(data)
        else:
            raise BadPicture("not a PNG, JPEG or WebP picture")
    except (struct.error, IndexError):
        raise BadPicture("the picture is cut short in its header") from None
    if not header.width or not header.height:
        raise BadPicture("the picture has no size")
    return header


def _png(data: bytes) -> PictureHeader:
    if data[12:16] != b"IHDR":
        raise BadPicture("a PNG that doesn't begin with its header")
    width, height = struct.unpack_from(">II", data, 16)
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind in (b"IDAT", b"acTL"):
            return PictureHeader("png", width, height, kind == b"acTL")
        at += 12 + length
    raise BadPicture("a PNG without pixels")


def _jpeg(data: bytes) -> PictureHeader:
    at = 2
    while True:
        if data[at] != 0xFF:
            raise BadPicture("a JPEG with a broken header")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return PictureHeader("jpeg", width, height)
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]


def _webp(data: bytes) -> PictureHeader:
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        if len(data) < 30:
            raise BadPicture("the picture is cut short in its header")
        return PictureHeader("webp", width, height, bool(data[20] & 0x02))
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return PictureHeader("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return PictureHeader("webp", width & 0x3FFF, height & 0x3FFF)
    raise BadPicture("a WebP with an unknown first chunk")

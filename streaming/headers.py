"""What an encoded picture says of itself, read from its parts without decoding a pixel.

Role: the first gate for pictures from outside: format by content, size, whether it moves, and which
parts of the file a decoder is to see. A file of 100 bytes may claim 4 gigapixels; one of 60 kB may
hold 60 MB of compressed comments, or thousands of scans that each go over the whole picture.

Invariants: one pass over the parts, whose number is bounded before they are looked at; comments,
profiles, thumbnails and camera data of a PNG or JPEG never reach a decoder (libwebp itself never
reads them); raises nothing but `BadPicture`.
It does not know: decoders, canvases, how many pixels or bytes are too many.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from streaming.errors import BadPicture
from streaming.protocol import Format

PARTS, PART_BYTES = 256, 1024
"""A file may have so many parts, and one more for each so many of its bytes: a PNG is written in
parts of 4 kB and more. Each costs Pillow some microseconds of Python."""
SCANS = 64
"""Of a progressive JPEG; encoders make about ten. Each costs a pass over all pixels, but only 11
bytes: 55 µs of 256×256."""
TABLE_BYTES = 64 * 1024
"""What may stand before a JPEG's first scan; Pillow reads its tables at 0.1 µs a byte."""
PLAIN = "Save it again as a plain picture, without metadata."

_PNG_KEPT = {b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_FRAMES = {0xC0, 0xC1, 0xC2}
"""JPEG's start-of-frame markers: sequential and progressive, in Huffman's code."""
_UNUSUAL = set(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""All others: lossless, hierarchical and arithmetic, whose passes need hardly any bytes."""
_ALONE = {0x01, *range(0xD0, 0xD9)}
"""JPEG's markers without a length."""
_DROPPED = {*range(0xE1, 0xEE), 0xEF, 0xFE}
"""JPEG's application segments and comments, but APP0 and APP14, which say what the colours are."""
_SCAN = 0xDA


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """Format, size in pixels, whether there is more than one frame; and `parts`, the (begin, end)
    of all in the file that makes pixels."""

    format: Format
    width: int
    height: int
    animated: bool
    parts: tuple[tuple[int, int], ...] = field(repr=False)

    @property
    def nbytes(self) -> int:
        """The size of what a decoder is to see."""
        return sum(end - begin for begin, end in self.parts)

    def trimmed(self, data: bytes) -> bytes:
        """The file as a decoder is to see it."""
        if self.nbytes == len(data):
            return data
        return b"".join(data[begin:end] for begin, end in self.parts)


class _Parts:
    """Counts the parts of a file and gathers those that are kept; neighbours become one."""

    def __init__(self, data: bytes, begin: int) -> None:
        self.kept = [(0, begin)]
        self._size = len(data)
        self._room = PARTS + len(data) // PART_BYTES

    def take(self, begin: int, end: int, *, keep: bool) -> int:
        """Take one part; returns its end."""
        self._room -= 1
        if self._room < 0:
            raise BadPicture("the picture's file is cut into too many parts", remedy=PLAIN)
        if keep:
            first = self.kept.pop()[0] if self.kept[-1][1] == begin else begin
            self.kept.append((first, min(end, self._size)))
        return end

    def header(
        self, format: Format, width: int, height: int, animated: bool = False
    ) -> PictureHeader:
        return PictureHeader(format, width, height, animated, tuple(self.kept))


def read_header(data: bytes) -> PictureHeader:
    """The header of a PNG, JPEG or WebP; raises `BadPicture` for anything else, and for files in
    so many parts or scans that a decoder would be long about them."""
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
    if data[8:16] != b"\0\0\0\x0dIHDR":
        raise BadPicture("a PNG that doesn't begin with its header")
    width, height = struct.unpack_from(">II", data, 16)
    parts, at, kinds = _Parts(data, 33), 33, set()
    while at + 8 <= len(data) and b"IEND" not in kinds:
        length, kind = struct.unpack_from(">I4s", data, at)
        kinds.add(kind)
        at = parts.take(at, at + 12 + length, keep=kind in _PNG_KEPT)
    if b"IDAT" not in kinds:
        raise BadPicture("a PNG without pixels")
    return parts.header("png", width, height, b"acTL" in kinds)


def _jpeg(data: bytes) -> PictureHeader:
    parts, at, size = _Parts(data, 2), 2, (0, 0)
    while (marker := _marker(data, at)) != _SCAN:
        if marker == 0xFF:  # a byte that fills
            at = parts.take(at, at + 1, keep=False)
        elif marker in _ALONE:
            at = parts.take(at, at + 2, keep=False)
        elif marker in _UNUSUAL:
            raise BadPicture("a JPEG in an unusual code")
        else:
            length = struct.unpack_from(">H", data, at + 2)[0]
            if marker in _FRAMES:
                size = struct.unpack_from(">HH", data, at + 5)
            at = parts.take(at, at + 2 + length, keep=marker not in _DROPPED)
    if sum(end - begin for begin, end in parts.kept) > TABLE_BYTES:
        raise BadPicture("the JPEG's tables are absurdly large", remedy=PLAIN)
    if _scans(data, at) > SCANS:
        raise BadPicture(
            f"the JPEG has more than {SCANS} scans", remedy="Save it again, not progressively."
        )
    parts.take(at, len(data), keep=True)
    return parts.header("jpeg", size[1], size[0])


def _marker(data: bytes, at: int) -> int:
    if data[at] != 0xFF:
        raise BadPicture("a JPEG with a broken header")
    return data[at + 1]


def _scans(data: bytes, begin: int) -> int:
    """At most so many scans begin after `begin`: their marker can't occur in compressed pixels.
    As pairs of bytes, even and odd: 0.7 ms for 4 MB of anything, where `bytes.count` takes 70."""
    pairs = [np.frombuffer(data, "<u2", (len(data) - at) // 2, at) for at in (begin, begin + 1)]
    return sum(int(np.count_nonzero(pair == 0xFF | _SCAN << 8)) for pair in pairs)


def _webp(data: bytes) -> PictureHeader:
    parts, at = _Parts(data, len(data)), 12  # all is kept: libwebp skips over what isn't pixels
    while at + 8 <= len(data):
        length = struct.unpack_from("<I", data, at + 4)[0]
        at = parts.take(at, at + 8 + length + length % 2, keep=False)
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        if len(data) < 30:
            raise BadPicture("the picture is cut short in its header")
        return parts.header("webp", width, height, bool(data[20] & 0x02))
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return parts.header("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return parts.header("webp", width & 0x3FFF, height & 0x3FFF)
    raise BadPicture("a WebP with an unknown first chunk")

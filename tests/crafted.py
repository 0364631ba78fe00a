"""Pictures that are small to send and were made to be long to read, and the ordinary ones beside.

Role: what the tests of the first gate need. All are valid enough for a decoder to begin with them.

It does not know: which of them are refused.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from models.base import InputSpec
from streaming.canvas import Pixels
from streaming.codecs import check_picture, decode_picture

SIDE = 64
SPEC = InputSpec("canvas", SIDE, SIDE)
MEGABYTE = 2**20
NOISE = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def decode(data: bytes) -> Pixels:
    """As the gateway does it: the gate, and then the decoder."""
    header = check_picture(data, SPEC, max_pixels=4096 * 4096)
    return decode_picture(data, header, SPEC.background)


def ordinary(format: str, **options: object) -> bytes:
    """64×64 pixels of noise: the most that an honest picture of this size can cost."""
    out = io.BytesIO()
    Image.fromarray(NOISE).save(out, format, **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(before: bytes = b"", after: bytes = b"") -> bytes:
    """The ordinary PNG with more before and after its pixels."""
    data = ordinary("PNG")
    end = len(data) - 12
    return data[:33] + before + data[33:end] + after + data[end:]


def raw_png(rows: Pixels) -> bytes:
    """A PNG of 16-bit RGBA from its bytes, (height, width, 8), with nothing compressed."""
    head = struct.pack(">IIBBBBB", rows.shape[1], rows.shape[0], 16, 6, 0, 0, 0)
    stream = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", stream) + chunk(b"IEND")
    return b"\x89PNG\r\n\x1a\n" + body


def segment(marker: int, data: bytes) -> bytes:
    """A part of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, 2 + len(data)) + data


def jpeg(before: bytes = b"", after: bytes = b"", **options: object) -> bytes:
    """The ordinary JPEG with more at its beginning and before its end."""
    data = ordinary("JPEG", **options)
    return data[:2] + before + data[2:-2] + after + data[-2:]


def exif(entries: int, size: int) -> bytes:
    """Camera data whose entries all mean the same bytes: each is copied when they're read."""
    fields = b"".join(struct.pack("<HHII", n + 1, 7, size, 0) for n in range(entries))
    tiff = b"II*\0" + struct.pack("<IH", 8, entries) + fields + bytes(4)
    return b"Exif\0\0" + tiff + bytes(max(0, size - len(tiff)))


def webp(after: bytes) -> bytes:
    """The ordinary WebP in its extended form, with more after its pixels."""
    size = (SIDE - 1).to_bytes(3, "little") * 2
    body = b"WEBP" + struct.pack("<4sII", b"VP8X", 10, 0) + size + ordinary("WEBP")[12:] + after
    return b"RIFF" + struct.pack("<I", len(body)) + body


BOMB = zlib.compress(bytes(MEGABYTE - 1), 9)
"""A kilobyte that becomes a megabyte."""
TEXT = b"a\0\0" + BOMB
SCAN = segment(0xDA, bytes((1, 1, 0, 1, 63, 0)))
"""11 bytes: one more pass over the brightness of all pixels, in which nothing is said."""
EMPTY_BLOCK = b"\0\0\0\xff\xff"
"""Of deflate: five bytes that become nothing."""


def stuffed() -> bytes:
    """A PNG whose pixels begin after a megabyte of nothing."""
    rows = b"".join(b"\0" + row.tobytes() for row in NOISE)
    plain = zlib.compress(rows)
    stream = plain[:2] + EMPTY_BLOCK * (MEGABYTE // 5) + plain[2:]
    data = ordinary("PNG")
    return data[:33] + chunk(b"IDAT", stream) + chunk(b"IEND")


TABLES = segment(0xDB, (b"\0" + bytes(range(1, 65))) * 1000)
CAMERA = segment(0xE1, exif(5000, 64_000))

SKIPPED: dict[str, Callable[[], bytes]] = {
    "compressed texts before the pixels": lambda: png(before=chunk(b"zTXt", TEXT) * 60),
    "compressed texts after the pixels": lambda: png(after=chunk(b"zTXt", TEXT) * 60),
    "compressed unicode": lambda: png(before=chunk(b"iTXt", b"a\0\1\0\0\0" + BOMB) * 60),
    "a compressed profile": lambda: png(before=chunk(b"iCCP", TEXT) * 60),
    "camera data that mean themselves": lambda: jpeg(before=CAMERA),
    "camera data in pieces": lambda: jpeg(before=segment(0xE1, b"Exif\0\0" + bytes(9000)) * 200),
    "resources of a paint program": lambda: jpeg(
        before=segment(0xED, b"Photoshop 3.0\0" + (b"8BIM" + bytes(8)) * 5000) * 10
    ),
    "a long comment": lambda: jpeg(before=segment(0xFE, bytes(65_000)) * 10),
}
"""What isn't pixels: the picture is as it would be without."""

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a PNG of empty parts": (lambda: png(before=chunk(b"teXt") * 50_000), "too many parts"),
    "a PNG of empty pixels": (lambda: png(after=chunk(b"IDAT") * 50_000), "too many parts"),
    "a PNG stuffed with nothing": (stuffed, "bytes for 64×64 pixels"),
    "thousands of scans": (lambda: jpeg(progressive=True, after=SCAN * 5000), "64 scans"),
    "a JPEG of filling bytes": (lambda: jpeg(before=b"\xff" * MEGABYTE), "too many parts"),
    "a JPEG of restarts": (lambda: jpeg(before=b"\xff\xd0" * 300_000), "too many parts"),
    "a JPEG of small comments": (
        lambda: jpeg(before=segment(0xFE, b"") * 50_000),
        "too many parts",
    ),
    "an arithmetic JPEG": (
        lambda: jpeg(progressive=True).replace(b"\xff\xc2", b"\xff\xca"),
        "unusual code",
    ),
    "a JPEG of tables": (lambda: jpeg(before=TABLES * 8), "tables"),
    "a JPEG with much between scans": (
        lambda: jpeg(progressive=True, after=segment(0xFE, bytes(65_000)) * 8),
        "bytes for 64×64 pixels",
    ),
    "a WebP of empty parts": (lambda: webp(b"none\0\0\0\0" * 100_000), "too many parts"),
    "a WebP with a long comment": (
        lambda: webp(struct.pack("<4sI", b"XMP ", MEGABYTE) + bytes(MEGABYTE)),
        "bytes for 64×64 pixels",
    ),
}
"""What no encoder writes, and what the refusal says of it."""

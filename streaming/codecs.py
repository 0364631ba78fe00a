"""Pictures in and out: canvases decoded with suspicion, outputs encoded in threads.

Role: bytes from a client become read-only RGB arrays, or a typed error; a model's payload becomes
JPEG, WebP or PNG bytes.

Invariants:
- Nothing is decoded before its header was found sound and its size right, in pixels and in bytes;
  a decoder reads nothing of the file but what makes pixels.
- Only `BadPicture` and `WrongSize` come out of decoding; transparency becomes the background.
- Encoding happens in a pool (Pillow lets go of the interpreter's lock) and never on the loop. What
  comes in has a pool of its own: what strangers send never keeps an encoding waiting.

It does not know: sockets, sessions, credits; whoever shares an encoding keeps it (`delivery.py`).
"""

from __future__ import annotations

import asyncio
import io
import os
import struct
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from msgspec import Struct
from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from models.base import Encoded, InputSpec, Payload, Picture
from streaming.canvas import Pixels, check_fit, freeze
from streaming.errors import BadPicture, JobFailed
from streaming.headers import PLAIN, PictureHeader, read_header
from streaming.protocol import FORMATS, Format

T = TypeVar("T")

PLUGINS = (JpegImagePlugin, PngImagePlugin, WebPImagePlugin)
"""Named, so that they are loaded at the start: Pillow would do it at the first picture (17 ms)."""

DAMAGED = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    struct.error, zlib.error, Warning, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow is known to raise for files that aren't what they say."""

PIXEL_BYTES, SPARE_BYTES = 9, 64 * 1024
"""A picture's file may have so many bytes a pixel, and the spare ones: 8 where nothing could be
compressed in four channels of 16 bits, 1 for the row's filter where a row is one pixel."""


class Encoding(Struct, frozen=True):
    """An encoded picture and the milliseconds that it took (0 where it came encoded)."""

    data: bytes
    format: Format
    width: int
    height: int
    ms: float


def check_picture(
    data: bytes, spec: InputSpec, *, x: int = 0, y: int = 0, tile: bool = False, max_pixels: int
) -> PictureHeader:
    """The header of a canvas (exactly of the spec's size) or of a tile inside it; cheap."""
    header = read_header(data)
    if header.width * header.height > max_pixels:
        raise BadPicture(f"the picture claims {header.width}×{header.height} pixels")
    if header.animated:
        raise BadPicture("the picture is animated")
    check_fit(spec, header.width, header.height, x, y, tile)
    most = PIXEL_BYTES * header.width * header.height + SPARE_BYTES
    if header.nbytes > most:
        raise BadPicture(
            f"the picture's file has {header.nbytes} bytes for {header.width}×{header.height} "
            f"pixels, at most {most} are taken",
            remedy=PLAIN,
        )
    return header


def decode_picture(data: bytes, header: PictureHeader, background: tuple[int, int, int]) -> Pixels:
    """The pixels of a picture whose header was checked: uint8, (height, width, 3), read-only.

    Raises `BadPicture` for one that is damaged. Alpha is composited on `background`.
    """
    try:
        file = io.BytesIO(header.trimmed(data))
        with Image.open(file, formats=[header.format.upper()]) as image:
            if image.size != (header.width, header.height):
                raise BadPicture("the picture isn't of the size that its header says")
            image.load()
            return freeze(_rgb(image, background))
    except DAMAGED:
        raise BadPicture("the picture is damaged or cut short") from None


def _rgb(image: Image.Image, background: tuple[int, int, int]) -> Pixels:
    if image.mode.startswith(("I", "F")):  # 16-bit greys: Pillow's own conversion would clip them
        grey = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if "A" in image.getbands() or "transparency" in image.info:
        picture = image.convert("RGBA")
        image = Image.new("RGBA", picture.size, (*background, 255))
        image.alpha_composite(picture)
    return np.array(image.convert("RGB"))


def encode_pixels(pixels: Pixels, format: Format, quality: int) -> bytes:
    """RGB pixels as JPEG, WebP or PNG (lossless; quality is ignored). Blocks: 1.5 ms for a JPEG of
    512², 38 ms for a PNG of noise."""
    out = io.BytesIO()
    image = Image.fromarray(pixels)
    if format == "jpeg":
        image.save(out, "JPEG", quality=quality, subsampling="4:2:0", optimize=False)
    elif format == "webp":
        image.save(out, "WEBP", quality=quality, method=2)
    else:
        image.save(out, "PNG", compress_level=1)
    return out.getvalue()


class Encoder:
    """Two small thread pools, one that encodes and one for all else, decoding above all; by default
    each for half of the cores, 2 to 8. `close` it when the gateway ends."""

    def __init__(self, threads: int | None = None) -> None:
        workers = threads or max(2, min(8, (os.cpu_count() or 2) // 2))
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="encoding")
        self._others = ThreadPoolExecutor(workers, thread_name_prefix="decoding")

    async def run(self, work: Callable[[], T]) -> T:
        """Do `work` in a thread that doesn't encode; its errors come out here."""
        return await asyncio.get_running_loop().run_in_executor(self._others, work)

    def submit(self, payload: Payload, format: Format, quality: int) -> asyncio.Future[Encoding]:
        """Begin to encode; what came encoded is done at once, in the format that it has."""
        loop = asyncio.get_running_loop()
        came = as_it_came(payload)
        if came is not None:
            done: asyncio.Future[Encoding] = loop.create_future()
            done.set_result(came)
            return done
        return loop.run_in_executor(self._pool, _encode, payload, format, quality)

    async def encode(self, payload: Payload, format: Format, quality: int) -> Encoding:
        """Encode one payload; raises `JobFailed` for one that is no picture."""
        return await self.submit(payload, format, quality)

    def close(self) -> None:
        """Let the threads go when they are done."""
        for pool in (self._pool, self._others):
            pool.shutdown(wait=False, cancel_futures=True)


def as_it_came(payload: Payload) -> Encoding | None:
    """The encoding of what came encoded, in a format that clients know; None: there is none yet."""
    if isinstance(payload, Encoded):
        for format in FORMATS:
            if payload.format == format:
                return Encoding(payload.data, format, payload.width, payload.height, 0.0)
    return None


def _encode(payload: Payload, format: Format, quality: int) -> Encoding:
    start = time.perf_counter()
    if not isinstance(payload, Picture) or payload.pixels.ndim != 3:
        raise JobFailed("the model made no picture", code="bad_output", retryable=False)
    height, width = payload.pixels.shape[:2]
    try:
        data = encode_pixels(payload.pixels, format, quality)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise JobFailed(str(error), code="bad_output", retryable=False) from None
    return Encoding(data, format, width, height, (time.perf_counter() - start) * 1000)

"""Pictures from strangers, and pictures for clients."""

from __future__ import annotations

import asyncio
import io
import struct
import threading
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from models.base import Encoded, InputSpec, Picture, Samples
from streaming.canvas import Pixels
from streaming.codecs import Encoder, check_picture, decode_picture, encode_pixels
from streaming.errors import BadEdit, BadPicture, JobFailed, WrongSize
from streaming.headers import read_header
from streaming.protocol import FORMATS, Format
from tests.scripted import picture

SPEC = InputSpec("canvas", 64, 48, (250, 240, 230))
LIMIT = 4096 * 4096
SIZE = (64, 48)


def decode(data: bytes, **place: int | bool) -> Pixels:
    header = check_picture(data, SPEC, max_pixels=LIMIT, **place)  # type: ignore[arg-type]
    return decode_picture(data, header, SPEC.background)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def gradient() -> Image.Image:
    y, x = np.mgrid[0:48, 0:64]
    return Image.fromarray(np.stack([x * 4, y * 5, x + y], axis=2).astype(np.uint8))


# --- what is taken ------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_lossless_pictures_come_out_as_they_went_in(format: str) -> None:
    pixels = decode(saved(gradient(), format, lossless=True))
    assert (pixels == np.asarray(gradient())).all()
    assert (str(pixels.dtype), pixels.flags.writeable) == ("uint8", False)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 40}])
def test_jpegs_come_out_close(options: dict[str, object]) -> None:
    pixels = decode(saved(gradient(), "JPEG", **options))
    assert np.abs(pixels.astype(int) - np.asarray(gradient())).mean() < 12


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "I;16"])
def test_every_kind_of_pixel_becomes_rgb(mode: str) -> None:
    grey = Image.new("L", SIZE, 255)
    if mode == "I;16":
        data = saved(Image.fromarray(np.full((48, 64), 65535, np.uint16)), "PNG")
    else:
        data = saved(grey.convert(mode), "JPEG" if mode == "CMYK" else "PNG")
    pixels = decode(data)
    assert pixels.shape == (48, 64, 3)
    assert (pixels >= 254).all()


def test_transparency_shows_the_background() -> None:
    clear = decode(picture((255, 0, 0, 0), SIZE))
    assert (clear == SPEC.background).all()
    half = decode(picture((0, 0, 0, 128), SIZE))
    assert np.abs(half[0, 0].astype(int) - [124, 120, 115]).max() <= 1
    assert (decode(picture((9, 8, 7, 255), SIZE, "WEBP")) != SPEC.background).all()


def test_a_palette_with_a_transparent_colour_shows_the_background() -> None:
    image = Image.new("P", SIZE, 1)
    image.putpalette([0, 0, 0, 90, 80, 70])
    image.paste(0, (0, 0, 10, 10))
    pixels = decode(saved(image, "PNG", transparency=0))
    assert pixels[0, 0].tolist() == list(SPEC.background)
    assert pixels[40, 40].tolist() == [90, 80, 70]


def test_a_tile_may_lie_anywhere_inside() -> None:
    assert decode(picture(size=(8, 4)), x=56, y=44, tile=True).shape == (4, 8, 3)
    for x, y in ((57, 0), (0, 45), (65535, 65535)):
        with pytest.raises(WrongSize, match="leaves the canvas"):
            decode(picture(size=(8, 4)), x=x, y=y, tile=True)


def test_a_canvas_must_be_of_the_exact_size() -> None:
    for size in ((64, 47), (48, 64), (128, 96), (1, 1)):
        with pytest.raises(WrongSize, match="this model takes 64×48"):
            decode(picture(size=size))


# --- what isn't ---------------------------------------------------------------------------------


def test_other_formats_are_no_pictures() -> None:
    for format in ("GIF", "BMP", "TIFF"):
        with pytest.raises(BadPicture, match="not a PNG"):
            decode(saved(gradient(), format))
    for data in (b"", b"<svg/>", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"\x89PNG\r\n\x1a\n"):
        with pytest.raises(BadPicture):
            decode(data)


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_animated_pictures_are_refused(format: str) -> None:
    frames = [Image.new("RGB", SIZE, (n, n, n)) for n in (0, 99)]
    data = saved(frames[0], format, save_all=True, append_images=frames[1:], duration=10)
    with pytest.raises(BadPicture, match="animated"):
        decode(data)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_a_picture_cut_anywhere_is_refused(format: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8))
    data = saved(noise, format)
    for end in [*range(0, 60), *range(60, len(data) - 20, 97)]:
        with pytest.raises(BadPicture):
            decode(data[:end])


def claims(format: str, width: int, height: int) -> bytes:
    """A small file whose header claims a size."""
    if format == "PNG":
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
        body = b"".join(
            struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c))
            for k, c in chunks
        )
        return b"\x89PNG\r\n\x1a\n" + body
    if format == "JPEG":
        data = bytearray(saved(Image.new("RGB", (8, 8)), "JPEG"))
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", height, width)
        return bytes(data)
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + size + b"VP8 \0\0\0\0"
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_a_bomb_is_refused_from_its_header(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("the picture was opened")

    monkeypatch.setattr(Image, "open", opened)
    with pytest.raises(BadPicture, match="claims 60000×60000"):
        decode(claims(format, 60000, 60000))
    with pytest.raises(WrongSize):
        decode(claims(format, 4000, 4000))


def test_a_header_that_lies_is_refused() -> None:
    inner = saved(Image.new("RGB", (32, 32)), "WEBP")[12:]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0"
    body += (63).to_bytes(3, "little") + (47).to_bytes(3, "little") + inner
    with pytest.raises(BadPicture):
        decode(b"RIFF" + struct.pack("<I", len(body)) + body)


SAMPLES = {f: saved(gradient(), f) for f in ("PNG", "JPEG", "WEBP")}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_a_damaged_picture_is_decoded_or_refused_and_nothing_else(
    format: str, data: st.DataObject
) -> None:
    broken = bytearray(SAMPLES[format])
    places = st.integers(0, len(broken) - 1)
    for at, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        broken[at] = byte
    end = data.draw(st.integers(0, len(broken)))
    cut = bytes(broken[:end]) if data.draw(st.booleans()) else bytes(broken)
    with suppress(BadEdit):
        assert decode(cut).shape == (48, 64, 3)


# --- what goes out ------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_encoded_can_be_read(format: Format) -> None:
    data = encode_pixels(np.asarray(gradient()), format, 90)
    header = read_header(data)
    assert (header.format, header.width, header.height) == (format, 64, 48)
    assert np.abs(decode(data).astype(int) - np.asarray(gradient())).mean() < 6


def test_quality_is_obeyed() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    assert len(encode_pixels(pixels, "jpeg", 20)) < len(encode_pixels(pixels, "jpeg", 95))


async def test_encoding_happens_in_a_thread() -> None:
    encoder = Encoder()
    here = threading.get_ident()
    assert await encoder.run(threading.get_ident) != here
    encoding = await encoder.encode(Picture(np.asarray(gradient())), "png", 0)
    assert (encoding.format, encoding.width, encoding.height) == ("png", 64, 48)
    assert encoding.ms > 0
    encoder.close()


async def test_decoding_never_keeps_encoding_waiting() -> None:
    """As many slow pictures as there are threads, and more, come in from somebody."""
    encoder, slow = Encoder(threads=2), threading.Event()
    coming = [asyncio.ensure_future(encoder.run(slow.wait)) for _ in range(8)]
    try:
        async with asyncio.timeout(20):
            await encoder.encode(Picture(np.asarray(gradient())), "jpeg", 80)
        assert not any(one.done() for one in coming)
    finally:
        slow.set()
        await asyncio.gather(*coming)
        encoder.close()


async def test_what_comes_encoded_passes_through() -> None:
    encoder = Encoder()
    future = encoder.submit(Encoded(b"bytes", "webp", 3, 2), "jpeg", 80)
    assert future.done()
    assert (future.result().data, future.result().format) == (b"bytes", "webp")
    encoder.close()


@pytest.mark.parametrize(
    "payload",
    [
        Samples(np.zeros((1, 8), np.float32), 16000),
        Encoded(b"bytes", "h264", 3, 2),
        Picture(np.zeros((4, 4), np.uint8)),
        Picture(np.zeros((4, 4, 3), np.float32)),
    ],
)
async def test_what_is_no_picture_fails_its_job(payload: Picture | Encoded | Samples) -> None:
    encoder = Encoder()
    with pytest.raises(JobFailed):
        await encoder.encode(payload, "jpeg", 80)
    await asyncio.sleep(0)
    encoder.close()

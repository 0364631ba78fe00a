"""The first gate: what it says of a picture, what it keeps from a decoder, and what it refuses.

The crafted files are real ones: each used to take up to a thousand times what an ordinary one does.
"""

from __future__ import annotations

import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from streaming.errors import BadPicture, WrongSize
from streaming.headers import PARTS, SCANS, read_header
from tests import crafted
from tests.crafted import REFUSED, SCAN, SKIPPED, chunk, decode, jpeg, ordinary, png, segment, webp

TIMES = 20
"""A crafted picture may cost so many times what an ordinary one of its size does."""


def seconds(data: bytes) -> float:
    """Of this thread's own work, so that a busy machine doesn't matter; the best of some."""
    best = float("inf")
    for _ in range(7):
        begin = time.thread_time()
        with suppress(BadPicture):
            decode(data)
        best = min(best, time.thread_time() - begin)
    return best


@pytest.fixture(scope="module")
def usual() -> float:
    return max(seconds(ordinary(format)) for format in ("PNG", "JPEG", "WEBP"))


@pytest.mark.parametrize("name", SKIPPED)
def test_what_is_not_pixels_is_skipped(name: str, usual: float) -> None:
    data = SKIPPED[name]()
    plain = ordinary("PNG" if data.startswith(b"\x89PNG") else "JPEG")
    assert (decode(data) == decode(plain)).all()
    assert read_header(data).trimmed(data) == plain
    assert seconds(data) < TIMES * usual


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_encoder_writes_is_refused(name: str, usual: float) -> None:
    make, told = REFUSED[name]
    data = make()
    with pytest.raises(BadPicture, match=told) as refusal:
        decode(data)
    assert refusal.value.remedy
    assert seconds(data) < TIMES * usual


def test_as_many_scans_as_may_be_are_bearable(usual: float) -> None:
    most = jpeg(progressive=True, after=SCAN * (SCANS - 10))
    assert seconds(most) < TIMES * usual
    with pytest.raises(BadPicture, match="64 scans"):
        decode(jpeg(progressive=True, after=SCAN * (SCANS - 9)))


def test_scans_are_found_wherever_they_begin() -> None:
    """Pairs of bytes are looked at: an odd distance must not hide one."""
    for shift in (b"", b"x"):
        with pytest.raises(BadPicture, match="64 scans"):
            decode(jpeg(after=segment(0xFE, shift) + SCAN * SCANS))


def test_as_many_parts_as_may_be_are_bearable(usual: float) -> None:
    for data in (
        png(before=chunk(b"teXt") * (PARTS - 10)),
        png(after=chunk(b"IDAT") * (PARTS - 10)),
        jpeg(before=segment(0xFE, b"") * (PARTS - 10)),
        webp(b"none\0\0\0\0" * (PARTS - 10)),
    ):
        assert decode(data).shape == crafted.NOISE.shape
        assert seconds(data) < TIMES * usual


def test_many_small_parts_are_fine_in_a_large_picture() -> None:
    """A PNG in parts of 4 kB, as many encoders write it."""
    data = png(before=chunk(b"teXt", bytes(4096)) * 1000)
    assert (decode(data) == crafted.NOISE).all()


def test_the_largest_honest_picture_is_taken() -> None:
    """Four channels of 16 bits of noise, uncompressed, in one column: every row has its filter."""
    rows = np.random.default_rng(1).integers(0, 256, (crafted.SIDE, crafted.SIDE, 8), np.uint8)
    data = crafted.raw_png(rows)
    assert len(data) > 8 * crafted.SIDE**2
    assert decode(data).shape == crafted.NOISE.shape


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_a_plain_picture_is_shown_as_it_came(format: str) -> None:
    data = ordinary(format)
    header = read_header(data)
    assert (header.width, header.height, header.animated) == (64, 64, False)
    assert header.trimmed(data) is data


def test_what_says_how_a_jpeg_is_coloured_stays() -> None:
    adobe = b"Adobe\0\x64\0\0\0\0\0"  # three channels that are RGB as they are
    data = jpeg()
    told = data[:2] + segment(0xEE, adobe) + data[20:]  # instead of JFIF's word
    assert not (decode(told) == decode(data)).all()


def test_what_follows_a_png_is_dropped() -> None:
    data = ordinary("PNG")
    assert read_header(data + bytes(1000)).trimmed(data + bytes(1000)) == data


@settings(deadline=None)
@given(st.binary(max_size=80))
@example(b"\xff\xd8\xff\xe0\x00\x00")
@example(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\x0dIHDR" + b"\0\0\0\1" * 2 + b"\0" * 30)
@example(b"\xff\xc0\0\x0b\x08\0\1\0\1\1\0\0\0\xff\xda")
def test_reading_a_header_ends_and_raises_one_thing(tail: bytes) -> None:
    for head in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\xff\xd8", b"RIFF\0\0\0\0WEBPVP8X"):
        data = head + tail
        try:
            header = read_header(data)
        except BadPicture:
            continue
        assert header.width > 0
        assert header.height > 0
        assert header.trimmed(data).startswith(data[:2])
        assert len(header.trimmed(data)) == header.nbytes <= len(data)


@settings(deadline=None, max_examples=200)
@example(webp(b""), [(16, bytes(3))])
@given(
    st.sampled_from([png(), jpeg(), jpeg(progressive=True), webp(b"")]),
    st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=40)), max_size=4),
)
def test_whatever_is_put_in_is_decoded_or_refused(
    data: bytes, extras: list[tuple[int, bytes]]
) -> None:
    for at, extra in extras:
        data = data[:at] + extra + data[at:]
    with suppress(BadPicture, WrongSize):  # bytes put into its head may make it another size
        assert decode(data).shape == crafted.NOISE.shape

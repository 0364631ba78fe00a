"""What a WebSocket message can have wrong: its form, its values, its picture, its size, its number.

Each gets a typed error and the connection goes on, but for messages over the limit and twenty bad
ones in a row. A prompt at which the model itself fails belongs here: it fails alone, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import struct
import zlib

import httpx
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed

from streaming.protocol import PictureFrame
from tests import unhurt
from tests.crafted import REFUSED, SKIPPED
from tests.pen import SECONDS, Pen, drawing, picture
from tests.raw import close_code, hello_text, raw_socket, read_to_end, text_frame
from tests.serving import Served
from tests.unhurt import still_works

MEGABYTE = 2**20

server, witness, nobody_is_hurt = unhurt.server, unhurt.witness, unhurt.nobody_is_hurt

BAD_TEXT = [
    "hello",
    "",
    "{",
    "[]",
    "null",
    '{"type": "paint"}',
    '{"id": 1}',
    '{"type": "params", "id": 1, "params": {}, "colour": 3}',
    '{"type": "params", "id": "1", "params": {}}',
    '{"type": "params", "id": 0, "params": {}}',
    '{"type": "params", "id": 4294967296, "params": {}}',
    '{"type": "params", "id": 1, "params": {"seed": NaN}}',
    '{"type": "params", "id": 1, "params": {"strength": Infinity}}',
    '{"type": "params", "id": 1, "params": {"strength": -Infinity}}',
    '{"type": "params", "id": 1, "params": {"prompt": null}}',
    '{"type": "params", "id": 1, "params": {"prompt": ["a"]}}',
    '{"type": "ack", "sequence": -1}',
    '{"type": "ack", "sequence": 4000000000}',
    '{"type": "demand"}',
    '{"type": "hello", "version": 1}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", BAD_TEXT, ids=lambda text: text[:60])
async def test_text_that_is_no_message(server: Served, text: str) -> None:
    async with drawing(server.socket_url) as pen:
        await pen.socket.send(text)
        error = await pen.error()
        assert error.code == "bad_message"
        assert error.message
        assert len(error.message) < 500
        await still_works(pen)


BAD_VALUES: list[tuple[dict[str, str | int | float | bool], str]] = [
    ({"seed": -1}, "seed"),
    ({"seed": 1.5}, "seed"),
    ({"seed": "7"}, "seed"),
    ({"seed": True}, "seed"),
    ({"seed": 2**63}, "seed"),
    ({"seed": 10**400}, "seed"),
    ({"seed": -(10**400)}, "seed"),
    ({"seed": 1e308}, "seed"),
    ({"strength": 10**400}, "strength"),
    ({"strength": 1e308}, "strength"),
    ({"steps": 0}, "steps"),
    ({"steps": 1000}, "steps"),
    ({"strength": 1.01}, "strength"),
    ({"prompt": 5}, "prompt"),
    ({"prompt": "x" * MEGABYTE}, "prompt"),
    ({"colour": 1}, "colour"),
]


@pytest.mark.parametrize(("values", "name"), BAD_VALUES, ids=lambda v: str(v)[:40])
async def test_values_that_the_model_does_not_take(
    server: Served, values: dict[str, str | int | float | bool], name: str
) -> None:
    async with drawing(server.socket_url) as pen:
        pen._ids += 1  # said here, because the pen itself writes no number over 64 bits
        await pen.socket.send(json.dumps({"type": "params", "id": pen._ids, "params": values}))
        error = await pen.error()
        assert (error.code, error.id) == ("invalid_parameter", pen._ids)
        assert name in error.message
        assert len(error.message) < 500
        await still_works(pen)


def animated() -> bytes:
    frames = [Image.new("RGB", (256, 256), color) for color in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def absurd_png(width: int = 60_000, height: int = 60_000) -> bytes:
    """A hundred bytes that claim to be 3.6 gigapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + pixels + chunk(b"IEND", b"")


BAD_PICTURES = {
    "text": (b"hello", "bad_picture"),
    "gif": (picture(format="gif"), "bad_picture"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "bad_picture"),
    "header only": (picture()[:20], "bad_picture"),
    "truncated png": (picture(color="red")[:-40], "bad_picture"),
    "truncated jpeg": (picture(format="jpeg")[:-200], "bad_picture"),
    "truncated webp": (picture(format="webp")[:-20], "bad_picture"),
    "animated": (animated(), "bad_picture"),
    "absurd": (absurd_png(), "bad_picture"),
    "too small": (picture(255, 256), "wrong_size"),
    "too large": (picture(512, 512), "wrong_size"),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
async def test_canvases_that_cannot_be(server: Served, name: str) -> None:
    data, code = BAD_PICTURES[name]
    async with drawing(server.socket_url) as pen:
        id = await pen.canvas(data)
        error = await pen.error()
        assert (error.code, error.id) == (code, id)
        await still_works(pen)


@pytest.mark.parametrize("name", REFUSED)
async def test_tiles_that_were_made_to_be_long_to_read(server: Served, name: str) -> None:
    """Each would hold up the loop, and with it the witness; ten do no more."""
    data = REFUSED[name][0]()
    async with drawing(server.socket_url) as pen:
        for _ in range(10):
            id = await pen.canvas(data, tile=(0, 0))
            error = await pen.error()
            assert (error.code, error.id) == ("bad_picture", id)
            assert error.remedy
        await still_works(pen)


@pytest.mark.parametrize("name", SKIPPED)
async def test_tiles_with_much_that_is_not_pixels(server: Served, name: str) -> None:
    async with drawing(server.socket_url) as pen:
        await pen.accepted(await pen.canvas(SKIPPED[name](), tile=(0, 0)))
        await still_works(pen)


async def test_an_absurd_size_is_refused_before_it_is_decoded(server: Served) -> None:
    """3.6 gigapixels would need ten gigabytes: the server's memory doesn't even twitch."""
    async with drawing(server.socket_url) as pen:
        before = server.figure("process_resident_memory_bytes")
        for _ in range(5):
            await pen.canvas(absurd_png())
            assert (await pen.error()).code == "bad_picture"
        assert server.figure("process_resident_memory_bytes") - before < 50 * MEGABYTE


@pytest.mark.parametrize(
    ("x", "y", "size"), [(250, 0, 16), (0, 250, 16), (65535, 65535, 1), (0, 0, 257), (1, 0, 256)]
)
async def test_a_tile_outside_the_canvas(server: Served, x: int, y: int, size: int) -> None:
    async with drawing(server.socket_url) as pen:
        id = await pen.canvas(picture(size, size), tile=(x, y))
        error = await pen.error()
        assert (error.code, error.id) == ("wrong_size", id)
        await still_works(pen)


def edit_header(version: int = 1, kind: int = 1, flags: int = 0, id: int = 1, x: int = 0) -> bytes:
    return struct.pack(">BBHIIHH", version, kind, flags, id, 0, x, 0)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\x01",
        edit_header(),
        edit_header(version=2) + b"x",
        edit_header(kind=16) + b"x",
        edit_header(kind=255) + b"x",
        edit_header(flags=1) + b"x",
        edit_header(id=0) + b"x",
        edit_header(x=5) + b"x",
        bytes(1000),
    ],
    ids=lambda header: header[:12].hex() or "empty",
)
async def test_binary_with_a_wrong_header(server: Served, header: bytes) -> None:
    async with drawing(server.socket_url) as pen:
        await pen.socket.send(header)
        assert (await pen.error()).code == "bad_message"
        await still_works(pen)


@pytest.mark.parametrize("kind", ["text", "binary"])
async def test_a_message_over_the_limit_is_1009(server: Served, kind: str) -> None:
    size = 5 * MEGABYTE
    async with drawing(server.socket_url) as pen:
        with contextlib.suppress(ConnectionClosed):
            await pen.socket.send("x" * size if kind == "text" else bytes(size))
        assert (await pen.closed())[0] == 1009


@pytest.mark.parametrize("pieces", [1, 200])
def test_who_is_in_the_middle_of_such_a_message_can_say_all_of_it_and_hears_why(
    server: Served, pieces: int
) -> None:
    """Closing with what still comes unread would reset the line: the peer's sending would fail, and
    most libraries then look no further."""
    piece = 40 * MEGABYTE // pieces
    with raw_socket(server) as raw:
        raw.sendall(text_frame(hello_text()))
        for n in range(pieces):
            first = (0x80 if n == pieces - 1 else 0) | (2 if n == 0 else 0)
            raw.sendall(struct.pack(">BBQI", first, 0xFF, piece, 0) + bytes(piece))
        assert close_code(read_to_end(raw)) == 1009


async def test_twenty_bad_messages_in_a_row_end_the_connection(server: Served) -> None:
    async with drawing(server.socket_url) as pen:
        for _ in range(20):
            await pen.socket.send("nonsense")
        assert (await pen.closed())[0] == 4400


async def test_a_thousand_edits_in_a_burst_are_all_accepted_and_few_are_painted(
    server: Served,
) -> None:
    async with drawing(server.socket_url) as pen:
        frames = [f'{{"type":"params","id":{n},"params":{{"seed":{n}}}}}' for n in range(1, 1001)]
        pen._ids = 1000
        writing = asyncio.create_task(send_all(pen, frames))
        pictures, answered = 0, 0
        async with asyncio.timeout(SECONDS):
            while True:
                frame = await pen.receive()
                answered += getattr(frame, "id", None) is not None
                pictures += isinstance(frame, PictureFrame)
                if isinstance(frame, PictureFrame) and frame.final and frame.revision == 1000:
                    break
        await writing
    assert answered == 1000
    assert pictures < 500


async def send_all(pen: Pen, frames: list[str]) -> None:
    """Everything in as few packets as possible, so that the server meets it at once."""
    for frame in frames:
        pen.socket.protocol.send_text(frame.encode())
    pen.socket.send_data()


@pytest.mark.parametrize(
    ("word", "code"),
    [("raise!", "model_error"), ("begin!", "model_error"), ("nan!", "bad_output"),
     ("oom!", "resource_exhausted")],
)  # fmt: skip
async def test_a_model_that_fails_fails_this_request_only(
    server: Served, word: str, code: str
) -> None:
    async with drawing(server.socket_url) as pen:
        answer = await pen.accepted(await pen.params(prompt=word))
        error = await pen.error()
        assert (error.code, error.revision) == (code, answer.revision)
        answer = await pen.accepted(await pen.params(prompt="hill"))
        await pen.final(answer.revision)
    answer_http = server.post("/v1/generate", json={"prompt": word})
    assert isinstance(answer_http, httpx.Response)
    assert answer_http.json()["code"] == code

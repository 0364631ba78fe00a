"""The issue's "Bad input", line by line, against one real server.

Each thing gets a clear typed error, ends nobody's work but its own, and leaves the server as it
was. A witness draws along the whole time on a connection of its own; after every test it must get
a new picture, and the server must still be there.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from PIL import Image
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from streaming.protocol import VERSION, Ack, Hello, PictureFrame
from tests.pen import SECONDS, Pen, drawing, picture
from tests.raw import (
    close_code,
    hello_text,
    raw_answer,
    raw_socket,
    read_to_end,
    text_frame,
    upgrade_request,
)
from tests.serving import Served, serving
from tests.witness import Witness

MEGABYTE = 2**20
PATIENCE = "2"
"""The impatient server's deadlines, in seconds. Only those who are to miss them meet it: on a busy
machine a well-behaved client of a test may well be slower than that."""


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving(
        *("--model-option", "faults=true", "--model-option", "step_ms=3"),
        *("--keep-seconds", "1"),
    ) as served:
        yield served


@pytest.fixture(scope="module")
def impatient() -> Iterator[Served]:
    deadlines = (
        "--hello-seconds",
        PATIENCE,
        "--send-seconds",
        PATIENCE,
        "--ping-seconds",
        PATIENCE,
    )
    with serving(*deadlines) as served:
        yield served


@pytest.fixture(scope="module")
def witness(server: Served) -> Iterator[Witness]:
    drawing_along = Witness(server.socket_url)
    yield drawing_along
    drawing_along.stop()


@pytest.fixture(autouse=True)
def nobody_is_hurt(server: Served, witness: Witness) -> Iterator[None]:
    """After each bad thing the witness gets pictures, and the log has no error."""
    logged = len(server.lines)
    yield
    witness.check()
    assert server.process.poll() is None
    errors = [line for line in server.lines[logged:] if "Traceback" in line or " error " in line]
    assert not [line for line in errors[:1] if "a model's call failed" not in line]


# --- messages -----------------------------------------------------------------------------------

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


async def still_works(pen: Pen) -> None:
    """The connection that sent the bad thing goes on."""
    pen._ids += 10
    answer = await pen.accepted(await pen.params(seed=pen._ids))
    await pen.final(answer.revision)


BAD_VALUES: list[tuple[dict[str, str | int | float | bool], str]] = [
    ({"seed": -1}, "seed"),
    ({"seed": 1.5}, "seed"),
    ({"seed": "7"}, "seed"),
    ({"seed": True}, "seed"),
    ({"seed": 2**63}, "seed"),
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
        id = await pen.params(**values)
        error = await pen.error()
        assert (error.code, error.id) == ("invalid_parameter", id)
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
    "truncated png": (os.urandom(0) + picture(color="red")[:-40], "bad_picture"),
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


async def test_a_message_over_the_limit_in_fragments_is_1009(server: Served) -> None:
    async with drawing(server.socket_url) as pen:

        async def fragments() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield bytes(MEGABYTE // 2)

        with contextlib.suppress(ConnectionClosed):
            await pen.socket.send(fragments())
        assert (await pen.closed())[0] == 1009


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


# --- hello, sessions, access --------------------------------------------------------------------


async def test_an_unknown_model(server: Served) -> None:
    async with Pen(server.socket_url) as pen:
        await pen.tell(Hello(VERSION, model="nope"))
        error = await pen.error()
        assert (error.code, error.retryable) == ("unknown_model", False)
        assert "fake" in error.message + error.remedy
        assert (await pen.closed())[0] == 4404


@pytest.mark.parametrize("secret", [None, "", "wrong", "ü" * 100])
async def test_a_wrong_secret(server: Served, secret: str | None) -> None:
    async with drawing(server.socket_url) as owner, Pen(server.socket_url) as pen:
        await pen.tell(Hello(VERSION, session=owner.welcome.session, secret=secret))
        assert (await pen.error()).code == "wrong_secret"
        assert (await pen.closed())[0] == 4403
        await still_works(owner)


async def test_an_expired_session(server: Served) -> None:
    async with drawing(server.socket_url) as pen:
        await still_works(pen)
        welcome = pen.welcome
    server.wait_log(f"session end session={welcome.session} reason=expired")
    async with Pen(server.socket_url) as pen:
        await pen.tell(Hello(VERSION, session=welcome.session, secret=welcome.secret))
        error = await pen.error()
        assert error.code == "unknown_session"
        assert error.remedy
        assert (await pen.closed())[0] == 4404


async def test_another_version(server: Served) -> None:
    async with Pen(server.socket_url) as pen:
        await pen.tell(Hello(99))
        assert (await pen.error()).code == "unsupported_version"
        assert (await pen.closed())[0] == 4400


async def test_anything_before_hello(server: Served) -> None:
    async with Pen(server.socket_url) as pen:
        await pen.params(seed=1)
        assert (await pen.error()).code == "hello_expected"
        assert (await pen.closed())[0] == 4400


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://evil.example"}, "foreign_origin"),
        ({"Origin": "null"}, "foreign_origin"),
        ({"Origin": "http://localhost:1"}, "foreign_origin"),
    ],
)
async def test_a_foreign_origin_is_403(server: Served, headers: dict[str, str], code: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(server.socket_url, additional_headers=headers, proxy=None):
            pass
    assert refused.value.response.status_code == 403
    assert code.encode() in refused.value.response.body
    for path in ("/v1/models", "/v1/generate"):
        answer = server.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, code)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "10.1.2.3"])
def test_a_foreign_host_is_403(server: Served, host: str) -> None:
    for path in ("/", "/v1/models", "/healthz"):
        answer = server.get(path, headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_host")
    raw = raw_answer(server, upgrade_request(host))
    assert b" 403 " in raw.splitlines()[0]


async def test_the_own_origin_is_let_in(server: Served) -> None:
    async with connect(server.socket_url, origin=server.address, proxy=None) as socket:  # type: ignore[arg-type]
        await socket.send(hello_text())
        assert '"welcome"' in str(await socket.recv())


# --- below the messages: sockets that misbehave -------------------------------------------------


async def test_who_opens_and_says_nothing_is_closed(impatient: Served) -> None:
    async with Pen(impatient.socket_url) as pen:
        assert (await pen.error()).code == "hello_expected"
        assert (await pen.closed())[0] == 4400


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow:"])
def test_a_connection_without_a_request_is_closed(impatient: Served, start: bytes) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=SECONDS) as raw:
        raw.sendall(start)
        assert read_to_end(raw) == b""


def test_a_head_without_end_is_refused(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nX-Long: ")
        raw.sendall(b"x" * 66_000)
        assert b" 431 " in read_to_end(raw)


def test_who_never_answers_pings_is_closed(impatient: Served) -> None:
    """The server pings by itself, and 1011 comes when nothing answers."""
    with raw_socket(impatient) as raw:
        raw.sendall(text_frame(hello_text()))
        data = read_to_end(raw)
    assert b"\x89\x04" in data
    assert close_code(data) == 1011


NEVER_READS = {
    "its replies": text_frame('{"type":"ping","at":1}') * 1000,
    "its pongs": text_frame("x" * 125, opcode=9) * 1000,
}


@pytest.mark.parametrize("what", NEVER_READS)
@pytest.mark.parametrize(("pings", "sends"), [("0.4", "3"), ("3600", "0.5")])
def test_who_never_reads_is_let_go(what: str, pings: str, sends: str) -> None:
    """It fills both sockets' buffers and doesn't read one byte. Without a ping's deadline, the
    one for sending ends it."""
    with serving("--send-seconds", sends, "--ping-seconds", pings) as other:
        with raw_socket(other) as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.sendall(text_frame(hello_text()))
            send_until_broken(raw, NEVER_READS[what])
            other.wait_figure("riverrun_connections", 0)
        assert not [line for line in other.lines if "Traceback" in line]


def test_who_asks_and_never_reads_the_answer_is_let_go() -> None:
    """Eight previews of two megabytes don't fit into any buffer: the stream ends, its job too."""
    size = ("--model-option", "width=1024", "--model-option", "height=1024")
    with serving("--send-seconds", "0.5", *size) as other:
        body = b'{"prompt":"x","steps":8,"stream":true}'
        head = f"POST /v1/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        with socket.socket() as raw:
            raw.settimeout(SECONDS)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect(("127.0.0.1", other.port))
            raw.sendall(head.encode() + b"\r\n" + body)
            other.wait_log("session end")
            assert b"event: final" not in read_to_end(raw)


def test_requests_without_end_are_cut_off(server: Served) -> None:
    """Nobody sends a thousand requests before the first answer came."""
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as raw:
        send_until_broken(raw, request * 1000)


def send_until_broken(raw: socket.socket, data: bytes) -> None:
    """Send for ever; returns when the server has reset the connection."""
    with contextlib.suppress(ConnectionError):
        while True:
            raw.sendall(data)


async def test_who_never_reads_its_pictures_costs_no_steps(server: Served) -> None:
    """Credits run out after two pictures; edits are accepted, and nothing is painted for them."""
    async with drawing(server.socket_url) as pen:
        pen.acknowledge = False
        answer = await pen.accepted(await pen.params(seed=1, steps=8))
        first, second = await pen.wait_for(PictureFrame), await pen.wait_for(PictureFrame)
        assert (first.sequence, second.sequence) == (1, 2)
        for seed in range(2, 30):
            answer = await pen.accepted(await pen.params(seed=seed))
        await pen.tell(Ack(2))
        assert (await pen.wait_for(PictureFrame)).sequence == 3
        pen.acknowledge = True
        await pen.tell(Ack(3))
        assert (await pen.final(answer.revision)).sequence < 30


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        text_frame(hello_text())[:-10],
        text_frame(hello_text()) + text_frame("{", fin=False),
        text_frame(hello_text()) + b"\x82\xff" + struct.pack(">Q", 2**20) + bytes(100),
        text_frame(hello_text()) + text_frame('{"type":"params","id":1,"params":{"seed":1}}'),
    ],
    ids=["before hello", "half a hello", "half a message", "half a canvas", "after an edit"],
)
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
def test_who_vanishes_leaves_nothing_behind(server: Served, rest: bytes, reset: bool) -> None:
    raw = raw_socket(server)
    raw.sendall(rest)
    if reset:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()
    server.wait_figure("riverrun_connections", at_most=1)  # the witness


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x05hello", 1002),
        (b"\xf1\x80" + bytes(4), 1002),
        (b"\x83\x80" + bytes(4), 1002),
        (b"\x81\x84" + bytes(4) + b"\xff\xfe\xfd\xfc", 1007),
        (b"\x82\xff" + struct.pack(">Q", 2**62) + bytes(4), 1009),
    ],
    ids=["unmasked", "reserved bits", "reserved opcode", "no utf-8", "absurd length"],
)
def test_frames_that_break_the_websocket_protocol(server: Served, frame: bytes, code: int) -> None:
    with raw_socket(server) as raw:
        raw.sendall(text_frame(hello_text()) + frame)
        assert close_code(read_to_end(raw)) == code


def test_requests_that_break_http(server: Served) -> None:
    for request in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10, b"NONSENSE\r\n\r\n"):
        answer = raw_answer(server, request)
        assert b" 400 " in answer.splitlines()[0]


async def test_permessage_deflate_is_off(server: Served) -> None:
    async with connect(server.socket_url, compression="deflate", proxy=None) as socket:
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers
        assert not socket.protocol.extensions


# --- models that fail ---------------------------------------------------------------------------


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

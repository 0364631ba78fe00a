"""Sockets that misbehave below the messages, whoever is at their other end.

Clients that say nothing, never answer, never read or vanish, and bytes that break WebSocket or
HTTP: each is let go in time and leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import connect

from server.guards import FRAGMENT_BYTES, MAX_FRAGMENTS
from server.settings import Settings
from streaming.protocol import Ack, PictureFrame
from tests import unhurt
from tests.pen import SECONDS, Pen, drawing
from tests.raw import (
    close_code,
    hello_text,
    raw_answer,
    raw_socket,
    read_to_end,
    read_until,
    text_frame,
)
from tests.serving import Served, serving

PATIENCE = "2"
"""The impatient server's deadlines, in seconds. Only those who are to miss them meet it: on a busy
machine a well-behaved client of a test may well be slower than that."""

server, witness, nobody_is_hurt = unhurt.server, unhurt.witness, unhurt.nobody_is_hurt


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


async def test_who_opens_and_says_nothing_is_closed(impatient: Served) -> None:
    async with Pen(impatient.socket_url) as pen:
        assert (await pen.error()).code == "hello_expected"
        assert (await pen.closed())[0] == 4400


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow:"])
def test_a_connection_without_a_request_is_closed(impatient: Served, start: bytes) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=SECONDS) as raw:
        raw.sendall(start)
        assert read_to_end(raw) == b""


async def test_who_leaves_first_leaves_no_error_in_the_log(impatient: Served) -> None:
    for _ in range(3):
        async with Pen(impatient.socket_url) as pen:
            await pen.hello()
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=SECONDS) as raw:
        assert read_to_end(raw) == b""  # after the same deadline as those who left before
    assert not [line for line in impatient.lines if " error " in line]


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


MOST_FRAGMENTS = MAX_FRAGMENTS + int(Settings().max_message_mb * 2**20) // FRAGMENT_BYTES
PIECE = text_frame("", opcode=0, fin=False)


def test_a_message_of_too_many_fragments_is_1009(server: Served) -> None:
    """Empty ones, which no limit of bytes counts."""
    with raw_socket(server) as raw:
        raw.sendall(text_frame(hello_text()) + text_frame("{", fin=False))
        raw.sendall(PIECE * MOST_FRAGMENTS)
        assert close_code(read_to_end(raw)) == 1009


def test_fragments_without_end_are_cut_off() -> None:
    """A refused message is read on until its sender is quiet, but not for ever."""
    with serving("--send-seconds", "0.5", "--ping-seconds", "3600") as other:
        with raw_socket(other) as raw:
            raw.sendall(text_frame(hello_text()) + text_frame("{", fin=False))
            send_until_broken(raw, PIECE * 1000)
        other.wait_figure("riverrun_connections", at_most=0)


def test_as_many_fragments_as_may_be_are_one_message(server: Served) -> None:
    with raw_socket(server) as raw:
        raw.sendall(text_frame(hello_text()) + text_frame('{"type":"end"', fin=False))
        raw.sendall(PIECE * (MOST_FRAGMENTS - 2) + text_frame("}", opcode=0))
        assert b'{"type":"ended"}' in read_until(raw, b'"ended"}')


def test_requests_that_break_http(server: Served) -> None:
    for request in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10, b"NONSENSE\r\n\r\n"):
        answer = raw_answer(server, request)
        assert b" 400 " in answer.splitlines()[0]


async def test_permessage_deflate_is_off(server: Served) -> None:
    async with connect(server.socket_url, compression="deflate", proxy=None) as socket:
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers
        assert not socket.protocol.extensions

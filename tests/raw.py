"""WebSockets without a library: sockets that answer nothing by themselves and can misbehave.

Role: what tests of silence, half frames and vanishing need, where `tests.pen` is too polite.

It does not know: what a server should answer.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import struct

from streaming.protocol import PATH, VERSION, Hello, encode_text
from tests.serving import SECONDS, Served


def upgrade_request(host: str = "localhost", *extra: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {PATH} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *extra,
    ]  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode()


def raw_socket(server: Served, *extra: str) -> socket.socket:
    """An upgraded socket without a library: it answers nothing by itself."""
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)
    raw.sendall(upgrade_request("localhost", *extra))
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += raw.recv(1)
    assert answer.startswith(b"HTTP/1.1 101 ")
    return raw


def raw_answer(server: Served, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as raw:
        raw.sendall(request)
        return raw.recv(65536)


def text_frame(text: str, *, opcode: int = 1, fin: bool = True) -> bytes:
    """A masked client frame (with a mask of zeros)."""
    data = text.encode()
    assert len(data) < 65536
    first = (0x80 if fin else 0) | opcode
    size = bytes([0x80 | len(data)]) if len(data) < 126 else struct.pack(">BH", 0xFE, len(data))
    return bytes([first]) + size + bytes(4) + data


def hello_text() -> str:
    return encode_text(Hello(VERSION, client="raw"))


def read_to_end(raw: socket.socket) -> bytes:
    """Everything until the server closes."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := raw.recv(65536):
            found += chunk
    return found


def read_until(raw: socket.socket, end: bytes) -> bytes:
    """Everything until `end` has come or the server closes."""
    found = b""
    while end not in found and (chunk := raw.recv(65536)):
        found += chunk
    return found


def close_code(data: bytes) -> int:
    """The code of the close frame at the end of what a server sent."""
    at = data.rindex(b"\x88")
    return int(struct.unpack_from(">H", data, at + 2)[0])

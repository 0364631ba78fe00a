"""The wire protocol is what docs/protocol.md, the golden files and the JSON Schema say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from server import problems, security
from streaming import protocol as wire
from streaming.errors import BadMessage, RiverrunError

ERRORS_OF_HTTP = (problems.TooLarge, security.ForeignHost, security.ForeignOrigin)
ROOT = Path(__file__).parent.parent
GOLDEN = [json.loads(path.read_text()) for path in sorted((ROOT / "tests/golden").glob("*.json"))]
EXAMPLES = re.findall(r"```json\n(.*?)\n```", (ROOT / "docs/protocol.md").read_text(), re.DOTALL)

CLIENT_TYPES = {"hello", "params", "clear", "undo", "redo", "demand", "ack", "ping", "end"}
SERVER_TYPES = {
    "welcome", "accepted", "state", "error", "status", "draining", "moved", "pong", "ended",
}  # fmt: skip


def decode(sample: dict[str, Any]) -> Any:
    if sample["kind"] == "text":
        client = sample["direction"] == "client"
        return (wire.decode_client_text if client else wire.decode_server_text)(sample["wire"])
    data = bytes.fromhex(sample["wire"])
    client = sample["direction"] == "client"
    return wire.decode_client_binary(data) if client else wire.decode_server_binary(data)


def encode(message: Any) -> str:
    if isinstance(message, wire.Message):
        return wire.encode_text(message)
    if isinstance(message, wire.PictureEdit):
        return wire.encode_picture_edit(message).hex()
    if isinstance(message, wire.CanvasState):
        return wire.encode_canvas_state(message).hex()
    return wire.encode_picture(message).hex()


def plain(message: Any) -> dict[str, Any]:
    """A message as the golden files write it: bytes as hex, a binary frame's type as `kind`."""
    built: dict[str, Any] = json.loads(
        json.dumps(
            msgspec.to_builtins(message, str_keys=True, builtin_types=(bytes,)), default=bytes.hex
        )
    )
    if not isinstance(message, wire.Message):
        built["kind"] = type(message).__name__
    return built


@pytest.mark.parametrize("sample", GOLDEN, ids=lambda sample: sample["name"])
def test_golden_files_decode_and_encode(sample: dict[str, Any]) -> None:
    message = decode(sample)
    assert plain(message) == sample["message"]
    assert encode(message) == sample["wire"]


def test_every_message_has_a_golden_file() -> None:
    texts = {json.loads(s["wire"])["type"] for s in GOLDEN if s["kind"] == "text"}
    assert texts == CLIENT_TYPES | SERVER_TYPES
    kinds = {bytes.fromhex(s["wire"])[1] for s in GOLDEN if s["kind"] == "binary"}
    assert kinds == {1, 2, 16, 17}


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_the_documentation_are_messages(example: str) -> None:
    client = json.loads(example)["type"] in CLIENT_TYPES
    (wire.decode_client_text if client else wire.decode_server_text)(example)


def test_documentation_shows_every_message_and_error() -> None:
    assert {json.loads(e)["type"] for e in EXAMPLES} == CLIENT_TYPES | SERVER_TYPES
    text = (ROOT / "docs/protocol.md").read_text()
    pending, codes = [RiverrunError, *ERRORS_OF_HTTP], set()
    while pending:
        error = pending.pop()
        pending += error.__subclasses__()
        codes |= {error.code} - {"internal"}
    assert not {code for code in codes if f"`{code}`" not in text}


def test_schema_file_is_generated_from_the_types() -> None:
    """After a change: python -m streaming.protocol > docs/protocol.schema.json"""
    assert json.loads((ROOT / "docs/protocol.schema.json").read_text()) == json.loads(
        json.dumps(wire.json_schema())
    )


@pytest.mark.parametrize(
    "text",
    [
        "", "nonsense", "[]", "null", "{}", '{"type":"nonsense"}', '{"type":"welcome"}',
        '{"type":"params","id":0,"params":{}}', '{"type":"params","id":-1,"params":{}}',
        '{"type":"params","id":4294967296,"params":{}}', '{"type":"params","id":1.5,"params":{}}',
        '{"type":"params","id":1,"params":{"a":NaN}}', '{"type":"params","id":1,"params":{"a":[]}}',
        '{"type":"params","id":1,"params":{"a":null}}', '{"type":"params","id":"1","params":{}}',
        '{"type":"params","id":1,"params":{"a":Infinity}}', '{"type":"ack","sequence":-1}',
        '{"type":"undo","id":1,"extra":1}', '{"type":"hello","version":1,"credits":0}',
        '{"type":"hello","version":1,"credits":9}', '{"type":"hello","version":1,"format":"gif"}',
        '{"type":"hello","version":1,"client":"' + "x" * 65 + '"}', "[" * 100_000,
    ],
)  # fmt: skip
def test_bad_text_is_a_bad_message(text: str) -> None:
    with pytest.raises(BadMessage):
        wire.decode_client_text(text)


@pytest.mark.parametrize(
    ("frame", "id"),
    [
        ('{"type":"params","id":7,"params":{"a":NaN}}', 7),
        ('{"params":{"id":3,"a":[-Infinity]},"id":7,"type":"params"}', 7),
        ('{"type":"params","id":7,"params":{"a":null}}', 7),
        ('{"type":"params","id":7,"params":3}', 7),
        ('{"type":"clear","id":7,"colour":1}', 7),
        ('{"type":"undo","id":7,"group":1}', 7),
        ('{"type":"redo","id":4294967295,"x":[[[[{}]]]]}', 2**32 - 1),
        ('{"type":"params","id":7,"params":{"prompt":"\\ud800"},"x":0}', 7),
        ('{"type":"params","id":7,"params":{"prompt":["' + "x" * 60_000 + '"]}}', 7),
        ('{"type":"params","id":7,"params":{"prompt":["' + "x" * 70_000 + '"]}}', None),
        ('{"type":"params","id":0,"params":{}}', None),
        ('{"type":"params","id":4294967296,"params":{}}', None),
        ('{"type":"params","id":"7","params":{}}', None),
        ('{"type":"params","id":true,"params":{}}', None),
        ('{"type":"params","params":{"id":7}}', None),
        ('{"type":"params","params":{"prompt":"\\"id\\":7"}}', None),
        ('{"type":"ack","id":7}', None),
        ('{"type":"params","id":7', None),
        ("[" * 60_000, None),
        ("1" * 60_000, None),
        ("", None),
        ("\ud800", None),
        (bytes.fromhex("0101000100000007000000000000000000"), 7),  # flags
        (bytes.fromhex("010200000000000700000000"), 7),  # cut short
        (bytes.fromhex("0101000000000000000000000000000000"), None),
        (bytes.fromhex("0201000000000007000000000000000000"), None),  # version 2
        (bytes.fromhex("0103000000000007000000000000000000"), None),  # kind 3
        (bytes.fromhex("01010000000000"), None),
        (b"", None),
    ],
    ids=lambda value: str(value)[:50].encode("ascii", "replace").decode(),
)
def test_the_edit_that_a_refused_frame_was_meant_to_be(frame: str | bytes, id: int | None) -> None:
    decode: Any = wire.decode_client_text if isinstance(frame, str) else wire.decode_client_binary
    with pytest.raises(BadMessage):
        decode(frame)
    assert wire.edit_id(frame) == id


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x01", bytes(16), bytes(17),
        bytes.fromhex("0201000000000001000000000000000000"),  # version 2
        bytes.fromhex("0103000000000001000000000000000000"),  # kind 3
        bytes.fromhex("0101000100000001000000000000000000"),  # flags
        bytes.fromhex("0101000000000000000000000000000000"),  # edit id 0
        bytes.fromhex("0101000000000001000000000001000000"),  # a canvas with an offset
        bytes.fromhex("01010000000000010000000000000000"),  # no picture
    ],
)  # fmt: skip
def test_bad_binary_is_a_bad_message(data: bytes) -> None:
    with pytest.raises(BadMessage):
        wire.decode_client_binary(data)


@given(st.binary(max_size=200))
def test_decoders_raise_nothing_else(data: bytes) -> None:
    for decoder in (
        wire.decode_client_binary, wire.decode_server_binary,
        wire.decode_client_text, wire.decode_server_text,
    ):  # fmt: skip
        try:
            decoder(data)
        except BadMessage:
            continue


@given(
    st.integers(1, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 65535),
    st.integers(0, 65535), st.binary(min_size=1, max_size=64),
)  # fmt: skip
def test_tiles_survive_the_wire(id: int, group: int, x: int, y: int, data: bytes) -> None:
    tile = wire.PictureEdit(id, group, x, y, True, data)
    assert wire.decode_client_binary(wire.encode_picture_edit(tile)) == tile


@given(
    st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1),
    st.floats(0, 1e12), st.floats(0, 1e6, width=32), st.sampled_from(wire.FORMATS),
    st.booleans(), st.booleans(), st.binary(max_size=64),
)  # fmt: skip
def test_pictures_survive_the_wire(
    step: int, number: int, pts: int, clock: float, ms: float, format: wire.Format,
    final: bool, replay: bool, data: bytes,
) -> None:  # fmt: skip
    times = wire.StageTimes(ms, ms, ms, ms, ms, ms)
    frame = wire.PictureFrame(
        3, step, 255, number, number, number, 512, 65535, pts, clock, clock, times, format,
        final, replay, data,
    )  # fmt: skip
    assert wire.decode_server_binary(wire.encode_picture(frame)) == frame

"""The seam: every message comes out as it went in, in pieces or whole, with room in the ring or
without, and nothing else can be made of bytes."""

from __future__ import annotations

import weakref
from dataclasses import replace
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from models.base import Encoded, Output, Payload, Picture, Request, Samples, Timings, Value
from models.fake import FakeModel, FakeOptions
from streaming.messages import (
    Broken,
    Failed,
    Forget,
    Loaded,
    Lost,
    Outputs,
    Ready,
    Stop,
    Stopped,
    Submit,
    Ticked,
    Want,
    Warming,
)
from streaming.ring import HEADER, Ring
from streaming.seam import FROM_ENGINE, LATELY, TO_ENGINE, Message, Packer, SeamBroken, Unpacker

ROOMY, TINY = 2**20, 64


def ends(capacity: int = ROOMY, kinds: Any = TO_ENGINE + FROM_ENGINE) -> tuple[Packer, Any]:
    memory = memoryview(bytearray(HEADER + capacity))
    return Packer(Ring(memory)), Unpacker(Ring(memory), kinds)


def noise(*shape: int) -> Any:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


def output(payload: Payload) -> Output:
    timings = Timings(1.5, 2.5, 3.5, 4.5)
    return Output("s", 1, 2, 3, 4, 5, True, 123456789, payload, timings)


def request(canvas: Any, session: str = "s", job: int = 1) -> Submit:
    params: dict[str, Value] = {"prompt": "hügel", "seed": 2**32 - 1, "strength": 0.5, "on": True}
    inputs = {} if canvas is None else {"canvas": canvas}
    return Submit(Request(session, "m", job, 7, params, inputs), 12.25)


def plain(value: Any) -> Any:
    """A message as comparable values."""
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if hasattr(value, "__dataclass_fields__"):
        return type(value), [plain(getattr(value, n)) for n in value.__dataclass_fields__]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, tuple | list) else value


SAMPLES = Samples(np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 6), 48000)
MESSAGES: list[Message] = [
    request(None), replace(request(noise(16, 8, 3)), passing=True), Want("s", 5, False),
    Forget("s"), Stop(),
    Loaded((FakeModel().spec, FakeModel(FakeOptions(name="b", faults=True)).spec)),
    Warming("weights", 0.5, None), Warming("weights", 0.75, 1.5), Ready(),
    Outputs((output(Picture(noise(8, 6, 3))), output(Encoded(b"\xff\xd8abc", "jpeg", 6, 8)))),
    Outputs((output(SAMPLES), output(Encoded(b"", "h264", 1, 1)))),
    Outputs((output(Picture(noise(9, 9, 3)[::2, ::-1])),)),
    Failed("s", 1, 2, "bad_output", "NaN", True), Ticked("m", 3, 0.1, 0.2, 0.3, 4),
    Lost("signal 9"), Broken("no weights"), Stopped(),
]  # fmt: skip


@pytest.mark.parametrize("capacity", [ROOMY, TINY])
def test_every_message_comes_out_as_it_went_in(capacity: int) -> None:
    assert {type(message) for message in MESSAGES} == set(TO_ENGINE + FROM_ENGINE)
    packer, unpacker = ends(capacity)
    found = unpacker.feed(packer.pack(MESSAGES))
    assert plain(found) == plain(MESSAGES)
    assert all(isinstance(each, type(was)) for each, was in zip(found, MESSAGES, strict=True))


@given(st.lists(st.integers(0, 400), max_size=12))
@settings(deadline=None)
def test_frames_may_come_in_any_pieces(cuts: list[int]) -> None:
    packer, unpacker = ends()
    data = packer.pack(MESSAGES[:4]) + packer.pack([]) + packer.pack(MESSAGES[6:9])
    places = sorted({0, *(cut % len(data) for cut in cuts), len(data)})
    found = [m for a, b in pairwise(places) for m in unpacker.feed(data[a:b])]
    assert plain(found) == plain(MESSAGES[:4] + MESSAGES[6:9])


def test_what_was_taken_makes_room() -> None:
    packer, unpacker = ends(64 * 1024)
    for number in range(50):
        picture = noise(64, 64, 3) + np.uint8(number)
        frame = packer.pack([Outputs((output(Picture(picture)),))])
        assert len(frame) < 1000, "the pixels went through the ring"
        (found,) = unpacker.feed(frame)
        assert (found.outputs[0].payload.pixels == picture).all()


def test_arrays_are_read_only() -> None:
    packer, unpacker = ends()
    (found,) = unpacker.feed(packer.pack([request(noise(4, 4, 3))]))
    assert not found.request.inputs["canvas"].flags.writeable


@pytest.mark.parametrize("capacity", [ROOMY, TINY])
def test_a_canvas_that_didnt_change_crosses_once(capacity: int) -> None:
    packer, unpacker = ends(capacity)
    canvas, other = noise(64, 64, 3), noise(64, 64, 3)
    first = packer.pack([request(canvas)])
    again = packer.pack([request(canvas, job=2)])
    equal = packer.pack([request(other, job=3)])
    found = [unpacker.feed(frame)[0].request.inputs["canvas"] for frame in (first, again, equal)]
    assert found[1] is found[0]
    assert found[2] is not found[0]
    assert len(again) < 200


def test_of_many_sessions_the_latest_are_remembered_by_both_ends() -> None:
    packer, unpacker = ends()
    canvases = {f"s{n}": noise(4, 4, 3) for n in range(LATELY + 10)}
    for _ in range(3):
        for session, canvas in canvases.items():
            (found,) = unpacker.feed(packer.pack([request(canvas, session)]))
            assert (found.request.inputs["canvas"] == canvas).all()
    for session in canvases:
        unpacker.feed(packer.pack([Forget(session)]))
    (found,) = unpacker.feed(packer.pack([request(canvases["s70"], "s70")]))
    assert (found.request.inputs["canvas"] == canvases["s70"]).all()


def test_the_sender_keeps_no_canvas_alive() -> None:
    packer, unpacker = ends()
    canvas = noise(4, 4, 3)
    unpacker.feed(packer.pack([request(canvas)]))
    seen = weakref.ref(canvas)
    del canvas
    assert seen() is None


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xc1", b"\x90\x90", msgspec.msgpack.encode([[99]]), msgspec.msgpack.encode([["x"]]),
        msgspec.msgpack.encode([[1]]), msgspec.msgpack.encode([[7, [1, 2]]]),
        msgspec.msgpack.encode([[0, "s", "m", 1, 1, {}, {"canvas": None}, 0.0]]),
        msgspec.msgpack.encode([[0, "s", "m", 1, 1, {}, {"canvas": [9, -64, [3, 1, 3]]}, 0.0]]),
        msgspec.msgpack.encode([[0, "s", "m", 1, 1, {}, {"canvas": [9, b"123", [3, 1, 3]]}, 0.0]]),
    ],
    ids=range(10),
)  # fmt: skip
def test_what_is_no_frame_breaks_the_seam(body: bytes) -> None:
    _, unpacker = ends()
    with pytest.raises(SeamBroken):
        unpacker.feed(len(body).to_bytes(4, "big") + body)


@given(st.binary(max_size=80))
@settings(deadline=None, max_examples=300)
def test_no_bytes_do_worse_than_break_it(body: bytes) -> None:
    _, unpacker = ends()
    try:
        found = unpacker.feed(len(body).to_bytes(4, "big") + body)
    except SeamBroken:
        return
    assert all(type(message) in TO_ENGINE + FROM_ENGINE for message in found)


def test_each_end_takes_only_what_the_other_says() -> None:
    packer, unpacker = ends(kinds=TO_ENGINE)
    with pytest.raises(SeamBroken):
        unpacker.feed(packer.pack([Ready()]))

"""The peers that the server is measured against: are they what the page says?"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import sys

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from loadtests import naive
from loadtests.bare import Loop, Order
from loadtests.drawings import drawing, png
from loadtests.figures.plan import Plan, bare_feed, bare_loop
from loadtests.users import User
from models.fake import FakeModel, FakeOptions


def loaded(**options: float) -> FakeModel:
    model = FakeModel(FakeOptions(**options))  # type: ignore[arg-type]
    model.load(lambda stage, fraction: None)
    return model


def body(color: tuple[int, int, int], number: int = 1) -> str:
    canvas = np.full((256, 256, 3), color, np.uint8)
    encoded = base64.b64encode(png(canvas)).decode()
    return json.dumps({"id": number, "params": {"prompt": "x", "steps": 3}, "canvas": encoded})


def test_the_naive_server_paints_what_it_is_sent_and_runs_all_steps() -> None:
    model = loaded()
    with TestClient(naive.create_app(model)).websocket_connect(naive.PATH) as socket:
        socket.send_text(body((180, 0, 0)))
        answer = json.loads(socket.receive_text())
    assert answer["id"] == 1
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(answer["image"]))))
    assert pixels.shape == (256, 256, 3)
    red, green, _ = pixels[128:].mean(axis=(0, 1))
    assert red > green + 20
    assert model.stepped == model.calls == 3
    assert model.open_states == 0


def test_the_naive_server_answers_every_request_in_order() -> None:
    with TestClient(naive.create_app(loaded(step_ms=1))).websocket_connect(naive.PATH) as socket:
        for number in range(4):
            socket.send_text(body((0, 0, 180), number))
        assert [json.loads(socket.receive_text())["id"] for _ in range(4)] == [0, 1, 2, 3]


def test_the_bare_loop_does_the_steps_and_leaves_no_row_behind() -> None:
    model = loaded()
    loop = Loop(model)
    told = loop.run(Order(seconds=0.05, steps=2))
    assert model.stepped == 2 * int(str(told["pictures"])) > 0
    times = loop.firsts(Order(count=3, steps=4))["ms"]
    assert isinstance(times, list)
    assert len(times) == 3
    assert model.open_states == 1  # the last one, which the next begin is given


async def test_the_bare_loop_times_the_first_step_decode_and_encode_only() -> None:
    subject = Plan().fake("begin_ms=200", "step_ms=20", "decode_ms=10")
    async with bare_loop(subject) as bare:
        times = await bare.firsts(Order(count=3, steps=4))
        assert min(times) >= 30
        assert min(times) < 200
        assert 0 < await bare.rate(Order(seconds=0.2, steps=1)) < 5


async def test_the_bare_server_sends_under_credit_and_not_beyond_it() -> None:
    async with bare_feed(1000, 4) as server:
        user = await User(drawing("shore"), edits="seed", credits=2).connect(server.url)
        await user.until(lambda: len(user.log.pictures) >= 10)
        sizes = {picture.size for picture in user.log.pictures}
        steps = [picture.step for picture in user.log.pictures[:8]]
        user.vanish()
    assert sizes == {1000}
    assert steps == [1, 2, 3, 4, 1, 2, 3, 4]


async def test_the_command_line_helps() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests", "--help", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    for word in ("users", "naive", "bench"):
        assert word in out.decode()

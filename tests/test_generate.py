"""`POST /v1/generate` against the real server: pictures, events, refusals, clients that leave."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import socket
import time
from collections.abc import AsyncGenerator, Iterator, MutableMapping
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from models.base import InvalidParameter, ModelSpec, Parameter, Track
from server.generate import Answer, GenerateRequest, Wish, read_wish
from streaming.errors import JobFailed, UnknownModel, WrongSize
from streaming.protocol import PictureFrame, StageTimes
from tests.pen import picture
from tests.serving import SECONDS, Served, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving("--model-option", "faults=true", "--send-seconds", "0.5") as served:
        yield served


def generate(server: Served, **body: object) -> httpx.Response:
    return server.post("/v1/generate", json=body)


def pixels(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def uri(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64," + base64.b64encode(data).decode()


def events(answer: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", answer.text)
    return [(name, json.loads(data)) for name, data in found]


@pytest.mark.parametrize(("format", "name"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_the_pictures_bytes_in_each_format(server: Served, format: str, name: str) -> None:
    answer = generate(server, prompt="hill", seed=7, format=format)
    assert answer.headers["content-type"] == f"image/{format}"
    assert answer.headers["x-riverrun-seed"] == "7"
    assert answer.headers["x-riverrun-model"] == "fake"
    assert answer.headers["x-riverrun-steps"] == "4"
    assert int(answer.headers["x-riverrun-revision"]) >= 1
    assert "step;dur=" in answer.headers["server-timing"]
    image = Image.open(io.BytesIO(answer.content))
    assert (image.format, image.size) == (name, (256, 256))


def test_the_same_request_gives_the_same_picture_and_another_seed_another(server: Served) -> None:
    first = pixels(generate(server, prompt="hill", seed=1))
    assert (pixels(generate(server, prompt="hill", seed=1)) == first).all()
    assert not (pixels(generate(server, prompt="hill", seed=2)) == first).all()


def test_what_the_model_would_take_anyway_may_be_said(server: Served) -> None:
    """An empty prompt is the default, so this edit changes nothing and must still be answered."""
    answer = generate(server, prompt="", width=256, height=256, model="fake", canvas=None)
    assert pixels(answer).shape == (256, 256, 3)
    assert answer.headers["x-riverrun-seed"] == "0"


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_a_canvas_is_seen_in_the_picture(server: Served, kind: str) -> None:
    red = pixels(generate(server, canvas=uri(picture(color="red", format=kind), kind)))
    blue = pixels(generate(server, canvas=uri(picture(color="blue", format=kind), kind)))
    assert red[..., 0].mean() > blue[..., 0].mean() + 20
    assert blue[..., 2].mean() > red[..., 2].mean() + 20


def test_a_stream_shows_previews_and_then_the_same_final_picture(server: Served) -> None:
    answer = generate(server, prompt="hill", seed=3, steps=6, stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer)
    names = [name for name, _ in told]
    assert names[-1] == "final"
    assert set(names[:-1]) <= {"preview"}
    steps = [data["step"] for _, data in told]
    assert steps == sorted(steps)
    final = told[-1][1]
    assert (final["step"], final["steps"], final["seed"], final["format"]) == (6, 6, 3, "png")
    once = generate(server, prompt="hill", seed=3, steps=6)
    assert base64.b64decode(final["picture"]) == once.content


def test_previews_are_streamed_while_the_rest_is_made() -> None:
    """The first event must be here long before the last: nothing on the way gathers them."""
    with serving("--model-option", "step_ms=150") as served:
        arrivals: list[float] = []
        body = {"prompt": "hill", "steps": 8, "stream": True}
        with httpx.stream(
            "POST", served.address + "/v1/generate", json=body, timeout=SECONDS
        ) as answer:
            arrivals += [time.monotonic() for _ in answer.iter_raw()]
    assert arrivals[-1] - arrivals[0] > 0.4


REFUSED: list[tuple[dict[str, object], int, str, str]] = [
    ({}, 422, "invalid_parameter", "prompt"),
    ({"seed": 1}, 422, "invalid_parameter", "prompt"),
    ({"prompt": "x", "colour": 1}, 422, "invalid_parameter", "colour"),
    ({"prompt": 3}, 422, "invalid_parameter", "prompt"),
    ({"prompt": "x", "steps": 99}, 422, "invalid_parameter", "steps"),
    ({"prompt": "x", "steps": 1.5}, 422, "invalid_parameter", "steps"),
    ({"prompt": "x", "seed": -1}, 422, "invalid_parameter", "seed"),
    ({"prompt": "x", "seed": 2**70}, 422, "invalid_parameter", "seed"),
    ({"prompt": "x", "seed": 10**400}, 422, "invalid_parameter", "seed"),
    ({"prompt": "x", "seed": 1e308}, 422, "invalid_parameter", "seed"),
    ({"prompt": "x", "strength": -(10**400)}, 422, "invalid_parameter", "strength"),
    ({"prompt": "x", "width": 10**400}, 422, "wrong_size", "width"),
    ({"prompt": "x", "strength": 2}, 422, "invalid_parameter", "strength"),
    ({"prompt": "x", "format": "gif"}, 422, "invalid_parameter", "format"),
    ({"prompt": "x", "width": 512}, 422, "wrong_size", "width"),
    ({"prompt": "x", "height": 0}, 422, "wrong_size", "height"),
    ({"prompt": "x", "negative_prompt": "y"}, 422, "invalid_parameter", "negative_prompt"),
    ({"prompt": "x" * 1_000_000}, 422, "invalid_parameter", "prompt"),
    ({"prompt": "x", "model": "nope"}, 404, "unknown_model", "nope"),
    ({"canvas": "hello"}, 422, "bad_picture", "data:"),
    ({"canvas": "data:text/html;base64,aGk="}, 422, "bad_picture", "data:"),
    ({"canvas": "data:image/png;base64,@@"}, 422, "bad_picture", "base64"),
    ({"canvas": uri(b"not a picture")}, 422, "bad_picture", "picture"),
    ({"canvas": uri(picture()[:100])}, 422, "bad_picture", ""),
    ({"canvas": uri(picture(64, 64))}, 422, "wrong_size", "64"),
]


@pytest.mark.parametrize(("body", "status", "code", "told"), REFUSED)
def test_what_is_wrong_is_said(
    server: Served, body: dict[str, object], status: int, code: str, told: str
) -> None:
    for stream in (False, True):
        answer = generate(server, **body, stream=stream)
        assert answer.status_code == status, answer.text
        problem = answer.json()
        assert problem["code"] == code
        assert told in problem["message"]
        assert problem["retryable"] is False
        assert len(answer.content) < 2000


@pytest.mark.parametrize("body", [b"", b"{", b'{"prompt": NaN}', b"\x00\x01", b"null", b"[1]"])
def test_bodies_that_are_no_request(server: Served, body: bytes) -> None:
    answer = server.post("/v1/generate", content=body)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("bad_message", "invalid_parameter")


@pytest.mark.parametrize("told", [True, False])
def test_a_body_over_the_limit_is_413(server: Served, told: bool) -> None:
    """Also where its length wasn't announced: then it is counted."""
    body = b'{"prompt": "' + b"x" * (7 << 20) + b'"}'
    content = body if told else iter([body])
    try:
        answer = server.post("/v1/generate", content=content)
    except httpx.WriteError:  # the server closed while the body was still being sent
        return
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("raise!", 500, "model_error"),
        ("nan!", 500, "bad_output"),
        ("oom!", 503, "resource_exhausted"),
    ],
)
def test_a_model_that_fails_fails_this_request_only(
    server: Served, word: str, status: int, code: str
) -> None:
    for stream in (False, True):
        answer = generate(server, prompt=word, stream=stream)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert pixels(generate(server, prompt="hill")).shape == (256, 256, 3)


def test_a_client_that_leaves_ends_its_job() -> None:
    with serving("--model-option", "step_ms=100") as served:
        for stream in (False, True):
            leave(served, {"prompt": "hill", "steps": 8, "stream": stream})
        served.wait_log("session end", times=2)
        served.wait_figure("riverrun_sessions", 0)
        # 16 steps were asked for; what was begun before the clients left may have run.
        assert served.figure('riverrun_step_rows_sum{model="fake"}') < 12


def leave(served: Served, body: dict[str, object]) -> None:
    """Ask for a picture and vanish as soon as its session has begun."""
    before = sum("session start" in line for line in served.lines)
    data = json.dumps(body).encode()
    head = f"POST /v1/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=SECONDS) as raw:
        raw.sendall(head.encode() + data)
        served.wait_log("session start", times=before + 1)


def test_a_body_that_never_comes_is_given_up(server: Served) -> None:
    head = b"POST /v1/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as raw:
        raw.sendall(head)
        answer = raw.recv(65536)
        while b"too_slow" not in answer:
            more = raw.recv(65536)
            assert more, answer
            answer += more
    assert b" 408 " in answer.splitlines()[0]


# --- without a server: a model that takes other parameters ---------------------------------------

SIZED = ModelSpec(
    "sized",
    "Sized",
    (Track("picture", "picture", 512, 512),),
    (
        Parameter("prompt", "string", ""),
        Parameter("negative_prompt", "string", ""),
        Parameter("width", "integer", 512, minimum=64, maximum=1024),
    ),
)


def test_parameters_that_the_model_has_reach_it() -> None:
    body = GenerateRequest(prompt="a", negative_prompt="b", width=256, height=512)
    wish = read_wish(body, (SIZED,))
    assert wish.params == {"prompt": "a", "negative_prompt": "b", "width": 256}
    assert wish.seed is None


FINER = ModelSpec(
    "finer",
    "Finer",
    (Track("picture", "picture", 256, 192),),
    (
        Parameter("prompt", "string", ""),
        Parameter("size", "integer", 256, choices=(256, 512)),
    ),
)


@pytest.mark.parametrize(
    ("body", "size"),
    [
        ({}, None),
        ({"width": 256, "height": 192}, 256),
        ({"height": 384}, 512),
        ({"width": 512, "height": 384}, 512),
        ({"width": 512, "params": {"size": 512}}, 512),
        ({"params": {"size": 512}}, 512),
    ],
)
def test_width_and_height_choose_among_the_models_sizes(
    body: dict[str, Any], size: int | None
) -> None:
    wish = read_wish(GenerateRequest(prompt="a", **body), (FINER,))
    assert wish.params == {"prompt": "a"} | ({} if size is None else {"size": size})


@pytest.mark.parametrize(
    "body",
    [{"width": 300}, {"width": 512, "height": 192}, {"width": 512, "params": {"size": 256}}],
)
def test_a_size_that_the_model_has_not_is_refused_with_those_that_it_has(
    body: dict[str, Any],
) -> None:
    with pytest.raises(WrongSize, match="but finer makes 256×192 or 512×384"):
        read_wish(GenerateRequest(prompt="a", **body), (FINER,))
    with pytest.raises(InvalidParameter, match="size"):
        read_wish(GenerateRequest(prompt="a", params={"size": 300}), (FINER,))


def test_a_finer_picture_says_its_own_size() -> None:
    with serving("--model-option", "finer=2") as served:
        small, large = (pixels(generate(served, prompt="hill", width=w)) for w in (256, 512))
        assert (large[1::2, 1::2] == small).all()
        told = events(generate(served, prompt="hill", params={"size": 512}, stream=True))
        assert {(data["width"], data["height"]) for _, data in told} == {(512, 512)}


async def test_a_failure_after_the_first_preview_is_an_event() -> None:
    """Once pictures were sent the status can't change: the stream says it, and ends."""
    preview = PictureFrame(
        0, 1, 4, 1, 1, 1, 8, 8, 0, 0.0, 0.0, StageTimes(), "png", False, False, b"picture"
    )

    async def frames() -> AsyncGenerator[PictureFrame, None]:
        yield preview
        raise JobFailed("no room", code="resource_exhausted", retryable=True)

    wish = Wish("sized", {}, None, None, "png", True)
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    failures: list[str] = []
    await Answer(wish, frames, failures.append)({}, receive, send)
    assert sent[0]["status"] == 200
    text = b"".join(message["body"] for message in sent[1:]).decode()
    (name, _), (last, problem) = events(httpx.Response(200, text=text))
    assert (name, last) == ("preview", "error")
    assert (problem["code"], problem["retryable"]) == ("resource_exhausted", True)
    assert sent[-1]["more_body"] is False
    assert failures == ["resource_exhausted"]


def test_typed_refusals_without_a_server() -> None:
    with pytest.raises(UnknownModel, match="other"):
        read_wish(GenerateRequest(prompt="a", model="other"), (SIZED,))
    wish = read_wish(GenerateRequest(prompt="a", params={"width": 128}), (SIZED,))
    assert wish.params == {"prompt": "a", "width": 128}
    with pytest.raises(InvalidParameter, match="glow"):
        read_wish(GenerateRequest(prompt="a", params={"glow": True}), (SIZED,))
    with pytest.raises(WrongSize, match="height: 256, but sized makes 512×512"):
        read_wish(GenerateRequest(prompt="a", height=256), (SIZED,))

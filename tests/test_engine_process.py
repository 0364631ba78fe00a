"""The engine's own process: what the gateway is spared, and what happens when either dies."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import httpx
import psutil
import pytest

from server import engine_process
from server.engine_process import EngineProcess
from server.settings import Settings
from streaming.messages import Broken, FromEngine, Lost, Ready
from streaming.protocol import PictureFrame, Status
from streaming.pulse import LEAST
from tests.conftest import Serve
from tests.pen import SECONDS, Pen, drawing
from tests.serving import Served


def worker_of(served: Served) -> psutil.Process:
    (worker,) = psutil.Process(served.process.pid).children()
    return worker


def workers(served: Served) -> set[int]:
    return {child.pid for child in psutil.Process(served.process.pid).children()}


def until(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def libraries(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads /proc")
def test_only_the_worker_has_torch(serve: Serve) -> None:
    served = serve("--model", "scenes")
    served.wait_ready()
    assert served.post("/v1/generate", json={"prompt": "night", "steps": 1}).status_code == 200
    assert "libtorch" in libraries(worker_of(served).pid)
    assert "libtorch" not in libraries(served.process.pid)


async def test_a_killed_worker_costs_nobody_the_connection_nor_an_edit(serve: Serve) -> None:
    served = serve("--model-option", "step_ms=20")
    served.wait_ready()
    first = worker_of(served).pid
    async with drawing(served.socket_url) as pen:
        revision = (await pen.accepted(await pen.params(prompt="hill", steps=8))).revision
        await pen.wait_for(PictureFrame, lambda frame: frame.revision == revision)
        os.kill(first, signal.SIGKILL)
        status = await pen.wait_for(Status)
        assert (status.state, status.stage) == ("warming", "starting again")
        assert "signal 9" in status.message
        newer = await pen.params(seed=7)  # while nobody is there to paint it
        await pen.wait_for(Status, lambda told: told.state == "ready")
        final = await pen.final(revision + 1)
        assert final.revision == revision + 1
        assert newer
        after = (await pen.accepted(await pen.params(seed=8))).revision
        assert (await pen.final(after)).revision == after
    assert worker_of(served).pid != first
    assert "signal 9" in served.wait_log("engine lost")
    assert served.get("/readyz").status_code == 200


async def test_what_was_in_the_making_when_it_died_is_made(serve: Serve) -> None:
    served = serve("--model-option", "step_ms=100")
    served.wait_ready()
    async with drawing(served.socket_url) as pen:
        revision = (await pen.accepted(await pen.params(prompt="hill", steps=8))).revision
        await pen.wait_for(PictureFrame, lambda frame: frame.revision == revision)
        os.kill(worker_of(served).pid, signal.SIGKILL)
        assert (await pen.final(revision)).revision == revision


def test_a_picture_over_http_survives_the_workers_death(serve: Serve) -> None:
    served = serve("--model-option", "step_ms=50")
    body = {"prompt": "hill", "steps": 8, "stream": True}
    with httpx.stream("POST", served.address + "/v1/generate", json=body, timeout=SECONDS) as told:
        lines = told.iter_lines()
        assert next(lines) == "event: preview"
        os.kill(worker_of(served).pid, signal.SIGKILL)
        assert "event: final" in list(lines)


async def test_what_was_shown_whole_is_not_made_again(serve: Serve) -> None:
    served = serve()
    served.wait_ready()
    async with drawing(served.socket_url) as pen:
        await pen.final((await pen.accepted(await pen.params(prompt="hill"))).revision)
        made = served.figure('riverrun_pictures_sent_total{kind="final"}')
        os.kill(worker_of(served).pid, signal.SIGKILL)
        await pen.wait_for(Status, lambda told: told.state == "ready")
        await pen.final((await pen.accepted(await pen.params(seed=5))).revision)
    assert served.figure('riverrun_pictures_sent_total{kind="final"}') == made + 1


def test_what_kills_it_again_and_again_is_given_up(serve: Serve) -> None:
    served = serve()
    seen: set[int] = set()
    for _ in range(4):
        served.wait_ready()
        pid = worker_of(served).pid
        assert pid not in seen
        seen.add(pid)
        os.kill(pid, signal.SIGKILL)
        if len(seen) < 4:  # what comes between is too short to be sure to see it
            until(lambda: bool(workers(served) - seen))
            until(lambda: served.get("/readyz").status_code == 200)
    until(lambda: served.get("/readyz").status_code == 503)
    answer = served.get("/readyz")
    assert answer.status_code == 503
    assert "signal 9" in answer.text
    assert served.get("/healthz").status_code == 200
    served.signal(signal.SIGTERM)
    assert served.wait() == 0


async def given_up(served: Served, revision: int, pen: Pen, other: Pen) -> None:
    """What ended the worker twice fails, and then both paint on."""
    error = await pen.error()
    assert (error.code, error.revision) == ("engine_lost", revision)
    served.wait_ready()
    for one in (pen, other):
        revision = (await one.accepted(await one.params(prompt="lake"))).revision
        assert (await one.final(revision)).revision == revision
    assert served.figure("riverrun_engine_restarts_total") == 2


async def test_a_request_that_kills_it_twice_fails_and_nobody_else_does(serve: Serve) -> None:
    served = serve("--model-option", "faults=true")
    async with drawing(served.socket_url) as pen, drawing(served.socket_url) as other:
        await other.final((await other.accepted(await other.params(prompt="hill"))).revision)
        revision = (await pen.accepted(await pen.params(prompt="die!"))).revision
        await given_up(served, revision, pen, other)


@pytest.mark.alone  # others would take the time that it is told in
async def test_a_model_that_hangs_is_ended_and_who_hung_it_twice_fails(serve: Serve) -> None:
    served = serve("--model-option", "faults=true")
    async with drawing(served.socket_url) as pen, drawing(served.socket_url) as other:
        await other.final((await other.accepted(await other.params(prompt="hill"))).revision)
        revision = (await pen.accepted(await pen.params(prompt="hang!"))).revision
        began = time.monotonic()
        told = await other.wait_for(Status, lambda status: status.state == "warming")
        assert LEAST < time.monotonic() - began < LEAST + 1
        assert "a call of the model hung" in told.message
        await given_up(served, revision, pen, other)


async def test_a_device_that_is_lost_is_started_again(serve: Serve) -> None:
    served = serve("--model-option", "faults=true")
    async with drawing(served.socket_url) as pen:
        await pen.accepted(await pen.params(prompt="fatal!"))
        told = await pen.wait_for(Status, lambda status: status.state == "warming")
        assert "lose the device" in told.message
        await pen.wait_for(Status, lambda status: status.state == "ready")
        revision = (await pen.accepted(await pen.params(prompt="lake"))).revision
        assert (await pen.final(revision)).revision == revision


def test_one_that_dies_while_it_loads_is_not_tried_again(serve: Serve) -> None:
    served = serve("--model-option", "load_ms=60000", ready=False)
    until(lambda: "patterns" in served.get("/readyz").text)
    os.kill(worker_of(served).pid, signal.SIGKILL)
    until(lambda: "signal 9" in served.get("/readyz").text)
    assert not psutil.Process(served.process.pid).children()


def test_the_worker_ends_with_a_killed_gateway(serve: Serve) -> None:
    served = serve("--model-option", "load_ms=60000", ready=False)
    until(lambda: "patterns" in served.get("/readyz").text)
    worker = worker_of(served)
    served.signal(signal.SIGKILL)
    worker.wait(SECONDS)


def test_signals_to_both_are_the_gateways_business(serve: Serve) -> None:
    served = serve()
    served.wait_ready()
    worker = worker_of(served)
    for number in (signal.SIGINT, signal.SIGTERM):
        worker.send_signal(number)
    assert served.post("/v1/generate", json={"prompt": "night"}).status_code == 200
    served.signal(signal.SIGTERM)
    assert served.wait() == 0
    assert "engine stopped clean=True" in served.wait_log("engine stopped")
    worker.wait(SECONDS)


def test_one_that_hangs_is_killed_at_the_end(serve: Serve) -> None:
    served = serve("--drain-seconds", "0")
    served.wait_ready()
    worker = worker_of(served)
    worker.suspend()
    served.signal(signal.SIGTERM)
    assert served.wait() == 0
    assert "engine stopped clean=False" in served.wait_log("engine stopped")
    worker.wait(SECONDS)


def test_on_a_thread_it_serves_as_well(serve: Serve) -> None:
    served = serve("--engine", "thread")
    served.wait_ready()
    assert not psutil.Process(served.process.pid).children()
    assert served.post("/v1/generate", json={"prompt": "night"}).status_code == 200
    served.signal(signal.SIGTERM)
    assert served.wait() == 0


class Told(list[FromEngine]):
    """What the hub would get; raises at the first if it is told to."""

    def __init__(self, angry: bool = False) -> None:
        super().__init__()
        self.angry = angry
        self.news = asyncio.Event()

    def __call__(self, message: FromEngine) -> None:
        self.append(message)
        self.news.set()
        if self.angry and len(self) == 1:
            raise RuntimeError("a picture too many")

    async def has(self, kind: type[FromEngine]) -> None:
        async with asyncio.timeout(SECONDS):
            while not any(isinstance(message, kind) for message in self):
                self.news.clear()
                await self.news.wait()


FAKE = Settings(model=("fake",))


async def test_one_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*arguments: object) -> NoReturn:
        raise OSError("no room")

    monkeypatch.setattr(engine_process, "spawn", refuse)
    told = Told()
    engine = EngineProcess(FAKE, told)
    await engine.start()
    assert told == [Broken("the engine's process can't be started: no room")]
    assert await engine.stop(SECONDS)


@asynccontextmanager
async def running(told: Told) -> AsyncIterator[EngineProcess]:
    """An engine's process, ended whatever happens."""
    engine = EngineProcess(FAKE, told)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop(SECONDS)


async def test_a_message_that_cannot_be_handled_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told(angry=True)
    async with running(told) as engine:
        await told.has(Ready)
        assert "a picture too many" in caplog.text
        assert await engine.stop(SECONDS)


async def test_it_can_be_stopped_while_another_one_is_started() -> None:
    told = Told()
    async with running(told):
        await told.has(Ready)
        (child,) = psutil.Process().children()
        child.kill()
        await told.has(Lost)
    until(lambda: not [p for p in psutil.Process().children() if p.status() != "zombie"])


async def test_no_descriptor_is_left_of_those_that_died() -> None:
    told = Told()
    async with running(told):
        await told.has(Ready)
        before = psutil.Process().num_fds()
        for _ in range(2):
            told.clear()
            psutil.Process().children()[0].kill()
            await told.has(Ready)
        gc.collect()  # a socket that was closed and its protocol hold each other
        assert psutil.Process().num_fds() <= before

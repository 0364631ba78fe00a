"""How a server ends: SIGTERM drains, a second signal doesn't wait, nobody is left hanging."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator

import httpx
import pytest

from streaming.protocol import VERSION, DrainingNotice, Hello
from tests.conftest import Serve
from tests.pen import Pen, drawing
from tests.raw import hello_text, raw_socket, text_frame
from tests.serving import Served


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_clients_are_told_and_it_exits_with_0(serve: Serve, number: signal.Signals) -> None:
    served = serve("--drain-seconds", "300")
    async with drawing(served.socket_url) as pen, drawing(served.socket_url) as other:
        await pen.accepted(await pen.params(prompt="hill"))
        served.signal(number)
        for one in (pen, other):
            notice = await one.wait_for(DrainingNotice)
            assert (notice.session, notice.secret) == (one.welcome.session, one.welcome.secret)
            assert notice.retry_seconds > 0
            assert await one.closed() == (1012, "draining")
    started = time.monotonic()
    assert await asyncio.to_thread(served.wait) == 0
    assert time.monotonic() - started < 60, "it waited although everybody had left"
    assert "engine stopped clean=True" in served.wait_log("engine stopped")
    ends = [line for line in served.lines if "session end" in line]
    assert len(ends) == 2
    for one in (pen, other):
        assert sum(f"{one.welcome.session} reason=drained" in line for line in ends) == 1
    assert not any("Traceback" in line for line in served.lines)


@contextlib.contextmanager
def picture_in_the_making(served: Served) -> Iterator[Iterator[str]]:
    """Somebody's request over HTTP, of which a preview has come: the drain waits for its end."""
    body = {"prompt": "hill", "steps": 8, "stream": True}
    with httpx.stream("POST", served.address + "/v1/generate", json=body, timeout=30) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: preview"
        yield lines


def test_a_picture_in_the_making_is_still_delivered(serve: Serve) -> None:
    served = serve("--model-option", "step_ms=100")
    with picture_in_the_making(served) as lines:
        served.signal(signal.SIGTERM)
        assert "event: final" in list(lines)
    assert served.wait(15) == 0


async def test_while_it_drains_it_is_not_ready_and_takes_nobody(serve: Serve) -> None:
    served = serve("--model-option", "step_ms=500")
    with picture_in_the_making(served):
        served.signal(signal.SIGTERM)
        served.wait_log("draining")
        answer = served.get("/readyz")
        assert (answer.status_code, answer.json()["state"]) == (503, "draining")
        assert served.get("/healthz").status_code == 200
        for path, body in (("/v1/sessions", {}), ("/v1/generate", {"prompt": "x"})):
            refused = served.post(path, json=body)
            assert (refused.status_code, refused.json()["code"]) == (503, "draining")
        async with Pen(served.socket_url) as late:
            await late.tell(Hello(VERSION))
            assert (await late.error()).code == "draining"
            assert (await late.closed())[0] == 1012
    assert await asyncio.to_thread(served.wait) == 0


async def test_a_client_that_neither_reads_nor_leaves_does_not_hold_it(serve: Serve) -> None:
    served = serve()
    with raw_socket(served) as raw:
        raw.sendall(text_frame(hello_text()))
        served.wait_log("session start")
        served.signal(signal.SIGTERM)
        assert await asyncio.to_thread(served.wait, 15) == 0
    assert "reason=drained" in served.wait_log("session end", 0)


def test_what_takes_longer_than_the_drain_is_given_up(serve: Serve) -> None:
    served = serve("--model-option", "step_ms=2000", "--drain-seconds", "0.2")
    with contextlib.suppress(httpx.RemoteProtocolError), picture_in_the_making(served):
        served.signal(signal.SIGTERM)
        assert served.wait(60) == 0
    assert "reason=drained" in served.wait_log("session end", 0)


def test_a_second_signal_ends_at_once(serve: Serve) -> None:
    served = serve("--model-option", "step_ms=2000", "--drain-seconds", "300")
    with contextlib.suppress(httpx.RemoteProtocolError), picture_in_the_making(served):
        served.signal(signal.SIGTERM)
        served.wait_log("draining")
        started = time.monotonic()
        served.signal(signal.SIGTERM)
        assert served.wait(60) == 128 + signal.SIGTERM
        assert time.monotonic() - started < 60


def test_it_ends_while_the_model_is_still_warming(serve: Serve) -> None:
    served = serve("--model-option", "load_ms=60000", ready=False)
    served.wait_log("models loaded")
    served.signal(signal.SIGTERM)
    assert served.wait(30) == 0

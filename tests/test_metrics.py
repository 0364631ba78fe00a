"""The figures: what each event of the gateway changes, and what a real server shows."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator

import pytest

from server.lateness import watch_loop
from server.metrics import LoggedMetrics, Metrics
from streaming.messages import Ticked
from streaming.observe import Observer, PictureSent
from streaming.protocol import StageTimes
from tests.pen import drawing
from tests.serving import SECONDS, Served, serving


def figures(metrics: Metrics) -> dict[str, float]:
    return read(metrics.text().decode())


def read(text: str) -> dict[str, float]:
    found = re.findall(r"^(riverrun_\S+) (\S+)$", text, re.M)
    return {name: float(value) for name, value in found}


def sent(**fields: object) -> PictureSent:
    given = {
        "session": "s",
        "revision": 1,
        "first": True,
        "final": False,
        "edit_to_frame_ms": 40.0,
        "interval_ms": None,
        "bytes": 1000,
        "times": StageTimes(1, 2, 3, 4, 5, 6),
        **fields,
    }
    return PictureSent(**given)  # type: ignore[arg-type]


def test_every_event_is_counted_and_nothing_is_inherited_from_doing_nothing() -> None:
    """An observer method that these metrics forget to override would count nothing, silently."""
    events = {name for name in vars(Observer) if not name.startswith("_")}
    assert events <= set(vars(Metrics))


def test_a_picture() -> None:
    metrics = Metrics()
    metrics.picture_sent(sent())
    metrics.picture_sent(sent(first=False, final=True, interval_ms=20.0))
    found = figures(metrics)
    assert found['riverrun_pictures_sent_total{kind="preview"}'] == 1
    assert found['riverrun_pictures_sent_total{kind="final"}'] == 1
    assert found["riverrun_picture_bytes_total"] == 2000
    assert found["riverrun_first_frame_seconds_count"] == 1
    assert found["riverrun_first_frame_seconds_sum"] == pytest.approx(0.04)
    assert found["riverrun_frame_interval_seconds_sum"] == pytest.approx(0.02)
    total = found['riverrun_edit_to_frame_seconds_sum{stage="total"}']
    assert total == pytest.approx(0.08)
    stages = ("queue", "begin", "step", "decode", "wait", "encode")
    for milliseconds, stage in enumerate(stages, 1):
        told = found[f'riverrun_edit_to_frame_seconds_sum{{stage="{stage}"}}']
        assert told == pytest.approx(2 * milliseconds / 1000)


def test_sessions_connections_edits_drops_and_refusals() -> None:
    metrics = LoggedMetrics()
    metrics.session_opened("a")
    metrics.session_opened("b")
    metrics.session_ended("a", "expired", 3.0, 5)
    metrics.connected()
    metrics.disconnected("left")
    metrics.edit("params")
    metrics.dropped("replaced", 3)
    metrics.refused("bad_message")
    found = figures(metrics)
    assert found["riverrun_sessions"] == 1
    assert found["riverrun_sessions_opened_total"] == 2
    assert found['riverrun_sessions_ended_total{reason="expired"}'] == 1
    assert found["riverrun_connections"] == 0
    assert found['riverrun_connections_closed_total{reason="left"}'] == 1
    assert found['riverrun_edits_total{kind="params"}'] == 1
    assert found['riverrun_pictures_dropped_total{reason="replaced"}'] == 3
    assert found['riverrun_refused_total{code="bad_message"}'] == 1


def test_ticks() -> None:
    metrics = Metrics()
    metrics.expect_models(["fake"])
    assert figures(metrics)['riverrun_step_seconds_count{model="fake"}'] == 0
    metrics.tick(Ticked("fake", 3, 0.0, 14.0, 0.0, 5))
    metrics.tick(Ticked("fake", 1, 2.0, 14.0, 6.0, 0))
    found = figures(metrics)
    assert found['riverrun_queue{model="fake"}'] == 0
    assert found['riverrun_step_rows_sum{model="fake"}'] == 4
    assert found['riverrun_step_seconds_sum{model="fake"}'] == pytest.approx(0.028)
    assert found['riverrun_begin_seconds_count{model="fake"}'] == 1
    assert found['riverrun_decode_seconds_sum{model="fake"}'] == pytest.approx(0.006)


def test_two_servers_in_one_process_do_not_mix() -> None:
    first, second = Metrics(), Metrics()
    first.connected()
    assert figures(second)["riverrun_connections"] == 0


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving() as served:
        yield served


async def test_a_real_server_shows_what_happened(server: Served) -> None:
    async with drawing(server.socket_url) as pen:
        answer = await pen.accepted(await pen.params(prompt="hill"))
        await pen.final(answer.revision)
        await pen.socket.send("nonsense")
        await pen.error()
        text = server.get("/metrics").text
    found = read(text)
    assert found["riverrun_ready"] == 1
    assert found["riverrun_sessions"] == 1
    assert found["riverrun_connections"] == 1
    assert found["riverrun_first_frame_seconds_count"] == 1
    assert found['riverrun_pictures_sent_total{kind="final"}'] >= 1
    assert found['riverrun_edit_to_frame_seconds_count{stage="decode"}'] >= 1
    assert found['riverrun_refused_total{code="bad_message"}'] == 1
    assert found['riverrun_edits_total{kind="params"}'] == 1
    assert found['riverrun_step_seconds_count{model="fake"}'] >= 4
    assert "process_resident_memory_bytes" in text


def test_http_refusals_are_counted_by_code(server: Served) -> None:
    server.post("/v1/generate", json={"prompt": "x", "model": "nope"})
    server.post("/v1/generate", json={"prompt": "raise" * 10_000})
    server.get("/", headers={"Host": "evil.example"})
    found = read(server.get("/metrics").text)
    assert found['riverrun_refused_total{code="foreign_host"}'] == 1
    assert found['riverrun_refused_total{code="unknown_model"}'] == 1
    assert found['riverrun_refused_total{code="invalid_parameter"}'] == 1


async def test_a_loop_that_is_held_up_is_told() -> None:
    metrics = Metrics()
    told = asyncio.Event()

    def observe(seconds: float) -> None:
        metrics.loop_late(seconds)
        told.set()

    watching = asyncio.create_task(watch_loop(observe))
    await told.wait()
    before = figures(metrics)['riverrun_loop_delay_seconds_bucket{le="0.1"}']
    told.clear()
    time.sleep(0.3)  # noqa: ASYNC251 — what is to be seen
    await told.wait()
    watching.cancel()
    after = figures(metrics)
    assert after['riverrun_loop_delay_seconds_bucket{le="0.1"}'] == before
    assert after['riverrun_loop_delay_seconds_bucket{le="+Inf"}'] > before


def test_a_server_shows_how_late_its_loop_is() -> None:
    with serving() as served:
        served.wait_log("ready")
        deadline = time.monotonic() + SECONDS
        while not served.figure("riverrun_loop_delay_seconds_count"):
            assert time.monotonic() < deadline

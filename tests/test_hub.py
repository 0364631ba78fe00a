"""The gateway's centre: sessions that come, go and rest, and readiness."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from streaming.errors import (
    Draining,
    ModelFailed,
    NotReady,
    UnknownModel,
    UnknownSession,
    WrongSecret,
)
from streaming.hub import Hub
from streaming.messages import (
    Broken,
    Failed,
    Forget,
    Loaded,
    Outputs,
    Ready,
    Stopped,
    Ticked,
    Warming,
)
from streaming.observe import Observer
from streaming.protocol import (
    Hello,
    Params,
    Status,
    Welcome,
)
from tests.house import Eye, Now, a_house, a_hub
from tests.scripted import SPEC, ScriptedEngine, until

# --- sessions -----------------------------------------------------------------------------------


def test_a_session_opens_with_the_first_model_or_the_one_that_is_named() -> None:
    hub, engine, _ = a_hub()
    engine.say(Loaded((SPEC, replace(SPEC, name="other"))))
    assert hub.open().spec.name == "toy"
    assert hub.open("other").spec.name == "other"
    with pytest.raises(UnknownModel, match="serves toy, other"):
        hub.open("third")
    assert hub.session_count == 2


def test_ids_and_secrets_are_long_and_never_the_same() -> None:
    hub, _, _ = a_hub()
    sessions = [hub.open() for _ in range(50)]
    assert len({s.id for s in sessions} | {s.secret for s in sessions}) == 100
    assert min(len(s.secret) for s in sessions) >= 32


def test_who_comes_back_needs_the_secret() -> None:
    hub, _, _ = a_hub()
    session = hub.open()
    assert hub.resume(session.id, session.secret) is session
    for secret in ("", "x", session.secret + "x", "ü"):
        with pytest.raises(WrongSecret):
            hub.resume(session.id, secret)
    with pytest.raises(UnknownSession):
        hub.resume("another", session.secret)


def test_what_comes_for_a_session_that_ended_is_dropped() -> None:
    class Drops(Observer):
        reasons: tuple[str, ...] = ()

        def dropped(self, reason: str, count: int = 1) -> None:
            self.reasons += (reason,)

    engine, drops = ScriptedEngine(), Drops()
    hub = Hub(engine.post, observer=drops)
    engine.start(hub)
    session = hub.open()
    request = session.snapshot()
    engine.make(request)
    hub.end(session, "gone")
    hub.end(session, "twice is harmless")
    engine.make(request)
    engine.say(Failed(session.id, 1, 1, "bad_output", "", True))
    assert drops.reasons == ("unwatched", "ended")
    assert engine.posted == [Forget(session.id)]


def test_ticks_are_told() -> None:
    class Ticks(Observer):
        seen: Ticked | None = None

        def tick(self, ticked: Ticked) -> None:
            self.seen = ticked

    engine, ticks = ScriptedEngine(), Ticks()
    hub = Hub(engine.post, observer=ticks)
    hub.receive(Ticked("toy", 2, 1, 2, 3, 4))
    assert ticks.seen == Ticked("toy", 2, 1, 2, 3, 4)


# --- readiness ----------------------------------------------------------------------------------


def test_readiness_follows_the_engine() -> None:
    hub, engine, _ = a_hub(ready=False)
    engine.say(Warming("loading weights", 0.5, 2.0))
    assert (hub.readiness.stage, hub.readiness.fraction) == ("loading weights", 0.5)
    engine.say(Loaded((SPEC,)))
    assert (str(hub.readiness.state), hub.known_specs) == ("warming", (SPEC,))
    engine.say(Ready())
    assert str(hub.readiness.state) == "ready"
    engine.say(Broken("the device fell out"))
    engine.say(Ready())
    assert (str(hub.readiness.state), hub.readiness.message) == ("failed", "the device fell out")


def test_an_engine_that_stops_is_not_ready() -> None:
    hub, engine, _ = a_hub()
    engine.say(Stopped())
    with pytest.raises(NotReady):
        hub.open()


async def test_specs_wait_for_the_engine() -> None:
    hub, engine, _ = a_hub(ready=False)
    with pytest.raises(NotReady):
        hub.open()
    waiting = asyncio.create_task(hub.specs())
    await asyncio.sleep(0)
    assert not waiting.done()
    engine.say(Loaded((SPEC,)))
    assert await waiting == (SPEC,)


async def test_specs_of_an_engine_that_broke_are_never_known() -> None:
    hub, engine, _ = a_hub(ready=False)
    waiting = asyncio.create_task(hub.specs())
    await asyncio.sleep(0)
    engine.say(Broken("no weights"))
    with pytest.raises(ModelFailed, match="no weights"):
        await waiting
    with pytest.raises(ModelFailed, match="no weights"):
        hub.served()
    assert not ModelFailed.retryable


async def test_progress_is_told_often_but_not_always() -> None:
    async with a_house(started=False) as house:
        house.engine.hub = house.hub
        now = Now()
        house.hub.clock = now
        wire = house.connect()
        wire.say(Hello(1))
        await until(lambda: house.hub.connection_count)
        for percent in range(100):
            now.seconds += 0.01
            house.engine.say(Warming("loading", percent / 100))
        house.engine.say(Loaded((SPEC,)))
        house.engine.say(Ready())
        await wire.expect(Welcome)
        told = [frame for frame in wire.got if isinstance(frame, Status)]
        assert 3 <= len(told) <= 7
        assert told[-1].state == "ready"


async def test_a_draining_hub_takes_nobody_in() -> None:
    hub, _, _ = a_hub()
    session = hub.open()
    await hub.drain(1)
    with pytest.raises(Draining):
        hub.open()
    with pytest.raises(Draining):
        hub.resume(session.id, session.secret)
    assert hub.readiness.state == "draining"


async def test_a_drain_does_not_wait_for_ever() -> None:
    async with a_house() as house:
        wire, _ = await house.enter()
        wire.stall()
        await house.hub.drain(0.02)
        assert not house.tasks[0].done()


# --- deliveries ----------------------------------------------------------------------


async def test_the_arrival_of_the_edit_behind_a_picture_is_known() -> None:
    hub, engine, now = a_hub()
    session = hub.open()
    hosted = hub.hosted(session.id)
    eye = Eye()
    hosted.attach(eye)
    for revision in range(1, 500):
        hosted.edit(Params(revision, {"seed": revision}), "", float(revision), None)
    engine.make(engine.requests[450])
    engine.make(engine.requests[498])
    assert [d.received for d in eye.got] == [451.0, 499.0]
    assert eye.got[0].arrived == now()


async def test_an_outputs_message_may_hold_many_sessions() -> None:
    hub, engine, _ = a_hub()
    sessions = [hub.open() for _ in range(3)]
    outputs = [engine.make(s.snapshot()) for s in sessions]
    hub.receive(Outputs(tuple(o._replace(job=o.job + 1) for o in outputs)))
    for session in sessions:
        final = hub.hosted(session.id).final
        assert final is not None
        assert final.output.job == 2

"""The engine on its thread with a fake model: what is delivered, and when."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from models.base import Output, Picture, Request, State
from models.fake import FakeModel, FakeOptions
from streaming.engine import Engine, EngineThread
from streaming.messages import (
    Forget,
    Outputs,
    Submit,
    Ticked,
    ToEngine,
    Want,
)
from tests.rig import PATIENCE, Rig, Watched, hold


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def rig(watched: Watched) -> Iterator[Rig]:
    rig = Rig(watched).start()
    yield rig
    rig.stop()
    assert watched.open_states == 0, "every state is closed, once"


# --- one job ---


def test_a_job_shows_its_previews_and_its_final(rig: Rig) -> None:
    rig.want("s")
    rig.submit("s", revision=7, steps=3)
    final = rig.final("s")
    shown = rig.outputs("s")
    assert [(o.step, o.steps, o.final) for o in shown] == [(1, 3, 0), (2, 3, 0), (3, 3, 1)]
    assert {(o.session, o.track, o.job, o.revision) for o in shown} == {("s", 0, 1, 7)}
    assert isinstance(final.payload, Picture)
    assert final.payload.pixels.shape == (256, 256, 3)
    assert [o.pts for o in shown] == sorted({o.pts for o in shown})


def test_no_more_is_made_than_was_asked_for(rig: Rig) -> None:
    rig.engine.post(Want("s", 3))
    rig.submit("s", steps=8)
    rig.hear(Outputs, lambda outputs: outputs.outputs[0].step == 3)
    rig.want("t")
    rig.submit("t", steps=8)
    rig.final("t")
    assert [o.step for o in rig.outputs("s")] == [1, 2, 3]
    rig.engine.post(Want("s", 8))
    rig.final("s")
    assert [o.step for o in rig.outputs("s")] == list(range(1, 9))


def test_steps_that_show_nothing_use_up_nothing(rig: Rig) -> None:
    rig.engine.post(Want("s", 1, previews=False))
    rig.submit("s", steps=8)
    rig.final("s")
    assert [o.step for o in rig.outputs("s")] == [8]


def test_a_session_that_was_forgotten_is_counted_anew(rig: Rig) -> None:
    for revision in (1, 2):
        rig.engine.post(Want("s", 1, previews=False))
        rig.submit("s", revision)
        rig.final("s", revision)
        rig.engine.post(Forget("s"))


def test_times_and_pts_come_from_the_clock() -> None:
    rig = Rig(FakeModel(), clock=lambda: 5.0)
    request = Request("s", "fake", 1, 1, rig.spec.defaults())
    rig.engine.post(Want("s", 9))
    rig.engine.post(Submit(request, received=4.0))
    final = rig.start().final("s")
    assert final.timings.queue == 1000
    assert final.timings.begin == final.timings.step == final.timings.decode == 0
    assert final.pts == 1_000_000
    rig.engine.post(Submit(request, received=4.75))
    final = rig.final("s")
    assert final.timings.queue == 250
    assert final.pts == 1_000_000, "counted from the session's first submit"
    rig.stop()


def test_times_are_those_of_the_calls() -> None:
    rig = Rig(FakeModel(FakeOptions(begin_ms=5, step_ms=10, decode_ms=3))).start()
    rig.want("s")
    rig.submit("s", steps=2)
    times = rig.final("s").timings
    assert times.begin >= 5
    assert times.step >= 20
    assert times.decode >= 3
    tick = rig.hear(Ticked)
    assert tick.begin_ms == 0
    assert tick.step_ms >= 10
    assert tick.decode_ms >= 3
    rig.stop()


def test_without_previews_only_the_final_is_decoded(rig: Rig, watched: Watched) -> None:
    rig.want("s", previews=False)
    rig.submit("s")
    assert rig.final("s").step == 4
    assert len(rig.outputs("s")) == 1
    assert watched.decodes == [1]


def test_outputs_come_on_the_engines_own_thread() -> None:
    names: queue.Queue[str] = queue.Queue()
    engine = Engine({"fake": FakeModel}, lambda _: names.put(threading.current_thread().name))
    thread = EngineThread(engine)
    thread.start()
    assert names.get(timeout=PATIENCE) == "engine"
    assert thread.stop(PATIENCE)
    assert not thread.alive


# --- demand ---


def test_without_demand_nothing_begins(rig: Rig, watched: Watched) -> None:
    rig.submit("unwatched")
    rig.want("s")
    rig.submit("s")
    rig.final("s")
    assert [row[0] for call in watched.begins for row in call] == ["s"]
    rig.want("unwatched")
    rig.final("unwatched")


def test_a_session_that_stops_wanting_costs_no_step(rig: Rig, watched: Watched) -> None:
    gate = hold(watched)
    rig.want("s")
    rig.submit("s", steps=8)
    watched.entered.get(timeout=PATIENCE)
    rig.want("s", pictures=False)
    rig.want("t")
    rig.submit("t", steps=1)
    gate.release(100)
    rig.final("t")
    assert [o.step for o in rig.outputs("s")] == [1], "the step that ran is shown, no other is run"
    rig.want("s")
    rig.final("s")
    assert [o.step for o in rig.outputs("s")] == list(range(1, 9)), "and it goes on where it was"


def test_an_idle_engine_waits_and_doesnt_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, reads = Rig(FakeModel()), queue.Queue[bool]()
    receive = rig.engine._mailbox.receive

    def noting(*, block: bool) -> list[ToEngine]:
        reads.put(block)
        return receive(block=block)

    monkeypatch.setattr(rig.engine._mailbox, "receive", noting)
    rig.want("s")
    rig.submit("s", steps=4)
    rig.start().final("s")
    blocking = [reads.get(timeout=PATIENCE) for _ in range(5)]
    assert blocking == [True, False, False, False, True], "a tick a step, and then it waits"
    assert reads.empty()
    rig.stop()


# --- latest wins, pre-emption ---


def test_of_many_requests_behind_a_running_call_only_the_newest_begins(
    rig: Rig, watched: Watched
) -> None:
    gate = hold(watched)
    rig.want("other", "s")
    rig.submit("other", steps=1)
    watched.entered.get(timeout=PATIENCE)
    for revision in range(1, 1001):
        rig.submit("s", revision)
    gate.release(100)
    rig.final("s", 1000)
    assert {o.revision for o in rig.outputs("s")} == {1000}
    assert [row[:2] for call in watched.begins for row in call] == [("other", 1), ("s", 1000)]


def test_a_newer_request_takes_over_after_the_first_preview(rig: Rig, watched: Watched) -> None:
    gate = hold(watched)
    rig.want("s")
    rig.submit("s", 1)
    watched.entered.get(timeout=PATIENCE)
    rig.submit("s", 2)
    gate.release(100)
    rig.final("s", 2)
    assert [(o.revision, o.step) for o in rig.outputs("s")] == [
        (1, 1),
        (2, 1),
        (2, 2),
        (2, 3),
        (2, 4),
    ]


def test_a_stroke_doesnt_wait_for_a_passing_job_to_show_something(
    rig: Rig, watched: Watched
) -> None:
    gate = hold(watched)
    rig.want("s", previews=False)
    rig.submit("s", 1, passing=True)
    watched.entered.get(timeout=PATIENCE)
    rig.submit("s", 2)
    gate.release(100)
    rig.final("s", 2)
    assert [(o.revision, o.step) for o in rig.outputs("s")] == [(2, 4)]
    assert len(watched.steps) == 1 + 4, "of the passing one only the call that ran already"


def test_without_previews_the_running_job_ends_first(rig: Rig, watched: Watched) -> None:
    gate = hold(watched)
    rig.want("s", previews=False)
    rig.submit("s", 1)
    watched.entered.get(timeout=PATIENCE)
    rig.submit("s", 2)
    gate.release(100)
    rig.final("s", 2)
    assert [(o.revision, o.step) for o in rig.outputs("s")] == [(1, 4), (2, 4)]


class Flooded(Watched):
    """During every step a newer request comes in."""

    flood: Callable[[], None] = staticmethod(lambda: None)

    def step(self, states: Sequence[State]) -> None:
        self.flood()
        super().step(states)


@pytest.mark.parametrize("previews", [True, False])
def test_under_a_constant_flood_pictures_are_shown(previews: bool) -> None:
    model = Flooded()
    rig = Rig(model)
    revisions = iter(range(2, 10_000))
    model.flood = lambda: rig.submit("s", next(revisions))
    rig.want("s", previews=previews)
    rig.submit("s", 1)
    rig.start()
    for _ in range(20):
        rig.hear(Outputs)
    rig.stop()
    shown = [o.revision for o in rig.outputs("s")]
    assert len(shown) == len(model.steps) // (1 if previews else 4)
    assert shown == sorted(set(shown)), "each newer than the last"
    assert model.open_states == 0


# --- batches ---


def test_rows_of_several_sessions_share_the_calls(watched: Watched) -> None:
    rig = Rig(watched)
    for session in "abcd":
        rig.want(session)
        rig.submit(session, prompt=session, seed=ord(session))
    rig.start()
    together = {session: rig.final(session) for session in "d"} | {
        session: rig.outputs(session)[-1] for session in "abc"
    }
    assert [len(call) for call in watched.begins] == [4]
    assert watched.steps == [4] * 4
    rig.stop()
    for session, output in together.items():
        alone = Rig(FakeModel()).start()
        alone.want(session)
        alone.submit(session, prompt=session, seed=ord(session))
        assert_same(output, alone.final(session))
        alone.stop()


def assert_same(one: Output, other: Output) -> None:
    assert isinstance(one.payload, Picture)
    assert isinstance(other.payload, Picture)
    np.testing.assert_array_equal(one.payload.pixels, other.payload.pixels)


def test_sessions_take_turns_where_a_call_takes_one() -> None:
    model = Watched(max_batch=1)
    rig = Rig(model)
    for session in "abc":
        rig.want(session)
        rig.submit(session)
    rig.start()
    for session in "abc":
        rig.final(session)
    turns = [o.session for m in rig.stop() if isinstance(m, Outputs) for o in m.outputs]
    assert turns == list("abc" * 4)


def test_a_tick_tells_its_rows_and_how_many_wait() -> None:
    rig = Rig(FakeModel(FakeOptions(max_batch=2)))
    for session in "abc":
        rig.want(session)
        rig.submit(session)
    tick = rig.start().hear(Ticked)
    assert (tick.model, tick.rows, tick.waiting) == ("fake", 2, 1)
    rig.stop()


def test_two_models_share_the_device_and_a_session_may_change_between_them() -> None:
    first, second = Watched(name="first"), Watched(name="second")
    rig = Rig(first, second).start()
    rig.want("s", "t")
    rig.submit("t", model="second")
    rig.final("t")
    rig.submit("s", 1, model="first")
    rig.final("s", 1)
    gate = hold(second)
    rig.submit("s", 2, model="second")
    second.entered.get(timeout=PATIENCE)
    rig.submit("s", 3, model="first")  # in mid-job
    gate.release(100)
    rig.final("s", 3)
    previous = [row[2] for call in first.begins + second.begins for row in call]
    assert previous == [None] * 4, "a row is of no use to another model"
    rig.stop()
    assert first.open_states == second.open_states == 0

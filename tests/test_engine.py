"""The engine on its thread with a fake model: what is delivered, when, and what is closed."""

from __future__ import annotations

import logging
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import pytest

from models.base import Model, Output, Payload, Picture, Progress, Request, State
from models.fake import FakeModel, FakeOptions
from streaming.engine import Engine, EngineThread
from streaming.messages import (
    Broken,
    Failed,
    Forget,
    FromEngine,
    Loaded,
    Outputs,
    Ready,
    Stop,
    Stopped,
    Submit,
    Ticked,
    ToEngine,
    Want,
    Warming,
)

M = TypeVar("M", bound=FromEngine)
PATIENCE = 10.0


class Watched(FakeModel):
    """A fake model that notes its calls, and holds each step where `gate` is used."""

    def __init__(self, **options: object) -> None:
        super().__init__(FakeOptions(faults=True, **options))  # type: ignore[arg-type]
        self.begins: list[list[tuple[str, int, State | None, bool]]] = []
        self.steps: list[int] = []
        self.decodes: list[int] = []
        self.opened: list[State] = []
        self.gate: threading.Semaphore | None = None
        self.entered: queue.Queue[int] = queue.Queue()

    def begin(self, requests: Sequence[Request], previous: Sequence[State | None]) -> list[State]:
        pairs = zip(requests, previous, strict=True)
        self.begins.append(
            [(r.session, r.revision, p, getattr(p, "open", False)) for r, p in pairs]
        )
        states = super().begin(requests, previous)
        self.opened += states
        return states

    def step(self, states: Sequence[State]) -> None:
        self.steps.append(len(states))
        if self.gate:
            self.entered.put(len(states))
            assert self.gate.acquire(timeout=PATIENCE)
        super().step(states)

    def decode(self, states: Sequence[State]) -> list[Payload]:
        self.decodes.append(len(states))
        return super().decode(states)


class Rig:
    """An engine on a thread, and what it said."""

    def __init__(self, *models: Model, **options: object) -> None:
        self.said: queue.Queue[FromEngine] = queue.Queue()
        self.heard: list[FromEngine] = []
        builders = {m.spec.name: (lambda m=m: m) for m in models}
        self.engine = Engine(builders, self.said.put, **options)  # type: ignore[arg-type]
        self.thread = EngineThread(self.engine)
        self.spec = models[0].spec
        self.jobs = 0

    def start(self) -> Rig:
        self.thread.start()
        return self

    def want(self, *sessions: str, pictures: bool = True, previews: bool = True) -> None:
        for session in sessions:
            self.engine.post(Want(session, pictures, previews))

    def submit(self, session: str, revision: int = 1, model: str = "", **params: object) -> None:
        self.jobs += 1
        values = {**self.spec.defaults(), **self.spec.check(params)}
        request = Request(session, model or self.spec.name, self.jobs, revision, values)
        self.engine.post(Submit(request, time.perf_counter()))

    def hear(self, kind: type[M], fits: Callable[[M], bool] = lambda message: True) -> M:
        """Wait for a message; what came before it is in `heard`."""
        while True:
            message = self.said.get(timeout=PATIENCE)
            self.heard.append(message)
            if isinstance(message, kind) and fits(message):
                return message

    def final(self, session: str, revision: int | None = None) -> Output:
        """Wait for a final of a session."""

        def fits(output: Output) -> bool:
            same = output.session == session and output.final
            return same and revision in (None, output.revision)

        message = self.hear(Outputs, lambda outputs: any(map(fits, outputs.outputs)))
        return next(output for output in message.outputs if fits(output))

    def outputs(self, session: str) -> list[Output]:
        """What was heard for a session, in order."""
        told = [message for message in self.heard if isinstance(message, Outputs)]
        return [o for message in told for o in message.outputs if o.session == session]

    def stop(self) -> list[FromEngine]:
        """Stop and join; all that the engine ever said."""
        assert self.thread.stop(PATIENCE)
        while not self.said.empty():
            self.heard.append(self.said.get_nowait())
        return self.heard


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def rig(watched: Watched) -> Iterator[Rig]:
    rig = Rig(watched).start()
    yield rig
    rig.stop()
    assert watched.open_states == 0, "every state is closed, once"


def hold(model: Watched) -> threading.Semaphore:
    model.gate = threading.Semaphore(0)
    return model.gate


# --- loading and ending ---


def test_says_what_it_loads_then_how_far_then_ready_and_last_stopped() -> None:
    heard = Rig(FakeModel()).start()
    heard.hear(Ready)
    kinds = [type(message) for message in heard.stop()]
    assert kinds[0] is Loaded
    assert kinds[1:-2] == [Warming] * len(kinds[1:-2])
    assert kinds[-2:] == [Ready, Stopped]


def test_the_default_model_is_told_first() -> None:
    models = [FakeModel(FakeOptions(name=name)) for name in ("a", "b", "c")]
    rig = Rig(*models, default="b").start()
    assert [spec.name for spec in rig.hear(Loaded).specs] == ["b", "a", "c"]
    rig.stop()


def test_warming_grows_over_all_models_to_one() -> None:
    rig = Rig(FakeModel(FakeOptions(name="a")), FakeModel(FakeOptions(name="b"))).start()
    rig.hear(Ready)
    fractions = [m.fraction for m in rig.stop() if isinstance(m, Warming)]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert 0.5 in fractions
    assert fractions[-1] == 1


class Unloadable(FakeModel):
    def load(self, progress: Progress) -> None:
        raise OSError("no such weights")


def test_a_model_that_doesnt_load_breaks_the_engine(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(Unloadable()).start()
    assert rig.hear(Broken).reason == "OSError: no such weights"
    assert isinstance(rig.stop()[-1], Broken), "nothing follows"
    assert "no such weights" in caplog.text


def test_two_models_of_one_name_break_the_engine(caplog: pytest.LogCaptureFixture) -> None:
    told: queue.Queue[FromEngine] = queue.Queue()
    EngineThread(Engine({"x": FakeModel, "y": FakeModel}, told.put)).start()
    assert told.get(timeout=PATIENCE) == Broken("ValueError: two models are called fake")
    assert caplog.records


class SlowToLoad(FakeModel):
    def __init__(self) -> None:
        super().__init__()
        self.loading, self.go_on = threading.Event(), threading.Event()

    def load(self, progress: Progress) -> None:
        progress("first half", 0.5)
        self.loading.set()
        assert self.go_on.wait(PATIENCE)
        progress("second half", 1.0)
        raise AssertionError("loading went on after Stop")


def test_stop_interrupts_loading() -> None:
    model = SlowToLoad()
    rig = Rig(model).start()
    assert model.loading.wait(PATIENCE)
    rig.engine.post(Stop())
    model.go_on.set()
    assert [type(message) for message in rig.stop()] == [Loaded, Warming, Stopped]


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


def test_times_and_pts_come_from_the_clock() -> None:
    rig = Rig(FakeModel(), clock=lambda: 5.0)
    request = Request("s", "fake", 1, 1, rig.spec.defaults())
    rig.engine.post(Want("s", True))
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


# --- states ---


def test_the_last_row_is_given_to_the_next_begin_and_closed_after_it(
    rig: Rig, watched: Watched
) -> None:
    rig.want("s")
    rig.submit("s", 1)
    rig.final("s", 1)
    rig.submit("s", 2)
    rig.final("s", 2)
    (_, _, nothing, _), (_, _, previous, was_open) = (call[0] for call in watched.begins)
    assert nothing is None
    assert previous is watched.opened[0]
    assert was_open
    assert watched.open_states == 1


def test_a_replaced_row_is_given_to_the_begin_that_replaces_it(rig: Rig, watched: Watched) -> None:
    gate = hold(watched)
    rig.want("s")
    rig.submit("s", 1)
    watched.entered.get(timeout=PATIENCE)
    rig.submit("s", 2)
    gate.release(100)
    rig.final("s", 2)
    assert watched.begins[1] == [("s", 2, watched.opened[0], True)]
    assert watched.open_states == 1


def test_a_running_job_lets_go_of_its_canvas(rig: Rig, watched: Watched) -> None:
    gate = hold(watched)
    canvas = np.zeros((256, 256, 3), np.uint8)
    request = Request("s", "fake", 1, 1, rig.spec.defaults(), {"canvas": canvas})
    held = weakref.ref(canvas)
    rig.engine.post(Submit(request, 0.0))
    rig.want("s")
    del canvas, request
    watched.entered.get(timeout=PATIENCE)
    assert held() is None
    gate.release(100)
    rig.final("s")


def test_rows_of_finished_jobs_are_kept_within_a_limit() -> None:
    model = Watched()
    rig = Rig(model, keep_bytes=0).start()
    rig.want("s")
    for revision in (1, 2):
        rig.submit("s", revision)
        rig.final("s", revision)
    assert model.begins[1][0][2] is None
    rig.stop()
    assert model.open_states == 0


def test_forgetting_in_mid_job_closes_the_row_and_shows_nothing_more(
    rig: Rig, watched: Watched
) -> None:
    gate = hold(watched)
    rig.want("s", "t")
    rig.submit("s")
    watched.entered.get(timeout=PATIENCE)
    rig.submit("s", 2)
    rig.engine.post(Forget("s"))
    rig.submit("t")
    gate.release(100)
    rig.final("t")
    assert [o.step for o in rig.outputs("s")] == [1]
    assert watched.open_states == 1, "t's own"


def test_stopping_in_mid_job_closes_all() -> None:
    model = Watched()
    gate = hold(model)
    rig = Rig(model).start()
    rig.want("s", "t")
    rig.submit("s")
    model.entered.get(timeout=PATIENCE)
    rig.submit("t")
    rig.engine.post(Stop())
    gate.release(100)
    assert isinstance(rig.stop()[-1], Stopped)
    assert model.steps == [1], "the running call was the last"
    assert model.open_states == 0


def test_stop_comes_before_the_work_that_came_with_it() -> None:
    model, said = Watched(), list[FromEngine]()

    def deliver(message: FromEngine) -> None:
        said.append(message)
        if isinstance(message, Ready):
            engine.post(Want("s", True))
            engine.post(Submit(Request("s", "fake", 1, 1, model.spec.defaults()), 0.0))
            engine.post(Stop())

    engine = Engine({"fake": lambda: model}, deliver)
    engine.run()
    assert said[-2:] == [Ready(), Stopped()]
    assert not model.begins


# --- failures ---


FAILURES = [
    ("begin!", "model_error", False),
    ("raise!", "model_error", False),
    ("nan!", "bad_output", True),
    ("wide!", "bad_output", True),
    ("oom!", "resource_exhausted", True),
]


@pytest.mark.parametrize(("word", "code", "retryable"), FAILURES)
def test_only_the_guilty_row_fails_and_its_session_goes_on(
    watched: Watched, word: str, code: str, retryable: bool
) -> None:
    rig = Rig(watched)
    rig.want("good", "bad", "fine")
    rig.submit("good")
    rig.submit("bad", 5, prompt=word)
    rig.submit("fine")
    failed = rig.start().hear(Failed)
    assert (failed.session, failed.job, failed.revision) == ("bad", 2, 5)
    assert (failed.code, failed.retryable) == (code, retryable)
    rig.final("fine")
    assert [o.step for o in rig.outputs("good")] == [o.step for o in rig.outputs("fine")]
    assert not rig.outputs("bad")
    rig.submit("bad", 6, prompt="better")
    assert rig.final("bad").revision == 6
    assert sum(isinstance(message, Failed) for message in rig.stop()) == 1
    assert watched.open_states == 0


def test_a_failure_lets_the_request_behind_it_begin(rig: Rig, watched: Watched) -> None:
    gate = hold(watched)
    rig.want("s")
    rig.submit("s", 1, prompt="raise!")
    watched.entered.get(timeout=PATIENCE)
    rig.submit("s", 2)
    gate.release(100)
    assert rig.final("s").revision == 2


def test_a_batch_too_large_for_the_memory_goes_through_row_by_row(watched: Watched) -> None:
    rig = Rig(watched)
    rig.want("a", "b")
    rig.submit("a", prompt="crowd!")
    rig.submit("b")
    rig.start().final("b")
    assert rig.outputs("a")[-1].final
    assert not any(isinstance(message, Failed) for message in rig.stop())


def test_an_unknown_exception_is_logged_once_and_not_told(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.want("s")
    for revision in range(5):
        rig.submit("s", revision, prompt="raise!")
        assert rig.hear(Failed).message == "the model raised RuntimeError"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("sessions", ["s", "st"])
def test_a_lost_device_breaks_the_engine_and_closes_all(watched: Watched, sessions: str) -> None:
    rig = Rig(watched)
    rig.want(*sessions)
    for session in sessions:
        rig.submit(session)
    rig.submit("s", prompt="fatal!")
    rig.start().hear(Broken)
    assert isinstance(rig.stop()[-1], Broken), "nothing follows"
    assert watched.open_states == 0


def test_an_unknown_model_fails_the_request(rig: Rig) -> None:
    rig.submit("s", model="never heard of")
    assert rig.hear(Failed).code == "unknown_model"


class Stuck(Watched):
    def step(self, states: Sequence[State]) -> None:
        """Does nothing, so that the job would never end."""


def test_a_model_that_doesnt_advance_fails_the_job() -> None:
    model = Stuck()
    rig = Rig(model).start()
    rig.want("s")
    rig.submit("s")
    assert rig.hear(Failed).message == "the model is at step 0 instead of 1"
    rig.stop()
    assert model.open_states == 0


def test_a_state_that_fails_to_close_hurts_nobody(
    rig: Rig, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    rig.want("s")
    rig.submit("s", 1)
    rig.final("s", 1)
    watched.opened[0].close()  # the engine's own close will be the second: an AssertionError
    rig.submit("s", 2)
    rig.final("s", 2)
    assert "closed twice" in caplog.text

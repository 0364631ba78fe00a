"""The engine's beginning, its failures and its end: what is told, and what is closed."""

from __future__ import annotations

import logging
import queue
import threading
import weakref
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from models.base import Progress, Request, State
from models.fake import FakeModel, FakeOptions
from streaming.engine import Engine, EngineThread
from streaming.messages import (
    Broken,
    Failed,
    Forget,
    FromEngine,
    Loaded,
    Ready,
    Stop,
    Stopped,
    Submit,
    Want,
    Warming,
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
            engine.post(Want("s", 9))
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

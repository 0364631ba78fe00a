"""The scheduler's rules, as examples and as properties of any sequence of events."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streaming.scheduler import (
    BEGINNABLE,
    STEPPABLE,
    TRANSITIONS,
    Event,
    IllegalTransition,
    Phase,
    Scheduler,
    Tick,
)

SESSIONS = tuple("abcdefgh")
MODELS = {"small": 1, "wide": 3}

rarely = st.integers(0, 9).map(lambda number: number == 9)


@dataclass
class Job:
    """What stands for a running job: how far it is, and whether its previews are looked at."""

    key: int
    steps: int
    previews: bool
    step: int = 0
    passing: bool = False


class House:
    """A scheduler with an engine that has no model: every job takes `steps` steps."""

    def __init__(self, max_batch: dict[str, int], *, steps: int = 4, previews: bool = True) -> None:
        self.scheduler = Scheduler(max_batch)
        self.steps, self.previews = steps, previews
        self.jobs: dict[str, Job] = {}
        self.stepped: Counter[str] = Counter()
        self.pictures: Counter[str] = Counter()
        self.finals: Counter[str] = Counter()

    def open(self, sessions: str, model: str = "m") -> None:
        for session in sessions:
            self.scheduler.want(session, True)
            self.scheduler.submit(session, model)

    def begin(self, tick: Tick, key: int = 0) -> None:
        for session in tick.begin:
            self.jobs[session] = Job(key, self.steps, self.previews)
            self.scheduler.begun(session, key)

    def step(self, tick: Tick) -> None:
        self.scheduler.served(tick.step)
        for session in tick.step:
            self.stepped[session] += 1
            job = self.jobs[session]
            job.step += 1
            if job.step == job.steps:
                self.pictures[session] += 1
                self.finals[session] += 1
                del self.jobs[session]
                self.scheduler.ended(session)
            elif job.previews:
                self.pictures[session] += 1
                self.scheduler.shown(session)

    def tick(self) -> Tick | None:
        """Begin and step, as the engine does. The step's tick, or None where nothing was to do."""
        tick = self.scheduler.schedule()
        if tick and tick.begin:
            self.begin(tick)
            tick = self.scheduler.schedule()
        if tick:
            self.step(tick)
        return tick


def test_nothing_to_do_at_first() -> None:
    scheduler = Scheduler({"m": 1})
    assert not scheduler.busy
    assert scheduler.schedule() is None


@pytest.mark.parametrize("wants_first", [True, False])
def test_a_row_needs_both_a_request_and_demand(wants_first: bool) -> None:
    scheduler = Scheduler({"m": 1})
    if wants_first:
        scheduler.want("a", True)
    else:
        scheduler.submit("a", "m")
    assert scheduler.schedule() is None
    scheduler.want("a", True)
    scheduler.submit("a", "m")
    assert scheduler.schedule() == Tick("m", begin=("a",))


def test_a_running_row_stops_without_demand_and_goes_on_with_it() -> None:
    house = House({"m": 1})
    house.open("a")
    house.tick()
    house.scheduler.want("a", False)
    assert house.tick() is None
    assert not house.scheduler.busy
    house.scheduler.want("a", True)
    assert house.tick() == Tick("m", step=("a",))
    assert house.jobs["a"].step == 2


def test_begins_are_batched_and_so_are_steps() -> None:
    house = House({"m": 4})
    house.open("abcdef")
    first = house.scheduler.schedule()
    assert first == Tick("m", begin=tuple("abcd"))
    house.begin(first)
    assert house.scheduler.schedule() == Tick("m", step=tuple("abcd"))


def test_a_row_to_begin_joins_the_batch_of_a_running_one() -> None:
    house = House({"m": 2})
    house.open("a")
    house.tick()
    house.open("b")
    assert house.tick() == Tick("m", step=("a", "b"))


def test_a_full_batch_of_running_rows_isnt_held_up_by_a_begin() -> None:
    house = House({"m": 2})
    house.open("ab")
    house.tick()
    house.open("c")
    assert house.scheduler.schedule() == Tick("m", step=("a", "b"))


def test_the_newest_request_replaces_one_that_hasnt_begun() -> None:
    scheduler = Scheduler({"old": 1, "new": 1})
    scheduler.want("a", True)
    scheduler.submit("a", "old")
    scheduler.submit("a", "new")
    assert scheduler.schedule() == Tick("new", begin=("a",))


def test_a_running_job_is_replaced_after_its_first_preview_and_not_before() -> None:
    house = House({"m": 1})
    house.open("a")
    first = house.scheduler.schedule()
    assert first is not None
    house.begin(first)
    house.scheduler.submit("a", "m")
    assert house.scheduler.schedule() == Tick("m", step=("a",))
    house.tick()
    assert house.scheduler.phase("a") is Phase.SHOWN_NEXT
    assert house.scheduler.schedule() == Tick("m", begin=("a",))


def test_without_previews_a_running_job_is_replaced_after_its_final() -> None:
    house = House({"m": 1}, steps=3, previews=False)
    house.open("a")
    for _ in range(3):
        house.tick()
        if house.finals["a"] == 0:
            house.scheduler.submit("a", "m")
    assert house.finals["a"] == 1
    assert house.scheduler.schedule() == Tick("m", begin=("a",))


def test_what_couldnt_begin_is_over_and_had_its_turn() -> None:
    scheduler = Scheduler({"m": 1})
    for session in "ab":
        scheduler.want(session, True)
        scheduler.submit(session, "m")
    scheduler.refused("a")
    scheduler.submit("a", "m")
    assert scheduler.schedule() == Tick("m", begin=("b",))


def test_a_failed_job_lets_the_waiting_request_begin() -> None:
    house = House({"m": 1})
    house.open("a")
    house.tick()
    house.scheduler.ended("a")
    assert house.scheduler.schedule() is None
    house.scheduler.submit("a", "m")
    assert house.scheduler.schedule() == Tick("m", begin=("a",))


def test_forgetting_in_any_phase_leaves_nothing() -> None:
    house = House({"m": 1})
    house.open("a")
    house.tick()
    house.scheduler.submit("a", "m")
    house.scheduler.forget("a")
    house.scheduler.forget("never was")
    assert house.scheduler.schedule() is None


def test_an_illegal_update_is_an_error() -> None:
    scheduler = Scheduler({"m": 1})
    scheduler.want("a", True)
    with pytest.raises(IllegalTransition, match="BEGIN in phase IDLE of session a"):
        scheduler.begun("a", 0)


def test_stepping_without_demand_is_an_assertion() -> None:
    house = House({"m": 1})
    house.open("a")
    house.tick()
    house.scheduler.want("a", False)
    with pytest.raises(AssertionError, match="without demand"):
        house.scheduler.served(["a"])


@pytest.mark.parametrize("newer_passes", [False, True])
def test_a_passing_job_makes_way_before_it_shows_anything_but_not_for_its_kind(
    newer_passes: bool,
) -> None:
    house = House({"m": 1})
    house.scheduler.want("a", True)
    house.scheduler.submit("a", "m", passing=True)
    first = house.scheduler.schedule()
    assert first is not None
    house.begin(first)
    house.scheduler.submit("a", "m", passing=newer_passes)
    step, begin = Tick("m", step=("a",)), Tick("m", begin=("a",))
    assert house.scheduler.schedule() == (step if newer_passes else begin)


def test_what_took_a_passing_jobs_place_shows_before_it_is_replaced() -> None:
    house = House({"m": 1})
    house.scheduler.want("a", True)
    for passing in (True, False):
        house.scheduler.submit("a", "m", passing)
        tick = house.scheduler.schedule()
        assert tick == Tick("m", begin=("a",))
        house.begin(tick)
    house.scheduler.submit("a", "m")
    assert house.scheduler.schedule() == Tick("m", step=("a",))


def test_the_table_takes_a_submit_in_every_phase_and_steps_only_what_runs() -> None:
    assert all((phase, Event.SUBMIT) in TRANSITIONS for phase in Phase)
    assert {phase for phase, event in TRANSITIONS if event is Event.BEGIN} == BEGINNABLE
    assert {phase for phase, event in TRANSITIONS if event is Event.END} == STEPPABLE


@given(count=st.integers(1, 12), size=st.integers(1, 8), previews=st.booleans())
@settings(deadline=None)
def test_a_constant_flood_of_edits_still_shows_pictures_to_all_alike(
    count: int, size: int, previews: bool
) -> None:
    house = House({"m": size}, previews=previews)
    sessions = [f"s{index}" for index in range(count)]
    for session in sessions:
        house.scheduler.want(session, True)
    for _ in range(40 * count):
        for session in sessions:
            house.scheduler.submit(session, "m")
        assert house.tick() is not None
    pictures = [house.pictures[session] for session in sessions]
    assert min(pictures) >= 40 // (1 if previews else house.steps)
    assert min(pictures) / max(pictures) >= 0.8


@given(count=st.integers(2, 8), size=st.integers(1, 4), steps=st.integers(1, 4), seed=st.integers())
@settings(deadline=None)
def test_sessions_that_draw_at_their_own_times_are_served_alike(
    count: int, size: int, steps: int, seed: int
) -> None:
    """Each has something to do all the time, but asks again at moments of its own."""
    house, moments = House({"m": size}, steps=steps), Random(seed)
    sessions = SESSIONS[:count]
    house.open("".join(sessions))
    for _ in range(60 * count):
        for session in sessions:
            if house.scheduler.phase(session) is Phase.IDLE or moments.random() < 0.25:
                house.scheduler.submit(session, "m")
        house.tick()
    assert min(house.stepped.values()) / max(house.stepped.values()) >= 0.8


def test_a_row_that_comes_back_goes_before_those_who_were_just_served() -> None:
    house = House({"m": 1}, steps=1)
    house.open("abc")
    for _ in range(3):
        house.tick()
    house.open("ab")
    house.tick()
    house.open("c")
    house.open("a")
    assert [house.tick() for _ in "bca"] == [Tick("m", step=(s,)) for s in "bca"]


class Events(RuleBasedStateMachine):
    """Any order of submits, demand, forgetting, ticks, refusals and failures, over two models."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House(MODELS)
        self.wanted: dict[str, bool] = {}
        self.asked: dict[str, tuple[str, bool]] = {}
        self.running: dict[str, str] = {}
        self.waited: Counter[str] = Counter()

    @rule(
        session=st.sampled_from(SESSIONS),
        model=st.sampled_from(sorted(MODELS)),
        passing=st.booleans(),
    )
    def submit(self, session: str, model: str, passing: bool) -> None:
        self.house.scheduler.submit(session, model, passing)
        self.asked[session] = model, passing
        self.wanted.setdefault(session, False)

    @rule(session=st.sampled_from(SESSIONS), wanted=st.booleans())
    def want(self, session: str, wanted: bool) -> None:
        self.house.scheduler.want(session, wanted)
        self.wanted[session] = wanted

    @rule(session=st.sampled_from(SESSIONS))
    def forget(self, session: str) -> None:
        self.house.scheduler.forget(session)
        for facts in (self.wanted, self.asked, self.running, self.house.jobs, self.waited):
            facts.pop(session, None)

    @precondition(lambda self: self.house.scheduler.busy)
    @rule(data=st.data())
    def tick(self, data: st.DataObject) -> None:
        tick = self.house.scheduler.schedule()
        assert tick is not None
        assert bool(tick.begin) != bool(tick.step)
        chosen = tick.begin + tick.step
        assert len(chosen) == len(set(chosen)) <= MODELS[tick.model]
        assert all(self.wanted[session] for session in chosen)
        if tick.begin:
            self.begin(tick, data)
        else:
            self.step(tick, data)

    def begin(self, tick: Tick, data: st.DataObject) -> None:
        for session in tick.begin:
            model, passing = self.asked.pop(session)
            assert model == tick.model, "the newest request wins"
            job = self.house.jobs.pop(session, None)
            seen = job is None or job.passing or (job.previews and job.step > 0)
            assert seen, "replaced before its preview"
            self.running.pop(session, None)
            if data.draw(rarely):
                self.house.scheduler.refused(session)
                self.count({session})
            else:
                key, steps = data.draw(st.tuples(st.integers(0, 1), st.integers(1, 4)))
                self.house.jobs[session] = Job(key, steps, data.draw(st.booleans()), 0, passing)
                self.running[session] = tick.model
                self.house.scheduler.begun(session, key)

    def step(self, tick: Tick, data: st.DataObject) -> None:
        assert {self.running[session] for session in tick.step} == {tick.model}
        assert len({self.house.jobs[session].key for session in tick.step}) == 1
        self.count(set(tick.step))
        self.house.step(tick)
        for session in tick.step:
            if session not in self.house.jobs:
                self.running.pop(session)
            elif self.house.scheduler.phase(session) in STEPPABLE and data.draw(rarely):
                del self.house.jobs[session], self.running[session]
                self.house.scheduler.ended(session)

    def count(self, served: set[str]) -> None:
        """Nobody who is ready waits for more services than there are rows."""
        for session in self.wanted:
            if session in served or not self.ready(session):
                self.waited[session] = 0
            else:
                self.waited[session] += 1
                assert self.waited[session] < len(SESSIONS), f"{session} starves"

    def ready(self, session: str) -> bool:
        return self.wanted[session] and (session in self.asked or session in self.running)

    @invariant()
    def busy_means_that_somebody_is_ready(self) -> None:
        ready = [session for session in self.wanted if self.ready(session)]
        assert self.house.scheduler.waiting == len(ready)
        for session in self.wanted:
            if not self.ready(session):
                self.waited[session] = 0


Events.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestEvents = Events.TestCase

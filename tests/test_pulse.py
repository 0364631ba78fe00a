"""The engine's pulse: how long a call may take, and who can see it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from server.watchdog import hung
from streaming.pulse import BYTES, FIRST, LATELY, LEAST, MORE, TIMES, UNMEASURED, Pulse


class Time:
    """A clock that is told what time it is."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def spend(pulse: Pulse, time: Time, seconds: float, kind: str = "step") -> None:
    with pulse.call(kind):
        time.now += seconds


def allowed(pulse: Pulse, time: Time, kind: str = "step") -> float:
    """How long a call of a kind may take, to a tenth of a second."""
    began = time.now
    with suppress(InterruptedError), pulse.call(kind):  # or it would be measured
        while pulse.overdue() is None:
            time.now += 0.1
            assert time.now < began + 1000
        raise InterruptedError
    return time.now - began


def test_one_end_sees_what_the_other_tells(time: Time) -> None:
    memory = bytearray(BYTES)
    engine, keeper = Pulse(memory, time), Pulse(memory, time)
    assert keeper.running == 0
    with engine.call("step"):
        assert keeper.running == 100
        time.now += FIRST + 1
        assert keeper.overdue() == pytest.approx(FIRST + 1)
    assert keeper.overdue() is None
    assert keeper.running == 0


def test_a_quick_call_may_take_the_least_and_a_slow_one_ten_times_as_long(time: Time) -> None:
    pulse = Pulse(clock=time)
    spend(pulse, time, 0.02)
    assert allowed(pulse, time) == pytest.approx(LEAST, abs=0.2)
    spend(pulse, time, 3.0, "decode")
    assert allowed(pulse, time, "decode") == pytest.approx(TIMES * 3, abs=0.2)
    assert allowed(pulse, time) == pytest.approx(LEAST, abs=0.2), "each kind by itself"


def test_a_kind_that_was_never_measured_has_time_to_warm_up(time: Time) -> None:
    assert allowed(Pulse(clock=time), time) == pytest.approx(FIRST, abs=0.2)


def test_an_engine_that_comes_after_another_knows_what_was_usual(time: Time) -> None:
    first, second = Pulse(clock=time), Pulse(clock=time)
    for _ in range(2):
        spend(first, time, 0.8)
    second.inherit(first)
    assert allowed(second, time) == pytest.approx(MORE * 0.8, abs=0.2)
    third = Pulse(clock=time)
    third.inherit(second)
    assert allowed(third, time) == pytest.approx(MORE * 0.8, abs=0.2), "and the one after that"
    quick, after = Pulse(clock=time), Pulse(clock=time)
    for _ in range(2):
        spend(quick, time, 0.01)
    after.inherit(quick)
    assert allowed(after, time) == pytest.approx(UNMEASURED, abs=0.2)


def test_one_in_a_hundred_that_was_slow_changes_nothing(time: Time) -> None:
    pulse = Pulse(clock=time)
    for _ in range(LATELY - 1):
        spend(pulse, time, 0.6)
    spend(pulse, time, 60)
    assert allowed(pulse, time) == pytest.approx(6, abs=0.2)


def test_a_call_that_raises_is_over_and_not_measured(time: Time) -> None:
    pulse = Pulse(clock=time)
    with suppress(ValueError), pulse.call("step"):
        time.now += 50
        raise ValueError
    assert pulse.running == 0
    assert allowed(pulse, time) == pytest.approx(FIRST, abs=0.2)


@given(st.lists(st.floats(0.001, 30), min_size=1, max_size=3 * LATELY))
def test_nothing_that_is_usual_is_overdue(durations: list[float]) -> None:
    time = Time()
    pulse = Pulse(clock=time)
    for seconds in durations:
        spend(pulse, time, seconds)
    lately = sorted(durations[-LATELY:])
    usual = lately[-1] if len(lately) < 100 else lately[-len(lately) // 100 - 1]
    with pulse.call("step"):
        time.now += max(LEAST, 0.999 * TIMES * usual)
        assert pulse.overdue() is None


async def looks(monkeypatch: pytest.MonkeyPatch, pulse: Pulse, *each: Callable[[], None]) -> bool:
    """Whether a call hangs, by as many looks as there are things that happen before them."""
    happening = iter(each)

    async def sleep(seconds: float) -> None:
        try:
            next(happening)()
        except StopIteration:
            raise asyncio.CancelledError from None

    monkeypatch.setattr("server.watchdog.asyncio.sleep", sleep)
    try:
        await hung(pulse)
    except asyncio.CancelledError:
        return False
    return True


async def test_a_call_hangs_that_is_overdue_at_two_looks(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    def later() -> None:
        time.now += FIRST + 1

    def nothing() -> None: ...

    pulse = Pulse(clock=time)
    with pulse.call("step"):
        assert not await looks(monkeypatch, pulse, nothing, later)
        assert await looks(monkeypatch, pulse, nothing, nothing)


async def test_a_machine_that_slept_is_given_a_second_look(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulse = Pulse(clock=time)
    calls = [pulse.call("step") for _ in range(3)]
    each = iter(calls)

    def next_call() -> None:
        next(each).__enter__()
        time.now += FIRST + 1
        assert pulse.overdue() is not None

    assert not await looks(monkeypatch, pulse, next_call, next_call, next_call)

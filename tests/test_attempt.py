"""A batched call that fails, and whose fault it was."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from models.base import InvalidParameter, ModelError, OutOfMemory
from streaming.attempt import KINDS_LOGGED, Attempts, Failure


class Gone(ModelError):
    code = "gone"
    fatal = True


def inverses(calls: list[int], rows: Sequence[int]) -> list[float]:
    calls.append(len(rows))
    return [1 / row for row in rows]


def test_a_call_that_works_is_made_once() -> None:
    calls: list[int] = []
    assert Attempts().call(lambda rows: inverses(calls, rows), [1, 2, 4]) == [1, 0.5, 0.25]
    assert calls == [3]


def test_only_the_guilty_row_fails() -> None:
    calls: list[int] = []
    results = Attempts().call(lambda rows: inverses(calls, rows), [1, 0, 4])
    assert results == [1, Failure("model_error", "the model raised ZeroDivisionError", False), 0.25]
    assert calls == [3, 1, 1, 1]


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (InvalidParameter("seed", "bad"), Failure("invalid_parameter", "seed: bad", False)),
        (OutOfMemory("full"), Failure("resource_exhausted", "full", True)),
        (MemoryError(), Failure("resource_exhausted", "out of memory", True)),
        (KeyError("/home/me"), Failure("model_error", "the model raised KeyError", False)),
    ],
)
def test_what_a_client_is_told(error: Exception, failure: Failure) -> None:
    def act(rows: Sequence[int]) -> list[int]:
        raise error

    assert Attempts().call(act, [1]) == [failure]


def test_a_fatal_failure_isnt_tried_again() -> None:
    calls: list[int] = []

    def act(rows: Sequence[int]) -> list[int]:
        calls.append(len(rows))
        raise Gone("the device fell off")

    failure = Failure("gone", "the device fell off", False, fatal=True)
    assert Attempts().call(act, [1, 2]) == [failure, failure]
    assert calls == [2]


def test_too_few_results_are_a_failure() -> None:
    (one, other) = Attempts().call(lambda rows: rows[1:], [1, 2])
    assert isinstance(one, Failure)
    assert one == other
    assert one.code == "bad_output"


def test_each_kind_of_failure_is_logged_once_and_not_without_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempts = Attempts()
    for number in [0] * 10 + list(range(2 * KINDS_LOGGED)):

        def act(rows: Sequence[int], number: int = number) -> list[int]:
            raise ValueError(f"number {number}")

        attempts.call(act, [1])
    assert len(caplog.records) == KINDS_LOGGED
    assert all(record.levelno == logging.ERROR and record.exc_info for record in caplog.records)


def test_a_clients_own_fault_isnt_logged(caplog: pytest.LogCaptureFixture) -> None:
    def act(rows: Sequence[int]) -> list[int]:
        raise InvalidParameter("seed", "bad")

    Attempts().call(act, [1])
    assert not caplog.records


def test_closing_survives_whatever_it_raises(caplog: pytest.LogCaptureFixture) -> None:
    Attempts().close([].pop)
    assert "pop from empty list" in caplog.text

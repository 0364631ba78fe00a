"""Queues that say what they lose, and credits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from streaming.errors import BadMessage
from streaming.outbox import Chunks, Credits, Latest


def test_the_latest_takes_the_place_of_what_was_not_taken() -> None:
    latest: Latest[str] = Latest()
    assert latest.take() is None
    assert latest.put("a") is None
    assert latest.put("b") == "a"
    assert (len(latest), latest.drops) == (1, 1)
    assert latest.take() == "b"
    assert (len(latest), latest.take()) == (0, None)


def test_chunks_keep_their_order_and_refuse_what_does_not_fit() -> None:
    chunks: Chunks[int] = Chunks(2)
    assert [chunks.put(1, n) for n in (10, 11, 12)] == [True, True, False]
    assert (chunks.take(), chunks.take(), chunks.take()) == (10, 11, None)
    assert chunks.drops == 1


def test_a_newer_revision_flushes_chunks_and_an_older_one_is_refused() -> None:
    chunks: Chunks[int] = Chunks(4)
    chunks.put(1, 10)
    chunks.put(1, 11)
    assert chunks.put(2, 20)
    assert not chunks.put(1, 12)
    assert (chunks.take(), len(chunks), chunks.drops) == (20, 0, 3)
    chunks.put(2, 21)
    assert chunks.flush(3) == 1


@settings(deadline=None)
@given(st.lists(st.one_of(st.tuples(st.integers(1, 4), st.integers()), st.none()), max_size=60))
def test_chunks_are_bounded_ordered_and_of_one_revision(
    steps: list[tuple[int, int] | None],
) -> None:
    chunks: Chunks[tuple[int, int]] = Chunks(3)
    given_out = put = 0
    newest = 0
    for step in steps:
        if step is None:
            taken = chunks.take()
            given_out += taken is not None
            assert taken is None or taken[0] == newest
        else:
            put += 1
            newest = max(newest, step[0])
            chunks.put(step[0], step)
        assert len(chunks) <= 3
        assert put == given_out + len(chunks) + chunks.drops


def test_credits_are_a_window_and_acks_are_cumulative() -> None:
    credits = Credits(2)
    assert (credits.take(), credits.take(), credits.free) == (1, 2, 0)
    credits.ack(2)
    assert credits.free == 2
    credits.ack(1)
    assert credits.free == 2
    assert credits.take() == 3


def test_what_was_never_sent_can_not_be_acknowledged() -> None:
    credits = Credits(2)
    credits.take()
    with pytest.raises(BadMessage, match="only 1"):
        credits.ack(2)
    assert credits.free == 1


def test_a_credit_that_was_not_used_is_given_back() -> None:
    credits = Credits(1)
    credits.take()
    credits.untake()
    assert (credits.free, credits.take()) == (1, 1)


@settings(deadline=None)
@given(st.integers(1, 8), st.lists(st.one_of(st.none(), st.integers(0, 40)), max_size=80))
def test_never_more_than_the_window_is_on_its_way(window: int, steps: list[int | None]) -> None:
    credits, sent, acked = Credits(window), 0, 0
    for step in steps:
        if step is None:
            if credits.free:
                sent += 1
                assert credits.take() == sent
        elif step > sent:
            with pytest.raises(BadMessage):
                credits.ack(step)
        else:
            credits.ack(step)
            acked = max(acked, step)
        assert credits.free == window - (sent - acked)
        assert 0 <= credits.free <= window

"""The client's one slot for pictures: never an older one, and credits at the consumer's pace."""

from __future__ import annotations

import asyncio

import pytest

from streaming.client_frames import Frame, Frames
from streaming.errors import JobFailed
from streaming.protocol import PictureFrame, StageTimes
from tests.scripted import picture


def frame(sequence: int, revision: int, step: int = 1, job: int = 1) -> PictureFrame:
    return PictureFrame(
        0, step, 4, sequence, revision, job, 8, 8, 0, 0.0, 0.0, StageTimes(), "png",
        step == 4, False, picture(size=(8, 8)),
    )  # fmt: skip


def test_a_frame_shows_itself_without_its_bytes() -> None:
    slot, _ = a_slot()
    slot.put(frame(1, 7))
    assert slot._slot is not None
    assert repr(slot._slot).startswith("<Frame revision 7, step 1 of 4, png 8×8, ")
    assert len(repr(slot._slot)) < 80


def a_slot() -> tuple[Frames, list[int]]:
    frames, acked = Frames(), list[int]()
    frames.renew(acked.append, fresh=True)
    return frames, acked


async def test_a_frame_is_acknowledged_when_the_next_is_asked_for() -> None:
    frames, acked = a_slot()
    frames.put(frame(1, 1))
    assert acked == []
    assert (await anext(frames)).sequence == 1
    assert acked == []
    asking = asyncio.create_task(anext(frames))
    await asyncio.sleep(0)
    assert acked == [1]
    frames.put(frame(2, 2))
    assert isinstance(await asking, Frame)
    assert acked == [1]


async def test_what_waits_is_replaced_and_acknowledged_with_what_took_its_place() -> None:
    frames, acked = a_slot()
    frames.put(frame(1, 1))
    frames.put(frame(2, 2))
    assert (await anext(frames)).revision == 2
    assert (acked, frames.dropped) == ([1], 1)


async def test_nothing_older_is_ever_given_out() -> None:
    frames, acked = a_slot()
    frames.put(frame(1, 5, step=2))
    await anext(frames)
    asking = asyncio.create_task(anext(frames))
    await asyncio.sleep(0)
    for sequence, older in enumerate([(4, 4), (5, 1), (5, 2)], 2):
        frames.put(frame(sequence, *older))
    assert not asking.done()
    assert acked == [1, 2, 3, 4]  # and it costs no credit
    frames.put(frame(5, 5, step=3))
    assert (await asking).step == 3
    assert frames.dropped == 3


async def test_a_new_connection_counts_anew() -> None:
    frames, acked = a_slot()
    for sequence in range(1, 8):
        frames.put(frame(sequence, sequence))
    again: list[int] = []
    frames.renew(again.append, fresh=False)
    assert (await anext(frames)).revision == 7
    frames.put(frame(1, 7))  # the replay of what was shown
    frames.put(frame(2, 8))
    assert (await anext(frames)).revision == 8
    assert (acked, again) == ([], [1])


async def test_a_new_session_begins_at_its_first_revision() -> None:
    frames, _ = a_slot()
    frames.put(frame(1, 70))
    frames.renew(lambda _: None, fresh=True)
    frames.put(frame(1, 1))
    assert (await anext(frames)).revision == 1


async def test_a_failure_is_raised_once_and_the_end_for_ever() -> None:
    frames, _ = a_slot()
    frames.fail(JobFailed("no", code="bad_output", retryable=True))
    with pytest.raises(JobFailed):
        await anext(frames)
    frames.put(frame(1, 1))
    frames.finish(StopAsyncIteration())
    assert [f.revision async for f in frames] == [1]
    assert [f async for f in frames] == []

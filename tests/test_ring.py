"""The ring: what is taken is what was put, whatever fits fits, and what doesn't is refused."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from streaming.ring import ALIGN, HEADER, Ring

CAPACITY = 16 * ALIGN


def pair(capacity: int = CAPACITY) -> tuple[Ring, Ring]:
    memory = memoryview(bytearray(HEADER + capacity))
    return Ring(memory), Ring(memory)


def block(size: int, value: int) -> NDArray[np.uint8]:
    return np.full(size, value % 251, np.uint8)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, CAPACITY + ALIGN)), max_size=60))
@settings(max_examples=300, deadline=None)
def test_nothing_is_overwritten_before_it_was_freed(orders: list[tuple[bool, int]]) -> None:
    writer, reader = pair()
    there: deque[tuple[int, int, int]] = deque()
    for number, (put, size) in enumerate(orders):
        position = writer.put(block(size, number)) if put else None
        if position is not None:
            there.append((position, size, number))
        elif not put and there:
            position, size, value = there.popleft()
            assert reader.take(position, size) == block(size, value).tobytes()
            reader.free(position, size)
    for position, size, value in there:
        assert reader.take(position, size) == block(size, value).tobytes()


@given(st.lists(st.integers(1, CAPACITY), min_size=1, max_size=40))
@settings(deadline=None)
def test_an_empty_ring_takes_whatever_is_no_larger_than_itself(sizes: list[int]) -> None:
    writer, reader = pair()
    for size in sizes:
        position = writer.put(block(size, size))
        assert position is not None
        assert position % CAPACITY == 0, "it begins at the start again, where the memory is warm"
        reader.free(position, size)


def test_what_is_too_much_is_refused_and_goes_when_there_is_room() -> None:
    writer, reader = pair()
    assert writer.put(block(CAPACITY + 1, 1)) is None
    first = writer.put(block(CAPACITY - ALIGN, 1))
    assert first is not None
    assert writer.put(block(ALIGN + 1, 2)) is None
    assert writer.put(block(ALIGN, 3)) is not None
    reader.free(first, CAPACITY - ALIGN)
    assert writer.put(block(ALIGN + 1, 4)) is not None


def test_any_shape_and_layout_goes_in() -> None:
    writer, reader = pair()
    picture = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)[:, ::2]
    position = writer.put(picture)
    assert position is not None
    assert reader.take(position, picture.nbytes) == picture.tobytes()


@pytest.mark.parametrize(("position", "nbytes"), [(-1, 1), (0, CAPACITY + 1), (0, -1), (64, 1000)])
def test_what_lies_outside_is_refused(position: int, nbytes: int) -> None:
    _, reader = pair()
    with pytest.raises(ValueError, match="aren't in a ring"):
        reader.take(position, nbytes)


def test_a_ring_of_a_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of"):
        Ring(memoryview(bytearray(HEADER + 10)))
